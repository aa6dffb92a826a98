# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A kernel whose basic blocks are compiled Python functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator import arithmetic, atomics, exchange, floats, fragments, matrices
from emulator.blocks import Barrier, Branch, Fall, Jump, KernelText, Return, split
from emulator.operands import Operands
from emulator.translate import Instruction, translate
from emulator.types import Array, Lanes

if TYPE_CHECKING:
    from emulator.warp import Warp

# Of a warp, its registers, and the lanes that take part.
Code = Callable[["Warp", list[Array], Lanes], None]

NAMES = {
    "np": np,
    "where": np.where,
    "arithmetic": arithmetic,
    "atomics": atomics,
    "exchange": exchange,
    "floats": floats,
    "fragments": fragments,
    "matrices": matrices,
}


class Kernel:
    """`code` has two functions for each block: for all lanes, and for some of them."""

    def __init__(self, text: KernelText) -> None:
        self.name, self.parameters = text.name, text.parameters
        self.parameter_uses: set[tuple[str, str]] = set()  # names and types
        blocks = split(text.body, text.line)
        self.operands = Operands(blocks.declared)
        lines = []
        for number, body in enumerate(blocks.bodies):
            for masked in (False, True):
                lines.append(f"def b{number}_{int(masked)}(w,r,m):")
                lines.append(" pass")
                for statement in body:
                    where = f"{self.name}:{statement.line}"
                    instruction = Instruction(
                        statement.text, where, masked, self.operands, self.parameter_uses
                    )
                    lines += [f" {x}" for x in translate(instruction)]
        scope: dict[str, Any] = {"c": self.operands.constants, **NAMES}
        exec(compile("\n".join(lines), self.name, "exec"), scope)
        self.code: list[tuple[Code, Code]] = [
            (scope[f"b{i}_0"], scope[f"b{i}_1"]) for i in range(len(blocks.bodies))
        ]
        self.ends: list[Branch | Fall | Return | Barrier] = [
            self.branch(end, blocks.labels) if isinstance(end, Jump) else end for end in blocks.ends
        ]
        # Blocks that all lanes of a warp have to enter together.
        self.meets = {
            i
            for i, body in enumerate(blocks.bodies)
            if isinstance(self.ends[i], Barrier) or any(".sync" in x.text for x in body)
        }

    def branch(self, jump: Jump, labels: dict[str, int]) -> Branch:
        predicate = None if jump.predicate is None else self.operands.register(jump.predicate)
        return Branch(labels[jump.label], predicate, jump.negated)
