# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What fn.explain says about a call."""

from __future__ import annotations

from typing import Any

import pytest
import test_frontend as written
import test_select_then_attend as attending
import test_variants as variants
import torch
from arguments import random_arguments
from numerics import Case, make
from test_select_gradients import CHOICES

import ramify as rf
import ramify.language as rl
from ramify.ops.select import select_arguments


def test_schedule_launches_and_work_of_hsa() -> None:
    case = Case(B=2, L=12, N=128, H=2, G=4, D=32, S=32, K=3)
    x = make(case, torch.float32)
    text = rf.ops.hsa_kernel.explain(**x, scale=0.1, chunk_size=32)
    assert "hsa_kernel on cpu, schedule query_major" in text
    assert "launch hsa_kernel: grid (12, 2, 2), 48 programs" in text
    # Two products of 4 heads, 32 keys and 32 dims; a chunk of keys and one of values in float32.
    assert "each visit of a chunk: 16 kFLOP in products, 8.0 KiB read" in text
    assert "visits: at most 144, one for each slot" in text
    assert "workspace: 0.0 MiB" in text
    assert "tiles: chunks of 32 keys one by one" in text
    text = rf.ops.hsa_kernel.options(key_tile=64).explain(**x, scale=0.1, chunk_size=32)
    assert "tiles: 2 chunks of 32 keys at once" in text


def test_ranges_have_visits_without_slots() -> None:
    function, options, _ = variants.CASES["windowed"]
    text = function.explain(**random_arguments(function.signature), chunk_size=16, **options)
    assert "each visit of a chunk" in text
    assert "one for each slot" not in text


def test_tiles_and_why_not_larger_ones() -> None:
    function, _, _ = variants.CASES["own"]
    x = random_arguments(function.signature, S=16)
    text = function.options(key_tile=64).explain(**x, chunk_size=16)
    assert "16 keys one by one since a position has one chunk of its own" in text
    text = function.options(key_tile=16, registers=1).explain(**x, chunk_size=48)
    assert "chunks of 48 keys in passes over tiles of 16" in text
    text = function.options(key_tile=16).explain(**x, chunk_size=48)
    assert "chunks of 48 keys in 3 tiles of 16 at once" in text


def test_launches_and_workspace_of_chunk_major() -> None:
    case = Case(B=2, L=12, N=128, H=2, G=4, D=32, S=32, K=3)
    x = make(case, torch.float32)
    by_chunk = rf.ops.hsa_kernel.options(schedule="chunk_major")
    text = by_chunk.explain(**x, scale=0.1, chunk_size=32)
    assert "hsa_kernel on cpu, schedule chunk_major: programs own chunks" in text
    launches = [line.split()[1].rstrip(":") for line in text.splitlines() if "launch" in line]
    steps = ("rank", "columns", "place", "heads", "opens", "items")
    index = [f"hsa_kernel_indices_{step}" for step in steps]
    assert launches == [*index, "hsa_kernel_visits"]
    # The index of two sequences and two heads: a block's counts and their sums, of 1024 bins in
    # int32, and 1.4 KiB that grow with picks.
    assert "workspace: 34.0 KiB" in text


def test_groups_of_union() -> None:
    """Eight blocks of four heads fill a tile of 32 rows, so 12 queries are two groups."""
    case = Case(B=2, L=12, N=128, H=2, G=4, D=32, S=32, K=3)
    by_union = rf.ops.hsa_kernel.options(schedule="union")
    text = by_union.explain(**make(case, torch.float32), scale=0.1, chunk_size=32)
    assert "hsa_kernel on cpu, schedule union: programs own neighbouring query blocks" in text
    assert "launch hsa_kernel_unions: grid (1, 2, 2), 4 programs" in text
    assert "launch hsa_kernel: grid (2, 2, 2), 8 programs" in text


def test_slices_of_split_kv() -> None:
    """A CPU counts as one SM that has room for 16 programs; no slice is without a slot."""
    case = Case(B=2, L=1, N=640, H=1, G=4, D=32, S=32, K=9)
    in_slices = rf.ops.hsa_kernel.options(schedule="split_kv")
    text = in_slices.explain(**make(case, torch.float32), scale=0.1, chunk_size=32)
    assert "hsa_kernel on cpu, schedule split_kv: programs own slices" in text
    assert "launch hsa_kernel_slices: grid (8, 1, 2), 16 programs" in text
    assert "launch hsa_kernel_rest: grid (1, 1, 2), 2 programs" in text
    few = make(case.but(K=3), torch.float32)
    text = in_slices.explain(**few, scale=0.1, chunk_size=32)
    assert "launch hsa_kernel_slices: grid (3, 1, 2), 6 programs" in text
    many = make(case.but(L=64), torch.float32)
    text = in_slices.explain(**many, scale=0.1, chunk_size=32)
    assert "launch hsa_kernel_slices: grid (64, 1, 2), 128 programs" in text


