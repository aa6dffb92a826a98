# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of several steps: all steps run for some queries, and then for the next ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import test_select_then_attend as attending
import torch
from numerics import DEVICES

import ramify as rf
from ramify import _compiler, _runtime, compiler

B, L, H, G, D, S = 3, 150, 2, 3, 16, 16
ATTEND = {"scale": 0.25, "chunk_size": S}

Given = dict[str, Any]


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Functions compiled within hand on a tile of 64 queries of one sequence at a time."""
    choose = compiler.compiler_options

    def chosen(*arguments: Any, **more: Any) -> dict[str, Any]:
        return choose(*arguments, **more) | {"handed": 1}

    monkeypatch.setattr(compiler, "compiler_options", chosen)
    yield


def sizes_of(length: int, rows: int) -> dict[str, tuple[int, ...]]:
    chunks = -(-length // S)
    return {
        "q": (B, length, H * G, D),
        "k": (B, length, H, D),
        "v": (B, length, H, D),
        "r": (B, rows, H * G, D),
        "landmarks": (B, chunks, H, D),
        "each": (B, chunks, H * G, D),
        "means": (B, chunks, H, D),
        "bias": (chunks, H * G),
    }


def normal(**names: str) -> Given:
    """Arrays of a function by name, each with the sizes of another name."""
    random = np.random.default_rng(5)
    sizes = sizes_of(L, -(-L // 32))
    arrays = {name: random.standard_normal(sizes[of]) for name, of in names.items()}
    return {name: torch.tensor(x, dtype=torch.float32) for name, x in arrays.items()}


QKV = {"q": "q", "k": "k", "v": "v"}
LENGTHS = torch.tensor([L, 40, 97], dtype=torch.int32)
PLACES = torch.arange(L, dtype=torch.int32).roll(70)
CASES: dict[str, tuple[rf.JitFunction, Given, Given]] = {
    "retrieve": (attending.retrieve, normal(**QKV, landmarks="landmarks"), ATTEND | {"top_k": 4}),
    "retrieve, early": (
        attending.retrieve,
        normal(**QKV, landmarks="landmarks"),
        ATTEND | {"top_k": 4, "q_start": -9},
    ),
    "retrieve, lengths": (
        attending.retrieve,
        normal(**QKV, landmarks="landmarks"),
        ATTEND | {"top_k": 4, "num_keys": LENGTHS},
    ),
    "retrieve, starts": (
        attending.retrieve,
        normal(**QKV, landmarks="landmarks"),
        ATTEND | {"top_k": 4, "num_keys": LENGTHS, "q_start": LENGTHS - 60},
    ),
    "retrieve, places": (
        attending.retrieve,
        normal(**QKV, landmarks="landmarks"),
        ATTEND | {"top_k": 4, "q_positions": PLACES},
    ),
    "gca": (
        rf.ops.gca_kernel,
        normal(**QKV, r="r", landmarks="landmarks"),
        ATTEND | {"top_k": 3, "size": S, "scale_r": 0.25, "q_block": 32},
    ),
    "moba": (rf.ops.moba_kernel, normal(**QKV, means="means"), ATTEND | {"top_k": 3}),
    "hils": (
        rf.ops.hils_kernel,
        normal(**QKV, landmarks="each", bias="bias"),
        ATTEND | {"top_k": 3, "size": S, "window": 20},
    ),
}


def fresh(function: rf.JitFunction, **options: Any) -> rf.JitFunction:
    """The function with nothing in memory yet that was compiled for it."""
    return function.options(stages=2, **options)


def run(function: rf.JitFunction, given: Given, options: Given, device: str) -> list[np.ndarray]:
    """The float results of a call, and all gradients of a sum of them with given weights."""
    leaves = {n: x.to(device).detach().requires_grad_() for n, x in given.items()}
    more = {n: x.to(device) if isinstance(x, torch.Tensor) else x for n, x in options.items()}
    results = function(**leaves, **more)
    results = results if isinstance(results, tuple) else (results,)
    floats = [x for x in results if x.is_floating_point()]
    total = sum(
        (torch.nan_to_num(x, 0, 0, 0) * torch.linspace(-1, 1, x.numel()).reshape(x.shape).to(x))
        .double()
        .sum()
        for x in floats
    )
    wrt = [x for n, x in leaves.items() if n != "means"]
    gradients = torch.autograd.grad(total, wrt)
    return [x.detach().cpu().numpy() for x in (*results, *gradients)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("case", CASES)
def test_windows_of_queries(
    case: str, schedule: str, device: str, few_at_a_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results and gradients are those of all queries at once, and of the reference."""
    function, given, options = CASES[case]
    got = run(fresh(function, schedule=schedule), given, options, device)
    monkeypatch.undo()
    expected = run(fresh(function, schedule=schedule), given, options, device)
    for mine, other in zip(got, expected, strict=True):
        scale = float(np.abs(other[np.isfinite(other)]).max(initial=1))
        np.testing.assert_allclose(mine, other, rtol=0, atol=4e-6 * scale)
    plain = {n: x.numpy() for n, x in given.items()}
    more = {n: x.numpy() if isinstance(x, torch.Tensor) else x for n, x in options.items()}
    reference = function.reference(**plain, **more)
    for mine, other in zip(
        got, reference if isinstance(reference, tuple) else (reference,), strict=False
    ):
        attending.close(mine, other)


