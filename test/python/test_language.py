# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The language, executed eagerly on arrays with named axes."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl
from ramify.frontend.intrinsics import HANDLERS
from ramify.frontend.library import LIBRARY
from ramify.reference.named_array import NamedArray

FUNCTIONS = [value for name in rl.__all__ if inspect.isfunction(value := getattr(rl, name))]
ROWS = ("pos", "head")


def array(*axes: str, sizes: Any = None) -> NamedArray:
    known = {"pos": 2, "head": 3, "key": 4, "dim": 5, **(sizes or {})}
    shape = tuple(known[axis] for axis in axes)
    return NamedArray(np.random.default_rng(len(axes)).standard_normal(shape), axes)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_each_function_is_compiled_and_documented(function: Any) -> None:
    assert function in HANDLERS or function in LIBRARY
    assert inspect.getdoc(function)


def test_broadcasting_goes_by_name() -> None:
    a, b = array("pos", "head"), array("head", "key")
    found = a + b
    assert found.axes == ("pos", "head", "key")
    np.testing.assert_array_equal(found.data, a.data[:, :, None] + b.data[None])
    swapped = b + a
    np.testing.assert_array_equal(found.data, swapped.data)


def test_dot_contracts_the_shared_axis() -> None:
    q, k, p = array("pos", "head", "dim"), array("key", "dim"), array("pos", "head", "key")
    s = rl.dot(q, k)
    assert s.axes == ("pos", "head", "key")
    np.testing.assert_allclose(s.data, np.einsum("phd,kd->phk", q.data, k.data))
    np.testing.assert_allclose(rl.dot(k, q).data, s.data)
    o = rl.dot(p, k, over="key")
    np.testing.assert_allclose(o.data, np.einsum("phk,kd->phd", p.data, k.data))
    rows = rl.dot(q, q, over="dim")
    assert rows.axes == ROWS
    np.testing.assert_allclose(rows.data, (q.data**2).sum(-1))


def test_dot_that_names_do_not_decide() -> None:
    with pytest.raises(rf.ArgumentError, match="over="):
        rl.dot(array("key", "dim"), array("key", "dim"))
    with pytest.raises(rf.ArgumentError, match="over="):
        rl.dot(array("pos"), array("head"))
    with pytest.raises(rf.ArgumentError, match="both need the axis 'key'"):
        rl.dot(array("pos", "dim"), array("key", "dim"), over="key")


def test_sizes_of_one_name_agree() -> None:
    with pytest.raises(rf.ArgumentError, match="axis 'key' differ"):
        array("key") + array("key", sizes={"key": 7})


def test_softmax_of_nothing_is_zero() -> None:
    x = NamedArray(np.full((2, 3, 4), -np.inf), ("pos", "head", "key"))
    assert (rl.softmax(x).data == 0).all()
    assert (rl.softmax(x, n=1.0).data == 0).all()
    none = NamedArray(np.zeros((2, 3, 0)), ("pos", "head", "key"))
    assert rl.softmax(none).shape == (2, 3, 0)


def test_softmax_of_one_in_the_denominator() -> None:
    x = array("pos", "head", "key")
    e = np.exp(x.data)
    np.testing.assert_allclose(rl.softmax(x, n=1.0).data, e / (1 + e.sum(-1, keepdims=True)))
    with pytest.raises(rf.ArgumentError, match="n: expected a number >= 0"):
        rl.softmax(x, n=-1.0)
    with pytest.raises(rf.ArgumentError, match="axis 'key'"):
        rl.softmax(array("pos", "head"))


def test_reductions_by_name() -> None:
    x = array("pos", "head", "key")
    for function, expected in (
        (rl.sum, x.data.sum(-1)),
        (rl.max, x.data.max(-1)),
        (rl.min, x.data.min(-1)),
        (rl.logsumexp, np.log(np.exp(x.data).sum(-1))),
    ):
        found = function(x, over="key")
        assert found.axes == ROWS
        np.testing.assert_allclose(found.data, expected)
    assert rl.max(NamedArray(np.zeros((2, 0)), ("pos", "key")), over="key").data[0] == -np.inf
    with pytest.raises(rf.ArgumentError, match="'pos'"):
        rl.sum(x, over="pos")


def test_difference_of_minus_infinities_has_the_exponential_zero() -> None:
    x = NamedArray(np.array([-np.inf, 0.0]), ("key",))
    assert rl.exp(x - x).data.tolist() == [0.0, 1.0]


