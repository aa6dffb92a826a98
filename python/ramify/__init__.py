# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ramify: a DSL and JIT compiler for hierarchical sparse attention kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import language
from .errors import (
    ArgumentError,
    ArgumentTypeError,
    CacheError,
    CaptureError,
    CompileError,
    DeviceError,
    Error,
    GradientError,
    LanguageError,
    UnsupportedError,
)
from .jit import JitFunction, jit
from .selection import Selection

__version__ = "0.1.0"

from . import ops  # isort: skip  # uses jit

if TYPE_CHECKING:
    from .torch import Operator


def torch_op(function: JitFunction) -> Operator:
    """A function of the language as a PyTorch operator, the same one for each call of this.

    The operator is called as the function is. It works under `torch.compile`, `torch.export`,
    autograd, autocast, gradient checkpointing and CUDA graphs. Its schema follows from the
    function's signature, and its shapes from the front end, without compiling.

    Parameters
    ----------
    function : JitFunction
        A function decorated with `@ramify.jit`.

    Raises
    ------
    ArgumentTypeError
        If it is none.
    LanguageError
        If it cannot be called with arrays: no query, or a parameter without annotation.

    Examples
    --------
    >>> attend = rf.torch_op(rf.ops.hsa_kernel)
    >>> torch.library.opcheck(attend.overload, (q, k, v, weights, indices), {"scale": 0.1, ...})
    """
    if not isinstance(function, JitFunction):
        raise ArgumentTypeError(
            "torch_op(): expected a function decorated with @ramify.jit, found "
            f"{type(function).__name__}."
        )
    return function.operator


__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "CacheError",
    "CaptureError",
    "CompileError",
    "DeviceError",
    "Error",
    "GradientError",
    "JitFunction",
    "LanguageError",
    "Selection",
    "UnsupportedError",
    "jit",
    "language",
    "ops",
    "torch_op",
]
