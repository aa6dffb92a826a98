# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: F841, RET504
"""Streams, selections and their loops that the language does not allow: message, place, hint.

Each case is a function, the essence of its message, the text that the carets stand below, and a
part of the hint.
"""

from __future__ import annotations

from typing import Any

import pytest
from test_frontend import ARRAYS, lowered

import ramify as rf
import ramify.language as rl
from ramify.frontend import ArraySpec

SPECS = {
    **ARRAYS,
    "r": ArraySpec("bf16", dim=64),
    "lm": ArraySpec("bf16", dim=64),
    "other": ArraySpec("bf16", dim=64),
    "indices": ArraySpec("i32", slots=8),
}


@rf.jit
def reads_while_reducing(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots):
        out += rl.max(out, over="dim")
    return out


@rf.jit
def scales_while_reducing(r: rl.Query, lm: rl.Landmarks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r)
    for slot, c in rl.selected(slots):
        out *= rl.sum(lm[c], over="dim")
    return out


@rf.jit
def overwrites(r: rl.Query, lm: rl.Landmarks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r)
    for slot, c in rl.selected(slots):
        out = out + rl.sum(lm[c], over="dim")
    return out


@rf.jit
def reads_softmax_in_its_loop(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    acc = rl.online_softmax(r, v)
    for slot, c in rl.selected(slots):
        x = acc.lse
        acc.push(rl.sum(rl.dot(r, lm[c]), over="head"), rl.sum(v[c], over="key"))
    return acc.value


@rf.jit
def carries_slots_out(r: rl.Query, lm: rl.Landmarks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r)
    for slot, c in rl.selected(slots):
        last = rl.sum(lm[c], over="dim")
        out += last
    return out + last


@rf.jit
def top_k_at_run_time(r: rl.Query, lm: rl.Landmarks, *, n: int):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), n)
    return slots


@rf.jit
def top_k_of_zero(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, lm), over="head"), 0)


@rf.jit
def top_k_too_large(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, lm), over="head"), 2048)


@rf.jit
def top_k_of_true(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, lm), over="head"), True)


@rf.jit
def top_k_of_a_float(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8.0)


@rf.jit
def unknown_order(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8, order="largest")


@rf.jit
def top_k_of_rows(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(r, over="dim"), 8)


@rf.jit
def top_k_of_landmarks(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(lm, 8)


@rf.jit
def top_k_of_a_condition(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.end(lm) <= rl.query_position(), 8)


@rf.jit
def top_k_without_k(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, lm), over="head"))


@rf.jit
def slots_of_another_partition(r: rl.Query, lm: rl.Landmarks["a"], other: rl.Landmarks["b"]):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    return rl.sum(rl.dot(r, other), over="head").at(slots)


@rf.jit
def visits_another_partition(
    r: rl.Query, lm: rl.Landmarks["a"], other: rl.Landmarks["b"], v: rl.Chunks["b"]
):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots):
        out += rl.sum(v[c], over="key")
    return out


@rf.jit
def indices_of_another_partition(
    r: rl.Query, lm: rl.Landmarks["a"], indices: rl.ChunkIndices["b"], v: rl.Chunks["b"]
):
    return rl.sum(rl.dot(r, lm), over="head").at(indices)


@rf.jit
def mixes_partitions(r: rl.Query, lm: rl.Landmarks["a"], other: rl.Landmarks["b"]):
    return rl.topk(rl.sum(rl.dot(r, lm) + rl.dot(r, other), over="head"), 8)


@rf.jit
def mixes_metadata(r: rl.Query, lm: rl.Landmarks["a"], other: rl.Landmarks["b"]):
    s = rl.where(rl.end(other) <= rl.query_position(), rl.sum(rl.dot(r, lm), over="head"), 0.0)
    return rl.topk(s, 8)


@rf.jit
def returns_a_stream(r: rl.Query, lm: rl.Landmarks):
    return rl.dot(r, lm)


@rf.jit
def returns_landmarks(r: rl.Query, lm: rl.Landmarks):
    return lm


@rf.jit
def returns_metadata(r: rl.Query, lm: rl.Landmarks):
    return rl.end(lm)


