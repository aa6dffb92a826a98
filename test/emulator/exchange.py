# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Exchange between the lanes of a warp: shfl and vote."""

from __future__ import annotations

import numpy as np

from emulator.types import LANES, Array, Lanes


def shuffle(mode: str, value: Array, other: Array, clamp: int) -> Array:
    """`clamp` holds the last lane of a segment, and the bits that name a segment."""
    segment, limit = (clamp >> 8) & 31, clamp & 31
    b = other.astype(np.int64) & 31
    low = LANES & segment
    last = low | (limit & ~segment)
    source = {
        "bfly": LANES ^ b,
        "idx": low | (b & ~segment),
        "up": LANES - b,
        "down": LANES + b,
    }[mode]
    fits = source >= last if mode == "up" else source <= last
    taken: Array = value[np.where(fits, source & 31, LANES)]
    return taken


def vote(mode: str, value: Array, mask: Lanes) -> Array:
    own = value if mask is None else value & mask
    if mode == "ballot":
        bits = int((own.astype(np.uint64) << LANES.astype(np.uint64)).sum())
        return np.full(32, bits, np.uint32)
    if mode == "any":
        return np.full(32, own.any(), np.bool_)
    return np.full(32, (own if mask is None else own | ~mask).all(), np.bool_)
