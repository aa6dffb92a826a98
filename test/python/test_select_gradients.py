# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of `rf.ops.select` through its weights: finite differences, and torch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("case", CASES)
def test_against_torch_in_float64(case: str) -> None:
    choices, sizes = CASES[case]
    call = call_of(arrays_of(**sizes), choices)
    derivative = select_kernel.derivative(("r", "landmarks"))
    (weights, indices), saved = derivative.forward(**call)
    plain, same = select_kernel(**call)
    np.testing.assert_array_equal(weights, plain)
    np.testing.assert_array_equal(indices, same)
    d_weights = np.random.default_rng(4).standard_normal(weights.shape).astype(np.float32)
    found = derivative.backward(saved, (d_weights, None), **call)
    for grad, right in zip(found, expected(call, indices, d_weights), strict=True):
        np.testing.assert_allclose(grad, right.numpy(), rtol=2e-5, atol=2e-5 * abs(right).max())


@pytest.mark.parametrize("name", ["r", "landmarks"])
def test_against_finite_differences(name: str) -> None:
    call = call_of(arrays_of(), {})
    derivative = select_kernel.derivative((name,))
    (weights, indices), saved = derivative.forward(**call)
    rng = np.random.default_rng(5)
    d_weights = rng.standard_normal(weights.shape).astype(np.float32)
    (grad,) = derivative.backward(saved, (d_weights, None), **call)
    way, step = rng.standard_normal(grad.shape), 1e-7

    def at(offset: float) -> float:
        moved, picks = select_kernel.reference(
            **{**call, name: call[name].astype(np.float64) + offset * way}
        )
        np.testing.assert_array_equal(picks, indices)
        return float((moved * d_weights).sum())

    slope = (at(step) - at(-step)) / (2 * step)
    assert abs(float((grad * way).sum()) - slope) <= 2e-5 * np.abs(grad * way).sum() + 1e-6


def test_empty_slots_contribute_nothing() -> None:
    call = call_of(arrays_of(), {"top_k": 12})
    derivative = select_kernel.derivative(("r", "landmarks"))
    (weights, indices), saved = derivative.forward(**call)
    assert (indices < 0).any()
    ones = np.ones_like(weights)
    more = np.where(indices < 0, np.float32(7), ones)
    for one, other in zip(
        derivative.backward(saved, (ones, None), **call),
        derivative.backward(saved, (more, None), **call),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5)
    first = (indices < 0).all(-1).all(-1)
    assert first.any()
    dr = derivative.backward(saved, (ones, None), **call)[0]
    assert (dr[first] == 0).all()


def test_torch_records_it() -> None:
    arrays = arrays_of()
    r, landmarks = (torch.tensor(x, requires_grad=True) for x in arrays.values())
    weights, indices = rf.ops.select(r, landmarks, chunk_size=8, top_k=3, num_keys=70)
    assert not indices.requires_grad
    weights.square().sum().backward()
    call = {**call_of(arrays, {"scale": None})}
    d_weights = 2 * weights.detach().numpy()
    for x, right in zip((r, landmarks), expected(call, indices, d_weights), strict=True):
        right = right.numpy()
        np.testing.assert_allclose(x.grad, right, rtol=2e-5, atol=2e-5 * abs(right).max())
