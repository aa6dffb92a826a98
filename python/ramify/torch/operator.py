# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A function of the language as a PyTorch operator.

The dispatcher's keys, from the outside in:

    Autocast   queries, keys, values and landmarks in autocast's dtype
    Autograd   records the backward where a gradient is wanted (gradients.py)
    CPU, CUDA  the compiled function
    Meta       shapes from the front end (shapes.py)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from ..frontend import Role
from ..selection import plain
from .gradients import Gradients
from .library import DEVICES, LIBRARY, define, free_name
from .schema import Schema
from .shapes import fake_results

if TYPE_CHECKING:
    from ..jit import JitFunction

CAST = (Role.QUERY, Role.CHUNKS, Role.LANDMARKS)
"""Roles whose arrays meet in products, and so are cast together."""


class Operator:
    """A function of the language as a PyTorch operator; called as the function is.

    Parameters
    ----------
    function : JitFunction

    Attributes
    ----------
    overload : torch._ops.OpOverload
        `torch.ops.ramify.NAME.default`, which always returns a list.
    """

    def __init__(self, function: JitFunction) -> None:
        self.function = function
        self.schema = Schema(function.signature)
        self.name = free_name(function.signature.name)
        self.overload: Any = define(self.name, f"{self.schema.text()} -> Tensor[]")
        for device in DEVICES:
            LIBRARY.impl(self.name, self._run, device)
        torch.library.register_fake(f"ramify::{self.name}", self._fake, lib=LIBRARY)
        self.gradients = Gradients(self)
        for device in DEVICES:
            casting = _autocast(self, device.lower())
            LIBRARY.impl(self.name, casting, f"Autocast{device}", with_keyset=True)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = tuple(map(plain, args)), {n: plain(x) for n, x in kwargs.items()}
        self.schema.check(args, kwargs)
        results = self.overload(*args, **self.schema.encode(kwargs))
        return results[0] if len(results) == 1 else tuple(results)

    def __reduce__(self) -> tuple[Any, ...]:
        return _of, (self.function,)  # one for each function, wherever it is copied to

    def __repr__(self) -> str:
        return f"<operator ramify::{self.name}{self.schema.text()}>"

    def _run(self, /, *args: Any, **kwargs: Any) -> list[torch.Tensor]:
        given = self.schema.decode(args, kwargs)
        with torch.no_grad():  # recorded further out, if at all
            results = self.function(**given)
        return list(results) if isinstance(results, tuple) else [results]

    def _fake(self, /, *args: Any, **kwargs: Any) -> list[torch.Tensor]:
        return fake_results(self.function.signature, self.schema.decode(args, kwargs))


def _of(function: JitFunction) -> Operator:
    return function.operator


def _autocast(operator: Operator, device: str) -> Callable[..., Any]:
    """The operator's kernel under autocast: casts, then goes on without it."""
    key = getattr(torch._C.DispatchKey, f"Autocast{device.upper()}")
    without = torch._C._dispatch_keyset_full().remove(key)
    cast_names = {p.name for p in operator.function.signature.arrays if p.role in CAST}
    names = operator.schema.positional

    def call(keyset: Any, /, *args: Any, **kwargs: Any) -> Any:
        dtype = torch.get_autocast_dtype(device)
        wanted = [name in cast_names for name in names[: len(args)]]
        args = tuple(cast(a, dtype) if w else a for a, w in zip(args, wanted, strict=True))
        kwargs = {n: cast(v, dtype) if n in cast_names else v for n, v in kwargs.items()}
        with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(key)):
            return operator.overload.redispatch(keyset & without, *args, **kwargs)

    return call


def cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """In autocast's dtype, if its elements are floats."""
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
