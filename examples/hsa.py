# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hierarchical sparse attention: a softmax inside each selected chunk, a weighted sum over them."""

import numpy as np

import ramify as rf
import ramify.language as rl


@rf.jit
def hsa(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    *,
    scale: float,
    softmax_n: rl.constexpr = 0.0,
):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):  # the hierarchical reduction
        p = rl.softmax(rl.dot(q, k[c]) * scale, n=softmax_n)
        out += weights[slot] * rl.dot(p, v[c])
    return out


if __name__ == "__main__":
    random = np.random.default_rng(0)
    q = random.standard_normal((1, 256, 16, 64), np.float32)
    k, v = random.standard_normal((2, 1, 256, 1, 64), np.float32)
    weights = random.random((1, 256, 1, 8), np.float32)
    indices = random.integers(-1, 4, (1, 256, 1, 8), np.int32)
    given = {"scale": 0.125, "chunk_size": 64}
    out = hsa(q, k, v, weights, indices, **given)
    error = np.abs(out - hsa.reference(q, k, v, weights, indices, **given)).max()
    print(f"hsa: largest difference from the reference {error:.1e}")
    assert error < 1e-5
