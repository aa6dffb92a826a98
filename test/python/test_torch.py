# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions as PyTorch operators: schema, shapes without compiling, tracing, autocast."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import test_frontend as written
import torch
from arguments import random_arguments
from numerics import DEVICES, Case, make

import ramify as rf
import ramify.language as rl

OPTIONS = {"scale": 0.1, "chunk_size": 64}


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def inputs(device: str = "cpu", **sizes: Any) -> dict[str, torch.Tensor]:
    return {name: t.to(device) for name, t in make(Case(**sizes), torch.float32).items()}


@rf.jit
def odd(
    q: rl.Query,
    k: rl.Chunks["fine"],
    coarse: rl.Chunks["coarse"],
    *,
    last: int,
    shift: float = 0.5,
    mode: rl.constexpr = "sum",
    powers: rl.constexpr,
    flag: rl.constexpr = True,
    times: rl.constexpr = 2,
):
    acc = rl.online_softmax(q, k)
    for c in rl.window(k, last=last):
        acc.merge(rl.dot(q, k[c]) * times + shift, k[c])
    if mode == "sum" and flag:
        for c in rl.every(coarse):
            acc.merge(rl.dot(q, coarse[c]) * powers[0], coarse[c])
    return acc.value, acc.lse


ODD = {"last": 20, "powers": (2, None), "chunks": {"coarse": 32, "fine": 16}}


def test_schema_follows_from_the_signature() -> None:
    found = str(rf.torch_op(odd).overload._schema)
    assert found.replace("\\", "") == (
        "ramify::odd(Tensor q, Tensor k, Tensor coarse, *, SymInt last, float shift=0.5, "
        "str mode=\"'sum'\", str powers, bool flag=True, int times=2, int? chunk_size=None, "
        "int[]? chunks=None, int? q_block=None, SymInt? q_start=None, "
        "Tensor? q_start_array=None, Tensor? q_positions=None, SymInt? num_keys=None, "
        "Tensor? num_keys_array=None, bool validate=False, bool deterministic=False) -> Tensor[]"
    )
    assert rf.torch_op(odd) is rf.torch_op(odd)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "none", "times": 3, "shift": 1.5},
        {"q_start": -3},
        {"q_start": torch.tensor([4, 60], dtype=torch.int32)},
        {"num_keys": 33},
        {"num_keys": torch.tensor([4, 60], dtype=torch.int32)},
        {"q_positions": torch.arange(19, dtype=torch.int32) - 1},
        {"q_block": 4, "deterministic": True},
    ],
    ids=str,
)
def test_an_operator_is_its_function(options: dict[str, Any], device: str) -> None:
    x = random_arguments(odd.signature)
    tensors = {name: torch.from_numpy(array).to(device) for name, array in x.items()}
    given = {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in {**ODD, **options}.items()
    }
    if "num_keys" in options:  # the partitions have as many keys as the longest sequence
        given = {**given, "last": 7}
    found = rf.torch_op(odd)(*tensors.values(), **given)
    expected = odd(*tensors.values(), **given)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("function", "options"),
    [
        (written.hsa, {"scale": 0.3, "chunk_size": 16}),
        (written.joint, {"scale": 0.3, "chunk_size": 16}),
        (odd, ODD),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_opcheck(function: rf.JitFunction, options: dict[str, Any], device: str) -> None:
    operator = rf.torch_op(function)
    x = [torch.from_numpy(a).to(device) for a in random_arguments(function.signature).values()]
    torch.library.opcheck(operator.overload, tuple(x), operator.schema.encode(options))


def test_shapes_need_no_compiler() -> None:
    @rf.jit
    def fresh(q: rl.Query, k: rl.Chunks):
        acc = rl.online_softmax(q, k)
        for c in rl.every(k):
            acc.merge(rl.dot(q, k[c]), k[c])
        return acc.value, acc.lse

    q = torch.empty(2, 5, 8, 32, device="meta", dtype=torch.bfloat16)
    k = torch.empty(2, 100, 2, 32, device="meta", dtype=torch.bfloat16)
    value, lse = fresh.operator(q, k, chunk_size=16)
    assert (value.shape, value.dtype) == ((2, 5, 8, 32), torch.bfloat16)
    assert (lse.shape, lse.dtype) == ((2, 5, 8), torch.float32)
    assert fresh.compilations == fresh.statistics.from_disk == 0
    with pytest.raises(rf.ArgumentError, match="`k`"):
        fresh.operator(q, k[:, :, :, 0], chunk_size=16)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_whole(backend: str, device: str) -> None:
    """Plain calls of functions and of ready-made operations are traced as operators."""

    def step(x: dict[str, torch.Tensor]) -> torch.Tensor:
        picks = x["k"][:, ::64, :, :32]  # landmarks
        w, i = rf.ops.select(x["q"][..., :32], picks, chunk_size=64, top_k=3)
        one = rf.ops.hsa(x["q"], x["k"], x["v"], w, i, scale=0.1, chunk_size=64)
        return one + rf.ops.hsa_kernel(**x, **OPTIONS, num_keys=x["k"].shape[1] - 1).sin()

    compiled = torch.compile(step, fullgraph=True, backend=backend, dynamic=True)
    for sizes in ({}, {"L": 41, "N": 200}):
        x = inputs(device, **sizes)
        assert torch.equal(compiled(x), step(x))


@pytest.mark.parametrize("device", DEVICES)
def test_inductor(device: str) -> None:
    x = inputs(device)
    compiled = torch.compile(lambda x: rf.ops.hsa(**x, chunk_size=64) * 2, fullgraph=True)
    assert torch.equal(compiled(x), rf.ops.hsa(**x, chunk_size=64) * 2)


def test_imaginary_parts_are_not_negated_in_memory() -> None:
    """`x.conj().imag` reads memory that holds its elements times -1."""
    x = inputs("cpu")
    one = {**x, "indices": x["indices"][..., :1]}
    weights = torch.complex(x["weights"], x["weights"])[..., :1].conj().imag
    assert weights.is_neg()
    expected = rf.ops.hsa(**{**one, "weights": weights.resolve_neg()}, chunk_size=64)
    assert torch.equal(rf.ops.hsa(**{**one, "weights": weights}, chunk_size=64), expected)
    with pytest.raises(rf.ArgumentTypeError, match=r"weights is a tensor .* \.resolve_neg"):
        rf.ops.hsa_kernel.compile(**{**one, "weights": weights}, **OPTIONS)


@pytest.mark.parametrize("device", DEVICES)
def test_autocast_casts_what_meets_in_products(device: str) -> None:
    x = inputs(device)
    half = {n: t.bfloat16() if n in ("q", "k", "v") else t for n, t in x.items()}
    with torch.autocast(device, dtype=torch.bfloat16):
        found = rf.torch_op(rf.ops.hsa_kernel)(**x, **OPTIONS)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, rf.ops.hsa_kernel(**half, **OPTIONS))


