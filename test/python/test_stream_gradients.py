# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients through reductions over all chunks: finite differences, and torch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numerics import DEVICES, assert_same
from test_gradients import fetch, ones, put, put_all, random_gradient, slope_of

import ramify as rf
import ramify.language as rl

S, C, L = 16, 11, 37  # keys of a chunk, chunks, queries


@rf.jit
def sums(q: rl.Query, lm: rl.Landmarks):
    return q * rl.sum(rl.dot(q, lm), over="chunk")


@rf.jit
def lse(q: rl.Query, lm: rl.Landmarks, *, scale: float):
    s = rl.where(rl.end(lm) <= rl.query_position(), rl.dot(q, lm) * scale, -rl.inf)
    z = rl.logsumexp(s, over="chunk")
    return q * rl.where(z > -rl.inf, z, 0.0)


@rf.jit
def highest(q: rl.Query, lm: rl.Landmarks):
    return q * rl.max(rl.dot(q, lm), over="chunk")


@rf.jit
def compressed(q: rl.Query, lm: rl.Landmarks, v: rl.Landmarks, *, scale: float):
    """Attention to one key and one value of each chunk, as the compressed branch of NSA."""
    s = rl.where(rl.end(lm) <= rl.query_position(), rl.dot(q, lm) * scale, -rl.inf)
    return rl.dot(rl.softmax(s, over="chunk"), v, over="chunk")


@rf.jit
def merged(q: rl.Query, lm: rl.Landmarks, v: rl.Landmarks, *, scale: float):
    acc = rl.online_softmax(q, q)
    acc.merge(rl.dot(q, lm) * scale, v)
    return acc.value, acc.lse


@rf.jit
def of_the_group(q: rl.Query, lm: rl.Landmarks, v: rl.Landmarks, *, scale: float):
    p = rl.softmax(rl.sum(rl.dot(q, lm), over="head") * scale, over="chunk", n=1.0)
    return q * rl.sum(rl.dot(p, v, over="chunk"), over="dim")


@rf.jit
def largest_of_the_group(q: rl.Query, lm: rl.Landmarks, v: rl.Landmarks):
    s = rl.max(rl.dot(q, lm), over="head")
    p = rl.softmax(s, over="chunk")
    return q * rl.logsumexp(s, over="chunk") + rl.dot(p, v, over="chunk")


@rf.jit
def squares(q: rl.Query, lm: rl.Landmarks, *, scale: float):
    p = rl.softmax(rl.dot(q, lm) * scale, over="chunk")
    return q * rl.sum(p * p, over="chunk")


@rf.jit
def normalised(q: rl.Query, lm: rl.Landmarks):
    y = lm * (1.0 / rl.sqrt(rl.sum(lm * lm, over="dim")))
    x = q * (1.0 / rl.sqrt(rl.sum(q * q, over="dim")))
    return q * rl.logsumexp(rl.dot(x, y), over="chunk")


@rf.jit
def terms(
    q: rl.Query,
    lm: rl.Landmarks,
    bias: rl.Tensor["kv.chunk", "head"],
    size: rl.Tensor["kv.chunk"],
    gate: rl.Tensor["head"],
    own: rl.Tensor["pos", "head"],
    factor: rl.Tensor[()],
):
    s = rl.dot(q, lm) * gate + bias + rl.exp(size * factor) + own * size
    return q * rl.logsumexp(s, over="chunk")


@rf.jit
def temperatures(q: rl.Query, lm: rl.Landmarks, t: rl.Tensor["pos"]):
    """All heads of a query share a number, to whose gradient each key head's program adds."""
    return q * rl.logsumexp(rl.dot(q, lm) * t, over="chunk")


@rf.jit
def shares_of_picks(q: rl.Query, lm: rl.Landmarks, *, scale: float):
    """Weights that all visible chunks have a part in, as of NSA and InfLLM."""
    s = rl.where(rl.end(lm) <= rl.query_position(), rl.dot(q, lm) * scale, -rl.inf)
    p = rl.softmax(s, over="chunk")
    slots = rl.topk(rl.sum(p, over="head"), 3)
    return p.at(slots), slots


@rf.jit
def picks_by_group(q: rl.Query, lm: rl.Landmarks, bias: rl.Tensor["kv.chunk", "head"]):
    s = rl.sum(rl.dot(q, lm) + bias, over="head")
    slots = rl.topk(s, 4, order="score")
    taken = s.at(slots)
    z = rl.logsumexp(s, over="chunk")
    return q * z, rl.where(slots >= 0, rl.sigmoid(taken - z), 0.0), slots


