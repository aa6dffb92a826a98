# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ramify.ops.hsa against float64: random shapes and every corner, on each device there is."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from numerics import DEVICES, Case, bound, make, reference

import ramify as rf

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# How each is asked for, whatever it would choose itself at these sizes.
SCHEDULES: dict[str, dict[str, Any]] = {
    "query_major": {"schedule": "query_major"},
    "chunk_major": {"schedule": "chunk_major"},
    "union": {"schedule": "union"},
    "split_kv": {"schedule": "split_kv", "slices": 3},
}
BASE = Case()

CORNERS = [
    "all empty",
    "empty in the middle",
    "out of range",
    "nan at empty",
    "duplicates",
    "last chunk",
]

CASES = {
    "base": BASE,
    **{f"corner: {c}": BASE.but(corner=c) for c in CORNERS},
    **{f"G={g}": BASE.but(G=g, H=1 if g > 4 else 2) for g in (1, 2, 4, 5, 8, 12, 16, 32)},
    **{f"D={d}": BASE.but(D=d) for d in (16, 24, 32, 64, 80, 96, 128, 192, 256)},
    **{f"S={s}": BASE.but(S=s, N=2 * s + 11) for s in (16, 32, 48, 64, 80, 128, 256)},
    "Dv > D": BASE.but(Dv=128),
    "Dv < D": BASE.but(Dv=40),
    "Dv=256": BASE.but(D=256, Dv=256, S=256, N=600),
    "softmax_1": BASE.but(n=1.0),
    "softmax_1, tiny logits": BASE.but(n=1.0, logits=1e-4),
    "huge logits": BASE.but(logits=200.0),
    "softmax_1, huge logits": BASE.but(n=1.0, logits=200.0),
    "tiny logits": BASE.but(logits=1e-6),
    "C < K": BASE.but(N=64, K=5),
    "N < S": BASE.but(N=7),
    "K=1": BASE.but(K=1),
    "K=40": BASE.but(K=40),
    "L=1": BASE.but(L=1),
    "L > N": BASE.but(L=200, N=70),
    "q_block=4": BASE.but(q_block=4),
    "q_block=S": BASE.but(q_block=64, L=150),
    "q_block=64, G=16": BASE.but(q_block=64, G=16, H=1, L=130, B=1),
    "weights per query head": BASE.but(weight_heads="query"),
    "weights broadcast": BASE.but(weight_heads="one"),
    "indices broadcast": BASE.but(index_heads="one", weight_heads="one"),
    "indices per query head": BASE.but(index_heads="query", weight_heads="query"),
    "int64 indices": BASE.but(index_dtype=torch.int64, corner="out of range"),
    "weights in half": BASE.but(weight_dtype=torch.float16),
    "weights in bf16": BASE.but(weight_dtype=torch.bfloat16),
    **{f"S={s}, {c}": BASE.but(S=s, K=7, corner=c) for s in (16, 32) for c in CORNERS},
    "S=16, C < K": BASE.but(S=16, N=23, K=5),
    "S=16, L=1": BASE.but(S=16, L=1, B=1, K=64, N=900),
    "S=32, q_block=8": BASE.but(S=32, q_block=8, K=5),
    "S=32, indices per query head": BASE.but(S=32, index_heads="query", weight_heads="query"),
    "S=16, weights per query head": BASE.but(
        S=16, K=6, weight_heads="query", corner="nan at empty"
    ),
    "S=16, softmax_1": BASE.but(S=16, K=6, n=1.0, corner="out of range"),
    "S=32, Dv=256": BASE.but(S=32, K=5, D=256, Dv=256),
    "B=0": BASE.but(B=0),
    "L=0": BASE.but(L=0),
    "N=0": BASE.but(N=0),
    "K=0": BASE.but(K=0),
}


def run(x: dict[str, torch.Tensor], case: Case, **choices: Any) -> torch.Tensor:
    """ramify.ops.hsa, or its kernel compiled with `choices`."""
    if not choices:
        return rf.ops.hsa(**x, chunk_size=case.S, softmax_n=case.n, q_block=case.q_block)
    kernel = rf.ops.hsa_kernel.options(**choices)
    return kernel(
        **x, chunk_size=case.S, scale=case.D**-0.5, softmax_n=case.n, q_block=case.q_block
    )


