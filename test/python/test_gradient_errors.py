# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrong uses of gradients: by what, of what, with which arrays, under which schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from arguments import random_arguments
from test_frontend import hsa, joint

import ramify as rf
import ramify.language as rl
from ramify.derivative import differentiable
from ramify.frontend import Role

A, T, G = rf.ArgumentError, rf.ArgumentTypeError, rf.GradientError
SCALED = {"scale": 0.25, "chunk_size": 16}
Wrong = tuple[type[Exception], str]

# ---- by what ------------------------------------------------------------------

BY: dict[str, tuple[Any, *Wrong]] = {
    "nothing": (None, T, "wrt: expected a name or a sequence of names, found None"),
    "a number": (3, T, "expected a name or a sequence of names, found 3"),
    "numbers": ((3,), T, r"expected a name or a sequence of names, found \(3,\)"),
    "a list in a list": ([["q"]], T, "expected a name or a sequence of names"),
    "a set": ({"q"}, T, "expected a name or a sequence of names, found {'q'}"),
    "bytes": (b"q", T, "expected a name or a sequence of names, found b'q'"),
    "no names": ([], G, "expected parameters among q, k, v, weights, found none"),
    "an empty name": ("", A, "there is no parameter ''; expected some of q, k"),
    "names in one text": ("q,k", A, "there is no parameter 'q,k'"),
    "another case": ("Q", A, "there is no parameter 'Q'"),
    "a name twice": (["v", "q", "v"], A, "a parameter is named twice"),
    "indices": (("q", "indices"), G, "indices has no gradient: expected some of q, k, v, weights"),
    "a number of the call": ("scale", G, r"scale has no gradient.*rl.Tensor\[\(\)\]"),
    "a constant": ("softmax_n", G, "softmax_n has no gradient"),
    "the size of chunks": ("chunk_size", A, "there is no parameter 'chunk_size'"),
    "a length": ("num_keys", A, "there is no parameter 'num_keys'"),
}


@pytest.mark.parametrize("case", BY)
def test_by_what(case: str) -> None:
    wrt, error, message = BY[case]
    with pytest.raises(error, match=message):
        hsa.derivative(wrt)


IR: dict[str, tuple[str, Any, *Wrong]] = {
    "indices": ("backward", "indices", G, "indices has no gradient"),
    "unknown": ("forward", ("q", "x"), A, "there is no parameter 'x'"),
    "a number": ("backward", 3, T, "expected a name or a sequence of names, found 3"),
    "another level": ("hsa", "q", A, "wrt: expected the level forward or backward, found 'hsa'"),
    "gradient as a level": ("gradient", "q", A, "expected a level among forward, backward, hsa"),
}


@pytest.mark.parametrize("case", IR)
def test_what_is_shown(case: str) -> None:
    level, wrt, error, message = IR[case]
    with pytest.raises(error, match=message):
        hsa.ir(level, **random_arguments(hsa.signature), **SCALED, wrt=wrt)


# ---- of what ------------------------------------------------------------------


@rf.jit
def weighs_what_it_computed(
    q: rl.Query, k: rl.Chunks, weights: rl.ChunkWeights, indices: rl.ChunkIndices
):
    p = rl.softmax(weights, over="slot")
    out = rl.zeros(q, k)
    for slot, c in rl.selected(indices):
        out += p[slot] * rl.sum(k[c], over="key")
    return out


@rf.jit
def only_picks(q: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(q, lm), over="head"), 3)


@rf.jit
def takes_at_two_selections(q: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(q, lm), over="head")
    return s.at(rl.topk(s, 3)), s.at(rl.topk(-s, 2))


@rf.jit
def maximum_that_begins_with_a_value(q: rl.Query, k: rl.Chunks):
    top = rl.sum(q, over="dim")
    for c in rl.every(k):
        top = rl.maximum(top, rl.max(rl.dot(q, k[c]), over="key"))
    return q * top


@rf.jit
def minimum_that_begins_with_a_value(q: rl.Query, k: rl.Chunks):
    low = rl.sum(q, over="dim")
    for c in rl.every(k):
        low = rl.minimum(low, rl.min(rl.dot(q, k[c]), over="key"))
    return q * low


OF: list[tuple[rf.JitFunction, str, str]] = [
    (weighs_what_it_computed, "all weights of a row at once", "rl.softmax(weights"),
    (only_picks, "picks are constants", "def only_picks"),
    (takes_at_two_selections, "takes values at two different selections", "return s.at"),
    (maximum_that_begins_with_a_value, r"rl.zeros\(..., init=-rl.inf\)", "for c in rl.every"),
    (minimum_that_begins_with_a_value, r"rl.zeros\(..., init=rl.inf\)", "for c in rl.every"),
]


def arguments_of(function: rf.JitFunction) -> dict[str, Any]:
    arrays = random_arguments(function.signature)
    for name, parameter in function.signature.parameters.items():
        if parameter.role is Role.LANDMARKS:
            arrays[name] = np.random.default_rng(2).standard_normal((2, 5, 2, 32), np.float32)
    return {**arrays, "chunk_size": 16}


