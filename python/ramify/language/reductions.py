# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions over an axis of one array. Keys that are not valid take no part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..reference.named_array import Data, NamedArray
from .contractions import check_group, mask_keys


def sum(x: NamedArray, over: str) -> NamedArray:
    """Sum over an axis; over nothing it is 0.

    Parameters
    ----------
    x : array
    over : {"key", "head", "dim", "chunk", "slot"}
        The axis that goes. Over `chunk` a stream is walked through once more.

    Raises
    ------
    LanguageError, ArgumentError
        If `over` is no such axis of `x`, or is `head` in a function that selects for each query
        head.
    LanguageError
        If `x` is a condition.
    """
    return _reduce(np.sum, x, over, 0.0)


def max(x: NamedArray, over: str) -> NamedArray:
    """Take the largest element over an axis; over nothing it is -inf.

    Parameters and errors as in `sum`.
    """
    return _reduce(np.max, x, over, -np.inf)


def min(x: NamedArray, over: str) -> NamedArray:
    """Take the smallest element over an axis; over nothing it is inf.

    Parameters and errors as in `sum`.
    """
    return _reduce(np.min, x, over, np.inf)


def logsumexp(x: NamedArray, over: str) -> NamedArray:
    """Log of the sum of exp(x) over an axis, without overflow; -inf if all of x is -inf.

    Parameters and errors as in `sum`.
    """
    return _reduce(_logsumexp, x, over, -np.inf)


def _reduce(function: Callable[..., Any], x: NamedArray, over: str, identity: float) -> NamedArray:
    if over not in ("key", "head", "dim", "chunk", "slot") or over not in x.axes:
        raise ArgumentError(
            f"expected over= one of 'key', 'head', 'dim', 'chunk', 'slot' in {x.axes}, found "
            f"{over!r}"
        )
    if over == "head":
        check_group()
    position = x.axes.index(over)
    data: Data = mask_keys(x, identity) if over == "key" else x.data
    axes = tuple(axis for axis in x.axes if axis != over)
    partition = None if over == "chunk" else x.partition
    if not data.shape[position]:
        empty = np.full(tuple(np.delete(data.shape, position)), identity)
        return NamedArray(empty, axes, None, partition)
    reduced = np.asarray(function(data, axis=position))
    return NamedArray(reduced, axes, None if over == "key" else x.keys, partition)


def _logsumexp(data: Data, axis: int) -> Data:
    highest = data.max(axis=axis, keepdims=True)
    highest = np.where(highest == -np.inf, 0.0, highest)
    total = np.exp(data - highest).sum(axis=axis)
    result: Data = np.log(total) + highest.squeeze(axis)
    return result
