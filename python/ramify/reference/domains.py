# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Partitions, chunks and domains as the reference sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ..errors import ArgumentError
from .context import current
from .named_array import Data


class Partition:
    """Keys 0..num_keys-1 cut into chunks of `size`; the last chunk may be partial."""

    def __init__(self, name: str, size: int, num_keys: int) -> None:
        self.name = name
        self.size = size
        self.num_keys = num_keys
        self.count = -(-num_keys // size)
        self._whole: dict[int, ChunkId] = {}

    def whole(self, index: int) -> ChunkId:
        """Chunk `index` with all of its keys."""
        chunk = self._whole.get(index)
        if chunk is None:
            first = index * self.size
            keys = np.arange(first, min(first + self.size, self.num_keys))
            chunk = self._whole[index] = ChunkId(self, index, keys, None)
        return chunk


class ChunkId:
    """A chunk inside a loop: which one, and which of its keys the loop's domain has.

    `keys` are positions of the keys that at least one query of the block sees; `mask`, bool
    `[pos, key]`, says which query sees which, or is None if all see all.
    """

    __slots__ = ("index", "keys", "mask", "partition", "rows")

    def __init__(self, partition: Partition, index: int, keys: Data, mask: Data | None) -> None:
        self.partition = partition
        self.index = index
        self.keys = keys
        self.mask = mask
        contiguous = keys[-1] - keys[0] + 1 == len(keys)
        self.rows: slice | Data = slice(int(keys[0]), int(keys[-1]) + 1) if contiguous else keys

    def __repr__(self) -> str:
        name, keys = self.partition.name, self.keys
        return f"chunk {self.index} of '{name}' ({len(keys)} keys, {keys[0]}..{keys[-1]})"


class Slot:
    """One slot of a selection."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __repr__(self) -> str:
        return f"slot {self.index}"


class RangeDomain:
    """Chunks that hold at least one key of a set given by a predicate on positions.

    Parameters
    ----------
    partition : Partition
        What is visited.
    contains : callable
        Key positions int64 `[key]` and query positions int64 `[pos]` to bool `[pos, key]`.
    bounds : tuple of int
        First key, and one past the last, that any query of the block may see.
    outside : RangeDomain, optional
        Keys of that domain are left out.
    """

    def __init__(
        self,
        partition: Partition,
        contains: Callable[[Data, Data], Data],
        bounds: tuple[int, int],
        outside: RangeDomain | None = None,
    ) -> None:
        self.partition = partition
        self.bounds = bounds
        self.outside = outside
        self._contains = contains

    def valid(self, keys: Data) -> Data:
        """Which query of the block sees which of the keys: bool `[pos, key]`."""
        positions = current().positions
        seen = np.broadcast_to(self._contains(keys, positions), (len(positions), len(keys)))
        return seen & ~self.outside.valid(keys) if self.outside is not None else seen

    def __iter__(self) -> Iterator[ChunkId]:
        size, count = self.partition.size, self.partition.count
        first = max(self.bounds[0], 0) // size
        last = min(-(-self.bounds[1] // size), count)
        for index in range(first, last):
            chunk = visible_part(self.partition.whole(index), self)
            if chunk is not None:
                yield chunk


def visible_part(chunk: ChunkId, domain: RangeDomain) -> ChunkId | None:
    """The part of a whole chunk that lies in the domain, None if there is none."""
    seen = domain.valid(chunk.keys)
    if seen.all():
        return chunk
    some = seen.any(axis=0)
    if not some.any():
        return None
    mask = seen[:, some]
    return ChunkId(chunk.partition, chunk.index, chunk.keys[some], None if mask.all() else mask)


class SelectedDomain:
    """The chunks in the slots of one selection row; slots without a chunk are skipped."""

    def __init__(self, partition: Partition, row: Data) -> None:
        self.partition = partition
        self.row = row

    def __iter__(self) -> Iterator[tuple[Slot, ChunkId]]:
        for slot, index in enumerate(self.row.tolist()):
            if 0 <= index < self.partition.count:
                yield Slot(slot), self.partition.whole(index)


Domain: TypeAlias = "RangeDomain | SelectedDomain"


def every(partition: Partition, outside: RangeDomain | None = None) -> RangeDomain:
    """All keys."""

    def contains(keys: Data, positions: Data) -> Data:
        return np.ones((len(positions), len(keys)), dtype=bool)

    return RangeDomain(partition, contains, (0, partition.num_keys), outside)


def first(partition: Partition, keys: int, outside: RangeDomain | None = None) -> RangeDomain:
    """Keys x < `keys`."""

    def contains(x: Data, positions: Data) -> Data:
        return np.broadcast_to(x < keys, (len(positions), len(x)))

    return RangeDomain(partition, contains, (0, min(keys, partition.num_keys)), outside)


def own(partition: Partition, outside: RangeDomain | None = None) -> RangeDomain:
    """The keys of the chunk in which the query stands."""
    size, positions = partition.size, current().positions

    def contains(x: Data, t: Data) -> Data:
        same: Data = x // size == t[:, None] // size
        return same

    lowest, highest = int(positions.min()) // size, int(positions.max()) // size
    bounds = lowest * size, (highest + 1) * size
    return RangeDomain(partition, contains, bounds, outside)


def window(
    partition: Partition, last: int, align: str | None, outside: RangeDomain | None = None
) -> RangeDomain:
    """Keys t - last < x <= t; with align="chunk" from the start of the chunk of the first."""
    if align not in (None, "chunk"):
        raise ArgumentError(f'align: expected None or "chunk", found {align!r}.')
    size, positions = partition.size, current().positions

    def start(t: Data) -> Data:
        begin = t - last + 1
        return begin // size * size if align else begin

    def contains(x: Data, t: Data) -> Data:
        inside: Data = (x >= start(t)[:, None]) & (x <= t[:, None])
        return inside

    bounds = int(start(positions).min()), int(positions.max()) + 1
    return RangeDomain(partition, contains, bounds, outside)
