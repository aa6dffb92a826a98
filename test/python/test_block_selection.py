# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One selection for the positions of a query block: slots as values, streams and picks there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_gradients
import torch
from block_selections import (
    FUNCTIONS,
    arrays,
    check_forward,
    close,
    for_each_head,
    latest,
    name_of,
    one_softmax,
    options,
    shares_of_all,
    sticks,
    weights_for_each_head,
)

import ramify as rf
from ramify.derivative import differentiable


@pytest.mark.parametrize("block", [1, 3, 16, 70, 100])
@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_forward(function: rf.JitFunction, block: int) -> None:
    given, more = arrays(function, block), options(function, block)
    check_forward(function, given, more)


DIFFERENTIABLE = [
    sticks,
    shares_of_all,
    for_each_head,
    weights_for_each_head,
    latest,
    one_softmax,
]


@pytest.mark.parametrize("block", [1, 3, 16])
@pytest.mark.parametrize("function", DIFFERENTIABLE, ids=name_of)
def test_gradients_by_finite_differences(function: rf.JitFunction, block: int) -> None:
    given = arrays(function, block, B=1, L=40, N=60)
    test_gradients.check(function, given, options(function, block), "cpu")


def test_one_row_for_each_block() -> None:
    given, more = arrays(sticks, 16), options(sticks, 16)
    out, w, slots = sticks(**given, **more)
    assert out.shape == (2, 70, 4, 16) and w.shape == slots.shape == (2, 5, 2, 3)
    assert (slots[:, 0, :, 1:] == -1).all() and (slots >= 0).any()


@pytest.mark.parametrize("order", ["ascending", "score"])
def test_orders(order: str) -> None:
    given, more = arrays(sticks, 16), {**options(sticks, 16), "order": order, "top_k": 4}
    for one, other in zip(sticks(**given, **more), sticks.reference(**given, **more), strict=True):
        close(one, other)


PLACES: dict[str, dict[str, Any]] = {
    "start": {"q_start": 5},
    "before": {"q_start": -20},
    "starts": {"q_start": np.array([3, 40], np.int32)},
    "lengths": {"num_keys": np.array([90, 41], np.int32)},
    "positions": {"q_positions": np.arange(70, dtype=np.int32)[::-1].copy() + 11},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("function", [sticks, one_softmax], ids=name_of)
def test_places(function: rf.JitFunction, place: str) -> None:
    given, more = arrays(function, 16), {**options(function, 16), **PLACES[place]}
    expected = function.reference(**given, **more)
    for one, other in zip(function(**given, **more), expected, strict=True):
        close(one, other)


def test_a_block_stands_at_its_first_query_though_that_is_padding() -> None:
    places = np.arange(70, dtype=np.int32) + 20
    places[[0, 5, 16, 17, 69]] = -1
    given, more = arrays(sticks, 16), {**options(sticks, 16), "q_positions": places}
    expected = sticks.reference(**given, **more)
    for one, other in zip(sticks(**given, **more), expected, strict=True):
        close(one, other)
    assert (expected[2][:, :2] == -1).all() and not expected[0][:, :32].any()


def test_no_queries_and_no_keys() -> None:
    for sizes in ({"L": 0}, {"N": 0}, {"B": 0}):
        given, more = arrays(sticks, 16, **sizes), options(sticks, 16)
        expected = sticks.reference(**given, **more)
        for one, other in zip(sticks(**given, **more), expected, strict=True):
            close(one, other)


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("function", [sticks, shares_of_all], ids=name_of)
def test_gradients_by_schedule(function: rf.JitFunction, schedule: str) -> None:
    given = arrays(function, 16, B=1, L=40, N=60)
    test_gradients.check(function.options(schedule=schedule), given, options(function, 16), "cpu")


def test_the_same_bits() -> None:
    given, more = arrays(one_softmax, 16), {**options(one_softmax, 16), "deterministic": True}
    derivative = one_softmax.derivative(differentiable(one_softmax.signature))
    runs = []
    for _ in range(3):
        outs, saved = derivative.forward(**given, **more)
        d_outs = tuple(np.ones_like(out) for out in outs)
        runs.append(derivative.backward(saved, d_outs, **given, **more))
    for one, other in zip(runs[0], runs[2], strict=True):
        np.testing.assert_array_equal(one, other)


def test_operator() -> None:
    given, more = arrays(shares_of_all, 16, B=1), options(shares_of_all, 16)
    tensors = {n: torch.from_numpy(x).requires_grad_() for n, x in given.items()}
    operator = rf.torch_op(shares_of_all)
    out = operator(**tensors, **more)
    grads = torch.autograd.grad(out.sum(), list(tensors.values()))
    compiled = torch.compile(lambda x: operator(**x, **more), backend="aot_eager", fullgraph=True)
    same = torch.autograd.grad(compiled(tensors).sum(), list(tensors.values()))
    for one, other in zip(grads, same, strict=True):
        torch.testing.assert_close(one, other)


def test_fake_results() -> None:
    given, more = arrays(sticks, 16), options(sticks, 16)
    with torch._subclasses.FakeTensorMode() as mode:
        tensors = {n: mode.from_tensor(torch.from_numpy(x)) for n, x in given.items()}
        out, w, slots = rf.torch_op(sticks)(**tensors, **more)
    assert out.shape == (2, 70, 4, 16) and w.shape == slots.shape == (2, 5, 2, 3)
    assert w.dtype == torch.float32 and slots.dtype == torch.int32
