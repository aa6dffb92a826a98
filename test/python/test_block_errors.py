# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a query block cannot have, and the line that says so."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import test_gradients
from block_selections import F32, arrays, attend, close, name_of, options, sticks

import ramify as rf
import ramify.language as rl


@rf.jit
def scores_of_positions(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, landmarks: rl.Landmarks
) -> rl.Array:
    slots = rl.topk(rl.sum(rl.dot(q, landmarks), over="head"), 2)
    return attend(q, k, v, rl.where(slots >= 0, 1.0, 0.0), slots, scale=1.0)


@rf.jit
def only_blocks(r: rl.Query["block"], k: rl.Chunks) -> rl.Array:  # type: ignore[type-arg, name-defined]
    return rl.zeros(r, k)


@rf.jit
def zeros_of_blocks(
    q: rl.Query,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    k: rl.Chunks,
) -> rl.Array:
    return rl.zeros(r, k)


@rf.jit
def gated_slots(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    gate: rl.Tensor["pos", "head"],  # type: ignore[type-arg, name-defined]
) -> rl.Array:
    slots = rl.topk(rl.sum(rl.dot(r, landmarks), over="head"), 3)
    w = rl.where(slots >= 0, 1.0, 0.0) * gate
    return attend(q, k, v, w, slots, scale=1.0)


@rf.jit
def seen_slots(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices) -> rl.Array:
    w = rl.where(indices * 16 <= rl.query_position(), 1.0, 0.0)
    return attend(q, k, v, w, indices, scale=1.0)


@rf.jit
def norm_of_positions(q: rl.Query, k: rl.Chunks, v: rl.Chunks, landmarks: rl.Landmarks) -> rl.Array:
    z = rl.logsumexp(rl.dot(q, landmarks), over="chunk")
    out = rl.zeros(q, v)
    for c in rl.own(k):
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out * rl.exp(-z)


@rf.jit
def added_to_queries(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    indices: rl.ChunkIndices,
) -> rl.Array:
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        out += rl.dot(rl.softmax(rl.dot(q + r, k[c])), v[c])
    return out


@rf.jit
def norm_of_blocks(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
) -> rl.Array:
    s = rl.dot(r, landmarks)
    z = rl.logsumexp(s, over="chunk")
    out = rl.zeros(q, v)
    for _, c in rl.selected(rl.topk(rl.max(s, over="head"), 3)):
        out += rl.exp(-z) * rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out


def line_of(function: rf.JitFunction, text: str) -> str:
    """Where `text` stands, as messages name it."""
    lines, first = inspect.getsourcelines(function.signature.function)
    return str(first + next(i for i, line in enumerate(lines) if text in line))


def of_width(given: dict[str, Any], width: int = 16) -> dict[str, Any]:
    """Queries, retrieval queries and landmarks with the same dim."""
    narrow = {n: x[..., :width].copy() for n, x in given.items() if n in ("r", "landmarks")}
    return {**given, **narrow}


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (gated_slots, "* gate"),
        (seen_slots, "query_position"),
        (norm_of_positions, "logsumexp"),
    ],
    ids=name_of,
)
def test_what_differs_between_positions_is_named(function: rf.JitFunction, line: str) -> None:
    given = of_width(arrays(function, 4))
    message = rf"py:{line_of(function, line)}:.*positions of a query block \(q_block=4\), but"
    with pytest.raises(rf.CompileError, match=message):
        function(**given, chunk_size=16, q_block=4)


def test_gradients_of_what_positions_share() -> None:
    given = of_width(arrays(added_to_queries, 4))
    more: dict[str, Any] = {"chunk_size": 16, "q_block": 4}
    close(added_to_queries(**given, **more), added_to_queries.reference(**given, **more))
    with pytest.raises(rf.GradientError, match="the 4 positions of a query block share") as caught:
        test_gradients.check(added_to_queries, given, more, "cpu")
    assert f"line {line_of(added_to_queries, 'for _, c')}," in str(caught.value)
    given = of_width(arrays(norm_of_blocks, 4))
    close(norm_of_blocks(**given, **more), norm_of_blocks.reference(**given, **more))
    with pytest.raises(rf.GradientError, match="the 4 positions of a query block share"):
        test_gradients.check(norm_of_blocks, given, more, "cpu")


def test_scores_that_differ_between_positions() -> None:
    given = arrays(scores_of_positions, 16)
    given["q"] = np.ones((2, 70, 4, 24), F32)
    given["k"] = np.ones((2, 90, 2, 24), F32)
    assert scores_of_positions(**given, chunk_size=16).shape == (2, 70, 4, 16)
    with pytest.raises(rf.LanguageError, match="one score of each chunk for the 16 positions"):
        scores_of_positions(**given, chunk_size=16, q_block=16)


def test_queries_of_positions_are_needed() -> None:
    given = arrays(only_blocks, 16)
    with pytest.raises(rf.LanguageError, match=r"has no rl\.Query parameter"):
        only_blocks(**given, chunk_size=16)
    given = arrays(zeros_of_blocks, 16)
    with pytest.raises(rf.LanguageError, match="queries of all positions"):
        zeros_of_blocks(**given, chunk_size=16, q_block=16)


def test_rows_that_do_not_fit() -> None:
    given = arrays(sticks, 16)
    given["r"] = given["r"][:, :4].copy()
    with pytest.raises(rf.ArgumentError, match="4 rows for L = 70 and q_block = 16"):
        sticks(**given, **options(sticks, 16))
    given["r"] = given["r"][:, :, :2].copy()
    with pytest.raises(rf.ArgumentError, match="r has HQ = 2"):
        sticks(**given, **options(sticks, 16))
