# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of an operator, recorded by PyTorch's autograd.

For a function f there are two more operators, which `torch.compile` sees in f's place where a
gradient is wanted:

    f_forward(..., wrt)                       results of f, and what its gradient needs beside them
    f_backward(results, d_outs, ..., wrt)     the gradients by the parameters that `wrt` lists

They run the plans of `JitFunction.derivative`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..errors import GradientError, UnsupportedError
from ..frontend import Result
from .forward_mode import refuse_tangents
from .library import DEVICES, LIBRARY, define
from .shapes import describe, fake_results, fake_saved

if TYPE_CHECKING:
    from .operator import Operator


class Gradients:
    """The operators behind an operator's gradient, and its kernel for the key Autograd."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.function, self.schema = operator.function, operator.schema
        self._results: dict[tuple[Any, ...], tuple[Result, ...]] = {}
        name = operator.name
        wrt = ["str wrt"]
        self.forward = define(f"{name}_forward", f"{self.schema.text(after=wrt)} -> Tensor[]")
        before = ["Tensor[] results", "Tensor?[] d_outs"]
        self.backward = define(f"{name}_backward", f"{self.schema.text(before, wrt)} -> Tensor[]")
        for device in DEVICES:
            LIBRARY.impl(f"{name}_forward", self._run_forward, device)
            LIBRARY.impl(f"{name}_backward", self._run_backward, device)
        fake = {"forward": self._fake_forward, "backward": self._fake_backward}
        for suffix, shapes in fake.items():
            torch.library.register_fake(f"ramify::{name}_{suffix}", shapes, lib=LIBRARY)
            LIBRARY.impl(f"{name}_{suffix}", self._below(suffix), "Autograd", with_keyset=True)
        LIBRARY.impl(name, self._record, "Autograd", with_keyset=True)

    def results(self, given: dict[str, Any]) -> tuple[Result, ...]:
        """The function's results; how many and of what axes only its constants decide."""
        constants = tuple(given.get(p.name) for p in self.function.signature.constants)
        if constants not in self._results:
            lowered, _ = describe(self.function.signature, self.schema.decode((), given))
            self._results[constants] = tuple(lowered.results)
        return self._results[constants]

    def _record(self, keyset: Any, /, *args: Any, **kwargs: Any) -> Any:
        """The operator itself, or its forward operator where a gradient is wanted."""
        given = {**dict(zip(self.schema.positional, args, strict=False)), **kwargs}
        self._refuse_transforms(given)
        if torch.is_grad_enabled():
            wrt = [n for n in self.schema.arrays if given[n].requires_grad]
            if wrt and any(result.dtype != "i32" for result in self.results(given)):
                tensors = {n: x for n, x in given.items() if isinstance(x, torch.Tensor)}
                others = {n: x for n, x in given.items() if n not in tensors}
                outs = Recorded.apply(self, wrt, tuple(tensors), others, *tensors.values())
                return list(outs)
        with torch._C._AutoDispatchBelowAutograd():
            below = keyset & torch._C._after_autograd_keyset
            return self.operator.overload.redispatch(below, *args, **kwargs)

    def _refuse_transforms(self, given: dict[str, Any]) -> None:
        """Refuse tensors whose derivatives PyTorch takes by other ways than its tape."""
        name = self.function.signature.name
        refuse_tangents(name, given.values())
        if any(map(_is_transformed, given.values())):
            raise UnsupportedError(
                f"{name}(): expected plain tensors, found one inside a transform of torch.func, "
                "such as grad or vjp. Take gradients by tensor.backward() or torch.autograd.grad."
            )

    def _below(self, suffix: str) -> Any:
        """The Autograd kernel of the inner operators, which have no gradients themselves."""
        overload = getattr(self, suffix)

        def call(keyset: Any, /, *args: Any, **kwargs: Any) -> Any:
            with torch._C._AutoDispatchBelowAutograd():
                below = keyset & torch._C._after_autograd_keyset
                return overload.redispatch(below, *args, **kwargs)

        return call

    def _run_forward(self, /, *args: Any, wrt: str, **kwargs: Any) -> list[torch.Tensor]:
        given = self.schema.decode(args, kwargs)
        with torch.no_grad():
            outs, saved = self.function.derivative(wrt.split(",")).forward(**given)
        results = list(outs) if isinstance(outs, tuple) else [outs]
        return results + [x for x in saved if all(x is not out for out in results)]

    def _run_backward(
        self, results: list[Any], d_outs: list[Any], /, *args: Any, wrt: str, **kwargs: Any
    ) -> list[torch.Tensor]:
        given = self.schema.decode(args, kwargs)
        derivative = self.function.derivative(wrt.split(","))
        d_outs = [None if x is None else x.contiguous() for x in d_outs]
        with torch.no_grad():
            saved = results
            if self.function.own_gradient is None:  # of one's own: it takes the results
                encoded = {**dict(zip(self.schema.positional, args, strict=False)), **kwargs}
                more = iter(results[len(self.results(encoded)) :])
                kept = derivative.saved_results(**given)
                saved = [results[x] if isinstance(x, int) else next(more) for x in kept]
            found = derivative.backward(saved, d_outs, **given)
        # One of the user's own may return what it was given; an operator may not.
        separate = (x.clone() if any(x is d for d in d_outs) else x for x in found)
        return [whole(x, given[name]) for x, name in zip(separate, derivative.wrt, strict=True)]

    def _fake_forward(self, /, *args: Any, wrt: str, **kwargs: Any) -> list[torch.Tensor]:
        given = self.schema.decode(args, kwargs)
        signature = self.function.signature
        return fake_results(signature, given) + fake_saved(self.function, wrt, given)

    def _fake_backward(
        self, results: list[Any], d_outs: list[Any], /, *args: Any, wrt: str, **kwargs: Any
    ) -> list[torch.Tensor]:
        given = self.schema.decode(args, kwargs)
        return [given[name].new_empty(given[name].shape) for name in wrt.split(",")]