@rf.jit
def detached(q: rl.Query, lm: rl.Landmarks, v: rl.Landmarks):
    constant = rl.detach(rl.sum(rl.dot(q, v), over="chunk"))
    return q * rl.logsumexp(rl.dot(q, lm), over="chunk"), rl.sum(q, over="dim") + constant


@rf.jit
def selects_and_attends(
    q: rl.Query, k: rl.Chunks["kv"], v: rl.Chunks["kv"], lm: rl.Landmarks["kv"], *, scale: float
):
    s = rl.where(rl.end(lm) <= rl.query_position(), rl.dot(q, lm) * scale, -rl.inf)
    p = rl.softmax(s, over="chunk")
    slots = rl.topk(rl.sum(p, over="head"), 3)
    w = p.at(slots)
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        out += w[slot] * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out


@rf.jit
def two_branches(
    q: rl.Query,
    k: rl.Chunks["kv"],
    v: rl.Chunks["kv"],
    lm: rl.Landmarks["kv"],
    values: rl.Landmarks["kv"],
    *,
    scale: float,
):
    """Compressed attention beside one to the chunks that it attends to most, as NSA."""
    s = rl.where(rl.end(lm) <= rl.query_position(), rl.dot(q, lm) * scale, -rl.inf)
    p = rl.softmax(s, over="chunk")
    slots = rl.topk(rl.sum(p, over="head"), 3)
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(slots):
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    return acc.value + rl.dot(p, values, over="chunk")


FUNCTIONS = {
    f.__name__: f
    for f in (
        sums,
        lse,
        highest,
        compressed,
        merged,
        of_the_group,
        largest_of_the_group,
        squares,
        normalised,
        terms,
        temperatures,
        shares_of_picks,
        picks_by_group,
        selects_and_attends,
        two_branches,
    )
}
SIZES: dict[str, dict[str, int]] = {
    "grouped": {},
    "landmarks of query heads": {"rows": 6},
    "a head each": {"HQ": 2},
    "one key head": {"HQ": 4, "H": 1, "rows": 1},
    "a dim that is padded": {"D": 24},
    "more chunks than a tile has": {"chunks": 150, "HQ": 2},
}


def arrays_of(
    function: rf.JitFunction,
    HQ: int = 6,  # noqa: N803
    H: int = 2,  # noqa: N803
    D: int = 16,  # noqa: N803
    rows: int = 2,
    chunks: int = C,
) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "q": (2, L, HQ, D),
        "lm": (2, chunks, rows, D),
        "v": (2, chunks, rows, D),
        "values": (2, chunks, rows, D),
        "k": (2, chunks * S - 3, H, D),
        "bias": (2, chunks, HQ),
        "size": (2, chunks),
        "gate": (HQ,),
        "own": (2, L, HQ),
        "factor": (),
        "t": (2, L),
    }
    names = function.signature.parameters
    if "k" in names:
        shapes["v"] = shapes["k"]
    made = {n: rng.standard_normal(shape, np.float32) for n, shape in shapes.items() if n in names}
    return {n: np.asarray(x, np.float32) for n, x in made.items()}


def call_of(function: rf.JitFunction, arrays: dict[str, Any]) -> dict[str, Any]:
    keys = arrays["lm"].shape[1] * S
    more: dict[str, Any] = {"q_start": keys // 2}
    if "scale" in function.signature.parameters:
        more["scale"] = 0.3
    if "k" not in arrays:
        more["num_keys"] = keys - 3
    return {**arrays, "chunk_size": S, **more}


def backward_call(
    function: rf.JitFunction, dtype: torch.dtype, **sizes: int
) -> tuple[dict[str, Any], dict[str, Any], tuple[Any, ...]]:
    """The call of a function with arrays of `dtype` where they have a dim, what a backward program
    of all gradients takes besides, in its order, and what it gives, as the CPU has it for f32."""

    def rounded(x: Any) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(x))
        return tensor.to(dtype) if x.ndim == 4 else tensor

    arrays = {n: rounded(x) for n, x in arrays_of(function, **sizes).items()}
    wide = {n: x.float().numpy() for n, x in arrays.items()}
    call = call_of(function, wide)
    derivative = function.derivative(tuple(arrays))
    outs, saved = derivative.forward(**call)
    rng = np.random.default_rng(5)
    given = {
        f"d_{number}": rng.standard_normal(x.shape).astype(np.float32)
        for number, x in enumerate(fetch(outs))
        if x.dtype != np.int32
    }
    rows = {n: rounded(x) if x.shape == wide["q"].shape else x for n, x in given.items()}
    d_outs = tuple(
        np.asarray(torch.as_tensor(rows[n]).float()) if (n := f"d_{i}") in rows else None
        for i in range(len(fetch(outs)))
    )
    grads = derivative.backward(saved, d_outs if isinstance(outs, tuple) else d_outs[0], **call)
    more = rows | {f"saved_{number}": x for number, x in enumerate(saved)}
    return {**call, **arrays}, more, grads


