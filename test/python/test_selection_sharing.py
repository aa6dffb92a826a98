# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A selection whose inverse index is made once: the same results, and no second index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from arguments import random_arguments
from numerics import DEVICES
from test_frontend import hsa, joint
from test_gradients import fetch, gated, ones, put, put_all

import ramify as rf
import ramify.language as rl
from ramify import selection as sharing

SCALED = {"scale": 0.25, "chunk_size": 16}
WRT = ("q", "k", "v", "weights")
CASES: dict[str, tuple[rf.JitFunction, tuple[str, ...], dict[str, Any]]] = {
    "hsa": (hsa, WRT, {}),
    "hsa, indices of query heads": (hsa, WRT, {"index_heads": "query", "weight_heads": "query"}),
    "hsa, indices of one head": (hsa, WRT, {"index_heads": "one", "weight_heads": "one"}),
    "hsa, query blocks": (hsa, WRT, {"q_block": 4}),
    "hsa, several windows": (hsa, WRT, {"B": 1, "L": 9000, "H": 1, "G": 2, "D": 16}),
    "joint": (joint, ("q", "k", "v"), {}),
    "gated": (gated, ("q", "k", "v", "gate", "sink"), {}),
}


def arguments_of(name: str, device: str) -> tuple[dict[str, Any], rf.Selection]:
    """A call of a case, and its selection."""
    function, _, sizes = CASES[name]
    given = put_all(random_arguments(function.signature, **sizes), device) | SCALED
    block = {"q_block": sizes["q_block"]} if "q_block" in sizes else {}
    keys = int(given["k"].shape[1])
    return given | block, rf.Selection(given["indices"], chunk_size=16, num_keys=keys, **block)


def assert_near(found: Any, expected: Any) -> None:
    for one, other in zip(fetch(found), fetch(expected), strict=True):
        largest = np.abs(other, where=np.isfinite(other), out=np.zeros_like(other)).max(initial=1)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", ["auto", "chunk_major"])
