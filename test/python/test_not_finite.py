# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NaN and infinity in what a query does not see, and in what it does: as the reference has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_emulated as emulated

import ramify as rf
import ramify.language as rl

TARGETS = ["cpu", "emulator"]


def run(function: rf.JitFunction, target: str, given: dict[str, Any], **options: Any) -> list[Any]:
    if target == "cpu":
        found = function(**given, **options)
        return list(found) if isinstance(found, tuple) else [found]
    plan, ptx = (
        function.ir(level, **given, **options, target="sm_80") for level in emulated.PLAN_PTX
    )
    scalars = {name: x for name, x in options.items() if name != "chunk_size"}
    return emulated.emulate_well(plan, ptx, {**given, **scalars})


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# ---- scores -------------------------------------------------------------------


@rf.jit
def best_of_heads(r: rl.Query, each: rl.Landmarks, k: rl.Chunks):
    s = rl.dot(r, each)
    return (
        rl.topk(rl.max(s, over="head"), 4, order="score"),
        rl.topk(rl.min(s, over="head"), 4, order="score"),
        rl.max(s, over="chunk"),
        rl.zeros(r, r) + rl.max(rl.max(s, over="head"), over="chunk"),
    )


@pytest.mark.parametrize("target", TARGETS)
def test_a_head_without_a_score_leaves_its_chunk_without_one(target: str) -> None:
    given = {
        "r": normal(1, 1, 20, 3, 16),
        "each": normal(2, 1, 7, 3, 16),
        "k": np.zeros((1, 100, 1, 16), np.float32),
    }
    given["each"][0, 2, 1] = np.nan
    given["r"][0, 5, 2] = np.nan
    found = run(best_of_heads, target, given, chunk_size=16)
    right = best_of_heads.reference(**given, chunk_size=16)
    assert (right[0][:, 6] >= 0).all() and not (right[0] == 2).any()
    for one, other in zip(found, right, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


# ---- values -------------------------------------------------------------------


@rf.jit
def windowed(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float):
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=20):
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    return acc.value


@rf.jit
def outside(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float):
    acc = rl.online_softmax(q, v)
    for c in rl.first(k, keys=40, outside=rl.window(k, last=20)):
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    return acc.value


@rf.jit
def means(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float):
    out = rl.zeros(q, v)
    for c in rl.window(k, last=20):
        out += rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c] * 2.0)
    return out


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("bad", ["k", "v"])
@pytest.mark.parametrize("function", [windowed, outside, means], ids=lambda f: f.signature.name)
def test_keys_that_a_domain_does_not_have_contribute_nothing(
    function: rf.JitFunction, bad: str, target: str
) -> None:
    given = {
        "q": normal(1, 1, 30, 2, 16),
        "k": normal(2, 1, 70, 1, 16),
        "v": normal(3, 1, 70, 1, 16),
    }
    given[bad][0, [30, 60]] = np.inf
    options = {"scale": 0.3, "chunk_size": 16, "q_start": 25}
    with np.errstate(invalid="ignore"):
        right = function.reference(**given, **options)
    assert np.isfinite(right).any() and not np.isfinite(right).all()
    found = run(function, target, given, **options)[0]
    if target == "cpu":
        np.testing.assert_array_equal(np.isnan(found), np.isnan(right))
    # Infinity is no sum of three numbers of TF32: there it becomes NaN.
    finite = np.isfinite(right)
    np.testing.assert_array_equal(np.isfinite(found), finite)
    np.testing.assert_allclose(found[finite], right[finite], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", ["k", "v"])
def test_gradients_of_keys_that_a_domain_does_not_have(bad: str) -> None:
    given = {
        "q": normal(1, 1, 30, 2, 16),
        "k": normal(2, 1, 70, 1, 16),
        "v": normal(3, 1, 70, 1, 16),
    }
    options = {"scale": 0.3, "chunk_size": 16, "q_start": 25}
    # Programs that own a query block leave out what its domain does not have. Those that own a
    # chunk multiply it with all of its queries.
    derivative = windowed.options(schedule="query_major").derivative(("q", "k", "v"))
    d_out = normal(4, 1, 30, 2, 16)

    def gradients() -> tuple[np.ndarray, ...]:
        _, saved = derivative.forward(**given, **options)
        return derivative.backward(saved, d_out, **given, **options)

    right = gradients()
    given[bad][0, 60:] = np.inf  # that no query has in its window
    for found, other in zip(gradients(), right, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-5, atol=1e-6)  # sums come in any order