@pytest.mark.parametrize(
    ("function", "message", "line"), OF, ids=lambda x: getattr(x, "__name__", "")
)
def test_of_what(function: rf.JitFunction, message: str, line: str) -> None:
    given = arguments_of(function)
    derivative = function.derivative(differentiable(function.signature))
    for ask in (derivative.forward, derivative.saved_results):
        with pytest.raises(G, match=message) as caught:
            ask(**given)
        assert line in str(caught.value) and "test_gradient_errors.py" in str(caught.value)


def test_without_gradients_they_run() -> None:
    for function in (only_picks, maximum_that_begins_with_a_value):
        assert function(**arguments_of(function)).shape[:2] == (2, 19)


def test_picks_alone_are_not_recorded() -> None:
    given = {
        n: torch.from_numpy(x) for n, x in arguments_of(only_picks).items() if n != "chunk_size"
    }
    given["q"].requires_grad_()
    picks = only_picks(**given, chunk_size=16)
    assert not picks.requires_grad and picks.dtype == torch.int32


# ---- with which arrays --------------------------------------------------------

Outs = tuple[Any, ...]
D_OUTS: dict[str, tuple[Callable[[Outs], Any], *Wrong]] = {
    "fewer queries": (lambda o: (o[0][:, :-1], o[1]), A, r"d_outs\[0\]: expected the shape"),
    "another dim": (
        lambda o: (o[0][..., :16], o[1]),
        A,
        r"\[2, 19, 6, 32\], found \[2, 19, 6, 16\]",
    ),
    "without a batch": (lambda o: (o[0][0], o[1]), A, r"d_outs\[0\]: .* found \[19, 6, 32\]"),
    "fewer heads": (lambda o: (o[0], o[1][..., :3]), A, r"d_outs\[1\]: .* found \[2, 19, 3\]"),
    "of the other result": (lambda o: (o[1], o[0]), A, r"d_outs\[0\]: .* found \[2, 19, 6\]"),
    "float64": (lambda o: (o[0].astype(np.float64), o[1]), T, "expected float32, found float64"),
    "float16": (lambda o: (o[0].astype(np.float16), o[1]), T, "expected float32, found float16"),
    "int32": (
        lambda o: (o[0], np.zeros(o[1].shape, np.int32)),
        T,
        r"d_outs\[1\]: expected float32, found",
    ),
    "a number": (lambda o: (1.0, o[1]), T, r"d_outs\[0\]: expected an array, found float"),
    "a dict": (lambda o: ({"value": o[0]}, None), T, r"d_outs\[0\]: expected an array, found dict"),
    "a list of lists": (lambda o: (o[0].tolist(), None), T, "expected an array, found list"),
    "one alone": (lambda o: o[0], A, "expected gradients of 2 results, found 1"),
    "three": (lambda o: (*o, None), A, "expected gradients of 2 results, found 3"),
    "none": (lambda o: (), A, "expected gradients of 2 results, found 0"),
    "strided": (lambda o: (np.repeat(o[0], 2, -1)[..., ::2], None), A, r"d_outs\[0\] has stride 2"),
}
SAVED: dict[str, tuple[Callable[[Outs], Any], *Wrong]] = {
    "nothing": (lambda s: None, T, "saved: expected a tuple of 2, found NoneType"),
    "one array": (lambda s: s[0], T, "saved: expected a tuple of 2, found ndarray"),
    "too few": (lambda s: s[:1], A, "saved: expected a tuple of 2, found one of 1"),
    "too many": (lambda s: (*s, s[0]), A, "found one of 3. Pass on what forward of this"),
    "in another order": (lambda s: s[::-1], A, r"saved\[0\]: expected the shape \[2, 19, 6, 32\]"),
    "None among them": (
        lambda s: (s[0], None),
        T,
        r"saved\[1\]: expected an array, found NoneType",
    ),
    "fewer queries": (lambda s: (s[0], s[1][:, :-1]), A, r"saved\[1\]: .* found \[2, 18, 6\]"),
    "float64": (lambda s: (s[0], s[1].astype(np.float64)), T, r"saved\[1\]: expected float32"),
}
GIVEN: dict[str, tuple[dict[str, Any], *Wrong]] = {
    "no keys": ({"k": None}, T, "k: expected an array"),
    "an unknown keyword": ({"window": 3}, T, "joint.. has no parameter 'window'"),
    "another size of chunks": ({"chunk_size": 24}, rf.UnsupportedError, "multiples of 16"),
    "no size of chunks": ({"chunk_size": None}, rf.Error, "chunk"),
    "a flag that is none": ({"deterministic": 1}, T, "deterministic: expected True or False"),
    "fewer queries": ({"q": np.zeros((2, 18, 6, 32), np.float32)}, A, "18"),
}


@pytest.fixture(scope="module")
def of_joint() -> tuple[Any, dict[str, Any], Outs, Outs]:
    given = {**random_arguments(joint.signature), **SCALED}
    derivative = joint.derivative(("q", "k", "v"))
    outs, saved = derivative.forward(**given)
    return derivative, given, outs, saved


