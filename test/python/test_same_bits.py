# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The same bits of all gradients on request, also of sums to which several programs add."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from arguments import random_arguments
from emulator import Emulation
from numerics import DEVICES, EPS
from test_emulated import as_array, as_tensor
from test_gradients import VARIANTS, alibi, fetch, put, put_all, random_gradient
from test_ops_torch import OPS
from test_stream_gradients import FUNCTIONS, SIZES, arrays_of, backward_call, call_of
from variant_checks import gradients, on, to

import ramify as rf
import ramify.language as rl
from ramify import _compiler
from ramify.derivative import differentiable

RUNS = 4


@rf.jit
def ranges(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    lm: rl.Landmarks,
    bias: rl.Tensor["kv.key"],
    prior: rl.Tensor["kv.chunk", "head"],
    size: rl.Tensor["kv.chunk"],
    temperature: rl.Tensor[()],
):
    """Whatever visits of ranges can add to."""
    acc = rl.online_softmax(q, v)
    near = rl.window(k, last=21)
    for c in near:
        acc.merge(rl.dot(q, k[c]) * temperature * 0.2 + bias[c] + prior[c], v[c])
    for c in rl.first(k, keys=5, outside=near):
        acc.merge(rl.dot(q, k[c]) * 0.2 + size[c], v[c])
    out = acc.value
    for c in rl.own(k):
        out += rl.sigmoid(rl.dot(q, lm[c])) * rl.dot(rl.softmax(rl.dot(q, k[c]) * 0.2), v[c])
    return out, acc.lse


@rf.jit
def of_all(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    lm: rl.Landmarks,
    gain: rl.Tensor["head", "dim"],
    shift: rl.Tensor["pos", "dim"],
    gate: rl.Tensor["pos"],
    sink: rl.Tensor["head"],
    indices: rl.ChunkIndices,
):
    """What heads, positions and sequences share, in visits of selected chunks and beside them."""
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q * gain, k[c]) * 0.2 * gate)
        out += rl.sigmoid(rl.dot(q + shift, lm[c]) * 0.2) * rl.dot(p, v[c])
    return out + sink * q


