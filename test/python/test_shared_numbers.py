# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Numbers that all queries share, made of all chunks before these are visited."""

from __future__ import annotations

import pytest
import test_gradients
from block_selections import SCHEDULES, arrays, close, name_of, options, padded, shared_by_all

import ramify as rf
import ramify.language as rl


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("block", [1, 3, 16])
def test_numbers_that_all_queries_share(block: int, schedule: str) -> None:
    given, more = arrays(shared_by_all, block), options(shared_by_all, block)
    function = shared_by_all.options(schedule=schedule)
    close(function(**given, **more), shared_by_all.reference(**given, **more))


@rf.jit
def shares_of_sizes(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    sizes: rl.Tensor["kv.chunk"],  # type: ignore[type-arg, name-defined]
    indices: rl.ChunkIndices,
    *,
    scale: float,
) -> rl.Array:
    all_sizes = rl.logsumexp(sizes, over="chunk")
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        share = rl.exp(sizes[c] - all_sizes)
        out += share * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out


@pytest.mark.parametrize(
    ("function", "block", "schedule"),
    [
        (shared_by_all, 1, "query_major"),
        (shares_of_sizes, 1, "query_major"),
        (shares_of_sizes, 3, "query_major"),
        (shares_of_sizes, 16, "query_major"),
        (shares_of_sizes, 16, "chunk_major"),
    ],
    ids=name_of,
)
def test_gradients_of_numbers_that_all_queries_share(
    function: rf.JitFunction, block: int, schedule: str
) -> None:
    """What each query adds to such a gradient is its own, until all are added."""
    given = arrays(function, block, B=1, L=40, N=60)
    more = options(function, block)
    test_gradients.check(function.options(schedule=schedule), given, more, "cpu")
    more = {**more, "q_positions": padded(40)}
    test_gradients.check(function.options(schedule=schedule), given, more, "cpu")
