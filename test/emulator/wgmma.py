# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""wgmma: products of matrices that descriptors of shared memory name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.floats import WIDEN
from emulator.fragments import add_product, left16
from emulator.report import UnsupportedError
from emulator.types import Array

if TYPE_CHECKING:
    from emulator.warp import Warp


class Operand(NamedTuple):
    """Words of shared memory that a product reads until it is waited for."""

    words: Array
    values: Array
    where: str


class Products:
    """The products that a warp has started. Results are there at once."""

    def __init__(self, warp: Warp) -> None:
        self.warp = warp
        self.open: list[Operand] = []
        self.groups: list[list[Operand]] = []

    def start(
        self,
        kind: str,
        c: list[Array],
        left: list[Array] | np.uint64,
        right: np.uint64,
        scale: bool,
        columns: int,
        across: tuple[bool, bool],
        where: str,
    ) -> list[Array]:
        """Registers of c + left @ right, or of the product alone where `scale` is false."""
        if not scale:
            c = [np.zeros(32, np.float32)] * len(c)
        if isinstance(left, list):
            rows = left16(kind, left)
        else:  # each warp of four has its 16 rows
            first = 16 * (self.warp.number % 4)
            rows = self.operand(kind, left, 64, across[0], where, slice(first, first + 16))
        return add_product(rows, self.operand(kind, right, columns, across[1], where).T, c)

    def operand(
        self,
        kind: str,
        descriptor: np.uint64,
        rows: int,
        across: bool,
        where: str,
        own: slice = slice(None),
    ) -> Array:
        shared = self.warp.block.shared
        address = places_of(int(descriptor), rows, across)[own]
        at = shared.places(address.reshape(-1), 2, where)
        words = np.unique(at >> 2)
        self.check(words, where, proxy=True)
        self.open.append(Operand(words, shared.views[4][words].copy(), where))
        return WIDEN[kind](shared.views[2][at // 2]).reshape(address.shape)

    def check(self, words: Array, where: str, proxy: bool = False) -> None:
        """That the warp may read `words` of shared memory."""
        reader = np.full(words.size, self.warp.threads[0] | 31, np.int32)
        self.warp.block.shared.check_read(self.warp, words << 2, 4, reader, where, proxy=proxy)

    def commit(self) -> None:
        self.groups.append(self.open)
        self.open = []

    def wait(self, pending: int) -> None:
        """Until at most `pending` groups are under way; their operands must be as they were."""
        shared = self.warp.block.shared
        while len(self.groups) > pending:
            for words, values, where in self.groups.pop(0):
                self.check(words, where)
                if (shared.views[4][words] != values).any():
                    shared.report.note("shared race: operand of wgmma overwritten", where)


def places_of(descriptor: int, rows: int, across: bool) -> Array:
    """Addresses of the 16-bit elements of `rows` x 16 (outer, contracted)."""
    start, leading, stride = ((descriptor >> s & 0x3FFF) * 16 for s in (0, 16, 32))
    if descriptor >> 62 != 1 or descriptor >> 49 & 7:
        raise UnsupportedError("another layout of wgmma than the swizzle of 128 bytes")
    outer, inner = np.arange(rows)[:, None], np.arange(16)[None, :]
    if across:  # a row of 128 bytes has 64 outer elements
        rows_at = outer // 64 * leading + inner // 8 * stride
        at = start + rows_at + inner % 8 * 128 + outer % 64 * 2
    else:
        at = start + outer // 8 * stride + outer % 8 * 128 + inner * 2
    return at ^ ((at >> 3) & 0x70)
