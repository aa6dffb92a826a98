# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of each element. Arrays are broadcast by the names of their axes."""

from __future__ import annotations

import numpy as np

from ..reference.named_array import Data, NamedArray, Number, elementwise

inf = float("inf")
"""Infinity; a score of -inf excludes its key."""


def exp(x: Number) -> NamedArray:
    """E to the x; exp(-inf - -inf) is 0.

    Raises
    ------
    LanguageError
        If `x` is no number, such as a condition, or a constant at which Python has no value.
    """
    return elementwise(np.exp, x)


def exp2(x: Number) -> NamedArray:
    """2 to the x. Errors as in `exp`."""
    return elementwise(np.exp2, x)


def log(x: Number) -> NamedArray:
    """Natural logarithm. Errors as in `exp`."""
    return elementwise(np.log, x)


def sqrt(x: Number) -> NamedArray:
    """Square root. Errors as in `exp`."""
    return elementwise(np.sqrt, x)


def tanh(x: Number) -> NamedArray:
    """Hyperbolic tangent. Errors as in `exp`."""
    return elementwise(np.tanh, x)


def sigmoid(x: Number) -> NamedArray:
    """1 / (1 + exp(-x)). Errors as in `exp`."""
    return elementwise(_sigmoid, x)


def abs(x: Number) -> NamedArray:
    """Magnitude. Errors as in `exp`."""
    return elementwise(np.abs, x)


def maximum(a: Number, b: Number) -> NamedArray:
    """The larger of two; `out = rl.maximum(out, x)` reduces over the chunks of a loop.

    Raises
    ------
    LanguageError
        If an argument is no number, such as a condition, or `out` is reduced by something else in
        the same loop.
    """
    return elementwise(np.maximum, a, b)


def minimum(a: Number, b: Number) -> NamedArray:
    """The smaller of two; `out = rl.minimum(out, x)` reduces over the chunks of a loop.

    Errors as in `maximum`.
    """
    return elementwise(np.minimum, a, b)


def where(condition: Number, a: Number, b: Number) -> NamedArray:
    """`a` where the condition holds, `b` elsewhere.

    Raises
    ------
    LanguageError
        If `condition` is an array of numbers, or of `a` and `b` one is a condition and the other
        not.

    Examples
    --------
    >>> s = rl.where(rl.positions(k, c) <= rl.query_position(), s, -rl.inf)
    """
    return elementwise(np.where, condition, a, b)


def _sigmoid(x: Data) -> Data:
    small: Data = np.exp(-np.abs(x))
    result: Data = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return result
