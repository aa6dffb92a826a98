# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ramify: a DSL and JIT compiler for hierarchical sparse attention kernels."""
