# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803, N806
"""Functions that select and then attend: several launches in one plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_selection_variants as variants
from numerics import DEVICES
from test_gradients import fetch, put

import ramify as rf
import ramify.language as rl

F32 = np.float32


@rf.jit
def retrieve(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    landmarks: rl.Landmarks,
    *,
    scale: float,
    top_k: rl.constexpr,
) -> tuple[rl.Array, rl.Array, rl.Array]:
    """HSA with its own selection, by the same queries."""
    s = rl.sum(rl.dot(q, landmarks) * scale, over="head")
    s = rl.where(rl.end(landmarks) <= rl.query_position(), s, -rl.inf)
    slots = rl.topk(s, top_k)
    weights = rl.stick_breaking(s.at(slots))
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        p = rl.softmax(rl.dot(q, k[c]) * scale)
        out += weights[slot] * rl.dot(p, v[c])
    return out, weights, slots


@rf.jit
def joint(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, landmarks: rl.Landmarks, *, scale: float
) -> tuple[rl.Array, rl.Array]:
    """One softmax over all picked keys, the own chunk by position."""
    s = rl.max(rl.dot(q, landmarks), over="head")
    t = rl.query_position()
    s = rl.where(rl.end(landmarks) <= t, s, -rl.inf)
    s = rl.where((rl.start(landmarks) <= t) & (t < rl.end(landmarks)), rl.inf, s)
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(rl.topk(s, 3)):
        score = rl.dot(q, k[c]) * scale
        acc.merge(rl.where(rl.positions(k, c) <= t, score, -rl.inf), v[c])
    return acc.value, acc.lse


@rf.jit
def shared_normaliser(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    landmarks: rl.Landmarks,
    *,
    scale: float,
) -> rl.Array:
    """A window first; its log-sum-exp is one term of the weights of the picks (HiLS)."""
    near = rl.online_softmax(q, v)
    for c in rl.window(k, last=24):
        near.merge(rl.dot(q, k[c]) * scale, v[c])
    s = rl.dot(q, landmarks) * scale
    s = rl.where(rl.end(landmarks) <= rl.query_position() - 24, s, -rl.inf)
    slots = rl.topk(rl.max(s, over="head"), 4)
    x = s.at(slots)
    z = rl.logsumexp(x, over="slot")
    total = rl.maximum(z, near.lse) + rl.log(
        rl.exp(z - rl.maximum(z, near.lse)) + rl.exp(near.lse - rl.maximum(z, near.lse))
    )
    weights = rl.exp(x - total)
    out = near.value * rl.exp(near.lse - total)
    for slot, c in rl.selected(slots):
        p = rl.softmax(rl.dot(q, k[c]) * scale)
        out += weights[slot] * rl.dot(p, v[c])
    return out


def arrays(
    B: int = 2, L: int = 150, H: int = 2, G: int = 3, D: int = 16, S: int = 16, N: int = 150
) -> Any:
    random = np.random.default_rng(L * G)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape).astype(F32)

    C = -(-N // S)
    return normal(B, L, H * G, D), normal(B, N, H, D), normal(B, N, H, D), normal(B, C, H, D)


def close(got: Any, expected: Any) -> None:
    bound = 4e-6 * max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=bound)


def run(function: rf.JitFunction, given: Any, device: str, **options: Any) -> tuple[Any, ...]:
    """All results of a call there, as arrays of NumPy."""
    return fetch(function(*(put(x, device) for x in given), **options))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [{}, {"L": 5, "N": 107}, {"G": 1, "H": 3}, {"L": 33, "G": 16}])
def test_a_function_that_selects_and_attends(shape: dict[str, int], device: str) -> None:
    given = arrays(**shape)
    options = {"scale": 0.25, "top_k": 4, "chunk_size": 16}
    got = run(retrieve, given, device, **options)
    expected = retrieve.reference(*given, **options)
    np.testing.assert_array_equal(got[2], expected[2])
    for mine, theirs in zip(got[:2], expected[:2], strict=True):
        assert mine.dtype == F32
        close(mine, theirs)


@pytest.mark.parametrize("device", DEVICES)
def test_picks_under_one_softmax(device: str) -> None:
    given = arrays()
    options = {"scale": 0.25, "chunk_size": 16, "q_start": -3}
    got = run(joint, given, device, **options)
    expected = joint.reference(*given, **options)
    for mine, theirs in zip(got, expected, strict=True):
        close(mine, theirs)


@pytest.mark.parametrize("device", DEVICES)
def test_weights_that_share_a_normaliser_with_a_window(device: str) -> None:
    given = arrays(L=128, N=128)
    (got,) = run(shared_normaliser, given, device, scale=0.25, chunk_size=16)
    close(got, shared_normaliser.reference(*given, scale=0.25, chunk_size=16))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", ["chunk_major", "union", "split_kv"])
def test_what_visits_the_picks_has_a_schedule(schedule: str, device: str) -> None:
    """Steps without a selection of their own are left to query_major and streamed."""
    given = arrays(L=128, N=128)
    function = shared_normaliser.options(schedule=schedule)
    (got,) = run(function, given, device, scale=0.25, chunk_size=16)
    close(got, shared_normaliser.reference(*given, scale=0.25, chunk_size=16))
    function = retrieve.options(schedule=schedule)
    options = {"scale": 0.25, "top_k": 4, "chunk_size": 16}
    close(run(function, given, device, **options)[0], retrieve.reference(*given, **options)[0])


@pytest.mark.parametrize("device", DEVICES)
def test_hils(device: str) -> None:
    q, k, v, lm = arrays(B=1, H=2, G=2)
    random = np.random.default_rng(11)
    each = random.standard_normal((1, lm.shape[1], 4, 16)).astype(F32)
    bias = random.standard_normal((lm.shape[1], 4)).astype(F32)
    options = {"window": 20, "top_k": 3, "chunk_size": 16}
    got = run(variants.hils, (q, each, bias, k, v), device, **options)
    expected = variants.hils.reference(q, each, bias, k, v, **options)
    np.testing.assert_array_equal(got[1], expected[1])
    close(got[0], expected[0])


@pytest.mark.parametrize("device", DEVICES)
def test_nsa(device: str) -> None:
    q, k, v, lm = arrays(B=1, H=2, G=2)
    random = np.random.default_rng(2)
    means, gates = (random.standard_normal(s).astype(F32) for s in (lm.shape, (150, 4)))
    options = {"window": 20, "top_k": 3, "chunk_size": 16}
    got = run(variants.nsa, (q, lm, means, k, v, gates), device, **options)
    expected = variants.nsa.reference(q, lm, means, k, v, gates, **options)
    np.testing.assert_array_equal(got[1], expected[1])
    close(got[0], expected[0])


def test_the_plan_has_a_launch_for_each_step() -> None:
    given = arrays()
    options = {"scale": 0.25, "top_k": 4, "chunk_size": 16}
    plan = retrieve.ir("plan", *given, target="cpu", **options)
    assert plan.count("launch") == 2 and "workspace" not in plan  # weights and slots are returned
    plan = joint.ir("plan", *given, target="cpu", scale=0.25, chunk_size=16)
    assert plan.count("launch") == 2 and plan.count("workspace") >= 1
