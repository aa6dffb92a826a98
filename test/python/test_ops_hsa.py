# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`rf.ops.select` and `rf.ops.hsa` as one layer: stick-breaking, softmax and softmax_1 weights."""

from __future__ import annotations

from typing import Any

import eager_variants as eager
import pytest
import torch
from numerics import DEVICES
from variant_checks import (
    SIZES,
    Arrays,
    Sizes,
    attention,
    check_forward,
    check_gradients,
    normal,
)

import ramify as rf
from ramify.ops import hsa_kernel, select_kernel
from ramify.ops.select import select_arguments

SCALE, DR = 0.3, 24
KINDS = ["stick_breaking", "softmax", "softmax_1"]


def arrays(z: Sizes) -> Arrays:
    return {
        **attention(z),
        "r": normal(5, z.B, z.L, z.H * z.G, DR),
        "landmarks": normal(6, z.B, z.chunks, z.H, DR),
    }


def picks(x: Arrays, z: Sizes) -> torch.Tensor:
    """Nearest first: the visible chunks with the largest scores."""
    r, lm = (x[name].detach().double() for name in ("r", "landmarks"))
    s = eager.logits(r, lm, 1.0).unflatten(2, (z.H, -1)).sum(3)
    t, _ = eager.places(x["q"], x["k"], z.start)
    whole = z.S * (1 + torch.arange(z.chunks))
    key = s.where((whole <= t) & (whole <= z.N), -torch.inf)
    best, indices = key.topk(min(z.K, z.chunks), dim=-1)
    indices = indices.where(best > -torch.inf, -1).sort(-1, descending=True).values
    return torch.nn.functional.pad(indices, (0, z.K - indices.shape[-1]), value=-1)


def plain(z: Sizes, kind: str) -> Any:
    def run(x: Arrays) -> torch.Tensor:
        i = picks(x, z)
        s = eager.landmark_scores(x["r"], x["landmarks"], i, DR**-0.5)
        w = eager.weights_of(s, i, kind)
        return eager.hsa(x["q"], x["k"], x["v"], w, i, z.S, SCALE, 1.0)

    return run


def op(z: Sizes, kind: str) -> Any:
    def run(x: Arrays) -> torch.Tensor:
        weights, indices = rf.ops.select(
            x["r"],
            x["landmarks"],
            chunk_size=z.S,
            top_k=z.K,
            num_keys=z.N,
            weights=kind,
            q_start=z.start,
        )
        options = {"chunk_size": z.S, "scale": SCALE, "softmax_n": 1.0}
        return rf.ops.hsa(x["q"], x["k"], x["v"], weights, indices, **options)

    return run


def reference(z: Sizes, kind: str) -> Any:
    more = {"order": "nearest", "window": 0, "sink": 0, "local": 0, "own": False, "group": "sum"}

    def run(x: dict[str, Any]) -> Any:
        options = {"chunk_size": z.S, "top_k": z.K, "weights": kind, "scale": None, **more}
        choices = select_arguments(x["r"], **options) | z.places
        w, i = select_kernel.reference(x["r"], x["landmarks"], **choices, num_keys=z.N)
        options = {"chunk_size": z.S, "scale": SCALE, "softmax_n": 1.0}
        return hsa_kernel.reference(x["q"], x["k"], x["v"], w, i, **options)

    return run


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_forward(size: str, kind: str, device: str) -> None:
    z = SIZES[size]
    check_forward(arrays(z), torch.float32, op(z, kind), plain(z, kind), reference(z, kind), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_forward_in_16_bits(kind: str, dtype: torch.dtype, device: str) -> None:
    z = Sizes()
    check_forward(arrays(z), dtype, op(z, kind), plain(z, kind), reference(z, kind), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", ["plain", "many query heads", "more slots than chunks"])
def test_gradients_by_autograd(size: str, kind: str, device: str) -> None:
    z = SIZES[size]
    check_gradients(arrays(z), op(z, kind), plain(z, kind), device)
