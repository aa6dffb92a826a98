# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Signatures that the language does not allow: the message, the place, the nearest legal form.

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


def without_annotation(q: rl.Query, k):
    return q


def unknown_annotation(q: rl.Query, k: dict):
    return q


def bare_tensor(q: rl.Query, bias: rl.Tensor):
    return q


def positional_scalar(q: rl.Query, scale: float):
    return q


def variadic(q: rl.Query, *rest: rl.Chunks):
    return q


def default_array(q: rl.Query, k: rl.Chunks = None):
    return q


def no_query(k: rl.Chunks):
    return k


def lonely_weights(q: rl.Query, k: rl.Chunks, w: rl.ChunkWeights):
    return q


def undefined_annotation(q: rl.Query, k: Chunk):
    return q


def chunks_of_nothing(q: rl.Query, indices: rl.ChunkIndices, bias: rl.Tensor["kv.chunk"]):
    return q


def by_position_only(q: rl.Query, /):
    return q


SIGNATURES = [
    (without_annotation, "`k` has no annotation", "k", "rl.Chunks"),
    (unknown_annotation, "dict is not the type of a parameter", "k: dict", "rl.Chunks"),
    (bare_tensor, "Tensor is not the type", "bias: rl.Tensor", "rl.Tensor[...]"),
    (positional_scalar, "keyword-only", "scale: float", "*, scale"),
    (variadic, "a fixed list of parameters", "rest: rl.Chunks", "name each one"),
    (default_array, "an array has no default", "k: rl.Chunks", "remove"),
    (no_query, "no rl.Query parameter", "def no_query(k: rl.Chunks):", "q: rl.Query"),
    (chunks_of_nothing, "selects chunks of 'kv', which no other", "indices", "k: rl.Chunks"),
    (by_position_only, "stands before a `/`", "q: rl.Query", "remove `/`"),
    (lonely_weights, "no rl.ChunkIndices", "w: rl.ChunkWeights", "indices: rl.ChunkIndices"),
    (undefined_annotation, "cannot be evaluated", "def undefined_annotation(", "rl.Query"),
]


@pytest.mark.parametrize(
    ("function", "message", "marked", "hint"),
    SIGNATURES,
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_signature(function: Any, message: str, marked: str, hint: str) -> None:
    with pytest.raises(rf.LanguageError) as caught:
        lowered(rf.jit(function), arrays={"w": ArraySpec("f32")})
    error = caught.value
    assert message in error.message
    text = error.text or ""
    assert text[error.column - 1 : (error.end_offset or 0) - 1].startswith(marked)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (("rows",), "found 'rows'"),
        (("head", "head"), "each axis once"),
        (("kv.key", "kv.chunk"), "either keys or chunks"),
        (("kv.head",), "found 'kv.head'"),
        (("slot",), "found 'slot'"),
    ],
)
def test_wrong_axes_of_a_tensor(axes: tuple[str, ...], message: str) -> None:
    with pytest.raises(rf.ArgumentError, match=message):
        rl.Tensor[axes]


def test_roles_without_partitions() -> None:
    with pytest.raises(rf.ArgumentError, match=r"expected rl.ChunkWeights, which belongs to no"):
        rl.ChunkWeights["kv"]
    with pytest.raises(rf.ArgumentError, match=r'expected rl.Query, or rl.Query\["block"\]'):
        rl.Query["kv"]


def test_partition_names_are_identifiers() -> None:
    with pytest.raises(rf.ArgumentError, match="name of a partition"):
        rl.Chunks["a b"]