def check_slopes(
    function: rf.JitFunction, call: dict[str, Any], wrt: tuple[str, ...], device: str
) -> None:
    derivative = function.derivative(wrt)
    there = put_all(call, device)
    outs, saved = derivative.forward(**there)
    rng = np.random.default_rng(5)
    d_outs = tuple(random_gradient(x, rng) for x in fetch(outs))
    given = tuple(put(d_out, device) for d_out in d_outs)
    grads = derivative.backward(saved, given, **there)
    for name, grad in zip(wrt, fetch(grads), strict=True):
        assert grad.shape == call[name].shape and np.isfinite(grad).all()
        for _ in range(3):
            way = rng.standard_normal(grad.shape)
            slope = slope_of(function, call, name, way, d_outs, step=1e-6)
            error = abs(float((grad * way).sum()) - slope)
            assert error <= 2e-5 * max(np.abs(grad * way).sum(), 1), (name, error, slope)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_alone(name: str, device: str) -> None:
    function = FUNCTIONS[name]
    arrays = arrays_of(function)
    for one in arrays:
        check_slopes(function, call_of(function, arrays), (one,), device)


ATTENDS = ("selects_and_attends", "two_branches")
CASES = [(name, sizes) for name in FUNCTIONS for sizes in SIZES if name not in ATTENDS] + [
    (name, "grouped") for name in ATTENDS
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "sizes"), CASES)
def test_all_together(name: str, sizes: str, device: str) -> None:
    function = FUNCTIONS[name]
    arrays = arrays_of(function, **SIZES[sizes])
    check_slopes(function, call_of(function, arrays), tuple(arrays), device)


@pytest.mark.parametrize("device", DEVICES)
def test_by_torch_in_float64(device: str) -> None:
    """The whole gradient, of attention to one key and value of each chunk."""
    call = call_of(compressed, arrays_of(compressed))
    there = put_all(call, device)
    derivative = compressed.derivative(("q", "lm", "v"))
    out, saved = derivative.forward(**there)
    d_out = random_gradient(fetch(out)[0], np.random.default_rng(6))
    found = fetch(derivative.backward(saved, put(d_out, device), **there))
    q, lm, v = (
        torch.tensor(call[n], dtype=torch.float64, requires_grad=True) for n in ("q", "lm", "v")
    )
    s = torch.einsum("blhgd,bchd->blhgc", q.unflatten(2, (2, 3)), lm) * call["scale"]
    ends = torch.minimum((torch.arange(C) + 1) * S, torch.tensor(call["num_keys"]))
    seen = ends <= call["q_start"] + torch.arange(L)[:, None]
    p = s.masked_fill(~seen[None, :, None, None], -torch.inf).softmax(-1)
    o = torch.einsum("blhgc,bchd->blhgd", p, v).flatten(2, 3)
    (o * torch.tensor(d_out)).sum().backward()
    for mine, x in zip(found, (q, lm, v), strict=True):
        right = x.grad.numpy()
        np.testing.assert_allclose(mine, right, rtol=2e-5, atol=2e-5 * abs(right).max())
    later = int(np.asarray(ends)[np.asarray(seen)[-1]].max()) // S
    assert later < C and not found[1][:, later + 1 :].any()  # nobody has seen these


@pytest.mark.parametrize("device", DEVICES)
def test_torch_records_it(device: str) -> None:
    arrays = arrays_of(shares_of_picks)
    q, lm = (torch.tensor(arrays[n], device=device, requires_grad=True) for n in ("q", "lm"))
    call = put_all(call_of(shares_of_picks, arrays), device)
    weights, _ = shares_of_picks(q, lm, **{n: x for n, x in call.items() if n not in arrays})
    weights.square().sum().backward()
    derivative = shares_of_picks.derivative(("q", "lm"))
    _, saved = derivative.forward(**call)
    d_weights = put(2 * weights.detach().cpu().numpy(), device)
    found = fetch(derivative.backward(saved, (d_weights, None), **call))
    for x, right in zip((q, lm), found, strict=True):
        assert_same(x.grad.cpu().numpy(), right, device, cpu=1e-6 * abs(right).max())


