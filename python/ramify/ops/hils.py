# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Selected chunks and a sliding window that share a normaliser (HiLS)."""

from __future__ import annotations

from typing import Any

import ramify.language as rl

from ..jit import jit
from ..language.selection import MAX_TOP_K
from .checks import check_int, default_scale, given


@jit
def log_add(a: rl.Array, b: rl.Array) -> rl.Array:
    """log(exp(a) + exp(b)), without overflow."""
    m = rl.detach(rl.maximum(a, b))
    return m + rl.log(rl.exp(a - m) + rl.exp(b - m))


@jit
def hils_select_kernel(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    landmarks: rl.Landmarks,
    bias: rl.Tensor["kv.chunk", "head"],  # type: ignore[type-arg, name-defined]
    *,
    scale: float,
    window: int,
    size: rl.constexpr,
    top_k: rl.constexpr,
) -> tuple[rl.Array, ...]:
    """The window of a query, the chunks that it selects, and the shares of both.

    `size` is the chunk size.
    """
    near = rl.online_softmax(q, v)
    for c in rl.window(k, last=window, align="chunk"):
        near.merge(rl.dot(q, k[c]) * scale, v[c])
    t = rl.query_position()
    # That they ended says how far a walk must go, and leaves out what wraps: t - window of t < 0.
    ended = rl.end(landmarks) <= t
    far = ended & (rl.start(landmarks) + size <= t - window + 1)
    s = rl.where(far, rl.dot(q, landmarks) * scale + bias, -rl.inf)
    z = log_add(rl.logsumexp(s, over="chunk"), near.lse)
    slots = rl.topk(rl.max(s - z, over="head"), top_k)
    picked = s.at(slots)
    z = log_add(rl.logsumexp(picked, over="slot"), near.lse)
    return near.value, rl.exp(near.lse - z), rl.exp(picked - z), slots


@jit
def hils_kernel(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    landmarks: rl.Landmarks,
    bias: rl.Tensor["kv.chunk", "head"],  # type: ignore[type-arg, name-defined]
    *,
    scale: float,
    window: int,
    size: rl.constexpr,
    top_k: rl.constexpr,
) -> rl.Array:
    """One query of `hils`: the window's value and the picks, by their shares."""
    near, share, weights, slots = hils_select_kernel(
        q, k, v, landmarks, bias, scale=scale, window=window, size=size, top_k=top_k
    )
    out: rl.Array = share * near
    for slot, c in rl.selected(slots):
        inner = rl.positions(k, c) < rl.end(c) - 1  # the last key stands for its chunk
        p = rl.softmax(rl.where(inner, rl.dot(q, k[c]) * scale, -rl.inf))
        out += weights[slot] * rl.dot(p, v[c])
    return out


def hils(
    q: Any,
    k: Any,
    v: Any,
    landmarks: Any,
    bias: Any,
    *,
    chunk_size: int,
    window: int,
    top_k: int,
    scale: float | None = None,
    num_keys: Any = None,
    q_start: Any = None,
) -> Any:
    r"""Attention to selected chunks and a window, weighed by one softmax over both (HiLS).

    The window of a query at position t starts with the chunk that holds key t - W + 1; it has the
    value :math:`o` and the log-sum-exp :math:`\ell`, for each query head. The chunks before it
    have the scores :math:`s_i = scale \; Q \cdot landmark_i + bias_i`. With

    .. math::
        z = \log(e^\ell + \sum_i e^{s_i}), \qquad
        z' = \log(e^\ell + \sum_{i\ \text{picked}} e^{s_i})

    the query heads that share a key/value head pick the `top_k` chunks with the largest
    :math:`\max_{heads} (s_i - z)`, and

    .. math::
        O = e^{\ell - z'} o + \sum_{i\ \text{picked}}
            e^{s_i - z'} \; \mathrm{softmax}(scale \; Q K_i^T) V_i

    where the last key of each picked chunk, its landmark, is left out; a partial chunk has none.

    Parameters
    ----------
    q : array `[B, L, HQ, D]`
        float32, bfloat16 or float16.
    k : array `[B, N, H, D]`
        Keys, in the dtype of `q`; HQ is a multiple of H.
    v : array `[B, N, H, Dv]`
        Values, in the dtype of `q`.
    landmarks : array `[B, ceil(N / chunk_size), HQ, D]`
        A landmark of each chunk for each query head (one or H heads are shared), in the dtype of
        `q`.
    bias : array `[B, C, HQ]` or `[C, HQ]`
        A term of each chunk's scores, such as the logarithm of its size.
    chunk_size : int
        Keys in a chunk: a multiple of 16 from 16 to 256.
    window : int
        W >= 1.
    top_k : int
        Slots for each query, 1 to 128.
    scale : float, optional
        Factor of logits and scores, 1 / sqrt(D) unless given.
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
    Hierarchical landmark sparse attention: the last key of each chunk is a landmark that was
    learned to stand for the chunk, and a window and the picked chunks are two levels of one
    softmax. It is defined by the formulas here; they follow no numbering of a paper.
    """
    check_int("hils", "chunk_size", chunk_size, 1)
    check_int("hils", "window", window, 1)
    check_int("hils", "top_k", top_k, 1, MAX_TOP_K)
    options = {
        "scale": default_scale(q) if scale is None else scale,
        "chunk_size": chunk_size,
        **given(num_keys=num_keys, q_start=q_start),
    }
    choices = {"window": window, "size": int(chunk_size), "top_k": int(top_k)}
    return hils_kernel(q, k, v, landmarks, bias, **choices, **options)
