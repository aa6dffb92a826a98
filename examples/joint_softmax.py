# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One softmax over the keys of all selected chunks (NSA, MoBA), the own chunk masked causally."""

import numpy as np

import ramify as rf
import ramify.language as rl


@rf.jit
def joint_softmax(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float
):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        s = rl.dot(q, k[c]) * scale
        acc.merge(rl.where(rl.positions(k, c) <= rl.query_position(), s, -rl.inf), v[c])
    return acc.value, acc.lse


if __name__ == "__main__":
    random = np.random.default_rng(0)
    q = random.standard_normal((1, 256, 16, 64), np.float32)
    k, v = random.standard_normal((2, 1, 256, 1, 64), np.float32)
    own = np.arange(256) // 32  # each query selects its own chunk and three before it
    back = own[:, None] - np.arange(4)
    indices = back.astype(np.int32).reshape(1, 256, 1, 4)
    given = {"scale": 0.125, "chunk_size": 32}
    value, lse = joint_softmax(q, k, v, indices, **given)
    expected, expected_lse = joint_softmax.reference(q, k, v, indices, **given)
    errors = np.abs(value - expected).max(), np.abs(lse - expected_lse).max()
    print(f"joint softmax: largest difference from the reference {max(errors):.1e}")
    assert max(errors) < 1e-5
