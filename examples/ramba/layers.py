# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layers of RAMba.

A recurrence carries what is near; the chunk encoder makes keys, values and a landmark for each
chunk; the retrieval layer selects chunks by their landmarks, once for a group of HSA layers, which
attend inside the selected chunks.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

import ramify as rf

from . import reference_ops

try:
    from mamba_ssm import Mamba2
except ImportError:
    Mamba2 = None


class Ops(Protocol):
    """Where selection and attention come from."""

    def select(
        self, r: Tensor, landmarks: Tensor, *, chunk_size: int, top_k: int, num_keys: int
    ) -> tuple[Tensor, Tensor]: ...

    def share(self, indices: Tensor, *, chunk_size: int, num_keys: int) -> Any: ...

    def hsa(
        self, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, indices: Any, *, chunk_size: int
    ) -> Tensor: ...


class Kernels:
    """Ramify's; the layers of a group share the index of a selection, too."""

    select = staticmethod(rf.ops.select)
    share = staticmethod(rf.Selection)
    hsa = staticmethod(rf.ops.hsa)


OPS: dict[str, Ops] = {"ramify": Kernels(), "reference": reference_ops}


class Memory(NamedTuple):
    """What the chunk encoder makes of a sequence: keys and values `[B, N, H, D]`, landmarks
    `[B, C, H, D]`."""

    keys: Tensor
    values: Tensor
    landmarks: Tensor


class Selection(NamedTuple):
    """What the retrieval layer picks for each token: weights and indices `[B, L, H, K]`, these as
    `Ops.share` makes them."""

    weights: Tensor
    indices: Any


class GatedRecurrence(nn.Module):
    """h_t = a_t h_{t-1} + (1 - a_t) x_t for each channel, behind a short causal convolution.

    A small stand-in for Mamba-2 that needs nothing but PyTorch.
    """

    def __init__(self, dim: int, width: int = 4) -> None:
        super().__init__()
        self.inputs = nn.Linear(dim, 3 * dim)
        self.convolution = nn.Conv1d(dim, dim, width, groups=dim, padding=width - 1)
        self.output = nn.Linear(dim, dim)
        nn.init.uniform_(self.inputs.bias[dim : 2 * dim], -2.0, 2.0)  # of several memories

    def forward(self, x: Tensor) -> Tensor:
        value, decay, gate = self.inputs(x).chunk(3, dim=-1)
        value = self.convolution(value.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        a = decay.sigmoid()
        state = scan(a, (1 - a) * nn.functional.silu(value))
        return self.output((state + value) * nn.functional.silu(gate))


def scan(a: Tensor, x: Tensor) -> Tensor:
    """h_t = a_t h_{t-1} + x_t along axis 1, in log2(L) steps."""
    step = 1
    while step < x.shape[1]:
        x = torch.cat([x[:, :step], x[:, step:] + a[:, step:] * x[:, :-step]], dim=1)
        a = torch.cat([a[:, :step], a[:, step:] * a[:, :-step]], dim=1)
        step *= 2
    return x


def recurrence(dim: int) -> nn.Module:
    """Mamba-2 where it is installed and may run, else the gated recurrence."""
    if Mamba2 is not None and torch.cuda.is_available():
        return Mamba2(d_model=dim)
    return GatedRecurrence(dim)


class ChunkEncoder(nn.Module):
    """Keys, values and landmarks.

    A key sees its token and the one before, a landmark all tokens of its chunk.
    """

    def __init__(self, dim: int, heads: int, head_dim: int, chunk_size: int) -> None:
        super().__init__()
        self.chunk_size = chunk_size
        self.shape = (heads, head_dim)
        self.norm = nn.RMSNorm(dim)
        self.keys = nn.Linear(2 * dim, heads * head_dim, bias=False)
        self.values = nn.Linear(dim, heads * head_dim, bias=False)
        self.inside = nn.Sequential(nn.Linear(dim, dim), nn.SiLU())
        self.landmarks = nn.Linear(dim, heads * head_dim, bias=False)
        self.key_norm = nn.RMSNorm(head_dim)

    def forward(self, x: Tensor) -> Memory:
        x = self.norm(x)
        padding = -x.shape[1] % self.chunk_size
        tokens = nn.functional.pad(self.inside(x), (0, 0, 0, padding))
        chunks = tokens.unflatten(1, (-1, self.chunk_size)).sum(2) * self.chunk_size**-0.5
        before = nn.functional.pad(x, (0, 0, 1, -1))
        return Memory(
            self.key_norm(self.keys(torch.cat([x, before], dim=-1)).unflatten(-1, self.shape)),
            self.values(x).unflatten(-1, self.shape),
            self.landmarks(chunks).unflatten(-1, self.shape),
        )


class Retrieval(nn.Module):
    """Selects chunks for each token; the HSA layers of a group share what it picks."""

    def __init__(self, dim: int, heads: int, head_dim: int, chunk_size: int, top_k: int) -> None:
        super().__init__()
        self.options = {"chunk_size": chunk_size, "top_k": top_k}
        self.shape = (heads, head_dim)
        self.norm = nn.RMSNorm(dim)
        self.queries = nn.Linear(dim, heads * head_dim, bias=False)

    def forward(self, x: Tensor, memory: Memory, ops: Ops) -> Selection:
        r = self.queries(self.norm(x)).unflatten(-1, self.shape)
        num_keys = memory.keys.shape[1]
        weights, indices = ops.select(r, memory.landmarks, num_keys=num_keys, **self.options)
        size = self.options["chunk_size"]
        return Selection(weights, ops.share(indices, chunk_size=size, num_keys=num_keys))


class HSA(nn.Module):
    """Attends inside the selected chunks."""

    def __init__(self, dim: int, query_heads: int, head_dim: int, chunk_size: int) -> None:
        super().__init__()
        self.chunk_size = chunk_size
        self.shape = (query_heads, head_dim)
        self.norm = nn.RMSNorm(dim)
        self.queries = nn.Linear(dim, query_heads * head_dim, bias=False)
        self.query_norm = nn.RMSNorm(head_dim)
        self.output = nn.Linear(query_heads * head_dim, dim, bias=False)

    def forward(self, x: Tensor, memory: Memory, selection: Selection, ops: Ops) -> Tensor:
        q = self.query_norm(self.queries(self.norm(x)).unflatten(-1, self.shape))
        keys, values = memory.keys, memory.values
        o = ops.hsa(q, keys, values, *selection, chunk_size=self.chunk_size)
        return self.output(o.flatten(-2))
