# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""RAMba as a language model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .layers import HSA, OPS, ChunkEncoder, Retrieval, recurrence


@dataclass(frozen=True)
class Config:
    """Sizes of a model.

    Parameters
    ----------
    lower, upper : int
        Blocks below the chunk encoder, and above it.
    group : int
        Upper blocks that share a selection.
    ops : {"ramify", "reference"}
        Where selection and attention come from: Ramify's kernels, or plain PyTorch.
    """

    vocabulary: int = 96
    dim: int = 64
    lower: int = 1
    upper: int = 2
    group: int = 2
    heads: int = 1
    query_heads: int = 2
    head_dim: int = 32
    chunk_size: int = 16
    top_k: int = 4
    ops: str = "ramify"


class Feedforward(nn.Sequential):
    """The block's second half."""

    def __init__(self, dim: int) -> None:
        super().__init__(
            nn.RMSNorm(dim), nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim)
        )


class Lower(nn.Module):
    """A block without memory."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(config.dim)
        self.recurrence = recurrence(config.dim)
        self.feedforward = Feedforward(config.dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.recurrence(self.norm(x))
        return x + self.feedforward(x)


class RAMba(nn.Module):
    """Lower blocks, the chunk encoder, and upper blocks with HSA.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        dim, size = config.dim, config.chunk_size
        self.embedding = nn.Embedding(config.vocabulary, dim)
        nn.init.normal_(self.embedding.weight, std=0.02)  # what layers add soon outweighs it
        self.lower = nn.ModuleList(Lower(config) for _ in range(config.lower))
        self.encoder = ChunkEncoder(dim, config.heads, config.head_dim, size)
        groups = -(-config.upper // config.group)
        self.retrievals = nn.ModuleList(
            Retrieval(dim, config.heads, config.head_dim, size, config.top_k) for _ in range(groups)
        )
        self.attention = nn.ModuleList(
            HSA(dim, config.query_heads, config.head_dim, size) for _ in range(config.upper)
        )
        self.upper = nn.ModuleList(Lower(config) for _ in range(config.upper))
        self.head = nn.Sequential(nn.RMSNorm(dim), nn.Linear(dim, config.vocabulary))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `[B, L, vocabulary]` of tokens `[B, L]`."""
        ops = OPS[self.config.ops]
        x = self.embedding(tokens)
        for block in self.lower:
            x = block(x)
        memory = self.encoder(x)
        for number, (attend, block) in enumerate(zip(self.attention, self.upper, strict=True)):
            if number % self.config.group == 0:
                selection = self.retrievals[number // self.config.group](x, memory, ops)
            x = block(x + attend(x, memory, selection, ops))
        logits: Tensor = self.head(x)
        return logits
