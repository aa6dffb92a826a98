# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where a query block stands, as visits see it."""

from __future__ import annotations

import pytest
import test_gradients
from block_selections import (
    SCHEDULES,
    arrays,
    before_the_block,
    check_forward,
    fading,
    name_of,
    options,
    window_of_a_block,
)

import ramify as rf

VISITS = [(f, s) for f in (before_the_block, fading) for s in SCHEDULES]
VISITS += [(window_of_a_block, s) for s in ("query_major", "split_kv")]


@pytest.mark.parametrize("block", [1, 3, 16, 100])
@pytest.mark.parametrize(("function", "schedule"), VISITS, ids=name_of)
def test_block_positions_in_visits(function: rf.JitFunction, schedule: str, block: int) -> None:
    given, more = arrays(function, block), options(function, block)
    check_forward(function.options(schedule=schedule), given, more)


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("function", [before_the_block, fading], ids=name_of)
def test_gradients_of_block_positions(function: rf.JitFunction, schedule: str) -> None:
    for block in (3, 16):
        given = arrays(function, block, B=1, L=40, N=60)
        scheduled = function.options(schedule=schedule)
        test_gradients.check(scheduled, given, options(function, block), "cpu")
