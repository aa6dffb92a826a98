# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A sliding window and a sink in one online softmax, with a slope per head (ALiBi)."""

import numpy as np

import ramify as rf
import ramify.language as rl


@rf.jit
def scores(q, kc, distance, slope, scale):
    return rl.dot(q, kc) * scale - slope * distance


@rf.jit
def alibi_window(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, slope: rl.Tensor["head"], *, scale: float, last: int
):
    acc = rl.online_softmax(q, v)
    near = rl.window(k, last=last)
    for c in near:
        distance = rl.query_position() - rl.positions(k, c)
        acc.merge(scores(q, k[c], distance, slope, scale), v[c])
    for c in rl.first(k, keys=4, outside=near):
        s = scores(q, k[c], last, slope, scale)
        acc.merge(rl.where(rl.positions(k, c) <= rl.query_position(), s, -rl.inf), v[c])
    return acc.value


if __name__ == "__main__":
    random = np.random.default_rng(0)
    q = random.standard_normal((1, 256, 16, 64), np.float32)
    k, v = random.standard_normal((2, 1, 256, 4, 64), np.float32)
    slope = 2.0 ** -np.linspace(0.5, 8, 16, dtype=np.float32)
    given = {"scale": 0.125, "last": 100, "chunk_size": 32}
    expected = alibi_window.reference(q, k, v, slope, **given)
    error = np.abs(alibi_window(q, k, v, slope, **given) - expected).max()
    print(f"window and sink with ALiBi: largest difference from the reference {error:.1e}")
    assert error < 1e-5
