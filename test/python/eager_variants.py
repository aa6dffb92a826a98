# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803, N806
"""The variants in eager PyTorch, all keys at once, in any dtype; softmaxes at least in float32.

Positions, chunks and masks are spelled out anew here, so that these agree with the language's
reference only if both are right. `i` are picks `[B, L, heads, K]`, -1 for none.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def wide(x: Tensor) -> Tensor:
    """In float32, or float64 where it is."""
    return x if x.dtype == torch.float64 else x.float()


def of_heads(x: Tensor, heads: int) -> Tensor:
    """`[B, N, H, D]` with each head repeated for its query heads."""
    return x.repeat_interleave(heads // x.shape[2], 2)


def logits(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """`[B, L, HQ, N]`."""
    return wide(torch.einsum("blhd,bnhd->blhn", q, of_heads(k, q.shape[2]))) * scale


def places(q: Tensor, k: Tensor, start: int | None = None) -> tuple[Tensor, Tensor]:
    """Positions t of queries `[L, 1, 1]` and x of keys `[N]`."""
    first = k.shape[1] - q.shape[1] if start is None else start
    return (first + torch.arange(q.shape[1]))[:, None, None], torch.arange(k.shape[1])


def joint(s: Tensor, seen: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """One softmax over the seen keys: the value, 0 for none, and its log-sum-exp."""
    counts = seen.expand(s.shape).to(s.dtype)
    top = s.detach().where(counts > 0, -torch.inf).amax(-1, keepdim=True)
    top = top.where(top > -torch.inf, 0.0)
    e = torch.where(counts > 0, (s - top).where(counts > 0, 0.0).exp() * counts, 0.0)
    total = e.sum(-1, keepdim=True)
    p = e / total.where(total > 0, 1.0)
    o = torch.einsum("blhn,bnhd->blhd", p.to(v.dtype), of_heads(v, s.shape[2]))
    lse = torch.where(total > 0, top + total.where(total > 0, 1.0).log(), -torch.inf)
    return o, lse[..., 0]


def by_chunk(s: Tensor, v: Tensor, S: int, n: float = 0.0, last: bool = True) -> Tensor:
    """A softmax in each chunk: `[B, L, HQ, C, Dv]`; whole ones lose the last key if not `last`."""
    N = s.shape[-1]
    C = -(-N // S)
    x = torch.arange(C * S).view(C, S)
    seen = (x < N) & (last | (x % S < S - 1))
    s = torch.nn.functional.pad(s, (0, C * S - N)).unflatten(-1, (C, S))
    top = s.detach().where(seen, -torch.inf).amax(-1, keepdim=True)
    top = top.where(top > -torch.inf, 0.0)
    top = top.clamp(min=0.0) if n else top
    e = (s - top).where(seen, -torch.inf).exp()
    total = e.sum(-1, keepdim=True) + n * (-top).exp()
    p = (e / total.where(total > 0, 1.0)).to(v.dtype)
    v = torch.nn.functional.pad(of_heads(v, s.shape[2]), (0, 0, 0, 0, 0, C * S - N))
    return torch.einsum("blhcs,bcshd->blhcd", p, v.unflatten(1, (C, S)))


def picked(o: Tensor, w: Tensor, i: Tensor) -> Tensor:
    """The chunks' values at the picks, weighed: `[B, L, HQ, Dv]`."""
    i, w = (of_heads(x, o.shape[2]) for x in (i, w))
    there = (i >= 0) & (i < o.shape[3])
    at = i.where(there, 0).long()[..., None].expand(*i.shape, o.shape[-1])
    values = wide(o.gather(3, at))
    return (wide(w).where(there, 0.0)[..., None] * values).sum(3)


def rows(x: Tensor, q: Tensor, block: int) -> Tensor:
    """A selection with a row for each block, for each query."""
    return x.repeat_interleave(block, 1)[:, : q.shape[1]]


def landmark_scores(r: Tensor, lm: Tensor, i: Tensor, scale: float) -> Tensor:
    """Scores, summed over the group, at the picks; 0 where there are none."""
    s = logits(r, lm, scale).unflatten(2, (i.shape[2], -1)).sum(3)
    return s.gather(3, i.clamp(min=0).long()).where(i >= 0, 0.0)


def weights_of(s: Tensor, i: Tensor, kind: str) -> Tensor:
    """Weights of the picks in their order."""
    there = i >= 0
    if kind == "stick_breaking":
        taken = torch.nn.functional.softplus(s).where(there, 0.0)
        return (s - taken.cumsum(-1)).exp().where(there, 0.0)
    top = s.detach().where(there, -torch.inf).amax(-1, keepdim=True).clamp(min=0.0)
    e = (s - top).exp().where(there, 0.0)
    total = e.sum(-1, keepdim=True) + (kind == "softmax_1") * (-top).exp()
    return e / total.where(total > 0, 1.0)


def hsa(
    q: Tensor, k: Tensor, v: Tensor, w: Tensor, i: Tensor, S: int, scale: float, n: float = 0.0
) -> Tensor:
    return picked(by_chunk(logits(q, k, scale), v, S, n), w, i).to(q.dtype)


def window(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    last: int,
    scale: float,
    sink: int = 0,
    start: int | None = None,
    align: int = 1,
    listed: tuple[Tensor, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """The last keys and the first; and of listed chunks `(i, S)` what these leave out."""
    t, x = places(q, k, start)
    first = torch.div(t - last + 1, align, rounding_mode="floor") * align
    seen = (x <= t) & ((x >= first) | (x < sink))
    if listed is not None:
        i, S = listed
        counts = (of_heads(i, q.shape[2])[..., None, :] == (x // S)[:, None]).sum(-1)
        rest = (x <= t - last) & (x >= sink)
        seen = seen[None].int() + counts * rest[None]
    return joint(logits(q, k, scale), seen, v)


def sliding_hsa(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    w: Tensor,
    i: Tensor,
    S: int,
    scale: float,
    last: int,
    n: float = 0.0,
    start: int | None = None,
) -> Tensor:
    near, _ = window(q, k, v, last, scale, start=start)
    return (wide(near) + picked(by_chunk(logits(q, k, scale), v, S, n), w, i)).to(q.dtype)


def moba(
    q: Tensor, k: Tensor, v: Tensor, i: Tensor, S: int, scale: float, start: int | None = None
) -> tuple[Tensor, Tensor]:
    t, x = places(q, k, start)
    seen = (i[..., None, :] == (x // S)[:, None]).any(-1) & (x <= t)
    return joint(logits(q, k, scale), seen, v)


def hils(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    lm: Tensor,
    bias: Tensor,
    i: Tensor,
    S: int,
    scale: float,
    last: int,
    start: int | None = None,
) -> Tensor:
    near, lse = window(q, k, v, last, scale, start=start, align=S)
    i = of_heads(i, q.shape[2])
    s = logits(q, lm, scale) + wide(bias).transpose(-1, -2).unsqueeze(-3)
    s = s.gather(3, i.clamp(min=0).long()).where(i >= 0, -torch.inf)
    z = torch.cat([s, lse[..., None]], -1).logsumexp(-1, keepdim=True)
    z = z.where(z > -torch.inf, 0.0)  # a query that sees nothing
    o = by_chunk(logits(q, k, scale), v, S, last=False)
    return ((lse[..., None] - z).exp() * wide(near) + picked(o, (s - z).exp(), i)).to(q.dtype)
