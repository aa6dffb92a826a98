# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`rf.ops.gca`: one selection for the queries of each chunk."""

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
    rows,
    to,
)

import ramify as rf
from ramify.ops import gca, gca_select, gca_select_kernel, hsa_kernel

SCALE, DR = 0.3, 24


def arrays(z: Sizes) -> Arrays:
    return {
        **attention(z),
        "r": normal(5, z.B, rows(z, z.S), z.H * z.G, DR),
        "landmarks": normal(6, z.B, z.chunks, z.H, DR),
    }


def first(z: Sizes) -> int:
    return z.N - z.L if z.start is None else z.start


def picks(x: Arrays, z: Sizes) -> torch.Tensor:
    """Nearest first; row j stands at the first token of its block."""
    s = eager.logits(x["r"].double(), x["landmarks"].double(), 1.0).unflatten(2, (z.H, -1)).sum(3)
    t = first(z) + z.S * torch.arange(s.shape[1])[:, None, None]
    key = s.where(torch.arange(z.S, z.S * z.chunks + 1, z.S) <= t, -torch.inf)
    best, indices = key.topk(min(z.K, z.chunks), dim=-1)
    indices = indices.where(best > -torch.inf, -1).sort(-1, descending=True).values
    return torch.nn.functional.pad(indices, (0, z.K - indices.shape[-1]), value=-1)


def plain(z: Sizes, n: float = 0.0) -> Any:
    def run(x: Arrays) -> torch.Tensor:
        i = picks({name: t.detach() for name, t in x.items()}, z)
        s = eager.landmark_scores(x["r"], x["landmarks"], i, DR**-0.5)
        w = eager.weights_of(s, i, "softmax")
        w, i = (eager.rows(t, x["q"], z.S) for t in (w, i))
        return eager.hsa(x["q"], x["k"], x["v"], w, i, z.S, SCALE, n)

    return run


def reference(z: Sizes, n: float = 0.0) -> Any:
    def run(x: dict[str, Any]) -> Any:
        choices = {"scale": DR**-0.5, "first": first(z), "size": z.S, "top_k": z.K}
        w, i = gca_select_kernel.reference(
            x["r"], x["landmarks"], **choices, chunk_size=z.S, q_start=0
        )
        options = {"scale": SCALE, "softmax_n": n, "chunk_size": z.S, "q_block": z.S}
        return hsa_kernel.reference(x["q"], x["k"], x["v"], w, i, **options)

    return run


def op(z: Sizes, n: float = 0.0) -> Any:
    options = {"top_k": z.K, "scale": SCALE, "softmax_n": n, "chunk_size": z.S, **z.places}
    return lambda x: gca(**x, **options)


@pytest.mark.parametrize("size", SIZES)
def test_forward(size: str) -> None:
    z = SIZES[size]
    check_forward(arrays(z), torch.float32, op(z), plain(z), reference(z))


def test_softmax_off_by_one() -> None:
    z = Sizes()
    check_forward(arrays(z), torch.float32, op(z, 1.0), plain(z, 1.0), reference(z, 1.0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_forward_in_16_bits(dtype: torch.dtype) -> None:
    z = Sizes()
    check_forward(arrays(z), dtype, op(z), plain(z), reference(z))


@pytest.mark.parametrize("size", ["plain", "many query heads", "more slots than chunks"])
def test_gradients_by_autograd(size: str) -> None:
    z = SIZES[size]
    check_gradients(arrays(z), op(z), plain(z))


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_by_finite_differences(device: str) -> None:
    """Of the selection, four blocks of which stand among the keys, and of the attention."""
    given = random_arguments(gca_select_kernel.signature, L=4)
    options = {"scale": SCALE, "first": 9, "size": 16, "top_k": 3}
    options |= {"chunk_size": 16, "q_start": 0}
    test_gradients.check(gca_select_kernel, given, options, device)
    given = random_arguments(hsa_kernel.signature, L=50, q_block=16)
    options = {"scale": SCALE, "softmax_n": 1.0, "chunk_size": 16, "q_block": 16}
    test_gradients.check(hsa_kernel, given, options, device)


def test_selection() -> None:
    z = Sizes(L=100, N=100)
    x = to(arrays(z), torch.float32)
    weights, indices = gca_select(x["r"], x["landmarks"], chunk_size=z.S, top_k=z.K)
    assert indices.shape == weights.shape == (z.B, 7, z.H, z.K)
    assert torch.equal(indices.long(), picks(x, z))
    assert (indices[:, 0] == -1).all() and (weights[:, 0] == 0).all()
    torch.testing.assert_close(weights[:, 1:].sum(-1), torch.ones(z.B, 6, z.H))


def test_the_future_does_not_matter() -> None:
    z = Sizes(L=64, N=64)
    x = to(arrays(z), torch.float32)
    changed = {name: t.clone() for name, t in x.items()}
    for name in ("k", "v"):
        changed[name][:, 32:] = 9.0
    changed["landmarks"][:, 2:] = 9.0
    torch.testing.assert_close(op(z)(x)[:, :48], op(z)(changed)[:, :48], rtol=0, atol=0)


def test_wrong_number_of_retrieval_queries() -> None:
    x = to(arrays(Sizes()), torch.float32)
    with pytest.raises(rf.ArgumentError, match=r"r: expected ceil\(L / chunk_size\) = 4 rows"):
        gca(**{**x, "r": x["r"][:, :3]}, chunk_size=16, top_k=2)
