# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`NamedArray`: a NumPy array whose axes have names, with broadcasting by name.

This is what a value of the language is while the reference executes a function. Numbers are
float64, positions int64, conditions bool. An array that runs over the keys of a chunk carries the
chunk (`keys`), since keys outside of the chunk's domain take no part in reductions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError

if TYPE_CHECKING:
    from .domains import ChunkId, Partition, Slot
    from .slots import Slots

AXES = ("pos", "head", "chunk", "slot", "key", "dim")
"""Every axis, in the order in which arrays keep theirs."""

Data: TypeAlias = NDArray[Any]
Number: TypeAlias = "NamedArray | float | int | bool"


class NamedArray:
    """An array with named axes.

    Parameters
    ----------
    data : ndarray or number
        The elements, one dimension per name.
    axes : tuple of str
        Names from `AXES`, in that order.
    keys : ChunkId, optional
        The chunk whose keys the `key` axis runs over.
    partition : Partition, optional
        The partition whose chunks the `chunk` axis runs over.
    """

    __slots__ = ("axes", "data", "keys", "partition")

    def __init__(
        self,
        data: Data | float,
        axes: tuple[str, ...] = (),
        keys: ChunkId | None = None,
        partition: Partition | None = None,
    ) -> None:
        self.data: Data = data if isinstance(data, np.ndarray) else np.asarray(data)
        self.axes = axes
        self.keys = keys
        self.partition = partition

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of each axis, in the order of `axes`."""
        return tuple(self.data.shape)

    @property
    def T(self) -> NamedArray:  # noqa: N802, as in NumPy
        """The array itself: axes have names, so there is nothing to transpose."""
        return self

    def size(self, axis: str) -> int:
        """Size of the axis of that name."""
        return int(self.data.shape[self.axes.index(axis)])

    def at(self, slots: Slots) -> NamedArray:
        """A stream's value at each slot: -inf where the slot is empty, 0 for integers.

        Parameters
        ----------
        slots : Slots or ChunkIndices
            Picks of the same partition.

        Returns
        -------
        array
            With the axes of both, `slot` in place of `chunk`.
        """
        from .slots import take

        return take(self, slots)

    def __getitem__(self, slot: Slot) -> NamedArray:
        """The value of one slot, in a loop over slots that the function computed."""
        from .slots import read

        return read(self, slot)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{a}={n}" for a, n in zip(self.axes, self.shape, strict=True))
        return f"NamedArray[{sizes}]({np.array2string(self.data, precision=5, threshold=64)})"

    def __format__(self, spec: str) -> str:
        return format(self.data.item(), spec) if spec and not self.axes else repr(self)

    def __float__(self) -> float:
        return float(self.data)

    def __int__(self) -> int:
        return int(self.data)

    def __bool__(self) -> bool:
        raise ArgumentError(
            "a condition on arrays has no single truth value: use rl.where, and & | ~ between "
            "conditions"
        )

    def __add__(self, other: Number) -> NamedArray:
        return elementwise(np.add, self, other)

    def __sub__(self, other: Number) -> NamedArray:
        return elementwise(subtract, self, other)

    def __mul__(self, other: Number) -> NamedArray:
        return elementwise(np.multiply, self, other)

    def __truediv__(self, other: Number) -> NamedArray:
        return elementwise(np.true_divide, self, other)

    def __floordiv__(self, other: Number) -> NamedArray:
        return elementwise(np.floor_divide, self, other)

    def __mod__(self, other: Number) -> NamedArray:
        return elementwise(np.mod, self, other)

    def __pow__(self, other: float) -> NamedArray:
        return elementwise(np.power, self, other)

    def __radd__(self, other: Number) -> NamedArray:
        return elementwise(np.add, other, self)

    def __rsub__(self, other: Number) -> NamedArray:
        return elementwise(subtract, other, self)

    def __rmul__(self, other: Number) -> NamedArray:
        return elementwise(np.multiply, other, self)

    def __rtruediv__(self, other: Number) -> NamedArray:
        return elementwise(np.true_divide, other, self)

    def __rfloordiv__(self, other: Number) -> NamedArray:
        return elementwise(np.floor_divide, other, self)

    def __rmod__(self, other: Number) -> NamedArray:
        return elementwise(np.mod, other, self)

    def __pos__(self) -> NamedArray:
        return self

    def __neg__(self) -> NamedArray:
        return NamedArray(-self.data, self.axes, self.keys, self.partition)

    def __abs__(self) -> NamedArray:
        return NamedArray(np.abs(self.data), self.axes, self.keys, self.partition)

    def __lt__(self, other: Number) -> NamedArray:
        return elementwise(np.less, self, other)

    def __le__(self, other: Number) -> NamedArray:
        return elementwise(np.less_equal, self, other)

    def __gt__(self, other: Number) -> NamedArray:
        return elementwise(np.greater, self, other)

    def __ge__(self, other: Number) -> NamedArray:
        return elementwise(np.greater_equal, self, other)

    def __eq__(self, other: Number) -> NamedArray:  # type: ignore[override]
        return elementwise(np.equal, self, other)

    def __ne__(self, other: Number) -> NamedArray:  # type: ignore[override]
        return elementwise(np.not_equal, self, other)

    __hash__ = None  # type: ignore[assignment]

    def __and__(self, other: Number) -> NamedArray:
        return elementwise(np.logical_and, self, other)

    def __or__(self, other: Number) -> NamedArray:
        return elementwise(np.logical_or, self, other)

    def __invert__(self) -> NamedArray:
        return NamedArray(~self.data, self.axes, self.keys, self.partition)

    __rand__ = __and__
    __ror__ = __or__


def subtract(a: Data, b: Data) -> Data:
    """Difference with -inf - -inf = -inf, so that its exponential is 0 as the language has it."""
    with np.errstate(invalid="ignore"):
        difference: Data = np.subtract(a, b)
    if np.isnan(difference).any():
        both = (np.asarray(a) == -np.inf) & (np.asarray(b) == -np.inf)
        difference = np.where(both, -np.inf, difference)
    return difference


def named(value: Number) -> NamedArray:
    """The value as a NamedArray; a number has no axes."""
    return value if isinstance(value, NamedArray) else NamedArray(np.asarray(value))


@cache
def union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """The axes of either, in canonical order."""
    return tuple(axis for axis in AXES if axis in first or axis in second)


@cache
def _expansion(axes: tuple[str, ...], target: tuple[str, ...]) -> tuple[slice | None, ...]:
    return tuple(slice(None) if axis in axes else None for axis in target)


def expand(value: NamedArray, axes: tuple[str, ...]) -> Data:
    """The data with an axis of size 1 for each name in `axes` that the value lacks."""
    if value.axes == axes or not value.axes:
        return value.data
    return value.data[_expansion(value.axes, axes)]


def common_keys(values: tuple[NamedArray, ...]) -> ChunkId | None:
    """The chunk over whose keys the values run, if any does; they must agree."""
    chunks = [value.keys for value in values if value.keys is not None]
    if any(chunk is not chunks[0] for chunk in chunks):
        raise ArgumentError("the keys of two different chunks meet in one operation")
    return chunks[0] if chunks else None


def common_partition(values: tuple[NamedArray, ...]) -> Partition | None:
    """The partition over whose chunks the values run, if any does; they must agree."""
    found = [value.partition for value in values if value.partition is not None]
    for other in found[1:]:
        if other is not found[0]:
            raise ArgumentError(
                f"streams of the partitions '{found[0].name}' and '{other.name}' meet in one "
                "operation"
            )
    return found[0] if found else None


def elementwise(function: Callable[..., Any], *values: Number) -> NamedArray:
    """Apply a NumPy function to values broadcast by the names of their axes."""
    arrays = tuple(named(value) for value in values)
    with_axes = [array for array in arrays if array.axes]
    if len(with_axes) == 1:  # with numbers, the common case
        only = with_axes[0]
        data = function(*(a.data for a in arrays))
        return NamedArray(data, only.axes, only.keys, only.partition)
    axes: tuple[str, ...] = ()
    for array in arrays:
        axes = union(axes, array.axes)
    partition = common_partition(arrays)
    for axis in axes:
        sizes = {array.size(axis) for array in arrays if axis in array.axes}
        if len(sizes) > 1:
            raise ArgumentError(f"sizes {sorted(sizes)} of axis '{axis}' differ")
    data = function(*(expand(array, axes) for array in arrays))
    return NamedArray(data, axes, common_keys(arrays), partition)
