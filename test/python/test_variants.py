# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of every construct, compiled and run, against the reference on the same source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_frontend as written
import test_reference as told
import torch
from arguments import random_arguments
from numerics import DEVICES

import ramify as rf
import ramify.language as rl
from ramify.frontend import Role


@rf.jit
def integers(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices, *, n: int):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        distance = rl.query_position() - rl.positions(k, c)
        odd = (distance % 3 == 0) | (distance // 4 > n)
        here = (rl.start(c) <= rl.query_position()) & ~(rl.index(c) == 1) & (rl.end(c) > n)
        s = rl.where(odd & here, rl.abs(rl.dot(q, k[c])), 0.5)
        out += rl.sum(rl.tanh(s) ** 2 + s * distance, over="key") * (n / 64)
    return out


@rf.jit
def functions(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    low = rl.zeros(q, init=rl.inf)
    for slot, c in rl.selected(indices):
        s = rl.dot(q, k[c]) * 0.1
        p = rl.sigmoid(s) * rl.sqrt(rl.abs(s)) + rl.exp2(-s) / (1 + rl.exp(s)) - rl.log(2 + s * s)
        out += rl.dot(p, v[c])
        low = rl.minimum(low, rl.min(rl.maximum(s, -0.1), over="key"))
    return out, rl.where(low == rl.inf, 0.0, low)


@rf.jit
def shares(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices, lse: rl.Tensor["pos", "head"]):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.exp(rl.logsumexp(rl.dot(q, k[c]) * 0.1, over="key") - lse)
    return rl.exp(-out)


CASES: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "hsa": (written.hsa, {"scale": 0.3}, {}),
    "hsa, softmax_1": (written.hsa, {"scale": 0.3, "softmax_n": 1.0}, {}),
    "hsa, weights per head": (written.hsa, {"scale": 0.3}, {"weight_heads": "query"}),
    "hsa, indices per head": (
        written.hsa,
        {"scale": 0.3},
        {"weight_heads": "query", "index_heads": "query"},
    ),
    "hsa, blocks of 4": (written.hsa, {"scale": 0.3, "q_block": 4}, {"q_block": 4}),
    "joint": (written.joint, {"scale": 0.3}, {}),
    "joint, blocks of 8": (written.joint, {"scale": 0.3, "q_block": 8}, {"q_block": 8}),
    "joint, early": (written.joint, {"scale": 0.3, "q_start": -5}, {}),
    "joint, late": (written.joint, {"scale": 0.3, "q_start": 90}, {}),
    "ranges": (written.ranges, {"last": 20}, {}),
    "ranges, blocks": (written.ranges, {"last": 20, "q_block": 4}, {"q_block": 4}),
    "extremes": (written.extremes, {}, {}),
    "pushes": (written.pushes, {}, {}),
    "pushes, batch": (written.pushes, {}, {"batched": True}),
    "arrays": (written.arrays, {}, {}),
    "arrays, batch": (written.arrays, {}, {"batched": True}),
    "arrays, blocks": (written.arrays, {"q_block": 4}, {"q_block": 4}),
    "inlines": (written.inlines, {"scale": 0.3}, {}),
    "calls a program": (written.calls_program, {}, {}),
    "no loop": (written.make_scaled(0.25), {"chunk_size": None}, {}),
    "shares": (shares, {}, {}),
    "two partitions": (
        written.two_partitions,
        {"chunk_size": None, "chunks": {"fine": 16, "coarse": 32}},
        {},
    ),
    "windowed": (told.windowed, {"last": 20}, {}),
    "aligned": (told.windowed, {"last": 20, "align": "chunk"}, {}),
    "own": (told.owned, {}, {}),
    "sink": (told.sunk, {"sink": 5, "last": 10}, {}),
    "sink, blocks": (told.sunk, {"sink": 5, "last": 10, "q_block": 4}, {}),
    "rest": (told.rest, {"last": 12}, {}),
    "by hand": (told.by_hand, {"scale": 0.3}, {}),
    "by push": (told.by_push, {"scale": 0.3}, {}),
    "terms": (told.terms, {}, {}),
    "terms, blocks": (told.terms, {"q_block": 3}, {"batched": True}),
    "integers": (integers, {"n": 30}, {}),
    "functions": (functions, {}, {}),
}


# Errors relative to the largest value: float32 sums in another order, and for 16 bits the rounding
# of P and of the result.
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4 * 2.0**-8, torch.float16: 4 * 2.0**-11}


