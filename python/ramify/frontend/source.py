# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The source of a Python function: its syntax tree, and errors and locations that point into it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import LanguageError

Node: TypeAlias = "ast.expr | ast.stmt | ast.arg | ast.keyword"


@dataclass(frozen=True)
class Location:
    """A place in a file, and the call through which the compiler came there, if any."""

    filename: str
    line: int
    column: int
    caller: Location | None = None

    def __str__(self) -> str:
        escaped = self.filename.replace("\\", "\\\\").replace('"', '\\"')
        place = f'"{escaped}":{self.line}:{self.column}'
        return f"callsite({place} at {self.caller})" if self.caller else place


@dataclass(frozen=True)
class Source:
    """A function's text. Lines count from 1 in the file; `lines[0]` is line `first_line`."""

    filename: str
    first_line: int
    lines: tuple[str, ...]
    tree: ast.FunctionDef

    def line(self, number: int) -> str:
        """The text of one line of the file, as far as the function reaches."""
        index = number - self.first_line
        return self.lines[index].rstrip("\n") if 0 <= index < len(self.lines) else ""

    def column(self, line: int, offset: int) -> int:
        """Column of a UTF-8 offset as the parser counts, in characters from 1."""
        return len(self.line(line).encode()[:offset].decode(errors="ignore")) + 1

    def location(self, node: Node, caller: Location | None = None) -> Location:
        """Where a node begins."""
        return Location(
            self.filename, node.lineno, self.column(node.lineno, node.col_offset), caller
        )

    def error(self, node: Node, message: str, hint: str = "") -> LanguageError:
        """An error whose carets are below the node."""
        text = self.line(node.lineno)
        end = len(text) + 1
        if node.end_lineno == node.lineno and node.end_col_offset is not None:
            end = self.column(node.lineno, node.end_col_offset)
        return LanguageError(
            message,
            filename=self.filename,
            line=node.lineno,
            column=self.column(node.lineno, node.col_offset),
            text=text,
            end_column=end,
            hint=hint,
        )

    def parameter(self, name: str) -> ast.arg:
        """The node of a parameter."""
        arguments = self.tree.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
        return next(node for node in every if node.arg == name)


def read_whole(tree: ast.FunctionDef) -> set[str]:
    """Names that a function reads otherwise than as `x[...]` or `f(x)`.

    What is passed on to another function is that function's affair, but for what the language
    itself computes: `s.at(x)` and functions that are not `selected`.
    """
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            parts.add(node.value)
        elif isinstance(node, ast.Call) and not _computes(node.func):
            parts.update([*node.args, *(k.value for k in node.keywords)])
    names = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and n not in parts)
    return {name.id for name in names}


def _computes(function: ast.expr) -> bool:
    """Whether a function may belong to the language and compute with whole rows."""
    return isinstance(function, ast.Attribute) and function.attr != "selected"


def load(function: Callable[..., Any]) -> Source:
    """Read and parse the source of a function.

    Raises
    ------
    LanguageError
        If it has none (typed at a prompt), or is a lambda.
    """
    name = getattr(function, "__qualname__", repr(function))
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError) as cause:
        raise LanguageError(
            f"the source of {name} cannot be read",
            hint="define it with `def` in a file or a notebook cell",
        ) from cause
    tree = _parse("".join(lines), first)
    if not isinstance(tree, ast.FunctionDef) or tree.name != function.__name__:
        raise LanguageError(
            f"{name} is not defined by a `def` statement",
            filename=inspect.getsourcefile(function) or "<unknown>",
            line=first,
            column=1,
            text=lines[0],
            hint="define it with `def`",
        )
    return Source(inspect.getsourcefile(function) or "<unknown>", first, tuple(lines), tree)


def _parse(text: str, first_line: int) -> ast.stmt | None:
    """The first statement of the text, its line numbers those of the file, its columns kept."""
    indented = text[:1] in " \t"
    try:
        tree = ast.parse(f"if True:\n{text}" if indented else text)
    except SyntaxError:
        return None
    statement = tree.body[0]
    if indented and isinstance(statement, ast.If):
        statement = statement.body[0]
    ast.increment_lineno(statement, first_line - (2 if indented else 1))
    return statement
