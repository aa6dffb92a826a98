# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ready-made variants, written in the language: read them to learn it."""

from .hsa import hsa, hsa_kernel
from .select import select, select_kernel

__all__ = ["hsa", "hsa_kernel", "select", "select_kernel"]
