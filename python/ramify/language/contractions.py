# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products and the softmax inside a chunk."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError
from ..reference import context
from ..reference.domains import ChunkId
from ..reference.named_array import (
    Data,
    NamedArray,
    common_keys,
    common_partition,
    expand,
    union,
)


def dot(a: NamedArray, b: NamedArray, over: str | None = None) -> NamedArray:
    """Product summed over an axis that both have: a matrix product by names.

    Parameters
    ----------
    a, b : array
        They share `dim`, `key` or `chunk`; other shared axes go together element by element.
    over : {"dim", "key", "chunk"}, optional
        The axis that is summed; needed where several of these are shared.

    Returns
    -------
    array, float32
        With the axes of either but `over`. A sum over `key` leaves out keys that are not valid:
        past the end of the sequence, or not in the loop's domain.

    Raises
    ------
    LanguageError, ArgumentError
        If they share no such axis, or several and `over` names none, or not both have `over`.
    LanguageError
        If `a` or `b` is no array of floats, both are of 16 bits and not of one dtype, or no other
        axis is left.

    Examples
    --------
    >>> s = rl.dot(q, k[c])     # [pos, head, dim] . [key, dim] -> [pos, head, key]
    >>> o = rl.dot(p, v[c])     # [pos, head, key] . [key, dim] -> [pos, head, dim]
    >>> s = rl.dot(r, landmarks)    # [pos, head, dim] . [chunk, dim] -> [pos, head, chunk]
    """
    plan = _plan(a.axes, b.axes, over)
    keys = common_keys((a, b))
    if plan.over == "key" and keys is not None and keys.mask is not None:
        return _masked_dot(a, b, keys, plan)
    data = _product(a, b, plan)
    kept = keys if "key" in plan.axes else None
    partition = common_partition((a, b))
    return NamedArray(data, plan.axes, kept, partition if "chunk" in plan.axes else None)


def softmax(x: NamedArray, n: float = 0.0, over: str = "key") -> NamedArray:
    """exp(x) / (n + sum of exp(x) over an axis); n = 1 is "softmax off by one".

    Parameters
    ----------
    x : array
        Scores with that axis. -inf excludes an element.
    n : constexpr float, n >= 0
        What is added to the denominator.
    over : {"key", "slot", "chunk", "head"}
        The axis: the keys of the loop's chunk, the slots of a selection, all chunks, or the heads
        of the group.

    Returns
    -------
    array, float32
        With the axes of `x`. If every score is -inf, or no key is valid, it is 0.

    Raises
    ------
    LanguageError, ArgumentError
        If `x` has no axis `over`, `n` is below 0, or `over` is `head` in a function that selects
        for each query head.
    LanguageError
        If `x` is a condition, or `n` no finite constant.
    """
    if over not in ("key", "slot", "chunk", "head") or over not in x.axes:
        raise ArgumentError(
            "softmax goes over the axis 'key', 'slot', 'chunk' or 'head'; the array has "
            f"{x.axes}, found {over!r}"
        )
    if n < 0:
        raise ArgumentError(f"n: expected a number >= 0, found {n}.")
    if over == "head":
        check_group()
    axis = x.axes.index(over)
    s = mask_keys(x, -np.inf) if over == "key" else x.data
    highest = s.max(axis=axis, keepdims=True) if s.shape[axis] else np.full((1,), -np.inf)
    if n > 0:
        highest = np.maximum(highest, 0.0)
    elif (highest == -np.inf).any():
        highest = np.where(highest == -np.inf, 0.0, highest)
    e = np.exp(s - highest)
    total = e.sum(axis=axis, keepdims=True)
    if n > 0:
        total = total + n * np.exp(-highest)
    elif (total == 0).any():
        total = np.where(total == 0, 1.0, total)
    return NamedArray(e / total, x.axes, x.keys, x.partition)