def check(case: Case, dtype: torch.dtype, device: str, seed: int = 0, **choices: Any) -> None:
    x = make(case, dtype, seed)
    scale = case.D**-0.5
    ref = reference(case, x, scale)
    there = {name: t.to(device) for name, t in x.items()}
    out = run(there, case, **choices)
    assert out.shape == ref.shape
    assert out.dtype == dtype
    assert out.device.type == device
    out = out.cpu()
    assert torch.isfinite(out).all()
    error = (out.double() - ref).abs().max().item() if ref.numel() else 0.0
    assert error <= bound(x, case, scale, ref)
    chunks = -(-case.N // case.S)
    if case.index_heads == case.weight_heads == "kv" and case.q_block == 1 and ref.numel():
        none = ((x["indices"] < 0) | (x["indices"] >= chunks)).all(-1)
        masked = none.repeat_interleave(case.G, -1)
        assert (out[masked] == 0).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, dtype: torch.dtype, device: str) -> None:
    check(CASES[name], dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", list(SCHEDULES)[1:])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_case_by_schedule(name: str, dtype: torch.dtype, schedule: str, device: str) -> None:
    check(CASES[name], dtype, device, **SCHEDULES[schedule])


def test_chunk_major_over_several_windows() -> None:
    """More queries than a window has, a chunk that all select, and one that none selects."""
    case = Case(B=1, L=4500, N=640, H=1, G=2, D=16, S=32, K=3)
    x = make(case, torch.float32)
    x["indices"][..., 0] = 5
    x["indices"][x["indices"] == 7] = 8
    scale = case.D**-0.5
    ref = reference(case, x, scale)
    fn = rf.ops.hsa_kernel.options(schedule="chunk_major")
    given: dict[str, Any] = {**x, "scale": scale, "chunk_size": case.S}
    first, again = (fn(**given, deterministic=True) for _ in range(2))
    assert torch.equal(first, again)
    for out in (first, run(x, case, schedule="chunk_major")):
        assert (out.double() - ref).abs().max().item() <= bound(x, case, scale, ref)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("G", [1, 4, 16])
def test_union_of_picks_that_neighbours_share(G: int, device: str) -> None:  # noqa: N803
    """The same picks for 16 queries each, but for some; the same bits each time."""
    case = Case(B=1, L=100, N=4000, H=2, G=G, S=32, K=8)
    x = make(case, torch.bfloat16)
    shared = x["indices"][:, ::16].repeat_interleave(16, 1)[:, : case.L].contiguous()
    kept = torch.rand(shared.shape, generator=torch.Generator().manual_seed(3)) < 0.9
    x["indices"] = torch.where(kept, shared, x["indices"])
    scale = case.D**-0.5
    ref = reference(case, x, scale)
    there = {name: t.to(device) for name, t in x.items()}
    first, again = (run(there, case, schedule="union") for _ in range(2))
    assert (first.cpu().double() - ref).abs().max().item() <= bound(x, case, scale, ref)
    assert torch.equal(first, again)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_chunks_of_neighbours_are_not_seen(schedule: str, device: str) -> None:
    """A chunk without a finite number changes those that selected it, and no others."""
    case = Case(B=1, L=32, N=640, H=1, G=4, S=64, K=3)
    x = make(case, torch.float32)
    x["indices"][x["indices"] == 7] = 6
    there = {name: t.to(device) for name, t in x.items()}
    clean = run(there, case, **SCHEDULES[schedule])
    x["indices"][0, 5::8, 0, 1] = 7
    x["k"][:, 7 * 64 : 8 * 64] = float("nan")
    x["v"][:, 7 * 64 : 8 * 64] = float("inf")
    found = run({name: t.to(device) for name, t in x.items()}, case, **SCHEDULES[schedule])
    others = torch.arange(case.L) % 8 != 5
    torch.testing.assert_close(found[:, others], clean[:, others], rtol=0, atol=2e-6)
    assert found[:, ~others].isnan().any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("K", [1, 3, 64])
def test_split_kv_in_slices_of_its_own_choice(K: int, device: str) -> None:  # noqa: N803
    """Two queries leave room for slices; they are added in the same order each time."""
    case = Case(B=2, L=1, N=4000, H=1, G=16, S=32, K=K, corner="out of range" if K > 1 else "")
    x = make(case, torch.bfloat16)
    check(case, torch.bfloat16, device, schedule="split_kv")
    there = {name: t.to(device) for name, t in x.items()}
    first, again = (run(there, case, schedule="split_kv") for _ in range(2))
    assert torch.equal(first, again)


OVER_WINDOWS: dict[str, tuple[Case, dict[str, Any]]] = {
    # 33 numbers for each of 32 x 64 picks of a group and two heads; 62 groups fill 32 MiB.
    "union": (Case(B=1, L=2100, N=1024, H=2, G=1, D=16, S=16, K=64), {}),
    # A slice has a part of 16 heads with 65 numbers; 15 blocks of 1024 slices fill 64 MiB.
    "split_kv": (Case(B=3, L=17, N=640, H=1, G=16, S=32, K=3), {"slices": 1024}),
    "split_kv, sequences": (Case(B=17, L=1, N=640, H=1, G=16, S=32, K=3), {"slices": 1024}),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", OVER_WINDOWS)
def test_several_windows(name: str, device: str) -> None:
    """More query blocks, or sequences, than the workspace is for at once."""
    case, choices = OVER_WINDOWS[name]
    check(case, torch.float32, device, schedule=name.partition(",")[0], **choices)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", ["union", "split_kv"])
def test_new_lengths_compile_nothing_by_schedule(schedule: str, device: str) -> None:
    kernel = rf.ops.hsa_kernel.options(schedule=schedule)
    for length, keys, slots in ((1, 33, 2), (5, 4096, 70), (300, 100, 1)):
        x = make(Case(D=32, S=32, L=length, N=keys, K=slots), torch.float32)
        there = {name: t.to(device) for name, t in x.items()}
        kernel(**there, chunk_size=32, scale=0.1)
    assert kernel.compilations <= 1


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(12))
def test_random_shapes_by_schedule(seed: int, device: str, schedule: str) -> None:
    check_random(seed, device, schedule)


def check_random(seed: int, device: str, schedule: str) -> None:
    r = random.Random(seed)
    case = Case(
        B=r.randint(1, 3),
        L=r.randint(1, 80),
        N=r.randint(1, 500),
        H=r.randint(1, 3),
        G=r.choice((1, 2, 3, 4, 6, 8, 12, 16)),
        D=8 * r.randint(1, 16),
        Dv=8 * r.randint(1, 16),
        S=16 * r.randint(1, 8),
        K=r.randint(1, 9),
        q_block=1,
        n=r.choice((0.0, 0.5, 1.0)),
        corner=r.choice(("", "out of range")),
    )
    check(case, r.choice(DTYPES), device, seed, **SCHEDULES[schedule])


@pytest.mark.parametrize("device", DEVICES)
def test_views_need_no_copy(device: str) -> None:
    """Strided and unaligned views, contiguous in the last axis, work as they are."""
    case = Case(D=64)
    x = make(case, torch.float16)
    wide = torch.zeros(case.B, case.N, case.H, 64 + 9, dtype=torch.float16)
    wide[..., 5:69] = x["k"]
    there = {name: t.to(device) for name, t in x.items()}
    whole = rf.ops.hsa(**there, chunk_size=case.S)
    there["k"] = wide.to(device)[..., 5:69]
    q = there["q"].transpose(1, 2).contiguous().transpose(1, 2)
    there["q"] = q
    part = rf.ops.hsa(**there, chunk_size=case.S)
    assert torch.equal(whole, part)


@pytest.mark.parametrize("device", DEVICES)
def test_keys_beyond_two_to_the_31_elements(device: str) -> None:
    """The last chunk begins at 2^31 elements; the memory between the picks is never touched."""
    size, dim = 64, 64
    keys = 2**31 // dim + size
    picks = torch.tensor([0, 2**30 // (dim * size), 2**31 // (dim * size)])
    near = make(Case(B=1, L=3, N=3 * size, H=1, K=1), torch.float16)
    near["indices"][...] = torch.arange(3).view(1, 3, 1, 1)
    far = dict(near, indices=picks.int().view(1, 3, 1, 1))
    for name in ("k", "v"):
        far[name] = torch.empty(1, keys, 1, dim, dtype=torch.float16, device=device)
        chunks = near[name].view(3, size, dim)
        far[name].view(-1, size, dim)[picks.to(device)] = chunks.to(device)
    found, expected = (
        rf.ops.hsa(**{name: t.to(device) for name, t in x.items()}, chunk_size=size)
        for x in (far, near)
    )
    assert torch.equal(found, expected)


@pytest.mark.parametrize("device", DEVICES)
def test_new_lengths_compile_nothing(device: str) -> None:
    case = Case(D=32, S=32)
    rf.ops.hsa(**{k: t.to(device) for k, t in make(case, torch.float32).items()}, chunk_size=32)
    before = rf.ops.hsa_kernel.compilations
    for length, keys, slots in ((1, 33, 2), (5, 4096, 7), (300, 100, 1)):
        x = make(case.but(L=length, N=keys, K=slots), torch.float32)
        rf.ops.hsa(**{k: t.to(device) for k, t in x.items()}, chunk_size=32)
    assert rf.ops.hsa_kernel.compilations == before
