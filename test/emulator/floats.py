# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Floating-point formats of 16 bits as bits, and tf32."""

from __future__ import annotations

import numpy as np

from emulator.types import Array


def from_bf16(x: Array) -> Array:
    return (x.astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_bf16(x: Array) -> Array:
    """Rounds to nearest, ties to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint32(0x7FFF), rounded).astype(np.uint16)


def from_f16(x: Array) -> Array:
    return x.view(np.float16).astype(np.float32)


def to_f16(x: Array) -> Array:
    return x.astype(np.float16).view(np.uint16)


def from_tf32(x: Array) -> Array:
    """Hardware ignores the low bits of what it is given."""
    return (x & np.uint32(0xFFFFE000)).view(np.float32)


WIDEN = {"bf16": from_bf16, "f16": from_f16}
NARROW = {"bf16": to_bf16, "f16": to_f16}


def pack(kind: str, high: Array, low: Array) -> Array:
    """Registers of two values each."""
    narrow = NARROW[kind]
    packed: Array = (narrow(high).astype(np.uint32) << np.uint32(16)) | narrow(low)
    return packed


def halves(kind: str, x: Array) -> tuple[Array, Array]:
    """The low and the high value of each register."""
    both = np.ascontiguousarray(x).view(np.uint16).reshape(-1, 2)
    return WIDEN[kind](both[:, 0].copy()), WIDEN[kind](both[:, 1].copy())


def fma2(kind: str, a: Array, b: Array, c: Array) -> Array:
    """`fma.rn` of both halves of registers."""
    (a0, a1), (b0, b1), (c0, c1) = (halves(kind, x) for x in (a, b, c))
    low, high = a0.astype(np.float64) * b0 + c0, a1.astype(np.float64) * b1 + c1
    return pack(kind, high.astype(np.float32), low.astype(np.float32))
