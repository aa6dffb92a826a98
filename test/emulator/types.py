# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names of types that PTX and plans use, and the NumPy types that hold their values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Lanes = NDArray[np.bool_] | None  # those that take part; None: all

LANES = np.arange(32)
SHARED_BASE = 1024  # where shared memory starts in its address space

SIZES = (1, 2, 4, 8)
OF_PTX = {
    **{
        f"{kind}{8 * size}": f"{'i' if kind == 's' else 'u'}{size}"
        for kind in "usb"
        for size in SIZES
    },
    "f32": "f4",
    "f64": "f8",
    "bf16": "u2",
    "f16": "f2",
    "pred": "?",
}


def dtype_of(kind: str) -> np.dtype[Any]:
    return np.dtype(OF_PTX[kind])
