# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chunks that every query selects: the same bits of their gradients, by several programs.

A program takes 2048 rows of a list, 128 queries of 16 heads each.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from arguments import random_arguments
from emulator import Emulation
from numerics import DEVICES, Case, make
from peers import eager
from test_emulated import as_array, as_tensor, emulate_well
from test_gradient_numerics import assert_bounded, autograd, wide
from test_gradients import biased, fetch, put_all

import ramify as rf
from ramify import _compiler

WRT = ("q", "k", "v", "weights")
BASE = Case(B=1, L=300, N=90, H=1, G=16, D=16, S=16, K=2)
CASES = {
    "base": BASE,
    "two sequences, two heads": BASE.but(B=2, H=2, L=150),
    "lists of other lengths": BASE.but(N=33, L=280, K=3),
    "G=1": BASE.but(G=1, L=2100, K=1, N=40),
    "q_block=4": BASE.but(q_block=4, L=530, G=4),
    "indices per query head": BASE.but(L=2100, G=2, index_heads="query", weight_heads="query"),
    "weights per query head": BASE.but(weight_heads="query"),
    "chunks cut short": BASE.but(N=89, S=48),
    "long chunks": BASE.but(N=500, S=240, L=150),
    "softmax_1": BASE.but(n=1.0),
}


