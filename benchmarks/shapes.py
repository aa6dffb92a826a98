# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The shapes that are measured, and inputs for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Shape:
    """(B, L, HQ, H, D, S, K) as in the tables: N = L, values as wide as keys."""

    batch: int
    length: int
    query_heads: int
    heads: int
    dim: int
    chunk_size: int
    slots: int

    @property
    def flops(self) -> float:
        """Forward: two products of 2 G D S each, for each slot, token and head."""
        picks = self.batch * self.length * self.slots
        return 4.0 * picks * self.query_heads * self.dim * self.chunk_size

    def __str__(self) -> str:
        sizes = (self.batch, self.length, self.query_heads, self.heads)
        return ",".join(map(str, (*sizes, self.dim, self.chunk_size, self.slots)))


GPU = [
    Shape(1, 4096, 16, 1, 64, 64, 8),
    Shape(1, 16384, 16, 1, 64, 64, 8),
    Shape(1, 65536, 16, 1, 64, 64, 8),
    Shape(8, 8192, 16, 1, 64, 64, 8),
    Shape(4, 4096, 32, 2, 64, 64, 16),
    Shape(1, 16384, 32, 2, 128, 64, 16),
    Shape(1, 16384, 80, 5, 32, 64, 8),
]

CPU = [
    Shape(1, 4096, 16, 1, 64, 64, 8),
    Shape(1, 4096, 32, 2, 128, 64, 8),
    Shape(1, 4096, 8, 1, 64, 64, 8),
    Shape(1, 512, 16, 1, 64, 64, 8),
    Shape(2, 256, 4, 4, 32, 32, 4),
    Shape(1, 128, 4, 1, 16, 16, 2),
    Shape(1, 1, 16, 1, 64, 64, 8),
]


def inputs(
    shape: Shape, dtype: torch.dtype, device: str, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """q, k, v ~ N(0, 1); picks uniform over the chunks that ended before the query, as the
    authors' kernel wants them never empty (chunk 0 where none has ended); weights sum to 1.
    """
    g = torch.Generator(device=device).manual_seed(seed)
    b, length, h, slots = shape.batch, shape.length, shape.heads, shape.slots
    chunks = -(-length // shape.chunk_size)

    def normal(heads: int) -> torch.Tensor:
        size = (b, length, heads, shape.dim)
        return torch.randn(size, generator=g, device=device, dtype=torch.float32).to(dtype)

    q, k, v = normal(shape.query_heads), normal(h), normal(h)
    ended = (torch.arange(length, device=device) // shape.chunk_size).clamp(1, chunks)
    u = torch.rand(b, length, h, slots, generator=g, device=device)
    indices = (u * ended.view(1, -1, 1, 1)).int()
    weights = torch.rand(b, length, h, slots, generator=g, device=device).softmax(-1)
    return q, k, v, weights, indices
