# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PTX of whole functions, run by the emulator in random orders, against references."""

from __future__ import annotations

import re
from typing import Any

import block_selections as blocks
import numpy as np
import pytest
import test_gradient_numerics as gradients
import test_inverse_index as inverse
import test_ops_gca as ops_gca
import test_ops_hils as ops_hils
import test_stream_gradients as streams
import torch
from emulator import Emulation, FaultError
from numerics import EPS, Case, bound, make, reference
from numpy.typing import NDArray
from peers import eager
from select_and_attend_cases import CASES as SELECTIONS
from test_inverse_index import Sizes, random_picks

import ramify as rf
from ramify import _compiler

Array = NDArray[Any]
TARGETS = ["sm_80", "sm_90a"]
SCALE = 0.125
PLAN_PTX = ("plan", "ptx")


def as_array(x: Any) -> Any:
    """An argument as the emulator takes it: bf16 as bits."""
    if not isinstance(x, torch.Tensor):
        return x
    return x.view(torch.uint16).numpy() if x.dtype == torch.bfloat16 else x.numpy()


def as_tensor(x: Array) -> torch.Tensor:
    tensor = torch.from_numpy(x)
    return tensor.view(torch.bfloat16) if x.dtype == np.uint16 else tensor


def emulate(plan: str, ptx: str, arguments: dict[str, Any]) -> tuple[list[Array], Emulation]:
    emulation = Emulation(plan, ptx)
    return emulation.call({name: as_array(x) for name, x in arguments.items()}), emulation


def emulate_well(plan: str, ptx: str, arguments: dict[str, Any]) -> list[Array]:
    """Results of a call in which nothing is amiss."""
    results, emulation = emulate(plan, ptx, arguments)
    assert not emulation.report
    return results


# ---- the inverse index --------------------------------------------------------------


def duplicates() -> tuple[Array, Sizes]:
    sizes = Sizes(B=1, K=5)
    picks = random_picks(sizes)
    picks[:, ::2] = picks[:, ::2, :, :1]
    return picks, sizes


def invalid() -> tuple[Array, Sizes]:
    sizes = Sizes(B=1, chunks=9)
    picks = random_picks(sizes, low=-4, high=14)
    picks[:, ::7] = 2**31 - 1
    return picks, sizes


def two_passes() -> tuple[Array, Sizes]:
    sizes = Sizes(B=1, rows=300, heads=1, K=8, chunks=3000)
    return random_picks(sizes), sizes


def two_windows() -> tuple[Array, Sizes]:
    sizes = Sizes(B=1, rows=200, heads=2, K=5, chunks=40)
    picks = random_picks(sizes)
    picks[..., 1] = 20
    return picks, sizes


INDICES: dict[str, tuple[tuple[Array, Sizes], int, int]] = {
    "duplicates": (duplicates(), 1, 1),
    "invalid picks": (invalid(), 1, 1),
    "two passes": (two_passes(), 1, 2),
    "two windows": (two_windows(), 2, 1),
}
"""Picks and sizes, and into how many windows and passes they are meant to go."""


def index_call(picks: Array, sizes: Sizes, **options: Any) -> tuple[str, str, dict[str, Array]]:
    """Plan, PTX and arguments. The index has the same code for all targets."""
    q, k = inverse.arrays_of(sizes)
    function = inverse.INDEX.options(**options)
    plan, ptx = (
        function.ir(level, q, k, picks, chunk_size=16, target="sm_80") for level in ("plan", "ptx")
    )
    return plan, ptx, {"q": q, "k": k, "indices": picks}


@pytest.mark.parametrize("name", INDICES)
def test_inverse_index(name: str) -> None:
    (picks, sizes), windows, passes = INDICES[name]
    found, emulation = emulate(*index_call(picks, sizes, window=128))
    assert not emulation.report
    assert found[0].shape[1] == windows
    assert emulation.launches["visit_indices_rank"] == passes
    inverse.check_index(tuple(found), picks, sizes)


# ---- chunk_major --------------------------------------------------------------------

BASE = Case(B=1, L=5, N=300, H=1, G=16, D=64, S=64, K=3)
VISITS = {
    "bf16": (BASE, torch.bfloat16),
    "f32, S=16": (BASE.but(S=16, N=150), torch.float32),
    "bf16, S=128": (BASE.but(S=128), torch.bfloat16),
}


