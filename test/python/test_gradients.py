# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients against finite differences of the reference, in float64, one variant after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from arguments import random_arguments
from numerics import DEVICES
from test_frontend import hsa, joint

import ramify as rf
import ramify.language as rl
from ramify.derivative import differentiable


@rf.jit
def alibi(q: rl.Query, k: rl.Chunks, v: rl.Chunks, slope: rl.Tensor["head"], *, scale: float):
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=23):
        distance = rl.query_position() - rl.positions(k, c)
        acc.merge(rl.dot(q, k[c]) * scale - slope * distance * 0.05, v[c])
    return acc.value


@rf.jit
def biased(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    bias: rl.Tensor["kv.key"],
    prior: rl.Tensor["kv.chunk", "head"],
    temperature: rl.Tensor[()],
    indices: rl.ChunkIndices,
):
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]) * temperature * 0.2 + bias[c])
        out += prior[c] * rl.dot(p, v[c])
    return out


@rf.jit
def linear(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float):
    out = rl.zeros(q, v)
    for c in rl.window(k, last=9):
        out += rl.dot(rl.sigmoid(rl.dot(q, k[c]) * scale), v[c])
    return rl.tanh(out * 0.3)


@rf.jit
def gated(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    gate: rl.Tensor["pos", "head"],
    sink: rl.Tensor["head"],
    indices: rl.ChunkIndices,
    *,
    scale: float,
):
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=20):
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    near = acc.value
    for _, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    acc.push(sink, q * 0.0)
    return rl.sigmoid(gate) * acc.value + near * 0.5, rl.exp(acc.lse * 0.1)


@rf.jit
def grouped(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float):
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(indices):
        s = rl.dot(q, k[c]) * scale
        acc.push(rl.logsumexp(s, over="key"), rl.dot(rl.softmax(s), v[c]))
    return acc.value, acc.lse


@rf.jit
def elementwise(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        s = rl.dot(q, k[c]) * 0.2
        t = rl.maximum(s, 0.1 * s) + rl.minimum(s, rl.abs(s) - 1.0)
        t = t / (1.0 + rl.exp(-s)) + rl.log(1.0 + s * s) + rl.sqrt(s**2 + 1.0)
        t = t + rl.exp2(s * 0.5) - rl.max(s, over="key") * rl.min(s, over="key")
        out += rl.dot(t + rl.where(s > 0, s * s, -0.5 * s * s), v[c]) * 0.1
    return out


@rf.jit
def computed_rows(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    gain: rl.Tensor["head", "dim"],
    gate: rl.Query,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    *,
    scale: float,
):
    rows = q / rl.sqrt(rl.sum(q * q, over="dim") + 1.0) * gain
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        out += weights[slot] * rl.dot(rl.softmax(rl.dot(rows, k[c]) * scale), v[c])
    return out * rl.sigmoid(gate)


@rf.jit
def gated_sums(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    gate: rl.Query,
    bias: rl.Tensor["kv.chunk", "head"],
    indices: rl.ChunkIndices,
    *,
    scale: float,
):
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        out += rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c]) + bias[c] * q
    return out * rl.sigmoid(gate)


SCALED = {"scale": 0.25}
VARIANTS: dict[str, tuple[rf.JitFunction, dict[str, Any], dict[str, Any]]] = {
    "hsa": (hsa, {}, SCALED),
    "hsa off by one": (hsa, {}, {**SCALED, "softmax_n": 1.0}),
    "hsa, weights of query heads": (hsa, {"weight_heads": "query"}, SCALED),
    "hsa, one weight for all heads": (hsa, {"weight_heads": "one"}, SCALED),
    "hsa, query blocks": (hsa, {"q_block": 4}, SCALED),
    "hsa, query blocks and weights of query heads": (
        hsa,
        {"q_block": 4, "weight_heads": "query"},
        SCALED,
    ),
    "hsa, indices of query heads": (
        hsa,
        {"index_heads": "query", "weight_heads": "query"},
        SCALED,
    ),
    "hsa, values of another dim": (hsa, {"Dv": 48}, SCALED),
    "hsa, more queries than keys": (hsa, {"L": 19, "N": 7}, SCALED),
    "joint": (joint, {}, SCALED),
    "joint, query blocks": (joint, {"q_block": 5}, SCALED),
    "alibi": (alibi, {}, SCALED),
    "alibi, query blocks": (alibi, {}, {**SCALED, "q_block": 4}),
    "biased": (biased, {}, {}),
    "biased, for each sequence": (biased, {"batched": True}, {}),
    "linear": (linear, {}, SCALED),
    "linear, query blocks": (linear, {}, {**SCALED, "q_block": 3}),
    "gated": (gated, {}, SCALED),
    "grouped": (grouped, {}, SCALED),
    "elementwise": (elementwise, {}, {}),
    "gated sums": (gated_sums, {}, SCALED),
    "computed rows": (computed_rows, {}, SCALED),
    "computed rows, query blocks": (computed_rows, {"q_block": 4}, SCALED),
}


