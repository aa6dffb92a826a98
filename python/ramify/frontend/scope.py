# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names: those a function has assigned, and those that it sees from outside."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .captures import free_names
from .values import Constant, FrontValue

BUILTINS = frozenset(
    {"abs", "bool", "enumerate", "float", "int", "len", "max", "min", "print", "range", "round"}
    | {"breakpoint", "reversed", "sum", "tuple", "zip", "isinstance", "True", "False", "None"}
)
"""Python's own functions that may be used, on constants only."""


@dataclass
class Scope:
    """The names of one function call, or of one body of a loop inside it."""

    function: Callable[..., Any]
    outer: Scope | None = None
    names: dict[str, FrontValue] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    """Names that a loop assigned and took with it, and the loop's line."""

    def find(self, name: str) -> FrontValue | None:
        """A name assigned so far, None if there is none."""
        if name in self.names:
            return self.names[name]
        return self.outer.find(name) if self.outer else None

    def line_where_ended(self, name: str) -> int | None:
        """The line of the loop that a name ended with."""
        if name in self.ended:
            return self.ended[name]
        return self.outer.line_where_ended(name) if self.outer else None

    def external(self, name: str) -> Constant | None:
        """A name from the closure, the module, or Python's builtins; None if there is none."""
        free = free_names(self.function)
        if name in free:
            return Constant(free[name])
        if name in BUILTINS:
            return Constant(getattr(builtins, name))
        return None

    def visible(self) -> list[str]:
        """Every name that could have been meant."""
        names = list(self.names)
        names += self.outer.visible() if self.outer else list(self.function.__globals__)
        return names
