# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which schedule a call runs by where nobody says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import test_frontend as written
import test_gradients as gradients
import test_variants as variants
import torch
from arguments import random_arguments
from numerics import DEVICES, Case, make

import ramify as rf
from ramify import _compiler, compiler
from ramify.compiler import compiler_options
from ramify.schedules import (
    FEW_PROGRAMS,
    LONG,
    MANY_QUERIES,
    MANY_SLOTS,
    Choice,
    Situation,
    choose,
    wants_one_launch,
)

DECODING = Situation(
    "sm_90a", derivative="", deterministic=False, is_decoding=True, shares_rows=False
)
BACKWARD = replace(DECODING, derivative="backward", is_decoding=False)
BY_CHUNK = Choice("chunk_major", otherwise="query_major")
MANY = replace(DECODING, is_decoding=False, is_large=True)
IN_PLACE = Choice("chunk_major", otherwise="query_major", in_place=True, keys_per_row=8)
STEP = Case(B=1, L=1, N=4096, H=1, G=16, K=MANY_SLOTS)


def test_decoding_on_a_gpu_is_cut_into_slices() -> None:
    assert choose(DECODING) == Choice("split_kv")
    assert choose(replace(DECODING, deterministic=True)) == Choice("split_kv")


def test_what_selects_and_attends_in_one_launch() -> None:
    single = replace(DECODING, has_one_block=True)
    on_cpu = replace(single, target="cpu")
    assert wants_one_launch(on_cpu) and not wants_one_launch(single)
    assert not wants_one_launch(replace(on_cpu, has_one_block=False))
    few = replace(DECODING, has_few_walks=True)
    assert wants_one_launch(few) and not wants_one_launch(replace(few, target="cpu"))
    for derivative in ("forward", "backward"):
        assert not wants_one_launch(replace(on_cpu, derivative=derivative))
        assert not wants_one_launch(replace(few, derivative=derivative))


def test_large_chunks_of_small_groups_go_by_the_chunk() -> None:
    assert choose(MANY) == choose(replace(MANY, derivative="forward")) == IN_PLACE
    for long in (replace(MANY, is_long=True), replace(MANY, is_f32=True)):
        assert choose(long) == replace(IN_PLACE, keys_per_row=4)
    for reason in ({"target": "cpu"}, {"deterministic": True}, {"is_large": False}):
        assert choose(replace(MANY, **reason)) == Choice("query_major")


