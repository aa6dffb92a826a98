# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matrices that the lanes of a warp hold together, as mma and wgmma take and give them."""

from __future__ import annotations

import numpy as np

from emulator.floats import from_tf32, halves
from emulator.types import LANES, Array

ROW, PAIR = LANES // 4, LANES % 4


def left16(kind: str, a: list[Array]) -> Array:
    """16 x 16 of four registers, the left operand of m16n8k16."""
    out = np.empty((16, 16), np.float32)
    for i, x in enumerate(a):
        row, column = ROW + 8 * (i & 1), 2 * PAIR + 8 * (i >> 1)
        out[row, column], out[row, column + 1] = halves(kind, x)
    return out


def right16(kind: str, b: list[Array]) -> Array:
    """16 x 8 of two registers, the right operand of m16n8k16."""
    out = np.empty((16, 8), np.float32)
    for i, x in enumerate(b):
        out[2 * PAIR + 8 * i, ROW], out[2 * PAIR + 1 + 8 * i, ROW] = halves(kind, x)
    return out


def left8(a: list[Array]) -> Array:
    """16 x 8 of four registers, the left operand of m16n8k8 in tf32."""
    out = np.empty((16, 8), np.float32)
    for i, x in enumerate(a):
        out[ROW + 8 * (i & 1), PAIR + 4 * (i >> 1)] = from_tf32(x)
    return out


def right8(b: list[Array]) -> Array:
    """8 x 8 of two registers, the right operand of m16n8k8 in tf32."""
    out = np.empty((8, 8), np.float32)
    for i, x in enumerate(b):
        out[PAIR + 4 * i, ROW] = from_tf32(x)
    return out


def add_product(left: Array, right: Array, c: list[Array]) -> list[Array]:
    """Registers of c + left @ right, eight columns for four of them."""
    product = left.astype(np.float64) @ right.astype(np.float64)
    return [
        (x + product[ROW + 8 * (i % 4 >> 1), 8 * (i // 4) + 2 * PAIR + (i & 1)]).astype(np.float32)
        for i, x in enumerate(c)
    ]


def transpose(x: Array) -> Array:
    """movmatrix: 8 x 8 of one register."""
    both = x.view(np.uint16).reshape(8, 8)
    return np.ascontiguousarray(both.T).reshape(-1).view(np.uint32)