def on_device(function: rf.JitFunction, x: dict[str, Any], dtype: torch.dtype, device: str) -> Any:
    """Torch tensors there: queries, keys, values and landmarks in `dtype`, other terms as they
    are."""
    tensors = {name: torch.from_numpy(array) for name, array in x.items()}
    for parameter in function.signature.arrays:
        if parameter.role in (Role.QUERY, Role.CHUNKS, Role.LANDMARKS):
            tensors[parameter.name] = tensors[parameter.name].to(dtype)
    return {name: tensor.to(device) for name, tensor in tensors.items()}


# What chunk_major and union refuse, and what they say.
NO_SELECTION = "visits no selected chunks"
UNSELECTED = {
    **dict.fromkeys(("ranges", "ranges, blocks", "no loop", "windowed", "aligned"), NO_SELECTION),
    **dict.fromkeys(
        ("own", "sink", "sink, blocks", "rest", "terms", "terms, blocks"), NO_SELECTION
    ),
}
REFUSED = UNSELECTED | {"by hand": "depends on the result of another reduction"}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_compiled_function_is_its_reference(name: str, dtype: torch.dtype, device: str) -> None:
    check(name, dtype, device)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", sorted(set(CASES) - set(REFUSED)))
def test_by_chunk_it_is_its_reference(name: str, dtype: torch.dtype) -> None:
    check(name, dtype, "cpu", schedule="chunk_major")


@pytest.mark.parametrize("name", REFUSED)
def test_chunk_major_says_what_it_cannot_do(name: str) -> None:
    with pytest.raises(rf.CompileError, match=REFUSED[name]):
        check(name, torch.float32, "cpu", schedule="chunk_major")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", sorted(set(CASES) - set(UNSELECTED)))
def test_by_union_it_is_its_reference(name: str, dtype: torch.dtype, device: str) -> None:
    check(name, dtype, device, schedule="union")


@pytest.mark.parametrize("name", UNSELECTED)
def test_union_says_what_it_cannot_do(name: str) -> None:
    with pytest.raises(rf.CompileError, match=UNSELECTED[name]):
        check(name, torch.float32, "cpu", schedule="union")


SLICES = {"schedule": "split_kv", "slices": 3}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", sorted(set(CASES) - {"no loop"}))
def test_in_slices_it_is_its_reference(name: str, dtype: torch.dtype, device: str) -> None:
    check(name, dtype, device, **SLICES)


def test_split_kv_says_what_it_cannot_do() -> None:
    with pytest.raises(rf.CompileError, match="no reduction over chunks whose visits split_kv"):
        check("no loop", torch.float32, "cpu", **SLICES)


def check(name: str, dtype: torch.dtype, device: str, chunk_size: int = 16, **choices: Any) -> None:
    """One case against the reference, compiled with `choices`."""
    function, options, sizes = CASES[name]
    function = function.options(**choices)
    x = random_arguments(function.signature, **{"S": chunk_size, **sizes})
    x = on_device(function, x, dtype, device)
    options = {"chunk_size": chunk_size, **options}
    options = {key: value for key, value in options.items() if value is not None}
    found = function(**x, **options)
    expected = function.reference(**x, **options)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for one, other in pairs:
        assert one.shape == other.shape
        assert one.dtype in (dtype, torch.float32)
        assert one.device.type == device
        one = one.double().cpu().numpy()
        infinite = np.isinf(other)
        assert (one[infinite] == other[infinite]).all()
        error = np.abs(one - other, where=~infinite, out=np.zeros_like(other)).max()
        assert error <= TOLERANCE[dtype] * max(1.0, np.abs(other[~infinite]).max(initial=0.0))
