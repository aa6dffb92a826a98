# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decoding: HSA that selects for itself, one query a sequence, in one launch and in several."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from timing import captured, gpu_ms, host_ms

import ramify as rf
import ramify.language as rl

CHOICES: dict[str, dict[str, str]] = {
    "one": {"launches": "one"},
    "several": {"launches": "several"},
    "several, split_kv": {"launches": "several", "schedule": "split_kv"},
}


@rf.jit
def retrieve(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    landmarks: rl.Landmarks,
    *,
    scale: float,
    top_k: rl.constexpr,
) -> rl.Array:
    """The chunks with the best landmarks for the group, weighed by stick-breaking."""
    s = rl.sum(rl.dot(q, landmarks) * scale, over="head")
    s = rl.where(rl.end(landmarks) <= rl.query_position(), s, -rl.inf)
    slots = rl.topk(s, top_k)
    weights = rl.stick_breaking(s.at(slots))
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        p = rl.softmax(rl.dot(q, k[c]) * scale)
        out += weights[slot] * rl.dot(p, v[c])
    return out


@dataclass(frozen=True)
class Decode:
    """One step of decoding: `length` queries of each sequence, the last of `keys` keys."""

    batch: int = 1
    length: int = 1
    keys: int = 65536
    heads: int = 16
    key_heads: int = 1
    dim: int = 64
    chunk_size: int = 64
    top_k: int = 8

    def __str__(self) -> str:
        sizes = (self.batch, self.length, self.keys, self.heads, self.key_heads, self.dim)
        return ",".join(map(str, (*sizes, self.chunk_size, self.top_k)))


SHAPES = [
    Decode(),
    Decode(batch=16),
    Decode(batch=16, top_k=32),
    Decode(heads=32, key_heads=8, dim=128),
    Decode(batch=16, heads=32, key_heads=8, dim=128),
    Decode(length=4),
    Decode(length=64),
    Decode(length=128),
]
"""The last ones ask from how many queries on a walk should be shared."""


def inputs(shape: Decode, dtype: torch.dtype, device: str) -> tuple[torch.Tensor, ...]:
    """Queries, keys, values, and the mean keys as landmarks."""
    torch.manual_seed(0)
    of_keys = (shape.batch, shape.keys, shape.key_heads, shape.dim)
    q = torch.randn(shape.batch, shape.length, shape.heads, shape.dim)
    k, v = torch.randn(of_keys), torch.randn(of_keys)
    landmarks = k.unflatten(1, (-1, shape.chunk_size)).mean(dim=2) * shape.chunk_size**0.5
    return tuple(x.to(device, dtype) for x in (q, k, v, landmarks))


def row(shape: Decode, dtype: torch.dtype, device: str) -> dict[str, object]:
    """Times in ms by each choice: on a GPU of the kernels alone, in a CUDA graph, and called."""
    x = inputs(shape, dtype, device)
    result: dict[str, object] = {"B,L,N,HQ,H,D,S,K": str(shape)}
    outs: list[torch.Tensor] = []
    for name, choice in CHOICES.items():
        fn = retrieve.options(**choice)
        sizes = {"scale": shape.dim**-0.5, "top_k": shape.top_k, "chunk_size": shape.chunk_size}
        call: Callable[[], torch.Tensor] = functools.partial(fn, *x, **sizes)
        outs.append(call())
        if device == "cuda":
            result[f"{name}: kernels"] = gpu_ms(captured(call))
        result[f"{name}: call"] = gpu_ms(call) if device == "cuda" else host_ms(call)
    result["difference"] = max((o.float() - outs[0].float()).abs().max().item() for o in outs)
    return result


def rows(device: str, shapes: Iterable[Decode] = SHAPES) -> list[dict[str, object]]:
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    return [row(shape, dtype, device) for shape in shapes]
