# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How many rows chunk_major takes at once, in calls that are too long to be run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl


@rf.jit
def listed(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def listed_and_recent(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]), v[c])
    for c in rl.window(k, last=64):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def every(q: rl.Query, k: rl.Chunks, v: rl.Chunks):
    acc = rl.online_softmax(q, v)
    for c in rl.every(k):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def unbounded(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, last: int):
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=last):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


def rows(length: int, dtype: Any = np.float32, size: int = 16) -> np.ndarray:
    """Of one sequence, all of them the same memory."""
    return np.broadcast_to(np.zeros((1, 1, 1, size), dtype), (1, length, 1, size))


def programs(function: rf.JitFunction, kernel: str, **call: Any) -> list[int]:
    """How many programs each launch of a kernel of the gradients has."""
    text = function.derivative(("q", "k", "v")).explain(**call)
    assert "backward on cpu, schedule chunk_major" in text
    return [int(n) for n in re.findall(rf"backward_{kernel}: .* (\d+) programs", text)]


@pytest.mark.parametrize("length", [1 << 17, 1 << 18, 1 << 19])
def test_a_range_does_not_cut_the_windows_of_a_list(length: int) -> None:
    call: dict[str, Any] = {name: rows(length) for name in "qkv"}
    call |= {"indices": rows(length, np.int32, 8), "chunk_size": 64}
    alone, beside = (programs(f, "rows", **call) for f in (listed, listed_and_recent))
    assert beside == alone and sum(alone) == length
    assert alone[0] == 2 * length // 64  # 16 picks of each chunk


@pytest.mark.parametrize("keys", [1 << 20, 1 << 27, (1 << 31) - 16])
def test_items_of_a_range_have_numbers_of_32_bits(keys: int) -> None:
    call: dict[str, Any] = {"q": rows(1 << 16), "k": rows(keys), "v": rows(keys), "chunk_size": 16}
    windows = programs(every, "rows", **call)
    assert sum(windows) == 1 << 16
    for items in programs(every, "visits", **call):
        assert items == keys // 16 * -(-windows[0] // 64) < 1 << 31
    assert max(programs(unbounded, "visits", **call, last=(1 << 31) - 1)) < 1 << 31
