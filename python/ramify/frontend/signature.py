# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A function's parameters: what each one is, by its annotation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from .. import language
from ..errors import LanguageError
from ..language.annotations import BLOCK, DEFAULT_PARTITION, Annotation
from .source import Source, load, read_whole

MISSING: Any = inspect.Parameter.empty


class Role(Enum):
    """What a parameter is."""

    QUERY = "query"
    CHUNKS = "chunks"
    LANDMARKS = "landmarks"
    INDICES = "indices"
    WEIGHTS = "weights"
    TENSOR = "tensor"
    FLOAT = "float"
    INT = "int"
    CONSTEXPR = "constexpr"
    ANY = "any"
    """Without annotation, or `rl.Array`: any value, in functions that other functions call."""

    @property
    def is_array(self) -> bool:
        """Whether the parameter takes an array."""
        return self in _ARRAYS.values()

    @property
    def is_scalar(self) -> bool:
        """Whether the parameter takes a number at run time."""
        return self in (Role.FLOAT, Role.INT)


_ARRAYS: dict[object, Role] = {
    language.Query: Role.QUERY,
    language.Chunks: Role.CHUNKS,
    language.Landmarks: Role.LANDMARKS,
    language.ChunkIndices: Role.INDICES,
    language.ChunkWeights: Role.WEIGHTS,
    language.Tensor: Role.TENSOR,
}

LAYOUTS = {
    Role.QUERY: "[B, L, HQ, D]",
    Role.CHUNKS: "[B, N, H, D]",
    Role.LANDMARKS: "[B, C, 1 or H or HQ, Dr]",
    Role.INDICES: "[B, rows, 1 or H or HQ, K]",
    Role.WEIGHTS: "[B, rows, 1 or H or HQ, K]",
}
"""Dimensions of whole arrays."""

LEGAL = (
    "annotate it with rl.Query, rl.Chunks, rl.Landmarks, rl.ChunkIndices, rl.ChunkWeights, "
    "rl.Tensor[...], float, int or rl.constexpr"
)


RESERVED = (
    "chunk_size",
    "chunks",
    "q_block",
    "q_start",
    "q_positions",
    "num_keys",
    "validate",
    "deterministic",
)
"""Keywords that every call takes beside the function's own parameters."""


