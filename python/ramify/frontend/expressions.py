# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names, literals and operators: what is constant is evaluated, the rest is emitted."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from . import arithmetic
from .arithmetic import Operand
from .calls import Calls
from .values import Constant, FrontValue, Tuple


class Expressions(Calls):
    """Evaluates every expression of the language."""

    # Names and literals

    def visit_Constant(self, node: ast.Constant) -> FrontValue:
        if isinstance(node.value, complex | bytes) or node.value is Ellipsis:
            raise self.error(node, f"{node.value!r} is not a value of the language")
        return Constant(node.value)

    def visit_Name(self, node: ast.Name) -> FrontValue:
        value = self.scope.find(node.id)
        if value is None:
            return self._external(node)
        if self.loop is not None and self.loop.reduces(node.id, self.scope):
            raise self.error(
                node,
                f"`{node.id}` is read inside the loop that reduces into it",
                "chunks are visited in any order, so its value exists only after the loop; use a "
                "second loop, or rl.online_softmax for what needs a running maximum",
            )
        return value

    def _external(self, node: ast.Name) -> FrontValue:
        line = self.scope.line_where_ended(node.id)
        if line is not None:
            raise self.error(
                node,
                f"`{node.id}` exists only inside the loop of line {line}",
                "carry it out by a reduction: `out = rl.zeros(q, v)` before the loop, `out += x` "
                "inside",
            )
        found = self.scope.external(node.id)
        if found is None:
            raise self.error(node, f"`{node.id}` is not defined", self._similar(node.id))
        return self.from_outside(found.value, node, f"`{node.id}`")

    def _similar(self, name: str) -> str:
        matches = difflib.get_close_matches(name, self.scope.visible(), n=1)
        return f"did you mean `{matches[0]}`?" if matches else "assign it before this line"

    def visit_Tuple(self, node: ast.Tuple) -> FrontValue:
        items = tuple(self.visit(item) for item in node.elts)
        if all(isinstance(item, Constant) for item in items):
            return Constant(tuple(item.value for item in items if isinstance(item, Constant)))
        return Tuple(items)

    def visit_List(self, node: ast.List) -> FrontValue:
        hint = "a tuple holds arrays: `(a, b)`"
        return Constant([self.constant(item, "an element of a list", hint) for item in node.elts])

    def visit_JoinedStr(self, node: ast.JoinedStr) -> FrontValue:
        raise self.error(node, "f-strings are for print(...) only")

    # Operators

    def visit_BinOp(self, node: ast.BinOp) -> FrontValue:
        if isinstance(node.op, ast.MatMult):
            raise self.error(
                node, "`@` does not say by name what it contracts", "write `rl.dot(a, b)`"
            )
        left, right = self.operand(node.left), self.operand(node.right)
        with self.at(node):
            return arithmetic.binary(self.builder, node.op, left, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> FrontValue:
        value = self.operand(node.operand)
        with self.at(node):
            return arithmetic.unary(self.builder, node.op, value)

    def visit_Compare(self, node: ast.Compare) -> FrontValue:
        operands = [self.operand(part) for part in (node.left, *node.comparators)]
        if len(node.ops) > 1 and not all(isinstance(value, Constant) for value in operands):
            raise self.error(
                node,
                "a chained comparison of arrays has no single truth value",
                "write `(a <= b) & (b <= c)`",
            )
        result: Operand = Constant(True)
        with self.at(node):
            for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
                result = arithmetic.compare(self.builder, op, left, right)
                if isinstance(result, Constant) and not result.value:
                    break
        return result

    def visit_BoolOp(self, node: ast.BoolOp) -> FrontValue:
        word, sign = ("and", "&") if isinstance(node.op, ast.And) else ("or", "|")
        value: Any = None
        for part in node.values:
            value = self.constant(part, f"an operand of `{word}`", f"join conditions with `{sign}`")
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return Constant(value)

    def visit_IfExp(self, node: ast.IfExp) -> FrontValue:
        hint = "write rl.where(condition, a, b)"
        chosen = node.body if self.constant(node.test, "the condition", hint) else node.orelse
        return self.visit(chosen)
