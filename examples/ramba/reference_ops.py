# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`ramify.ops.select` and `ramify.ops.hsa` in plain PyTorch, as the model uses them.

They store the scores of all chunks and gather the picked ones: what the kernels are compared with.
"""

from __future__ import annotations

import torch
from torch import Tensor


def select(
    r: Tensor, landmarks: Tensor, *, chunk_size: int, top_k: int, num_keys: int
) -> tuple[Tensor, Tensor]:
    """Stick-breaking weights and indices `[B, L, H, K]` of the best chunks, nearest first."""
    length, chunks, heads = r.shape[1], landmarks.shape[1], landmarks.shape[2]
    group = r.unflatten(2, (heads, -1)).sum(3)
    scores = torch.einsum("blhd,bchd->blhc", group.float(), landmarks.float()) * r.shape[3] ** -0.5
    ends = (torch.arange(chunks, device=r.device) + 1) * chunk_size
    positions = torch.arange(length, device=r.device) + num_keys - length
    visible = ends <= positions[:, None].clamp(max=num_keys)
    scores = scores.masked_fill(~visible[:, None], -torch.inf)
    picks = torch.topk(scores, min(top_k, chunks), dim=-1).indices
    picks = picks.masked_fill(scores.gather(-1, picks).isneginf(), -1)
    picks = picks.sort(-1, descending=True).values
    picks = torch.nn.functional.pad(picks, (0, top_k - picks.shape[-1]), value=-1)
    s = scores.gather(-1, picks.clamp(min=0)).masked_fill(picks < 0, 0.0)
    taken = torch.nn.functional.softplus(s).masked_fill(picks < 0, 0.0).cumsum(-1)
    return (s - taken).exp().masked_fill(picks < 0, 0.0), picks.int()


def share(indices: Tensor, *, chunk_size: int, num_keys: int) -> Tensor:
    """Nothing is made of a selection here that layers could share."""
    return indices


def hsa(
    q: Tensor, k: Tensor, v: Tensor, weights: Tensor, indices: Tensor, *, chunk_size: int
) -> Tensor:
    """Attention inside each selected chunk, weighted and summed: `[B, L, HQ, D]`."""
    batch, length, heads, slots = indices.shape
    chunks = -(-k.shape[1] // chunk_size)
    padding = chunks * chunk_size - k.shape[1]
    queries = q.unflatten(2, (heads, -1))
    row = torch.arange(batch, device=q.device).view(-1, 1, 1, 1)
    head = torch.arange(heads, device=q.device).view(1, 1, -1, 1)
    pick = indices.clamp(min=0).long()

    def gather(x: Tensor) -> Tensor:
        x = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, padding)).unflatten(1, (chunks, chunk_size))
        return x.transpose(2, 3)[row, pick, head]  # [B, L, H, K, S, D]

    scores = torch.einsum("blhgd,blhksd->blhgks", queries, gather(k)).float() * q.shape[3] ** -0.5
    keys = pick[..., None] * chunk_size + torch.arange(chunk_size, device=q.device)
    scores = scores.masked_fill((keys >= k.shape[1])[:, :, :, None], -torch.inf)
    values = torch.einsum("blhgks,blhksd->blhgkd", scores.softmax(-1).to(q.dtype), gather(v))
    w = weights.masked_fill(indices < 0, 0.0)
    return torch.einsum("blhk,blhgkd->blhgd", w.to(q.dtype), values).flatten(2, 3)
