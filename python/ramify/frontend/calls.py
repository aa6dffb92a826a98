# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls: functions of the language, of Python on constants, and other jitted functions."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from .. import language
from ..errors import LanguageError
from ..reference.slots import Slots
from . import domains, positions  # noqa: F401, they register handlers
from .access import Access
from .call import Call, bind
from .intrinsics import HANDLERS
from .library import LIBRARY
from .scope import BUILTINS
from .selection import at, keep
from .source import Node
from .values import Constant, FrontValue, Method, Tensor

ARRAY_LIBRARIES = ("numpy", "torch", "jax", "cupy")
"""Libraries whose functions have namesakes in the language."""

PURE_MODULES = ("math",)
"""Modules whose functions are evaluated on constants."""


class Calls(Access):
    """Evaluates calls."""

    def visit_Call(self, node: ast.Call) -> FrontValue:
        callee = self.visit(node.func)
        if isinstance(callee, Method) and isinstance(callee.owner, Tensor):
            return self._slot_call(callee, callee.owner, node)
        if isinstance(callee, Method):
            raise self.error(
                node, f"`{callee.name}` returns nothing", "write it as a statement of its own"
            )
        if not isinstance(callee, Constant) or not callable(callee.value):
            raise self.error(node, f"{callee.describe()} is not a function")
        function = callee.value
        if function in (print, breakpoint):
            raise self.error(
                node, f"`{function.__name__}` has no value", "write it as a statement of its own"
            )
        positional, keywords = self.arguments(node)
        if function in HANDLERS:
            return self._language_call(function, node, positional, keywords)
        if hasattr(function, "__ramify_function__"):
            return self.inline(function, node, positional, keywords)
        if function in LIBRARY:
            return self._library_call(function, node, positional, keywords)
        return self._python_call(function, node, positional, keywords)

    def arguments(self, node: ast.Call) -> tuple[list[FrontValue], dict[str, FrontValue]]:
        """Arguments of a call, evaluated."""
        starred: list[Node] = [a for a in node.args if isinstance(a, ast.Starred)]
        starred += [k for k in node.keywords if k.arg is None]
        if starred:
            raise self.error(
                starred[0], "`*` in a call is not part of the language", "name each argument"
            )
        positional = [self.visit(argument) for argument in node.args]
        keywords = {k.arg: self.visit(k.value) for k in node.keywords if k.arg is not None}
        return positional, keywords

    def _language_call(
        self,
        function: Callable[..., Any],
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        call = self.call(function, f"rl.{function.__name__}", node, positional, keywords)
        with self.at(node):
            return HANDLERS[function](call)

    def _slot_call(self, method: Method, owner: Tensor, node: ast.Call) -> FrontValue:
        """`s.at(slots)` and `slots.keep(mask)`."""
        positional, keywords = self.arguments(node)
        function: Callable[..., Any] = getattr(Slots, method.name)
        arguments, nodes = bind(
            function, method.name, node, self.source, [owner, *positional], keywords, 1
        )
        call = self.make_call(method.name, node, arguments, nodes)
        with self.at(node):
            return at(call) if method.name == "at" else keep(call)

    def _library_call(
        self,
        function: Callable[..., Any],
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        """A function that is written in the language; what does not fit is an error here."""
        try:
            return self.inline(LIBRARY[function], node, positional, keywords)
        except LanguageError as error:
            if error.filename == self.source.filename:
                raise
            message = f"rl.{function.__name__}: {error.message}"
            raise self.error(node, message, error.hint) from None

    def call(
        self,
        function: Callable[..., Any],
        name: str,
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> Call:
        """A call bound to the parameters of a function of the language."""
        arguments, nodes = bind(function, name, node, self.source, positional, keywords)
        return self.make_call(name, node, arguments, nodes)

    def make_call(
        self,
        name: str,
        node: ast.Call,
        arguments: dict[str, FrontValue],
        nodes: dict[str, Node],
    ) -> Call:
        """A call whose arguments are bound."""
        return Call(
            name,
            node,
            arguments,
            nodes,
            self.source,
            self.builder,
            self.specialisation,
            self.as_operand,
            self.loop,
        )

    def _python_call(
        self,
        function: Callable[..., Any],
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        """A function of Python on constants."""
        name = getattr(function, "__name__", repr(function))
        module = getattr(function, "__module__", None)
        known = name in BUILTINS and module == "builtins"
        if not known and module not in PURE_MODULES:
            library = str(module).partition(".")[0] in ARRAY_LIBRARIES
            raise self.error(
                node,
                f"`{name}` is not a function of the language",
                f"write rl.{name}"
                if library and name in language.__all__
                else "decorate it with @ramify.jit, so that it is inlined",
            )
        values = [*positional, *keywords.values()]
        for value, argument in zip(
            values, (*node.args, *(k.value for k in node.keywords)), strict=True
        ):
            if not isinstance(value, Constant):
                near = f"; on arrays there is rl.{name}" if hasattr(language, name) else ""
                raise self.error(
                    argument,
                    f"`{name}` takes constants{near}, found {value.describe()}",
                    f"write rl.{name}" if near else "",
                )
        try:
            plain = [value.value for value in positional if isinstance(value, Constant)]
            named = {k: v.value for k, v in keywords.items() if isinstance(v, Constant)}
            return Constant(function(*plain, **named))
        except Exception as cause:
            raise self.error(node, f"`{name}`: {cause}") from cause

    @abstractmethod
    def inline(
        self,
        function: Any,
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        """A call of another jitted function; statements know how."""
