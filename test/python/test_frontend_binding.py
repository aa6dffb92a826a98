# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls with wrong arguments: each a typed error that says what was expected and found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl
from ramify.frontend.binding import ArrayInfo, measure, query_block, specialise, split

hsa = rf.ops.hsa_kernel

SHAPES = {
    "q": (2, 7, 6, 16),
    "k": (2, 50, 2, 16),
    "v": (2, 50, 2, 24),
    "weights": (2, 7, 2, 3),
    "indices": (2, 7, 2, 3),
}


def call(function: Any = hsa, options: Any = None, dtypes: Any = None, **changes: Any) -> Any:
    """What the jit does with a call before it compiles: split, measure, specialise."""
    shapes = {**SHAPES, **changes}
    names = [parameter.name for parameter in function.signature.arrays]
    given = {"scale": 0.5, "chunk_size": 16, **(options or {})}
    given = {name: value for name, value in given.items() if value is not ...}
    arguments = split(function.signature, tuple(names), given)
    kinds = {**dict.fromkeys(names, "bf16"), "weights": "f32", "indices": "i32", **(dtypes or {})}
    infos = {name: ArrayInfo(shapes[name], kinds[name]) for name in names}
    sizes = measure(function.signature, infos, arguments.options)
    return specialise(function.signature, infos, sizes, arguments.constants)


def test_a_right_call_gives_its_specialisation() -> None:
    found = call()
    assert found.group == 3
    assert found.chunk_sizes == {"kv": 16}
    assert found.constants == {"softmax_n": 0.0}
    assert found.arrays["v"].dim == 24
    assert found.arrays["indices"].heads == "kv"
    assert found.q_block == 1


def test_lengths_are_no_part_of_it() -> None:
    other = call(
        q=(5, 9, 6, 16),
        k=(5, 3, 2, 16),
        v=(5, 3, 2, 24),
        weights=(5, 9, 2, 8),
        indices=(5, 9, 2, 8),
    )
    assert other == call()


SHAPE_ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"q": (7, 6, 16)}, r"`q`: expected rank 4, \[B, L, HQ, D\], found shape \(7, 6, 16\)"),
    ({"k": (2, 50, 2, 16, 1)}, "`k`: expected rank 4"),
    ({"indices": (2, 7, 3)}, "`indices`: expected rank 4"),
    ({"q": (2, 7, 5, 16)}, "expected a multiple of the 2 key/value heads, found 5"),
    ({"k": (3, 50, 2, 16)}, r"`k`: expected \[B, N, H\] = \[2, 50, 2\], found shape \(3,"),
    ({"v": (2, 49, 2, 24)}, r"`v`: expected \[B, N, H\] = \[2, 50, 2\], found shape \(2, 49"),
    ({"v": (2, 50, 1, 24)}, r"`v`: expected \[B, N, H\] = \[2, 50, 2\]"),
    ({"indices": (1, 7, 2, 3)}, r"`indices`: expected \[B, rows\] = \[2, 7\]"),
    ({"weights": (2, 6, 2, 3)}, r"`weights`: expected \[B, rows\] = \[2, 7\], found shape \(2, 6"),
    ({"weights": (2, 7, 4, 3)}, "`weights`: expected 1, H = 2 or HQ = 6 heads, found 4"),
    ({"indices": (2, 7, 3, 3)}, "`indices`: expected 1, H = 2 or HQ = 6 heads, found 3"),
    ({"weights": (2, 7, 2, 4)}, "`weights`: expected K = 3 slots as `indices` has"),
    ({"options": {"chunk_size": 0}}, "chunk size of 'kv': expected an int >= 1, found 0"),
    ({"options": {"chunk_size": 16.0}}, "chunk size of 'kv': expected an int >= 1, found 16.0"),
    ({"options": {"chunk_size": True}}, "chunk size of 'kv': expected an int >= 1, found True"),
    ({"options": {"chunk_size": ...}}, "expected chunk_size=... .*, found neither"),
    ({"options": {"chunks": {"kv": 16}}}, "found both"),
    ({"options": {"chunk_size": ..., "chunks": {"cmp": 16}}}, r"expected sizes of \['kv'\]"),
    ({"options": {"q_block": 2}}, r"expected ceil\(L / q_block\) = 4 .* found 7"),
    ({"options": {"q_block": 0}}, "q_block: expected an int >= 1, found 0"),
    ({"options": {"scale": math.nan}}, "`scale`: expected a finite number, found nan"),
    ({"options": {"scale": math.inf}}, "`scale`: expected a finite number, found inf"),
]


