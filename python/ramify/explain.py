# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call will do, in words and numbers, before it runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from . import _runtime
from .frontend import Role, Signature

_FUNCTIONS = {
    "ceildiv": lambda a, b: -(-a // b),
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "min": min,
    "max": max,
    "__builtins__": {},
}
_LAUNCH = re.compile(
    r'launch "(?P<kernel>[^"]+)"\s+grid \((?P<grid>.*?)\) block (?P<block>\d+)'
    r"(?: shared (?P<shared>\d+))?",
    re.DOTALL,
)


def explain(
    signature: Signature,
    executable: _runtime.Executable,
    request: Mapping[str, Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> str:
    """The schedule, launches, arithmetic and memory of one call."""
    plan = executable.plan
    given = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
    sizes = _sizes(plan.text, given)
    lines = [f"{signature.name} on {plan.backend}, schedule {plan.notes.get('schedule', '?')}"]
    info = {kernel["name"]: kernel for kernel in executable.kernel_info}
    for match in _LAUNCH.finditer(plan.text):
        grid = [int(eval(e, _FUNCTIONS, sizes)) for e in _split(match["grid"])]
        text = f"  launch {match['kernel']}: grid {tuple(grid)} = {math.prod(grid)} programs"
        if plan.backend == "cuda":
            text += f" of {match['block']} threads, {match['shared'] or 0} bytes shared"
            text += f", {info[match['kernel']]['registers']} registers" if info else ""
        lines.append(text)
    lines += [f"  sizes: {', '.join(f'{k} = {v}' for k, v in sizes.items() if '.' not in k)}"]
    return "\n".join([*lines, *_traffic(signature, given, plan.text)])


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no parentheses."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()]


def _sizes(text: str, given: Mapping[str, Any]) -> dict[str, int]:
    """The plan's named sizes, from the shapes of the arguments."""
    sizes: dict[str, int] = {"sms": 1}
    for name, shape in re.findall(r"^array (\S+) \S+ \[(.*?)\]", text, re.MULTILINE):
        actual = getattr(given.get(name), "shape", ())
        sizes |= {
            symbol: int(size)
            for symbol, size in zip(_split(shape), actual, strict=False)
            if not symbol.isdigit()
        }
    return sizes


def _traffic(signature: Signature, given: Mapping[str, Any], text: str) -> list[str]:
    """Bytes that are read and written at least, and workspace."""
    arrays = [given[p.name] for p in signature.arrays if hasattr(given.get(p.name), "nbytes")]
    lines = [f"  arguments: {sum(int(a.nbytes) for a in arrays) / 2**20:.1f} MiB"]
    selections = [given[p.name] for p in signature.of_role(Role.INDICES)]
    for indices in selections:
        slots = math.prod(indices.shape)
        lines.append(f"  visits: {slots} slots at most, each one chunk of keys and values")
    workspace = len(re.findall(r"^workspace ", text, re.MULTILINE))
    lines.append(f"  workspace: {workspace} buffers" if workspace else "  workspace: none")
    return lines
