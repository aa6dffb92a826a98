# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A warp: registers of its 32 lanes, and how the lanes go through the code of a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from emulator.blocks import Barrier, Branch, Fall
from emulator.copies import Copies
from emulator.report import FaultError
from emulator.types import LANES, Array, Lanes
from emulator.wgmma import Products

if TYPE_CHECKING:
    from emulator.cta import Cta
    from emulator.kernel import Kernel


class Warp:
    def __init__(self, block: Cta, number: int, kernel: Kernel) -> None:
        self.block, self.number, self.kernel = block, number, kernel
        self.lane = LANES.astype(np.uint32)
        self.tid = (LANES + 32 * number).astype(np.uint32)
        self.threads = self.tid.astype(np.int32)
        self.registers = [block.junk(d) for d in kernel.operands.dtypes]
        self.syncs, self.barriers = 0, 0
        self.copies, self.products = Copies(self), Products(self)
        self.alive = np.ones(32, np.bool_)

    @property
    def time(self) -> int:
        return self.block.start + self.barriers

    def run(self) -> Iterator[None]:
        """Yields at barriers. Lanes that part go on in the order of the code."""
        kernel = self.kernel
        groups = [(0, np.ones(32, np.bool_))]  # by place, ascending
        while groups:
            # Lanes that others have to meet wait for them before the block.
            ready = (
                i
                for i, (at, mask) in enumerate(groups)
                if at not in kernel.meets or (mask == self.alive).all()
            )
            at, mask = groups.pop(next(ready, 0))
            plain, some = kernel.code[at]
            if mask.all():
                plain(self, self.registers, None)
            else:
                some(self, self.registers, mask)
            end = kernel.ends[at]
            if isinstance(end, Barrier):
                self.meet(mask, f"{kernel.name}:{end.line} bar.sync")
                yield
                self.barriers += 1
                self.syncs += 1
            groups = merge(groups, self.successors(at, mask))
        if self.copies.under_way():
            self.block.report.note("copies not waited for", kernel.name)

    def successors(self, at: int, mask: Array) -> list[tuple[int, Array]]:
        """Where lanes go from block `at`."""
        end = self.kernel.ends[at]
        if isinstance(end, Branch):
            if end.predicate is None:
                return [(end.target, mask)]
            taken = self.registers[end.predicate] ^ end.negated
            ways = [(end.target, mask & taken), (at + 1, mask & ~taken)]
            return [(place, lanes) for place, lanes in ways if lanes.any()]
        if isinstance(end, Fall | Barrier):
            return [(at + 1, mask)]
        self.alive = self.alive & ~mask
        return []

    def meet(self, mask: Lanes, where: str) -> None:
        """All lanes that have not ended must be here."""
        if mask is not None and not (mask == self.alive).all():
            here, alive = np.flatnonzero(mask), np.flatnonzero(self.alive)
            raise FaultError(f"{where}: lanes {here} of {alive} meet")

    def proxy_fence(self, mask: Lanes) -> None:
        """What these lanes wrote may be read by wgmma."""
        threads = self.threads if mask is None else self.threads[mask]
        self.block.clock += 1
        self.block.fences[threads] = self.block.clock


def merge(groups: list[tuple[int, Array]], new: list[tuple[int, Array]]) -> list[tuple[int, Array]]:
    """Lanes that are at the same place go on together."""
    by_place = dict(groups)
    for place, lanes in new:
        by_place[place] = by_place[place] | lanes if place in by_place else lanes
    return sorted(by_place.items(), key=lambda group: group[0])
