# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A number that all heads of a query, or of a query block, make together."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import test_gradients

import ramify as rf
import ramify.language as rl


@rf.jit
def in_walk_and_visits(
    q: rl.Query,
    r: rl.Query["block"],
    lm: rl.Landmarks,
    k: rl.Chunks,
    v: rl.Chunks,
    *,
    scale: float,
):
    """The number is part of the scores, and of what visits compute."""
    norm = rl.sqrt(rl.sum(rl.sum(r * r, over="dim"), over="head") + 1.0)
    top = rl.max(rl.max(r, over="dim"), over="head")
    s = rl.sum(rl.dot(r, lm), over="head") / norm
    out = rl.zeros(q, v)
    for _, c in rl.selected(rl.topk(s, 2)):
        out += (top / norm) * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out


@rf.jit
def of_positions(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    norm = rl.sum(rl.sum(q * q, over="dim"), over="head")
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        out += norm * rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out


def arrays(function: rf.JitFunction, block: int) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    shapes = {
        "q": (2, 22, 4, 16),
        "r": (2, -(-22 // block), 4, 16),
        "lm": (2, 5, 2, 16),
        "k": (2, 70, 2, 16),
        "v": (2, 70, 2, 16),
    }
    given: dict[str, Any] = {
        name: rng.standard_normal(shapes[name]).astype(np.float32)
        for name in function.signature.parameters
        if name in shapes
    }
    if "indices" in function.signature.parameters:
        given["indices"] = rng.integers(0, 5, (2, -(-22 // block), 2, 3), dtype=np.int32)
    return given


def place_of(function: rf.JitFunction, text: str) -> str:
    lines, first = inspect.getsourcelines(function.signature.function)
    return f"test_numbers_of_rows.py:{first + next(i for i, x in enumerate(lines) if text in x)}:"


@pytest.mark.parametrize("launches", ["one", "several"])
@pytest.mark.parametrize("block", [1, 4, 16])
def test_in_a_walk_and_in_visits(block: int, launches: str) -> None:
    function = in_walk_and_visits.options(launches=launches)
    call = arrays(function, block) | {"chunk_size": 16, "q_block": block, "scale": 0.25}
    np.testing.assert_allclose(function(**call), function.reference(**call), rtol=1e-4, atol=1e-5)


def test_gradients_of_a_single_query() -> None:
    given = arrays(in_walk_and_visits, 1)
    test_gradients.check(in_walk_and_visits, given, {"chunk_size": 16, "scale": 0.25}, "cpu")


def test_a_number_of_each_position() -> None:
    """A block of one position has it; in one of several no rows are told apart."""
    call = arrays(of_positions, 1) | {"chunk_size": 16}
    right = of_positions.reference(**call)
    np.testing.assert_allclose(of_positions(**call), right, rtol=1e-4, atol=1e-3)
    message = (
        r"this reduces head of \[pos, head\] for each of the 4 positions of a query block, which "
        r"schedules do only for gradients: one position a block \(q_block=1\) can do it"
    )
    with pytest.raises(rf.CompileError, match=message) as caught:
        of_positions(**arrays(of_positions, 4), chunk_size=16, q_block=4)
    assert place_of(of_positions, "norm = ") in str(caught.value)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            "chunk_major",
            r"this reduces head of \[pos, head\], but the schedule has rows of several query "
            "blocks in a tile, and does so only for gradients: query_major can do it",
        ),
        (
            "union",
            "this goes over the rows of a query block, which union has several of in a tile: "
            "query_major can do it",
        ),
    ],
)
def test_schedules_with_several_blocks_in_a_tile(schedule: str, message: str) -> None:
    function = of_positions.options(schedule=schedule)
    with pytest.raises(rf.CompileError, match=message) as caught:
        function(**arrays(function, 1), chunk_size=16)
    assert place_of(of_positions, "norm = ") in str(caught.value)
