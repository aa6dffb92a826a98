# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What calls of selections give the compiler: roles with sizes, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_selection_language import reads_rows, select_and_attend

import ramify as rf
import ramify.language as rl

CHOICES: dict[str, Any] = {"scale": 0.25, "top_k": 4, "size": 16, "chunk_size": 16}


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


def program(function: Any, *arrays: Any, **given: Any) -> str:
    """The line that names the program's parameters and results."""
    text: str = function.ir("hsa", *arrays, target="cpu", **given)
    return next(line for line in text.splitlines() if "hsa.program" in line)


def select(r: Any, landmarks: Any, **given: Any) -> str:
    return program(rf.ops.select_kernel, r, landmarks, **{**CHOICES, **given})


R, LANDMARKS = zeros(2, 40, 4, 32), zeros(2, 3, 2, 32)


def test_a_selection_alone() -> None:
    line = select(R, LANDMARKS)
    assert "%r: !hsa.query<f32, pos = 1, head = 2, dim = 32>" in line
    assert '!hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 32>' in line
    assert "-> (tensor<1x4xf32, #pos_slot>, tensor<1x4xi32, #pos_slot>)" in line


@pytest.mark.parametrize(("heads", "kind", "group"), [(1, "kv", 4), (2, "kv", 2), (4, "kv", 1)])
def test_landmarks_say_how_many_heads_there_are(heads: int, kind: str, group: int) -> None:
    line = select(R, zeros(2, 3, heads, 32))
    assert f"heads = {kind}, key" in line and f"group = {group} :" in line


@pytest.mark.parametrize(("heads", "kind"), [(1, "one"), (2, "kv"), (4, "query")])
def test_beside_keys_landmarks_have_their_own_heads(heads: int, kind: str) -> None:
    keys = zeros(2, 33, 2, 32)
    line = program(shared_score, R, zeros(2, 3, heads, 32), keys, top_k=4, chunk_size=16)
    assert f"heads = {kind}, key = 16" in line and "group = 2 :" in line


@rf.jit
def shared_score(r: rl.Query, lm: rl.Landmarks, k: rl.Chunks, *, top_k: rl.constexpr):
    slots = rl.topk(rl.max(rl.dot(r, lm), over="head"), top_k)
    out = rl.zeros(r)
    for slot, c in rl.selected(slots):
        out += rl.max(rl.dot(r, k[c]), over="key")
    return out


def test_the_chunk_size_of_landmarks_alone_is_free_and_their_rows_are_long() -> None:
    assert "key = 7, dim = 1024>" in select(
        zeros(2, 40, 4, 1024), zeros(2, 3, 2, 1024), chunk_size=7, size=7
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"num_keys": 32}, []),
        ({"num_keys": 33}, ["%num_keys: !hsa.num_keys<from_end>"]),
        ({"num_keys": np.array([40, 33], np.int32)}, ["%num_keys: !hsa.num_keys<from_end>"]),
        ({"num_keys": 33, "q_start": 5}, ["%num_keys: !hsa.num_keys)"]),
        ({"q_positions": np.arange(40, dtype=np.int32)}, ["%q_positions: !hsa.q_positions)"]),
    ],
    ids=str,
)
def test_keys_and_positions(given: dict[str, Any], expected: list[str]) -> None:
    line = select(R, LANDMARKS, **given)
    assert [part for part in ("%num_keys", "%q_positions") if part in line] == [
        part.partition(":")[0] for part in expected
    ]
    assert all(part in line for part in expected)


def test_whole_rows_are_compiled_for_their_number_of_slots() -> None:
    for slots in (3, 5):
        rows = zeros(2, 40, 2, slots), zeros(2, 40, 2, slots, dtype=np.int32)
        line = program(reads_rows, R, LANDMARKS, *rows, chunk_size=16)
        assert line.count(f"slots = {slots}>") == 2 and f"tensor<1x{slots}xf32" in line


@pytest.mark.parametrize(
    ("r", "landmarks", "given", "error", "message"),
    [
        (R, zeros(1, 3, 2, 32), {}, rf.errors.ArgumentError, "has B = 1"),
        (R, zeros(3, 2, 32), {}, rf.errors.ArgumentError, "landmarks"),
        (R, zeros(2, 3, 3, 32), {}, rf.errors.ArgumentError, "HQ = 4 and H = 3"),
        (R, zeros(2, 3, 2, 24), {}, rf.LanguageError, "'dim' has 32 elements on one side and 24"),
        (R, LANDMARKS.astype(np.float16), {}, rf.errors.ArgumentTypeError, "landmarks"),
        (R, LANDMARKS.astype(np.int32), {}, rf.errors.ArgumentTypeError, "landmarks"),
        (zeros(2, 40, 4, 30), zeros(2, 3, 2, 30), {}, rf.UnsupportedError, "multiples of 8 up to"),
        (R, LANDMARKS, {"chunk_size": 0}, rf.errors.ArgumentError, "an int >= 1"),
        (R, LANDMARKS, {"num_keys": -1}, rf.errors.ArgumentError, "num_keys: expected an int >= 0"),
        (R, LANDMARKS, {"top_k": 129}, rf.LanguageError, "expects 1 to 128 slots, found 129"),
        (R, LANDMARKS, {"order": "best"}, rf.LanguageError, "found 'best'"),
    ],
)
def test_what_does_not_fit(
    r: Any, landmarks: Any, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        select(r, landmarks, **given)
    assert message in str(caught.value)


def test_landmarks_are_as_many_as_the_chunks_of_the_keys() -> None:
    keys = zeros(2, 33, 2, 32)
    for chunks in (2, 4):
        with pytest.raises(rf.errors.ArgumentError, match="expected 3 chunks for 33 keys"):
            program(
                select_and_attend,
                R,
                zeros(2, chunks, 2, 32),
                keys,
                keys,
                scale=1.0,
                top_k=2,
                chunk_size=16,
            )
