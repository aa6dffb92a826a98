# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The mathematics written by hand in NumPy float64, apart from the language.

They test the reference, which tests the kernels. Everything is gathered at once, so they are for
small shapes. Notation: B, L, N, HQ, H, D, S, K as in the documentation of `ramify.ops.hsa`.
"""

from __future__ import annotations

import numpy as np

from .named_array import Data


def gather(x: Data, indices: Data, size: int) -> tuple[Data, Data]:
    """Selected chunks of keys or values, and which of their keys exist.

    Parameters
    ----------
    x : ndarray `[B, N, H, D]`
    indices : ndarray `[B, L, H, K]`
    size : int
        Keys in a chunk.

    Returns
    -------
    chunks : ndarray `[B, L, H, K, S, D]`
        Zero where no key is.
    valid : bool ndarray `[B, L, H, K, S]`
    """
    keys = x.shape[1]
    position = indices[..., None] * size + np.arange(size)
    count = -(-keys // size)
    valid = ((indices >= 0) & (indices < count))[..., None] & (position < keys)
    at = np.where(valid, position, 0)
    batch = np.arange(x.shape[0])[:, None, None, None, None]
    head = np.arange(x.shape[2])[None, None, :, None, None]
    chunks = x[batch, at, head] if keys else np.zeros((*at.shape, x.shape[3]))
    return np.where(valid[..., None], chunks, 0.0), valid


def spread_rows(x: Data, length: int, q_block: int) -> Data:
    """One row per query from one row per query block."""
    return np.repeat(x, q_block, axis=1)[:, :length]


def hsa(
    q: Data,
    k: Data,
    v: Data,
    weights: Data,
    indices: Data,
    *,
    chunk_size: int,
    scale: float,
    softmax_n: float = 0.0,
    q_block: int = 1,
) -> Data:
    """A separate softmax for every selected chunk, summed with weights.

    O[j, hG+g] = sum_k w[r, h, k] softmax_n(scale Q[j, hG+g] K_k^T) V_k over valid slots k.

    `weights` have 1, H or HQ heads, `indices` H; returns `[B, L, HQ, Dv]`.
    """
    b, length, query_heads, d = q.shape
    heads = k.shape[2]
    grouped = q.reshape(b, length, heads, query_heads // heads, d)
    rows = spread_rows(indices, length, q_block)
    kc, valid = gather(k, rows, chunk_size)
    vc, _ = gather(v, rows, chunk_size)
    s = scale * np.einsum("blhgd,blhksd->blhgks", grouped, kc)
    s = np.where(valid[:, :, :, None], s, -np.inf)
    highest = s.max(axis=-1, keepdims=True, initial=0.0 if softmax_n > 0 else -np.inf)
    highest = np.where(np.isinf(highest), 0.0, highest)
    e = np.exp(s - highest)
    total = e.sum(axis=-1, keepdims=True) + softmax_n * np.exp(-highest)
    p = e / np.where(total == 0, 1.0, total)
    o = np.einsum("blhgks,blhksd->blhgkd", p, vc)
    w_heads = max(weights.shape[2], heads)
    w = np.broadcast_to(weights, (*weights.shape[:2], w_heads, weights.shape[3]))
    w = spread_rows(w, length, q_block)
    w = w.reshape(b, length, heads, -1, w.shape[-1])
    any_valid = np.asarray(valid.any(axis=-1))
    w = np.where(any_valid[:, :, :, None], w, 0.0)
    out = (w[..., None] * o).sum(axis=-2)
    return np.asarray(out.reshape(b, length, query_heads, v.shape[3]))


def joint_softmax(
    q: Data, k: Data, v: Data, indices: Data, *, chunk_size: int, scale: float, q_start: int
) -> tuple[Data, Data]:
    """One softmax over all keys of the selected chunks that stand at or before the query.

    Returns the value `[B, L, HQ, Dv]` and its log-sum-exp `[B, L, HQ]`.
    """
    b, length, query_heads, d = q.shape
    heads = k.shape[2]
    grouped = q.reshape(b, length, heads, query_heads // heads, d)
    kc, valid = gather(k, indices, chunk_size)
    vc, _ = gather(v, indices, chunk_size)
    t = q_start + np.arange(length)
    position = indices[..., None] * chunk_size + np.arange(chunk_size)
    seen = valid & (position <= t[None, :, None, None, None])
    s = scale * np.einsum("blhgd,blhksd->blhgks", grouped, kc)
    s = np.where(seen[:, :, :, None], s, -np.inf).reshape(*s.shape[:4], -1)
    highest = s.max(axis=-1, keepdims=True, initial=-np.inf)
    base = np.where(np.isinf(highest), 0.0, highest)
    e = np.exp(s - base)
    total = e.sum(axis=-1)
    vc = vc.reshape(*vc.shape[:3], -1, vc.shape[-1])
    value = np.einsum("blhgx,blhxd->blhgd", e, vc) / np.where(total == 0, 1.0, total)[..., None]
    with np.errstate(divide="ignore"):
        lse = np.log(total) + base[..., 0]
    shape = b, length, query_heads
    return value.reshape(*shape, v.shape[3]), lse.reshape(shape)
