# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions that read and write memory, each lane at its own address, and fences."""

from __future__ import annotations

from collections.abc import Callable

from emulator.report import UnsupportedError
from emulator.translate.instruction import Instruction, Lines
from emulator.types import dtype_of

SPACES = {"global": "w.block.heap", "shared": "w.block.shared"}


def space_of(x: Instruction) -> str:
    (space,) = (SPACES[part] for part in x.parts if part in SPACES)
    return space


def ld(x: Instruction) -> Lines:
    if x.parts[1] == "param":
        parameter = x.args[1].strip("[]")
        x.parameter_uses.add((parameter, x.kind))
        return x.put(f"w.block.parameters['{parameter}','{x.kind}']")
    dtype, count = dtype_of(x.kind), len(x.listed(0))
    access = f"{x.mask},{dtype.itemsize},{count},{x.where},{'nc' in x.parts}"
    load = f"t={space_of(x)}.load(w,{x.address(1)},{access})"
    return [load, *x.put_each(x.kind, f"t[{{}}].view('{dtype.str[1:]}')")]


def st(x: Instruction) -> Lines:
    size = dtype_of(x.kind).itemsize
    values = x.values(1, f"u{8 * size}")
    return [f"{space_of(x)}.store(w,{x.address(0)},{x.mask},{size},{values},{x.where})"]


def red(x: Instruction) -> Lines:
    if "add" not in x.parts:
        raise UnsupportedError(x.op)
    values = x.values(1, "u32" if x.kind.endswith("x2") else x.kind)
    access = f"{values},'{x.kind}',{x.mask},{x.where}"
    return [f"atomics.reduce({space_of(x)},{x.address(0)},{access})"]


def atom(x: Instruction) -> Lines:
    (operation,) = (p for p in x.parts if p in ("add", "cas", "exch", "min", "max"))
    values = ",".join(x.value(i) for i in range(2, len(x.args)))
    access = f"[{values}],'{operation}',{x.mask},{x.where}"
    return [f"t=atomics.atomic({space_of(x)},{x.address(1)},{access})", *x.put("t")]


def cp(x: Instruction) -> Lines:
    if x.parts[1] != "async" or "bulk" in x.parts:
        raise UnsupportedError(x.op)
    if x.parts[2] == "commit_group":
        return [*x.meet(), "w.copies.commit()"]
    if x.parts[2] == "wait_group":
        return [*x.meet(), f"w.copies.wait({int(x.args[0])})"]
    kept = x.value(3, "u32") if len(x.args) > 3 else "None"
    access = f"{int(x.args[2])},{kept},{x.mask},{x.where}"
    return [f"w.copies.start({x.address(0)},{x.address(1)},{access})"]


def fence(x: Instruction) -> Lines:
    """Fences other than those before wgmma order nothing that the emulator may disorder."""
    return [f"w.proxy_fence({x.mask})"] if x.op.startswith("fence.proxy.async") else []


BY_NAME: dict[str, Callable[[Instruction], Lines]] = {
    "ld": ld,
    "st": st,
    "red": red,
    "atom": atom,
    "cp": cp,
    "fence": fence,
    "membar": fence,
}
