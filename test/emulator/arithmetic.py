# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions on integers and bits that NumPy has no operator for."""

from __future__ import annotations

import numpy as np

from emulator.types import Array


def shl(x: Array, amount: Array, width: int) -> Array:
    clamped = np.minimum(amount, np.uint32(width)).astype(np.int64)
    shifted: Array = x << np.minimum(clamped, width - 1).astype(x.dtype)
    shifted[clamped >= width] = 0
    return shifted


def shr(x: Array, amount: Array, width: int) -> Array:
    """Shifts by the width or more leave the sign."""
    clamped = np.minimum(amount, np.uint32(width)).astype(np.int64)
    shifted: Array = x >> np.minimum(clamped, width - 1).astype(x.dtype)
    if x.dtype.kind != "i":
        shifted[clamped >= width] = 0
    return shifted


def div(x: Array, y: Array) -> Array:
    """Towards zero; of a division by zero, all bits are set."""
    safe = np.where(y == 0, y.dtype.type(1), y)
    if x.dtype.kind == "i":
        quotient: Array = np.trunc(x.astype(np.longdouble) / safe).astype(x.dtype)
    else:
        quotient = x // safe
    quotient[y == 0] = -1 if x.dtype.kind == "i" else np.iinfo(x.dtype).max
    return quotient


def rem(x: Array, y: Array) -> Array:
    return np.where(y == 0, x, x - y * div(x, y))


def bfe(x: Array, position: int, length: int) -> Array:
    """`length` bits from `position` on."""
    width = 8 * x.dtype.itemsize
    field: Array = (x << x.dtype.type(width - position - length)) >> x.dtype.type(width - length)
    return field


def popc(x: Array) -> Array:
    bits = np.unpackbits(np.ascontiguousarray(x).view(np.uint8).reshape(32, -1), axis=1)
    counts: Array = bits.sum(1).astype(np.uint32)
    return counts


def clz(x: Array) -> Array:
    bits = np.unpackbits(np.ascontiguousarray(x.byteswap()).view(np.uint8).reshape(32, -1), axis=1)
    zeros: Array = np.where(bits.any(1), bits.argmax(1), bits.shape[1]).astype(np.uint32)
    return zeros


def brev(x: Array) -> Array:
    octets = np.ascontiguousarray(x).view(np.uint8).reshape(32, -1)
    bits = np.unpackbits(octets, axis=1, bitorder="little")[:, ::-1]
    return np.packbits(bits, axis=1, bitorder="little").reshape(-1).view(x.dtype)


def join(low: Array, high: Array) -> Array:
    """Registers of twice the width."""
    both = np.ascontiguousarray(np.stack([low, high], 1)).reshape(-1)
    return both.view(f"u{2 * low.dtype.itemsize}")


def parts(x: Array) -> tuple[Array, Array]:
    """The low and the high halves of registers."""
    both = np.ascontiguousarray(x).view(f"u{x.dtype.itemsize // 2}").reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def to_int(x: Array, dtype: str) -> Array:
    """Whole numbers to integers: what does not fit becomes what fits best."""
    limits = np.iinfo(np.dtype(dtype))
    return np.clip(np.nan_to_num(x.astype(np.float64)), limits.min, limits.max).astype(dtype)