@pytest.mark.parametrize(("changes", "message"), SHAPE_ERRORS)
def test_wrong_values(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(rf.ArgumentError, match=message):
        call(**changes)


TYPE_ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"options": {"scale": ...}}, "missing a required .*'scale'.* Its parameters are q, k, v"),
    ({"options": {"scle": 1.0}}, "unexpected keyword argument 'scle'"),
    ({"options": {"q": 1.0}}, "multiple values for argument 'q'"),
    ({"options": {"scale": "1"}}, "`scale`: expected a float, found str '1'"),
    ({"options": {"scale": True}}, "`scale`: expected a float, found bool True"),
    ({"options": {"softmax_n": [1]}}, r"`softmax_n` \(rl.constexpr\): expected a number"),
    ({"dtypes": {"k": "f32"}}, "`k`: expected bf16 as `q` has, found f32"),
    ({"dtypes": {"q": "f64"}}, "`q`: expected float32, bfloat16 or float16, found f64"),
    ({"dtypes": {"indices": "f32"}}, "`indices`: expected int32 or int64, found f32"),
    ({"dtypes": {"weights": "i32"}}, "`weights`: expected float32, bfloat16 or float16"),
]


@pytest.mark.parametrize(("changes", "message"), TYPE_ERRORS)
def test_wrong_types(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(rf.ArgumentTypeError, match=message):
        call(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q": (2, 7, 6, 20), "k": (2, 50, 2, 20)}, "`q`: .* multiples of 8 up to 256, found 20"),
        ({"v": (2, 50, 2, 264)}, "`v`: .* found 264"),
        ({"options": {"chunk_size": 24}}, "multiples of 16 from 16 to 256, found 24"),
        ({"options": {"chunk_size": 512}}, "multiples of 16 from 16 to 256, found 512"),
    ],
)
def test_configurations_without_kernels(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(rf.UnsupportedError, match=message):
        call(**changes)


@rf.jit
def tensors(
    q: rl.Query,
    k: rl.Chunks,
    gate: rl.Tensor["pos", "head"],
    bias: rl.Tensor["kv.chunk", "head"],
    *,
    last: int = 3,
):
    return rl.zeros(q)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gate": (7, 5)}, r"`gate`: expected \[pos = 7, head = 6\].* found shape \(7, 5\)"),
        ({"gate": (3, 7, 6)}, r"`gate`: .* B = 2 first"),
        ({"gate": (7,)}, r"`gate`: expected \[pos, head\], with or without a batch"),
        ({"bias": (5, 6)}, r"`bias`: expected \[chunk = 4, head = 6\]"),
        ({"options": {"last": 2**31}}, "`last`: expected an int32"),
    ],
)
def test_wrong_tensors(changes: dict[str, Any], message: str) -> None:
    right = {"gate": (7, 6), "bias": (2, 4, 6), "options": {"scale": ...}}
    options = {**right["options"], **changes.get("options", {})}
    assert call(tensors, **right).arrays["bias"].batch
    with pytest.raises(rf.ArgumentError, match=message):
        call(tensors, **{**right, **changes, "options": options})


@rf.jit
def chunks_first(q: rl.Query, per_chunk: rl.Tensor["kv.chunk"], per_key: rl.Tensor["kv.key"]):
    return q + rl.query_position()


@rf.jit
def keys_first(q: rl.Query, per_key: rl.Tensor["kv.key"], per_chunk: rl.Tensor["kv.chunk"]):
    return q + rl.query_position()


@rf.jit
def landmarks_first(q: rl.Query, marks: rl.Landmarks, per_key: rl.Tensor["kv.key"]):
    return q + rl.query_position()


@rf.jit
def landmarks_last(q: rl.Query, per_key: rl.Tensor["kv.key"], marks: rl.Landmarks):
    return q + rl.query_position()


@rf.jit
def chunks_only(q: rl.Query, per_chunk: rl.Tensor["kv.chunk"]):
    return q + rl.query_position()


@rf.jit
def two_partitions(q: rl.Query, per_chunk: rl.Tensor["far.chunk"], k: rl.Chunks["near"]):
    return q + rl.query_position()


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, 5 * 16 - 4),
        ({"num_keys": 70}, 70 - 4),
        ({"num_keys": np.array([70], np.int32)}, 70 - 4),
        ({"q_start": 3}, 3),
    ],
    ids=["alone", "num_keys", "num_keys of each", "q_start"],
)
def test_chunks_alone_say_how_many_keys_there_are(options: dict[str, Any], first: int) -> None:
    q, per_chunk = np.zeros((1, 4, 2, 16), np.float32), np.zeros(5, np.float32)
    found = chunks_only.reference(q, per_chunk, chunk_size=16, **options)
    assert found[0, :, 0, 0].tolist() == list(range(first, first + 4))
    assert np.array_equal(chunks_only(q, per_chunk, chunk_size=16, **options), found)
    derivative = chunks_only.derivative("q")
    out, saved = derivative.forward(q, per_chunk, chunk_size=16, **options)
    assert np.array_equal(out, found)
    (dq,) = derivative.backward(saved, np.ones_like(out), q, per_chunk, chunk_size=16, **options)
    assert np.array_equal(dq, np.ones_like(q))


