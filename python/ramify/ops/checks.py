# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the ready-made variants check before they call their kernels."""

from __future__ import annotations

import math
import numbers
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, mismatch


def check_int(op: str, name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no int from `least` to `most`.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        With the names of the op and of the parameter.
    """
    expected = f"an int >= {least}" if most is None else f"an int from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ArgumentTypeError(mismatch(f"{op}(): {name}", expected, repr(value)))
    if int(value) < least or (most is not None and int(value) > most):
        raise ArgumentError(mismatch(f"{op}(): {name}", expected, repr(value)))


def softmax_n_of(op: str, value: Any) -> float:
    """The n of a softmax, a finite number >= 0.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        With the name of the op.
    """
    if type(value) is float and 0.0 <= value < math.inf:
        return value
    expected = "a finite number >= 0"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        found = value if isinstance(value, bool | str | None) else type(value).__name__
        raise ArgumentTypeError(mismatch(f"{op}(): softmax_n", expected, repr(found)))
    number = float(value)
    if not 0.0 <= number < math.inf:
        raise ArgumentError(mismatch(f"{op}(): softmax_n", expected, repr(value)))
    return number


def default_scale(q: Any) -> float:
    """1 / sqrt(D); arrays of another rank, or D = 0, are reported by the call itself."""
    try:
        return float(q.shape[-1] ** -0.5)
    except (AttributeError, IndexError, TypeError, ZeroDivisionError, RuntimeError):
        return 1.0  # RuntimeError: tensors of PyTorch that have no shape, nested ones


def length(x: Any) -> Any:
    """The size of axis 1; -1 of what has another rank, which the call itself reports."""
    shape: Any = getattr(x, "shape", ())
    return shape[1] if len(shape) == 4 else -1


def given(**options: Any) -> dict[str, Any]:
    """The options that are not None."""
    return {name: value for name, value in options.items() if value is not None}
