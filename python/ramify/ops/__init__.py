# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ready-made variants, written in the language: read them to learn it."""

from .gca import gca, gca_kernel, gca_select, gca_select_kernel
from .hils import hils, hils_kernel, hils_select_kernel
from .hsa import hsa, hsa_kernel
from .moba import moba, moba_kernel
from .select import select, select_kernel
from .sliding_hsa import sliding_hsa, sliding_hsa_kernel
from .sliding_window import listed_window_kernel, sliding_window, sliding_window_kernel

__all__ = [
    "gca",
    "gca_kernel",
    "gca_select",
    "gca_select_kernel",
    "hils",
    "hils_kernel",
    "hils_select_kernel",
    "hsa",
    "hsa_kernel",
    "listed_window_kernel",
    "moba",
    "moba_kernel",
    "select",
    "select_kernel",
    "sliding_hsa",
    "sliding_hsa_kernel",
    "sliding_window",
    "sliding_window_kernel",
]
