# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One call of a function of the language: its arguments by name, and errors that point at them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import LanguageError
from .arithmetic import Operand
from .builder import Builder
from .ir import TensorType
from .signature import Role
from .source import Node, Source
from .specialisation import Specialisation
from .values import Array, Chunk, Constant, FrontValue, Tensor

Kind = TypeVar("Kind")


@dataclass
class Call:
    """A call under way. `arguments` has every parameter, defaults too."""

    name: str
    node: ast.Call
    arguments: dict[str, FrontValue]
    nodes: dict[str, Node]
    source: Source
    builder: Builder
    specialisation: Specialisation
    to_operand: Callable[[FrontValue, Node], Operand]
    loop: object = None

    def error(self, message: str, hint: str = "", at: str | None = None) -> LanguageError:
        """An error at an argument, or at the call."""
        node = self.nodes.get(at, self.node) if at else self.node
        return self.source.error(node, f"{self.name}: {message}", hint)

    def expect(self, name: str, kind: type[Kind], what: str, hint: str = "") -> Kind:
        """An argument that has to be of one kind of value."""
        value = self.arguments[name]
        if not isinstance(value, kind):
            raise self.error(f"`{name}` expects {what}, found {value.describe()}", hint, name)
        return value

    def operand(self, name: str) -> Operand:
        """An argument that is a number or an array."""
        return self.to_operand(self.arguments[name], self.nodes.get(name, self.node))

    def array(self, name: str) -> Tensor:
        """An argument with axes."""
        value = self.operand(name)
        if not isinstance(value, Tensor) or not value.type.axes:
            raise self.error(
                f"`{name}` expects an array with axes, found {value.describe()}", "", name
            )
        return value

    def floats(self, name: str) -> Tensor:
        """An argument with axes, as f32."""
        value = self.array(name)
        if value.type.element == "i1":
            raise self.error(
                f"`{name}` expects numbers, found a condition",
                "rl.where(condition, 1.0, 0.0)",
                name,
            )
        return self.builder.to_f32(value)

    def constant(self, name: str, kinds: tuple[type, ...], what: str) -> Any:
        """An argument known now."""
        value = self.arguments[name]
        if not isinstance(value, Constant):
            raise self.error(
                f"`{name}` expects {what} known when the function is compiled, found "
                f"{value.describe()}",
                "annotate the parameter rl.constexpr",
                name,
            )
        if not isinstance(value.value, kinds) or (
            isinstance(value.value, bool) and bool not in kinds
        ):
            raise self.error(f"`{name}` expects {what}, found {value.value!r}", "", name)
        return value.value

    def integer(self, name: str) -> Tensor:
        """An integer, constant or known when the kernel runs, as an i32 scalar."""
        value = self.operand(name)
        if isinstance(value, Constant) and type(value.value) is int:
            if not 0 <= value.value < 2**31:
                raise self.error(f"`{name}` expects 0 to 2**31 - 1, found {value.value}", "", name)
            return self.builder.constant(value.value, TensorType("i32"))
        if not isinstance(value, Tensor) or value.type != TensorType("i32"):
            raise self.error(
                f"`{name}` expects an integer, found {value.describe()}",
                "a constant, or a parameter annotated int",
                name,
            )
        return value

    def parameter(self, name: str, *roles: Role) -> Array:
        """An argument that is an array parameter of one of the roles."""
        wanted = " or ".join(f"a parameter of role {role.value}" for role in roles)
        value = self.expect(name, Array, wanted)
        if value.parameter.role not in roles:
            raise self.error(f"`{name}` expects {wanted}, found {value.describe()}", "", name)
        return value

    def chunk(self, name: str) -> Chunk:
        """An argument that is the chunk of a loop."""
        return self.expect(
            name, Chunk, "the chunk of a loop", "`for slot, c in rl.selected(indices)`"
        )


def bind(
    function: Callable[..., Any],
    name: str,
    node: ast.Call,
    source: Source,
    positional: list[FrontValue],
    keywords: dict[str, FrontValue],
    bound_first: int = 0,
) -> tuple[dict[str, FrontValue], dict[str, Node]]:
    """Arguments of a call by the names of the function's parameters, and their nodes.

    The first `bound_first` positional arguments do not stand in the source, as a method's `self`.

    Raises
    ------
    LanguageError
        If arguments are missing, too many, or unknown.
    """
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*positional, **keywords)
    except TypeError as cause:
        parameters = ", ".join(
            str(p.replace(annotation=p.empty)) for p in signature.parameters.values()
        )
        raise source.error(
            node, f"{name}: {cause}", f"its form is `{name}({parameters})`"
        ) from cause
    nodes: dict[str, Node] = {k.arg: k.value for k in node.keywords if k.arg is not None}
    nodes.update(zip(list(signature.parameters)[bound_first:], node.args, strict=False))
    arguments: dict[str, FrontValue] = {}
    for parameter in signature.parameters.values():
        if parameter.name in bound.arguments:
            arguments[parameter.name] = bound.arguments[parameter.name]
        else:
            arguments[parameter.name] = Constant(parameter.default)
    return arguments, nodes
