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
from ramify.ops import gca, gca_kernel, gca_select, gca_select_kernel, hsa, hsa_kernel

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
        options = {"chunk_size": z.S, "q_block": z.S, **z.places}
        return gca_kernel.reference(**x, **numbers(z, n), **options)

    return run


def numbers(z: Sizes, n: float = 0.0) -> dict[str, Any]:
    return {"scale": SCALE, "scale_r": DR**-0.5, "size": z.S, "top_k": z.K, "softmax_n": n}


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
def test_gradients_of_the_two_steps(device: str) -> None:
    """Of the selection, four blocks of which stand among the keys, and of the attention."""
    given = random_arguments(gca_select_kernel.signature, L=4)
    options = {"scale": SCALE, "first": 9, "size": 16, "top_k": 3}
    options |= {"chunk_size": 16, "q_start": 0}
    test_gradients.check(gca_select_kernel, given, options, device)
    given = random_arguments(hsa_kernel.signature, L=50, q_block=16)
    options = {"scale": SCALE, "softmax_n": 1.0, "chunk_size": 16, "q_block": 16}
    test_gradients.check(hsa_kernel, given, options, device)


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_by_finite_differences(device: str) -> None:
    z = Sizes(B=1, L=40, N=50, G=2)
    given = {name: x.numpy() for name, x in to(arrays(z), torch.float32).items()}
    options = {"chunk_size": z.S, "q_block": z.S}
    test_gradients.check(gca_kernel, given, {**numbers(z), **options}, device)


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major", "union"])
def test_schedules(schedule: str) -> None:
    """Each attends to what was selected once for a block."""
    z = Sizes(G=4)
    x = to(arrays(z), torch.float32)
    kernel = gca_kernel.options(schedule=schedule)
    options = {**numbers(z), "chunk_size": z.S, "q_block": z.S}
    check_forward(x, torch.float32, lambda x: kernel(**x, **options), plain(z), reference(z))
    if schedule != "union":  # which has no gradients
        check_gradients(x, lambda x: kernel(**x, **options), plain(z))


def test_each_sequence_has_its_own_keys() -> None:
    z = Sizes()
    x = to(arrays(z), torch.float32)
    lengths, starts = torch.tensor([70, 33]).int(), torch.tensor([20, -5]).int()
    out = gca(**x, chunk_size=z.S, top_k=z.K, num_keys=lengths, q_start=starts)
    for b in range(z.B):
        one = {name: t[b : b + 1] for name, t in x.items()}
        alone = gca(
            **one,
            chunk_size=z.S,
            top_k=z.K,
            num_keys=lengths[b : b + 1],
            q_start=int(starts[b]),
        )
        torch.testing.assert_close(out[b : b + 1], alone, rtol=0, atol=0)


def test_a_selection_that_layers_share() -> None:
    """It is what `gca` makes for itself."""
    z = Sizes()
    x = to(arrays(z), torch.float32)
    start = z.N - z.L
    w, i = gca_select(x["r"], x["landmarks"], chunk_size=z.S, top_k=z.K, q_start=start)
    options = {"chunk_size": z.S, "q_block": z.S, "scale": SCALE}
    shared = hsa(x["q"], x["k"], x["v"], w, i, softmax_n=0.0, **options)
    torch.testing.assert_close(op(z)(x), shared, rtol=1e-5, atol=1e-6)


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
