# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Query blocks of which positions are padding, the first or all of them."""

from __future__ import annotations

import numpy as np
import pytest
import test_gradients
from block_selections import (
    arrays,
    before_the_block,
    check_forward,
    fading,
    given_weights,
    name_of,
    of_all_chunks,
    one_softmax,
    options,
    padded,
    running_sums,
    weights_for_each_head,
)

import ramify as rf


@pytest.mark.parametrize("block", [1, 3, 16, 100])
@pytest.mark.parametrize(
    "function",
    [of_all_chunks, running_sums, given_weights, one_softmax, before_the_block, fading],
    ids=name_of,
)
def test_padding(function: rf.JitFunction, block: int) -> None:
    given = arrays(function, block)
    for places in (padded(70), np.stack([padded(70), padded(70)[::-1]])):
        more = {**options(function, block), "q_positions": places}
        check_forward(function, given, more)


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("function", [of_all_chunks, weights_for_each_head], ids=name_of)
def test_gradients_with_padding(function: rf.JitFunction, schedule: str) -> None:
    for block in (3, 16):
        given = arrays(function, block, B=1, L=40, N=60)
        more = {**options(function, block), "q_positions": padded(40)}
        test_gradients.check(function.options(schedule=schedule), given, more, "cpu")
