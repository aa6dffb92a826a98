# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions that pick twice from one stream."""

from __future__ import annotations

import numpy as np
import pytest
import test_gradients

import ramify as rf
import ramify.language as rl

OPTIONS = {"scale": 0.3, "chunk_size": 16}


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def arrays() -> dict[str, np.ndarray]:
    shapes = {"q": (1, 40, 2, 16), "lm": (1, 5, 1, 16), "k": (1, 70, 1, 16), "v": (1, 70, 1, 16)}
    return {name: normal(seed, *shape) for seed, (name, shape) in enumerate(shapes.items())}


@rf.jit
def scores(q: rl.Query, lm: rl.Landmarks, *, scale: float):
    s = rl.sum(rl.dot(q, lm) * scale, over="head")
    return rl.where(rl.end(lm) <= rl.query_position(), s, -rl.inf)


@rf.jit
def visits_both(q: rl.Query, lm: rl.Landmarks, k: rl.Chunks, v: rl.Chunks, *, scale: float):
    s = scores(q, lm, scale=scale)
    any_two = rl.topk(s, 2)
    even = rl.topk(rl.where(rl.index(lm) % 2 == 0, s, -rl.inf), 2)
    w = rl.softmax(s.at(any_two), over="slot")
    w_even = rl.sigmoid(s.at(even))
    out = rl.zeros(q, v)
    for slot, c in rl.selected(any_two):
        out += w[slot] * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    for slot, c in rl.selected(even):
        out += w_even[slot] * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out


@rf.jit
def weighs_one(q: rl.Query, lm: rl.Landmarks, k: rl.Chunks, *, scale: float):
    s = scores(q, lm, scale=scale)
    even = rl.topk(rl.where(rl.index(lm) % 2 == 0, s, -rl.inf), 2)
    return rl.topk(s, 3), rl.softmax(s.at(even), over="slot"), even


def test_each_selection_is_visited_with_its_own_weights() -> None:
    given = arrays()
    right = visits_both.reference(**given, **OPTIONS)
    np.testing.assert_allclose(visits_both(**given, **OPTIONS), right, rtol=1e-4, atol=1e-5)


def test_gradient_of_the_weights_of_one() -> None:
    given = arrays()
    del given["v"]
    test_gradients.check(weighs_one, given, OPTIONS, "cpu")


def test_why_both_have_no_gradient() -> None:
    with pytest.raises(rf.GradientError, match="a gradient visits again what one selection picked"):
        visits_both.derivative(("q", "lm")).explain(**arrays(), **OPTIONS)
