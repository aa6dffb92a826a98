# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a parameter of a `@ramify.jit` function can be.

Each class is an annotation, and what the reference passes for such a parameter: the part of the
array that one query block sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from ..errors import ArgumentError
from ..reference.domains import ChunkId, Partition, Slot
from ..reference.named_array import AXES, Data, NamedArray
from ..reference.slots import Slots

DEFAULT_PARTITION = "kv"
"""The partition that is meant where an annotation names none."""

constexpr: TypeAlias = Annotated[Any, "ramify.constexpr"]
"""A Python value known when the function is compiled: a number, string, bool, None or tuple."""


@dataclass(frozen=True)
class Annotation:
    """An annotation with its partition and axes, such as `Tensor["kv.chunk", "head"]`."""

    role: type
    partition: str | None = None
    axes: tuple[str, ...] = ()

    def __str__(self) -> str:
        prefix = f"{self.partition}."
        inside = [f"{prefix}{a}" if a in ("key", "chunk") else a for a in self.axes]
        if self.partition and not self.axes:
            inside = [self.partition]
        return f"rl.{self.role.__name__}[{', '.join(map(repr, inside)) or '()'}]"


def _named_partition(role: type, name: object) -> Annotation:
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise ArgumentError(
            f'rl.{role.__name__}[...]: expected the name of a partition, such as "kv", '
            f"found {name!r}."
        )
    return Annotation(role, name)


def _without_partition(role: type, found: object) -> ArgumentError:
    return ArgumentError(
        f"rl.{role.__name__}[...]: expected rl.{role.__name__}, which belongs to no partition, "
        f"found rl.{role.__name__}[{found!r}]."
    )


BLOCK = "block"
"""Of queries that have one row for each query block."""


class Query(NamedArray):
    """Queries: an array `[B, L, HQ, D]`, seen as `[pos, head, dim]`.

    `head` runs over the query heads that share one key/value head, `pos` over the positions of
    the query block. `Query["block"]` has one row per query block, `[B, rows, HQ, D]`, seen as
    `[head, dim]`: what selects once for all positions of the block.
    """

    def __class_getitem__(cls, kind: object) -> Annotation:
        if kind != BLOCK:
            raise ArgumentError(
                'rl.Query[...]: expected rl.Query, or rl.Query["block"] with one row per query '
                f"block, found rl.Query[{kind!r}]."
            )
        return Annotation(cls, None, (BLOCK,))


class Chunks:
    """Keys or values in chunks: an array `[B, N, H, D]`; `k[c]` is `[key, dim]`.

    `Chunks["cmp"]` names the partition; without a name it is "kv". Arrays of one partition are
    cut alike, so one `c` indexes all of them.
    """

    def __init__(self, data: Data, partition: Partition) -> None:
        self.data = data
        self.partition = partition

    def __class_getitem__(cls, partition: str) -> Annotation:
        return _named_partition(cls, partition)

    def __getitem__(self, c: ChunkId) -> NamedArray:
        """The chunk `c`: `[key, dim]`."""
        _check_chunk(c, self.partition)
        return NamedArray(self.data[c.rows], ("key", "dim"), c)

    def __repr__(self) -> str:
        return f"Chunks['{self.partition.name}'](N={self.data.shape[0]}, dim={self.data.shape[1]})"


class Landmarks(NamedArray):
    """One row per chunk of a partition: an array `[B, C, 1 or H or HQ, Dr]`.

    As a whole it is a stream `[chunk, dim]`, or `[head, chunk, dim]` where each query head has
    landmarks of its own; `landmarks[c]` is the row of one chunk in a loop. A stream is never
    stored: `rl.topk`, `rl.sum`, `rl.max`, `rl.logsumexp` and `rl.softmax` over "chunk" walk
    through it.
    """

    __slots__ = ()

    def __class_getitem__(cls, partition: str) -> Annotation:
        return _named_partition(cls, partition)

    def __getitem__(self, c: Any) -> NamedArray:
        """The row of chunk `c`: `[dim]` or `[head, dim]`."""
        assert self.partition is not None
        _check_chunk(c, self.partition)
        axis = self.axes.index("chunk")
        rest = tuple(name for name in self.axes if name != "chunk")
        return NamedArray(self.data.take(c.index, axis=axis), rest)


