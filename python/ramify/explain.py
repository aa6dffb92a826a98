# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call will do, in words and numbers, before it runs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _runtime
from .call_arguments import is_array
from .frontend import Lowered, Role, Signature
from .frontend.ir import Block, Operation, TensorType

BYTES = {"f32": 4, "bf16": 2, "f16": 2, "i32": 4, "i64": 8, "i1": 1}
WHY = {
    "query_major": "one program for each query block, which gathers its chunks",
    "chunk_major": "programs own chunks, whose queries an inverse index or a range tells; they add "
    "to results or parts of them, window by window",
    "union": "programs own neighbouring query blocks and visit the union of their chunks",
    "split_kv": "programs own slices of the chunks of a query block; the parts of the slices are "
    "combined",
    "streamed": "programs own query blocks and walk over the chunks; no score is stored",
    "inverse_index": "the queries that selected each chunk, and nothing else",
}


@dataclass(frozen=True)
class Step:
    """One program of a plan: its name, the schedule that made it, and its tiles in words."""

    name: str
    schedule: str
    tiles: str = ""

    def owns(self, kernel: str) -> bool:
        """Whether the kernel is of this program: its own, or one with a suffix to its name."""
        return kernel == self.name or kernel.startswith(f"{self.name}_")


def explain(
    signature: Signature,
    executable: _runtime.Executable,
    lowered: Lowered,
    given: Mapping[str, Any],
) -> str:
    """The schedules, launches, arithmetic and memory of one call.

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
    names = [p.name for p in signature.arrays]
    names += [name for name in given if name not in signature.parameters]  # lengths, an index
    arrays = {name: given[name] for name in names if is_array(given[name])}
    shapes = {name: tuple(map(int, array.shape)) for name, array in arrays.items()}
    work = [*_walks(signature, lowered, shapes), *_visits(signature, lowered, shapes)]
    return explain_plan(signature.name, executable, arrays, work)


def explain_plan(
    name: str,
    executable: _runtime.Executable,
    arrays: Mapping[str, Any],
    work: Iterable[str] = (),
) -> str:
    """The schedules, launches and memory of a plan.

    Parameters
    ----------
    name : str
        Of what it runs.
    executable : Executable
        The plan, loaded.
    arrays : mapping
        Its arguments by name.
    work : iterable of str
        Lines about its arithmetic.
    """
    plan = executable.plan
    shapes = {name: tuple(map(int, array.shape)) for name, array in arrays.items()}
    steps = [Step(*line.split("\t")) for line in plan.notes["steps"].splitlines()]
    launches = list(_launches(executable, shapes))
    if len(steps) == 1:
        lines = [f"{name} on {plan.backend}, schedule {_schedule(steps[0])}"]
        lines += [f"  {text}" for _, text in launches]
        lines += [f"  tiles: {steps[0].tiles}"] if steps[0].tiles else []
    else:
        lines = [f"{name} on {plan.backend}: {len(steps)} programs {_how(plan)}"]
        for step in steps:
            lines.append(f"  {step.name}, schedule {_schedule(step)}")
            lines += [f"    {text}" for kernel, text in launches if _owner(steps, kernel) is step]
            lines += [f"    tiles: {step.tiles}"] if step.tiles else []
        lines += [f"  {text}" for kernel, text in launches if _owner(steps, kernel) is None]
    lines += work
    size = sum(math.prod(shape) * _item_size(arrays[name]) for name, shape in shapes.items())
    lines.append(f"  arguments: {_amount(size)}")
    lines.append(f"  workspace: {_amount(plan.workspace_bytes(shapes))}")
    return "\n".join(lines)


def _how(plan: _runtime.Plan) -> str:
    """How the programs of a plan are launched; why not in one launch, where that was wanted."""
    how, _, why = plan.notes.get("launches", "several").partition("\t")
    if how == "one":
        return "in one launch"
    return "one after the other" + (f"; not in one launch, since {why}" if why else "")


def _schedule(step: Step) -> str:
    return f"{step.schedule}: {WHY[step.schedule]}"


def _owner(steps: Sequence[Step], kernel: str) -> Step | None:
    """The step that a kernel belongs to: the one with the longest name that it begins with."""
    return max((s for s in steps if s.owns(kernel)), key=lambda s: len(s.name), default=None)


def _amount(size: int) -> str:
    """Bytes, in a unit in which they are not nothing."""
    small = 0 < size < 2**20 / 20
    return f"{size / 1024:.1f} KiB" if small else f"{size / 2**20:.1f} MiB"


def _launches(
    executable: _runtime.Executable, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, str]]:
    """Each launch's kernel and what there is to say about it."""
    registers = {info["name"]: info["registers"] for info in executable.kernel_info}
    for launch in executable.plan.launches(shapes):
        grid = launch["grid"]
        text = f"launch {launch['kernel']}: grid {grid}, {math.prod(grid)} programs"
        if executable.plan.backend == "cuda":
            text += f" of {launch['threads']} threads, {launch['shared_bytes']} bytes of shared "
            text += f"memory, {registers[launch['kernel']]} registers"
        yield launch["kernel"], text


