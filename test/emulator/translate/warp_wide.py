# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions by which the lanes of a warp exchange values or wait for one another."""

from __future__ import annotations

from collections.abc import Callable

from emulator.report import UnsupportedError
from emulator.translate.instruction import Instruction, Lines


def shfl(x: Instruction) -> Lines:
    value, other = x.value(1), x.value(2, "u32")
    call = f"exchange.shuffle('{x.parts[2]}',{value},{other},{int(x.args[3])})"
    return [*x.meet(), *x.put(call)]


def vote(x: Instruction) -> Lines:
    value = x.operands.value(x.args[1].lstrip("!"), "pred")
    value = f"~{value}" if x.args[1].startswith("!") else value
    kind = "u32" if x.parts[2] == "ballot" else "pred"
    return [*x.meet(), *x.put(f"exchange.vote('{x.parts[2]}',{value},{x.mask})", kind)]


def bar(x: Instruction) -> Lines:
    """`bar.sync` ends a basic block and does not come here."""
    if x.op != "bar.warp.sync":
        raise UnsupportedError(x.op)
    return [*x.meet(), "w.syncs+=1"]


BY_NAME: dict[str, Callable[[Instruction], Lines]] = {"shfl": shfl, "vote": vote, "bar": bar}
