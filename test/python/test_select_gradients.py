# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of `rf.ops.select` through its weights: finite differences, and torch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numerics import DEVICES, assert_same
from test_gradients import fetch, ones, put, put_all, random_gradient, slope_of

import ramify as rf
from ramify.ops.select import WEIGHTS, select_arguments, select_kernel

CHOICES: dict[str, Any] = {
    "top_k": 3,
    "scale": 0.3,
    "weights": "stick_breaking",
    "order": "nearest",
    "window": 0,
    "sink": 0,
    "local": 0,
    "own": False,
    "group": "sum",
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{weights: ({"weights": weights}, {}) for weights in WEIGHTS},
    "by score": ({"order": "score"}, {}),
    "largest of the group": ({"group": "max"}, {}),
    "one query head": ({}, {"HQ": 2}),
    "one row of landmarks for all heads": ({}, {"HQ": 4, "H": 1}),
    "forced picks": ({"weights": "none", "sink": 1, "local": 1}, {}),
    "the own chunk": ({"weights": "none", "own": True}, {}),
    "a window": ({"window": 24}, {}),
    "a dim that is padded": ({}, {"D": 24}),
    "more slots than chunks": ({"top_k": 12}, {}),
}


def arrays_of(
    HQ: int = 6,  # noqa: N803
    H: int = 2,  # noqa: N803
    D: int = 16,  # noqa: N803
) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        "r": rng.standard_normal((2, 70, HQ, D), np.float32),
        "landmarks": rng.standard_normal((2, 9, H, D), np.float32),
    }


def call_of(arrays: dict[str, Any], choices: dict[str, Any]) -> dict[str, Any]:
    return {**arrays, **select_arguments(arrays["r"], chunk_size=8, **{**CHOICES, **choices})}


def weights_of(s: torch.Tensor, there: torch.Tensor, kind: str) -> torch.Tensor:
    """Weights of scores that are -inf where no chunk is."""
    if kind == "none":
        return torch.where(there, s, 0.0)
    if kind == "sigmoid":
        return s.sigmoid()
    if kind == "stick_breaking":
        zero = torch.where(there, s, 0.0)
        taken = torch.where(there, torch.nn.functional.softplus(zero), 0.0)
        return torch.where(there, zero.sigmoid() * (taken - taken.cumsum(-1)).exp(), 0.0)
    zero = torch.where(there, s, 0.0)
    powers = torch.where(there, zero.exp(), 0.0)
    total = powers.sum(-1, keepdim=True) + (kind == "softmax_1")
    return powers / torch.where(total > 0, total, 1.0)


def expected(call: dict[str, Any], indices: Any, d_weights: Any) -> tuple[Any, Any]:
    """Gradients by torch, in float64, of the chunks that were picked."""
    r = torch.tensor(call["r"], dtype=torch.float64, requires_grad=True)
    landmarks = torch.tensor(call["landmarks"], dtype=torch.float64, requires_grad=True)
    picks = torch.as_tensor(indices).long()
    there = picks >= 0
    heads = landmarks.shape[2]
    each = torch.einsum("blhgd,bchd->blhgc", r.unflatten(2, (heads, -1)), landmarks)
    each = each * call["scale"]
    scores = each.sum(3) if call["group"] == "sum" else each.amax(3)
    if call["own"]:
        chunks = scores.shape[-1]
        own = (torch.arange(r.shape[1]) + chunks * 8 - r.shape[1]) // 8
        here = own[:, None] == torch.arange(chunks)
        scores = torch.where(here[None, :, None], 0.0, scores)
    taken = scores.gather(3, picks.clamp(min=0))
    s = torch.where(there, taken, -torch.inf)
    weights = weights_of(s, there, call["weights"])
    (weights * torch.tensor(d_weights, dtype=torch.float64)).sum().backward()
    return r.grad, landmarks.grad


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", CASES)
def test_against_torch_in_float64(case: str, device: str) -> None:
    choices, sizes = CASES[case]
    call = call_of(arrays_of(**sizes), choices)
    there = put_all(call, device)
    derivative = select_kernel.derivative(("r", "landmarks"))
    results, saved = derivative.forward(**there)
    weights, indices = fetch(results)
    plain, same = fetch(select_kernel(**there))
    assert_same(weights, plain, device)
    np.testing.assert_array_equal(indices, same)
    d_weights = random_gradient(weights, np.random.default_rng(4))
    found = fetch(derivative.backward(saved, (put(d_weights, device), None), **there))
    for grad, right in zip(found, expected(call, indices, d_weights), strict=True):
        np.testing.assert_allclose(grad, right.numpy(), rtol=2e-5, atol=2e-5 * abs(right).max())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["r", "landmarks"])
def test_against_finite_differences(name: str, case: str, device: str) -> None:
    choices, sizes = CASES[case]
    call = call_of(arrays_of(**sizes), choices)
    there = put_all(call, device)
    derivative = select_kernel.derivative((name,))
    results, saved = derivative.forward(**there)
    weights, indices = fetch(results)
    np.testing.assert_array_equal(indices, select_kernel.reference(**call)[1])
    rng = np.random.default_rng(5)
    d_outs = random_gradient(weights, rng), None
    (grad,) = fetch(derivative.backward(saved, (put(d_outs[0], device), None), **there))
    way = rng.standard_normal(grad.shape)
    slope = slope_of(select_kernel, call, name, way, d_outs, step=1e-7)
    assert abs(float((grad * way).sum()) - slope) <= 2e-5 * np.abs(grad * way).sum() + 1e-6


@pytest.mark.parametrize("device", DEVICES)
def test_empty_slots_contribute_nothing(device: str) -> None:
    call = put_all(call_of(arrays_of(), {"top_k": 12}), device)
    derivative = select_kernel.derivative(("r", "landmarks"))
    results, saved = derivative.forward(**call)
    weights, indices = fetch(results)
    assert (indices < 0).any()
    plain = ones(results[0])
    more = put(np.where(indices < 0, np.float32(7), np.float32(1)), device)
    for one, other in zip(
        fetch(derivative.backward(saved, (plain, None), **call)),
        fetch(derivative.backward(saved, (more, None), **call)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5)
    first = (indices < 0).all(-1).all(-1)
    assert first.any()
    dr = fetch(derivative.backward(saved, (plain, None), **call))[0]
    assert (dr[first] == 0).all()


@pytest.mark.parametrize("device", DEVICES)
def test_torch_records_it(device: str) -> None:
    arrays = arrays_of()
    r, landmarks = (torch.tensor(x, device=device, requires_grad=True) for x in arrays.values())
    weights, indices = rf.ops.select(r, landmarks, chunk_size=8, top_k=3, num_keys=70)
    assert not indices.requires_grad
    weights.square().sum().backward()
    call = {**call_of(arrays, {"scale": None})}
    d_weights = 2 * weights.detach().cpu().numpy()
    for x, right in zip((r, landmarks), expected(call, indices.cpu(), d_weights), strict=True):
        right = right.numpy()
        np.testing.assert_allclose(x.grad.cpu(), right, rtol=2e-5, atol=2e-5 * abs(right).max())
