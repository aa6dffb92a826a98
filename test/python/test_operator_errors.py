# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrong uses of `rf.torch_op`, and of functions that PyTorch records: Ramify's words, no crash."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from numerics import Case, make
from torch.autograd import forward_ad

import ramify as rf
import ramify.language as rl

A, T, G = rf.ArgumentError, rf.ArgumentTypeError, rf.GradientError
CASE = Case(B=2, L=12, N=64, H=2, G=4, D=32, S=32, K=3)
Wrong = tuple[type[Exception], str]


def call() -> dict[str, Any]:
    return {**make(CASE, torch.float32), "scale": 0.1, "chunk_size": 32}


X = call()
NO_FUNCTION: dict[str, Any] = {
    "an operation": rf.ops.hsa,
    "None": None,
    "a name": "hsa",
    "a class": rf.JitFunction,
    "an operator": rf.torch_op(rf.ops.hsa_kernel),
}


@pytest.mark.parametrize("case", NO_FUNCTION)
def test_no_function(case: str) -> None:
    with pytest.raises(T, match=r"torch_op\(\): expected a function decorated with @ramify.jit"):
        rf.torch_op(NO_FUNCTION[case])


GIVEN: dict[str, tuple[dict[str, Any], *Wrong]] = {
    "scale a text": ({"scale": "0.1"}, T, "scale: expected a number, found str"),
    "scale None": ({"scale": None}, T, "scale: expected a number, found NoneType"),
    "scale a tensor": ({"scale": torch.ones(2)}, T, "scale: expected a number, found Tensor"),
    "scale a flag": ({"scale": True}, T, "scale: expected a number, found bool"),
    "a constant a text": ({"softmax_n": "one"}, T, "softmax_n: expected a number, found str"),
    "chunk size a text": ({"chunk_size": "32"}, T, "chunk_size: expected an int, found str"),
    "chunk size a float": ({"chunk_size": 32.0}, T, "chunk_size: expected an int, found float"),
    "no chunk size": ({"chunk_size": None}, A, "expected chunk_size=... for a function with one"),
    "chunks a text": ({"chunk_size": None, "chunks": "kv"}, T, "expected a dict such as"),
    "chunks a number": ({"chunk_size": None, "chunks": 32}, T, "expected a dict such as"),
    "q a list": ({"q": [1.0]}, T, "q: expected a tensor, found list"),
    "q None": ({"q": None}, T, "q: expected a tensor, found NoneType"),
    "q of doubles": ({"q": X["q"].double()}, T, "q: expected float32, float16 or bfloat16"),
    "k of another dtype": ({"k": X["k"].half()}, T, "k is float16, but q is float32"),
    "k sparse": ({"k": X["k"].to_sparse()}, T, "expected a dense tensor, found torch.sparse_coo"),
    "k without memory": ({"k": X["k"].to("meta")}, T, "k: expected a tensor on cpu, .* on meta"),
    "weights without memory": ({"weights": X["weights"].to("meta")}, T, "weights: .* on meta"),
    "indices of floats": ({"indices": X["indices"].float()}, T, "indices: expected int64 or int32"),
    "q_block zero": ({"q_block": 0}, A, "q_block: expected an int from 1"),
    "q_block a text": ({"q_block": "1"}, T, "q_block: expected an int, found str"),
    "q_start a float": ({"q_start": 0.5}, T, "q_start: expected an int or an int32 tensor"),
    "q_start a list": ({"q_start": [0, 1]}, T, "q_start: expected an int or an int32 tensor"),
    "q_start of int64": ({"q_start": torch.tensor([0, 1])}, T, "q_start: expected int32, found"),
    "q_start for three": ({"q_start": torch.ones(3).int()}, A, "q_start has B = 3"),
    "num_keys negative": ({"num_keys": -1}, A, "num_keys: expected an int >= 0"),
    "num_keys beyond": ({"num_keys": 65}, A, "expected at most N = 64, the keys of k, found 65"),
    "num_keys a flag": ({"num_keys": True}, T, "num_keys: expected an int or .* found bool"),
    "num_keys of floats": ({"num_keys": torch.ones(2)}, T, "num_keys: expected int32, found"),
    "num_keys of rank 2": ({"num_keys": torch.ones(2, 1).int()}, A, r"num_keys: expected \[B\]"),
    "num_keys strided": (
        {"num_keys": torch.ones(4).int()[::2]},
        A,
        "num_keys has stride 2 along its last axis",
    ),
    "q_positions a number": ({"q_positions": 3}, T, "q_positions: expected a tensor, found int"),
    "q_positions of floats": ({"q_positions": torch.ones(12)}, T, "q_positions: expected int32"),
    "q_positions and q_start": (
        {"q_positions": torch.arange(12).int(), "q_start": 1},
        A,
        "q_start",
    ),
    "validate a number": ({"validate": 1}, T, "validate: expected True or False, found int"),
    "deterministic a text": ({"deterministic": "yes"}, T, "deterministic: expected True or False"),
}


