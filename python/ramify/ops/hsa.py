# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hierarchical sparse attention: a softmax inside each selected chunk, a weighted sum over them."""

from __future__ import annotations

from typing import Any

import ramify.language as rl

from ..jit import jit
from .checks import default_scale, softmax_n_of


@jit
def hsa_kernel(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    *,
    scale: float,
    softmax_n: rl.constexpr = 0.0,
) -> rl.Array:
    """One query block of `hsa`."""
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]) * scale, n=softmax_n)
        out += weights[slot] * rl.dot(p, v[c])
    return out


def hsa(
    q: Any,
    k: Any,
    v: Any,
    weights: Any,
    indices: Any,
    *,
    chunk_size: int,
    scale: float | None = None,
    softmax_n: float = 0.0,
    q_block: int | None = None,
    num_keys: Any = None,
    validate: bool = False,
) -> Any:
    r"""Attention over selected chunks of keys (HSA).

    For query j, query head hG + g, and its selection row r,

    .. math::
        P_k = \mathrm{softmax}_n(scale \; Q_{j,hG+g} K_{i_k,h}^T), \qquad
        O_{j,hG+g} = \sum_k w_{r,h,k} \; P_k V_{i_k,h}

    with a separate softmax for each selected chunk :math:`i_k = indices[r, h, k]`. There is no
    causal mask inside a chunk: select chunks that end before the query.

    Parameters
    ----------
    q : array `[B, L, HQ, D]`
        float32, bfloat16 or float16. NumPy arrays, torch tensors, or anything with DLPack.
    k : array `[B, N, H, D]`
        Keys, in the dtype of `q`; HQ is a multiple of H. D is a multiple of 8, at most 256.
    v : array `[B, N, H, Dv]`
        Values, in the dtype of `q`.
    weights : array `[B, rows, 1 or H or HQ, K]`
        Weight of each slot, float32 or the dtype of `q`, of any sign.
    indices : array `[B, rows, 1 or H or HQ, K]`
        int32 or int64. A slot of -1, or any index outside [0, ceil(N / chunk_size)), is skipped,
        whatever its weight. A chunk in two slots counts twice. There is one row for each query
        block, rows = ceil(L / q_block). Layers that share them pass a `ramify.Selection`.
    chunk_size : int
        Keys in a chunk: a multiple of 16 from 16 to 256. The last chunk may be partial.
    scale : float, optional
        Factor of the logits, 1 / sqrt(D) unless given.
    softmax_n : float, optional
        n in exp(x) / (n + sum exp(x)); 1 is "softmax off by one". Compiled into the kernel.
    q_block : int, optional
        Consecutive queries that share a selection row. Needed only where L and rows allow several.
    num_keys : int or array `[B]`, optional
        How many of the keys there are, all N unless given; int32 on the device of `q`, one number
        for each sequence. Chunks behind them are skipped.
    validate : bool, optional
        Report an index out of range, other than -1, instead of skipping it. It waits for the
        device.

    Returns
    -------
    array `[B, L, HQ, Dv]`
        In the dtype, on the device and of the kind of `q`. A query without a valid slot is 0.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a shape, a dtype, a device or a scalar does not fit.
    UnsupportedError
        If D, Dv or `chunk_size` is none that kernels exist for.

    Notes
    -----
    The attention of RAMba: Hu et al., "Random Long-Context Access for Mamba via Hardware-aligned
    Hierarchical Sparse Attention" (2025).
    """
    softmax_n = softmax_n_of("hsa", softmax_n)
    if scale is None:
        scale = default_scale(q)
    if q_block is None and num_keys is None and validate is False:  # the quick way
        return hsa_kernel(
            q, k, v, weights, indices, scale=scale, softmax_n=softmax_n, chunk_size=chunk_size
        )
    options: dict[str, Any] = {} if q_block is None else {"q_block": q_block}
    return hsa_kernel(
        q,
        k,
        v,
        weights,
        indices,
        scale=scale,
        softmax_n=softmax_n,
        chunk_size=chunk_size,
        num_keys=num_keys,
        validate=validate,
        **options,
    )