@pytest.mark.parametrize("case", ["hils", "gca"])
def test_windows_in_a_fixed_order(
    case: str, few_at_a_time: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `deterministic=True`: the same bits each time, in a window and over all."""
    function, given, options = CASES[case]
    options = options | {"deterministic": True}
    ours = fresh(function)
    first, second = (run(ours, given, options, "cpu") for _ in range(2))
    monkeypatch.undo()
    expected = run(fresh(function), given, options, "cpu")
    for mine, again, other in zip(first, second, expected, strict=True):
        np.testing.assert_array_equal(mine, again)
        scale = float(np.abs(other[np.isfinite(other)]).max(initial=1))
        np.testing.assert_allclose(mine, other, rtol=0, atol=4e-6 * scale)


def lower(
    function: rf.JitFunction, level: str, given: Mapping[str, Any], **options: Any
) -> _runtime.Plan:
    chosen = {"target": "sm_90a", "schedule": "chunk_major", "otherwise": "query_major", **options}
    text = _compiler.lower(function.ir(level, **given, target="sm_90a"), "plan", chosen)
    return _runtime.Plan.parse(text.encode())


def test_the_windows_of_a_plan() -> None:
    function, given, options = CASES["hils"]
    shapes = {name: tuple(x.shape) for name, x in given.items()}
    steps = {"hils_kernel_0": 9}  # 3 windows of each of 3 sequences
    for handed, count in ((1, 9), (96 << 20, 1)):
        launches = lower(function, "hsa", given | options, handed=handed).launches(shapes)
        found = [x["kernel"] for x in launches if x["kernel"] in steps]
        assert len(found) == count


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("level", ["hsa", "backward"])
@pytest.mark.parametrize("case", ["gca", "moba", "hils"])
def test_the_workspace_is_bounded(case: str, level: str, deterministic: bool) -> None:
    """Whatever the length: 256 MiB besides the sums of gradients in f32, in a fixed order twice."""
    function, given, options = CASES[case]
    plan = lower(function, level, given | options, deterministic=deterministic)
    arrays = [line.split() for line in plan.text.splitlines() if line.startswith("array")]
    for sequences, length in ((1, 2**16), (1, 2**20), (64, 2**13), (2**10, 64)):
        chunks = -(-length // S)
        known = {"B": sequences, "L": length, "N": length, "C": chunks, "HQ": 15, "H": 5, "K": 3}
        known["rows"] = -(-length // 32) if case == "gca" else length
        shapes = {}
        for _, name, _, *rest in arrays:
            dims = " ".join(rest).split("]")[0].strip("[").split(", ")
            shapes[name] = tuple(int(x) if x.isdigit() else known[x] for x in dims)
        sums = sequences * 4 * D * (2 * length * known["H"] + chunks * known["HQ"])
        allowed = (256 << 20) + (sums * (1 + deterministic) if level == "backward" else 0)
        assert plan.workspace_bytes(shapes) <= allowed, (sequences, length)
