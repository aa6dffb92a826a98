# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What fn.explain says about a call."""

from __future__ import annotations

import test_variants as variants
import torch
from arguments import random_arguments
from numerics import Case, make

import ramify as rf


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


def test_ranges_have_visits_without_slots() -> None:
    function, options, _ = variants.CASES["windowed"]
    text = function.explain(**random_arguments(function.signature), chunk_size=16, **options)
    assert "each visit of a chunk" in text
    assert "one for each slot" not in text
