# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`@ramify.jit`: a function of the language."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .errors import UnsupportedError
from .frontend import Signature
from .reference import context


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


def jit(function: Callable[..., Any]) -> JitFunction:
    """Decorate a function of the language."""
    return JitFunction(function)
