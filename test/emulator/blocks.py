# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The text of a module, split into kernels, and that of a kernel into basic blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from emulator.report import UnsupportedError


@dataclass
class KernelText:
    """A kernel as text; its body begins after line `line` of the module."""

    name: str
    parameters: list[str]
    body: str
    line: int


@dataclass
class Branch:
    """To block `target`, for the lanes where register `predicate` is not `negated`."""

    target: int
    predicate: int | None
    negated: bool


class Fall:
    """To the next block."""


class Return:
    """The lanes end."""


@dataclass
class Barrier:
    """`bar.sync`, and on to the next block."""

    line: int


@dataclass
class Jump:
    """A branch in names, before labels have places and predicates have registers."""

    label: str
    predicate: str | None
    negated: bool


@dataclass
class Statement:
    line: int
    text: str


@dataclass
class Blocks:
    """Statements by block, how each block ends, the block of each label; registers of braces."""

    bodies: list[list[Statement]] = field(default_factory=list)
    ends: list[Jump | Fall | Return | Barrier] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)


ENTRY = re.compile(
    r"\.entry\s+(\w+)\s*\((.*?)\)\s*([^{]*)\{\n(.*?)\n\}\n(?=\s*(?://[^\n]*\n\s*)*(?:\.|\Z|end\n))",
    re.DOTALL,
)


def kernels(module: str) -> dict[str, KernelText]:
    """The kernels of a module, by name."""
    found = {}
    for match in ENTRY.finditer(module):
        if ".b8" in match[2]:
            raise UnsupportedError("tensor maps")
        parameters = re.findall(r"\.param\s+(?:\.align \d+\s+)?\.\w+\s+(\w+)", match[2])
        line = module.count("\n", 0, match.start(4))
        found[match[1]] = KernelText(match[1], parameters, match[4] + "\n", line)
    return found


def split(body: str, line: int) -> Blocks:
    """Basic blocks of a kernel's body."""
    blocks = Blocks()
    current: list[Statement] = []

    def close(end: Jump | Fall | Return | Barrier) -> None:
        nonlocal current
        blocks.bodies.append(current)
        blocks.ends.append(end)
        current = []

    for statement in statements(body, line, blocks.declared):
        text = statement.text
        jump = re.match(r"(?:@(!?)(%?\w+)\s+)?bra(?:\.uni)?\s+([$\w]+)", text)
        if text.endswith(":"):
            if current:
                close(Fall())
            blocks.labels[text[:-1]] = len(blocks.bodies)
        elif jump:
            close(Jump(jump[3], jump[2], jump[1] == "!"))
        elif text in ("ret", "exit"):
            close(Return())
        elif text.startswith("bar.sync"):
            if not re.fullmatch(r"bar\.sync\s+0", text):
                raise UnsupportedError(text)
            close(Barrier(statement.line))
        else:
            current.append(statement)
    close(Return())
    return blocks


def statements(body: str, line: int, declared: dict[str, str]) -> list[Statement]:
    """Instructions and labels; types of registers that braces declare go to `declared`."""
    found = []
    pending, start = "", 0
    scopes: dict[str, str] = {}  # labels within braces have a name each time
    for text in body.split("\n"):
        line += 1
        text = text.split("//")[0].strip()
        if re.fullmatch(r"\w+:", text):
            scopes[text[:-1]] = f"{text[:-1]}${line}"
            text = scopes[text[:-1]] + ":"
        if re.fullmatch(r"[$\w]+:", text):
            found.append(Statement(line, text))
            continue
        for piece in re.findall(r"[^;]*;|[^;]+$", text):
            if not pending:
                start = line
                if not piece.strip().startswith("{%"):
                    piece = re.sub(r"^\s*[{}]\s*(?=[.\w@]|$)", "", piece)
            pending = f"{pending} {piece}".strip()
            if not pending.endswith(";"):
                continue
            whole, pending = pending[:-1].strip(), ""
            local = re.fullmatch(r"\.reg\s+\.(\w+)\s+([^%<]+)", whole)
            if local:
                declared.update((name.strip(), local[1]) for name in local[2].split(","))
            elif whole and not whole.startswith("."):
                named = re.sub(r"(\bbra\s+)(\w+)$", lambda m: m[1] + scopes.get(m[2], m[2]), whole)
                found.append(Statement(start, named))
    return found
