# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The exceptions: what else they are, and how a LanguageError reads."""

from __future__ import annotations

import traceback

import pytest

from ramify import errors


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ArgumentError, ValueError),
        (errors.ArgumentTypeError, TypeError),
        (errors.CompileError, RuntimeError),
        (errors.UnsupportedError, NotImplementedError),
        (errors.DeviceError, RuntimeError),
        (errors.CaptureError, RuntimeError),
        (errors.GradientError, RuntimeError),
        (errors.CacheError, RuntimeError),
        (errors.LanguageError, SyntaxError),
    ],
)
def test_each_error_is_a_ramify_error_and_a_builtin(
    kind: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(kind, errors.Error)
    assert issubclass(kind, builtin)


def make() -> errors.LanguageError:
    return errors.LanguageError(
        "`while` loops are not part of the language",
        filename="f.py",
        line=3,
        column=5,
        text="    while x < 3:\n",
        end_column=10,
        hint="write `for i in range(n)`",
    )


def test_language_error_reads_top_to_bottom() -> None:
    assert str(make()).splitlines() == [
        "`while` loops are not part of the language",
        '  File "f.py", line 3, column 5',
        "    while x < 3:",
        "    ^^^^^",
        "  hint: write `for i in range(n)`",
    ]


def test_uncaught_language_error_prints_as_python_prints_syntax_errors() -> None:
    printed = "".join(traceback.format_exception_only(make()))
    assert 'File "f.py", line 3' in printed
    assert "    while x < 3:\n    ^^^^^\n" in printed
    assert "hint: write `for i in range(n)`" in printed


def test_language_error_without_a_place() -> None:
    assert str(errors.LanguageError("no source")) == "no source"


def test_mismatch_says_expected_found_and_fix() -> None:
    message = errors.mismatch("`k`", "rank 4 [B, N, H, D]", "rank 3", "Add a batch axis.")
    assert message == "`k`: expected rank 4 [B, N, H, D], found rank 3. Add a batch axis."
