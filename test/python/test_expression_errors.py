# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: E731, F841, RET504
"""Expressions and calls that the language does not allow: the message, the place, what is legal.

Each case is a function, the essence of its message, the text that the carets stand below, and a
part of the hint.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_frontend import lowered

import ramify as rf
import ramify.language as rl
from ramify.frontend import ArraySpec

TABLE = {"a": 1}


WIDTH = 3


def helper(x: Any) -> Any:
    return x * 2


@rf.jit
def endless(q: rl.Query):
    return endless(q)


@rf.jit
def unknown_name(q: rl.Query, v: rl.Chunks):
    out = rl.zeros(q, v)
    return outt


@rf.jit
def unknown_function(q: rl.Query, k: rl.Chunks):
    return rl.sotfmax(q)


@rf.jit
def plain_function(q: rl.Query):
    return helper(q)


@rf.jit
def outside_table(q: rl.Query):
    return q * TABLE["a"]


@rf.jit
def matrix_product(q: rl.Query, k: rl.Chunks):
    return q @ q


@rf.jit
def dot_without_axis(q: rl.Query, bias: rl.Tensor["head"]):
    return rl.dot(q, bias)


@rf.jit
def dot_of_two_axes(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.dot(rl.dot(q, k[c]) + rl.zeros(q, k), k[c])
    return out


@rf.jit
def sizes_differ(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.sum(rl.dot(q, v[c]), over="key")
    return out


@rf.jit
def too_many_arguments(q: rl.Query, k: rl.Chunks):
    return rl.sum(q, "dim", 3)


@rf.jit
def missing_argument(q: rl.Query, k: rl.Chunks):
    return rl.dot(q)


@rf.jit
def run_time_n(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices, *, n: float):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.max(rl.softmax(rl.dot(q, k[c]), n=n), over="key")
    return out


@rf.jit
def negative_n(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.max(rl.softmax(rl.dot(q, k[c]), n=-1.0), over="key")
    return out


@rf.jit
def huge_n(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.max(rl.softmax(rl.dot(q, k[c]), n=10**400), over="key")
    return out


@rf.jit
def huge_start(q: rl.Query, k: rl.Chunks):
    return rl.zeros(q, k, init=10**400)


@rf.jit
def huge_sigmoid(q: rl.Query):
    return q * rl.sigmoid(10**400)


@rf.jit
def softmax_over_dim(q: rl.Query):
    return rl.softmax(q)


@rf.jit
def sum_over_positions(q: rl.Query):
    return rl.sum(q, over="pos")


@rf.jit
def sum_over_missing_axis(q: rl.Query):
    return rl.sum(q, over="key")


@rf.jit
def condition_as_number(q: rl.Query):
    return q + (q > 0)


@rf.jit
def if_on_array(q: rl.Query):
    if q > 0:
        return q
    return -q


@rf.jit
def inline_if_on_array(q: rl.Query):
    return q if q > 0 else -q


@rf.jit
def and_of_conditions(q: rl.Query):
    return rl.where(q > 0 and q < 1, q, 0.0)


@rf.jit
def chained_comparison(q: rl.Query):
    return rl.where(0 < q < 1, q, 0.0)


@rf.jit
def power_of_arrays(q: rl.Query):
    return q**q


@rf.jit
def whole_chunks(q: rl.Query, k: rl.Chunks):
    return q + k


@rf.jit
def chunk_by_number(q: rl.Query, k: rl.Chunks):
    return rl.dot(q, k[0])


@rf.jit
def weight_by_chunk(q: rl.Query, k: rl.Chunks, w: rl.ChunkWeights, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += w[c]
    return out


@rf.jit
def slice_of_keys(q: rl.Query, k: rl.Chunks):
    return rl.dot(q, k[0:4])


@rf.jit
def other_partition(q: rl.Query, k: rl.Chunks, s: rl.Chunks["cmp"], indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.max(rl.dot(q, s[c]), over="key")
    return out


@rf.jit
def outside_selection(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=64, outside=rl.selected(indices)):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def wrong_align(q: rl.Query, k: rl.Chunks):
    for c in rl.window(k, last=64, align="key"):
        pass
    return q


@rf.jit
def float_window(q: rl.Query, k: rl.Chunks, *, last: float):
    for c in rl.window(k, last=last):
        pass
    return q


@rf.jit
def merge_without_keys(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        acc.merge(rl.max(rl.dot(q, k[c]), over="key"), v[c])
    return acc.value


@rf.jit
def merge_outside_loop(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        acc = rl.online_softmax(q, v)
        acc.merge(rl.dot(q, k[c]), v[c])
        out += acc.lse
    return out


@rf.jit
def pushes_keys(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        acc.push(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def softmax_as_number(q: rl.Query, v: rl.Chunks):
    acc = rl.online_softmax(q, v)
    return acc * 2.0


@rf.jit
def unknown_result_of_softmax(q: rl.Query, v: rl.Chunks):
    return rl.online_softmax(q, v).sum


@rf.jit
def method_of_array(q: rl.Query):
    return q.sum()


@rf.jit
def returns_heads(q: rl.Query, bias: rl.Tensor["head"]):
    return bias


@rf.jit
def returns_nothing(q: rl.Query):
    x = q * 2


@rf.jit
def bare_return(q: rl.Query):
    return


@rf.jit
def recursion(q: rl.Query):
    return endless(q)


@rf.jit
def unpacks_wrongly(q: rl.Query):
    a, b = (1, 2, 3)
    return q * a * b


@rf.jit
def comprehension(q: rl.Query):
    x = [q * i for i in range(3)]
    return x


@rf.jit
def uses_lambda(q: rl.Query):
    f = lambda x: x * 2
    return f(q)


@rf.jit
def python_max(q: rl.Query):
    return max(q, 0.0)


@rf.jit
def failed_assertion(q: rl.Query):
    assert WIDTH == 4, "the width is 4"
    return q


@rf.jit
def endless_range(q: rl.Query):
    for i in range(5000):
        q = q * 2
    return q


@rf.jit
def starred(q: rl.Query):
    args = (1, 2)
    return rl.where(*args)


@rf.jit
def large_integer(q: rl.Query):
    return rl.where(rl.query_position() < 2**31, q, 0.0)


@rf.jit
def attribute_target(q: rl.Query):
    q.scale = 2
    return q


@rf.jit
def endless_power(q: rl.Query):
    return q * 10**10**10


@rf.jit
def endless_tuple(q: rl.Query):
    return q * ((1, 2) * 10**9)[0]


@rf.jit
def exclusive_or(q: rl.Query):
    return rl.where((q > 0) ^ (q < 1), q, 0.0)


@rf.jit
def function_of_numpy(q: rl.Query):
    return np.exp(q)


@rf.jit
def list_of_arrays(q: rl.Query):
    return [q * 1, q * 2]


@rf.jit
def divides_by_zero(q: rl.Query):
    return rl.zeros(q) + rl.query_position() // 0


@rf.jit
def remainder_of_zero(q: rl.Query):
    return rl.zeros(q) + rl.query_position() % 0


EXPRESSIONS = [
    (endless_power, "a constant of more than 16384 bits", "10**10**10", ""),
    (endless_tuple, "a constant of more than 16384 bits", "(1, 2) * 10**9", ""),
    (exclusive_or, "& and | join conditions", "(q > 0) ^ (q < 1)", "(a | b) & ~(a & b)"),
    (function_of_numpy, "`exp` is not a function of the language", "np.exp(q)", "rl.exp"),
    (list_of_arrays, "known when the function is compiled", "q * 1", "a tuple"),
    (divides_by_zero, "integer division by zero", "rl.query_position() // 0", ""),
    (remainder_of_zero, "integer division by zero", "rl.query_position() % 0", ""),
    (unknown_name, "`outt` is not defined", "outt", "did you mean `out`"),
    (unknown_function, "has no `sotfmax`", "rl.sotfmax", "`softmax`"),
    (plain_function, "`helper` is not a function of the language", "helper(q)", "@ramify.jit"),
    (outside_table, "`TABLE` is a dict from outside", "TABLE", "parameters"),
    (matrix_product, "`@` does not say", "q @ q", "rl.dot(a, b)"),
    (dot_without_axis, "share `dim`, `key` or `chunk`", "rl.dot(q, bias)", "dot(q, k[c])"),
    (
        dot_of_two_axes,
        "do not decide",
        "rl.dot(rl.dot(q, k[c]) + rl.zeros(q, k), k[c])",
        'over="dim"',
    ),
    (sizes_differ, "axis 'dim' has 64 elements on one side and 32", "rl.dot(q, v[c])", ""),
    (too_many_arguments, "too many positional", 'rl.sum(q, "dim", 3)', "rl.sum(x, over)"),
    (missing_argument, "missing a required argument: 'b'", "rl.dot(q)", "rl.dot(a, b, over=None)"),
    (run_time_n, "known when the function is compiled", "n", "rl.constexpr"),
    (negative_n, "a finite number >= 0", "-1.0", ""),
    (
        huge_n,
        "does not fit into float32",
        "rl.softmax(rl.dot(q, k[c]), n=10**400)",
        "rl.inf is the infinity",
    ),
    (
        huge_start,
        "does not fit into float32",
        "rl.zeros(q, k, init=10**400)",
        "rl.inf is the infinity",
    ),
    (huge_sigmoid, "rl.sigmoid: int too large to convert to float", "10**400", ""),
    (softmax_over_dim, "over the keys of a chunk", "rl.softmax(q)", "rl.online_softmax"),
    (sum_over_positions, "independent", '"pos"', ""),
    (sum_over_missing_axis, "cannot be reduced over 'key'", '"key"', "'head', 'dim'"),
    (condition_as_number, "a condition is no number", "q + (q > 0)", "rl.where"),
    (if_on_array, "known when the function is compiled", "q > 0", "rl.where"),
    (inline_if_on_array, "known when the function is compiled", "q > 0", "rl.where"),
    (and_of_conditions, "an operand of `and`", "q > 0", "`&`"),
    (chained_comparison, "a chained comparison", "0 < q < 1", "(a <= b) & (b <= c)"),
    (power_of_arrays, "`**` takes", "q**q", "rl.exp(y * rl.log(x))"),
    (whole_chunks, "the chunks parameter `k` as a whole", "k", "k[c]"),
    (chunk_by_number, "read by a chunk of 'kv', found the constant 0", "0", "for slot, c in"),
    (weight_by_chunk, "`w` is read by a slot, found a chunk", "c", "for slot, c in"),
    (slice_of_keys, "slices", "k[0:4]", "domain"),
    (other_partition, "read by a chunk of 'cmp', found a chunk of 'kv'", "c", ""),
    (outside_selection, "`outside` expects a range", "rl.selected(indices)", "rl.window"),
    (wrong_align, '`align` expects "chunk"', '"key"', ""),
    (float_window, "`last` expects an integer, found a f32", "last", "annotated int"),
    (
        merge_without_keys,
        "scores and values for each key",
        'acc.merge(rl.max(rl.dot(q, k[c]), over="key"), v[c])',
        "acc.push",
    ),
    (merge_outside_loop, "made before it", "acc.merge(rl.dot(q, k[c]), v[c])", "before the loop"),
    (pushes_keys, "`logit` expects axes out of [pos, head]", "rl.dot(q, k[c])", "acc.merge"),
    (softmax_as_number, "found an online softmax", "acc", "acc.value"),
    (unknown_result_of_softmax, "has no `sum`", "rl.online_softmax(q, v).sum", "lse"),
    (method_of_array, "has no attribute `sum`", "q.sum", "rl.sum"),
    (returns_heads, "a result has axes", "return bias", "rl.zeros(q) + x"),
    (returns_nothing, "`returns_nothing` returns nothing", "def returns_nothing(q: rl.Query):", ""),
    (bare_return, "a function returns arrays", "return", "return out"),
    (recursion, "`endless` calls itself", "endless(q)", ""),
    (unpacks_wrongly, "expected 2 values, found 3", "a, b", ""),
    (comprehension, "comprehensions are not part", "[q * i for i in range(3)]", "unrolled"),
    (uses_lambda, "lambdas are not part", "lambda x: x * 2", "@ramify.jit"),
    (python_max, "`max` takes constants", "q", "rl.max"),
    (failed_assertion, "assertion failed: the width is 4", "WIDTH == 4", ""),
    (endless_range, "at most 1024 times", "range(5000)", ""),
    (starred, "`*` in a call", "*args", "name each"),
    (large_integer, "does not fit into int32", "rl.query_position() < 2**31", "float"),
    (attribute_target, "only names are assigned", "q.scale", ""),
]


@rf.jit
def squared(x):
    return x @ x


@rf.jit
def calls_squared(q: rl.Query):
    return squared(q)


@pytest.mark.parametrize(
    ("function", "message", "marked", "hint"),
    EXPRESSIONS,
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


def test_error_inside_an_inlined_function_points_into_it() -> None:
    with pytest.raises(rf.LanguageError, match="`@` does not say") as caught:
        lowered(calls_squared)
    assert caught.value.text == "    return x @ x"
