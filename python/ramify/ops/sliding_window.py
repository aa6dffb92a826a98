# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A sliding window with a sink, and with chunks that are listed: one joint softmax."""

from __future__ import annotations

from typing import Any

import ramify.language as rl

from ..jit import jit
from .checks import check_int, default_scale, given


@jit
def sliding_window_kernel(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float, window: int, sink: int = 0
) -> tuple[rl.Array, rl.Array]:
    """One query of `sliding_window`, without listed chunks."""
    acc = rl.online_softmax(q, v)
    near = rl.window(k, last=window)
    for c in near:
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    for c in rl.first(k, keys=sink, outside=near):
        s = rl.dot(q, k[c]) * scale
        acc.merge(rl.where(rl.positions(k, c) <= rl.query_position(), s, -rl.inf), v[c])
    return acc.value, acc.lse


@jit
def listed_window_kernel(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    indices: rl.ChunkIndices,
    *,
    scale: float,
    window: int,
    sink: int = 0,
) -> tuple[rl.Array, rl.Array]:
    """One query block of `sliding_window` with listed chunks."""
    acc = rl.online_softmax(q, v)
    t = rl.query_position()
    near = rl.window(k, last=window)
    for c in near:
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    for c in rl.first(k, keys=sink, outside=near):
        acc.merge(rl.where(rl.positions(k, c) <= t, rl.dot(q, k[c]) * scale, -rl.inf), v[c])
    for _, c in rl.selected(indices):
        x = rl.positions(k, c)
        rest = (x >= sink) & (x <= t - window)
        acc.merge(rl.where(rest, rl.dot(q, k[c]) * scale, -rl.inf), v[c])
    return acc.value, acc.lse


def sliding_window(
    q: Any,
    k: Any,
    v: Any,
    indices: Any = None,
    *,
    chunk_size: int,
    window: int,
    sink: int = 0,
    scale: float | None = None,
    q_block: int | None = None,
    num_keys: Any = None,
    q_start: Any = None,
) -> tuple[Any, Any]:
    r"""Attention to the last keys, to the first ones, and to chunks of a static pattern.

    A query at position t attends, under one softmax, to the keys x with

    .. math::
        t - window < x \le t \quad\text{or}\quad x < sink \quad\text{or}\quad
        x \in \text{chunks listed in its row of } indices, \qquad x \le t

    each key once, however many of these hold; a chunk that is listed twice counts twice.

    Parameters
    ----------
    q : array `[B, L, HQ, D]`
        float32, bfloat16 or float16.
    k : array `[B, N, H, D]`
        Keys, in the dtype of `q`; HQ is a multiple of H.
    v : array `[B, N, H, Dv]`
        Values, in the dtype of `q`.
    indices : array `[B, rows, 1 or H or HQ, K]`, optional
        Further chunks of each query block, int32 or int64: stripes, dilated or cascaded windows,
        patterns that depend on the length. -1, or any index of no chunk, is skipped.
    chunk_size : int
        Keys in a chunk: how the work is cut; it matters to the result through `indices` only.
    window : int
        W >= 1, keys up to the query's own.
    sink : int
        Keys at the start of the sequence.
    scale : float, optional
        Factor of the logits, 1 / sqrt(D) unless given.
    q_block : int, optional
        Consecutive queries that share a row of `indices`. Needed only where L and rows allow
        several.
    num_keys, q_start : int or int32 array `[B]`, optional
        How many keys there are, and where the first query stands among them: N - L unless given.

    Returns
    -------
    out : array `[B, L, HQ, Dv]`
        In the dtype of `q`; 0 for a query that attends to nothing.
    lse : array `[B, L, HQ]`, float32
        Natural logarithm of the sum of exponentials, for merging with other attention.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a shape, a dtype, a device or a number does not fit.

    Notes
    -----
    Sinks: Xiao et al., "Efficient Streaming Language Models with Attention Sinks" (2023). Listed
    chunks: Child et al., "Generating Long Sequences with Sparse Transformers" (2019).
    """
    check_int("sliding_window", "window", window, 1)
    check_int("sliding_window", "sink", sink, 0)
    options = {
        "scale": default_scale(q) if scale is None else scale,
        "window": window,
        "sink": sink,
        "chunk_size": chunk_size,
        **given(q_block=q_block, num_keys=num_keys, q_start=q_start),
    }
    result: tuple[Any, Any] = (
        sliding_window_kernel(q, k, v, **options)
        if indices is None
        else listed_window_kernel(q, k, v, indices, **options)
    )
    return result
