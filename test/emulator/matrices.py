# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ldmatrix and stmatrix: 8 x 8 matrices of 16 bits between shared memory and registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.types import Array

if TYPE_CHECKING:
    from emulator.warp import Warp


def load(warp: Warp, address: Array, count: int, across: bool, where: str) -> list[Array]:
    """A register for each matrix; the first lanes give the addresses of its rows."""
    shared = warp.block.shared
    rows = shared.places(address[: 8 * count], 16, where)
    shared.check_read(warp, rows, 16, warp.threads[: 8 * count], where)
    out = []
    for i in range(count):
        matrix = shared.views[2][rows[8 * i : 8 * i + 8, None] // 2 + np.arange(8)]
        matrix = matrix.T if across else matrix
        out.append(np.ascontiguousarray(matrix).reshape(-1).view(np.uint32))
    return out


def store(warp: Warp, address: Array, values: list[Array], across: bool, where: str) -> None:
    shared, count = warp.block.shared, len(values)
    rows = shared.places(address[: 8 * count], 16, where)
    words, threads = shared.check_write(warp, rows, 16, warp.threads[: 8 * count], where)
    for i, value in enumerate(values):
        matrix = np.ascontiguousarray(value).view(np.uint16).reshape(8, 8)
        place = rows[8 * i : 8 * i + 8, None] // 2 + np.arange(8)
        shared.views[2][place] = matrix.T if across else matrix
    shared.mark(warp, words, threads)