@pytest.mark.parametrize("case", D_OUTS)
def test_gradients_of_results(case: str, of_joint: Any) -> None:
    change, error, message = D_OUTS[case]
    derivative, given, outs, saved = of_joint
    with pytest.raises(error, match=message):
        derivative.backward(saved, change(outs), **given)


@pytest.mark.parametrize("case", SAVED)
def test_saved(case: str, of_joint: Any) -> None:
    change, error, message = SAVED[case]
    derivative, given, outs, saved = of_joint
    with pytest.raises(error, match=message):
        derivative.backward(change(saved), outs, **given)


@pytest.mark.parametrize("case", GIVEN)
def test_arguments(case: str, of_joint: Any) -> None:
    changes, error, message = GIVEN[case]
    derivative, given, outs, saved = of_joint
    with pytest.raises(error, match=message):
        derivative.backward(saved, outs, **{**given, **changes})


def test_the_right_ones_are_right(of_joint: Any) -> None:
    derivative, given, outs, saved = of_joint
    grads = derivative.backward(saved, outs, **given)
    assert [g.shape for g in grads] == [given[n].shape for n in ("q", "k", "v")]


def test_runs_of_a_derivative_are_not_recorded(of_joint: Any) -> None:
    derivative, given, outs, saved = of_joint
    wanted = {**given, "q": torch.from_numpy(given["q"]).requires_grad_()}
    with pytest.raises(G, match="expected tensors without gradients, or"):
        derivative.forward(**wanted)
    with pytest.raises(G, match="expected tensors without gradients, or"):
        derivative.backward(saved, outs, **wanted)


# ---- under which schedule, and one's own ---------------------------------------


def test_lists_have_no_gradient() -> None:
    lists = hsa.options(schedule="inverse_index")
    with pytest.raises(G, match="expected another schedule, found inverse_index"):
        lists.derivative("q")
    x = {n: torch.from_numpy(a) for n, a in random_arguments(hsa.signature).items()}
    x["q"].requires_grad_()
    with pytest.raises(G, match="the lists that it gives have no gradient"):
        lists(**x, **SCALED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "backward"}, "expected one of query_major, chunk_major, .* found 'backward'"),
        ({"schedule": None}, "schedule: expected one of .* found None"),
        ({"schedule": ("query_major",)}, "schedule: expected one of"),
        ({"schedule": True}, "schedule: expected one of .* found True"),
        ({"derivative": "backward"}, r"options\(\): expected schedule, .* found derivative"),
        ({"wrt": "q"}, r"options\(\): expected schedule, .* found wrt"),
        ({"deterministic": True}, r"options\(\): expected schedule, .* found deterministic"),
    ],
    ids=str,
)
def test_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(A, match=message):
        hsa.options(**options)


@pytest.mark.parametrize("value", [3, None, "q"])
def test_a_gradient_of_ones_own_is_a_function(value: Any) -> None:
    with pytest.raises(T, match=r"gradient\(\): expected a function, found"):
        hsa.gradient(value)


WRONG_GRADIENTS: dict[str, tuple[Any, str]] = {
    "nothing": (lambda d: None, "own gradient: expected a mapping .*, found NoneType"),
    "a list": (lambda d: [d], "own gradient: expected a mapping .*, found list"),
    "another name": (lambda d: {"k": d}, "own gradient returns none by q, only by k"),
    "None": (lambda d: {"q": None}, "own gradient returns none by q, only by nothing"),
    "another shape": (lambda d: {"q": d[:1]}, r"by q: expected the shape \[2, .*, found \[1, "),
    "another dtype": (lambda d: {"q": d.double()}, "by q: expected the dtype float32, found float"),
    "another library": (lambda d: {"q": d.numpy()}, "by q: expected the library torch, found nump"),
    "a number": (lambda d: {"q": 1.0}, r"by q: expected the shape .*, found \[\]"),
}


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_what_a_gradient_of_ones_own_may_return(name: str, recorded: bool) -> None:
    returned, message = WRONG_GRADIENTS[name]

    @rf.jit
    def twice(q: rl.Query):
        return q * 2

    @twice.gradient
    def _(d_out: Any, out: Any, q: Any, **options: Any) -> Any:
        return returned(d_out)

    q = torch.ones(2, 3, 2, 16, requires_grad=recorded)
    with pytest.raises(G, match=message):
        if recorded:
            twice(q).sum().backward()
        else:
            twice.derivative("q").backward((q,), torch.ones_like(q), q)


@rf.jit
def named_as_gradients(q: rl.Query, d_0: rl.Tensor["head"], saved_12: rl.Tensor["head"]):
    return q * d_0 * saved_12


def test_names_of_gradients_are_taken() -> None:
    given = random_arguments(named_as_gradients.signature)
    assert named_as_gradients(**given).shape == (2, 19, 6, 32)
    with pytest.raises(G, match="other names than d_0, saved_12, which stand for gradients"):
        named_as_gradients.derivative("q")