def test_functions_of_each_element() -> None:
    x = array("pos", "key")
    for function, expected in (
        (rl.exp, np.exp),
        (rl.exp2, np.exp2),
        (rl.tanh, np.tanh),
        (rl.abs, np.abs),
        (rl.sigmoid, lambda v: 1 / (1 + np.exp(-v))),
    ):
        np.testing.assert_allclose(function(x).data, expected(x.data))
    y = rl.abs(x)
    np.testing.assert_allclose(rl.log(y).data, np.log(y.data))
    np.testing.assert_allclose(rl.sqrt(y).data, np.sqrt(y.data))
    np.testing.assert_allclose(rl.maximum(x, 0.0).data, np.maximum(x.data, 0))
    np.testing.assert_allclose(rl.minimum(0.0, x).data, np.minimum(x.data, 0))
    assert rl.sigmoid(-1000.0).data == 0


def test_conditions_are_joined_by_signs_and_have_no_truth_value() -> None:
    x = array("pos", "key")
    inside = (x > -1) & (x <= 1) | ~(x == x)
    np.testing.assert_array_equal(inside.data, (x.data > -1) & (x.data <= 1))
    with pytest.raises(rf.ArgumentError, match=r"rl\.where"):
        bool(x > 0)


def test_operators_of_numbers() -> None:
    n = NamedArray(np.arange(4), ("key",))
    assert ((7 - n) // 2 % 3).data.tolist() == [0, 0, 2, 2]
    assert (2 / (n + 1)).data.tolist() == [2, 1, 2 / 3, 0.5]
    assert (abs(-n) ** 2).data.tolist() == [0, 1, 4, 9]
    assert (n != 2).data.tolist() == [True, True, False, True]
    assert n.T is n
    assert f"{rl.sum(n, over='key'):.1f}" == "6.0"
    assert repr(n) == "NamedArray[key=4]([0 1 2 3])"


def test_softmax_in_parts_is_the_whole() -> None:
    q, v = rl.Query(np.zeros((2, 3, 5)), ("pos", "head", "dim")), array("key", "dim")
    s = array("pos", "head", "key")
    whole, parts = rl.online_softmax(q, q), rl.online_softmax(q, q)  # type: ignore[arg-type]
    whole.merge(s, v)
    for part in (slice(0, 1), slice(1, 4)):
        rows = NamedArray(v.data[part], v.axes)
        parts.merge(NamedArray(s.data[..., part], s.axes), rows)
    np.testing.assert_allclose(whole.value.data, parts.value.data)
    np.testing.assert_allclose(whole.lse.data, parts.lse.data)
    twice = rl.online_softmax(q, q)  # type: ignore[arg-type]
    twice.push(whole.lse, whole.value)
    twice.push(-rl.inf, NamedArray(np.ones(5), ("dim",)))
    np.testing.assert_allclose(twice.value.data, whole.value.data)


def test_an_empty_softmax_is_zero_with_lse_of_minus_infinity() -> None:
    q = rl.Query(np.zeros((2, 3, 5)), ("pos", "head", "dim"))
    acc = rl.online_softmax(q, q)  # type: ignore[arg-type]
    with np.errstate(divide="ignore"):
        assert (acc.lse.data == -np.inf).all()
    assert (acc.value.data == 0).all()
    with pytest.raises(rf.ArgumentError, match="'key' axis"):
        acc.merge(array("pos", "head"), array("dim"))


def test_annotations_print_as_they_are_written() -> None:
    assert str(rl.Chunks["cmp"]) == "rl.Chunks['cmp']"
    assert str(rl.Tensor["kv.chunk", "head"]) == "rl.Tensor['kv.chunk', 'head']"
    assert str(rl.Tensor[()]) == "rl.Tensor[()]"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from ramify.settings import settings

    monkeypatch.setenv("RAMIFY_CACHE_DIR", "/somewhere")
    assert str(settings.cache_dir) == "/somewhere"
    monkeypatch.delenv("RAMIFY_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert str(settings.cache_dir) == "/cache/ramify"
    monkeypatch.setenv("RAMIFY_NUM_THREADS", "3")
    assert settings.num_threads == 3
    monkeypatch.setenv("RAMIFY_NUM_THREADS", "many")
    with pytest.raises(rf.ArgumentError, match="RAMIFY_NUM_THREADS: expected a number >= 1"):
        _ = settings.num_threads
    monkeypatch.delenv("RAMIFY_NUM_THREADS")
    assert settings.num_threads >= 1