def visit_texts(case: Case, dtype: torch.dtype, mode: str, target: str) -> tuple[str, str]:
    x = make(case, dtype)
    program = rf.ops.hsa_kernel.ir(mode, **x, scale=SCALE, chunk_size=case.S, target=target)
    options = {"target": target, "schedule": "chunk_major"}
    plan, ptx = (_compiler.lower(program, level, options) for level in ("plan", "ptx"))
    return plan, ptx


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", VISITS)
def test_chunk_major(name: str, target: str) -> None:
    case, dtype = VISITS[name]
    x = make(case, dtype)
    texts = visit_texts(case, dtype, "hsa", target)
    assert ("wgmma.mma_async" in texts[1]) == (dtype == torch.bfloat16 and target == "sm_90a")
    (found,) = emulate_well(*texts, x | {"scale": SCALE})
    exact = reference(case, x, SCALE)
    error = (as_tensor(found).double() - exact).abs().max().item()
    assert error <= bound(x, case, SCALE, exact)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", VISITS)
def test_gradients_by_chunk_major(name: str, target: str) -> None:
    case, dtype = VISITS[name]
    x, wanted = make(case, dtype), ("q", "k", "v", "weights")
    texts = visit_texts(case, dtype, "backward", target)
    assert ("wgmma.mma_async" in texts[1]) == (dtype == torch.bfloat16 and target == "sm_90a")
    random = torch.Generator().manual_seed(77)
    d_out = torch.randn(x["q"].shape, generator=random).to(dtype)
    given = re.findall(r"^(?:array|scalar) (\w+)", texts[0], re.MULTILINE)
    (d_name,) = set(given) - {*x, "scale"}
    found = emulate_well(*texts, x | {"scale": SCALE, d_name: d_out})

    def step(x: gradients.Inputs) -> tuple[torch.Tensor, ...]:
        return (eager.hsa(**x, scale=SCALE, softmax_n=case.n, chunk_size=case.S),)

    gradients.assert_bounded(
        [as_tensor(one) for one in found],
        gradients.autograd(step, x, wanted, [d_out]),
        gradients.autograd(step, gradients.wide(x), wanted, [d_out]),
        dtype,
    )


# ---- a selection and what it selects, in one launch -----------------------------------


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["fewer chunks than picks", "wide rows"])
def test_select_and_attend(name: str, target: str) -> None:
    function, given, options = SELECTIONS[name]
    made = function.options(launches="one")
    plan, ptx = (made.ir(level, *given, **options, target=target) for level in ("plan", "ptx"))
    assert plan.count("launch ") == 1
    names = re.findall(r"^array (\w+)", plan, re.MULTILINE)
    found = emulate_well(plan, ptx, dict(zip(names, given, strict=True)) | options)
    exact = function.reference(*given, **options)
    for mine, other in zip(found, exact, strict=True):
        if mine.dtype == np.int32:  # picks
            np.testing.assert_array_equal(mine, other)
            continue
        size = max(1.0, float(np.abs(other[np.isfinite(other)]).max(initial=0)))
        np.testing.assert_allclose(mine, other, rtol=0, atol=500 * EPS[torch.float32] * size)


# ---- long lists of the best, in shared memory ------------------------------------------

LISTS: dict[str, dict[str, Any]] = {
    "by index": {"top_k": 64, "weights": "stick_breaking"},
    "upwards, cut": {"top_k": 44, "order": "ascending", "weights": "none"},
    "by score, cut": {"top_k": 36, "order": "score", "weights": "softmax"},
    "most": {"top_k": 128, "weights": "sigmoid"},
    "forced": {"top_k": 40, "sink": 3, "local": 2, "weights": "softmax_1"},
}
"""Choices of a selection with more than 32 slots; forced picks carry their scores along."""


