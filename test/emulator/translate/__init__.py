# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Translation of instructions: each becomes lines of Python that work on 32 lanes at once.

In these lines, `w` is the warp, `r` its registers, `m` the lanes that take part, `c` constants
and `t` what an instruction hands on to its next line.
"""

from __future__ import annotations

from emulator.report import UnsupportedError
from emulator.translate import arithmetic, convert, matrix, memory, warp_wide
from emulator.translate.instruction import Instruction, Lines

__all__ = ["Instruction", "translate"]

BY_NAME = {
    **arithmetic.BY_NAME,
    **convert.BY_NAME,
    **memory.BY_NAME,
    **warp_wide.BY_NAME,
    **matrix.BY_NAME,
}


def translate(instruction: Instruction) -> Lines:
    x = instruction
    if x.name not in BY_NAME:
        raise UnsupportedError(f"{x.place}: {x.text}")
    try:
        return BY_NAME[x.name](x)
    except (UnsupportedError, KeyError, IndexError, ValueError) as error:
        raise UnsupportedError(f"{x.place}: {x.text}: {error!r}") from error