@pytest.mark.parametrize(
    ("case", "dtype", "more", "by_chunk"),
    [
        (Case(B=1, L=MANY_QUERIES, N=64, H=1, G=8), "bfloat16", {}, True),
        (Case(B=2, L=MANY_QUERIES // 2, N=64, H=1, G=8), "bfloat16", {}, True),
        (Case(B=1, L=MANY_QUERIES - 1, N=64, H=1, G=8), "bfloat16", {}, False),
        (Case(B=1, L=MANY_QUERIES, N=64, H=1, G=16), "bfloat16", {}, False),
        (Case(B=1, L=LONG, N=64, H=1, G=16), "bfloat16", {}, True),
        (Case(B=1, L=MANY_QUERIES, N=64, H=1, G=8, K=9), "bfloat16", {}, False),
        (Case(B=1, L=MANY_QUERIES, N=64, H=1, G=8), "float16", {}, False),
        (Case(B=1, L=MANY_QUERIES, N=64, H=1, G=16, K=9), "float32", {}, True),
        (Case(B=1, L=MANY_QUERIES, N=64, H=1, G=8), "bfloat16", {"deterministic": True}, False),
    ],
    ids=str,
)
def test_forward_by_sizes(case: Case, dtype: str, more: dict[str, bool], by_chunk: bool) -> None:
    case = case.but(D=16, S=64)
    x = make(case, getattr(torch, dtype))
    options = {"scale": 0.1, "chunk_size": case.S, **more}
    tile = rf.ops.hsa_kernel.ir("tile", **x, **options, target="sm_90a")
    assert ("@hsa_kernel_visits(" in tile) == by_chunk


@pytest.mark.parametrize(("group", "by_chunk"), [(8, False), (4, True), (1, True)])
def test_a_joint_softmax_is_not_finished_in_place(group: int, by_chunk: bool) -> None:
    """Its visits write parts: that costs less than it saves with 16 keys for each row."""
    case = Case(B=1, L=MANY_QUERIES, N=64, H=1, G=group, D=16, S=64)
    x = make(case, torch.bfloat16)
    x.pop("weights")
    tile = written.joint.ir("tile", **x, scale=0.1, chunk_size=64, target="sm_90a")
    assert ("_visits(" in tile) == by_chunk


def test_rows_of_heads_that_select_for_themselves_are_single_ones() -> None:
    """However many heads a group has."""
    x = random_arguments(rf.ops.moba_kernel.signature, B=1, L=MANY_QUERIES, N=64, H=1, G=8, S=64)
    options = {"scale": 0.1, "top_k": 2, "chunk_size": 64}
    tile = rf.ops.moba_kernel.ir("tile", **x, **options, target="sm_90a")
    assert "@moba_kernel_1_visits(" in tile


def test_gradients_are_summed_by_their_chunks() -> None:
    assert choose(BACKWARD) == BY_CHUNK
    assert choose(replace(BACKWARD, is_decoding=True)) == BY_CHUNK
    assert choose(replace(BACKWARD, shares_rows=True)) == BY_CHUNK
    assert choose(replace(BACKWARD, target="cpu")) == BY_CHUNK


def test_rows_that_share_visits_on_the_cpu() -> None:
    """Gradients go by the query, unless their order matters."""
    on_cpu = replace(BACKWARD, target="cpu", shares_rows=True)
    assert choose(on_cpu) == Choice("query_major")
    assert choose(replace(on_cpu, deterministic=True)) == BY_CHUNK


@pytest.mark.parametrize(
    "other",
    [
        {"target": "cpu"},
        {"derivative": "forward"},
        {"is_decoding": False},
    ],
    ids=str,
)
def test_all_else_is_query_major(other: dict[str, Any]) -> None:
    assert choose(replace(DECODING, **other)) == Choice("query_major")


@pytest.mark.parametrize(
    ("case", "target", "sliced"),
    [
        (STEP, "sm_90a", True),
        (STEP, "sm_80", True),
        (STEP, "cpu", False),
        (STEP.but(K=MANY_SLOTS - 1), "sm_90a", False),
        (STEP.but(B=FEW_PROGRAMS // 2, H=2), "sm_90a", True),
        (STEP.but(B=FEW_PROGRAMS // 2 + 1, H=2), "sm_90a", False),
        (STEP.but(L=2 * FEW_PROGRAMS, q_block=2), "sm_90a", True),
        (STEP.but(L=2 * FEW_PROGRAMS, q_block=1), "sm_90a", False),
    ],
    ids=str,
)
def test_choice_by_sizes(case: Case, target: str, sliced: bool) -> None:
    x = make(case, torch.bfloat16)
    options = {"scale": 0.1, "chunk_size": case.S, "q_block": case.q_block}
    tile = rf.ops.hsa_kernel.ir("tile", **x, **options, target=target)
    assert ("@hsa_kernel_slices(" in tile) == sliced


def test_what_a_user_says_counts_more() -> None:
    x = make(STEP, torch.bfloat16)
    by_query = rf.ops.hsa_kernel.options(schedule="query_major")
    options = {"scale": 0.1, "chunk_size": STEP.S}
    assert "_slices(" not in by_query.ir("tile", **x, **options, target="sm_90a")


def test_gradients_are_not_cut() -> None:
    x = make(STEP, torch.bfloat16)
    options = {"scale": 0.1, "chunk_size": STEP.S}
    program = rf.ops.hsa_kernel.ir("backward", **x, **options, target="sm_90a")
    assert "hsa.sums" in program


def schedules_of(plan: str) -> list[str]:
    """Those of the steps that `explain` tells."""
    return re.findall(r"schedule (\w+)", plan)


@pytest.mark.parametrize("name", ["alibi", "linear", "grouped"])
@pytest.mark.parametrize("wrt", ["k", "q"])
def test_gradients_of_what_chunk_major_refuses(name: str, wrt: str) -> None:
    """The chunks of a range visit queries for the gradients of their keys alone. The plan says by
    what it goes; a schedule that a user names stays."""
    function, _, options = gradients.VARIANTS[name]
    x = {**random_arguments(function.signature), **options, "chunk_size": 16}
    is_visited = "indices" in x or wrt == "k"
    shown = function.derivative(wrt).explain(**x)
    by_chunk = "chunk_major" if is_visited else "query_major"
    assert schedules_of(shown) == ["query_major", by_chunk]
    named = function.options(schedule="chunk_major").derivative(wrt)
    if not is_visited:
        with pytest.raises(rf.CompileError, match="visits no selected chunks"):
            named.explain(**x)


def test_gradients_of_visits_that_wait_for_others() -> None:
    function, options, sizes = variants.CASES["by hand"]
    arrays = random_arguments(function.signature, **sizes)
    options = {**options, "chunk_size": 16}
    shown = function.derivative(("q", "k", "v")).explain(**arrays, **options)
    assert schedules_of(shown) == ["query_major", "query_major"]
    gradients.check(function, arrays, options, "cpu")


@pytest.mark.parametrize("target", ["sm_80", "sm_89"])
def test_gradients_that_chunk_major_has_no_room_for(target: str) -> None:
    """It keeps queries, and a tile of a chunk's keys and values, in shared memory."""
    x = make(Case(B=1, L=4, N=512, H=1, G=16, D=256, S=256, K=2), torch.float32)
    text = rf.ops.hsa_kernel.ir("hsa", **x, scale=0.1, chunk_size=256)
    options = {"derivative": "backward", "wrt": "q,k,v", "target": target}
    options["schedule"] = "chunk_major"
    with pytest.raises(rf.CompileError, match=r"_visits\" needs \d+ bytes of shared memory, of"):
        _compiler.lower(text, "plan", options)
    options["otherwise"] = "query_major"
    assert 'note "schedule" "query_major"' in _compiler.lower(text, "plan", options)


@pytest.mark.parametrize("name", ["ranges", "no loop", "windowed"])
def test_functions_without_a_selection_are_query_major(name: str) -> None:
    function, options, _ = variants.CASES[name]
    x = random_arguments(function.signature, B=1)
    given = {"chunk_size": 16, **options}
    given = {key: value for key, value in given.items() if value is not None}
    assert "_slices(" not in function.ir("tile", **x, **given, target="sm_90a")


@pytest.mark.parametrize("device", DEVICES)
def test_both_sides_of_a_condition_are_right(device: str) -> None:
    """One kernel for each side, whatever the lengths are."""
    kernel = rf.ops.hsa_kernel.options()
    for length, slots in ((1, 40), (3, 17), (200, 17), (1, 2), (300, 3)):
        case = STEP.but(L=length, K=slots)
        x = {name: t.to(device) for name, t in make(case, torch.float32).items()}
        found = kernel(**x, scale=0.1, chunk_size=case.S)
        by_query = rf.ops.hsa_kernel.options(schedule="query_major")
        wanted = by_query(**x, scale=0.1, chunk_size=case.S)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert kernel.compilations <= 2


def test_row_statistics_are_aligned_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number for each row, saved or given, keeps no kernel from reading rows 16 bytes at a time;
    slots that are saved do if their rows are no such multiple."""
    aligned: list[object] = []

    def on_gpu(*args: Any) -> dict[str, Any]:
        aligned.append(compiler_options(*args[:3], "sm_90a", *args[4:])["aligned"])
        return compiler_options(*args)

    monkeypatch.setattr(compiler, "compiler_options", on_gpu)
    case = Case(B=1, L=4, N=64, H=1, G=1, D=16, S=16)
    x = {name: value for name, value in make(case, torch.float32).items() if name in "qkv"}
    given = {"scale": 0.1, "chunk_size": 16}
    window = rf.ops.sliding_window_kernel.derivative(("q", "k", "v"))
    given |= {"window": 20, "num_keys": torch.full((1,), 64, dtype=torch.int32)}
    out, saved = window.forward(**x, **given)
    window.backward(saved, out, **x, **given)
    assert aligned == [True, True]
    for top_k, expected in ((4, True), (3, False)):
        aligned.clear()
        x["means"] = torch.randn(1, 4, 1, 16)
        moba = rf.ops.moba_kernel.derivative(("q", "k", "v"))
        options = {"scale": 0.1, "chunk_size": 16, "top_k": top_k}
        out, saved = moba.forward(**x, **options)
        moba.backward(saved, (out[0], None, None), **x, **options)
        assert aligned == [True, expected]
