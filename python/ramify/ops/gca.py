# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Grouped cross attention: the queries of a chunk share one selection (GCA)."""

from __future__ import annotations

from typing import Any

import ramify.language as rl

from ..errors import ArgumentError, mismatch
from ..jit import jit
from ..language.selection import MAX_TOP_K
from .checks import check_int, default_scale, given, length, softmax_n_of


@jit
def gca_picks(
    r: rl.Query,
    landmarks: rl.Landmarks,
    t: rl.Array,
    *,
    scale: float,
    size: rl.constexpr,
    top_k: rl.constexpr,
) -> tuple[rl.Array, rl.Array]:
    """The weights and slots of a retrieval query at position t; `size` is the chunk size."""
    s = rl.sum(rl.dot(r, landmarks) * scale, over="head")
    s = rl.where(rl.start(landmarks) + size <= t, s, -rl.inf)
    slots = rl.topk(s, top_k)
    return rl.softmax(s.at(slots), over="slot"), slots


@jit
def gca_select_kernel(
    r: rl.Query,
    landmarks: rl.Landmarks,
    *,
    scale: float,
    first: int,
    size: rl.constexpr,
    top_k: rl.constexpr,
) -> tuple[rl.Array, rl.Array]:
    """One retrieval query of `gca_select`: row j stands at the first token of its block."""
    t = rl.query_position() * size + first
    weights, slots = gca_picks(r, landmarks, t, scale=scale, size=size, top_k=top_k)
    return weights, slots


@jit
def gca_kernel(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    *,
    scale: float,
    scale_r: float,
    size: rl.constexpr,
    top_k: rl.constexpr,
    softmax_n: rl.constexpr = 0.0,
) -> rl.Array:
    """One query block of `gca`: it selects once, and each of its queries attends."""
    t = rl.block_position()
    weights, slots = gca_picks(r, landmarks, t, scale=scale_r, size=size, top_k=top_k)
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        p = rl.softmax(rl.dot(q, k[c]) * scale, n=softmax_n)
        out += weights[slot] * rl.dot(p, v[c])
    return out


def gca_select(
    r: Any,
    landmarks: Any,
    *,
    chunk_size: int,
    top_k: int,
    q_start: int = 0,
    scale: float | None = None,
) -> tuple[Any, Any]:
    """Select once for every `chunk_size` queries, with softmax weights.

    Parameters
    ----------
    r : array `[B, rows, HQ, Dr]`
        A retrieval query for each block of `chunk_size` queries. It may come from the landmark of
        the block before, as in the paper, and must not come from the block itself.
    landmarks : array `[B, C, 1 or H or HQ, Dr]`
        One row per chunk of keys, in the dtype of `r`.
    chunk_size : int
        S, keys in a chunk and queries in a block.
    top_k : int
        K, slots for each block, 1 to 128.
    q_start : int
        Where the first query of the first block stands among the keys. Block j sees the chunks
        that ended before its first query, (i + 1) S <= q_start + j S.
    scale : float, optional
        1 / sqrt(Dr) unless given.

    Returns
    -------
    weights : array `[B, rows, H, K]`, float32
        They sum to 1 where any chunk is visible.
    indices : array `[B, rows, H, K]`, int32
        Nearest chunk first; -1 where a slot is empty, at the end.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a shape, a dtype, a device or a number does not fit.

    Notes
    -----
    The selection of `gca`, whose paper it names.
    """
    check_int("gca_select", "chunk_size", chunk_size, 1)
    check_int("gca_select", "top_k", top_k, 1, MAX_TOP_K)
    check_int("gca_select", "q_start", q_start, -(2**31), 2**31 - 1)
    result: tuple[Any, Any] = gca_select_kernel(
        r,
        landmarks,
        scale=default_scale(r) if scale is None else scale,
        first=int(q_start),
        size=int(chunk_size),
        top_k=int(top_k),
        chunk_size=chunk_size,
        q_start=0,
    )
    return result


def gca(
    q: Any,
    k: Any,
    v: Any,
    r: Any,
    landmarks: Any,
    *,
    chunk_size: int,
    top_k: int,
    scale: float | None = None,
    softmax_n: float = 0.0,
    num_keys: Any = None,
    q_start: Any = None,
) -> Any:
    r"""Attention over chunks that each block of queries selects once (GCA).

    The queries are cut into blocks of `chunk_size`. Block j picks the chunks with the largest
    :math:`scale_r \; r_j \cdot landmark_i` among those that ended before it, weighs them by a
    softmax over the picks, and each of its queries attends to them as in `hsa`. It is one
    function; layers that share a selection call `gca_select`, and then `hsa`.

    Parameters
    ----------
    q : array `[B, L, HQ, D]`
        float32, bfloat16 or float16.
    k : array `[B, N, H, D]`
        Keys, in the dtype of `q`; HQ is a multiple of H.
    v : array `[B, N, H, Dv]`
        Values, in the dtype of `q`.
    r : array `[B, ceil(L / S), HQ, Dr]`
        A retrieval query for each block, in the dtype of `q`. It may come from the landmark of
        the block before, as in the paper, and must not come from the block itself.
    landmarks : array `[B, ceil(N / S), 1 or H or HQ, Dr]`
        One row per chunk of keys, in the dtype of `q`.
    chunk_size : int
        S, keys in a chunk and queries in a block: a multiple of 16 from 16 to 256.
    top_k : int
        K, slots for each block, 1 to 128.
    scale : float, optional
        Factor of the logits, 1 / sqrt(D) unless given. That of the scores is 1 / sqrt(Dr).
    softmax_n : float, optional
        n in exp(x) / (n + sum exp(x)), inside the chunks.
    num_keys, q_start : int or int32 array `[B]`, optional
        How many keys there are, and where the first query stands among them: N - L unless given.

    Returns
    -------
    array `[B, L, HQ, Dv]`
        In the dtype, on the device and of the kind of `q`. A query that sees no chunk gets 0.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a shape, a dtype, a device or a number does not fit.

    Notes
    -----
    Hu et al., "Efficient Length-Generalizable Attention via Causal Retrieval for Long-Context
    Language Modeling" (2024).
    """
    check_int("gca", "chunk_size", chunk_size, 1)
    check_int("gca", "top_k", top_k, 1, MAX_TOP_K)
    lengths = [length(x) for x in (q, r)]
    rows = -(-lengths[0] // chunk_size)
    if min(lengths) >= 0 and lengths[1] != rows:
        expected = f"ceil(L / chunk_size) = {rows} rows"
        raise ArgumentError(mismatch("gca(): r", expected, str(lengths[1])))
    return gca_kernel(
        q,
        k,
        v,
        r,
        landmarks,
        scale=default_scale(q) if scale is None else scale,
        scale_r=default_scale(r),
        size=int(chunk_size),
        top_k=int(top_k),
        softmax_n=softmax_n_of("gca", softmax_n),
        chunk_size=chunk_size,
        q_block=chunk_size,
        **given(num_keys=num_keys, q_start=q_start),
    )
