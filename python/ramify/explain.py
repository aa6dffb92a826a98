# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call will do, in words and numbers, before it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from . import _runtime
from .frontend import Lowered, Role, Signature
from .frontend.ir import Block, Operation, TensorType

BYTES = {"f32": 4, "bf16": 2, "f16": 2, "i32": 4, "i64": 8, "i1": 1}
WHY = {
    "query_major": "one program for each query block, which gathers its chunks",
    "chunk_major": "programs own chunks, whose queries an inverse index lists; the parts of each "
    "slot are combined, window by window",
    "split_kv": "programs own slices of the chunks of a query block; the parts of the slices are "
    "combined",
    "inverse_index": "the queries that selected each chunk, and nothing else",
}


def explain(
    signature: Signature,
    executable: _runtime.Executable,
    lowered: Lowered,
    given: Mapping[str, Any],
) -> str:
    """The schedule, launches, arithmetic and memory of one call.

    Parameters
    ----------
    signature : Signature
        The function.
    executable : Executable
        What the call runs.
    lowered : Lowered
        Its program in `hsa`.
    given : mapping
        The call's arguments by name.
    """
    plan = executable.plan
    names = [p.name for p in signature.arrays]
    names += [name for name in ("num_keys", "q_start", "q_positions") if name in given]
    arrays = {name: given[name] for name in names if hasattr(given[name], "shape")}
    shapes = {name: tuple(map(int, array.shape)) for name, array in arrays.items()}
    schedule = plan.notes["schedule"]
    lines = [f"{signature.name} on {plan.backend}, schedule {schedule}: {WHY[schedule]}"]
    lines += _launches(executable, shapes)
    if plan.notes.get("tiles"):
        lines.append(f"  tiles: {plan.notes['tiles']}")
    lines += _visits(signature, lowered, shapes)
    size = sum(math.prod(shape) * _item_size(arrays[name]) for name, shape in shapes.items())
    lines.append(f"  arguments: {size / 2**20:.1f} MiB")
    lines.append(f"  workspace: {plan.workspace_bytes(shapes) / 2**20:.1f} MiB")
    return "\n".join(lines)


def _launches(
    executable: _runtime.Executable, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    registers = {info["name"]: info["registers"] for info in executable.kernel_info}
    for launch in executable.plan.launches(shapes):
        grid = launch["grid"]
        text = f"  launch {launch['kernel']}: grid {grid}, {math.prod(grid)} programs"
        if executable.plan.backend == "cuda":
            text += f" of {launch['threads']} threads, {launch['shared_bytes']} bytes of shared "
            text += f"memory, {registers[launch['kernel']]} registers"
        yield text


def _visits(
    signature: Signature, lowered: Lowered, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Work of the visits to selected chunks; those of a window depend on positions."""
    selections = signature.of_role(Role.INDICES)
    slots = sum(math.prod(shapes[p.name]) for p in selections if p.name in shapes)
    flops, size = 0, 0
    for operation in _in_reductions(lowered.program.body):
        flops += _flops(operation)
        size += _bytes(operation)
    text = (
        f"  each visit of a chunk: {flops / 1e3:.0f} kFLOP in products, {size / 1024:.1f} KiB read"
    )
    yield text
    if slots:
        total = f"{slots * flops / 1e9:.2f} GFLOP, {slots * size / 2**30:.2f} GiB"
        yield f"  visits: at most {slots}, one for each slot: {total}"


def _in_reductions(block: Block, inside: bool = False) -> Iterator[Operation]:
    for operation in block.operations:
        if operation.region is not None:
            yield from _in_reductions(operation.region, True)
        elif inside:
            yield operation


def _flops(operation: Operation) -> int:
    """Multiplications and additions of a product: two for each combination of its axes."""
    if not operation.text.startswith("hsa.dot "):
        return 0
    types = [value.type for value in operation.operands if isinstance(value.type, TensorType)]
    sizes = dict(axis for each in types for axis in each.axes)
    return 2 * math.prod(size for size in sizes.values() if isinstance(size, int))


def _bytes(operation: Operation) -> int:
    """What an access to a chunk reads, as if nothing was in a cache."""
    read = operation.results[0].type if operation.results else ""
    if not operation.text.startswith("hsa.chunk ") or not isinstance(read, TensorType):
        return 0
    return math.prod(size for _, size in read.axes if isinstance(size, int)) * BYTES[read.element]


def _item_size(array: Any) -> int:
    """Bytes of an element; arrays of all libraries know either of these."""
    size = getattr(array, "itemsize", None)
    return int(size if size is not None else array.element_size())