def _check_function(function: object) -> None:
    """Refuse what is no plain function, or hides one."""
    shown = getattr(function, "__qualname__", type(function).__name__)
    if hasattr(function, "__ramify_function__"):
        raise LanguageError(f"{shown} is decorated with @ramify.jit twice", hint="once is enough")
    if not inspect.isfunction(function):
        raise LanguageError(
            f"@ramify.jit expects a function, found {shown}",
            hint="decorate a function defined by `def`, below other decorators such as "
            "@staticmethod",
        )
    if hasattr(function, "__wrapped__"):
        raise LanguageError(
            f"{shown} is wrapped by another decorator, which would be left out",
            hint="decorate the function itself with @ramify.jit",
        )
    if not function.__name__.isascii():
        raise LanguageError(f"{shown}: names of functions are ASCII", hint="rename it")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function.

    Parameters
    ----------
    name : str
    role : Role
    partition : str or None
        The partition of chunks and indices, or of a tensor's `key` or `chunk` axis.
    axes : tuple of str
        Axes of a tensor in the order of memory, without batch; `("block",)` of queries that have
        a row per query block.
    default : object
        `MISSING` if there is none.
    """

    name: str
    role: Role
    partition: str | None = None
    axes: tuple[str, ...] = ()
    default: Any = MISSING

    def __str__(self) -> str:
        layout = "[B, rows, HQ, D]" if self.is_per_block else LAYOUTS.get(self.role, "")
        if self.role is Role.TENSOR:
            layout = f"[{', '.join(self.axes)}], a batch dimension first or none"
        partition = f" of '{self.partition}'" if self.partition else ""
        default = "" if self.is_required else f" = {self.default!r}"
        return f"{self.name}: {self.role.value}{partition} {layout}".rstrip() + default

    @property
    def is_per_block(self) -> bool:
        """Whether it is queries with one row per query block."""
        return self.role is Role.QUERY and BLOCK in self.axes

    @property
    def is_required(self) -> bool:
        """Whether a call must give it."""
        return self.default is MISSING


class Signature:
    """The parameters of a `@ramify.jit` function.

    Parameters
    ----------
    function : callable
        The Python function.

    Raises
    ------
    LanguageError
        For a parameter whose kind or annotation the language does not have.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        _check_function(function)
        self.function = function
        self.name = function.__name__
        self.parameters: dict[str, Parameter] = {}
        for name, parameter in self._inspect().parameters.items():
            self.parameters[name] = self._parameter(parameter)
        self.python = inspect.signature(function)

    def __str__(self) -> str:
        """The parameters, one a line: name, role, layout of the whole array or default."""
        return "\n".join([f"{self.name}:", *(f"  {p}" for p in self.parameters.values())])

    @cached_property
    def source(self) -> Source:
        """The function's text."""
        return load(self.function)

    @property
    def arrays(self) -> tuple[Parameter, ...]:
        """Array parameters, in order."""
        return tuple(p for p in self.parameters.values() if p.role.is_array)

    @property
    def scalars(self) -> tuple[Parameter, ...]:
        """Run-time scalars, in order."""
        return tuple(p for p in self.parameters.values() if p.role.is_scalar)

    @property
    def constants(self) -> tuple[Parameter, ...]:
        """Constexpr parameters, in order."""
        return tuple(p for p in self.parameters.values() if p.role is Role.CONSTEXPR)

    @property
    def partitions(self) -> tuple[str, ...]:
        """Names of the partitions, in order of appearance."""
        return tuple(dict.fromkeys(p.partition for p in self.arrays if p.partition is not None))

    @cached_property
    def whole_rows(self) -> frozenset[str]:
        """Weights and indices that the function computes with as whole rows, beside `w[slot]`."""
        names = {p.name for p in (*self.of_role(Role.INDICES), *self.of_role(Role.WEIGHTS))}
        return frozenset(names & read_whole(self.source.tree)) if names else frozenset()

    def of_role(self, role: Role) -> tuple[Parameter, ...]:
        """Parameters of one role, in order."""
        return tuple(p for p in self.parameters.values() if p.role is role)

    @property
    def query(self) -> Parameter:
        """The first queries, of all positions: they tell B, L, HQ and the dtype."""
        return next(p for p in self.of_role(Role.QUERY) if not p.is_per_block)

    def check_entry(self) -> None:
        """Check what a function must have to be called with arrays.

        Raises
        ------
        LanguageError
            For a parameter without annotation, or if there is no query.
        """
        for parameter in self.parameters.values():
            if parameter.role is Role.ANY:
                raise self.error(
                    parameter.name, f"`{parameter.name}` has no annotation of its role", LEGAL
                )
        for parameter in self.of_role(Role.INDICES):
            self._check_chunks(parameter)
        if all(p.is_per_block for p in self.of_role(Role.QUERY)):
            node = self.source.tree
            raise self.source.error(
                node, f"`{self.name}` has no rl.Query parameter", "add one: `q: rl.Query`"
            )

    def _check_chunks(self, indices: Parameter) -> None:
        """Check that something has the chunks that indices select."""
        for other in self.arrays:
            has_chunks = other.role in (Role.CHUNKS, Role.LANDMARKS) or "key" in other.axes
            if has_chunks and other.partition == indices.partition:
                return
        raise self.error(
            indices.name,
            f"`{indices.name}` selects chunks of '{indices.partition}', which no other parameter "
            "has",
            f'add one: `k: rl.Chunks["{indices.partition}"]`, or name another partition',
        )

    def error(self, name: str, message: str, hint: str) -> LanguageError:
        """An error that points at a parameter."""
        return self.source.error(self.source.parameter(name), message, hint)

    def _inspect(self) -> inspect.Signature:
        try:
            return inspect.signature(self.function, eval_str=True)
        except Exception as cause:  # an annotation is any expression
            node = self.source.tree
            raise self.source.error(
                node, f"an annotation of `{self.name}` cannot be evaluated: {cause}", LEGAL
            ) from cause

    def _parameter(self, parameter: inspect.Parameter) -> Parameter:
        name = parameter.name
        if not name.isascii():
            raise self.error(name, f"`{name}`: names of parameters are ASCII", "rename it")
        if name in RESERVED:
            raise self.error(
                name, f"`{name}` is a keyword that every call takes", "give it another name"
            )
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise self.error(
                name, f"`*{name}`: a function takes a fixed list of parameters", "name each one"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise self.error(
                name, f"`{name}` stands before a `/`: calls may give each by its name", "remove `/`"
            )
        role, partition, axes = self._role(name, parameter.annotation)
        is_value = role.is_scalar or role is Role.CONSTEXPR
        if is_value and parameter.kind is not parameter.KEYWORD_ONLY:
            raise self.error(
                name,
                f"`{name}`: scalars and constants are keyword-only",
                f"put it behind a `*`: `def {self.name}(..., *, {name}: ...)`",
            )
        if role.is_array and parameter.default is not MISSING:
            raise self.error(name, f"`{name}`: an array has no default", "remove the default")
        return Parameter(name, role, partition, axes, parameter.default)

    def _role(self, name: str, annotation: object) -> tuple[Role, str | None, tuple[str, ...]]:
        if annotation is MISSING or annotation is language.Array:
            return Role.ANY, None, ()
        if annotation is float or annotation is int:
            return (Role.FLOAT if annotation is float else Role.INT), None, ()
        if annotation == language.constexpr:
            return Role.CONSTEXPR, None, ()
        found = annotation if isinstance(annotation, Annotation) else None
        key = found.role if found else annotation
        role = _ARRAYS.get(key) if isinstance(key, type) else None
        if role is None or (role is Role.TENSOR and found is None):
            shown = annotation.__name__ if isinstance(annotation, type) else annotation
            raise self.error(name, f"`{name}`: {shown} is not the type of a parameter", LEGAL)
        in_chunks = role in (Role.CHUNKS, Role.INDICES, Role.LANDMARKS)
        partition = found.partition if found else None
        return (
            role,
            partition or (DEFAULT_PARTITION if in_chunks else None),
            found.axes if found else (),
        )
