# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each function of `ramify.language` becomes in `hsa`: one handler per function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from .. import language as rl
from .arithmetic import Operand, checked_float, common_axes, is_minus_infinity, unify
from .call import Call
from .ir import Axes, TensorType
from .signature import Role
from .values import Constant, FrontValue, Softmax, Tensor

Handler: TypeAlias = Callable[[Call], FrontValue]
HANDLERS: dict[Callable[..., Any], Handler] = {}
"""Handler of each function of the language."""

CONTRACTIBLE = ("dim", "key", "chunk")
REDUCIBLE = ("key", "head", "dim", "chunk", "slot")
NORMALISED = ("key", "head", "chunk", "slot")


def handles(*functions: Callable[..., Any]) -> Callable[[Handler], Handler]:
    """Register the handler of a function of the language."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(functions, handler))
        return handler

    return register


@handles(rl.dot)
def dot(call: Call) -> FrontValue:
    a, b = call.array("a"), call.array("b")
    for name, side in (("a", a), ("b", b)):
        if not side.type.is_float:
            raise call.error(f"`{name}` expects floats, found {side.type.element}", "", name)
    shared = [axis for axis in a.type.names if axis in b.type.names]
    over = call.constant("over", (str, type(None)), '"dim", "key" or "chunk"')
    candidates = [axis for axis in shared if axis in CONTRACTIBLE]
    sides = f"{a.type.describe()} and {b.type.describe()}"
    if over is None and len(candidates) > 1:
        raise call.error(
            f"names do not decide which axis of {sides} is summed",
            "write " + " or ".join(f'over="{axis}"' for axis in reversed(candidates)),
        )
    if over is None and not candidates:
        raise call.error(
            f"expected two arrays that share `dim`, `key` or `chunk`, found {sides}",
            "dot(q, k[c]) sums over dim, dot(p, v[c]) over key",
        )
    over = over or candidates[0]
    if over not in candidates:
        raise call.error(f"{sides} have no common axis {over!r} to sum over", "", "over")
    elements = {a.type.element, b.type.element}
    if len(elements - {"f32"}) > 1:
        raise call.error(f"one 16-bit dtype is expected, found {' and '.join(sorted(elements))}")
    if set(a.type.names) | set(b.type.names) == {over}:
        raise call.error(f"{sides} leave no axis", "give one of them pos and head")
    common_axes(a, b)
    return call.builder.dot(a, b, over)


@handles(rl.softmax)
def softmax(call: Call) -> FrontValue:
    x = call.floats("x")
    n = call.constant("n", (int, float), "a number >= 0")
    over = call.constant("over", (str,), "the name of an axis")
    if not 0 <= n < math.inf:
        raise call.error(f"`n` expects a finite number >= 0, found {n}", "", "n")
    if over == "head":
        check_group(call)
    if over not in NORMALISED or over not in x.type.names:
        raise call.error(
            f"it goes over the keys of a chunk, or the slots, chunks or heads that an array has; "
            f"found {x.type.describe()} over {over!r}",
            "softmax over all selected keys together is rl.online_softmax",
        )
    return call.builder.softmax(x, checked_float(n), over)


def check_group(call: Call) -> None:
    """Refuse a reduction over heads where each query head selects for itself."""
    if call.specialisation.per_head:
        raise call.error(
            "the function visits a selection for each query head, so a block has one head",
            'pick by scores that the group shares: rl.topk(rl.sum(s, over="head"), k)',
            "over",
        )


def reduced_axis(call: Call, x: Tensor) -> str:
    """The `over` argument, checked."""
    over: str = call.constant("over", (str,), "the name of an axis")
    if over == "head":
        check_group(call)
    if over == "pos":
        raise call.error(
            "queries of a block are independent, so nothing is reduced over `pos`", "", "over"
        )
    if over not in REDUCIBLE or over not in x.type.names:
        legal = [axis for axis in x.type.names if axis in REDUCIBLE]
        raise call.error(
            f"{x.type.describe()} cannot be reduced over {over!r}",
            f"over is one of {', '.join(map(repr, legal))}" if legal else "",
            "over",
        )
    return over


@handles(rl.sum)
def sum_(call: Call) -> FrontValue:
    x = call.floats("x")
    return call.builder.fold("sum", x, reduced_axis(call, x))


@handles(rl.max)
def max_(call: Call) -> FrontValue:
    x = call.floats("x")
    return call.builder.fold("max", x, reduced_axis(call, x))


@handles(rl.min)
def min_(call: Call) -> FrontValue:
    x = call.floats("x")
    return call.builder.fold("min", x, reduced_axis(call, x))


@handles(rl.logsumexp)
def logsumexp(call: Call) -> FrontValue:
    """Log sum exp(x - m) + m with m the maximum, or 0 where the maximum is -inf."""
    b, x = call.builder, call.floats("x")
    over = reduced_axis(call, x)
    if over in ("chunk", "slot"):
        result = x.type.without(over)
        text = f"hsa.logsumexp {{0}} over {over} : {x.type} -> {result}"
        return b.tensor(text, (x.ssa,), result)
    highest = b.fold("max", x, over)
    zero = b.constant(0.0, highest.type)
    base = b.detach(b.select(is_minus_infinity(b, highest), zero, highest))
    shifted = b.binary("arith.subf", x, b.broadcast(base, x.type.axes))
    total = b.fold("sum", b.unary("math.exp", shifted), over)
    return b.binary("arith.addf", b.unary("math.log", total), base)


def float_argument(call: Call, name: str) -> Tensor | Constant:
    """A number or array as f32; constants stay constants."""
    value = call.operand(name)
    if isinstance(value, Constant):
        if isinstance(value.value, bool) or not isinstance(value.value, int | float):
            raise call.error(f"`{name}` expects a number, found {value.value!r}", "", name)
        return value
    if value.type.element == "i1":
        raise call.error(
            f"`{name}` expects numbers, found a condition", "rl.where(condition, 1.0, 0.0)", name
        )
    return call.builder.to_f32(value)


def elementwise(op: str, fold: Callable[[float], float]) -> Handler:
    """A handler for a function of one value."""

    def handler(call: Call) -> FrontValue:
        x = float_argument(call, "x")
        if isinstance(x, Constant):
            return Constant(fold_constant(call, fold, x.value))
        return call.builder.unary(op, x)

    return handler


def fold_constant(call: Call, function: Callable[[float], float], x: float) -> float:
    """The function at a constant."""
    try:
        return function(x)
    except (ValueError, OverflowError) as cause:
        raise call.error(f"{cause} at the constant {x!r}", "", "x") from cause


HANDLERS[rl.exp2] = elementwise("math.exp2", lambda x: 2.0**x)
HANDLERS[rl.log] = elementwise("math.log", math.log)
HANDLERS[rl.sqrt] = elementwise("math.sqrt", math.sqrt)
HANDLERS[rl.tanh] = elementwise("math.tanh", math.tanh)


@handles(rl.exp)
def exp(call: Call) -> FrontValue:
    """Exp of a difference is 0 where its left side is -inf, so that -inf - -inf counts as -inf."""
    x = float_argument(call, "x")
    if isinstance(x, Constant):
        return Constant(fold_constant(call, math.exp, x.value))
    b = call.builder
    result = b.unary("math.exp", x)
    left = b.minuend(x)
    if left is None:
        return result
    return b.select(is_minus_infinity(b, left), b.constant(0.0, x.type), result)


@handles(rl.abs)
def abs_(call: Call) -> FrontValue:
    value = call.operand("x")
    if isinstance(value, Tensor) and value.type.element == "i32":
        return call.builder.unary("math.absi", value)
    return elementwise("math.absf", abs)(call)


@handles(rl.sigmoid)
def sigmoid(call: Call) -> FrontValue:
    x, b = float_argument(call, "x"), call.builder
    if isinstance(x, Constant):
        return Constant(fold_constant(call, lambda v: 0.5 + 0.5 * math.tanh(0.5 * v), x.value))
    one = b.constant(1.0, x.type)
    shrunk = b.unary("math.exp", b.unary("arith.negf", x))
    return b.binary("arith.divf", one, b.binary("arith.addf", one, shrunk))


def extremum(name: str, fold: Callable[[Any, Any], Any]) -> Handler:
    """A handler for maximum or minimum."""

    def handler(call: Call) -> FrontValue:
        left, right = call.operand("a"), call.operand("b")
        if isinstance(left, Constant) and isinstance(right, Constant):
            return Constant(fold(left.value, right.value))
        a, b = unify(call.builder, left, right)
        op = f"arith.{name}imumf" if a.type.is_float else f"arith.{name}si"
        return call.builder.binary(op, a, b)

    return handler


HANDLERS[rl.maximum] = extremum("max", max)
HANDLERS[rl.minimum] = extremum("min", min)


@handles(rl.where)
def where(call: Call) -> FrontValue:
    condition = call.operand("condition")
    branches = call.operand("a"), call.operand("b")
    if isinstance(condition, Constant):
        return branches[0] if condition.value else branches[1]
    if condition.type.element != "i1":
        raise call.error(
            f"`condition` expects a condition, found {condition.describe()}",
            "compare it with something, such as `x > 0`",
            "condition",
        )
    both = unify(call.builder, *branches, numbers=not all(map(is_condition, branches)))
    axes = common_axes(condition, *both)
    spread = (call.builder.broadcast(value, axes) for value in (condition, *both))
    return call.builder.select(*spread)


def is_condition(value: Operand) -> bool:
    """Whether a value is true or false rather than a number."""
    if isinstance(value, Constant):
        return isinstance(value.value, bool)
    return value.type.element == "i1"


@handles(rl.zeros)
def zeros(call: Call) -> FrontValue:
    init = call.constant("init", (int, float), "a number")
    rows = rows_type(call, with_dim=call.arguments["v"] != Constant(None))
    identities = {0.0: "sum", -math.inf: "max", math.inf: "min"}
    if init in identities:
        return call.builder.tensor(f"hsa.identity {identities[init]} : {rows}", (), rows)
    return call.builder.constant(checked_float(init), rows)


@handles(rl.online_softmax)
def online_softmax(call: Call) -> FrontValue:
    rows = rows_type(call, with_dim=True)
    state_type = f"!hsa.softmax_state<{rows}>"
    state = call.builder.emit(f"hsa.online_softmax : {state_type}", (), state_type)
    return Softmax(state, rows, made_in=call.loop)


def rows_type(call: Call, with_dim: bool) -> TensorType:
    """`[pos, head, dim]` with the pos and head of argument q and the dim of v, or `[pos, head]`."""
    if call.parameter("q", Role.QUERY).parameter.is_per_block:
        raise call.error(
            "`q` expects queries of all positions, found those of a query block", "", "q"
        )
    axes: Axes = (
        ("pos", call.specialisation.q_block),
        ("head", call.specialisation.heads_per_block),
    )
    if with_dim:
        v = call.parameter("v", Role.CHUNKS, Role.QUERY)
        axes += (("dim", call.specialisation.arrays[v.parameter.name].dim),)
    return TensorType("f32", axes)