SELECTED = [name for name, (fn, _, _) in VARIANTS.items() if "indices" in fn.signature.parameters]
CASES = [(name, "query_major") for name in VARIANTS] + [(name, "chunk_major") for name in SELECTED]


def weighted(outs: tuple[Any, ...], d_outs: tuple[Any, ...]) -> float:
    """The scalar whose gradient is taken: results times their gradients, which picks have not."""
    return sum(
        float((np.where(np.isinf(out), 0, out) * d_out).sum())
        for out, d_out in zip(outs, d_outs, strict=True)
        if d_out is not None
    )


def slope_of(
    fn: rf.JitFunction,
    arguments: dict[str, Any],
    name: str,
    way: Any,
    d_outs: Any,
    step: float = 1e-5,
) -> float:
    """The derivative of the reference along `way`, by central differences in float64.

    What is selected must not change within a step: there is no derivative where it does.
    """

    def at(offset: float) -> tuple[Any, ...]:
        moved = {**arguments, name: arguments[name].astype(np.float64) + offset * way}
        return fetch(fn.reference(**moved))

    after, before = at(step), at(-step)
    for one, other, d_out in zip(after, before, d_outs, strict=True):
        if d_out is None:
            np.testing.assert_array_equal(one, other)
    return (weighted(after, d_outs) - weighted(before, d_outs)) / (2 * step)


def random_gradient(out: Any, rng: np.random.Generator) -> Any:
    """Of one result; picks have none."""
    is_float = np.issubdtype(out.dtype, np.floating)
    return rng.standard_normal(out.shape).astype(out.dtype) if is_float else None


def put(array: Any, device: str) -> Any:
    """An array there: NumPy's own on the CPU. What is no array stays as it is."""
    is_moved = device != "cpu" and isinstance(array, np.ndarray)
    return torch.from_numpy(array).to(device) if is_moved else array


def put_all(given: dict[str, Any], device: str) -> dict[str, Any]:
    return {name: put(value, device) for name, value in given.items()}


def fetch(arrays: Any) -> tuple[Any, ...]:
    """One array or several, as arrays of NumPy."""
    listed = arrays if isinstance(arrays, tuple | list) else (arrays,)
    return tuple(a.cpu().numpy() if isinstance(a, torch.Tensor) else a for a in listed)


def ones(array: Any) -> Any:
    return torch.ones_like(array) if isinstance(array, torch.Tensor) else np.ones_like(array)


def check(fn: rf.JitFunction, arrays: dict[str, Any], options: dict[str, Any], device: str) -> None:
    """All gradients of one call, along random directions."""
    rng = np.random.default_rng(1)
    names = differentiable(fn.signature)
    derivative = fn.derivative(names)
    there = {**put_all(arrays, device), **options}
    outs, saved = derivative.forward(**there)
    listed = fetch(outs)
    d_outs = tuple(random_gradient(out, rng) for out in listed)
    for out, same in zip(listed, fetch(fn(**there)), strict=True):
        np.testing.assert_allclose(out, same, rtol=1e-5, atol=1e-5)  # sums come in any order
    grads = derivative.backward(saved, tuple(put(d_out, device) for d_out in d_outs), **there)
    for name, grad in zip(names, fetch(grads), strict=True):
        assert grad.shape == arrays[name].shape and grad.dtype == arrays[name].dtype
        for _ in range(2):
            way = rng.standard_normal(grad.shape)
            expected = slope_of(fn, {**arrays, **options}, name, way, d_outs)
            found = float((grad.astype(np.float64) * way).sum())
            bound = 2e-5 * (np.abs(grad * way).sum() + np.abs(expected)) + 1e-6
            assert abs(found - expected) <= bound, name


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("variant", "schedule"), CASES)
def test_against_finite_differences(variant: str, schedule: str, device: str) -> None:
    fn, sizes, options = VARIANTS[variant]
    fn = fn.options(schedule=schedule)
    arrays = random_arguments(fn.signature, **sizes)
    options = {"chunk_size": 16, **options}
    if "q_block" in sizes:
        options["q_block"] = sizes["q_block"]
    check(fn, arrays, options, device)


