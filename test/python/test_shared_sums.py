# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients to which several launches of one plan add: of what a function reads as a stream and at
visited chunks, or by visits before and after a selection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_gradients
import test_ops_gca
import test_ops_hils
import torch
from numerics import EPS
from variant_checks import Sizes, assert_within, gradients, to

import ramify as rf
import ramify.language as rl


@rf.jit
def reads_a_term_twice(
    q: rl.Query,
    k: rl.Chunks["kv"],
    lm: rl.Landmarks["kv"],
    bias: rl.Tensor["kv.chunk", "head"],  # type: ignore[type-arg, name-defined]
) -> rl.Array:
    z = rl.logsumexp(rl.dot(q, lm) + bias, over="chunk")
    acc = rl.online_softmax(q, k)
    for c in rl.every(k):
        acc.merge(rl.dot(q, k[c]) + bias[c], k[c])
    return acc.value * z


@rf.jit
def reads_landmarks_twice(q: rl.Query, k: rl.Chunks["kv"], lm: rl.Landmarks["kv"]) -> rl.Array:
    z = rl.logsumexp(rl.dot(q, lm), over="chunk")
    acc = rl.online_softmax(q, k)
    for c in rl.every(k):
        acc.merge(rl.dot(q, k[c]) + rl.dot(q, lm[c]), k[c])
    return acc.value * z


@rf.jit
def reads_keys_twice(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, lm: rl.Landmarks, *, scale: float
) -> rl.Array:
    """A window decides what is picked and how it weighs."""
    near = rl.online_softmax(q, v)
    for c in rl.window(k, last=20):
        near.merge(rl.dot(q, k[c]) * scale, v[c])
    s = rl.where(rl.end(lm) <= rl.query_position(), rl.dot(q, lm) * scale, -rl.inf)
    slots = rl.topk(rl.max(s, over="head"), 2)
    w = rl.sigmoid(s.at(slots) - near.lse)
    out = near.value
    for slot, c in rl.selected(slots):
        out += w[slot] * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out


@rf.jit
def weighs_twice(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    lm: rl.Landmarks,
) -> rl.Array:
    """Weights of given picks, read before and after a walk over all chunks."""
    first = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        first += weights[slot] * rl.dot(rl.softmax(rl.dot(q, k[c]) * 0.5), v[c])
    z = rl.logsumexp(rl.dot(first + q, lm) * 0.1, over="chunk")
    out = first * z
    for slot, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]))
        out += rl.sigmoid(z) * weights[slot] * rl.dot(p, v[c])
    return out


def arguments(function: rf.JitFunction) -> dict[str, Any]:
    random = np.random.default_rng(3)
    shapes = {
        "q": (1, 23, 4, 16),
        "k": (1, 60, 2, 16),
        "v": (1, 60, 2, 16),
        "lm": (1, 4, 2, 16),
        "bias": (4, 4),
        "weights": (1, 23, 2, 3),
    }
    return {
        name: random.integers(-1, 5, (1, 23, 2, 3), np.int32)
        if name == "indices"
        else random.standard_normal(shapes[name], np.float32)
        for name in (p.name for p in function.signature.arrays)
    }


FUNCTIONS = [reads_a_term_twice, reads_landmarks_twice, reads_keys_twice, weighs_twice]


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_finite_differences(function: rf.JitFunction, schedule: str) -> None:
    scalars = {p.name: 0.3 for p in function.signature.scalars}
    test_gradients.check(
        function.options(schedule=schedule),
        arguments(function),
        {**scalars, "chunk_size": 16},
        "cpu",
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("variant", [test_ops_hils, test_ops_gca], ids=lambda m: m.__name__)
def test_ops_in_16_bits(variant: Any, dtype: torch.dtype) -> None:
    """What several launches add to stays in float32 until the last."""
    z = Sizes(N=100)
    x = to(variant.arrays(z), dtype)
    exact = to(x, torch.float64)
    op, eager = variant.op(z), variant.plain(z)
    for found, own, right in zip(
        gradients(op, x), gradients(eager, x), gradients(eager, exact), strict=True
    ):
        assert found.dtype == dtype
        assert_within(found, own, right, EPS[dtype])
