# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs and the error bound that the numerics tests share, for CPU and GPU alike."""

from __future__ import annotations

import pathlib
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

from peers import eager

EPS = {torch.float32: 2e-6, torch.bfloat16: 4e-3, torch.float16: 5e-4}
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: PyTorch sees none")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]


def assert_same(found: Any, other: Any, device: str, cpu: float = 0.0) -> None:
    """Two float32 results of one computation: equal on the CPU, or within `cpu`.

    Programs of a GPU add up in any order, and two kernels in orders of their own.
    """
    atol = cpu if device == "cpu" else 1e-5 * max(1.0, float(np.abs(other).max(initial=0)))
    np.testing.assert_allclose(found, other, rtol=0, atol=atol)


@dataclass(frozen=True)
class Case:
    """One call of hsa: sizes in the notation of the semantics, and what is odd about it."""

    B: int = 2
    L: int = 37
    N: int = 300
    H: int = 2
    G: int = 4
    D: int = 64
    Dv: int | None = None
    S: int = 64
    K: int = 3
    q_block: int = 1
    n: float = 0.0
    logits: float = 1.0
    weight_heads: str = "kv"
    index_heads: str = "kv"
    index_dtype: torch.dtype = torch.int32
    weight_dtype: torch.dtype = torch.float32
    corner: str = ""

    def but(self, **changes: object) -> Case:
        return replace(self, **changes)  # type: ignore[arg-type]


def heads(case: Case, kind: str) -> int:
    return {"one": 1, "kv": case.H, "query": case.H * case.G}[kind]


def make(case: Case, dtype: torch.dtype, seed: int = 0) -> dict[str, torch.Tensor]:
    """Inputs on the CPU, the same for every device."""
    g = torch.Generator().manual_seed(seed)
    rows = -(-case.L // case.q_block)
    chunks = -(-case.N // case.S)
    dv = case.D if case.Dv is None else case.Dv
    q = torch.randn(case.B, case.L, case.H * case.G, case.D, generator=g) * case.logits
    k = torch.randn(case.B, case.N, case.H, case.D, generator=g)
    v = torch.randn(case.B, case.N, case.H, dv, generator=g)
    shape = (case.B, rows, heads(case, case.index_heads), case.K)
    picks = torch.randint(0, max(chunks, 1), shape, generator=g)
    w = torch.randn(case.B, rows, heads(case, case.weight_heads), case.K, generator=g)
    _corner(case.corner, picks, w, chunks)
    return {
        "q": q.to(dtype),
        "k": k.to(dtype),
        "v": v.to(dtype),
        "weights": w.to(case.weight_dtype),
        "indices": picks.to(case.index_dtype),
    }


def _corner(corner: str, picks: torch.Tensor, w: torch.Tensor, chunks: int) -> None:
    if corner == "all empty":
        picks[:, ::2] = -1
    elif corner == "empty in the middle":
        picks[..., 1] = -1
    elif corner == "out of range":
        picks[..., 0] = chunks
        picks[:, 0] = 2**31 - 1
        picks[:, -1] = -(2**31)
    elif corner == "nan at empty":
        picks[..., 1] = -1
        w[..., 1] = float("nan")
    elif corner == "duplicates":
        picks[..., 1:] = picks[..., :1]
    elif corner == "last chunk":
        picks[..., 0] = chunks - 1


def reference(case: Case, x: dict[str, torch.Tensor], scale: float) -> torch.Tensor:
    wide = {name: t.double() if t.is_floating_point() else t for name, t in x.items()}
    return eager.hsa(**wide, chunk_size=case.S, scale=scale, softmax_n=case.n, q_block=case.q_block)


def bound(x: dict[str, torch.Tensor], case: Case, scale: float, ref: torch.Tensor) -> float:
    """2 max|e_torch| + eps max(1, max|ref|): the tolerance for the inputs' dtype."""
    own = eager.hsa(**x, chunk_size=case.S, scale=scale, softmax_n=case.n, q_block=case.q_block)
    dtype = x["q"].dtype
    if not ref.numel():
        return 0.0
    error = (own.double() - ref).abs().max().item()
    return 2 * error + EPS[dtype] * max(1.0, ref.abs().max().item())
