# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of an operator, recorded by PyTorch's autograd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..errors import GradientError

if TYPE_CHECKING:
    from .operator import Operator


def register_gradients(operator: Operator, library: torch.library.Library) -> None:
    """Give the operator its kernel for the key Autograd."""

    def call(keyset: Any, *args: Any, **kwargs: Any) -> Any:
        tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)]
        if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
            raise GradientError(
                f"{operator.function.signature.name}(): expected tensors without gradients, found "
                "one that requires grad while gradients are recorded; this function has no "
                "backward yet. Call it under torch.no_grad(), or with x.detach()."
            )
        with torch._C._AutoDispatchBelowAutograd():
            below = keyset & torch._C._after_autograd_keyset
            return operator.overload.redispatch(below, *args, **kwargs)

    library.impl(operator.name, call, "Autograd", with_keyset=True)
