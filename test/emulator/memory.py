# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory of the emulated GPU: arrays of words that know who wrote and read them, and when.

Threads of different warps are ordered by barriers of the block, those of a warp also by
`bar.warp.sync`. What neither orders is reported as a race, whatever order the emulator ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.report import FaultError, Report
from emulator.types import Array, Lanes

if TYPE_CHECKING:
    from emulator.warp import Warp

# Who read or wrote a word: the number of a thread in its block, or one of these. Several lanes of
# one warp are known by its last.
NOBODY, SEVERAL_WARPS = -1, -2


class Memory:
    """`size` bytes from address `base` on."""

    unchanged_counts = True  # whether to write what is there already is a write for others

    def __init__(self, name: str, base: int, size: int, report: Report) -> None:
        self.name, self.base, self.report = name, base, report
        size = -(-size // 16) * 16
        words = size // 4
        self.bytes = np.zeros(size, np.uint8)
        self.views: dict[int, Array] = {n: self.bytes.view(f"u{n}") for n in (1, 2, 4, 8)}
        self.valid = np.zeros(size, np.bool_)
        self.written = np.zeros(words, np.bool_)
        self.writer, self.reader = (np.full(words, NOBODY, np.int32) for _ in range(2))
        # Times count barriers through all blocks; syncs count the barriers of a warp.
        self.write_time, self.read_time = np.zeros(words, np.int64), np.zeros(words, np.int64)
        self.write_sync, self.read_sync = np.zeros(words, np.int64), np.zeros(words, np.int64)
        self.stamp = np.zeros(words, np.int64)  # orders writes and proxy fences

    def places(self, address: Array, size: int, where: str) -> Array:
        """Where accesses of `size` bytes begin within the memory."""
        at = address.astype(np.int64) - self.base
        if at.size and (at.min() < 0 or at.max() + size > self.bytes.size):
            raise FaultError(f"{self.name}: address outside at {where}: {at} of {self.bytes.size}")
        if (at & (size - 1)).any():
            raise FaultError(f"{self.name}: misaligned access of {size} bytes at {where}: {at}")
        if not (self.valid[at] & self.valid[at + size - 1]).all():
            raise FaultError(f"{self.name}: wild access of {size} bytes at {where}: {at}")
        return at

    def load(
        self,
        warp: Warp,
        address: Array,
        mask: Lanes,
        size: int,
        count: int,
        where: str,
        constant: bool = False,
    ) -> list[Array]:
        """`count` values of `size` bytes for each lane; `constant` is `ld.global.nc`."""
        threads = warp.threads
        if mask is not None:
            address, threads = address[mask], threads[mask]
        at = self.places(address, size * count, where)
        self.check_read(warp, at, size * count, threads, where, constant=constant)
        out = []
        for i in range(count):
            value = self.views[size][at // size + i]
            if mask is not None:
                wide = np.zeros(32, value.dtype)
                wide[mask] = value
                value = wide
            out.append(value)
        return out

    def store(
        self, warp: Warp, address: Array, mask: Lanes, size: int, values: list[Array], where: str
    ) -> None:
        threads = warp.threads
        if mask is not None:
            address, threads, values = address[mask], threads[mask], [v[mask] for v in values]
        total = size * len(values)
        at = self.places(address, total, where)
        new = np.stack(values, 1) if len(values) > 1 else values[0][:, None]
        words, threads = self.check_write(
            warp, at, total, threads, where, new if size == 4 else None
        )
        if size == 4 and not self.unchanged_counts:
            changed = (self.views[4][words] != new.reshape(-1)) | ~self.written[words]
            words, threads = words[changed], threads[changed]
        for i, value in enumerate(values):
            place = at // size + i
            self.views[size][place] = value
            if (self.views[size][place] != value).any():
                self.report.note(f"{self.name} race: lanes write different values to a word", where)
        self.mark(warp, words, threads)

    def words(self, at: Array, size: int, threads: Array) -> tuple[Array, Array]:
        """The words of accesses of `size` bytes, and the thread of each."""
        if size <= 4:
            return at >> 2, threads
        words = ((at >> 2)[:, None] + np.arange(size // 4)).reshape(-1)
        return words, np.repeat(threads, size // 4)

    def check_read(
        self,
        warp: Warp,
        at: Array,
        size: int,
        threads: Array,
        where: str,
        constant: bool = False,
        proxy: bool = False,
    ) -> None:
        """Notes what forbids the read; `proxy` is a read by wgmma."""
        words, threads = self.words(at, size, threads)
        missing = ~self.written[words]
        if missing.any():
            self.report.note(f"{self.name} uninitialised read", where, missing.sum())
        writer, time = self.writer[words], self.write_time[words]
        somebody = writer != NOBODY
        fresh = (time >= warp.block.start) & somebody
        launched = time >= warp.block.launch_start
        if constant and launched.any():
            self.report.note(f"{self.name} race: .nc read of what the launch writes", where)
        if (launched & ~fresh & somebody).any():
            self.report.note(f"{self.name} race: read after write by another block", where)
        self.check_order(
            warp,
            words,
            threads,
            writer,
            self.write_time,
            self.write_sync,
            "read after write",
            where,
        )
        if proxy and (fresh & (self.stamp[words] > warp.block.fences[np.maximum(writer, 0)])).any():
            self.report.note(f"{self.name} race: no proxy fence after write", where)
        self.mark_read(warp, words, threads)

    def mark_read(self, warp: Warp, words: Array, threads: Array) -> None:
        before = self.reader[words]
        again = (self.read_time[words] == warp.time) & (before != threads)
        # What lanes of this warp read before its last barrier is ordered, as this read is.
        again &= (before >> 5 != threads >> 5) | (self.read_sync[words] == warp.syncs)
        several = np.where(before >> 5 == threads >> 5, threads | 31, SEVERAL_WARPS)
        self.reader[words] = np.where(again, several, threads)
        # Lanes of this instruction that read the same word.
        mixed = self.reader[words] != threads
        if mixed.any():
            known = self.reader[words[mixed]]
            self.reader[words[mixed]] = np.where(
                known == SEVERAL_WARPS, SEVERAL_WARPS, threads[mixed] | 31
            )
        self.read_time[words], self.read_sync[words] = warp.time, warp.syncs

    def check_write(
        self,
        warp: Warp,
        at: Array,
        size: int,
        threads: Array,
        where: str,
        values: Array | None = None,
    ) -> tuple[Array, Array]:
        """The words and threads of a write. To write the `values` that are there is no race."""
        words, threads = self.words(at, size, threads)
        differs = None if values is None else self.views[4][words] != values.reshape(-1)
        for kind, who, times, syncs in (
            ("write", self.writer, self.write_time, self.write_sync),
            ("read", self.reader, self.read_time, self.read_sync),
        ):
            name = f"write after {kind}"
            self.check_order(warp, words, threads, who[words], times, syncs, name, where, differs)
            time = times[words]
            foreign = (time >= warp.block.launch_start) & (time < warp.block.start)
            foreign &= who[words] != NOBODY
            if differs is not None:
                foreign &= differs
            if foreign.any():
                self.report.note(f"{self.name} race: {name} by another block", where)
        return words, threads

    def check_order(
        self,
        warp: Warp,
        words: Array,
        threads: Array,
        who: Array,
        times: Array,
        syncs: Array,
        kind: str,
        where: str,
        differs: Array | None = None,
    ) -> None:
        """Notes accesses of `who` that no barrier separates from one now."""
        near = (times[words] == warp.time) & (who != NOBODY) & (who != threads)
        if differs is not None:
            near &= differs
        if not near.any():
            return
        across = near & ((who == SEVERAL_WARPS) | (who >> 5 != threads >> 5))
        if across.any():
            self.report.note(f"{self.name} race: {kind} between warps", where, across.sum())
        within = near & ~across & (syncs[words] == warp.syncs)
        if within.any():
            self.report.note(f"{self.name} race: {kind} in a warp", where, within.sum())

    def mark(self, warp: Warp, words: Array, threads: Array) -> None:
        """Notes who wrote `words`."""
        self.writer[words], self.write_time[words] = threads, warp.time
        self.write_sync[words] = warp.syncs
        self.written[words] = True
        warp.block.clock += 1
        self.stamp[words] = warp.block.clock
