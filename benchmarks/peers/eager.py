# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention over selected chunks in eager PyTorch: gather, einsum, softmax.

What a researcher writes first, and the peer whose rounding error bounds ours. The products run
in the inputs' dtype, the softmax in float32 (float64 for float64 inputs), block by block of
queries so that the gathered keys stay below ``max_elements``.
"""

from __future__ import annotations

import torch


def chunked(x: torch.Tensor, chunk_size: int) -> torch.Tensor:
    """``[B, N, H, D]`` as chunks ``[B, H, C, S, D]``, the last one padded with zeros."""
    batch, length, heads, dim = x.shape
    chunks = -(-length // chunk_size)
    x = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, chunks * chunk_size - length))
    return x.view(batch, chunks, chunk_size, heads, dim).permute(0, 3, 1, 2, 4)


def _gather(chunks: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Chunks ``[B, H, C, S, D]`` picked by ``[B, H, R, K]``: ``[B, H, R, K, S, D]``."""
    batch, heads = indices.shape[:2]
    b = torch.arange(batch, device=indices.device).view(-1, 1, 1, 1)
    h = torch.arange(heads, device=indices.device).view(1, -1, 1, 1)
    return chunks[b, h, indices]


def _softmax(s: torch.Tensor, live: torch.Tensor, n: float) -> torch.Tensor:
    s = s.masked_fill(~live, float("-inf"))
    m = s.amax(-1, keepdim=True)
    m = m.clamp(min=0.0) if n > 0 else m
    p = (s - m).exp()
    return p / (n * (-m).exp() + p.sum(-1, keepdim=True))


def _block(
    q: torch.Tensor,
    chunks: tuple[torch.Tensor, torch.Tensor],
    weights: torch.Tensor,
    picks: torch.Tensor,
    row: torch.Tensor,
    num_keys: int,
    scale: float,
    softmax_n: float,
) -> torch.Tensor:
    """The result of some queries ``[B, J, HQ, D]``; ``row`` ``[J]`` are their selection rows.

    ``picks`` are ``[B, R, h, K]`` for the h heads of ``chunks``, ``weights`` ``[B, R, 1|H|HQ, K]``.
    """
    kc, vc = chunks
    batch, count, query_heads, dim = q.shape
    heads, slots, size = kc.shape[1], picks.shape[3], kc.shape[3]
    wide = torch.float64 if q.dtype == torch.float64 else torch.float32
    picks = picks.long().permute(0, 2, 1, 3).expand(batch, heads, -1, -1)
    some = (picks >= 0) & (picks < kc.shape[2])
    safe = picks.where(some, 0)
    kg, vg = _gather(kc, safe)[:, :, row], _gather(vc, safe)[:, :, row]
    x = q.view(batch, count, heads, query_heads // heads, dim)
    s = torch.einsum("blhgd,bhlksd->bhlgks", x, kg).to(wide) * scale
    positions = torch.arange(kc.shape[2] * size, device=q.device).view(-1, size)
    live = (positions[safe] < num_keys)[:, :, row, None]
    p = _softmax(s, live, softmax_n).to(q.dtype)
    o = torch.einsum("bhlgks,bhlksd->bhlgkd", p, vg)
    w = weights.to(wide)[:, row].repeat_interleave(query_heads // weights.shape[2], 2)
    w = w.permute(0, 2, 1, 3).view(batch, heads, -1, count, slots).transpose(2, 3)
    chosen = some[:, :, row, None]
    o = torch.where(chosen[..., None], o, 0).to(wide)
    y = torch.einsum("bhlgk,bhlgkd->blhgd", w.where(chosen, 0), o)
    return y.reshape(batch, count, query_heads, -1).to(q.dtype)


def hsa(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    weights: torch.Tensor,
    indices: torch.Tensor,
    *,
    chunk_size: int,
    scale: float,
    softmax_n: float = 0.0,
    q_block: int = 1,
    max_elements: int = 1 << 26,
) -> torch.Tensor:
    """Weighted sum of a softmax per selected chunk; shapes as in ``ramify.ops.hsa``."""
    batch, length, query_heads, dim = q.shape
    num_keys, heads = k.shape[1], k.shape[2]
    rows, slots = indices.shape[1], indices.shape[3]
    out = torch.zeros(batch, length, query_heads, v.shape[3], dtype=q.dtype, device=q.device)
    if not (batch and length and num_keys and slots):
        return out
    kc, vc = chunked(k, chunk_size), chunked(v, chunk_size)
    if indices.shape[2] == query_heads:
        share, heads = query_heads // heads, query_heads
        kc, vc = kc.repeat_interleave(share, 1), vc.repeat_interleave(share, 1)
    step = max(1, max_elements // (batch * heads * slots * chunk_size * dim))
    for r0 in range(0, rows, step):
        picks, w = indices[:, r0 : r0 + step], weights[:, r0 : r0 + step]
        j = torch.arange(r0 * q_block, min(length, (r0 + picks.shape[1]) * q_block))
        j = j.to(q.device)
        row = j // q_block - r0
        out[:, j] = _block(q[:, j], (kc, vc), w, picks, row, num_keys, scale, softmax_n)
    return out


def select(
    r: torch.Tensor, landmarks: torch.Tensor, chunk_size: int, top_k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Stick-breaking selection: einsum, mask, top-k, sort by index, gather, weights."""
    batch, length, query_heads, dim = r.shape
    chunks, heads = landmarks.shape[1:3]
    x = r.view(batch, length, heads, query_heads // heads, dim)
    s = torch.einsum("blhgd,bchd->blhc", x, landmarks).float() * dim**-0.5
    t = chunks * chunk_size - length + torch.arange(length, device=r.device)
    ends = chunk_size * (1 + torch.arange(chunks, device=r.device))
    s = s.masked_fill((ends[None] > t[:, None])[None, :, None], float("-inf"))
    best, indices = s.topk(min(top_k, chunks), dim=-1)
    indices = indices.where(best > float("-inf"), -1)
    indices, order = indices.sort(dim=-1, descending=True)
    picked = indices >= 0
    x = best.gather(-1, order).where(picked, 0.0)
    taken = torch.nn.functional.softplus(x) * picked
    return torch.exp(x - taken.cumsum(-1)) * picked, indices
