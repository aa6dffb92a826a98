# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights of slots, written in the language itself: a function of yours may do the same."""

from __future__ import annotations

from ..reference.named_array import NamedArray
from .elementwise import exp, log, sigmoid, where
from .selection import cumsum


def softplus(x: NamedArray) -> NamedArray:
    """log(1 + exp(x)), without overflow; the gradient is sigmoid(x) everywhere.

    Raises
    ------
    LanguageError
        If `x` is no number, such as a condition.
    """
    small = where(x > 0, -x, x)
    return where(x > 0, x, 0.0) + log(1.0 + exp(small))


def stick_breaking(s: NamedArray) -> NamedArray:
    """Stick-breaking weights of the slots in order: each slot takes its share of what is left.

    w_k = sigmoid(s_k) * product of (1 - sigmoid(s_m)) over m < k. An empty slot, whose score is
    -inf, takes nothing.

    Parameters
    ----------
    s : array
        Scores with a `slot` axis, nearest chunk first.

    Returns
    -------
    array, float32
        With the axes of `s`; over the slots they sum to less than 1.

    Raises
    ------
    LanguageError, ArgumentError
        If `s` has no `slot` axis.

    Notes
    -----
    Tan et al., "Stick-breaking Attention" (2024).
    """
    return sigmoid(s) * exp(-cumsum(softplus(s), exclusive=True))
