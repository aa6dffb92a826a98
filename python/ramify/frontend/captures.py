# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a function's kernel depends on beside its arguments: numbers from outside, other functions.

A number of the closure or the module is a constant of the kernel. Comparing what `captured`
returns tells a caller whether such a number has changed since the kernel was made.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any


def free_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Values of the names that a function sees in its closure and its module."""
    code: types.CodeType = function.__code__
    scope: dict[str, Any] = function.__globals__
    found = {name: scope[name] for name in code.co_names if name in scope}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def captured(function: Callable[..., Any]) -> tuple[tuple[str, Any], ...]:
    """Constants and called functions that the kernel of `function` depends on, by name."""
    return tuple(_walk(function, "", set()))


def is_constant(value: Any) -> bool:
    """Whether a value from outside may be used as a constant."""
    if isinstance(value, tuple | list):
        return all(is_constant(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _walk(
    function: Callable[..., Any], prefix: str, seen: set[Callable[..., Any]]
) -> Iterator[tuple[str, Any]]:
    seen.add(function)
    for name, value in sorted(free_names(function).items()):
        if isinstance(value, types.ModuleType):
            yield from _module_constants(value, function.__code__.co_names, f"{prefix}{name}")
        elif hasattr(value, "__ramify_function__"):
            inner = value.__ramify_function__
            yield f"{prefix}{name}", inner
            if inner not in seen:
                yield from _walk(inner, f"{prefix}{name}.", seen)
        elif is_constant(value):
            yield f"{prefix}{name}", tuple(value) if isinstance(value, list) else value


def _module_constants(
    module: types.ModuleType, names: tuple[str, ...], prefix: str
) -> Iterator[tuple[str, Any]]:
    for name in sorted(set(names)):
        value = getattr(module, name, module)
        if value is not module and is_constant(value):
            yield f"{prefix}.{name}", value
