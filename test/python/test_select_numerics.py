# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803, N806
"""`ramify.ops.select`, compiled, against its definition in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numerics import DEVICES
from peers import eager
from test_gradients import fetch, put
from test_select import DEFAULTS, arrays, definition

import ramify as rf
import ramify.language as rl

EPSILON = 2e-6
F32 = np.float32


def run(r: Any, lm: Any, S: int, device: str, **given: Any) -> tuple[Any, Any]:
    """Weights and indices, as arrays of NumPy."""
    there = (put(x.astype(F32), device) for x in (r, lm))
    weights, indices = fetch(
        rf.ops.select(*there, chunk_size=S, **{"top_k": DEFAULTS["top_k"], **given})
    )
    return weights, indices


def scores(r: Any, lm: Any, group: str) -> Any:
    """All scores, `[B, L, H, C]`, without the scale."""
    B, L, HQ, D = r.shape
    H = lm.shape[2]
    each = np.einsum("blhgd,bchd->blhgc", r.reshape(B, L, H, HQ // H, D), lm)
    return each.sum(3) if group == "sum" else each.max(3)


def check(r: Any, lm: Any, S: int, device: str, **given: Any) -> tuple[Any, Any]:
    """Picks agree but where scores tie within rounding; weights agree for equal picks."""
    r, lm = r.astype(F32), lm.astype(F32)
    weights, indices = run(r, lm, S, device, **given)
    exact_weights, exact = definition(r.astype(np.float64), lm.astype(np.float64), S, **given)
    rough_weights, rough = definition(r, lm, S, **given)
    assert weights.dtype == F32 and indices.dtype == np.int32
    differ = (indices != exact).any(-1)
    if differ.any():
        s = scores(r.astype(np.float64), lm.astype(np.float64), given.get("group", "sum"))
        s = np.concatenate([s, np.full_like(s[..., :1], -1e9)], -1)  # the place of -1
        ours, theirs = (np.sort(np.take_along_axis(s, i, -1)[differ]) for i in (indices, exact))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())
    same = ~differ
    assert same.mean() > 0.9
    equal = same & (rough == exact).all(-1)
    error = np.abs(rough_weights - exact_weights)[equal].max(initial=0)
    bound = 2 * error + EPSILON * max(1.0, np.abs(exact_weights).max(initial=0))
    assert np.abs(weights - exact_weights)[same].max(initial=0) <= bound
    return weights, indices


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("weights", ["stick_breaking", "softmax", "softmax_1", "sigmoid", "none"])
def test_weights(weights: str, device: str) -> None:
    check(*arrays(), 8, device, weights=weights)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("order", ["ascending", "score"])
def test_orders(order: str, device: str) -> None:
    check(*arrays(), 8, device, order=order)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "given",
    [
        {"top_k": 1},
        {"top_k": 9},  # more slots than chunks
        {"top_k": 128},
        {"scale": 0.5},
        {"group": "max"},
        {"num_keys": 41},  # the last chunk has one key
        {"num_keys": 40},  # landmarks beyond the keys
        {"q_start": -20},
        {"q_start": 45},  # beyond the keys
        {"num_keys": 0, "q_start": 3},
        {"window": 13},
        {"sink": 2, "window": 16},
        {"local": 2, "num_keys": 43, "q_start": 20},
        {"sink": 3, "local": 1, "order": "score", "weights": "softmax"},
        {"own": True, "weights": "none", "sink": 1, "local": 1, "order": "ascending"},
        {"own": True, "weights": "none", "num_keys": 43, "q_start": 10},
    ],
    ids=str,
)
def test_choices(given: dict[str, Any], device: str) -> None:
    check(*arrays(), 8, device, **given)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("shape", "S", "given"),
    [
        ({"B": 1, "L": 200, "C": 150, "H": 1, "G": 1, "D": 16}, 1, {"top_k": 32}),
        ({"B": 1, "L": 70, "C": 65, "H": 1, "G": 16, "D": 64}, 2, {"top_k": 8}),
        ({"B": 2, "L": 33, "C": 129, "H": 3, "G": 2, "D": 40}, 1, {"top_k": 5, "group": "max"}),
        ({"B": 1, "L": 40, "C": 20, "H": 1, "G": 1, "D": 1024}, 4, {"top_k": 8}),
        ({"B": 3, "L": 1, "C": 300, "H": 2, "G": 4, "D": 128}, 64, {"top_k": 16}),
    ],
    ids=str,
)
def test_shapes(shape: dict[str, int], S: int, given: dict[str, Any], device: str) -> None:
    check(*arrays(**shape), S, device, **given)


@pytest.mark.parametrize("device", DEVICES)
def test_equal_scores_go_to_the_higher_index(device: str) -> None:
    r, lm = np.ones((1, 1, 1, 8)), np.ones((1, 90, 1, 8))
    _, indices = check(r, lm, 4, device, top_k=3, q_start=360)
    assert indices[0, 0, 0].tolist() == [89, 88, 87]


@pytest.mark.parametrize("device", DEVICES)
def test_nan_and_minus_infinity_are_never_picked(device: str) -> None:
    r, lm = arrays()
    r = np.abs(r)
    lm[:, 1, :, 0], lm[:, 3] = math.nan, -math.inf
    _, indices = run(r, lm, 8, device, top_k=6)
    _, expected = definition(r.astype(F32), lm.astype(F32), 8, top_k=6)
    np.testing.assert_array_equal(indices, expected)
    assert not np.isin(indices, [1, 3]).any() and np.isin(indices, [0, 2, 4]).any()


@pytest.mark.parametrize("device", DEVICES)
def test_large_scores_stay_finite(device: str) -> None:
    r, lm = arrays()
    for weights in ("stick_breaking", "softmax", "softmax_1", "sigmoid"):
        found, _ = run(r * 1e4, lm * 1e4, 8, device, weights=weights)
        assert np.isfinite(found).all() and (found >= 0).all() and (found <= 1).all()


@pytest.mark.parametrize("device", DEVICES)
def test_landmarks_of_query_heads_and_one_for_all(device: str) -> None:
    check(*arrays(H=6, G=1), 8, device)
    r, lm = arrays(H=2, G=3)
    _, indices = run(r, lm[:, :, :1], 8, device)
    _, expected = definition(r.astype(F32), np.repeat(lm[:, :, :1], 1, 2).astype(F32), 8)
    assert (indices == expected).mean() > 0.98


@pytest.mark.parametrize("device", DEVICES)
def test_without_queries_or_chunks_the_shapes_remain(device: str) -> None:
    r, lm = arrays()
    weights, indices = run(r[:, :0], lm, 8, device)
    assert weights.shape == indices.shape == (2, 0, 2, 4) and indices.dtype == np.int32
    weights, indices = run(r[:0], lm[:0], 8, device)
    assert weights.shape == (0, 37, 2, 4)
    weights, indices = run(r, lm[:, :0], 8, device)
    assert (indices == -1).all() and not weights.any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("shape", "S", "K"),
    [
        ({"B": 1, "L": 3, "C": 2**20, "H": 1, "G": 2, "D": 8}, 16, 16),
        ({"B": 1, "L": 9, "C": 70, "H": 2, "G": 2, "D": 2048}, 16, 8),
        ({"B": 1, "L": 9, "C": 70, "H": 2, "G": 1, "D": 776}, 16, 8),
        ({"B": 2, "L": 5, "C": 5000, "H": 2, "G": 1, "D": 32}, 16, 128),
    ],
    ids=["a million chunks", "dim 2048", "dim 776", "128 of 5000"],
)
def test_large_selections(shape: dict[str, int], S: int, K: int, device: str) -> None:
    r, lm = (torch.from_numpy(x.astype(F32)) for x in arrays(**shape))
    weights, indices = run(r.numpy(), lm.numpy(), S, device, top_k=K)
    exact, picks = eager.select(r.double(), lm.double(), S, K)
    own, same = eager.select(r, lm, S, K)
    assert torch.equal(picks, same) and (picks >= 0).all()
    np.testing.assert_array_equal(indices, picks)
    error = (own - exact).abs().max().item()
    assert np.abs(weights - exact.numpy()).max() <= 2 * error + EPSILON


# The language beyond `select`


@rf.jit
def by_share(
    r: rl.Query, landmarks: rl.Landmarks, *, scale: float, top_k: rl.constexpr
) -> tuple[rl.Array, rl.Array]:
    """Picks by the largest share that any head of the group gives; each head's own weights."""
    s = rl.dot(r, landmarks) * scale
    z = rl.logsumexp(s, over="chunk")
    slots = rl.topk(rl.max(s - z, over="head"), top_k, order="score")
    return rl.softmax(s.at(slots), over="slot"), slots


