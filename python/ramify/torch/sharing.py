# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of calls that share a `Selection`, recorded by PyTorch's autograd.

An operator takes tensors, and so the indices alone. A call that runs at once keeps the selection
for its backward run, which then needs no index of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from ..derivative import differentiable
from ..selection import plain
from .gradients import Once, whole
from .operator import CAST, cast

if TYPE_CHECKING:
    from ..derivative import Derivative
    from ..jit import JitFunction


def record(function: JitFunction, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The results of a call of which autograd records the gradient; None if none is wanted.

    Parameters
    ----------
    function : JitFunction
    args, kwargs
        The call's arguments, a `Selection` among them.
    """
    signature = function.signature
    given = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
    tensors = {n: x for n, x in given.items() if isinstance(x, torch.Tensor)}
    wrt = tuple(n for n in differentiable(signature) if n in tensors and tensors[n].requires_grad)
    if not wrt or len(args) > len(signature.parameters):
        return None
    if any(_is_traced(plain(x)) for x in given.values()):
        return function.operator(*args, **kwargs)
    device = tensors[signature.query.name].device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        roles = {p.name for p in signature.arrays if p.role in CAST}
        tensors |= {n: cast(tensors[n], dtype) for n in roles & tensors.keys()}
    others = {n: x for n, x in given.items() if n not in tensors}
    derivative = function.derivative(wrt)
    outs = Shared.apply(derivative, tuple(tensors), others, *tensors.values())
    return outs[0] if len(outs) == 1 else outs


def _is_traced(value: Any) -> bool:
    """Whether PyTorch only looks at what would be done."""
    return isinstance(value, torch.Tensor) and (
        type(value) not in (torch.Tensor, torch.nn.Parameter) or value.device.type == "meta"
    )


class Shared(torch.autograd.Function):  # type: ignore[misc]
    """A call with a `Selection`, among `others`, whose gradient is wanted."""

    @staticmethod
    def forward(
        ctx: Any,
        derivative: Derivative,
        names: tuple[str, ...],
        others: dict[str, Any],
        *tensors: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        given = {**others, **dict(zip(names, tensors, strict=True))}
        outs, saved = derivative.forward(**given)
        outs = outs if isinstance(outs, tuple) else (outs,)
        ctx.given = derivative, names, others
        ctx.save_for_backward(*tensors, *saved)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(x for x in outs if not x.is_floating_point()))
        return outs

    @staticmethod
    def backward(ctx: Any, *d_outs: torch.Tensor | None) -> tuple[Any, ...]:
        derivative, names, others = ctx.given
        kept = ctx.saved_tensors  # read once: checkpointing computes them then
        tensors, saved = kept[: len(names)], kept[len(names) :]
        given = {**others, **dict(zip(names, tensors, strict=True))}
        dense = tuple(None if x is None else x.contiguous() for x in d_outs)
        with torch.no_grad():
            found = derivative.backward(saved, dense, **given)
        found = [whole(x, given[n]) for x, n in zip(found, derivative.wrt, strict=True)]
        if torch.is_grad_enabled():
            depends = [x for x in (*tensors, *d_outs) if x is not None]
            name = derivative.function.signature.name
            found = Once.apply(name, len(found), *found, *depends)
        by_name = dict(zip(derivative.wrt, found, strict=True))
        return (None, None, None, *(by_name.get(name) for name in names))