def _blocks(
    signature: Signature, lowered: Lowered, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, int]:
    """How many query blocks with a head of keys there are, and the queries in each."""
    name = signature.query.name
    query = next(str(v.type) for v in lowered.program.parameters if v.hint == name)
    pos, head = (int(re.findall(rf"{axis} = (\d+)", query)[0]) for axis in ("pos", "head"))
    batch, length, heads = shapes[name][:3]
    return batch * -(-length // pos) * (heads // head), pos


def _walks(
    signature: Signature, lowered: Lowered, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Work of the walks over landmarks: what a query block computes with each chunk."""
    landmarks = [p for p in signature.of_role(Role.LANDMARKS) if p.name in shapes]
    flops = sum(_flops(each) for each in lowered.program.body.operations if _is_streamed(each))
    if not landmarks or not flops:
        return
    blocks, _ = _blocks(signature, lowered, shapes)
    chunks = shapes[landmarks[0].name][1]
    total = f"{blocks * chunks * flops / 1e9:.2f} GFLOP"
    yield f"  each chunk that a walk passes: {flops / 1e3:.1f} kFLOP in products"
    yield f"  walks: {blocks} query blocks over at most {chunks} chunks: {total}"


def _visits(
    signature: Signature, lowered: Lowered, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    """Work of the visits to selected chunks; those of a window depend on positions."""
    selections = signature.of_role(Role.INDICES)
    slots = sum(math.prod(shapes[p.name]) for p in selections if p.name in shapes)
    computed = sum(_slots(each) for each in lowered.program.body.operations)
    if computed:
        slots += _blocks(signature, lowered, shapes)[0] * computed
    flops, size = 0, 0
    for operation in _in_reductions(lowered.program.body):
        flops += _flops(operation)
        size += _bytes(operation)
    if not any(each.region is not None for each in lowered.program.body.operations):
        return
    text = (
        f"  each visit of a chunk: {flops / 1e3:.0f} kFLOP in products, {size / 1024:.1f} KiB read"
    )
    yield text
    if slots:
        total = f"{slots * flops / 1e9:.2f} GFLOP, {slots * size / 2**30:.2f} GiB"
        yield f"  visits: at most {slots}, one for each slot: {total}"


def _is_streamed(operation: Operation) -> bool:
    types = (value.type for value in operation.operands)
    return any("chunk" in dict(t.axes) for t in types if isinstance(t, TensorType))


def _slots(operation: Operation) -> int:
    """Slots of a selection that the function computes and visits, for a query block."""
    if not operation.text.startswith("hsa.selected "):
        return 0
    of = operation.operands[0].type
    sizes = dict(of.axes) if isinstance(of, TensorType) else {}
    return math.prod(n for n in sizes.values() if isinstance(n, int)) if sizes else 0


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
