# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mixture of block attention: the blocks with the nearest mean keys, and one's own (MoBA)."""

from __future__ import annotations

from typing import Any

import ramify.language as rl

from ..jit import jit
from ..language.selection import MAX_TOP_K
from .checks import check_int, default_scale, given


@jit
def moba_kernel(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    means: rl.Landmarks,
    *,
    scale: float,
    top_k: rl.constexpr,
) -> tuple[rl.Array, rl.Array, rl.Array]:
    """One query of `moba`: each query head selects for itself."""
    t = rl.query_position()
    s = rl.where(rl.end(means) <= t, rl.dot(q, means), -rl.inf)
    own = (rl.start(means) <= t) & (t < rl.end(means))
    slots = rl.topk(rl.where(own, rl.inf, s), top_k)
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(slots):
        causal = rl.positions(k, c) <= t
        acc.merge(rl.where(causal, rl.dot(q, k[c]) * scale, -rl.inf), v[c])
    return acc.value, acc.lse, slots


def moba(
    q: Any,
    k: Any,
    v: Any,
    means: Any,
    *,
    chunk_size: int,
    top_k: int,
    scale: float | None = None,
    num_keys: Any = None,
    q_start: Any = None,
) -> tuple[Any, Any, Any]:
    r"""Causal attention to few blocks of keys, chosen by each query head (MoBA).

    A query at position t picks its own block and, of those that ended before it, the `top_k` - 1
    whose mean keys have the largest dot product with it. One softmax runs over all keys
    :math:`x \le t` of the picks.

    >>> means = k.unflatten(1, (-1, 64)).mean(2)            # in PyTorch, N a multiple of 64
    >>> o, lse, indices = rf.ops.moba(q, k, v, means, chunk_size=64, top_k=8)

    Parameters
    ----------
    q : array `[B, L, HQ, D]`
        float32, bfloat16 or float16.
    k : array `[B, N, H, D]`
        Keys, in the dtype of `q`; HQ is a multiple of H.
    v : array `[B, N, H, Dv]`
        Values, in the dtype of `q`.
    means : array `[B, ceil(N / chunk_size), 1 or H or HQ, D]`
        The mean key of each block, in the dtype of `q`. It decides what is picked and so has no
        gradient.
    chunk_size : int
        Keys in a block: a multiple of 16 from 16 to 256.
    top_k : int
        Picked blocks, the own block included, 1 to 128.
    scale : float, optional
        Factor of the logits, 1 / sqrt(D) unless given.
    num_keys, q_start : int or int32 array `[B]`, optional
        How many keys there are, and where the first query stands among them: N - L unless given.

    Returns
    -------
    out : array `[B, L, HQ, Dv]`
        In the dtype of `q`.
    lse : array `[B, L, HQ]`, float32
        Natural logarithm of the sum of exponentials.
    indices : array `[B, L, HQ, top_k]`, int32
        Picked blocks, nearest first; of equal scores the higher index. -1 where a slot is empty.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a shape, a dtype, a device or a number does not fit.

    Notes
    -----
    Lu et al., "MoBA: Mixture of Block Attention for Long-Context LLMs" (2025).
    """
    check_int("moba", "top_k", top_k, 1, MAX_TOP_K)
    result: tuple[Any, Any, Any] = moba_kernel(
        q,
        k,
        v,
        means.detach() if hasattr(means, "detach") else means,
        scale=default_scale(q) if scale is None else scale,
        top_k=int(top_k),
        chunk_size=chunk_size,
        **given(num_keys=num_keys, q_start=q_start),
    )
    return result
