# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Picked chunks as the reference sees them."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from .domains import Partition, Slot
from .named_array import Data, NamedArray, Number, elementwise, expand, named, union


class SelectsPerHead(Exception):  # noqa: N818, a finding and no error
    """A function visits a selection of its own for each query head: a block has one head then."""


class Slots(NamedArray):
    """Picks of `rl.topk`: chunk numbers over `slot`, -1 where a slot is empty.

    Slots are values: compare and compute with them, return them, visit them by `rl.selected`, or
    read a stream at them by `s.at(slots)`.
    """

    __slots__ = ("chunks_of",)

    def __init__(self, data: Data, axes: tuple[str, ...], partition: Partition) -> None:
        super().__init__(data, axes)
        self.chunks_of = partition

    def keep(self, mask: Number) -> Slots:
        """The slots where the mask holds; the others are empty, each in its place."""
        condition = named(mask)
        if condition.data.dtype != np.bool_:
            raise ArgumentError("keep takes a condition, such as `s.at(slots) > 0`")
        if not set(condition.axes) <= {"pos", "head", "slot"}:
            raise ArgumentError(
                f"keep takes a condition over pos, head and slot, found {condition.axes}"
            )
        kept = elementwise(np.where, condition, self, -1)
        return Slots(kept.data, kept.axes, self.chunks_of)

    def row(self) -> Data:
        """The one selection of the block: `[slot]`."""
        sizes = dict(zip(self.axes, self.shape, strict=True))
        if sizes.get("pos", 1) == 1 and sizes.get("head", 1) > 1:
            raise SelectsPerHead
        if self.data.size != self.size("slot"):
            raise ArgumentError(
                "rl.selected visits one selection for a block, found slots for each of "
                f"{self.axes[:-1]}"
            )
        return self.data.reshape(-1)


def take(stream: NamedArray, chosen: Slots) -> NamedArray:
    """A stream's value at each slot: -inf where the slot is empty, 0 for integers."""
    if not isinstance(chosen, Slots):
        raise ArgumentError(f"at: expected slots of rl.topk or a ChunkIndices, found {chosen!r}")
    if "chunk" not in stream.axes or not {"slot", "key", "dim"}.isdisjoint(stream.axes):
        raise ArgumentError(
            f"at: expected a stream with axes out of pos, head, chunk, found {stream.axes}"
        )
    if stream.partition is not None and stream.partition is not chosen.chunks_of:
        raise ArgumentError(
            f"a stream of '{stream.partition.name}' is read at slots of '{chosen.chunks_of.name}'"
        )
    rest = tuple(axis for axis in union(stream.axes, chosen.axes) if axis not in ("chunk", "slot"))
    values = expand(stream, (*rest, "chunk"))
    index = expand(chosen, (*rest, "slot"))
    count = values.shape[-1]
    valid = (index >= 0) & (index < count)
    fill = -np.inf if values.dtype.kind == "f" else 0
    if not count:
        shape = np.broadcast_shapes(values.shape[:-1], index.shape[:-1])
        return NamedArray(np.full((*shape, index.shape[-1]), fill), (*rest, "slot"))
    taken = _along_last(values, np.where(valid, index, 0))
    return NamedArray(np.where(valid, taken, fill), (*rest, "slot"))


def _along_last(values: Data, index: Data) -> Data:
    shape = np.broadcast_shapes(values.shape[:-1], index.shape[:-1])
    values = np.broadcast_to(values, (*shape, values.shape[-1]))
    index = np.broadcast_to(index, (*shape, index.shape[-1]))
    return np.take_along_axis(values, index, axis=-1)


def read(array: NamedArray, slot: object) -> NamedArray:
    """The value of one slot: the array without its slot axis."""
    if not isinstance(slot, Slot):
        raise ArgumentError(f"an array is read by a slot of rl.selected, found {slot!r}")
    if "slot" not in array.axes:
        raise ArgumentError(f"an array with axes {array.axes} is not read slot by slot")
    rest = tuple(axis for axis in array.axes if axis != "slot")
    return NamedArray(array.data.take(slot.index, axis=array.axes.index("slot")), rest)
