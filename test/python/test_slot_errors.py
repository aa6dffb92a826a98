# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Slots and their values in ways that the language does not allow: message, place, hint.

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
def reads_rows_at_slots(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8).at(0)


@rf.jit
def landmarks_at_slots(r: rl.Query, lm: rl.Landmarks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    return lm.at(slots)


@rf.jit
def condition_at_slots(r: rl.Query, lm: rl.Landmarks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    return (rl.end(lm) <= rl.query_position()).at(slots)


@rf.jit
def at_numbers(r: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(r, lm), over="head")
    return s.at(rl.topk(s, 8) + 1)


@rf.jit
def visits_numbers(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots - 1):
        out += rl.sum(v[c], over="key")
    return out


@rf.jit
def visits_heads_and_sums_them(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    s = rl.dot(r, lm)
    total = rl.sum(s, over="head")
    slots = rl.topk(s + total, 8)
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots):
        out += rl.sum(v[c], over="key")
    return out


@rf.jit
def visits_without_slot(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r, v)
    for c in rl.selected(slots):
        out += rl.sum(v[c], over="key")
    return out


@rf.jit
def loops_over_slots(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    out = rl.zeros(r, v)
    for slot in rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8):
        out += 1.0
    return out


@rf.jit
def loops_over_a_stream(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    out = rl.zeros(r, v)
    for row in lm:
        out += 1.0
    return out


@rf.jit
def weighs_computed_slots(
    r: rl.Query, lm: rl.Landmarks, v: rl.Chunks, weights: rl.ChunkWeights, indices: rl.ChunkIndices
):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots):
        out += weights[slot] * rl.sum(v[c], over="key")
    return out


@rf.jit
def weighs_by_other_slots(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    s = rl.sum(rl.dot(r, lm), over="head")
    w = s.at(rl.topk(s, 4))
    out = rl.zeros(r, v)
    for slot, c in rl.selected(rl.topk(s, 8)):
        out += w[slot] * rl.sum(v[c], over="key")
    return out


@rf.jit
def reads_slots_by_number(r: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(r, lm), over="head")
    return s.at(rl.topk(s, 4))[0]


@rf.jit
def reads_slots_by_chunk(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    s = rl.sum(rl.dot(r, lm), over="head")
    w = s.at(rl.topk(s, 4))
    out = rl.zeros(r, v)
    for c in rl.every(v):
        out += w[c]
    return out


@rf.jit
def keeps_of_a_stream(r: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(r, lm), over="head")
    return rl.topk(s.keep(s > 0), 8)


@rf.jit
def keeps_by_a_stream(r: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(r, lm), over="head")
    return rl.topk(s, 8).keep(s > 0)


@rf.jit
def keeps_by_numbers(r: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(r, lm), over="head")
    slots = rl.topk(s, 8)
    return slots.keep(s.at(slots))


@rf.jit
def cumsum_of_a_stream(r: rl.Query, lm: rl.Landmarks):
    return rl.cumsum(rl.sum(rl.dot(r, lm), over="head"))


@rf.jit
def cumsum_over_heads(r: rl.Query, lm: rl.Landmarks):
    s = rl.dot(r, lm)
    return rl.cumsum(s.at(rl.topk(s, 8)), over="head")


@rf.jit
def cumsum_exclusive_by_number(r: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(r, lm), over="head")
    return rl.cumsum(s.at(rl.topk(s, 8)), exclusive=1)


@rf.jit
def stick_breaking_of_a_stream(r: rl.Query, lm: rl.Landmarks):
    return rl.stick_breaking(rl.sum(rl.dot(r, lm), over="head"))


@rf.jit
def softmax_over_dim(r: rl.Query, lm: rl.Landmarks):
    return rl.softmax(lm, over="dim")


@rf.jit
def softmax_over_missing_slots(r: rl.Query, lm: rl.Landmarks):
    return rl.softmax(rl.dot(r, lm), over="slot")


@rf.jit
def sum_over_missing_chunks(r: rl.Query, lm: rl.Landmarks):
    return rl.sum(r, over="chunk")


@rf.jit
def length_of_a_loop(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    out = rl.zeros(r)
    for c in rl.every(v):
        out += rl.length(c)
    return out


@rf.jit
def end_of_a_query(r: rl.Query, lm: rl.Landmarks):
    return rl.topk(rl.where(rl.end(r) > 0, rl.sum(rl.dot(r, lm), over="head"), 0.0), 8)


@rf.jit
def every_of_landmarks(r: rl.Query, lm: rl.Landmarks):
    out = rl.zeros(r)
    for c in rl.every(lm):
        out += rl.sum(lm[c], over="dim")
    return out


@rf.jit
def landmarks_of_another_chunk(r: rl.Query, lm: rl.Landmarks["a"], v: rl.Chunks["b"]):
    out = rl.zeros(r)
    for c in rl.every(v):
        out += rl.sum(lm[c], over="dim")
    return out


@rf.jit
def branches_on_a_stream(r: rl.Query, lm: rl.Landmarks):
    s = rl.sum(rl.dot(r, lm), over="head")
    if s > 0:
        s = s * 2
    return rl.topk(s, 8)


@rf.jit
def weights_as_a_whole_elsewhere(
    r: rl.Query, v: rl.Chunks, weights: rl.ChunkWeights, indices: rl.ChunkIndices
):
    return passes_on(weights)


@rf.jit
def passes_on(w: rl.Array):
    return rl.softmax(w, over="slot")


CASES = [
    (reads_rows_at_slots, "only a stream over chunks is read at slots", "rl.topk", "x[slot]"),
    (landmarks_at_slots, "axes out of [pos, head, chunk]", "lm.at", "reduce `dim` first"),
    (condition_at_slots, "numbers with axes", "(rl.end", "rl.where"),
    (at_numbers, "expects slots, found an array [pos, slot]", "rl.topk(s, 8) + 1", "slots.keep"),
    (visits_numbers, "expects slots, found an array [pos, slot]", "slots - 1", "slots.keep"),
    (
        visits_heads_and_sums_them,
        "a selection for each query head, so a block has one head",
        '"head"',
        "that the group shares",
    ),
    (visits_without_slot, "gives a slot and a chunk", "c in", "for slot, c"),
    (
        loops_over_slots,
        "expected a domain of chunks, found slots of 'kv'",
        "rl.topk",
        "rl.selected",
    ),
    (loops_over_a_stream, "expected a domain of chunks, found the landmarks", "lm", "rl.selected"),
    (weighs_computed_slots, "the slots of the loop are computed", "weights[slot]", "rl.softmax"),
    (weighs_by_other_slots, "has 4 slots, the selection of the loop 8", "w[slot]", "own selection"),
    (reads_slots_by_number, "read by a slot, found the constant 0", "0]", "rl.selected(slots)"),
    (reads_slots_by_chunk, "read by a slot, found a chunk of 'kv'", "c]", "rl.selected(slots)"),
    (keeps_of_a_stream, "only slots have `keep`, found a stream", "s.keep", "rl.topk"),
    (keeps_by_a_stream, "a condition on slots", "s > 0", "s.at(slots)"),
    (keeps_by_numbers, "expects a condition, found an array [pos, slot]", "s.at(slots)", "compare"),
    (cumsum_of_a_stream, "along the slots of a selection, found a stream", "rl.cumsum", "s.at"),
    (cumsum_over_heads, "over 'head'", "rl.cumsum", "s.at(slots)"),
    (cumsum_exclusive_by_number, "expects True or False, found 1", "1)", ""),
    (
        stick_breaking_of_a_stream,
        "rl.stick_breaking: rl.cumsum: it runs along the slots",
        "rl.stick_breaking",
        "s.at(slots)",
    ),
    (softmax_over_dim, "over 'dim'", "rl.softmax", "online_softmax"),
    (softmax_over_missing_slots, "over 'slot'", "rl.softmax", ""),
    (sum_over_missing_chunks, "cannot be reduced over 'chunk'", '"chunk"', "'head', 'dim'"),
    (length_of_a_loop, "role landmarks or a parameter of role chunks, found a chunk", "c)", ""),
    (end_of_a_query, "role landmarks or a parameter of role chunks, found the query", "r)", ""),
    (every_of_landmarks, "expects a parameter of role chunks, found the landmarks", "lm)", ""),
    (landmarks_of_another_chunk, "`lm` is read by a chunk of 'a', found a chunk of 'b'", "c]", ""),
    (branches_on_a_stream, "the condition has to be known", "s > 0", "rl.where"),
    (
        weights_as_a_whole_elsewhere,
        "found the weights parameter `weights` as a whole",
        "w, over",
        "w[slot]",
    ),
]


@pytest.mark.parametrize(
    ("function", "message", "marked", "hint"), CASES, ids=lambda v: getattr(v, "__name__", "")
)
def test_wrong_slots(function: Any, message: str, marked: str, hint: str) -> None:
    with pytest.raises(rf.LanguageError) as caught:
        lowered(function, arrays=SPECS, chunk_sizes={"kv": 64, "a": 64, "b": 64})
    error = caught.value
    assert message in error.message
    text = error.text or ""
    assert text[error.column - 1 :].startswith(marked), str(error)
    assert hint in error.hint
    assert error.filename.endswith("test_slot_errors.py") and error.line > 0


@rf.jit
def visits_rows(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    slots = rl.topk(rl.sum(rl.dot(r, lm), over="head"), 8)
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots):
        out += rl.sum(v[c], over="key")
    return out


@rf.jit
def keeps_rows(r: rl.Query, v: rl.Chunks):
    slots = rl.topk(rl.start(v) * 1.0, 8)
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots.keep(rl.query_position() > 3)):
        out += rl.sum(v[c], over="key")
    return out


def test_positions_of_a_block_do_not_share_a_computed_selection() -> None:
    with pytest.raises(rf.LanguageError, match="one score of each chunk for the 4 pos") as caught:
        lowered(visits_rows, arrays=SPECS, q_block=4)
    assert 'r: rl.Query["block"]' in caught.value.hint
    with pytest.raises(rf.LanguageError, match="one for each of its 4 positions") as caught:
        lowered(keeps_rows, arrays=SPECS, q_block=4)
    assert "rl.ChunkIndices, one row for each query" in caught.value.hint
