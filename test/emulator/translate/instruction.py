# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An instruction of PTX, and the lines of Python that its operands become."""

from __future__ import annotations

import re

from emulator.operands import Operands

Lines = list[str]


class Instruction:
    """`where` names its place in reports; `masked` says that only the lanes of `m` run it."""

    def __init__(
        self,
        text: str,
        where: str,
        masked: bool,
        operands: Operands,
        parameter_uses: set[tuple[str, str]],
    ) -> None:
        self.text, self.masked, self.operands = text, masked, operands
        self.place, self.parameter_uses = where, parameter_uses
        self.where = f"'{where}'"
        self.mask = "m" if masked else "None"
        self.op, _, rest = text.replace("\t", " ").partition(" ")
        self.parts = self.op.split(".")
        self.name, self.kind = self.parts[0], self.parts[-1]
        pieces = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,{}\[\]]+", rest)
        self.args = [a.strip() for a in pieces if a.strip()]

    def value(self, i: int, kind: str | None = None) -> str:
        """Argument `i` as an expression of type `kind`."""
        return self.operands.value(self.args[i], kind or self.kind)

    def listed(self, i: int) -> list[str]:
        """The names in the braces of argument `i`, or the one name that it is."""
        return [x.strip() for x in self.args[i].strip("{}").split(",")]

    def values(self, i: int, kind: str) -> str:
        """A list of the registers in the braces of argument `i`."""
        return "[" + ",".join(self.operands.value(x, kind) for x in self.listed(i)) + "]"

    def address(self, i: int) -> str:
        return self.operands.address(self.args[i])

    def put(self, value: str, kind: str | None = None) -> Lines:
        """Assigns to the first argument."""
        return self.operands.write(self.args[0], value, kind or self.kind, self.masked)

    def put_each(self, kind: str, value: str = "t[{}]") -> Lines:
        """Assigns to the registers in the braces of the first argument, but not to `_`."""
        return [
            line
            for i, target in enumerate(self.listed(0))
            if target != "_"
            for line in self.operands.write(target, value.format(i), kind, self.masked)
        ]

    def meet(self) -> Lines:
        """Insists that all lanes run it."""
        return [f"w.meet(m,{self.where})"] if self.masked else []