@rf.jit
def each_head(
    r: rl.Query, landmarks: rl.Landmarks, *, least: float, top_k: rl.constexpr
) -> tuple[rl.Array, rl.Array]:
    """Picks of each head by softmax, dropped below a share; how much the picks before have."""
    p = rl.softmax(rl.dot(r, landmarks), over="chunk")
    slots = rl.topk(p, top_k, order="score")
    kept = slots.keep(p.at(slots) >= least)
    share = rl.where(kept >= 0, p.at(kept), 0.0)
    return rl.cumsum(share, over="slot", exclusive=True), kept


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("function", "given"),
    [(by_share, {"scale": 0.3, "top_k": 6}), (each_head, {"least": 0.1, "top_k": 5})],
)
def test_streams_that_are_walked_over_twice(
    function: Any, given: dict[str, Any], device: str
) -> None:
    r, lm = (x.astype(F32) for x in arrays(L=20, C=100, H=1, G=4, D=16))
    got = fetch(function(put(r, device), put(lm, device), chunk_size=4, **given))
    expected = function.reference(r, lm, chunk_size=4, **given)
    same = (got[1] == expected[1]).all(-1)
    assert same.mean() > 0.95
    if got[0].shape != got[1].shape:  # picks of the group, weights of each head
        same = np.repeat(same, got[0].shape[2] // got[1].shape[2], 2)
    np.testing.assert_allclose(got[0][same], expected[0][same], rtol=2e-5, atol=EPSILON)
