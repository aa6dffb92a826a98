# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Forward-mode differentiation, which functions of the language do not have.

A tensor may carry a tangent (`torch.autograd.forward_ad`, `torch.func.jvp`); a result without one
would count as constant, so such tensors are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.autograd import forward_ad

from ..errors import GradientError


def refuse_tangents(name: str, values: Iterable[Any]) -> None:
    """Refuse tensors that carry a tangent.

    Raises
    ------
    GradientError
        With the name of the function.
    """
    if forward_ad._current_level < 0:
        return
    for value in values:
        if isinstance(value, torch.Tensor) and forward_ad.unpack_dual(value).tangent is not None:
            raise GradientError(
                f"{name}(): expected tensors without tangents, found one of forward-mode "
                "differentiation (torch.func.jvp, torch.autograd.forward_ad), which the compiler "
                "does not derive. Take gradients by tensor.backward() or torch.autograd.grad."
            )