def arguments_of_hsa(**sizes: Any) -> dict[str, Any]:
    return {**random_arguments(hsa.signature, **sizes), **SCALED, "chunk_size": 16}


WRT = ("q", "k", "v", "weights")


@pytest.mark.parametrize("device", DEVICES)
def test_empty_slots_have_no_gradient(device: str) -> None:
    given = arguments_of_hsa()
    given["indices"][:, ::2] = -1  # no chunk at all, for some
    given["indices"][0, 1, 0] = [1, 1, 1]  # one chunk three times
    empty = (given["indices"] < 0) | (given["indices"] > 4)
    given["weights"][empty] = np.nan
    derivative = hsa.derivative(WRT)
    there = put_all(given, device)
    out, saved = derivative.forward(**there)
    dq, dk, dv, dw = fetch(derivative.backward(saved, ones(out), **there))
    assert np.isfinite(dk).all() and np.isfinite(dv).all()
    assert (dq[:, ::2] == 0).all() and (dw[empty] == 0).all()
    given["weights"][empty] = 0
    again = fetch(derivative.backward(saved, ones(out), **put_all(given, device)))
    np.testing.assert_allclose(again[1], dk, rtol=0, atol=2e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_by_one_parameter_only(device: str) -> None:
    given = put_all(arguments_of_hsa(), device)
    out, saved = hsa.derivative(WRT).forward(**given)
    _, dk, _, _ = fetch(hsa.derivative(WRT).backward(saved, ones(out), **given))
    (alone,) = fetch(hsa.derivative("k").backward(saved, ones(out), **given))
    np.testing.assert_allclose(alone, dk, rtol=0, atol=2e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_results_without_a_gradient_count_as_zero(device: str) -> None:
    arrays = {**random_arguments(joint.signature), **SCALED, "chunk_size": 16}
    arrays = put_all(arrays, device)
    derivative = joint.derivative(("q", "k"))
    (value, lse), saved = derivative.forward(**arrays)
    with_none = derivative.backward(saved, (ones(value), None), **arrays)
    zeros = derivative.backward(saved, (ones(value), 0 * ones(lse)), **arrays)
    for one, other in zip(fetch(with_none), fetch(zeros), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5)


def test_gradients_are_shown() -> None:
    given = arguments_of_hsa()
    text = hsa.ir("backward", **given)
    assert text.count("hsa.dot") == 5
    assert "divf" not in text
    assert "hsa.saved = array<i64: 0, 1>" in joint.ir(
        "forward", **random_arguments(joint.signature), **SCALED, chunk_size=16
    )


def test_what_is_saved_is_told_before() -> None:
    arrays = {**random_arguments(alibi.signature), **SCALED, "chunk_size": 16}
    derivative = alibi.derivative(("q", "k"))
    value, lse = derivative.saved_results(**arrays)
    assert value == 0 and not isinstance(lse, int)
    assert lse.axes == ("pos", "head") and lse.dtype == "f32"
    _, saved = derivative.forward(**arrays)
    assert [array.shape for array in saved] == [(2, 19, 6, 32), (2, 19, 6)]
    assert hsa.derivative(WRT).saved_results(**arguments_of_hsa()) == ()


def test_detach() -> None:
    @rf.jit
    def half(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
        out = rl.zeros(q, v)
        for _, c in rl.selected(indices):
            out += rl.dot(rl.detach(rl.dot(q, k[c])), v[c])
        return out

    given = {**random_arguments(half.signature), "chunk_size": 16}
    derivative = half.derivative(("q", "k", "v"))
    out, saved = derivative.forward(**given)
    dq, dk, dv = derivative.backward(saved, np.ones_like(out), **given)
    assert not dq.any() and not dk.any() and dv.any()


def test_a_gradient_of_ones_own() -> None:
    @rf.jit
    def straight(q: rl.Query, k: rl.Chunks, v: rl.Chunks):
        acc = rl.online_softmax(q, v)
        for c in rl.own(k):
            acc.merge(rl.dot(q, k[c]), v[c])
        return acc.value

    @straight.gradient
    def _(d_out: Any, out: Any, q: Any, k: Any, v: Any, **options: Any) -> dict[str, Any]:
        assert options == {"chunk_size": 16} and out.shape == d_out.shape
        return {"q": d_out * 2}

    arrays = random_arguments(straight.signature)
    given = (arrays["q"], arrays["k"], arrays["v"])
    derivative = straight.derivative("q")
    out, saved = derivative.forward(*given, chunk_size=16)
    (dq,) = derivative.backward(saved, out, *given, chunk_size=16)
    np.testing.assert_array_equal(dq, out * 2)
    with pytest.raises(rf.GradientError, match="its own gradient returns none by k, only by q"):
        straight.derivative("k").backward(saved, out, *given, chunk_size=16)


@pytest.mark.parametrize(
    ("wrt", "error", "message"),
    [
        ("indices", rf.GradientError, "indices has no gradient: expected some of q, k, v, weights"),
        ("scale", rf.GradientError, r"scale has no gradient.*rl.Tensor\[\(\)\]"),
        ("other", rf.ArgumentError, "there is no parameter 'other'"),
        ((), rf.GradientError, "expected parameters among q, k, v, weights, found none"),
        (("q", "q"), rf.ArgumentError, "a parameter is named twice"),
    ],
)
def test_what_has_no_gradient(wrt: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hsa.derivative(wrt)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "sizes",
    [{}, {"q_block": 40, "L": 90}, {"index_heads": "query", "weight_heads": "query"}],
    ids=str,
)
def test_the_same_bits_on_request(sizes: dict[str, Any], device: str) -> None:
    """Parts for each slot, and one owner for each chunk, in whatever order programs run."""
    derivative = hsa.derivative(WRT)
    options = {"q_block": sizes["q_block"]} if "q_block" in sizes else {}
    given = put_all(arguments_of_hsa(**sizes), device) | options
    out, saved = derivative.forward(**given)
    expected = fetch(derivative.backward(saved, ones(out), **given))
    first, again = (
        fetch(derivative.backward(saved, ones(out), **given, deterministic=True)) for _ in range(2)
    )
    for one, other, near in zip(first, again, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, near, rtol=0, atol=1e-5 * max(1, np.abs(near).max()))


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_bits_of_a_joint_softmax(device: str) -> None:
    given = put_all(random_arguments(joint.signature), device) | SCALED | {"chunk_size": 16}
    derivative = joint.derivative(("q", "k", "v"))
    (value, lse), saved = derivative.forward(**given)
    d_outs = ones(value), ones(lse)
    expected = fetch(derivative.backward(saved, d_outs, **given))
    first, again = (
        fetch(derivative.backward(saved, d_outs, **given, deterministic=True)) for _ in range(2)
    )
    for one, other, near in zip(first, again, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, near, rtol=0, atol=1e-5 * max(1, np.abs(near).max()))


def test_number_of_gradients() -> None:
    given = arguments_of_hsa()
    out, saved = hsa.derivative("q").forward(**given)
    with pytest.raises(rf.ArgumentError, match="expected gradients of 1 result, found 2"):
        hsa.derivative("q").backward(saved, (out, out), **given)


def test_gradients_that_do_not_fit() -> None:
    given = arguments_of_hsa()
    out, saved = hsa.derivative("q").forward(**given)
    with pytest.raises(rf.Error):
        hsa.derivative("q").backward(saved, out[:, :-1], **given)
    with pytest.raises(rf.Error):
        hsa.derivative("q").backward(saved, out[..., :16], **given)
    with pytest.raises(rf.Error):
        hsa.derivative("q").backward(saved, out.astype(np.float64), **given)


@pytest.mark.parametrize("device", DEVICES)
def test_empty_calls(device: str) -> None:
    for sizes in ({"B": 0}, {"L": 0}, {"K": 0}):
        given = put_all(arguments_of_hsa(**sizes), device)
        out, saved = hsa.derivative(WRT).forward(**given)
        grads = hsa.derivative(WRT).backward(saved, out, **given)
        for name, grad in zip(WRT, grads, strict=True):
            assert grad.shape == given[name].shape and not grad.any().item()
