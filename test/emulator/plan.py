# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The text of a plan: sizes to be evaluated, and steps within loops and conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

FUNCTIONS: dict[str, Any] = {
    "__builtins__": {},
    "ceildiv": lambda a, b: -(-a // b),
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "min": min,
    "max": max,
}


@dataclass
class Step:
    """A line of a plan: a launch, say, or a loop or condition with steps of its own."""

    line: str
    body: list[Step] = field(default_factory=list)
    otherwise: list[Step] = field(default_factory=list)


def evaluate(text: str, symbols: dict[str, int]) -> int:
    """The value of a size or a condition; `x.dim0` is the symbol `x__dim0`."""
    text = re.sub(r"(\w)\.(\w)", r"\1__\2", text).replace("&&", " and ").replace("||", " or ")
    return int(eval(text, FUNCTIONS, symbols))


def listed(text: str) -> list[str]:
    """What the commas outside of parentheses separate."""
    out, depth, start = [], 0, 0
    for i, x in enumerate(text):
        depth += (x in "([") - (x in ")]")
        if x == "," and depth == 0:
            out.append(text[start:i].strip())
            start = i + 1
    return [*out, text[start:].strip()] if text.strip() else []


def parenthesised(text: str) -> tuple[str, str]:
    """What the parentheses at the start hold, and what follows them."""
    depth = 0
    for i, x in enumerate(text):
        depth += (x == "(") - (x == ")")
        if depth == 0:
            return text[1:i], text[i + 1 :].strip()
    raise ValueError(text)


def parenthesised_last(text: str) -> tuple[str, str]:
    """What precedes the parentheses at the end, and what they hold."""
    depth = 0
    for i in reversed(range(len(text))):
        depth += (text[i] == ")") - (text[i] == "(")
        if depth == 0:
            return text[:i].strip(), text[i + 1 : -1]
    raise ValueError(text)


def steps_of(lines: list[str]) -> list[Step]:
    """Takes the steps before a closing brace off `lines`."""
    steps: list[Step] = []
    while lines and not lines[0].startswith("}"):
        line = lines.pop(0)
        if line.startswith(("for ", "if ", "do ")):
            step = Step(line, steps_of(lines))
            if lines.pop(0).startswith("} else"):
                step.otherwise = steps_of(lines)
                lines.pop(0)
            steps.append(step)
        else:
            while line.startswith("launch") and not complete(line, lines):
                line += " " + lines.pop(0)
            steps.append(Step(line))
    return steps


def complete(launch: str, rest: list[str]) -> bool:
    """Whether a launch, which may take several lines, ends before `rest`."""
    if launch.count("(") != launch.count(")") or not launch.endswith(")"):
        return False
    return not rest or not rest[0].startswith("(")
