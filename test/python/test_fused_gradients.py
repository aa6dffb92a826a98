# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of functions that weigh what they select, attend to it, and are one function."""

from __future__ import annotations

from typing import Any

import eager_variants as eager
import numpy as np
import pytest
import test_ops_hsa
import torch
from arguments import random_arguments
from numerics import DEVICES, assert_same
from test_gradients import fetch, put, put_all, slope_of
from test_ops_hsa import DR, SCALE, arrays, picks
from variant_checks import SIZES, Arrays, Sizes, attention, check_forward, check_gradients, normal

import ramify as rf
import ramify.language as rl
from ramify.ops.select import slot_weights


@rf.jit
def retrieve(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query,
    landmarks: rl.Landmarks,
    *,
    scale: float,
    size: rl.constexpr,
    top_k: rl.constexpr,
    kind: rl.constexpr,
):
    s = rl.sum(rl.dot(r, landmarks), over="head") * DR**-0.5
    seen = (rl.end(landmarks) <= rl.query_position()) & (rl.length(landmarks) == size)
    s = rl.where(seen, s, -rl.inf)
    slots = rl.topk(s, top_k)
    weights = slot_weights(s.at(slots), slots, kind=kind)
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        p = rl.softmax(rl.dot(q, k[c]) * scale, n=1.0)
        out += weights[slot] * rl.dot(p, v[c])
    return out, weights


def options_of(z: Sizes, kind: str) -> dict[str, Any]:
    options = {"scale": SCALE, "size": z.S, "top_k": z.K, "kind": kind, "chunk_size": z.S}
    return {**options, **z.places}


def plain(z: Sizes, kind: str) -> Any:
    def run(x: Arrays) -> Any:
        i = picks(x, z)
        s = eager.landmark_scores(x["r"], x["landmarks"], i, DR**-0.5)
        w = eager.weights_of(s, i, kind)
        return eager.hsa(x["q"], x["k"], x["v"], w, i, z.S, SCALE, 1.0), w

    return run


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", test_ops_hsa.KINDS)
@pytest.mark.parametrize("size", ["plain", "many query heads", "more slots than chunks"])
def test_weights_of_what_is_selected(size: str, kind: str, device: str) -> None:
    z = SIZES[size]
    options = options_of(z, kind)
    check_gradients(arrays(z), lambda x: retrieve(**x, **options), plain(z, kind), device)


@pytest.mark.parametrize("device", DEVICES)
def test_they_are_of_the_function_as_it_runs(device: str) -> None:
    z = Sizes()
    options = options_of(z, "softmax")
    check_forward(
        arrays(z),
        torch.float32,
        lambda x: retrieve(**x, **options),
        plain(z, "softmax"),
        lambda x: retrieve.reference(**x, **options),
        device,
    )


@rf.jit
def each_head(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, landmarks: rl.Landmarks, *, top_k: rl.constexpr
):
    """Query heads share picks, each with weights of its own; queries select, too."""
    s = rl.dot(q, landmarks) * SCALE
    s = rl.where(rl.end(landmarks) <= rl.query_position(), s, -rl.inf)
    slots = rl.topk(rl.max(s, over="head"), top_k)
    weights = rl.softmax(s.at(slots), over="slot")
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        out += weights[slot] * rl.dot(rl.softmax(rl.dot(q, k[c]) * SCALE), v[c])
    return out


@pytest.mark.parametrize("device", DEVICES)
def test_weights_of_each_query_head(device: str) -> None:
    z = Sizes(L=64, N=64)

    def eager_head(x: Arrays) -> torch.Tensor:
        s = eager.logits(x["q"], x["landmarks"], SCALE)
        t, _ = eager.places(x["q"], x["k"])
        seen = z.S * (1 + torch.arange(z.chunks)) <= t
        key = s.detach().double().unflatten(2, (z.H, -1)).amax(3).where(seen, -torch.inf)
        best, i = key.topk(z.K, dim=-1)
        i = eager.of_heads(i.where(best > -torch.inf, -1), q_heads)
        w = eager.weights_of(s.gather(3, i.clamp(min=0)), i, "softmax")
        return eager.hsa(x["q"], x["k"], x["v"], w, i, z.S, SCALE)

    q_heads = z.H * z.G
    x = {**attention(z), "landmarks": normal(5, z.B, z.chunks, q_heads, z.D)}
    check_gradients(x, lambda x: each_head(**x, top_k=z.K, chunk_size=z.S), eager_head, device)


@rf.jit
def shares(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, weights: rl.ChunkWeights, indices: rl.ChunkIndices
):
    """Given weights, normalised by the function itself."""
    own = rl.softmax(weights, over="slot")
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        out += own[slot] * rl.dot(rl.softmax(rl.dot(q, k[c]) * SCALE), v[c])
    return out


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("heads", ["kv", "query"])
def test_rows_of_given_weights(heads: str, device: str) -> None:
    given = {**random_arguments(shares.signature, weight_heads=heads), "chunk_size": 16}
    right = shares.reference(**given)
    there = put_all(given, device)
    (found,) = fetch(shares(**there))
    np.testing.assert_allclose(found, right, rtol=0, atol=4e-6 * abs(right).max())
    names = ("q", "k", "v")
    out, saved = shares.derivative(names).forward(**there)
    d_out = np.random.default_rng(1).standard_normal(out.shape).astype(np.float32)
    grads = shares.derivative(names).backward(saved, put(d_out, device), **there)
    for name, grad in zip(names, fetch(grads), strict=True):
        way = np.random.default_rng(2).standard_normal(grad.shape)
        slope = slope_of(shares, given, name, way, (d_out,))
        assert abs((grad * way).sum() - slope) <= 2e-5 * np.abs(grad * way).sum()
    with pytest.raises(rf.GradientError, match=r"all weights of a row at once"):
        shares.derivative("weights").forward(**there)


def test_what_each_launch_does() -> None:
    """It visits for keys and weights, reads back those of the weights, visits for landmarks."""
    z = Sizes()
    given = {**{n: t.float().numpy() for n, t in arrays(z).items()}, **options_of(z, "softmax")}
    text = retrieve.ir("backward", **given)
    assert "hsa.topk" not in text and text.count("hsa.reduce") == 2
    assert 'hsa.zeros : !hsa.sums<!hsa.weights<"saved_0", f32, heads = kv, slots = 3>>' in text
    assert ": !hsa.sums<!hsa.weights<" in text.split("hsa.yield")[1]


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_bits_on_request(device: str) -> None:
    """Sums over the heads of a block have one owner."""
    z = Sizes()
    x = {n: t.float().numpy() for n, t in arrays(z).items()}
    given = put_all(x, device) | options_of(z, "softmax")
    derivative = retrieve.derivative(("q", "r"))
    (out, weights), saved = derivative.forward(**given, deterministic=True)
    first, again = (
        fetch(derivative.backward(saved, (out, weights), **given, deterministic=True))
        for _ in range(2)
    )
    near = fetch(derivative.backward(saved, (out, weights), **given))
    for one, other, third in zip(first, again, near, strict=True):
        np.testing.assert_array_equal(one, other)
        assert_same(one, third, device, cpu=1e-5)
