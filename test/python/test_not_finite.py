# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NaN and infinity in what a query does not see, and in what it does: as the reference has it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import test_emulated as emulated

import ramify as rf
import ramify.language as rl
from ramify import _compiler

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


# ---- gradients ----------------------------------------------------------------


@rf.jit
def biased(q: rl.Query, k: rl.Chunks, v: rl.Chunks, bias: rl.Tensor["kv.key"], *, scale: float):
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=20):
        acc.merge(rl.dot(q, k[c]) * scale + bias[c], v[c])
    return acc.value


@rf.jit
def own(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float):
    acc = rl.online_softmax(q, v)
    for c in rl.own(k, outside=rl.window(k, last=9)):
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    return acc.value


@rf.jit
def sink(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float):
    out = rl.zeros(q, v)
    for c in rl.first(k, keys=36):
        out += rl.dot(rl.sigmoid(rl.dot(q, k[c]) * scale), v[c])
    return out


TIMES, KEYS = np.arange(10, 120), np.arange(130)
BROKEN = {
    "windowed": [30, 121, 129],
    "biased": [30, 121, 129],
    "outside": [39, 41, 129],
    "own": [18, 112, 129],
    "sink": [37, 47, 129],
}


def seen_by(name: str) -> np.ndarray:
    """Which queries see which keys."""
    times = TIMES[:, None]
    recent = (times >= KEYS) & (times - 20 < KEYS)
    return {
        "windowed": recent,
        "biased": recent,
        "outside": (KEYS < 40) & ~recent,
        "own": (times // 16 == KEYS // 16) & ~((times >= KEYS) & (times - 9 < KEYS)),
        "sink": np.broadcast_to(KEYS < 36, recent.shape),
    }[name]


DOMAINS = [windowed, biased, outside, own, sink]


@pytest.mark.parametrize("number", [np.inf, np.nan], ids=str)
@pytest.mark.parametrize("bad", ["k", "v"])
@pytest.mark.parametrize("function", DOMAINS, ids=lambda f: f.signature.name)
@pytest.mark.parametrize("schedule", ["query_major", "auto"])
def test_gradients_of_keys_that_a_domain_does_not_have(
    function: rf.JitFunction, bad: str, number: float, schedule: str
) -> None:
    """They are as if those keys were finite, but where a query sees one."""
    given = {
        "q": normal(1, 1, TIMES.size, 2, 16),
        "k": normal(2, 1, KEYS.size, 1, 16),
        "v": normal(3, 1, KEYS.size, 1, 16),
    }
    options = {"scale": 0.3, "chunk_size": 16, "q_start": TIMES[0]}
    if function is biased:
        given["bias"] = normal(5, KEYS.size)
    derivative = function.options(schedule=schedule).derivative(given)
    if schedule == "auto":
        assert "schedule chunk_major" in derivative.explain(**given, **options)
    d_out = normal(4, *given["q"].shape)

    def gradients() -> tuple[np.ndarray, ...]:
        _, saved = derivative.forward(**given, **options)
        return derivative.backward(saved, d_out, **given, **options)

    right = gradients()
    broken, seen = BROKEN[function.signature.name], seen_by(function.signature.name)
    given[bad][0, broken] = number
    queries = seen[:, broken].any(axis=1)
    chunks = np.unique(KEYS[seen[queries].any(axis=0)] // 16)  # that such queries visit
    keys = np.isin(KEYS // 16, chunks)
    assert not queries.all() and not keys.all()
    for name, found, other in zip(given, gradients(), right, strict=True):
        touched = queries if name == "q" else keys
        ours = found[..., ~touched] if name == "bias" else found[:, ~touched]
        theirs = other[..., ~touched] if name == "bias" else other[:, ~touched]
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
        assert name != "q" or not np.isfinite(found[:, touched]).any()


@pytest.mark.parametrize("function", [windowed, sink], ids=lambda f: f.signature.name)
@pytest.mark.parametrize("bad", ["k", "v"])
def test_gradients_of_keys_that_no_query_sees_on_a_gpu(function: rf.JitFunction, bad: str) -> None:
    """A program there leaves out what none of its queries see."""
    given = {
        "q": normal(1, 1, 40, 2, 16),
        "k": normal(2, 1, 70, 1, 16),
        "v": normal(3, 1, 70, 1, 16),
    }
    options = {"scale": 0.3, "chunk_size": 16, "q_start": 25}
    derivative = function.derivative(given)
    d_out = normal(4, *given["q"].shape)
    _, saved = derivative.forward(**given, **options)
    right = derivative.backward(saved, d_out, **given, **options)
    program = function.ir("backward", **given, **options, target="sm_80", wrt=tuple(given))
    options = {"target": "sm_80", "schedule": "chunk_major"}
    plan, ptx = (_compiler.lower(program, level, options) for level in ("plan", "ptx"))
    unseen = ~seen_by(function.signature.name)[15:55, :70].any(axis=0)
    assert unseen[[0, 47, 66]].any()
    given[bad][0, unseen] = np.inf
    more = {f"saved_{number}": array for number, array in enumerate(saved)}
    call = given | more | {"d_0": d_out, "scale": 0.3, "q_start": 25}
    names = re.findall(r"^(?:array|scalar) (\w+)", plan, re.MULTILINE)
    found = emulated.emulate_well(plan, ptx, {name: call[name] for name in names})
    for one, other in zip(found, right, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)