@rf.jit
def reduces_into_a_stream(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    s = rl.sum(rl.dot(r, lm), over="head")
    for c in rl.every(v):
        s += 1.0
    return rl.topk(s, 8)


@rf.jit
def adds_a_stream_in_a_loop(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    out = rl.zeros(r)
    for c in rl.every(v):
        out += rl.dot(r, lm)
    return out


@rf.jit
def merges_a_stream(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    acc = rl.online_softmax(r, v)
    for c in rl.every(v):
        acc.merge(rl.dot(r, lm), v[c])
    return acc.value


@rf.jit
def merges_rows_with_a_stream(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    acc = rl.online_softmax(r, v)
    acc.merge(rl.dot(r, lm), rl.sum(r, over="head"))
    return acc.value


@rf.jit
def merges_values_of_another_width(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    acc = rl.online_softmax(r, v)
    acc.merge(rl.dot(r, lm), lm)
    return acc.value


@rf.jit
def undecided_product(r: rl.Query, lm: rl.Landmarks, other: rl.Landmarks):
    return rl.topk(rl.dot(lm, other), 8)


@rf.jit
def indexes_a_stream(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    s = rl.dot(r, lm)
    out = rl.zeros(r)
    for c in rl.every(v):
        out += s[c]
    return out


@rf.jit
def reads_rows_of_each_head(r: rl.Query, lm: rl.Landmarks, picks: rl.ChunkIndices):
    return rl.sum(rl.dot(r, lm), over="head").at(picks)


CASES = [
    (reads_while_reducing, "`out` is read inside the loop", "out", "after the loop"),
    (scales_while_reducing, "an operator that is no sum", "out *= rl.sum", "any order"),
    (overwrites, "`out` is assigned inside the loop but lives before it", "out", "out += x"),
    (reads_softmax_in_its_loop, "read inside the loop that merges", "acc.push", "after the loop"),
    (carries_slots_out, "`last` exists only inside the loop", "last", "carry it out"),
    (top_k_at_run_time, "known when the function is compiled, found a i32", "n)", "rl.constexpr"),
    (top_k_of_zero, "expects 1 to 128 slots, found 0", "0)", ""),
    (top_k_too_large, "expects 1 to 128 slots, found 2048", "2048", ""),
    (top_k_of_true, "expects a number of slots, found True", "True", ""),
    (top_k_of_a_float, "expects a number of slots, found 8.0", "8.0", ""),
    (unknown_order, "'nearest', 'ascending', 'score', found 'largest'", '"largest"', ""),
    (top_k_of_rows, "if at all, found an array [pos, head]", "rl.sum(r", "rl.dot(q, landmarks)"),
    (top_k_of_landmarks, "found a stream [chunk, dim]", "lm", "summed first"),
    (top_k_of_a_condition, "expects numbers, found a condition", "rl.end(lm)", "rl.where"),
    (top_k_without_k, "missing a required argument: 'k'", "rl.topk(", "rl.topk(s, k"),
    (
        slots_of_another_partition,
        "over the chunks of 'b' is read at slots of 'a'",
        "slots",
        "belong",
    ),
    (visits_another_partition, "read by a chunk of 'b', found a chunk of 'a'", "c]", "rl.selected"),
    (
        indices_of_another_partition,
        "stream over the chunks of 'a' is read at slots of 'b'",
        "indices",
        "partition",
    ),
    (mixes_partitions, "the chunks of 'a' and of 'b' meet", "rl.dot(r, lm) +", "reduce one"),
    (mixes_metadata, "the chunks of 'b' and of 'a' meet", "rl.where", "read both at slots"),
    (returns_a_stream, "is never stored, so it is no result", "return rl.dot", "rl.topk"),
    (returns_landmarks, "is never stored, so it is no result", "return lm", "s.at(slots)"),
    (
        returns_metadata,
        "a stream [chunk] over the chunks of 'kv' is never",
        "return rl.end",
        "rl.sum",
    ),
    (reduces_into_a_stream, "which cannot be reduced into", "s += 1.0", "rl.zeros"),
    (adds_a_stream_in_a_loop, "found one more of [pos, head, chunk]", "out +=", 'over="chunk"'),
    (
        merges_a_stream,
        "scores and values for each key, found [pos, head, chunk]",
        "acc.merge",
        "push",
    ),
    (
        merges_rows_with_a_stream,
        "expects [chunk, dim] or [head, chunk, dim], found an array [pos, dim]",
        "rl.sum(r",
        "value of one chunk",
    ),
    (merges_values_of_another_width, "`values` expects dim = 32, found 64", "lm)", ""),
    (undecided_product, "names do not decide which axis", "rl.dot(lm", 'over="chunk"'),
    (indexes_a_stream, "is not indexed", "s[c]", "s.at(slots)"),
]


@pytest.mark.parametrize(
    ("function", "message", "marked", "hint"), CASES, ids=lambda v: getattr(v, "__name__", "")
)
def test_wrong_selection(function: Any, message: str, marked: str, hint: str) -> None:
    with pytest.raises(rf.LanguageError) as caught:
        lowered(function, arrays=SPECS, chunk_sizes={"kv": 64, "a": 64, "b": 64})
    error = caught.value
    assert message in error.message
    text = error.text or ""
    assert text[error.column - 1 :].startswith(marked), str(error)
    assert hint in error.hint
    assert error.filename.endswith("test_selection_errors.py") and error.line > 0


def test_rows_of_each_query_head_are_no_value() -> None:
    arrays = {**SPECS, "picks": ArraySpec("i32", heads="query", slots=8)}
    with pytest.raises(rf.LanguageError, match="has a row for each query head") as caught:
        lowered(reads_rows_of_each_head, arrays=arrays, chunk_sizes={"kv": 64})
    assert "it is visited" in caught.value.hint
