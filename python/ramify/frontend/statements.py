# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Statements of one function call, inlined calls included."""

from __future__ import annotations

import ast
import itertools
from typing import Any

from . import arithmetic
from .call import bind
from .ir import Block, Value
from .loops import Loop, monoid_update, reduced_names
from .reductions import LOOP_RULE, Reductions
from .scope import Scope
from .signature import Role, Signature
from .source import Node
from .values import (
    Array,
    Chunk,
    Constant,
    Domain,
    FrontValue,
    Method,
    Slot,
    Softmax,
    Tensor,
    Tuple,
)

MAX_UNROLLED = 1024
"""Iterations of a constant loop; each is compiled by itself."""


class Statements(Reductions):
    """Compiles the body of a function; `returned` is what it returns, once it has."""

    returned: FrontValue | None = None
    return_node: ast.Return | None = None
    calls: tuple[object, ...] = ()
    """Functions whose inlining is under way, outermost first."""

    def run(self, body: list[ast.stmt]) -> None:
        """Compile statements until one returns."""
        for node in body:
            if self.returned is not None:
                return
            method = getattr(self, f"run_{type(node).__name__}", None)
            if method is None:
                form, hint = _FORMS.get(type(node), (f"`{type(node).__name__}`", ""))
                if isinstance(node, ast.Break | ast.Continue) and self.loop is None:
                    hint = "a loop over constants is unrolled: write `if`, or a shorter range"
                raise self.error(node, f"{form} is not part of the language", hint)
            method(node)

    # Simple statements

    def run_Pass(self, node: ast.Pass) -> None:
        pass

    def run_Expr(self, node: ast.Expr) -> None:
        value = node.value
        if isinstance(value, ast.Constant) and (isinstance(value.value, str) or value.value is ...):
            return
        if isinstance(value, ast.Call):
            callee = self.visit(value.func)
            if isinstance(callee, Constant) and callee.value in (print, breakpoint):
                return
            if isinstance(callee, Method) and isinstance(callee.owner, Softmax):
                self._reduce_softmax(callee, value)
                return
        self.visit(value)

    def run_Assert(self, node: ast.Assert) -> None:
        if not self.constant(
            node.test, "an assertion", "check constants; arrays have no truth value"
        ):
            shown = f": {self.constant(node.msg, 'the message')}" if node.msg else ""
            raise self.error(node.test, f"assertion failed{shown}")

    def run_Return(self, node: ast.Return) -> None:
        if self.loop is not None and self.loop.scope is self.scope:
            raise self.error(node, "`return` inside a loop over chunks", "return after the loop")
        if node.value is None:
            raise self.error(node, "a function returns arrays", "`return out`")
        self.returned, self.return_node = self.visit(node.value), node

    # Assignment

    def run_Assign(self, node: ast.Assign) -> None:
        update = monoid_update(node)
        if update is not None and self._is_reduced(update[0]):
            assert isinstance(update[1], ast.Call)
            self._reduce_extremum(update[0], update[1], node)
            return
        value = self.visit(node.value)
        for target in node.targets:
            self.assign(target, value, node)

    def run_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            raise self.error(node, "a declaration without a value", "assign a value")
        self.assign(node.target, self.visit(node.value), node)

    def run_AugAssign(self, node: ast.AugAssign) -> None:
        name = node.target.id if isinstance(node.target, ast.Name) else ""
        if not name:
            raise self.error(node.target, "only names are assigned", "`out += x`")
        if self._is_reduced(name):
            self._reduce_sum(name, node)
            return
        self._check_not_outer(name, node)
        left = self.operand(ast.copy_location(ast.Name(name, ast.Load()), node.target))
        right = self.operand(node.value)
        with self.at(node):
            result = arithmetic.binary(self.builder, node.op, left, right)
        self.assign(node.target, result, node)

    def assign(self, target: ast.expr, value: FrontValue, node: Node) -> None:
        """Give a name, or several, a value."""
        if isinstance(target, ast.Tuple | ast.List):
            self._unpack(target, value, node)
            return
        if not isinstance(target, ast.Name):
            raise self.error(target, "only names are assigned", "`x = ...`")
        self._check_not_outer(target.id, target)
        if isinstance(value, Tensor | Domain) and not value.ssa.hint:
            value.ssa.hint = target.id
        if isinstance(value, Softmax) and not value.state.hint:
            value.state.hint = target.id
        self.scope.names[target.id] = value

    def _unpack(self, target: ast.Tuple | ast.List, value: FrontValue, node: Node) -> None:
        items: list[FrontValue] = []
        if isinstance(value, Tuple):
            items = list(value.items)
        elif isinstance(value, Constant) and isinstance(value.value, tuple | list):
            items = [Constant(item) for item in value.value]
        else:
            raise self.error(
                target, f"expected {len(target.elts)} values, found {value.describe()}"
            )
        starred = [part for part in target.elts if isinstance(part, ast.Starred)]
        if starred:
            raise self.error(starred[0], "`*` in an assignment is not part of the language")
        if len(items) != len(target.elts):
            raise self.error(target, f"expected {len(target.elts)} values, found {len(items)}")
        for part, item in zip(target.elts, items, strict=True):
            self.assign(part, item, node)

    def _check_not_outer(self, name: str, node: Node) -> None:
        """In the body of a loop, names from before the loop are not assigned."""
        outer = self._outer()
        if outer is not None and outer.find(name) is not None:
            raise self.error(
                node, f"`{name}` is assigned inside the loop but lives before it", LOOP_RULE
            )

    def _outer(self) -> Scope | None:
        """The scope around the loop whose body is being compiled."""
        if self.loop is None or self.loop.scope is not self.scope:
            return None
        return self.scope.outer

    # Control flow

    def run_If(self, node: ast.If) -> None:
        hint = "choose between arrays with rl.where(condition, a, b)"
        self.run(node.body if self.constant(node.test, "the condition", hint) else node.orelse)

    def run_For(self, node: ast.For) -> None:
        if node.orelse:
            raise self.error(node.orelse[0], "`else` of a loop is not part of the language")
        over = self.visit(node.iter)
        if isinstance(over, Domain):
            self._visit_chunks(over, node)
        elif isinstance(over, Constant):
            self._unroll(over.value, node)
        else:
            hint = "`for slot, c in rl.selected(indices)` or `for c in rl.window(k, last=W)`"
            raise self.error(
                node.iter, f"expected a domain of chunks, found {over.describe()}", hint
            )

    def _unroll(self, values: Any, node: ast.For) -> None:
        try:
            items = list(itertools.islice(iter(values), MAX_UNROLLED + 1))
        except TypeError:
            raise self.error(node.iter, f"{values!r} cannot be iterated over", "range(n)") from None
        if len(items) > MAX_UNROLLED:
            raise self.error(
                node.iter, f"a loop over constants is unrolled, at most {MAX_UNROLLED} times"
            )
        for item in items:
            self.assign(node.target, Constant(item), node.target)
            self.run(node.body)

    def _visit_chunks(self, domain: Domain, node: ast.For) -> None:
        if self.loop is not None:
            raise self.error(
                node, "a loop over chunks inside a loop over chunks", "write one after the other"
            )
        slot, chunk = self._loop_values(domain, node)
        inner = Scope(self.scope.function, self.scope)
        outer_block, outer_scope = self.builder.block, self.scope
        loop = Loop(domain, node, inner, reduced_names(node, outer_scope), chunk, slot)
        self._check_constant_accumulators(node)
        self.loop, self.scope = loop, inner
        self.builder.block, self.builder.chunk = Block(), chunk.ssa
        self._bind_loop_names(node, slot, chunk)
        self.run(node.body)
        if not loop.tensors and not loop.softmaxes:
            raise self.error(node, "the loop reduces into nothing", LOOP_RULE)
        with self.at(node):
            loop.finish(self.builder, outer_block)
        self.loop, self.scope = None, outer_scope
        self.builder.block, self.builder.chunk = outer_block, None
        outer_scope.ended.update(dict.fromkeys(inner.names, node.lineno))

    def _loop_values(self, domain: Domain, node: ast.For) -> tuple[Slot | None, Chunk]:
        partition, indices = domain.partition, domain.indices
        target = node.target
        pair = isinstance(target, ast.Tuple) and len(target.elts) == 2
        if indices is not None and not pair:
            raise self.error(target, "rl.selected gives a slot and a chunk", "`for slot, c in ...`")
        if indices is None and not isinstance(target, ast.Name):
            raise self.error(target, "a range of keys gives chunks without slots", "`for c in ...`")
        chunk = Chunk(Value(f'!hsa.chunk_id<"{partition}">', "c"), partition)
        if indices is None:
            return None, chunk
        return Slot(Value(f'!hsa.slot<"{indices}">', "slot"), indices, domain.count), chunk

    def _bind_loop_names(self, node: ast.For, slot: Slot | None, chunk: Chunk) -> None:
        targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
        values: list[Slot | Chunk] = [chunk] if slot is None else [slot, chunk]
        for target, value in zip(targets, values, strict=True):
            self.assign(target, value, target)
            value.ssa.hint = target.id if isinstance(target, ast.Name) else value.ssa.hint

    def _check_constant_accumulators(self, node: ast.For) -> None:
        """`total = 0` before a loop and `total += x` inside names no axes."""
        for statement in ast.walk(node):
            update = monoid_update(statement) if isinstance(statement, ast.stmt) else None
            if update is not None and isinstance(self.scope.find(update[0]), Constant):
                assert isinstance(statement, ast.stmt)
                raise self.error(
                    statement,
                    f"`{update[0]}` is a constant, which has no axes to reduce into",
                    "start from rl.zeros(q, v) or rl.zeros(q)",
                )

    # Calls of other functions

    def inline(
        self,
        function: Any,
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        python = function.__ramify_function__
        if python in self.calls:
            raise self.error(node, f"`{python.__name__}` calls itself", "recursion has no end here")
        signature: Signature = function.signature
        name = python.__name__
        arguments, nodes = bind(python, name, node, self.source, positional, keywords)
        self._check_arguments(signature, arguments, nodes, node)
        caller = self.source.location(node, self.caller)
        scope = Scope(python, names=dict(arguments))
        inner = type(self)(signature.source, scope, self.builder, self.specialisation, caller)
        inner.calls = (*self.calls, python)
        inner.loop = self.loop
        inner.run(signature.source.tree.body)
        return Constant(None) if inner.returned is None else inner.returned

    def _check_arguments(
        self,
        signature: Signature,
        arguments: dict[str, FrontValue],
        nodes: dict[str, Node],
        node: ast.Call,
    ) -> None:
        for parameter in signature.parameters.values():
            value = arguments[parameter.name]
            at = nodes.get(parameter.name, node)
            role = parameter.role
            what = f"`{parameter.name}` of {signature.name} expects"
            if role is Role.CONSTEXPR and not isinstance(value, Constant):
                raise self.error(at, f"{what} a constant, found {value.describe()}")
            if role.is_scalar and not _is_scalar(value):
                raise self.error(at, f"{what} a scalar, found {value.describe()}")
            computed = role in _COMPUTED and isinstance(value, Tensor)
            same = isinstance(value, Array) and value.parameter.role is role
            if role.is_array and not same and not computed:
                raise self.error(
                    at, f"{what} a parameter of role {role.value}, found {value.describe()}"
                )


_COMPUTED = (Role.QUERY, Role.TENSOR, Role.INDICES, Role.WEIGHTS)
"""Roles in which a function that is called takes what its caller computed."""


def _is_scalar(value: FrontValue) -> bool:
    if isinstance(value, Tensor):
        return not value.type.axes
    return isinstance(value, Constant) and isinstance(value.value, int | float)


_FORMS: dict[type[ast.stmt], tuple[str, str]] = {
    ast.While: ("`while`", "write `for i in range(n)` with a constant n, or a loop over a domain"),
    ast.Break: ("`break`", "exclude what does not count with rl.where(condition, s, -rl.inf)"),
    ast.Continue: (
        "`continue`",
        "exclude what does not count with rl.where(condition, s, -rl.inf)",
    ),
    ast.FunctionDef: (
        "a function inside a function",
        "define it outside, decorated with @ramify.jit",
    ),
    ast.ClassDef: ("a class", ""),
    ast.With: ("`with`", ""),
    ast.Try: ("`try`", ""),
    ast.Raise: ("`raise`", "check constants with `assert`"),
    ast.Import: ("`import`", "import at the top of the file"),
    ast.ImportFrom: ("`import`", "import at the top of the file"),
    ast.Global: ("`global`", "return values"),
    ast.Nonlocal: ("`nonlocal`", "return values"),
    ast.Delete: ("`del`", ""),
    ast.Match: ("`match`", "write `if` on constants"),
}
