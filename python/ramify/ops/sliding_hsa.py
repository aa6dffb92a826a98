# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A sliding window beside hierarchical sparse attention (HSA-UltraLong)."""

from __future__ import annotations

from typing import Any

import ramify.language as rl

from ..jit import jit
from .checks import check_int, default_scale, given, softmax_n_of


@jit
def sliding_hsa_kernel(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    *,
    scale: float,
    window: int,
    softmax_n: rl.constexpr = 0.0,
) -> rl.Array:
    """One query block of `sliding_hsa`."""
    near = rl.online_softmax(q, v)
    for c in rl.window(k, last=window):
        near.merge(rl.dot(q, k[c]) * scale, v[c])
    far = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]) * scale, n=softmax_n)
        far += weights[slot] * rl.dot(p, v[c])
    return near.value + far


def sliding_hsa(
    q: Any,
    k: Any,
    v: Any,
    weights: Any,
    indices: Any,
    *,
    chunk_size: int,
    window: int,
    scale: float | None = None,
    softmax_n: float = 0.0,
    q_block: int | None = None,
    num_keys: Any = None,
    q_start: Any = None,
) -> Any:
    r"""A sliding window beside attention over selected chunks (SWA + HSA).

    .. math::
        O_j = \mathrm{softmax}(scale \; Q_j K_{t-W+1..t}^T) V_{t-W+1..t}
            + \sum_k w_k \; \mathrm{softmax}_n(scale \; Q_j K_{i_k}^T) V_{i_k}

    with t the position of query j and W the window. The chunks come from a selection that leaves
    the window out, and are not masked here:

    >>> weights, indices = rf.ops.select(r, landmarks, weights="softmax", window=512,
    ...                                  chunk_size=64, top_k=32)
    >>> o = rf.ops.sliding_hsa(q, k, v, weights, indices, window=512, chunk_size=64)

    Parameters
    ----------
    q : array `[B, L, HQ, D]`
        float32, bfloat16 or float16; normalised queries and keys (QK-norm) come from outside.
    k : array `[B, N, H, D]`
        Keys, in the dtype of `q`; HQ is a multiple of H.
    v : array `[B, N, H, Dv]`
        Values, in the dtype of `q`.
    weights : array `[B, rows, 1 or H or HQ, K]`
        Weight of each slot, float32 or the dtype of `q`, of any sign.
    indices : array `[B, rows, 1 or H or HQ, K]`
        int32 or int64; -1, or any index of no chunk, is skipped.
    chunk_size : int
        Keys in a chunk: a multiple of 16 from 16 to 256.
    window : int
        W >= 1, keys up to the query's own.
    scale : float, optional
        Factor of the logits, 1 / sqrt(D) unless given.
    softmax_n : float, optional
        n in exp(x) / (n + sum exp(x)), inside the chunks.
    q_block : int, optional
        Consecutive queries that share a selection row.
    num_keys, q_start : int or int32 array `[B]`, optional
        How many keys there are, and where the first query stands among them: N - L unless given.

    Returns
    -------
    array `[B, L, HQ, Dv]`
        In the dtype, on the device and of the kind of `q`.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a shape, a dtype, a device or a number does not fit.

    Notes
    -----
    The attention of HSA-UltraLong: Hu et al., "Every Token Counts: Generalizing 16M Ultra-Long
    Context in Large Language Models" (2025).
    """
    check_int("sliding_hsa", "window", window, 1)
    return sliding_hsa_kernel(
        q,
        k,
        v,
        weights,
        indices,
        scale=default_scale(q) if scale is None else scale,
        window=window,
        softmax_n=softmax_n_of("sliding_hsa", softmax_n),
        chunk_size=chunk_size,
        **given(q_block=q_block, num_keys=num_keys, q_start=q_start),
    )
