# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What every visitor of the front end has: the scope, the builder, errors and locations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import LanguageError
from .arithmetic import MismatchError
from .builder import Builder
from .loops import Loop
from .scope import Scope
from .source import Location, Node, Source
from .specialisation import Specialisation
from .values import Constant, FrontValue


class Visitor:
    """Evaluates expressions of one function call in its scope: one method for each kind of node."""

    def __init__(
        self,
        source: Source,
        scope: Scope,
        builder: Builder,
        specialisation: Specialisation,
        caller: Location | None = None,
    ) -> None:
        self.source = source
        self.scope = scope
        self.builder = builder
        self.specialisation = specialisation
        self.caller = caller
        self.loop: Loop | None = None

    def error(self, node: Node, message: str, hint: str = "") -> LanguageError:
        """An error at a node."""
        return self.source.error(node, message, hint)

    @contextmanager
    def at(self, node: Node) -> Iterator[None]:
        """Operations emitted inside belong to the node; a mismatch there is an error there."""
        before = self.builder.location
        self.builder.location = self.source.location(node, self.caller)
        try:
            yield
        except MismatchError as mismatch:
            raise self.error(node, str(mismatch), mismatch.hint) from None
        finally:
            self.builder.location = before

    def visit(self, node: ast.expr) -> FrontValue:
        """The value of an expression."""
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None:
            form = _FORMS.get(type(node), type(node).__name__)
            raise self.error(
                node, f"{form} are not part of the language", _HINTS.get(type(node), "")
            )
        value: FrontValue = method(node)
        return value

    def constant(self, node: ast.expr, what: str, hint: str = "") -> Any:
        """The value of an expression that has to be known now."""
        value = self.visit(node)
        if not isinstance(value, Constant):
            raise self.error(
                node,
                f"{what} has to be known when the function is compiled, found {value.describe()}",
                hint,
            )
        return value.value


_FORMS: dict[type[ast.expr], str] = {
    ast.ListComp: "comprehensions",
    ast.SetComp: "comprehensions",
    ast.DictComp: "comprehensions",
    ast.GeneratorExp: "generator expressions",
    ast.Lambda: "lambdas",
    ast.Dict: "dictionaries",
    ast.Set: "sets",
    ast.Await: "await expressions",
    ast.Yield: "yield expressions",
    ast.NamedExpr: "assignments inside expressions",
    ast.Starred: "starred expressions",
    ast.Slice: "slices",
}
_HINTS: dict[type[ast.expr], str] = {
    ast.Slice: "use a domain, or rl.where",
    ast.Lambda: "write a function decorated with @ramify.jit",
    ast.NamedExpr: "assign on a line of its own",
    ast.ListComp: "write a `for` loop over a constant range; it is unrolled",
    ast.GeneratorExp: "write a `for` loop over a constant range; it is unrolled",
}
