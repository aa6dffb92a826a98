# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Picking chunks by their scores, and mathematics along the slots that hold them."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..reference.named_array import Data, NamedArray
from ..reference.slots import Slots

ORDERS = ("nearest", "ascending", "score")
MAX_TOP_K = 128
"""More slots than this take other algorithms than a sorted list for each row."""


def topk(s: NamedArray, k: int, order: str = "nearest") -> Slots:
    """Pick the k chunks with the largest scores.

    Parameters
    ----------
    s : array
        Scores, a stream `[chunk]`, `[pos, chunk]` or `[pos, head, chunk]`. NaN counts as -inf, and
        -inf is never picked; +inf forces a pick.
    k : constexpr int
        Number of slots, 1 to 128.
    order : constexpr {"nearest", "ascending", "score"}
        Slots by descending index, ascending index, or descending score.

    Returns
    -------
    Slots
        int32, with `slot` in place of `chunk`. Of equal scores the higher index wins; with fewer
        than k chunks the last slots are -1.

    Raises
    ------
    LanguageError, ArgumentError
        If `s` is no such stream, or `k` or `order` none of these constants.

    Examples
    --------
    >>> slots = rl.topk(rl.where(rl.end(landmarks) <= rl.query_position(), s, -rl.inf), 8)
    >>> weights = rl.stick_breaking(s.at(slots))
    """
    if order not in ORDERS:
        raise ArgumentError(f"topk: order is one of {', '.join(ORDERS)}, found {order!r}.")
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MAX_TOP_K:
        raise ArgumentError(f"topk: k is an int from 1 to {MAX_TOP_K}, found {k!r}.")
    if "chunk" not in s.axes or not {"slot", "key", "dim"}.isdisjoint(s.axes):
        raise ArgumentError(f"topk: expected a stream over pos, head, chunk, found {s.axes}.")
    if s.partition is None:
        raise ArgumentError("topk: the scores depend on no landmarks")
    axis = s.axes.index("chunk")
    picks = _pick(np.moveaxis(s.data, axis, -1), k, order)
    axes = tuple("slot" if name == "chunk" else name for name in s.axes)
    return Slots(np.moveaxis(picks, -1, axis), axes, s.partition)


def _pick(scores: Data, k: int, order: str) -> Data:
    """Indices of the k largest along the last axis, -1 for none."""
    count = scores.shape[-1]
    clean = np.where(np.isnan(scores), -np.inf, scores)
    ranked = count - 1 - np.argsort(-clean[..., ::-1], axis=-1, kind="stable")[..., :k]
    picked = np.where(np.take_along_axis(clean, ranked, axis=-1) == -np.inf, -1, ranked)
    missing = np.full((*picked.shape[:-1], k - picked.shape[-1]), -1, dtype=np.int64)
    picked = np.concatenate([picked, missing], axis=-1)
    if order == "nearest":
        return -np.sort(-picked, axis=-1)
    if order == "ascending":
        picked = np.sort(np.where(picked < 0, count, picked), axis=-1)
        return np.where(picked == count, -1, picked)
    return picked


def cumsum(
    x: NamedArray, over: str = "slot", *, exclusive: bool = False, reverse: bool = False
) -> NamedArray:
    """Running sum along the slots.

    Parameters
    ----------
    x : array
        With a `slot` axis.
    over : {"slot"}
        The axis.
    exclusive : constexpr bool
        Leave out the element itself.
    reverse : constexpr bool
        Sum from the last slot.

    Raises
    ------
    LanguageError, ArgumentError
        If `x` has no `slot` axis, or `over` is another one.
    LanguageError
        If `x` is a condition, or a flag no constant.
    """
    if over != "slot" or "slot" not in x.axes:
        raise ArgumentError(f"cumsum goes over 'slot'; the array has {x.axes}, found {over!r}")
    axis = x.axes.index("slot")
    data = np.flip(x.data, axis) if reverse else x.data
    total = np.cumsum(data, axis=axis)
    if exclusive:
        kept = np.take(total, range(total.shape[axis] - 1), axis=axis)
        total = np.concatenate([np.zeros_like(np.take(data, [0], axis=axis)), kept], axis=axis)
    return NamedArray(np.flip(total, axis) if reverse else total, x.axes, x.keys)


def detach(x: NamedArray) -> NamedArray:
    """Give the value itself; no gradient flows through it.

    Raises
    ------
    LanguageError
        If `x` is no value, such as keys as a whole.
    """
    return x