@pytest.mark.parametrize("name", CASES)
def test_results_and_gradients_are_the_same(name: str, schedule: str, device: str) -> None:
    function, wrt, _ = CASES[name]
    given, picks = arguments_of(name, device)
    shared = given | {"indices": picks}
    function = function.options(schedule=schedule)
    assert_near(function(**shared), function(**given))
    derivative = function.derivative(wrt)
    outs, saved = derivative.forward(**given)
    d_outs = tuple(map(ones, outs)) if isinstance(outs, tuple) else ones(outs)
    expected = derivative.backward(saved, d_outs, **given)
    again, saved = derivative.forward(**shared)
    assert_near(again, outs)
    assert_near(derivative.backward(saved, d_outs, **shared), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_bits(device: str) -> None:
    """An index of one's own is in the same order where bits matter."""
    given, picks = arguments_of("hsa, several windows", device)
    given["deterministic"] = True
    derivative = hsa.derivative(WRT)
    out, saved = derivative.forward(**given)
    expected = derivative.backward(saved, ones(out), **given)
    found = derivative.backward(saved, ones(out), **given | {"indices": picks})
    for one, other in zip(fetch(found), fetch(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def launches(shown: str) -> list[str]:
    return [line.split()[1] for line in shown.splitlines() if "launch" in line]


def test_no_second_index() -> None:
    given, picks = arguments_of("hsa, several windows", "cpu")
    assert picks.layout == (4096, 3)
    derivative = hsa.derivative(WRT)
    alone = launches(derivative.explain(**given))
    shared = launches(derivative.explain(**given | {"indices": picks}))
    steps = ("rank", "columns", "place", "heads", "opens", "items")
    index = [f"hsa_backward_indices_{step}:" for step in steps]
    assert [name for name in alone if "_indices_" in name] == index
    assert shared == [name for name in alone if "_indices_" not in name]


def test_an_index_whose_windows_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call makes one with smaller windows."""
    given, picks = arguments_of("hsa", "cpu")
    given["deterministic"] = True
    shared = given | {"indices": picks}
    derivative = hsa.options(schedule="chunk_major").derivative(WRT)
    out, saved = derivative.forward(**shared)
    expected = derivative.backward(saved, out, **shared)
    monkeypatch.setattr(sharing, "MAX_WORKSPACE", 0)
    function = hsa.options(schedule="chunk_major")
    assert any("_indices_rank" in name for name in launches(function.explain(**shared)))
    assert_near(function(**shared), out)
    monkeypatch.setattr(sharing, "fits", lambda *_: pytest.fail("asked of a plain call"))
    function(**given)
    monkeypatch.undo()
    monkeypatch.setattr(sharing, "MAX_WORKSPACE", 0)
    assert_near(derivative.backward(saved, out, **shared), expected)


@pytest.mark.parametrize("device", DEVICES)
def test_fewer_keys_than_the_selection_has(device: str) -> None:
    """Chunks that a sequence does not have are not visited."""
    given, picks = arguments_of("hsa", device)
    function = hsa.options(schedule="chunk_major")
    lengths = put(np.array([33, 70], np.int32), device)
    for limit in (40, lengths):
        limited = given | {"num_keys": limit}
        assert_near(function(**limited | {"indices": picks}), function(**limited))


@rf.jit
def two(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    near: rl.ChunkIndices,
    far: rl.ChunkIndices,
    *,
    scale: float,
) -> rl.Array:
    out = rl.zeros(q, v)
    for _, c in rl.selected(near):
        out += rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    for _, c in rl.selected(far):
        out += rl.dot(rl.dot(q, k[c]) * scale, v[c])
    return out


@pytest.mark.parametrize("of_far", [70, 2**21], ids=["the same windows", "other windows"])
@pytest.mark.parametrize("names", [("near", "far"), ("far",)], ids=str)
def test_two_selections(names: tuple[str, ...], of_far: int) -> None:
    given = random_arguments(two.signature, B=1, L=9000, H=1, G=1, D=16) | SCALED
    keys = {"near": 70, "far": of_far}
    picks = {n: rf.Selection(given[n], chunk_size=16, num_keys=keys[n]) for n in names}
    function = two.options(schedule="chunk_major")
    assert_near(function(**given | picks), function(**given))
    steps = launches(function.explain(**given | picks))
    for name in ("near", "far"):
        first = names[0]
        is_shared = name in picks and (name == first or picks[name].layout == picks[first].layout)
        assert any(f"_{name}_rank" in step for step in steps) != is_shared


def test_nothing_selected() -> None:
    """No slot, no row, no key, no sequence."""
    for sizes in ({"K": 0}, {"L": 0}, {"N": 0}, {"B": 0}):
        given = random_arguments(hsa.signature, **sizes) | SCALED
        keys = given["k"].shape[1]
        picks = rf.Selection(given["indices"], chunk_size=16, num_keys=keys)
        function = hsa.options(schedule="chunk_major")
        assert_near(function(**given | {"indices": picks}), function(**given))


def test_what_takes_the_indices_alone() -> None:
    given, picks = arguments_of("hsa", "cpu")
    shared = given | {"indices": picks}
    for schedule in ("query_major", "union", "split_kv"):
        function = hsa.options(schedule=schedule)
        np.testing.assert_array_equal(function(**shared), function(**given))
    np.testing.assert_array_equal(hsa.reference(**shared), hsa.reference(**given))
    with pytest.raises(rf.ArgumentError, match=r"indices: expected -1 or a chunk in \[0, 5\)"):
        hsa(**shared, validate=True)
    assert hsa.ir("tile", **shared) == hsa.ir("tile", **given)
    assert "%indices__counts" in hsa.options(schedule="chunk_major").ir("tile", **shared)
    np.testing.assert_array_equal(rf.ops.hsa_kernel(**shared), rf.ops.hsa_kernel(**given))


def tensors(device: str = "cpu") -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    x = random_arguments(hsa.signature, B=2, L=50, N=150)
    there = {n: torch.from_numpy(a).to(device) for n, a in x.items()}
    indices = there.pop("indices")
    return {n: t.requires_grad_() for n, t in there.items()}, indices


def attend(x: dict[str, torch.Tensor], picks: Any) -> torch.Tensor:
    out: torch.Tensor = rf.ops.hsa(
        x["q"], x["k"], x["v"], x["weights"], picks, chunk_size=16, scale=0.25
    )
    return out


def layers(x: dict[str, torch.Tensor], picks: Any) -> torch.Tensor:
    """Two that share their selection."""
    first = attend(x, picks)
    return attend({**x, "q": torch.tanh(first)}, picks)


def bound(tensor: torch.Tensor) -> float:
    return 1e-5 * (1 + float(tensor.detach().abs().max()))


def gradients(x: dict[str, torch.Tensor], out: torch.Tensor) -> list[torch.Tensor]:
    return [out, *torch.autograd.grad(out.square().sum(), list(x.values()))]


@pytest.mark.parametrize("device", DEVICES)
def test_layers_by_autograd(device: str) -> None:
    x, indices = tensors(device)
    picks = rf.Selection(indices, chunk_size=16, num_keys=150)
    out = layers(x, picks)
    assert type(out.grad_fn).__name__ == "SharedBackward"
    for one, other in zip(gradients(x, out), gradients(x, layers(x, indices)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=bound(other))


STEPS = {
    "checkpoint": lambda x, picks: torch.utils.checkpoint.checkpoint(
        layers, x, picks, use_reentrant=False
    ),
    "compile": torch.compile(layers, fullgraph=True, backend="aot_eager"),
    "compile, made there": torch.compile(
        lambda x, picks: layers(x, rf.Selection(picks.indices, chunk_size=16, num_keys=150)),
        fullgraph=True,
        backend="aot_eager",
    ),
    "operator": lambda x, picks: rf.torch_op(rf.ops.hsa_kernel)(
        **x, indices=picks, scale=0.25, chunk_size=16
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_where_pytorch_does_more(name: str) -> None:
    """A graph takes the indices; a layer that is recomputed keeps the index."""
    x, indices = tensors()
    picks = rf.Selection(indices, chunk_size=16, num_keys=150)
    step = attend if name == "operator" else layers
    found, expected = gradients(x, STEPS[name](x, picks)), gradients(x, step(x, indices))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=bound(other))


def test_autocast() -> None:
    x, indices = tensors()
    picks = rf.Selection(indices, chunk_size=16, num_keys=150)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = attend(x, picks), attend(x, indices)
    assert found.dtype == expected.dtype == torch.bfloat16
    for one, other in zip(gradients(x, found), gradients(x, expected), strict=True):
        assert one.dtype == other.dtype
        scale = 1 + float(other.detach().float().abs().max())
        torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=2**-7 * scale)


def test_a_second_derivative_is_refused() -> None:
    x, indices = tensors()
    out = attend(x, rf.Selection(indices, chunk_size=16, num_keys=150))
    (first,) = torch.autograd.grad(out.sum(), x["q"], create_graph=True)
    with pytest.raises(rf.GradientError, match="these have no gradient"):
        first.sum().backward()


def test_keys_that_are_not_there_have_no_gradient() -> None:
    x, indices = tensors()
    picks = rf.Selection(indices, chunk_size=16, num_keys=150)
    options = {"scale": 0.25, "chunk_size": 16, "num_keys": 100, "q_start": 0}
    out = rf.ops.hsa_kernel(**x, indices=picks, **options)
    expected = rf.ops.hsa_kernel(**x, indices=indices, **options)
    for one, other in zip(gradients(x, out), gradients(x, expected), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=bound(other))


A, T = rf.ArgumentError, rf.ArgumentTypeError
PICKS = np.zeros((2, 19, 2, 3), np.int32)
NONE: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a list": ({"indices": [1, 2]}, T, "indices: expected an array or a tensor, found list"),
    "of rank 3": ({"indices": PICKS[0]}, A, r"expected \[B, rows, heads, K\], found \[19, 2, 3\]"),
    "of floats": ({"indices": PICKS * 1.0}, T, "expected int64 or int32, found float64"),
    "a flag": ({"chunk_size": True}, T, "chunk_size: expected an int >= 1, found True"),
    "a chunk of nothing": ({"chunk_size": 0}, A, "chunk_size: expected an int >= 1, found 0"),
    "keys in floats": ({"num_keys": 70.0}, T, "num_keys: expected an int >= 0, found 70.0"),
    "fewer than none": ({"num_keys": -1}, A, "num_keys: expected an int >= 0, found -1"),
    "no block": ({"q_block": 0}, A, "q_block: expected an int >= 1, found 0"),
}


@pytest.mark.parametrize("case", NONE)
def test_no_selection(case: str) -> None:
    changes, error, message = NONE[case]
    given = {"indices": PICKS, "chunk_size": 16, "num_keys": 70} | changes
    with pytest.raises(error, match=message):
        rf.Selection(given.pop("indices"), **given)


def test_selections_that_do_not_fit() -> None:
    given, picks = arguments_of("hsa", "cpu")
    shared = given | {"indices": picks}
    with pytest.raises(A, match="indices: expected a selection of chunks of 32 keys, found one of"):
        hsa(**shared | {"chunk_size": 32})
    few = rf.Selection(given["indices"], chunk_size=16, num_keys=64)
    with pytest.raises(A, match="from 5 chunks, those of k, found one from 4"):
        hsa(**shared | {"indices": few})
    with pytest.raises(A, match="expected a selection from 5 chunks"):
        hsa.derivative("q").forward(**shared | {"indices": few})
    short = rf.Selection(given["indices"][:, :7], chunk_size=16, num_keys=70)
    with pytest.raises(A, match=r"indices has rows = 7 \(axis 1\), but weights has rows = 19"):
        hsa(**shared | {"indices": short})
    with pytest.raises(T, match="k: expected an array"):
        hsa(**shared | {"k": picks})


def test_a_selection_on_another_device() -> None:
    x, indices = tensors()
    elsewhere = rf.Selection(indices.to("meta"), chunk_size=16, num_keys=150)
    with pytest.raises(T, match="indices: expected a tensor on cpu, as the query is, found one on"):
        attend(x, elsewhere)
    plain = {name: tensor.detach() for name, tensor in x.items()}
    with pytest.raises(T, match="indices: expected a selection on cpu, found one on meta"):
        attend(plain, elsewhere)


def test_shown() -> None:
    _, picks = arguments_of("hsa", "cpu")
    assert repr(picks) == "Selection([2, 19, 2, 3], chunk_size=16, num_keys=70)"