def list_call(name: str, chunks: int, target: str) -> tuple[str, str, dict[str, Any], list[Array]]:
    """Plan, PTX, arguments and results of a selection among few scores, many of them equal."""
    random = np.random.default_rng(len(name) + chunks)
    size, rows = 16, 70
    r = random.integers(-1, 2, (1, rows, 2, 16)).astype(np.float32)
    landmarks = random.integers(-1, 2, (1, chunks, 1, 16)).astype(np.float32)
    landmarks[0, chunks // 2] = np.nan
    options = {"scale": 0.25, "chunk_size": size, "num_keys": chunks * size, "window": 0}
    options |= {"size": size, "q_start": chunks * size - rows} | LISTS[name]
    function = rf.ops.select_kernel
    plan, ptx = (function.ir(level, r, landmarks, **options, target=target) for level in PLAN_PTX)
    exact = function.reference(r, landmarks, **options)
    names = re.findall(r"^(?:array|scalar) (\w+)", plan, re.MULTILINE)
    given = {"r": r, "landmarks": landmarks} | options
    return plan, ptx, {n: given[n] for n in names}, list(exact)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("chunks", [30, 150])
@pytest.mark.parametrize("name", LISTS)
def test_long_lists(name: str, chunks: int, target: str) -> None:
    plan, ptx, given, exact = list_call(name, chunks, target)
    weights, picks = emulate_well(plan, ptx, given)
    np.testing.assert_array_equal(picks, exact[1])
    np.testing.assert_allclose(weights, exact[0], rtol=0, atol=1e-5)


# ---- gradients of walks over all chunks --------------------------------------------------

STREAMS = {
    **dict.fromkeys(("compressed", "shares_of_picks", "terms", "temperatures"), (16, 70)),
    "largest_of_the_group": (64, 33),
    "normalised": (128, 17),
}
"""Functions that reduce all chunks, their dim, and chunks of more than one tile."""


@pytest.mark.parametrize(
    ("dtype", "tolerance", "target"),
    [(torch.float32, 1e-5, "sm_80"), (torch.bfloat16, 1e-2, "sm_90a")],
    ids=str,
)
@pytest.mark.parametrize("name", STREAMS)
def test_stream_gradients(name: str, dtype: torch.dtype, tolerance: float, target: str) -> None:
    function = streams.FUNCTIONS[name]
    dim, chunks = STREAMS[name]
    call, more, grads = streams.backward_call(function, dtype, D=dim, chunks=chunks)
    wrt = tuple(n for n in streams.arrays_of(function))
    program = function.ir("backward", **call, target=target, wrt=wrt)
    plan, ptx = (_compiler.lower(program, level, {"target": target}) for level in ("plan", "ptx"))
    lengths = {"num_keys": np.full(2, call["num_keys"], np.int32)}
    names = re.findall(r"^(?:array|scalar) (\w+)", plan, re.MULTILINE)
    given = call | more | lengths
    found = emulate_well(plan, ptx, {n: given[n] for n in names})
    for mine, right in zip(found, grads, strict=True):
        error = np.abs(as_tensor(mine).float().numpy() - right).max()
        assert error <= tolerance * np.abs(right).max()


# ---- variants that select and attend, forward and backward --------------------------------


def gca_call(z: ops_gca.Sizes) -> tuple[rf.JitFunction, dict[str, Any]]:
    return rf.ops.gca_kernel, {**ops_gca.numbers(z), "q_block": z.S}


def hils_call(z: ops_gca.Sizes) -> tuple[rf.JitFunction, dict[str, Any]]:
    choices = {"scale": ops_hils.SCALE, "window": ops_hils.WINDOW, "size": z.S, "top_k": z.K}
    return rf.ops.hils_kernel, choices


OPS = {"gca": (ops_gca.arrays, gca_call), "hils": (ops_hils.arrays, hils_call)}


@pytest.mark.parametrize(
    ("schedule", "target"), [("query_major", "sm_80"), ("chunk_major", "sm_90a")]
)
@pytest.mark.parametrize("name", OPS)
def test_ops(name: str, schedule: str, target: str) -> None:
    z = ops_gca.Sizes(B=1, L=40, N=70)
    make_arrays, make_call = OPS[name]
    arrays = {n: x.float() for n, x in make_arrays(z).items()}
    function, options = make_call(z)
    options |= {"chunk_size": z.S}
    derivative = function.derivative(tuple(arrays))
    host = {n: x.numpy() for n, x in arrays.items()} | options
    out, saved = derivative.forward(**host)
    d_out = np.random.default_rng(5).standard_normal(out.shape, np.float32)
    grads = derivative.backward(saved, d_out, **host)
    more = {f"saved_{number}": x for number, x in enumerate(saved)} | {"d_0": d_out}
    other = {"otherwise": "query_major"} if schedule == "chunk_major" else {}
    for level, exact in (("hsa", [out]), ("backward", grads)):
        program = function.ir(level, **host, target=target)
        # A forward pass that adds up by chunks rounds each of its sums.
        chosen = {"schedule": schedule if level == "backward" else "query_major", **other}
        plan, ptx = (
            _compiler.lower(program, last, {"target": target, **chosen}) for last in ("plan", "ptx")
        )
        names = re.findall(r"^(?:array|scalar) (\w+)", plan, re.MULTILINE)
        given = host | more | {"q_start": z.N - z.L}
        found = emulate_well(plan, ptx, {n: given[n] for n in names})
        for mine, right in zip(found, exact, strict=True):
            np.testing.assert_allclose(mine, right, rtol=0, atol=1e-5 * np.abs(right).max())


# ---- blocks of queries, some of them padding ------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "target"),
    [
        ("query_major", "sm_80"),
        ("chunk_major", "sm_90a"),
        ("union", "sm_80"),
        ("split_kv", "sm_80"),
    ],
)
@pytest.mark.parametrize("name", ["before_the_block", "fading", "of_all_chunks", "shared_by_all"])
def test_blocks(name: str, schedule: str, target: str) -> None:
    function: rf.JitFunction = getattr(blocks, name)
    given: dict[str, Any] = blocks.arrays(function, 4, B=1, L=40, N=60)
    given |= {**blocks.options(function, 4), "q_positions": blocks.padded(40)}
    expected = blocks.listed(function(**given))
    options = {"target": target, "schedule": schedule, "otherwise": "query_major"}
    program = function.ir("hsa", **given, target=target)
    plan, ptx = (_compiler.lower(program, last, options) for last in PLAN_PTX)
    names = re.findall(r"^(?:array|scalar) (\w+)", plan, re.MULTILINE)
    found = emulate_well(plan, ptx, {n: given[n] for n in names})
    for mine, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, right, rtol=0, atol=2e-5)


