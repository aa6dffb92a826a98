# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a loop over chunks visits.

`for c in rl.window(k, last=512)` visits the chunks that hold a key of the window; inside the loop
only the keys of the window are valid. Chunks may be visited in any order and in parallel, so a
loop carries values only through `+=`, `maximum`, `minimum`, `merge` and `push`.
"""

from __future__ import annotations

from ..errors import ArgumentError
from ..reference import domains
from ..reference.domains import RangeDomain, SelectedDomain
from ..reference.named_array import NamedArray
from ..reference.slots import Slots
from .annotations import ChunkIndices, Chunks


def selected(indices: ChunkIndices | Slots) -> SelectedDomain:
    """The selected chunks: `for slot, c in rl.selected(indices)`.

    Parameters
    ----------
    indices : ChunkIndices or Slots
        A parameter, or what `rl.topk` gave: then the block has one position, since one selection
        is visited. Slots with a `head` axis are a selection for each query head: then a block has
        one head, and nothing is reduced over `head`. Empty slots (-1, or no index of a chunk) are
        skipped. A chunk in two slots is visited twice.

    Raises
    ------
    LanguageError, ArgumentError
        If `indices` are no slots, or slots for each of several positions.
    """
    if not isinstance(indices, Slots):
        raise ArgumentError(
            f"rl.selected takes a ChunkIndices parameter or slots of rl.topk, found {indices!r}"
        )
    return SelectedDomain(indices.chunks_of, indices.row())


def window(
    k: Chunks,
    *,
    last: int | NamedArray,
    align: str | None = None,
    outside: RangeDomain | None = None,
) -> RangeDomain:
    """The `last` keys up to the query's own position t: t - last < x <= t.

    Parameters
    ----------
    k : Chunks
        An array of the partition.
    last : int
        Length of the window, a constant or a run-time scalar.
    align : {"chunk"}, optional
        Start the window at the start of the chunk that holds its first key.
    outside : range domain, optional
        Keys of that domain are not valid here, since another loop covers them.

    Raises
    ------
    LanguageError
        If `k` is no rl.Chunks parameter, `last` no int or a constant outside 0 to 2^31 - 1, or
        `outside` no range of keys of the same partition.
    LanguageError, ArgumentError
        If `align` is neither None nor "chunk".
    """
    return domains.window(k.partition, int(last), align, outside)


def own(k: Chunks, *, outside: RangeDomain | None = None) -> RangeDomain:
    """The chunk in which the query stands, later keys included.

    Parameters and errors as in `window`.
    """
    return domains.own(k.partition, outside)


def first(k: Chunks, *, keys: int | NamedArray, outside: RangeDomain | None = None) -> RangeDomain:
    """The first `keys` keys of the sequence.

    Parameters and errors as in `window`, with `keys` in place of `last`.
    """
    return domains.first(k.partition, int(keys), outside)


def every(k: Chunks, *, outside: RangeDomain | None = None) -> RangeDomain:
    """Every chunk. Parameters and errors as in `window`."""
    return domains.every(k.partition, outside)
