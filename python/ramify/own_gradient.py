# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of the user's own, `@fn.gradient`: called in the compiler's place, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ArgumentError, GradientError, mismatch

if TYPE_CHECKING:
    from .jit import JitFunction


def own_backward(
    function: JitFunction,
    wrt: Sequence[str],
    outs: Sequence[Any],
    d_outs: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[Any, ...]:
    """The gradients by `wrt` that a function of the user's returns, checked.

    Parameters
    ----------
    function : JitFunction
        A function with an `own_gradient`.
    wrt : sequence of str
        Names of array parameters.
    outs : sequence of array
        The function's results.
    d_outs : array or sequence of array
        The gradient of each result; None for zeros.
    args, kwargs
        The arguments of the call.

    Raises
    ------
    ArgumentError
        If there are not as many gradients as results.
    GradientError
        If a gradient is missing, or is not of its parameter's shape, dtype and library.
    """
    given = d_outs if isinstance(d_outs, tuple | list) else (d_outs,)
    if len(given) != len(outs):
        raise ArgumentError(
            f"{function.signature.name}: backward: expected gradients of {len(outs)} "
            f"result{'s' * (len(outs) != 1)}, found {len(given)}."
        )
    filled = [_zeros_like(out) if d is None else d for d, out in zip(given, outs, strict=True)]
    assert function.own_gradient is not None
    if len(outs) == 1:
        gradients = function.own_gradient(filled[0], outs[0], *args, **kwargs)
    else:
        gradients = function.own_gradient(tuple(filled), tuple(outs), *args, **kwargs)
    arrays = {**dict(zip(function.signature.parameters, args, strict=False)), **kwargs}
    return tuple(_take(function, gradients, name, arrays[name]) for name in wrt)


def _zeros_like(array: Any) -> Any:
    if hasattr(array, "new_zeros"):
        return array.new_zeros(array.shape)
    return np.zeros(array.shape, array.dtype)


def _take(function: JitFunction, gradients: Any, name: str, parameter: Any) -> Any:
    """The gradient by a parameter among those that a function of the user's returned."""
    what = f"{function.signature.name}(): its own gradient"
    if not isinstance(gradients, Mapping):
        raise GradientError(
            mismatch(what, "a mapping from names of parameters", type(gradients).__name__)
        )
    found = gradients.get(name)
    if found is None:
        others = ", ".join(str(other) for other, x in gradients.items() if x is not None)
        raise GradientError(f"{what} returns none by {name}, only by {others or 'nothing'}.")
    for kind, of in (("shape", _shape_text), ("dtype", _dtype_text), ("library", _library)):
        if of(found) != of(parameter):
            raise GradientError(
                mismatch(f"{what} by {name}", f"the {kind} {of(parameter)}", str(of(found)))
            )
    return found


def _shape_text(array: Any) -> str:
    return str(list(getattr(array, "shape", ())))


def _dtype_text(array: Any) -> str:
    return str(getattr(array, "dtype", type(array).__name__)).rpartition(".")[2]


def _library(array: Any) -> str:
    if hasattr(array, "new_zeros"):
        return "torch"  # subclasses included
    return type(array).__module__.partition(".")[0]
