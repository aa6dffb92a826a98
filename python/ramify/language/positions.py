# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where keys, queries and chunks stand."""

from __future__ import annotations

from ..reference.context import current
from ..reference.domains import ChunkId
from ..reference.named_array import NamedArray, named
from .annotations import Chunks


def positions(k: Chunks, c: ChunkId) -> NamedArray:
    """Positions of the keys of chunk `c`: int32 `[key]`."""
    return NamedArray(c.keys, ("key",), c)


def query_position() -> NamedArray:
    """Positions of the block's queries among the keys: int32 `[pos]`."""
    return NamedArray(current().positions, ("pos",))


def index(c: ChunkId) -> NamedArray:
    """Number of the chunk in its partition, from 0: int32."""
    return named(c.index)


def start(c: ChunkId) -> NamedArray:
    """Position of the first key of the chunk: int32."""
    return named(c.index * c.partition.size)


def end(c: ChunkId) -> NamedArray:
    """One past the last key of the chunk: int32. A partial last chunk ends as a whole one would."""
    return named((c.index + 1) * c.partition.size)
