# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Numbers and functions that a function sees from outside may change between calls."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl

FACTOR: Any = 2.0
LIST = [2.0, 3.0]
NUMBER = np.array(2.0)
MISSING_AT_FIRST: Any = None
settings = types.ModuleType("settings")
settings.inner = types.ModuleType("inner")  # type: ignore[attr-defined]
settings.inner.factor = 2.0  # type: ignore[attr-defined]

x = np.ones((1, 2, 2, 16), np.float32)


@rf.jit
def times(q: rl.Query):
    return q * FACTOR


@rf.jit
def calls_times(q: rl.Query):
    return times(q) + 1


@rf.jit
def times_setting(q: rl.Query):
    return q * settings.inner.factor


@rf.jit
def times_item(q: rl.Query):
    return q * LIST[0]


@rf.jit
def times_array(q: rl.Query):
    return q * NUMBER


@rf.jit
def chooses(q: rl.Query):
    return q * (2 if MISSING_AT_FIRST is None else 3)


def test_a_global(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (times(x) == 2).all()
    assert (calls_times(x) == 3).all()
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert (times(x) == 5).all()
    assert (calls_times(x) == 6).all()


def test_one_and_true_are_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "FACTOR", 1)
    assert (times(x) == 1).all()
    monkeypatch.setitem(globals(), "FACTOR", True)
    with pytest.raises(rf.LanguageError, match="condition"):
        times(x)


def test_a_number_of_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (times_setting(x) == 2).all()
    monkeypatch.setattr(settings.inner, "factor", 7.0)
    assert (times_setting(x) == 7).all()


def test_what_changes_in_place() -> None:
    assert (times_item(x) == 2).all()
    assert (times_array(x) == 2).all()
    LIST[0] = 4.0
    NUMBER[()] = 6.0
    assert (times_item(x) == 4).all()
    assert (times_array(x) == 6).all()


def test_none_becomes_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (chooses(x) == 2).all()
    monkeypatch.setitem(globals(), "MISSING_AT_FIRST", 1)
    assert (chooses(x) == 3).all()


def closure() -> tuple[Any, Callable[[float], None]]:
    factor = 2.0

    @rf.jit
    def scaled(q: rl.Query):
        return q * factor

    def change(value: float) -> None:
        nonlocal factor
        factor = value

    return scaled, change


def test_a_name_of_the_closure() -> None:
    scaled, change = closure()
    assert (scaled(x) == 2).all()
    change(9.0)
    assert (scaled(x) == 9).all()


def test_a_called_function_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    @rf.jit
    def other(q: rl.Query):
        return q * 10

    assert (calls_times(x) == 3).all()
    monkeypatch.setitem(globals(), "times", other)
    assert (calls_times(x) == 11).all()


def test_nothing_changed_compiles_nothing() -> None:
    times(x)
    before = times.statistics.compiled + times.statistics.from_disk
    kernels = times.compile(x)
    for _ in range(3):
        times(x)
    assert times.statistics.compiled + times.statistics.from_disk == before
    assert times.compile(x) is kernels


def test_an_equal_number_keeps_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "FACTOR", 7.0)
    kernels = times.compile(x)
    monkeypatch.setitem(globals(), "FACTOR", float("7.0"))  # another object
    assert times.compile(x) is kernels
    monkeypatch.setitem(globals(), "FACTOR", 17.0)
    assert times.compile(x) is not kernels
    assert "1.7" in times.ir("hsa", x)