def arguments_of(case: Case, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Every query selects chunk 1, and most the last one, which has fewer keys."""
    x = make(case, dtype)
    x["indices"][..., 0] = 1
    x["indices"][:, 1::3, :, -1] = -(-case.N // case.S) - 1
    return x


def expected_gradients(
    case: Case, x: dict[str, torch.Tensor], scale: float, d_out: torch.Tensor
) -> tuple[list[Any], list[Any]]:
    """PyTorch's in the dtype of the inputs, and in float64."""

    def step(x: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        more = {"chunk_size": case.S, "q_block": case.q_block}
        return (eager.hsa(**x, scale=scale, softmax_n=case.n, **more),)

    return autograd(step, x, WRT, [d_out]), autograd(step, wide(x), WRT, [d_out])


def same_gradients(derivative: Any, given: dict[str, Any], d_out: Any) -> tuple[Any, ...]:
    _, saved = derivative.forward(**given)
    first, *others = (
        derivative.backward(saved, d_out, **given, deterministic=True) for _ in range(4)
    )
    for other in others:
        for one, again in zip(fetch(first), fetch(other), strict=True):
            np.testing.assert_array_equal(one, again)
    return tuple(first)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str, device: str) -> None:
    case, scale = CASES[name], 0.2
    x = arguments_of(case)
    d_out = torch.randn(x["q"].shape, generator=torch.Generator().manual_seed(7))
    options = {"scale": scale, "softmax_n": case.n, "chunk_size": case.S, "q_block": case.q_block}
    given = {key: value.to(device) for key, value in x.items()} | options
    found = same_gradients(rf.ops.hsa_kernel.derivative(WRT), given, d_out.to(device))
    assert_bounded(
        [one.cpu() for one in found], *expected_gradients(case, x, scale, d_out), x["q"].dtype
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shared", [False, True], ids=["own index", "shared index"])
def test_windows(shared: bool, device: str) -> None:
    """The sums of one window go on where those of the one before ended."""
    length = 4500 if device == "cpu" else 40000  # windows are longer there
    case, scale = BASE.but(L=length, K=1, N=48, D=16), 0.2
    x = arguments_of(case)
    d_out = torch.randn(x["q"].shape, generator=torch.Generator().manual_seed(7))
    given = {key: value.to(device) for key, value in x.items()}
    if shared:
        given["indices"] = rf.Selection(given["indices"], chunk_size=16, num_keys=48)
        assert given["indices"].layout[1] > 1
    given |= {"scale": scale, "chunk_size": case.S}
    found = same_gradients(rf.ops.hsa_kernel.derivative(WRT), given, d_out.to(device))
    assert_bounded(
        [one.cpu() for one in found], *expected_gradients(case, x, scale, d_out), x["q"].dtype
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batched", [False, True])
def test_what_keys_and_chunks_have(batched: bool, device: str) -> None:
    """Arrays that all sequences, or all heads, share: their programs take turns."""
    wrt = ("k", "bias", "prior")
    x = random_arguments(biased.signature, B=2, L=300, N=70, H=2, G=16, batched=batched)
    x["indices"][..., 0] = 1
    given = put_all(x, device) | {"chunk_size": 16}
    derivative = biased.derivative(wrt)
    out, saved = derivative.forward(**given)
    d_out = put_all({"d": np.random.default_rng(3).standard_normal(out.shape, np.float32)}, device)
    free = fetch(derivative.backward(saved, d_out["d"], **given))
    found = fetch(same_gradients(derivative, given, d_out["d"]))
    for one, near in zip(found, free, strict=True):
        np.testing.assert_allclose(one, near, rtol=0, atol=1e-5 * np.abs(near).max())


# ---- by PTX ---------------------------------------------------------------------------


def backward_texts(
    function: rf.JitFunction,
    given: dict[str, Any],
    target: str,
    wrt: tuple[str, ...],
    registers: int = 0,
) -> tuple[str, str, str]:
    """Plan and PTX, and how the gradient of the result is called."""
    program = function.ir("backward", **given, target=target, wrt=wrt)
    options = {"target": target, "schedule": "chunk_major", "deterministic": True}
    options |= {"registers": registers}
    plan, ptx = (_compiler.lower(program, level, options) for level in ("plan", "ptx"))
    names = set(re.findall(r"^(?:array|scalar) (\w+)", plan, re.MULTILINE)) - set(given)
    return plan, ptx, names.pop()


EMULATED = {
    "bf16": (BASE.but(L=260, N=20, K=1), torch.bfloat16, "sm_80", 0),
    "bf16, wgmma": (BASE.but(L=130, N=80, D=64, S=64, K=1), torch.bfloat16, "sm_90a", 0),
    "f32": (BASE.but(L=130, N=20, K=1), torch.float32, "sm_80", 0),
    "in passes": (BASE.but(L=130, N=32, S=32, K=1), torch.float32, "sm_80", 100),
}
"""And so few registers for a thread, 0 for all, that a program adds to its part at each visit."""


@pytest.mark.parametrize("name", EMULATED)
def test_emulated_gradients(name: str) -> None:
    case, dtype, target, registers = EMULATED[name]
    x, scale = arguments_of(case, dtype), 0.2
    d_out = torch.randn(x["q"].shape, generator=torch.Generator().manual_seed(7)).to(dtype)
    given = x | {"scale": scale, "chunk_size": case.S}
    plan, ptx, d_name = backward_texts(rf.ops.hsa_kernel, given, target, WRT, registers)
    assert ("wgmma.mma_async" in ptx) == ("wgmma" in name)
    zeroed = re.findall(r"^workspace .* zero", plan, re.MULTILINE)
    assert len(zeroed) == 2 * (dtype != torch.float32) + 2 * (registers > 0)
    del given["chunk_size"]
    given = {key: as_array(value) for key, value in given.items()} | {d_name: as_array(d_out)}
    runs = [Emulation(plan, ptx, seed=seed) for seed in range(2)]
    found, again = (run.call(given) for run in runs)
    assert not any(run.report for run in runs)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)
    expected = expected_gradients(case, x, scale, d_out)
    assert_bounded([as_tensor(one) for one in found], *expected, dtype)


@pytest.mark.parametrize("batched", [False, True])
def test_emulated_turns(batched: bool) -> None:
    """No two programs of a launch add to what all heads share."""
    x = random_arguments(biased.signature, L=130, N=20, G=16, D=16, K=1, batched=batched)
    x["indices"][..., 0] = 1
    plan, ptx, d_name = backward_texts(
        biased, x | {"chunk_size": 16}, "sm_80", ("k", "bias", "prior")
    )
    emulation = Emulation(plan, ptx)
    found = emulation.call(x | {d_name: np.ones_like(x["q"])})
    assert not emulation.report
    turns = 2 if batched else 4
    assert emulation.launches["biased_backward_visits"] == turns
    derivative = biased.derivative(("k", "bias", "prior"))
    out, saved = derivative.forward(**x, chunk_size=16)
    near = derivative.backward(saved, np.ones_like(out), **x, chunk_size=16)
    for one, other in zip(found, near, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("wrt", [("bias", "prior"), ("bias",)], ids=" ".join)
@pytest.mark.parametrize("batched", [False, True])
def test_emulated_sums_over_rows_alone(batched: bool, wrt: tuple[str, ...]) -> None:
    """Warps that have other rows each meet in shared memory: no product adds them up."""
    x = random_arguments(biased.signature, L=6, N=20, G=16, D=16, K=1, batched=batched)
    plan, ptx, d_name = backward_texts(biased, x | {"chunk_size": 16}, "sm_80", wrt)
    found = emulate_well(plan, ptx, x | {d_name: np.ones_like(x["q"])})
    derivative = biased.derivative(wrt)
    out, saved = derivative.forward(**x, chunk_size=16)
    near = derivative.backward(saved, np.ones_like(out), **x, chunk_size=16)
    for one, other in zip(found, near, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())


def test_a_long_list_has_several_programs() -> None:
    """Without the last launch the sink lacks all but the first program's queries."""
    case, scale = BASE.but(L=140, N=16, K=1), 0.2
    x = arguments_of(case)
    x["indices"][...] = 0
    given = x | {"scale": scale, "chunk_size": case.S}
    plan, ptx, d_name = backward_texts(rf.ops.hsa_kernel, given, "sm_80", WRT)
    plan, count = re.subn(r" *launch \"hsa_kernel_backward_items\".*\n.*\n", "", plan)
    assert count == 1
    d_out = torch.randn(x["q"].shape, generator=torch.Generator().manual_seed(7))
    given = {key: as_array(value) for key, value in given.items() if key != "chunk_size"}
    found = emulate_well(plan, ptx, given | {d_name: as_array(d_out)})
    d_out[:, 128:] = 0
    own, exact = expected_gradients(case, x, scale, d_out)
    assert_bounded([as_tensor(found[1]), as_tensor(found[2])], own[1:3], exact[1:3], torch.float32)
