# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Triton kernel of HSA's authors, from a checkout of RamstorageAI/long-context-modeling.

``RAMIFY_PEERS`` names the folder that holds the checkout ``long-context-modeling``.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
from collections.abc import Callable
from types import ModuleType

import torch


def _path() -> pathlib.Path:
    folder = pathlib.Path(os.environ.get("RAMIFY_PEERS") or "no-peers")
    return folder / "long-context-modeling" / "ops" / "hsa_triton.py"


def is_there() -> bool:
    """Whether there is a checkout."""
    return _path().exists()


def load() -> ModuleType | None:
    """Import ``ops/hsa_triton.py``, or give None where there is no checkout."""
    if not is_there():
        return None
    spec = importlib.util.spec_from_file_location("hsa_triton", _path())
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(
    module: ModuleType,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    weights: torch.Tensor,
    indices: torch.Tensor,
    *,
    chunk_size: int,
    scale: float,
    softmax_n: float,
) -> torch.Tensor:
    """Their function as a model calls it, with the checks that it makes."""
    with torch.no_grad():
        return module.HSA(q, k, v, weights, indices, softmax_n, chunk_size, scale)


def kernel(
    module: ModuleType,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    weights: torch.Tensor,
    indices: torch.Tensor,
    *,
    chunk_size: int,
    scale: float,
    softmax_n: float,
) -> Callable[[], torch.Tensor]:
    """Only their kernel's launch, with outputs that are already there."""
    batch, length, query_heads, dim = q.shape
    heads, slots, rows = k.shape[2], indices.shape[3], indices.shape[1]
    q_block = length // rows
    block = min(q_block, 16)
    m = torch.empty(batch, slots, length, query_heads, device=q.device, dtype=torch.float32)
    out = torch.empty_like(q)
    grid = (length // block, batch, heads)
    strides = [s for x in (q, k, v, out, weights, indices, m) for s in x.stride()]
    sizes = (length, k.shape[1], query_heads // heads, slots, dim, block, chunk_size, q_block)

    def launch() -> torch.Tensor:
        args = (q, k, v, weights, indices, scale, softmax_n, m, out)
        module._attn_fwd[grid](*args, *strides, *sizes)
        return out

    return launch
