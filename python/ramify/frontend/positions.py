# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where keys, queries and chunks stand: of a loop's chunk a number, of a parameter a stream."""

from __future__ import annotations

from .. import language as rl
from .arithmetic import unify
from .call import Call
from .intrinsics import handles
from .ir import Dynamic, TensorType
from .signature import Role
from .values import Array, FrontValue, Tensor


@handles(rl.positions)
def positions(call: Call) -> FrontValue:
    k, c = call.parameter("k", Role.CHUNKS), call.chunk("c")
    if k.parameter.partition != c.partition:
        raise call.error(
            f"`{k.parameter.name}` is cut as '{k.parameter.partition}', the chunk is of "
            f"'{c.partition}'",
            "",
            "c",
        )
    size = call.specialisation.chunk_sizes[c.partition]
    result = TensorType("i32", (("key", size),))
    text = f"hsa.key_positions {{0}} : {c.ssa.type} -> {result}"
    return call.builder.tensor(text, (c.ssa,), result)


@handles(rl.query_position)
def query_position(call: Call) -> FrontValue:
    result = TensorType("i32", (("pos", call.specialisation.q_block),))
    return call.builder.tensor(f"hsa.query_positions : {result}", (), result)


@handles(rl.block_position)
def block_position(call: Call) -> FrontValue:
    if call.specialisation.q_block == 1:
        return query_position(call)
    return call.builder.tensor("hsa.block_position : i32", (), TensorType("i32"))


@handles(rl.index)
def index(call: Call) -> FrontValue:
    if isinstance(call.arguments["c"], Array):
        return chunk_info(call, "index")
    c = call.chunk("c")
    return call.builder.tensor(f"hsa.chunk_index {{0}} : {c.ssa.type}", (c.ssa,), TensorType("i32"))


@handles(rl.start)
def start(call: Call) -> FrontValue:
    if isinstance(call.arguments["c"], Array):
        return chunk_info(call, "start")
    number = index(call)
    assert isinstance(number, Tensor)
    size = call.builder.constant(chunk_size(call), number.type)
    return call.builder.binary("arith.muli", number, size)


@handles(rl.distance)
def distance(call: Call) -> FrontValue:
    begin, here = start(call), query_position(call)
    assert isinstance(begin, Tensor) and isinstance(here, Tensor)
    now, first = unify(call.builder, here, begin)
    return call.builder.binary("arith.subi", now, first)


@handles(rl.length)
def length(call: Call) -> FrontValue:
    return chunk_info(call, "length")


def chunk_info(call: Call, info: str) -> Tensor:
    """What is known of every chunk of a parameter's partition: a stream."""
    array = call.parameter("c", Role.LANDMARKS, Role.CHUNKS)
    partition = array.parameter.partition or ""
    result = TensorType("i32", (("chunk", Dynamic(partition)),))
    return call.builder.tensor(f'hsa.chunk_info {info} in "{partition}" : {result}', (), result)


@handles(rl.end)
def end(call: Call) -> FrontValue:
    if isinstance(call.arguments["c"], Array):
        return chunk_info(call, "end")
    begin = start(call)
    assert isinstance(begin, Tensor)
    size = call.builder.constant(chunk_size(call), begin.type)
    return call.builder.binary("arith.addi", begin, size)


def chunk_size(call: Call) -> int:
    """Keys in each chunk of the partition of argument `c`."""
    return call.specialisation.chunk_sizes[call.chunk("c").partition]
