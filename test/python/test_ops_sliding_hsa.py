# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`rf.ops.sliding_hsa`: a sliding window beside attention over selected chunks."""

from __future__ import annotations

from typing import Any

import eager_variants as eager
import pytest
import test_gradients
import torch
from arguments import random_arguments
from numerics import DEVICES
from variant_checks import (
    SIZES,
    Arrays,
    Sizes,
    attention,
    check_forward,
    check_gradients,
    normal,
    on,
    picks,
    rows,
    to,
)

import ramify as rf
from ramify.ops import select, select_kernel, sliding_hsa, sliding_hsa_kernel
from ramify.ops.select import select_arguments

SCALE, WINDOW = 0.3, 20


def arrays(z: Sizes, weight_heads: str = "kv", block: int = 1) -> Arrays:
    heads = {"one": 1, "kv": z.H, "query": z.H * z.G}[weight_heads]
    count = rows(z, block)
    return {
        **attention(z),
        "weights": normal(5, z.B, count, heads, z.K),
        "indices": picks(z, count, z.H),
    }


def check(
    z: Sizes, dtype: torch.dtype, device: str, weight_heads: str = "kv", n: float = 0.0
) -> None:
    options = {"window": WINDOW, "scale": SCALE, "softmax_n": n, "chunk_size": z.S, **z.places}
    check_forward(
        arrays(z, weight_heads),
        dtype,
        lambda x: sliding_hsa(**x, **options),
        lambda x: eager.sliding_hsa(*x.values(), z.S, SCALE, WINDOW, n, z.start),
        lambda x: sliding_hsa_kernel.reference(**x, **options),
        device,
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", SIZES)
def test_forward(size: str, device: str) -> None:
    check(SIZES[size], torch.float32, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n", [0.0, 1.0])
@pytest.mark.parametrize("weight_heads", ["one", "kv", "query"])
def test_weights_and_softmax(weight_heads: str, n: float, device: str) -> None:
    check(Sizes(), torch.float32, device, weight_heads, n)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_forward_in_16_bits(dtype: torch.dtype, device: str) -> None:
    check(Sizes(), dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", ["plain", "many query heads", "before the keys"])
def test_gradients_by_autograd(size: str, device: str) -> None:
    z = SIZES[size]
    options = {"window": WINDOW, "scale": SCALE, "chunk_size": z.S, **z.places}
    check_gradients(
        arrays(z),
        lambda x: sliding_hsa(**x, **options),
        lambda x: eager.sliding_hsa(*x.values(), z.S, SCALE, WINDOW, start=z.start),
        device,
    )


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_of_blocks_that_share_a_selection(device: str) -> None:
    z, block = Sizes(), 8

    def plain(x: Arrays) -> torch.Tensor:
        shared = [eager.rows(x[name], x["q"], block) for name in ("weights", "indices")]
        return eager.sliding_hsa(x["q"], x["k"], x["v"], *shared, z.S, SCALE, WINDOW)

    options = {"window": WINDOW, "scale": SCALE, "chunk_size": z.S, "q_block": block}
    check_gradients(arrays(z, block=block), lambda x: sliding_hsa(**x, **options), plain, device)


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_by_finite_differences(device: str) -> None:
    given = random_arguments(sliding_hsa_kernel.signature)
    options = {"scale": SCALE, "window": WINDOW, "chunk_size": 16, "softmax_n": 1.0}
    test_gradients.check(sliding_hsa_kernel, given, options, device)


def layer(z: Sizes) -> Arrays:
    """With retrieval queries and landmarks of another dim."""
    return {
        **attention(z),
        "r": normal(6, z.B, z.L, z.H * z.G, 8),
        "landmarks": normal(7, z.B, z.chunks, z.H, 8),
    }


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_with_a_selection_that_leaves_the_window_out(dtype: torch.dtype, device: str) -> None:
    z = Sizes(L=90, N=90)
    _, indices, plain = selected(on(to(layer(z), dtype), device), z)
    assert (indices >= 0).any()
    t = torch.arange(z.L)[:, None, None]
    assert torch.where(indices >= 0, indices * z.S <= t - WINDOW, True).all()

    def reference(x: dict[str, Any]) -> Any:
        choices = select_arguments(x["r"], **choices_of(z))
        w, i = select_kernel.reference(x["r"], x["landmarks"], **choices, num_keys=z.N)
        options = {"window": WINDOW, "scale": SCALE, "chunk_size": z.S}
        return sliding_hsa_kernel.reference(x["q"], x["k"], x["v"], w, i, **options)

    check_forward(layer(z), dtype, lambda x: selected(x, z)[0], plain, reference, device)


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_through_the_selection(device: str) -> None:
    z = Sizes(L=90, N=90)
    x = layer(z)
    plain = selected(on(to(x, torch.float32), device), z)[2]
    check_gradients(x, lambda x: selected(x, z)[0], plain, device)


def choices_of(z: Sizes) -> dict[str, Any]:
    more = {"order": "nearest", "sink": 0, "local": 0, "own": False, "group": "sum", "scale": None}
    return {"chunk_size": z.S, "top_k": z.K, "weights": "softmax", "window": WINDOW, **more}


def selected(x: Arrays, z: Sizes) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """The layer by Ramify; on the CPU, its picks and the layer in eager PyTorch at these picks."""
    weights, indices = select(x["r"], x["landmarks"], **choices_of(z), num_keys=z.N)
    q, k, v = (x[name] for name in "qkv")
    options = {"window": WINDOW, "scale": SCALE, "chunk_size": z.S}
    out = sliding_hsa(q, k, v, weights, indices, **options)
    indices = indices.cpu()

    def plain(x: Arrays) -> torch.Tensor:
        s = eager.landmark_scores(x["r"], x["landmarks"], indices, 8**-0.5)
        w = eager.weights_of(s, indices, "softmax")
        return eager.sliding_hsa(x["q"], x["k"], x["v"], w, indices, z.S, SCALE, WINDOW)

    return out, indices, plain


def test_wrong_window() -> None:
    with pytest.raises(rf.ArgumentError, match="window: expected an int >= 1, found 0"):
        sliding_hsa(**to(arrays(Sizes()), torch.float32), chunk_size=16, window=0)
