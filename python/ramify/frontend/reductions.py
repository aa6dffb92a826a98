# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Contributions to the accumulators of a loop, and to an online softmax outside of one."""

from __future__ import annotations

import ast

from .. import language
from ..language import OnlineSoftmax
from . import arithmetic
from .arithmetic import MismatchError, Operand
from .call import Call, bind
from .expressions import Expressions
from .ir import TensorType, sort_axes
from .values import Constant, Method, Softmax, Tensor

LOOP_RULE = (
    "chunks are visited in any order, so a loop carries values only by `out += x`, "
    "`out = rl.maximum(out, x)`, `acc.merge(scores, values)` and `acc.push(logit, value)`"
)


class Reductions(Expressions):
    """Collects what the body of a loop over chunks contributes."""

    def _is_reduced(self, name: str) -> bool:
        return self.loop is not None and self.loop.reduces(name, self.scope)

    def _reduce_sum(self, name: str, node: ast.AugAssign) -> None:
        if not isinstance(node.op, ast.Add | ast.Sub):
            raise self.error(node, f"`{name}` is reduced by an operator that is no sum", LOOP_RULE)
        x = self.operand(node.value)
        if isinstance(node.op, ast.Sub):
            with self.at(node):
                x = arithmetic.unary(self.builder, ast.USub(), x)
        self._contribute(name, "sum", x, node, node.value)

    def _reduce_extremum(self, name: str, call: ast.Call, node: ast.Assign) -> None:
        function = self.visit(call.func)
        value = function.value if isinstance(function, Constant) else None
        if value not in (language.maximum, language.minimum) or call.keywords:
            raise self.error(
                node,
                f"`{name}` is reduced by something else than rl.maximum(a, b) or rl.minimum(a, b)",
                LOOP_RULE,
            )
        named: str = value.__name__
        others = [a for a in call.args if not (isinstance(a, ast.Name) and a.id == name)]
        self._contribute(name, named[:3], self.operand(others[0]), node, others[0])

    def _contribute(self, name: str, kind: str, x: Operand, node: ast.stmt, at: ast.expr) -> None:
        assert self.loop is not None and self.scope.outer is not None
        init = self.scope.outer.find(name)
        assert isinstance(init, Tensor)
        known = self.loop.tensors.get(name)
        if known is not None and known.kind != kind:
            raise self.error(
                node,
                f"`{name}` is reduced by {known.kind} and by {kind} in one loop",
                "use an accumulator for each",
            )
        own = {"key", "chunk", "slot"} & set(init.type.names)
        if not init.type.axes or init.type.element != "f32" or own:
            raise self.error(
                node,
                f"`{name}` is {init.describe()}, which cannot be reduced into",
                "start from rl.zeros(q, v)",
            )
        with self.at(node):
            self._check_axes(x, init.type, name)
            value = arithmetic.spread(self.builder, x, init.type.axes)
            self.loop.contribute(name, kind, init, value, self.builder)

    def _check_axes(self, x: Operand, target: TensorType, name: str) -> None:
        names = x.type.names if isinstance(x, Tensor) else ()
        extra = [axis for axis in names if axis not in target.names]
        if extra:
            assert isinstance(x, Tensor)
            raise MismatchError(
                f"`{name}` has axes {target.describe()}, found one more of {x.type.describe()}",
                f'reduce it first: rl.sum(x, over="{extra[0]}")',
            )

    def _reduce_softmax(self, method: Method, node: ast.Call) -> None:
        acc = method.owner
        assert isinstance(acc, Softmax)
        function = getattr(OnlineSoftmax, method.name)
        positional, keywords = self.arguments(node)
        name = f"acc.{method.name}"
        arguments, nodes = bind(function, name, node, self.source, [acc, *positional], keywords, 1)
        call, loop = self.make_call(name, node, arguments, nodes), self.loop
        if method.name == "merge" and loop is None and self._is_stream(call):
            with self.at(node):
                parts = self._merge_stream(call, acc)
            self._push_now(acc, parts, node, "push")
            return
        with self.at(node):
            parts = self._merge(call, acc) if method.name == "merge" else self._push(call, acc)
        if loop is None or acc.made_in is loop:
            self._push_now(acc, parts, node, method.name)
            return
        if id(loop) in acc.read_in:
            raise self.error(
                node,
                "the result of an online softmax is read inside the loop that merges into it",
                "read `acc.value` and `acc.lse` after the loop",
            )
        if acc in loop.softmaxes:
            raise self.error(
                node,
                "a second merge or push into one online softmax in one loop",
                "write a second loop over the same domain",
            )
        loop.merge(acc, parts)

    def _merge(self, call: Call, acc: Softmax) -> tuple[Tensor, Tensor]:
        scores, values = call.floats("scores"), call.array("values")
        if "key" not in scores.type.names or "key" not in values.type.names:
            raise call.error(
                f"expected scores and values for each key, found {scores.type.describe()} and "
                f"{values.type.describe()}",
                "one logit with one value is acc.push(logit, value)",
            )
        if values.type.names != ("key", "dim"):
            raise call.error(
                f"`values` expects [key, dim], found {values.type.describe()}", "", "values"
            )
        self._check_dim(call, "values", values, acc)
        sizes = dict(acc.rows.axes)
        sizes["key"] = values.type.size("key")
        del sizes["dim"]
        self._check_inside(call, "scores", scores, tuple(sizes))
        return self.builder.broadcast(scores, sort_axes(sizes)), values

    def _is_stream(self, call: Call) -> bool:
        scores = call.operand("scores")
        return isinstance(scores, Tensor) and scores.type.partition is not None

    def _merge_stream(self, call: Call, acc: Softmax) -> tuple[Tensor, Tensor]:
        """All chunks at once: their logarithm of the sum, and their mean by their shares."""
        scores, values = call.floats("scores"), call.array("values")
        legal = (("chunk", "dim"), ("head", "chunk", "dim"))
        if values.type.names not in legal:
            raise call.error(
                f"`values` expects [chunk, dim] or [head, chunk, dim], found {values.describe()}",
                "one landmark is the value of one chunk",
                "values",
            )
        self._check_dim(call, "values", values, acc)
        rows = acc.rows.without("dim")
        self._check_inside(call, "scores", scores, (*rows.names, "chunk"))
        axes = arithmetic.common_axes(scores, values, Tensor(scores.ssa, rows))
        b = self.builder
        spread = b.broadcast(scores, tuple(axis for axis in axes if axis[0] != "dim"))
        text = f"hsa.logsumexp {{0}} over chunk : {spread.type} -> {rows}"
        logit = b.tensor(text, (spread.ssa,), rows)
        return logit, b.dot(b.softmax(spread, 0.0, "chunk"), values, "chunk")

    def _push(self, call: Call, acc: Softmax) -> tuple[Tensor, Tensor]:
        rows = acc.rows.without("dim")
        logit = call.operand("logit")
        value = call.floats("value")
        hint = "scores and values for each key are acc.merge(scores, values)"
        self._check_inside(call, "logit", logit, rows.names, hint)
        self._check_inside(call, "value", value, acc.rows.names, hint)
        if "dim" not in value.type.names:
            raise call.error(
                f"`value` expects a dim axis, found {value.type.describe()}", "", "value"
            )
        self._check_dim(call, "value", value, acc)
        spread = arithmetic.spread(self.builder, logit, rows.axes)
        if value.type.names == ("dim",):
            return spread, value
        return spread, self.builder.broadcast(value, acc.rows.axes)

    def _check_dim(self, call: Call, name: str, value: Tensor, acc: Softmax) -> None:
        found, expected = value.type.size("dim"), acc.rows.size("dim")
        if found != expected:
            raise call.error(f"`{name}` expects dim = {expected}, found {found}", "", name)

    def _check_inside(
        self, call: Call, name: str, value: Operand, axes: tuple[str, ...], hint: str = ""
    ) -> None:
        names = value.type.names if isinstance(value, Tensor) else ()
        if any(axis not in axes for axis in names):
            shown = ", ".join(axes)
            raise call.error(
                f"`{name}` expects axes out of [{shown}], found {value.describe()}", hint, name
            )

    def _push_now(
        self, acc: Softmax, parts: tuple[Tensor, Tensor], node: ast.Call, name: str
    ) -> None:
        """Push outside of a reduction, into a state that is at hand."""
        if name == "merge":
            raise self.error(
                node,
                "merge belongs into a loop over chunks, into an online softmax made before it",
                "make it with rl.online_softmax(q, v) before the loop",
            )
        logit, value = parts
        with self.at(node):
            text = (
                f"hsa.push {{0}}, {{1}} into {{2}} : {logit.type}, {value.type}, {acc.state.type}"
            )
            operands = (logit.ssa, value.ssa, acc.state)
            acc.state = self.builder.emit(text, operands, acc.state.type)