def test_queries_stand_among_the_keys_of_the_first_partition() -> None:
    q, per_chunk = np.zeros((1, 4, 2, 16), np.float32), np.zeros(5, np.float32)
    k, chunks = np.zeros((1, 70, 2, 16), np.float32), {"far": 16, "near": 32}
    found = two_partitions.reference(q, per_chunk, k, chunks=chunks)
    assert found[0, :, 0, 0].tolist() == [76, 77, 78, 79]
    assert np.array_equal(two_partitions(q, per_chunk, k, chunks=chunks), found)


@pytest.mark.parametrize(
    "function",
    [chunks_first, keys_first, landmarks_first, landmarks_last],
    ids=lambda function: function.signature.name,
)
def test_keys_are_counted_before_chunks(function: Any) -> None:
    """75 keys in chunks of 16 are 5 chunks, whichever parameter comes first."""
    q, per_key = np.zeros((1, 4, 2, 16), np.float32), np.zeros(75, np.float32)

    def arrays(chunks: int) -> dict[str, Any]:
        own: dict[str, Any] = {"q": q, "per_key": per_key}
        if "marks" in function.signature.parameters:
            return {**own, "marks": np.zeros((1, chunks, 2, 16), np.float32)}
        return {**own, "per_chunk": np.zeros((chunks,), np.float32)}

    found = function.reference(**arrays(5), chunk_size=16)
    assert found[0, :, 0, 0].tolist() == [71, 72, 73, 74]
    assert np.array_equal(function(**arrays(5), chunk_size=16), found)
    for run in (function, function.reference):
        with pytest.raises(rf.ArgumentError, match="5"):
            run(**arrays(4), chunk_size=16)


def test_an_int_parameter_takes_no_float() -> None:
    with pytest.raises(rf.ArgumentTypeError, match=r"`last`: expected an int, found float 3\.0"):
        call(tensors, gate=(7, 6), bias=(4, 6), options={"scale": ..., "last": 3.0})


def test_numpy_numbers_are_numbers() -> None:
    options = {"scale": np.float32(0.5), "softmax_n": np.float64(1.0)}
    assert call(options=options).constants == {"softmax_n": 1.0}
    numbers = {"scale": ..., "last": np.int32(4)}
    assert call(tensors, gate=(7, 6), bias=(4, 6), options=numbers).group == 3


@pytest.mark.parametrize(
    ("length", "rows", "given", "expected"),
    [
        (8, 8, None, 1),
        (8, 1, None, 8),
        (4096, 64, 64, 64),
        (10, 4, None, 3),
        (10, 4, 3, 3),
        (9, None, 5, 5),
        (9, None, None, 1),
        (0, 0, None, 1),
    ],
)
def test_query_block(length: int, rows: int | None, given: int | None, expected: int) -> None:
    assert query_block(length, rows, given) == expected


@pytest.mark.parametrize(
    ("length", "rows", "message"),
    [(130, 3, r"q_block may be 44\.\.64.* Pass q_block="), (8, 9, "no q_block fits"), (8, 0, "no")],
)
def test_query_block_that_cannot_be_inferred(length: int, rows: int, message: str) -> None:
    with pytest.raises(rf.ArgumentError, match=message):
        query_block(length, rows, None)


def test_the_reference_checks_alike() -> None:
    q, k = np.zeros((2, 7, 6, 16)), np.zeros((2, 50, 2, 16))
    indices = np.zeros((2, 7, 2, 3), np.int32)
    with pytest.raises(rf.ArgumentError, match="`weights`: expected K = 3"):
        hsa.reference(q, k, k, np.zeros((2, 7, 2, 4)), indices, scale=1.0, chunk_size=16)
    with pytest.raises(rf.ArgumentTypeError, match="`indices`: expected an array of integers"):
        hsa.reference(q, k, k, q[:, :, :2, :3], q[:, :, :2, :3], scale=1.0, chunk_size=16)
    with pytest.raises(rf.ArgumentError, match="num_keys: expected 0 to N = 50, found 51"):
        hsa.reference(q, k, k, q[:, :, :2, :3], indices, scale=1.0, chunk_size=16, num_keys=51)
