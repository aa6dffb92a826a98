# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where keys, queries and chunks stand.

Of a loop's chunk `c`, `rl.start(c)` is a number; of a parameter with a partition,
`rl.start(landmarks)` is a stream over all of its chunks.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ..errors import ArgumentError
from ..reference.context import current
from ..reference.domains import ChunkId, Partition
from ..reference.named_array import NamedArray, named
from .annotations import Chunks, Landmarks

Place: TypeAlias = "ChunkId | Landmarks | Chunks"
"""A chunk of a loop, or all chunks of a parameter's partition."""


def positions(k: Chunks, c: ChunkId) -> NamedArray:
    """Positions of the keys of chunk `c`: int32 `[key]`.

    Raises
    ------
    LanguageError
        If `k` is no rl.Chunks parameter, or `c` no chunk of a loop over the partition of `k`.
    """
    return NamedArray(c.keys, ("key",), c)


def query_position() -> NamedArray:
    """Positions of the block's queries among the keys: int32 `[pos]`.

    Raises
    ------
    Error
        If it is called outside of a function of the language.
    """
    return NamedArray(current().positions, ("pos",))


def block_position() -> NamedArray:
    """Position of the block's first query among the keys: int32, one for the block.

    Where one selection serves several positions (`q_block`), this is where it stands.
    """
    return named(current().position)


def index(c: Place) -> NamedArray:
    """Number of the chunk in its partition, from 0: int32.

    Raises
    ------
    LanguageError, ArgumentError
        If `c` is neither the chunk of a loop nor an rl.Landmarks or rl.Chunks parameter.
    """
    if isinstance(c, ChunkId):
        return named(c.index)
    partition = _partition(c)
    return NamedArray(np.arange(partition.count), ("chunk",), partition=partition)


def start(c: Place) -> NamedArray:
    """Position of the first key of the chunk: int32. Errors as in `index`."""
    size = c.partition.size if isinstance(c, ChunkId) else _partition(c).size
    return index(c) * size


def end(c: Place) -> NamedArray:
    """One past the last key of the chunk: int32.

    Of a stream, a partial last chunk ends at N; of a loop's chunk, it ends as a whole one would.
    Errors as in `index`.
    """
    if isinstance(c, ChunkId):
        return named((c.index + 1) * c.partition.size)
    return start(c) + length(c)


def length(c: Landmarks | Chunks) -> NamedArray:
    """Keys in each chunk, a stream: int32. A partial last chunk has fewer than the others.

    Raises
    ------
    LanguageError, ArgumentError
        If `c` is no rl.Landmarks or rl.Chunks parameter.
    """
    if isinstance(c, ChunkId):
        raise ArgumentError("rl.length is of all chunks: rl.length(landmarks)")
    partition = _partition(c)
    first = np.arange(partition.count) * partition.size
    data = np.minimum(partition.num_keys - first, partition.size)
    return NamedArray(data, ("chunk",), partition=partition)


def distance(c: Place) -> NamedArray:
    """How far the query stands behind the first key of the chunk: `query_position() - start(c)`.

    Errors as in `index`.
    """
    return query_position() - start(c)


def _partition(c: Landmarks | Chunks) -> Partition:
    if isinstance(c, Landmarks | Chunks) and c.partition is not None:
        return c.partition
    raise ArgumentError(f"expected a chunk, rl.Landmarks or rl.Chunks, found {c!r}")
