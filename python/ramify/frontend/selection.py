# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Streams over chunks, picks and slots: what each of their functions becomes in `hsa`."""

from __future__ import annotations

from .. import language as rl
from ..language.selection import MAX_TOP_K, ORDERS
from . import arithmetic
from .call import Call
from .intrinsics import handles
from .ir import Size, TensorType, sort_axes
from .signature import Role
from .values import Array, Constant, FrontValue, Slots, Tensor

ROWS = ("pos", "head")


@handles(rl.topk)
def topk(call: Call) -> FrontValue:
    s = call.floats("s")
    partition = s.type.partition
    if partition is None or not set(s.type.names) <= {*ROWS, "chunk"}:
        raise call.error(
            f"`s` expects scores, a stream over chunks with pos and head if at all, found "
            f"{s.describe()}",
            "rl.dot(q, landmarks) is one; `dim` and `key` are summed first",
            "s",
        )
    check_one_selection(call, s)
    k = call.constant("k", (int,), "a number of slots")
    if not 1 <= k <= MAX_TOP_K:
        raise call.error(f"`k` expects 1 to {MAX_TOP_K} slots, found {k}", "", "k")
    order = call.constant("order", (str,), " or ".join(map(repr, ORDERS)))
    if order not in ORDERS:
        legal = ", ".join(map(repr, ORDERS))
        raise call.error(f"`order` is one of {legal}, found {order!r}", "", "order")
    sizes = {name: size for name, size in s.type.axes if name != "chunk"}
    result = TensorType("i32", sort_axes({**sizes, "slot": k}))
    text = f"hsa.topk {{0}} k {k} order {order} : {s.type} -> {result}"
    return Slots(call.builder.emit(text, (s.ssa,), result), result, partition)


def check_one_selection(call: Call, s: Tensor) -> None:
    """Refuse scores that differ between the positions of a query block: it selects once."""
    block = call.specialisation.q_block
    if block > 1 and "pos" in s.type.names:
        raise call.error(
            f"`s` expects one score of each chunk for the {block} positions of a query block, "
            f"found {s.describe()}",
            'score by queries of the block, `r: rl.Query["block"]`, that stand at '
            "rl.block_position()",
            "s",
        )


def at(call: Call) -> Tensor:
    """`s.at(slots)`."""
    stream, slots = call.operand("self"), slots_argument(call, "slots")
    assert isinstance(stream, Tensor)
    if stream.type.element == "i1" or not set(stream.type.names) <= {*ROWS, "chunk"}:
        raise call.error(
            f"numbers with axes out of [pos, head, chunk] are read at slots, found "
            f"{stream.describe()}",
            "reduce `dim` first; of a condition: rl.where(condition, 1.0, 0.0)",
        )
    if stream.type.partition != slots.partition:
        raise call.error(
            f"a stream over the chunks of '{stream.type.partition}' is read at {slots.describe()}",
            "slots belong to the partition that they were picked from",
            "slots",
        )
    if stream.type.is_float:
        stream = call.builder.to_f32(stream)
    sizes: dict[str, Size] = {name: size for name, size in stream.type.axes if name != "chunk"}
    result = TensorType(stream.type.element, sort_axes({**sizes, **dict(slots.type.axes)}))
    text = f"hsa.take {{0}} at {{1}} : {stream.type}, {slots.type} -> {result}"
    return call.builder.tensor(text, (stream.ssa, slots.ssa), result)


def keep(call: Call) -> Slots:
    """`slots.keep(mask)`: -1 where the mask does not hold."""
    slots, mask = call.arguments["self"], call.operand("mask")
    assert isinstance(slots, Slots)
    b = call.builder
    if not isinstance(mask, Tensor) or mask.type.element != "i1":
        raise call.error(
            f"`mask` expects a condition, found {mask.describe()}",
            "compare it with something, such as `s.at(slots) > 0`",
            "mask",
        )
    if not set(mask.type.names) <= {*ROWS, "slot"}:
        raise call.error(
            f"`mask` expects a condition on slots, found {mask.describe()}",
            "read the stream at the slots first: `s.at(slots) > 0`",
            "mask",
        )
    axes = arithmetic.common_axes(slots, mask)
    spread = b.broadcast(Tensor(slots.ssa, slots.type), axes)
    kept = b.select(b.broadcast(mask, axes), spread, b.constant(-1, spread.type))
    return Slots(kept.ssa, kept.type, slots.partition)


def slots_argument(call: Call, name: str) -> Slots:
    """An argument that holds picked chunks."""
    value = call.arguments[name]
    if isinstance(value, Array) and value.parameter.role is Role.INDICES:
        value = call.operand(name)
    if isinstance(value, Slots):
        return value
    raise call.error(
        f"`{name}` expects slots, found {value.describe()}",
        "rl.topk gives slots; what keeps some of them is `slots.keep(mask)`",
        name,
    )


@handles(rl.cumsum)
def cumsum(call: Call) -> FrontValue:
    x = call.floats("x")
    over = call.constant("over", (str,), '"slot"')
    if over != "slot" or "slot" not in x.type.names:
        raise call.error(
            f"it runs along the slots of a selection, found {x.describe()} over {over!r}",
            "read a stream at slots first: `s.at(slots)`",
        )
    flags = [
        name for name in ("exclusive", "reverse") if call.constant(name, (bool,), "True or False")
    ]
    text = " ".join(["hsa.scan sum", *flags, f"{{0}} over slot : {x.type}"])
    return call.builder.tensor(text, (x.ssa,), x.type)


@handles(rl.detach)
def detach(call: Call) -> FrontValue:
    value = call.operand("x")
    if isinstance(value, Constant):
        return value
    detached = call.builder.unary("hsa.detach", value)
    if isinstance(value, Slots):
        return Slots(detached.ssa, detached.type, value.partition)
    return detached
