# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: F841, RET503
"""Loops and accumulators that the language does not allow: the message, the place, what is legal.

Each case is a function, the essence of its message, the text that the carets stand below, and a
part of the hint.
"""

from __future__ import annotations

from typing import Any

import pytest
from test_frontend import lowered

import ramify as rf
import ramify.language as rl
from ramify.frontend import ArraySpec


@rf.jit
def reads_accumulator(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c]) * (1 + out)
    return out


@rf.jit
def assigns_outer_name(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out, last = rl.zeros(q, v), rl.zeros(q)
    for slot, c in rl.selected(indices):
        last = rl.max(rl.dot(q, k[c]), over="key")
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out, last


@rf.jit
def writes_out_the_sum(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        out = out + rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out


@rf.jit
def multiplies(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out *= rl.max(rl.dot(q, k[c]), over="key")
    return out


@rf.jit
def breaks(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
        break
    return out


@rf.jit
def continues(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        continue
    return out


@rf.jit
def loops_while(q: rl.Query, v: rl.Chunks):
    while True:
        pass
    return rl.zeros(q, v)


@rf.jit
def merges_twice(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]), v[c])
        acc.merge(rl.dot(q, k[c]) * 2, v[c])
    return acc.value


@rf.jit
def reads_softmax(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]), v[c])
        out += acc.lse
    return out


@rf.jit
def merges_after_reading(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += acc.lse
        acc.merge(rl.dot(q, k[c]), v[c])
    return out


@rf.jit
def two_monoids(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        s = rl.max(rl.dot(q, k[c]), over="key")
        out += s
        out = rl.maximum(out, s)
    return out


@rf.jit
def contributes_keys(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.dot(q, k[c])
    return out


@rf.jit
def constant_accumulator(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    total = 0.0
    for slot, c in rl.selected(indices):
        total += rl.max(rl.dot(q, k[c]), over="key")
    return total


@rf.jit
def local_after_loop(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]))
        out += rl.dot(p, v[c])
    return out + rl.sum(p, over="key")


@rf.jit
def nested_loops(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        for d in rl.own(k):
            out += rl.dot(rl.softmax(rl.dot(q, k[d])), v[d])
    return out


@rf.jit
def empty_loop(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    for slot, c in rl.selected(indices):
        s = rl.dot(q, k[c])
    return rl.zeros(q, v)


@rf.jit
def selected_without_slot(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for c in rl.selected(indices):
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out


@rf.jit
def window_with_slot(q: rl.Query, k: rl.Chunks, v: rl.Chunks):
    out = rl.zeros(q, v)
    for slot, c in rl.window(k, last=64):
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out


@rf.jit
def iterates_indices(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for c in indices:
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out


@rf.jit
def returns_in_loop(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
        return out


@rf.jit
def breaks_constants(q: rl.Query):
    for i in range(3):
        if i == 1:
            break
    return q


LOOPS = [
    (breaks_constants, "`break` is not part", "break", "unrolled"),
    (reads_accumulator, "`out` is read inside the loop", "out", "second loop"),
    (assigns_outer_name, "`last` is assigned inside the loop", "last", "out += x"),
    (writes_out_the_sum, "`out` is assigned inside", "out", "`out += x`"),
    (multiplies, "an operator that is no sum", 'out *= rl.max(rl.dot(q, k[c]), over="key")', "+="),
    (breaks, "`break` is not part", "break", "rl.where"),
    (continues, "`continue` is not part", "continue", "rl.where"),
    (loops_while, "`while` is not part", "while True:", "range(n)"),
    (merges_twice, "a second merge", "acc.merge(rl.dot(q, k[c]) * 2, v[c])", "a second loop"),
    (reads_softmax, "read inside the loop that merges", "acc.lse", "after the loop"),
    (merges_after_reading, "read inside the loop", "acc.merge(rl.dot(q, k[c]), v[c])", "after the"),
    (two_monoids, "by sum and by max in one loop", "out = rl.maximum(out, s)", "for each"),
    (contributes_keys, "found one more of [pos, head, key]", "out += rl.dot(q, k[c])", "rl.sum"),
    (
        constant_accumulator,
        "is a constant",
        'total += rl.max(rl.dot(q, k[c]), over="key")',
        "zeros",
    ),
    (local_after_loop, "`p` exists only inside the loop of line", "p", "out += x"),
    (nested_loops, "inside a loop over chunks", "for d in rl.own(k):", "one after the other"),
    (empty_loop, "reduces into nothing", "for slot, c in rl.selected(indices):", "out += x"),
    (selected_without_slot, "a slot and a chunk", "c", "for slot, c in"),
    (window_with_slot, "chunks without slots", "slot, c", "for c in"),
    (iterates_indices, "expected a domain", "indices", "rl.selected(indices)"),
    (returns_in_loop, "`return` inside a loop", "return out", "after the loop"),
]


@pytest.mark.parametrize(
    ("function", "message", "marked", "hint"),
    LOOPS,
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_function(function: Any, message: str, marked: str, hint: str) -> None:
    arrays = {"bias": ArraySpec("f32"), "w": ArraySpec("f32"), "s": ArraySpec("bf16", dim=64)}
    with pytest.raises(rf.LanguageError) as caught:
        lowered(function, arrays=arrays, chunk_sizes={"kv": 64, "cmp": 16})
    error = caught.value
    assert message in error.message
    text = error.text or ""
    assert text[error.column - 1 : (error.end_offset or 0) - 1] == marked
    assert hint in error.hint
    assert error.filename == __file__
    assert error.excerpt in str(error)