@pytest.mark.parametrize("device", DEVICES)
def test_chunks_that_nobody_sees_and_no_chunks(device: str) -> None:
    call = put_all(call_of(lse, arrays_of(lse)), device) | {"q_start": -L}
    for chunks in (C, 0):
        call["lm"] = call["lm"][:, :chunks]
        call["num_keys"] = chunks * S
        derivative = lse.derivative(("q", "lm"))
        out, saved = derivative.forward(**call)
        dq, dlm = fetch(derivative.backward(saved, ones(out), **call))
        assert not dq.any() and not dlm.any() and dlm.shape == call["lm"].shape


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_detached_has_none(device: str) -> None:
    call = put_all(call_of(detached, arrays_of(detached)), device)
    wrt = ("q", "lm", "v")
    derivative = detached.derivative(wrt)
    outs, saved = derivative.forward(**call)
    dq, dlm, dv = fetch(derivative.backward(saved, tuple(ones(x) for x in outs), **call))
    assert not dv.any()
    alone = detached.derivative(("q", "lm"))
    outs, saved = alone.forward(**call)
    given = tuple(ones(x) for x in outs)
    dq_alone, dlm_alone = fetch(alone.backward(saved, given, **call))
    np.testing.assert_allclose(dq, dq_alone, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dlm, dlm_alone, rtol=1e-5, atol=1e-5 * abs(dlm).max())


@pytest.mark.parametrize("device", DEVICES)
def test_padding_adds_nothing(device: str) -> None:
    """Not even where the gradient of a padding row is no number."""
    call = call_of(compressed, arrays_of(compressed))
    del call["q_start"]
    places = np.where(np.arange(L) % 3 == 0, -1, 4 * np.arange(L)).astype(np.int32)
    there = places >= 0
    found = []
    for keep in (np.ones(L, bool), there):
        queries = {
            "q": np.ascontiguousarray(call["q"][:, keep]),
            "q_positions": places[keep],
        }
        own = put_all(call | queries, device)
        derivative = compressed.derivative(("q", "lm"))
        out, saved = derivative.forward(**own)
        rows = np.where(there[keep], np.float32(1), np.float32(np.nan))[:, None, None]
        d_out = np.ascontiguousarray(np.broadcast_to(rows, out.shape))
        found.append(fetch(derivative.backward(saved, put(d_out, device), **own)))
    (dq, dlm), (dq_there, dlm_there) = found
    assert not dq[:, ~there].any()
    assert_same(dq[:, there], dq_there, device, cpu=1e-6)
    np.testing.assert_allclose(dlm, dlm_there, rtol=0, atol=1e-5 * abs(dlm).max())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("B", "queries", "chunks"), [(0, 5, 3), (2, 0, 3), (2, 5, 0)])
def test_nothing_has_no_gradient(
    B: int,  # noqa: N803
    queries: int,
    chunks: int,
    device: str,
) -> None:
    arrays = {
        "q": np.ones((B, queries, 4, 16), np.float32),
        "lm": np.ones((B, chunks, 2, 16), np.float32),
        "v": np.ones((B, chunks, 2, 16), np.float32),
    }
    more = {"scale": 0.3, "chunk_size": S, "num_keys": chunks * S}
    call = put_all(arrays, device) | more
    wrt = ("q", "lm", "v")
    derivative = compressed.derivative(wrt)
    out, saved = derivative.forward(**call)
    for name, grad in zip(wrt, fetch(derivative.backward(saved, out, **call)), strict=True):
        assert grad.shape == arrays[name].shape and not grad.any()


# ---- slots times what a row has --------------------------------------------------


@rf.jit
def gated_slots(q: rl.Query, lm: rl.Landmarks, level: rl.Tensor["pos"], factor: rl.Tensor[()]):
    s = rl.sum(rl.dot(q, lm), over="head") * 0.1
    slots = rl.topk(s, 3)
    return rl.softmax(s.at(slots), over="slot") * level * factor, slots


@rf.jit
def gated_slots_of_heads(q: rl.Query, lm: rl.Landmarks, level: rl.Tensor["pos", "head"]):
    s = rl.dot(q, lm) * 0.1
    slots = rl.topk(rl.sum(s, over="head"), 3)
    return rl.softmax(s.at(slots), over="slot") * level, slots


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("function", [gated_slots, gated_slots_of_heads], ids=lambda f: f.__name__)
def test_gradients_of_what_multiplies_slots(function: rf.JitFunction, device: str) -> None:
    rng = np.random.default_rng(8)
    shapes = {"q": (2, 21, 4, 16), "lm": (2, 6, 2, 16), "factor": ()}
    shapes["level"] = (21,) if function is gated_slots else (21, 4)
    call = {
        name: np.asarray(rng.standard_normal(shapes[name]), np.float32)
        for name in function.signature.parameters
    }
    names = tuple(call)
    check_slopes(function, call | {"chunk_size": 16, "num_keys": 96}, names, device)