@pytest.mark.parametrize(
    "choices", [{"schedule": name} for name in ("chunk_major", "union", "split_kv")], ids=str
)
def test_workspace_is_bounded_whatever_the_length(choices: dict[str, Any]) -> None:
    """At a million queries with 128 slots, as the plan says: nothing runs."""
    case = Case(B=1, L=2, N=64, H=1, G=16, D=64, S=64, K=1)
    kernel = rf.ops.hsa_kernel.options(**choices)
    plan = kernel.compile(**make(case, torch.float32), scale=0.1, chunk_size=64).plan
    for length, slots in ((2**16, 8), (2**20, 8), (2**20, 128)):
        shapes = {
            "q": (1, length, 16, 64),
            "k": (1, length, 1, 64),
            "v": (1, length, 1, 64),
            "weights": (1, length, 1, slots),
            "indices": (1, length, 1, slots),
        }
        assert plan.workspace_bytes(shapes) <= 256 * 2**20


def test_a_function_that_selects_and_then_attends() -> None:
    given = attending.arrays()  # 2 sequences of 150 queries with 2 groups of 3 heads
    options = {"scale": 0.25, "top_k": 4, "chunk_size": 16}
    text = attending.retrieve.explain(*given, **options)
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "retrieve on cpu: 2 programs one after the other"
    assert lines[1].startswith("retrieve_0, schedule streamed: programs own query blocks")
    assert lines[2] == "launch retrieve_0: grid (5, 2, 2), 20 programs"
    assert lines[3] == "tiles: 32 queries walk over the chunks once, 64 at a time"
    assert lines[4].startswith("retrieve_1, schedule query_major: one program for each query block")
    assert lines[5] == "launch retrieve_1: grid (150, 2, 2), 600 programs"
    # Scores of 3 heads by 16 dims; two products of 3 heads, 16 keys and 16 dims.
    assert "each chunk that a walk passes: 0.1 kFLOP in products" in lines
    assert "walks: 600 query blocks over at most 10 chunks: 0.00 GFLOP" in lines
    assert "each visit of a chunk: 3 kFLOP in products, 2.0 KiB read" in lines
    assert any(line.startswith("visits: at most 2400, one for each slot") for line in lines)
    assert lines[-1] == "workspace: 0.0 MiB"  # weights and slots are returned
    text = attending.joint.explain(*given, scale=0.25, chunk_size=16)
    assert "joint_0, schedule streamed" in text and "joint_1, schedule query_major" in text
    assert "workspace: 7.2 KiB" in text  # 3 picks for each of 600 rows, aligned


def test_walks_of_a_selection() -> None:
    q, _, _, landmarks = attending.arrays(G=1, H=1, D=64)
    text = normalised.explain(q, landmarks, chunk_size=16)
    assert "normalised on cpu, schedule streamed: programs own query blocks and walk" in text
    assert "queries walk over the chunks 2 times" in text
    assert "each visit" not in text


@rf.jit
def normalised(q: rl.Query, landmarks: rl.Landmarks):
    s = rl.sum(rl.dot(q, landmarks), over="head")
    share = rl.softmax(s, over="chunk")
    slots = rl.topk(rl.where(share > 0.01, s, -rl.inf), 4)
    return s.at(slots), slots


def test_gradients() -> None:
    case = Case(B=2, L=12, N=128, H=2, G=4, D=32, S=32, K=3)
    x = make(case, torch.bfloat16)
    derivative = rf.ops.hsa_kernel.derivative(("q", "k", "v", "weights"))
    text = derivative.explain(**x, scale=0.1, chunk_size=32)
    assert "hsa_kernel, forward on cpu, schedule query_major" in text
    assert "  saved: nothing, 0.0 MiB" in text
    assert "hsa_kernel, backward on cpu, schedule chunk_major: programs own chunks" in text
    assert "launch hsa_kernel_backward_visits: grid " in text
    # Sums for keys and values in float32, 2 x 2 x 128 x 2 x 32 of them, become bf16.
    backward = text[text.index("backward on") :]
    assert "workspace: 0.2 MiB" in backward and backward.count("launch") >= 3


def test_what_is_saved_for_gradients() -> None:
    q, k, v, landmarks = attending.arrays()
    derivative = rf.ops.select_kernel.derivative(("r", "landmarks"))
    choices = select_arguments(q, chunk_size=16, **CHOICES)
    text = derivative.explain(q, landmarks, **choices)
    assert "select_kernel, forward on cpu, schedule streamed" in text
    assert "saved: result 1, 1 array beside the results" in text
    assert "select_kernel_backward_1, schedule query_major" in text
    joined = written.joint.derivative("q").explain(
        **random_arguments(written.joint.signature), scale=0.1, chunk_size=16
    )
    assert "saved: result 0, result 1" in joined