@pytest.mark.parametrize("recorded", [False, True], ids=["plain", "recorded"])
@pytest.mark.parametrize("case", GIVEN)
def test_wrong_call(case: str, recorded: bool) -> None:
    """The operator's words hold where a gradient is wanted, too; there dtypes are named by it."""
    changes, error, message = GIVEN[case]
    given = {**call(), **changes}
    if recorded:
        given["v"].requires_grad_()
    with pytest.raises(error) as caught:
        rf.torch_op(rf.ops.hsa_kernel)(**given)
    assert isinstance(caught.value, rf.Error)
    if not recorded:
        caught.match(message)


def test_positions_of_arguments() -> None:
    operator = rf.torch_op(rf.ops.hsa_kernel)
    with pytest.raises(T, match="takes 5 positional arguments, 6 were given"):
        operator(*[X["q"]] * 6)
    with pytest.raises(T, match="q was given twice"):
        operator(X["q"], **X)


def test_plain_calls_that_are_recorded_get_the_same_words() -> None:
    given = call()
    given["k"].requires_grad_()
    with pytest.raises(T, match="scale: expected a number, found str"):
        rf.ops.hsa_kernel(**{**given, "scale": "0.1"})


@rf.jit
def by_wrt(q: rl.Query, *, wrt: float):
    return q * wrt


def test_names_that_operators_have() -> None:
    with pytest.raises(rf.LanguageError, match="`wrt` is a name that PyTorch's operators take"):
        rf.torch_op(by_wrt)
    assert by_wrt(X["q"], wrt=2.0).equal(2 * X["q"])


@pytest.mark.parametrize("function", [rf.ops.hsa_kernel, rf.torch_op(rf.ops.hsa_kernel)], ids=repr)
@pytest.mark.parametrize("recorded", [False, True])
def test_tangents_are_not_lost(function: Any, recorded: bool) -> None:
    given = call()
    given["k"].requires_grad_(recorded)
    with forward_ad.dual_level():
        q = forward_ad.make_dual(given["q"], torch.ones_like(given["q"]))
        with pytest.raises(G, match="found one of forward-mode differentiation"):
            function(**{**given, "q": q})
        assert function(**given).shape == given["q"].shape


@pytest.mark.parametrize("function", [rf.ops.hsa_kernel, rf.torch_op(rf.ops.hsa_kernel)], ids=repr)
def test_transforms(function: Any) -> None:
    given = call()

    def total(q: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = function(**{**given, "q": q}).sum()
        return result

    with pytest.raises(rf.UnsupportedError, match=r"a transform of torch\.func"):
        torch.func.grad(total)(given["q"])
    with pytest.raises(rf.Error, match=r"torch\.func"):
        torch.func.jvp(total, (given["q"],), (given["q"],))


def test_a_second_derivative() -> None:
    given = call()
    q = given["q"].requires_grad_()
    (first,) = torch.autograd.grad(rf.ops.hsa_kernel(**given).sum(), q, create_graph=True)
    with pytest.raises(G, match="these have no gradient"):
        first.sum().backward()