@pytest.mark.parametrize("device", DEVICES[1:])
def test_in_a_cuda_graph(device: str) -> None:
    x = inputs(device)
    operator = rf.torch_op(rf.ops.hsa_kernel)
    expected = operator(**x, **OPTIONS)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = operator(**x, **OPTIONS)
    found.zero_()
    graph.replay()
    assert torch.equal(found, expected)


def test_torch_is_loaded_by_those_who_use_it() -> None:
    code = (
        "import sys, numpy as np, ramify as rf\n"
        "q, k = np.ones((1, 2, 2, 16), np.float32), np.ones((1, 16, 1, 16), np.float32)\n"
        "i = np.zeros((1, 2, 1, 1), np.int32)\n"
        "rf.ops.hsa(q, k, k, i.astype(np.float32), i, chunk_size=16)\n"
        "assert 'torch' not in sys.modules\n"
        "import torch\n"
        "x = [torch.from_numpy(a) for a in (q, k, k, i.astype(np.float32), i)]\n"
        "rf.ops.hsa(*x, chunk_size=16)\n"
        "assert 'ramify.torch' not in sys.modules\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


X = inputs()
WRONG: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no function": (lambda x: x, {}, rf.ArgumentTypeError, "@ramify.jit"),
    "missing": (rf.ops.hsa_kernel, {"q": X["q"]}, rf.ArgumentTypeError, "k is missing"),
    "unknown": (
        rf.ops.hsa_kernel,
        {**X, **OPTIONS, "window": 3},
        rf.ArgumentTypeError,
        "no parameter 'window'",
    ),
    "no tensor": (
        rf.ops.hsa_kernel,
        {**X, **OPTIONS, "k": np.ones(3)},
        rf.ArgumentTypeError,
        "k: expected a tensor, found ndarray",
    ),
    "another partition": (
        odd,
        {**dict.fromkeys(("q", "k", "coarse"), X["q"]), **ODD, "chunks": {"fine": 16}},
        rf.ArgumentTypeError,
        "chunks",
    ),
    "a wrong shape": (
        rf.ops.hsa_kernel,
        {**X, **OPTIONS, "k": X["k"][0]},
        rf.ArgumentError,
        "k",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_uses(name: str) -> None:
    function, given, error, words = WRONG[name]
    with pytest.raises(error, match=words):
        rf.torch_op(function)(**given)
