# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A block of threads: its shared memory, and its warps in any order between barriers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emulator.heap import Heap
from emulator.kernel import Kernel
from emulator.memory import Memory
from emulator.report import FaultError, Report
from emulator.types import SHARED_BASE, Array
from emulator.warp import Warp


@dataclass
class Launch:
    """What the blocks of a launch have in common; `start` is the time when it began."""

    kernel: Kernel
    threads: int
    shared_bytes: int
    parameters: dict[tuple[str, str], Array]
    heap: Heap
    report: Report
    random: np.random.Generator
    start: int


class Cta:
    def __init__(self, launch: Launch, place: tuple[int, int, int], start: int) -> None:
        self.launch, self.start, self.launch_start = launch, start, launch.start
        self.heap, self.report, self.parameters = launch.heap, launch.report, launch.parameters
        self.cta = [np.full(32, x, np.uint32) for x in place]
        self.ntid = np.full(32, launch.threads, np.uint32)
        self.clock = 1
        self.fences = np.zeros(launch.threads, np.int64)  # the clock at each thread's last
        self.shared = Memory("shared", SHARED_BASE, max(launch.shared_bytes, 16), launch.report)
        self.shared.valid[: launch.shared_bytes] = True
        self.shared.bytes[:] = launch.random.integers(0, 256, self.shared.bytes.size, np.uint8)
        self.warps = [Warp(self, i, launch.kernel) for i in range(launch.threads // 32)]

    def junk(self, dtype: np.dtype[Any]) -> Array:
        if dtype == np.bool_:
            return self.launch.random.integers(0, 2, 32).astype(np.bool_)
        octets = self.launch.random.integers(0, 256, 32 * dtype.itemsize, np.uint8)
        return octets.view(dtype)

    def run(self) -> int:
        """Returns the time behind the last barrier."""
        runs = [warp.run() for warp in self.warps]
        while True:
            ended = []
            for i in self.launch.random.permutation(len(runs)):
                try:
                    next(runs[i])
                except StopIteration:
                    ended.append(int(i))
            if len(ended) == len(runs):
                return self.start + max(warp.barriers for warp in self.warps) + 1
            if ended:
                raise FaultError(f"{self.launch.kernel.name}: warps {ended} end where others wait")
