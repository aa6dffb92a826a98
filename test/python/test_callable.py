# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calling a jitted function: every way that Python has to pass arguments means the same."""

from __future__ import annotations

import contextvars
import gc
import threading
import weakref

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl
from ramify import _runtime

Q = np.ones((1, 2, 1, 8), np.float32)


def source(q: rl.Query, *, scale: float = 2.0, shift: rl.constexpr = 0.0):
    return q * scale + shift


def value(result) -> float:
    assert np.unique(result).size == 1
    return float(result.flat[0])


def test_positions_keywords_and_defaults():
    function = rf.jit(source)
    built = "".join(["chunk", "_size"])  # a name that is not interned
    assert value(function(Q, chunk_size=64)) == 2.0
    assert value(function(q=Q, chunk_size=64, scale=3.0)) == 3.0
    assert value(function(*(Q,), **{built: 64, "shift": 1.0})) == 3.0
    assert value(function.__call__(Q, chunk_size=64)) == 2.0
    assert value(function(Q, chunk_size=64, q_block=1, deterministic=True)) == 2.0
    assert value(function(Q, chunk_size=64, num_keys=None, validate=False)) == 2.0
    assert len(function._dispatcher) == 3


def test_what_no_parameter_takes():
    function = rf.jit(source)
    with pytest.raises(rf.ArgumentTypeError, match=r"source\(\) has no parameter 'scales'"):
        function(Q, chunk_size=64, scales=1.0)
    with pytest.raises(rf.ArgumentTypeError, match=r"source\(\): q was given twice"):
        function(Q, q=Q, chunk_size=64)
    with pytest.raises(rf.ArgumentTypeError, match=r"takes 1 positional arguments, 2 were given"):
        function(Q, Q, chunk_size=64)
    with pytest.raises(rf.ArgumentTypeError, match=r"source\(\): q is missing"):
        function(chunk_size=64)


def test_a_function_is_python_where_the_reference_runs_and_only_there():
    function = rf.jit(source)
    there, go = threading.Event(), threading.Event()
    others = []

    def call_elsewhere():
        there.wait()
        others.append(value(function(Q, chunk_size=64)))
        go.set()

    @rf.jit
    def outer(q: rl.Query):
        there.set()
        go.wait()
        return source_of_outer(q)

    source_of_outer = function
    thread = threading.Thread(target=call_elsewhere)
    thread.start()
    assert value(outer.reference(Q, chunk_size=64)) == 2.0
    thread.join()
    assert others == [2.0]


def test_a_call_within_a_compilation_of_the_same_function():
    function = rf.jit(source)
    compile_plan, nested = function._plan, []

    def compile_within(request):
        if not nested:
            nested.append(None)
            nested[0] = value(function(Q, chunk_size=64, scale=5.0))
        return compile_plan(request)

    function._plan = compile_within
    assert value(function(Q, chunk_size=64)) == 2.0
    assert nested == [5.0]


def test_an_error_before_the_first_call_is_one_at_each_call():
    @rf.jit
    def nothing(x: rl.Tensor["head"]):
        return x

    for _ in range(2):
        with pytest.raises(rf.LanguageError):
            nothing(Q)


def test_a_function_that_was_not_called_goes_with_its_last_reference():
    function = rf.jit(source)
    gone = weakref.ref(function)
    del function
    gc.collect()
    assert gone() is None


def test_only_a_context_variable_says_where_functions_are_python():
    with pytest.raises(TypeError, match="ContextVar"):
        _runtime.interpret_while(contextvars.copy_context())
