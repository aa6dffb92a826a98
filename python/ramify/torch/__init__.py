# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of the language as PyTorch operators.

Imported by `ramify.torch_op`, and where a call with tensors needs it: a program without PyTorch
never loads it.
"""

from __future__ import annotations

import torch

from ..jit import functions
from .operator import Operator

__all__ = ["Operator", "make_operator"]


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator, unused-ignore]
def make_operator(number: int) -> None:
    """Give a function its operator, if it has none; `torch.compile` calls this while it traces.

    Parameters
    ----------
    number : int
        The function's in `jit.functions`: not all of PyTorch's versions hand on an object.

    Raises
    ------
    LanguageError
        If it cannot be called with arrays: no query, or a parameter without annotation.
    """
    function = functions[number]
    if function._operator is None:
        function.signature.check_entry()
        function._operator = Operator(function)