def _is_transformed(value: Any) -> bool:
    functorch = torch._C._functorch
    return isinstance(value, torch.Tensor) and bool(functorch.is_gradtrackingtensor(value))


def whole(gradient: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A gradient of a parameter's first keys, with zeros behind them."""
    if gradient.shape == parameter.shape:
        return gradient
    whole = gradient.new_zeros(parameter.shape)
    whole[tuple(slice(size) for size in gradient.shape)] = gradient
    return whole


class Recorded(torch.autograd.Function):  # type: ignore[misc]
    """A call whose gradient is wanted by the parameters `wrt`."""

    @staticmethod
    def forward(
        ctx: Any,
        gradients: Gradients,
        wrt: list[str],
        names: tuple[str, ...],
        others: dict[str, Any],
        *tensors: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        given = {**others, **dict(zip(names, tensors, strict=True))}
        with torch._C._AutoDispatchBelowAutograd():
            results = gradients.forward(**given, wrt=",".join(wrt))
        ctx.given = gradients, wrt, names, others
        ctx.save_for_backward(*tensors, *results)
        ctx.set_materialize_grads(False)
        outs = results[: len(gradients.results(given))]
        ctx.mark_non_differentiable(*(x for x in outs if not x.is_floating_point()))
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *d_outs: torch.Tensor | None) -> tuple[Any, ...]:
        gradients, wrt, names, others = ctx.given
        saved = ctx.saved_tensors  # read once: checkpointing computes them then
        tensors, results = saved[: len(names)], saved[len(names) :]
        given = {**others, **dict(zip(names, tensors, strict=True))}
        with torch._C._AutoDispatchBelowAutograd():
            found = gradients.backward(list(results), list(d_outs), **given, wrt=",".join(wrt))
        if torch.is_grad_enabled():
            depends = [x for x in (*tensors, *d_outs) if x is not None]
            found = Once.apply(gradients.function.signature.name, len(found), *found, *depends)
        by_name = dict(zip(wrt, found, strict=True))
        return (None, None, None, None, *(by_name.get(name) for name in names))


class Once(torch.autograd.Function):  # type: ignore[misc]
    """Gradients that cannot be differentiated again."""

    @staticmethod
    def forward(ctx: Any, name: str, count: int, *tensors: torch.Tensor) -> Any:
        ctx.name = name
        return tuple(x.view_as(x) for x in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise GradientError(
            f"{ctx.name}(): expected one backward pass through it, found a second one, through the "
            "gradients of the first: these have no gradient. Detach them."
        )
