# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Atomics and reductions: carried out lane by lane, and no part of the search for races."""

from __future__ import annotations

import numpy as np

from emulator.floats import halves, pack
from emulator.memory import Memory
from emulator.report import FaultError
from emulator.types import LANES, Array, Lanes, dtype_of


def reduce(
    memory: Memory, address: Array, values: list[Array], kind: str, mask: Lanes, where: str
) -> None:
    """`red.add` of one value of each lane, or of a vector of them."""
    if mask is not None:
        address, values = address[mask], [v[mask] for v in values]
    at = memory.places(address, 4 * len(values), where)
    for i, value in enumerate(values):
        words = at // 4 + i
        if not memory.written[words].all():
            memory.report.note(f"{memory.name} uninitialised reduction", where)
        if kind in ("f32", "u32", "s32"):
            np.add.at(memory.views[4].view(dtype_of(kind)), words, value)
        elif kind in ("bf16x2", "f16x2"):
            _add_pairs(memory.views[4], words, value, kind[:-2])
        else:
            raise FaultError(f"{where}: red of {kind}")


def _add_pairs(view: Array, words: Array, value: Array, kind: str) -> None:
    for i, word in enumerate(words):
        low, high = halves(kind, view[word : word + 1])
        more_low, more_high = halves(kind, value[i : i + 1])
        view[word] = pack(kind, high + more_high, low + more_low)[0]


def atomic(
    memory: Memory, address: Array, values: list[Array], operation: str, mask: Lanes, where: str
) -> Array:
    """What was there before, for each lane."""
    lanes = LANES if mask is None else np.flatnonzero(mask)
    dtype = values[0].dtype
    view, out = memory.views[dtype.itemsize].view(dtype), np.zeros(32, dtype)
    places = memory.places(address[lanes], dtype.itemsize, where) // dtype.itemsize
    for lane, at in zip(lanes, places, strict=True):
        old, given = view[at], [v[lane] for v in values]
        out[lane] = old
        if operation == "cas":
            view[at] = given[1] if old == given[0] else old
        elif operation == "exch":
            view[at] = given[0]
        elif operation == "add":
            view[at] = old + given[0]
        else:
            view[at] = {"min": min, "max": max}[operation](old, given[0])
    return out
