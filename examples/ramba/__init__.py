# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""RAMba: a recurrent model with random access to its whole past, on Ramify's kernels.

Hu et al., "Random Long-Context Access for Mamba via Hardware-aligned Hierarchical Sparse
Attention" (2025).
"""
