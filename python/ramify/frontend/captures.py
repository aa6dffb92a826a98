# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a function's kernel depends on beside its arguments: numbers from outside, other functions.

A number of the closure or the module is a constant of the kernel. Comparing what `captured`
returns tells a caller whether such a number has changed since the kernel was made.
"""

from __future__ import annotations

import contextlib
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


Place = tuple[dict[str, Any] | types.CellType, str, Any]
"""Where a name is looked up, or the variable of a closure; the name; its value."""


def watch(function: Callable[..., Any]) -> tuple[str, list[Place]]:
    """What `captured` says, as text, and what must stay where for it to stay true.

    The dispatcher compares the places' values by identity on every call, and asks anew where one
    differs. A value that can change in place is replaced by one that is found nowhere.
    """
    places: list[Place] = [
        (scope, name, object() if _is_mutable(value) else value)
        for scope, name, value in _places(function, set())
    ]
    return repr(captured(function)), places  # the text tells 1 from True, and is equal for NaN


def _places(function: Callable[..., Any], seen: set[object]) -> Iterator[Place]:
    """Every place outside of a function that its kernels depend on."""
    seen.add(function)
    code: types.CodeType = function.__code__
    scope: dict[str, Any] = function.__globals__
    places: list[Place] = [(scope, name, scope[name]) for name in code.co_names if name in scope]
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not assigned yet
            places.append((cell, name, cell.cell_contents))
    for place in places:
        yield place
        yield from _places_inside(place[2], code.co_names, seen)


def _places_inside(value: Any, names: tuple[str, ...], seen: set[object]) -> Iterator[Place]:
    if isinstance(value, types.ModuleType):
        if (names, value) not in seen:
            seen.add((names, value))
            for name in set(names) & vars(value).keys():
                yield vars(value), name, vars(value)[name]
                yield from _places_inside(vars(value)[name], names, seen)
    elif hasattr(value, "__ramify_function__") and value.__ramify_function__ not in seen:
        yield from _places(value.__ramify_function__, seen)


def _is_mutable(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(_is_mutable(item) for item in value)
    return isinstance(value, list) or (hasattr(value, "item") and hasattr(value, "shape"))


def _walk(
    function: Callable[..., Any], prefix: str, seen: set[object]
) -> Iterator[tuple[str, Any]]:
    seen.add(function)
    for name, value in sorted(free_names(function).items()):
        yield from _constants(value, function, f"{prefix}{name}", seen)


def _constants(
    value: Any, function: Callable[..., Any], path: str, seen: set[object]
) -> Iterator[tuple[str, Any]]:
    if isinstance(value, types.ModuleType):
        if (function, value) not in seen:
            seen.add((function, value))
            for name in sorted(set(function.__code__.co_names) & vars(value).keys()):
                yield from _constants(vars(value)[name], function, f"{path}.{name}", seen)
    elif hasattr(value, "__ramify_function__"):
        inner = value.__ramify_function__
        yield path, inner
        if inner not in seen:
            yield from _walk(inner, f"{path}.", seen)
    elif is_constant(value):
        yield path, tuple(value) if isinstance(value, list) else value
    elif hasattr(value, "item") and getattr(value, "shape", None) == ():
        yield path, value.item()
