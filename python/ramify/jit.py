# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`@ramify.jit`: a function of the language."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .errors import UnsupportedError
from .frontend import Lowered, Signature, Specialisation, lower
from .reference import context
from .reference.run import run


class JitFunction:
    """A function decorated with `@ramify.jit`.

    Parameters
    ----------
    function : callable
        The Python function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__ramify_function__ = function
        self.signature = Signature(function)
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if context.is_active():
            return self.__ramify_function__(*args, **kwargs)
        raise UnsupportedError(f"`{self.signature.name}`: only `.reference(...)` runs so far")

    def lower(self, specialisation: Specialisation) -> Lowered:
        """Translate to the `hsa` dialect for one specialisation."""
        return lower(self.signature, specialisation)

    def reference(self, *args: Any, **kwargs: Any) -> Any:
        """Execute the source itself in NumPy float64; see `ramify.reference.run`."""
        return run(self.signature, args, kwargs)


def jit(function: Callable[..., Any]) -> JitFunction:
    """Decorate a function of the language."""
    return JitFunction(function)
