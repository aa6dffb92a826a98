# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `@ramify.jit` refuses as a whole: things that are no function, or whose source lies."""

from __future__ import annotations

import functools
import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl


def identity(q: rl.Query):
    return q


def doubled(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) * 2

    return wrapper


def written(text: str) -> Any:
    """The function `f` of a text that has a file name."""
    name = f"<{abs(hash(text))}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    scope: dict[str, Any] = {"rf": rf, "rl": rl}
    exec(compile(text, name, "exec", dont_inherit=True), scope)
    return scope["f"]


def call(function: Any, **more: Any) -> Any:
    return function(np.ones((1, 2, 2, 16), np.float32), **more)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "expects a function, found int"),
        (None, "expects a function, found NoneType"),
        (len, "expects a function, found len"),
        (functools.partial(identity), "expects a function, found partial"),
        (staticmethod(identity), "expects a function"),
        (classmethod(identity), "expects a function"),
        (int, "expects a function, found int"),
        (rf.jit(identity), "decorated with @ramify.jit twice"),
        (doubled(identity), "wrapped by another decorator"),
    ],
)
def test_no_plain_function(value: Any, message: str) -> None:
    with pytest.raises(rf.LanguageError, match=message):
        rf.jit(value)


@pytest.mark.parametrize(
    ("options", "hint"), [({}, "@ramify.jit"), ({"schedule": "union"}, "fn.options")], ids=str
)
def test_called_decorator(options: dict[str, Any], hint: str) -> None:
    with pytest.raises(rf.LanguageError, match="stands without arguments") as caught:
        rf.jit(**options)
    assert hint in caught.value.hint


def test_options_of_another_type() -> None:
    with pytest.raises(rf.ArgumentTypeError, match="options: expected Options, found 3"):
        rf.JitFunction(identity, 3)  # type: ignore[arg-type]


def test_lambda_on_the_line_of_another_def() -> None:
    def make() -> Any: return rf.jit(lambda q: q)  # fmt: skip

    with pytest.raises(rf.LanguageError, match="not defined by a `def`"):
        call(make())


def test_no_source() -> None:
    scope: dict[str, Any] = {"rf": rf, "rl": rl}
    exec("@rf.jit\ndef f(q: rl.Query):\n    return q * 2\n", scope)
    with pytest.raises(rf.LanguageError, match="source of f cannot be read"):
        call(scope["f"])


HEAD = "@rf.jit\ndef f("


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "q: rl.Query, *, q_block: int):\n return q\n", "keyword that every call takes"),
        (HEAD + "q: rl.Query, *, λ: float):\n return q * λ\n", "`λ`: names of parameters"),
        ("@rf.jit\ndef f(q: 'rl.Query('):\n return q\n", "cannot be evaluated"),
        (HEAD + "q: '1/0'):\n return q\n", "cannot be evaluated"),
        (HEAD + "q: rl.Query, x: rl.Tensor[3]):\n return q\n", "names of axes"),
        (HEAD + "q: rl.Query, x: rl.Chunks['части']):\n return q\n", "name of a partition"),
        (HEAD + "q: rl.Query):\n return " + " + ".join(["q"] * 900) + "\n", "too deeply"),
        (HEAD + "q: rl.Query):\n return q * 10**400\n", "does not fit into float32"),
        (HEAD + "q: rl.Query):\n return q * 1e300\n", "does not fit into float32"),
        (HEAD + "q: rl.Query):\n return q * ('%y' % 1)\n", "unsupported format"),
        (HEAD + "q: rl.Query):\n a, *b = 1, 2\n return q\n", r"`\*` in an assignment"),
        (HEAD + "q: rl.Query):\n return q[:, 0]\n", "slices are not part"),
        (HEAD + "q: rl.Query):\n return (q,)\n", "a tuple of one result"),
        (HEAD + "q: rl.Query):\n return q > 0\n", "found a condition"),
    ],
)
def test_wrong_text(text: str, message: str) -> None:
    with pytest.raises(rf.Error, match=message):
        call(written(text))


@rf.jit
def numpy_maximum(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    low = rl.zeros(q, init=-rl.inf)
    for _slot, c in rl.selected(indices):
        low = np.maximum(low, rl.max(rl.dot(q, k[c]), over="key"))
    return low


def test_only_the_maximum_of_the_language_reduces() -> None:
    k, indices = np.ones((1, 16, 1, 16), np.float32), np.zeros((1, 2, 1, 1), np.int32)
    with pytest.raises(rf.LanguageError, match=r"rl\.maximum") as caught:
        call(numpy_maximum, k=k, indices=indices, chunk_size=16)
    assert caught.value.text.strip().startswith("low = np.maximum")


def test_local_names_of_other_scripts_and_long_functions_are_fine() -> None:
    body = "".join(" β = β * 1.0 + q\n" for _ in range(300))
    assert (call(written(HEAD + "q: rl.Query):\n β = q\n" + body + " return β\n")) == 301).all()


def test_values_used_twice_again_and_again_compile_in_linear_time() -> None:
    body = " y = y * 1.5 - y * 0.5\n" * 100  # 2**100 paths from the end to the beginning
    assert (call(written(HEAD + "q: rl.Query):\n y = q\n" + body + " return y\n")) == 1).all()


@pytest.mark.parametrize("name", ["B", "L", "N", "HQ", "H", "K", "rows", "D_q", "heads_i", "sms"])
def test_numbers_may_be_called_like_sizes(name: str) -> None:
    f = written(
        f"{HEAD}q: rl.Query, k: rl.Chunks, i: rl.ChunkIndices, *, {name}: int, x: rl.constexpr):\n"
        " out = rl.zeros(q)\n"
        " for s, c in rl.selected(i):\n"
        f"  out += rl.max(rl.dot(q, k[c]), over='key') * {name}\n"
        " for c in rl.window(k, last=4):\n"
        "  out += rl.max(rl.dot(q, k[c]), over='key') * x\n"
        " return out\n"
    )
    k, i = np.ones((1, 40, 1, 16), np.float32), np.zeros((1, 2, 1, 3), np.int32)
    more = {"k": k, "i": i, name: 5, "x": 2, "chunk_size": 16}
    found, expected = call(f, **more), f.reference(np.ones((1, 2, 2, 16)), **more)
    assert np.array_equal(found, expected)