def check_group() -> None:
    """Refuse a reduction over heads where each query head selects for itself."""
    block = context.block.get()
    if block is not None and block.per_head:
        raise ArgumentError(
            "a function that visits a selection for each query head has one head in a block, so "
            "nothing is reduced over 'head'"
        )


def mask_keys(x: NamedArray, fill: float) -> Data:
    """The data of `x` with `fill` at keys that the query at `pos` does not see."""
    if x.keys is None or x.keys.mask is None:
        return x.data
    mask = expand(NamedArray(x.keys.mask, ("pos", "key")), union(x.axes, ("pos", "key")))
    if "pos" not in x.axes:
        raise ArgumentError(
            "which keys are valid differs between the positions of the block, so a reduction "
            "over keys needs an array with a 'pos' axis"
        )
    masked: Data = np.where(mask, x.data, fill)
    return masked


class _Plan(NamedTuple):
    over: str
    axes: tuple[str, ...]
    a_order: tuple[int, ...] | None
    b_order: tuple[int, ...] | None
    subscripts: str
    result_order: tuple[int, ...] | None


@cache
def _plan(a: tuple[str, ...], b: tuple[str, ...], over: str | None) -> _Plan:
    """How to contract: a matrix product where no axis is shared but `over`, else an einsum."""
    shared = [axis for axis in a if axis in b]
    if over is None:
        candidates = [axis for axis in shared if axis in ("dim", "key", "chunk")]
        if len(candidates) != 1:
            raise ArgumentError(f"dot of {a} and {b}: say which axis is summed, over=...")
        over = candidates[0]
    if over not in shared:
        raise ArgumentError(f"dot of {a} and {b}: both need the axis {over!r}")
    axes = tuple(axis for axis in union(a, b) if axis != over)
    if len(shared) > 1:
        letters = {
            axis: "phcskd"[i]
            for i, axis in enumerate(("pos", "head", "chunk", "slot", "key", "dim"))
        }
        inputs = ("".join(letters[axis] for axis in side) for side in (a, b))
        subscripts = f"{','.join(inputs)}->{''.join(letters[axis] for axis in axes)}"
        return _Plan(over, axes, None, None, subscripts, None)
    a_rest = tuple(axis for axis in a if axis != over)
    b_rest = tuple(axis for axis in b if axis != over)
    a_order = tuple(a.index(axis) for axis in (*a_rest, over))
    b_order = tuple(b.index(axis) for axis in (over, *b_rest))
    raw = a_rest + b_rest
    order = tuple(raw.index(axis) for axis in axes)
    return _Plan(over, axes, a_order, b_order, "", None if raw == axes else order)


def _product(a: NamedArray, b: NamedArray, plan: _Plan) -> Data:
    if plan.a_order is None or plan.b_order is None:
        product: Data = np.einsum(plan.subscripts, a.data, b.data)
        return product
    left, right = a.data.transpose(plan.a_order), b.data.transpose(plan.b_order)
    data: Data = left @ right if right.ndim == 2 else np.tensordot(left, right, 1)
    return data if plan.result_order is None else data.transpose(plan.result_order)


def _masked_dot(a: NamedArray, b: NamedArray, chunk: ChunkId, plan: _Plan) -> NamedArray:
    """A sum over keys, position by position, each over the keys that it sees."""
    assert chunk.mask is not None
    rows = []
    for position, seen in enumerate(chunk.mask):
        row = _product(_select(a, position, seen), _select(b, position, seen), plan)
        rows.append(row)
    if "pos" not in plan.axes:
        mask_keys(a, 0.0)
        mask_keys(b, 0.0)
    return NamedArray(np.concatenate(rows, axis=plan.axes.index("pos")), plan.axes)


def _select(array: NamedArray, position: int, seen: Data) -> NamedArray:
    data = array.data
    if "pos" in array.axes:
        data = data.take([position], axis=array.axes.index("pos"))
    if "key" in array.axes:
        data = data.compress(seen, axis=array.axes.index("key"))
    return NamedArray(data, array.axes)