def check(function: rf.JitFunction, given: dict[str, Any], device: str = "cpu") -> tuple[Any, ...]:
    """All gradients, the same in each run, and near those that are added in any order."""
    derivative = function.derivative(differentiable(function.signature))
    there = put_all(given, device)
    outs, saved = derivative.forward(**there)
    rng = np.random.default_rng(1)
    d_outs = tuple(put(random_gradient(out, rng), device) for out in fetch(outs))
    free = fetch(derivative.backward(saved, d_outs, **there))
    first, *others = (
        fetch(derivative.backward(saved, d_outs, **there, deterministic=True)) for _ in range(RUNS)
    )
    for other in others:
        for one, again in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, again)
    for one, near in zip(first, free, strict=True):
        bound = 1e-5 * max(1, np.abs(near).max(initial=0))
        np.testing.assert_allclose(one, near, rtol=0, atol=bound)
    return first


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_of_visits(variant: str, device: str) -> None:
    function, sizes, options = VARIANTS[variant]
    sizes = {"B": 2, "L": 150, "N": 170} | sizes
    given = random_arguments(function.signature, **sizes) | {"chunk_size": 16} | options
    if "q_block" in sizes:
        given["q_block"] = sizes["q_block"]
    check(function, given, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_of_streams(name: str, sizes: str, device: str) -> None:
    function = FUNCTIONS[name]
    check(function, call_of(function, arrays_of(function, **SIZES[sizes])), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("q_block", [1, 4])
@pytest.mark.parametrize(
    ("function", "schedule"),
    [(ranges, "query_major"), (of_all, "query_major"), (of_all, "chunk_major")],
)
def test_of_arrays(
    function: rf.JitFunction, schedule: str, q_block: int, batched: bool, device: str
) -> None:
    sizes = {"B": 2, "L": 150, "N": 170, "H": 2, "G": 2, "q_block": q_block}
    given = random_arguments(function.signature, **sizes, batched=batched)
    given |= {"chunk_size": 16, "q_block": q_block}
    check(function.options(schedule=schedule), given, device)


# ---- in PyTorch -----------------------------------------------------------------------


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", OPS)
def test_of_ready_made_variants(name: str, dtype: torch.dtype, device: str) -> None:
    op, x = OPS[name]
    x = on(to(x, dtype), device)
    with deterministic_algorithms():
        first, *others = (gradients(op, x) for _ in range(RUNS))
    for other in others:
        for one, again in zip(first, other, strict=True):
            assert torch.equal(one, again)
    for one, near in zip(first, gradients(op, x), strict=True):
        bound = 10 * EPS[dtype] * max(1.0, near.abs().max().item())
        assert (one - near).abs().max().item() <= bound


# ---- places ---------------------------------------------------------------------------


PLACES: dict[str, dict[str, Any]] = {
    "lengths": {"num_keys": np.array([170, 93], np.int32)},
    "starts": {"q_start": np.array([-20, 60], np.int32)},
    "positions": {"q_positions": np.where(np.arange(150) % 5, 169 - np.arange(150), -1)},
    "positions of each sequence": {"q_positions": np.arange(300).reshape(2, 150) // 3 + 30},
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("q_block", [1, 3])
@pytest.mark.parametrize("place", PLACES)
def test_of_places(place: str, q_block: int, device: str) -> None:
    given = random_arguments(alibi.signature, B=2, L=150, N=170) | {"scale": 0.25}
    places = {n: np.ascontiguousarray(x, np.int32) for n, x in PLACES[place].items()}
    check(alibi, given | places | {"chunk_size": 16, "q_block": q_block}, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sizes", [{"B": 0}, {"L": 0}], ids=str)
def test_of_nothing(sizes: dict[str, int], device: str) -> None:
    given = random_arguments(alibi.signature, **sizes) | {"scale": 0.25, "chunk_size": 16}
    for gradient in check(alibi, given, device):
        assert not gradient.any()


# ---- by PTX ---------------------------------------------------------------------------


def emulated(program: str, target: str, given: dict[str, Any]) -> list[Any]:
    """What a backward program gives, the same for two orders of blocks and warps."""
    options = {"target": target, "deterministic": True}
    options |= {"schedule": "chunk_major", "otherwise": "query_major"}
    plan, ptx = (_compiler.lower(program, level, options) for level in ("plan", "ptx"))
    assert "_copies" in plan
    names = re.findall(r"^(?:array|scalar) (\w+)", plan, re.MULTILINE)
    arrays = {n: as_array(given[n]) for n in names}
    runs = [Emulation(plan, ptx, seed=seed) for seed in range(2)]
    found, again = (run.call(dict(arrays)) for run in runs)
    assert not any(run.report for run in runs), [run.report for run in runs]
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)
    return found


@pytest.mark.parametrize(
    ("dtype", "tolerance", "target"),
    [(torch.float32, 1e-5, "sm_80"), (torch.bfloat16, 1e-2, "sm_90a")],
    ids=str,
)
@pytest.mark.parametrize("name", ["compressed", "terms", "temperatures"])
def test_emulated_streams(name: str, dtype: torch.dtype, tolerance: float, target: str) -> None:
    function = FUNCTIONS[name]
    call, more, right = backward_call(function, dtype, D=16, chunks=70)
    wrt = tuple(arrays_of(function))
    program = function.ir("backward", **call, target=target, wrt=wrt)
    lengths = {"num_keys": np.full(2, call["num_keys"], np.int32)}
    found = emulated(program, target, call | more | lengths)
    for mine, near in zip(found, right, strict=True):
        error = np.abs(as_tensor(mine).float().numpy() - near).max()
        assert error <= tolerance * np.abs(near).max()


@pytest.mark.parametrize("q_block", [1, 4])
@pytest.mark.parametrize("name", ["alibi", "ranges", "of_all"])
def test_emulated_visits(name: str, q_block: int) -> None:
    function = {"alibi": alibi, "ranges": ranges, "of_all": of_all}[name]
    sizes = {"B": 2, "L": 22, "N": 40, "H": 2, "G": 2, "D": 16, "q_block": q_block}
    given = random_arguments(function.signature, **sizes)
    given |= {"scale": 0.25} if function is alibi else {}
    options = {"chunk_size": 16, "q_block": q_block}
    wrt = differentiable(function.signature)
    derivative = function.derivative(wrt)
    outs, saved = derivative.forward(**given, **options)
    rng = np.random.default_rng(5)
    d_outs = tuple(random_gradient(out, rng) for out in fetch(outs))
    right = fetch(derivative.backward(saved, d_outs, **given, **options))
    more = {f"saved_{i}": x for i, x in enumerate(saved)} | {
        f"d_{i}": x for i, x in enumerate(d_outs)
    }
    program = function.ir("backward", **given, **options, target="sm_80", wrt=wrt)
    found = emulated(program, "sm_80", given | more | {"q_start": 40 - 22})
    for mine, near in zip(found, right, strict=True):
        np.testing.assert_allclose(mine, near, rtol=0, atol=1e-5 * np.abs(near).max())
