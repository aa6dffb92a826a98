# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The exceptions that Ramify raises.

Everything derives from `Error`; most classes derive from a built-in exception too, so that code
which knows nothing of Ramify catches them where it would expect to. A message says, in this
order, what was expected, what was found, and what to do about it; `mismatch` writes that form.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "CacheError",
    "CaptureError",
    "CompileError",
    "DeviceError",
    "Error",
    "GradientError",
    "LanguageError",
    "UnsupportedError",
    "mismatch",
]


class Error(Exception):
    """Base of everything that Ramify raises on purpose."""


class ArgumentError(Error, ValueError):
    """An argument of a call has a wrong value: shape, size, length, range, name."""


class ArgumentTypeError(Error, TypeError):
    """An argument of a call has a wrong type: no array, a wrong dtype, a wrong device."""


class CompileError(Error, RuntimeError):
    """The compiler failed on a function that the language allows; its text says where.

    Attributes
    ----------
    diagnostics : list of (message, file, line, column)
        What the compiler reported, if it did.
    """

    diagnostics: Sequence[tuple[str, str, int, int]] = ()


class UnsupportedError(Error, NotImplementedError):
    """The function is legal, but this target, device or configuration cannot run it."""


class DeviceError(Error, RuntimeError):
    """The device or its driver reported an error; the message names the driver's code."""


class CaptureError(Error, RuntimeError):
    """Something not allowed while a CUDA graph is captured, such as compiling."""


class GradientError(Error, RuntimeError):
    """A gradient is asked for where none exists."""


class CacheError(Error, RuntimeError):
    """The cache folder cannot be used. A damaged entry is a miss and never this error."""


class LanguageError(Error, SyntaxError):
    """A function says something that the language does not have.

    Uncaught, Python prints it as it prints its own syntax errors: file, line, caret. `str(error)`
    has all of it as well.

    Parameters
    ----------
    message : str
        What was expected and what was found.
    filename, line, column : str, int, int
        Where; line and column count from 1.
    text : str
        The whole source line.
    end_column : int, optional
        One past the last column of the span, on the same line.
    hint : str
        The nearest legal form.
    """

    def __init__(
        self,
        message: str,
        *,
        filename: str = "<unknown>",
        line: int = 0,
        column: int = 0,
        text: str = "",
        end_column: int | None = None,
        hint: str = "",
    ) -> None:
        end = column + 1 if end_column is None else max(end_column, column + 1)
        shown = f"{message}\n  hint: {hint}" if hint else message
        super().__init__(shown, (filename, line, column, text, line, end))
        self.message = message
        self.hint = hint

    @property
    def line(self) -> int:
        """Line of the error in its file, from 1; 0 if it has none."""
        return self.lineno or 0

    @property
    def column(self) -> int:
        """Column of the error in its line, from 1; 0 if it has none."""
        return self.offset or 0

    @property
    def excerpt(self) -> str:
        """The source line and, below it, carets under the span."""
        source = (self.text or "").rstrip("\n")
        indent = len(source) - len(source.lstrip())
        start = max(self.column - 1, indent)
        width = max(1, min(self.end_offset or 0, len(source) + 1) - self.column)
        return f"    {source[indent:]}\n    {' ' * (start - indent)}{'^' * width}"

    def __str__(self) -> str:
        lines = [self.message]
        if self.line:
            lines.append(f'  File "{self.filename}", line {self.line}, column {self.column}')
        if self.text:
            lines.append(self.excerpt)
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


def mismatch(what: str, expected: str, found: str, fix: str = "") -> str:
    """Write a message of the common form: what was expected, what was found, what to do.

    Examples
    --------
    >>> mismatch("`k`", "float32, bfloat16 or float16", "int64", "Convert it before the call.")
    '`k`: expected float32, bfloat16 or float16, found int64. Convert it before the call.'
    """
    message = f"{what}: expected {expected}, found {found}."
    return f"{message} {fix}" if fix else message
