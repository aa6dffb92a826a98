# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Executes the source of a function in NumPy float64, one query block at a time."""
