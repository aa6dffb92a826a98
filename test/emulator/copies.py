# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cp.async: copies from global to shared memory that arrive when they are waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.types import Array, Lanes

if TYPE_CHECKING:
    from emulator.warp import Warp


class Copy(NamedTuple):
    """`size` bytes for each lane of `mask`: the first `kept` of the source, then zeros."""

    target: Array
    source: Array
    size: int
    kept: Array
    mask: Array
    where: str


class Copies:
    """The copies that a warp has started."""

    def __init__(self, warp: Warp) -> None:
        self.warp = warp
        self.open: list[Copy] = []
        self.groups: list[list[Copy]] = []

    def start(
        self, target: Array, source: Array, size: int, kept: Array | None, mask: Lanes, where: str
    ) -> None:
        """Checks the addresses, and that the target may be written from now on."""
        warp, block = self.warp, self.warp.block
        mask = np.ones(32, np.bool_) if mask is None else mask.copy()
        kept = np.full(32, size, np.uint32) if kept is None else kept
        at = block.shared.places(target[mask], size, where)
        block.shared.check_write(warp, at, size, warp.threads[mask], where)
        reading = mask & (kept > 0)
        if reading.any():
            block.heap.places(source[reading], size, where)
        self.open.append(Copy(target.copy(), source.copy(), size, kept.copy(), mask, where))

    def commit(self) -> None:
        self.groups.append(self.open)
        self.open = []

    def wait(self, pending: int) -> None:
        """Until at most `pending` groups are under way."""
        while len(self.groups) > pending:
            for copy in self.groups.pop(0):
                self.deliver(copy)

    def deliver(self, copy: Copy) -> None:
        warp, shared, heap = self.warp, self.warp.block.shared, self.warp.block.heap
        threads, kept = warp.threads[copy.mask], copy.kept[copy.mask].astype(np.int64)
        at = shared.places(copy.target[copy.mask], copy.size, copy.where)
        source = copy.source[copy.mask].astype(np.int64) - heap.base
        data = np.zeros((at.size, copy.size), np.uint8)
        for amount in np.unique(kept[kept > 0]):
            rows = np.flatnonzero(kept == amount)
            heap.check_read(warp, source[rows], max(int(amount), 4), threads[rows], copy.where)
            data[rows, :amount] = heap.bytes[source[rows, None] + np.arange(amount)]
        words, threads = shared.check_write(warp, at, copy.size, threads, copy.where)
        shared.bytes[at[:, None] + np.arange(copy.size)] = data
        shared.mark(warp, words, threads)

    def under_way(self) -> bool:
        return bool(self.open) or any(self.groups)
