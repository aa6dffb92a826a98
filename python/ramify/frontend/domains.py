# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a loop visits: selected chunks, and ranges of keys."""

from __future__ import annotations

from .. import language as rl
from ..reference.slots import SelectsPerHead
from .call import Call
from .intrinsics import handles
from .signature import Role
from .values import Constant, Domain, FrontValue, Slots, Tensor


@handles(rl.selected)
def selected(call: Call) -> FrontValue:
    if isinstance(call.arguments["indices"], Tensor):
        return computed_selection(call)
    indices = call.parameter("indices", Role.INDICES)
    partition = indices.parameter.partition or ""
    result = f'!hsa.domain<"{partition}", "{indices.parameter.name}">'
    text = f"hsa.selected {{0}} : {indices.ssa.type} -> {result}"
    value = call.builder.emit(text, (indices.ssa,), result)
    return Domain(value, partition, indices.parameter.name)


def computed_selection(call: Call) -> Domain:
    """A domain of slots that the function computed."""
    slots = call.expect(
        "indices", Slots, "slots", "rl.topk gives slots; what keeps some is `slots.keep(mask)`"
    )
    sizes = dict(slots.type.axes)
    if sizes.get("pos", 1) != 1:
        raise call.error(
            f"a query block visits one selection, found one for each of its {sizes['pos']} "
            "positions",
            "pass the slots to another call as rl.ChunkIndices, one row for each query",
            "indices",
        )
    if sizes.get("head", 1) != 1:
        raise SelectsPerHead
    name = call.builder.name_of_picks(slots.ssa, tuple(call.specialisation.arrays))
    result = f'!hsa.domain<"{slots.partition}", "{name}">'
    text = f'hsa.selected {{0}} in "{slots.partition}" as "{name}" : {slots.type} -> {result}'
    value = call.builder.emit(text, (slots.ssa,), result)
    return Domain(value, slots.partition, name, slots.type.size("slot"))


def range_domain(call: Call, clause: str, operands: tuple[Tensor, ...]) -> Domain:
    """Emit a range domain; `clause` has `{1}` for its operand and stands behind the array."""
    k = call.parameter("k", Role.CHUNKS)
    partition = k.parameter.partition or ""
    values = [k.ssa, *(operand.ssa for operand in operands)]
    types = str(k.ssa.type)
    result = f'!hsa.domain<"{partition}">'
    if call.arguments["outside"] != Constant(None):
        other = call.expect("outside", Domain, "a domain", "outside=rl.window(k, last=W)")
        if other.indices is not None or other.partition != partition:
            raise call.error(
                f"`outside` expects a range of keys of '{partition}', found {other.describe()}"
                + (" by selection" if other.indices else ""),
                "rl.window, rl.own and rl.first are ranges",
                "outside",
            )
        clause += f" outside {{{len(values)}}}"
        values.append(other.ssa)
        types += f", {other.ssa.type}"
    name = call.name.rpartition(".")[2]
    value = call.builder.emit(
        f"hsa.{name} {{0}}{clause} : {types} -> {result}", tuple(values), result
    )
    return Domain(value, partition)


@handles(rl.window)
def window(call: Call) -> FrontValue:
    align = call.constant("align", (str, type(None)), '"chunk"')
    if align not in (None, "chunk"):
        raise call.error(f'`align` expects "chunk", found {align!r}', "", "align")
    last = call.integer("last")
    return range_domain(call, " last {1}" + (" align" if align else ""), (last,))


@handles(rl.first)
def first(call: Call) -> FrontValue:
    return range_domain(call, " keys {1}", (call.integer("keys"),))


@handles(rl.own, rl.every)
def own(call: Call) -> FrontValue:
    return range_domain(call, "", ())