class ChunkIndices(Slots):
    """Selected chunks: int32 or int64 `[B, rows, 1 or H or HQ, K]`, one row per query block.

    -1, and whatever else is no index of a chunk, means an empty slot, which is skipped. A stream
    is read at them by `s.at(indices)`.
    """

    __slots__ = ()

    def __init__(self, row: Data, partition: Partition) -> None:
        super().__init__(row, ("slot",), partition)

    def __class_getitem__(cls, partition: str) -> Annotation:
        return _named_partition(cls, partition)

    def __repr__(self) -> str:
        return f"ChunkIndices({self.data.tolist()})"


class ChunkWeights(NamedArray):
    """Weights of the selected chunks: `[B, rows, 1 or H or HQ, K]`.

    `w[slot]` is a scalar, or `[head]` for weights per query head; as a whole they are `[slot]` or
    `[head, slot]`.
    """

    __slots__ = ()

    def __init__(self, data: Data, axes: tuple[str, ...]) -> None:
        super().__init__(data, (*axes, "slot"))

    def __class_getitem__(cls, partition: object) -> Annotation:
        raise _without_partition(cls, partition)

    def __getitem__(self, slot: Slot) -> NamedArray:
        """The weight of one slot."""
        if not isinstance(slot, Slot):
            raise ArgumentError(f"weights are read by a slot of rl.selected, found {slot!r}")
        return NamedArray(self.data[..., slot.index], self.axes[:-1])

    def __repr__(self) -> str:
        return f"ChunkWeights({self.data.tolist()})"


class Tensor(NamedArray):
    """Any other float array, its axes by name: `Tensor["head"]`, `Tensor["kv.chunk", "head"]`.

    Axes are `pos`, `head`, `dim`, and `key` or `chunk` of a partition (`"kv.key"`); `Tensor[()]`
    is one number. The array has these dimensions in this order, after a batch dimension if it
    has one more. With a `key` or `chunk` axis it is read chunk by chunk, `bias[c]`.
    """

    def __class_getitem__(cls, axes: str | tuple[str, ...]) -> Annotation:
        partition = None
        names = []
        for axis in axes if isinstance(axes, tuple) else (axes,):
            if not isinstance(axis, str) or not axis.isascii():
                raise ArgumentError(
                    f'rl.Tensor[...]: expected names of axes, such as "head", found {axis!r}.'
                )
            prefix, _, name = axis.rpartition(".")
            names.append(name)
            if name in ("key", "chunk"):
                partition = prefix or DEFAULT_PARTITION
            legal = name in AXES and name != "slot" and (not prefix or name in ("key", "chunk"))
            if not legal:
                raise ArgumentError(
                    'rl.Tensor[...]: expected axes out of "pos", "head", "dim", "kv.key" and '
                    f'"kv.chunk", found {axis!r}.'
                )
        if len(set(names)) != len(names) or {"key", "chunk"} <= set(names):
            raise ArgumentError(
                "rl.Tensor[...]: expected each axis once, and either keys or chunks, found "
                f"{axes!r}."
            )
        return Annotation(cls, partition, tuple(names))

    def __getitem__(self, c: Any) -> NamedArray:
        """The part that belongs to chunk `c`."""
        if not isinstance(c, ChunkId):
            raise ArgumentError(f"arrays are read by the chunk of a loop, found {c!r}")
        axis = "key" if "key" in self.axes else "chunk"
        if axis not in self.axes:
            raise ArgumentError(f"an array with axes {self.axes} is not read chunk by chunk")
        where: Any = c.rows if axis == "key" else c.index
        index = tuple(where if name == axis else slice(None) for name in self.axes)
        if axis == "key":
            return NamedArray(self.data[index], self.axes, c)
        return NamedArray(self.data[index], tuple(name for name in self.axes if name != axis))


def _check_chunk(c: object, partition: Partition) -> None:
    if not isinstance(c, ChunkId):
        raise ArgumentError(f"chunks are read by the chunk of a loop, found {c!r}")
    if c.partition is not partition:
        raise ArgumentError(f"an array of partition '{partition.name}' is read by {c!r}")
