# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Global memory, from which arrays are allocated with gaps between them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from emulator.memory import Memory
from emulator.report import Report
from emulator.types import Array

GAP = 1024


class Heap(Memory):
    # Blocks may set flags and the like to the same value: others may see either.
    unchanged_counts = False

    def __init__(self, size: int, report: Report) -> None:
        super().__init__("global", 0x7F0000000000, size, report)
        self.used = 4 * GAP

    def allocate(self, size: int, junk: np.random.Generator | None = None) -> int:
        """The address of `size` bytes, which `junk` fills."""
        at = -(-self.used // 256) * 256
        self.used = at + size + GAP
        if self.used > self.bytes.size:
            raise MemoryError("the heap is too small")
        self.valid[at : at + size] = True
        if junk is not None:
            self.bytes[at : at + size] = junk.integers(0, 256, size, np.uint8)
        return self.base + at

    def array(self, address: int, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
        at = address - self.base
        return self.bytes[at : at + prod(shape) * dtype.itemsize].view(dtype).reshape(shape)

    def initialise(self, address: int, size: int) -> None:
        """Says that these bytes were written before the kernels."""
        at = (address - self.base) >> 2
        self.written[at : at + -(-size // 4)] = True
