# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of `ramify.language` that are written in the language, and inlined as a user's are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import language as rl
from .signature import Signature


class Inlined:
    """A function with its signature, as a call of another jitted function needs it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__ramify_function__ = function
        self.signature = Signature(function)


LIBRARY: dict[Callable[..., Any], Inlined] = {
    function: Inlined(function) for function in (rl.softplus, rl.stick_breaking)
}
"""What stands for each of these functions."""
