# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions are copied and pickled as Python's own are: by name, and a copy is the function."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import ramify as rf
import ramify.language as rl

Q = np.ones((1, 2, 2, 16), np.float32)


@rf.jit
def doubled(q: rl.Query):
    return q * 2


chosen = rf.jit(doubled.__ramify_function__).options(stages=2)
chosen.__name__ = chosen.__qualname__ = "chosen"


@rf.jit
def clipped(q: rl.Query):
    return q * 2


early = clipped.options(stages=1)  # before the gradient is decorated


@clipped.gradient
def _(d_out: Any, out: Any, q: Any, **options: Any) -> dict[str, Any]:
    return {"q": d_out * 3}


def five(d_out: Any, out: Any, q: Any, **options: Any) -> dict[str, Any]:
    return {"q": d_out * 5}


late = clipped.options(stages=2)
late.gradient(five)


@pytest.mark.parametrize(
    "function", [doubled, chosen, rf.torch_op(doubled)], ids=["function", "options", "operator"]
)
def test_copies_are_the_function(function: Any) -> None:
    assert copy.deepcopy({"f": function})["f"] is function
    assert pickle.loads(pickle.dumps(function)) is function


def test_a_copied_module_keeps_its_function() -> None:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = doubled.options(stages=3)

    module = Module()
    assert copy.deepcopy(module).attend is module.attend
    assert copy.copy(doubled) is doubled


def test_options_are_pickled() -> None:
    again = pickle.loads(pickle.dumps(doubled.options(schedule="query_major").options(stages=1)))
    assert (again._options.schedule, again._options.stages) == ("query_major", 1)
    assert np.array_equal(again(Q), 2 * Q)


@pytest.mark.parametrize(
    ("function", "times"),
    [
        (clipped.options(stages=3), 3),
        (early, 3),
        (clipped.options(stages=3).options(schedule="query_major"), 3),
        (late, 5),
        (late.options(schedule="query_major"), 5),
    ],
    ids=["chosen", "chosen before", "chosen twice", "another", "another, chosen"],
)
def test_a_gradient_of_ones_own_stays_with_other_options(function: Any, times: int) -> None:
    for f in (function, pickle.loads(pickle.dumps(function))):
        derivative = f.derivative("q")
        out, saved = derivative.forward(Q)
        (dq,) = derivative.backward(saved, np.ones_like(out), Q)
        assert np.array_equal(dq, np.full_like(Q, times))
        x = torch.tensor(Q, requires_grad=True)
        f(x).sum().backward()
        assert x.grad is not None and torch.equal(x.grad, torch.full_like(x, times))


def test_a_gradient_without_a_name_is_not_pickled() -> None:
    function = doubled.options(stages=3)
    function.gradient(lambda d_out, out, q, **options: {"q": d_out})
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(function)


def test_a_derivative_is_pickled_by_its_function() -> None:
    derivative = doubled.derivative("q")
    derivative.forward(Q)
    assert pickle.loads(pickle.dumps(derivative)) is derivative


def test_functions_inside_others_have_no_name() -> None:
    @rf.jit
    def inner(q: rl.Query):
        return q

    with pytest.raises((AttributeError, pickle.PicklingError), match="inner"):
        pickle.dumps(inner)