# ---- that the emulator notices ---------------------------------------------------------


def kernel_of(ptx: str, name: str) -> tuple[str, str, str]:
    """What precedes a kernel, the kernel, and what follows it."""
    begin = re.search(rf"\.entry {name}\b", ptx)
    assert begin is not None
    end = ptx.find(".entry", begin.end())
    end = len(ptx) if end < 0 else end
    return ptx[: begin.start()], ptx[begin.start() : end], ptx[end:]


def broken(ptx: str, name: str, instruction: str) -> list[str]:
    """The module without one `instruction` of a kernel, for each that the kernel has."""
    before, kernel, after = kernel_of(ptx, name)
    places = list(re.finditer(instruction, kernel))
    assert places
    return [f"{before}{kernel[: x.start()]}{kernel[x.end() :]}{after}" for x in places]


def complaints(plan: str, ptx: str, arguments: dict[str, Any]) -> str:
    emulation = Emulation(plan, ptx)
    try:
        emulation.call({name: as_array(x) for name, x in arguments.items()})
    except FaultError as fault:
        return "\n".join([*emulation.report, str(fault)])
    return "\n".join(emulation.report)


def test_a_missing_barrier_is_noticed() -> None:
    """Not every one is missed: the first precedes all use of shared memory."""
    plan, ptx, given = index_call(*duplicates())
    without = broken(ptx, "visit_indices_rank", r"bar\.sync\s+0;")
    assert any("race: read after write" in complaints(plan, text, given) for text in without)
    assert any("race: write after" in complaints(plan, text, given) for text in without)


@pytest.mark.parametrize(
    ("instruction", "complaint"),
    [
        (r"fence\.proxy\.async\.shared::cta;", "no proxy fence after write: hsa_kernel_visits"),
        (r"cp\.async\.wait_group\s+\d;", "copies not waited for: hsa_kernel_visits"),
    ],
    ids=["proxy fence", "wait"],
)
def test_what_is_missing_before_wgmma_is_noticed(instruction: str, complaint: str) -> None:
    """The kernel's last, which its products follow; others are not missed at these sizes."""
    case, dtype = VISITS["bf16"]
    plan, ptx = visit_texts(case, dtype, "hsa", "sm_90a")
    without = broken(ptx, "hsa_kernel_visits", instruction)[-1]
    assert complaint in complaints(plan, without, make(case, dtype) | {"scale": SCALE})


COPY = """.version 7.8
.target sm_80
.address_size 64

.visible .entry copy(
	.param .u64 copy_param_0
)
{
	.reg .b32 %r<3>;
	.reg .b64 %rd<4>;
	ld.param.u64 %rd1, [copy_param_0];
	mov.u32 %r1, %tid.x;
	mul.wide.u32 %rd2, %r1, 4;
	add.s64 %rd3, %rd1, %rd2;
	ld.global.u32 %r2, [%rd3];
	st.global.u32 [%rd3+128], %r2;
	ret;
}
"""
"""32 words of an array follow on its first 32."""


@pytest.mark.parametrize(
    ("role", "size", "complaint"),
    [
        ("array", 64, ""),
        ("result", 64, "global uninitialised read: copy:15"),
        ("array", 63, "global: wild access of 4 bytes at copy:16"),
    ],
)
def test_accesses_of_arrays(role: str, size: int, complaint: str) -> None:
    plan = f"""ramify.plan 1
{role} x i32 [{size}]
launch "copy" grid (1, 1, 1) block 32 (ptr(x))
end
"""
    said = complaints(plan, COPY, {"x": np.arange(size, dtype=np.int32)})
    assert said.startswith(complaint) and bool(said) == bool(complaint)
