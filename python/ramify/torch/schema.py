# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The schema of an operator: a function's parameters and the keywords of every call, in PyTorch's
words.

    def hsa(q: rl.Query, ..., *, scale: float, softmax_n: rl.constexpr = 0.0)
    (Tensor q, ..., *, float scale, float softmax_n=0.0, SymInt? chunk_size=None, ...) -> Tensor[]

A constant whose default is a number, a flag or a name is that in the schema too; any other is
passed as its `repr`, a str. What may be a number or an array, such as `q_start`, is two
parameters.
"""

from __future__ import annotations

import ast
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import index
from typing import Any

import torch

from ..errors import ArgumentTypeError
from ..frontend import Parameter, Role, Signature

ARRAY = "_array"
"""Behind the name of a keyword that may be a number: the parameter that takes an array."""

KEYWORDS = {
    "chunk_size": "int? chunk_size=None",
    "chunks": "int[]? chunks=None",
    "q_block": "int? q_block=None",
    "q_start": "SymInt? q_start=None, Tensor? q_start_array=None",
    "q_positions": "Tensor? q_positions=None",
    "num_keys": "SymInt? num_keys=None, Tensor? num_keys_array=None",
    "validate": "bool validate=False",
    "deterministic": "bool deterministic=False",
}
"""The keywords of every call. Sizes of chunks stand in the order of the partitions."""

KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "float": ("a number", (numbers.Real, torch.SymInt, torch.SymFloat)),
    "int": ("an int", (numbers.Integral, torch.SymInt)),
    "SymInt": ("an int", (numbers.Integral, torch.SymInt)),
    "bool": ("True or False", (bool,)),
    "Tensor": ("a tensor", (torch.Tensor,)),
}
"""What a type of a schema takes, in words and as types; for the others PyTorch tells."""


@dataclass(frozen=True)
class Field:
    """One parameter of the function: its text in the schema, and whether its value is a repr."""

    name: str
    text: str
    keyword_only: bool
    is_required: bool
    is_repr: bool = False


TAKEN = frozenset({"q_start_array", "num_keys_array", "wrt", "results", "d_outs", "keyset"})
"""Names that the operators have beside those of a function's parameters."""


class Schema:
    """A function's parameters as an operator takes them.

    Parameters
    ----------
    signature : Signature
        The function's.
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        for name in TAKEN & signature.parameters.keys():
            raise signature.error(
                name, f"`{name}` is a name that PyTorch's operators take", "give it another name"
            )
        python = signature.python.parameters
        self.fields = tuple(
            _field(p, python[p.name].kind is python[p.name].KEYWORD_ONLY)
            for p in signature.parameters.values()
        )
        self.positional = tuple(f.name for f in self.fields if not f.keyword_only)
        self.required = tuple(f.name for f in self.fields if f.is_required)
        self.arrays = tuple(p.name for p in signature.arrays)
        self.reprs = tuple(f.name for f in self.fields if f.is_repr)
        self.names = frozenset((*signature.parameters, *KEYWORDS))
        texts = {**{f.name: f.text for f in self.fields}, **KEYWORDS}
        self.kinds = {name: text.split()[0] for name, text in texts.items()}

    def text(self, before: Iterable[str] = (), after: Iterable[str] = ()) -> str:
        """The parameters in brackets; `before` and `after` stand around the keyword-only ones."""
        first = [f.text for f in self.fields if not f.keyword_only]
        rest = [f.text for f in self.fields if f.keyword_only]
        return f"({', '.join([*before, *first, '*', *rest, *KEYWORDS.values(), *after])})"

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Check which arguments there are, and of which types.

        Raises
        ------
        ArgumentTypeError
            If one is missing, unknown, given twice or of a wrong type; if there are too many.
        """
        name, first = self.signature.name, self.positional[: len(args)]
        if len(args) > len(self.positional):
            raise ArgumentTypeError(
                f"{name}() takes {len(self.positional)} positional arguments, {len(args)} were "
                "given"
            )
        for keyword in kwargs:
            if keyword not in self.names:
                raise ArgumentTypeError(f"{name}() has no parameter '{keyword}'")
            if keyword in first:
                raise ArgumentTypeError(f"{name}(): {keyword} was given twice")
        given = {**dict(zip(first, args, strict=True)), **kwargs}
        for required in self.required:
            if required not in given:
                raise ArgumentTypeError(f"{name}(): {required} is missing")
        for each, value in given.items():
            if each not in self.reprs:
                _check(f"{name}(): {each}", self.kinds[each], value)

    def encode(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """A call's keywords as the operator takes them."""
        encoded = dict(kwargs)
        for name in self.reprs:
            if name in encoded:
                value = encoded[name]
                # Under torch.compile an int may be a symbol; its index is a number.
                encoded[name] = repr(index(value) if type(value) is int else value)
        for name in ("q_start", "num_keys"):
            if isinstance(encoded.get(name), torch.Tensor):
                encoded[name + ARRAY] = encoded.pop(name)
        chunks = encoded.get("chunks")
        if isinstance(chunks, dict):
            if set(chunks) != set(self.signature.partitions):
                raise ArgumentTypeError(
                    f"{self.signature.name}(): chunks: expected sizes of "
                    f"{list(self.signature.partitions)}, found {list(chunks)}."
                )
            encoded["chunks"] = [chunks[name] for name in self.signature.partitions]
        elif chunks is not None and not isinstance(chunks, list | tuple):
            raise ArgumentTypeError(
                f'{self.signature.name}(): chunks: expected a dict such as {{"kv": 64}}, found '
                f"{chunks!r}."
            )
        return encoded

    def decode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The function's arguments by name from an operator's: the inverse of `encode`.

        PyTorch leaves out those that are at their default.
        """
        given = {**dict(zip(self.positional, args, strict=False)), **kwargs}
        for name in self.reprs:
            if name in given:
                given[name] = ast.literal_eval(given[name])
        for name in ("q_start", "num_keys"):
            array = given.pop(name + ARRAY, None)
            if array is not None:
                given[name] = array
        if given.get("chunks") is not None:
            given["chunks"] = dict(zip(self.signature.partitions, given["chunks"], strict=True))
        return {name: value for name, value in given.items() if not _is_absent(name, value)}


def _check(what: str, kind: str, value: Any) -> None:
    """Refuse what PyTorch would refuse in words of its own."""
    base = kind.removesuffix("?")
    if (value is None and base != kind) or base not in KINDS:
        return
    expected, types = KINDS[base]
    if base == "SymInt" and kind != base:  # a number, or an array for each sequence
        expected, types = "an int or an int32 tensor [B]", (*types, torch.Tensor)
    if not isinstance(value, types) or (isinstance(value, bool) and base != "bool"):
        raise ArgumentTypeError(f"{what}: expected {expected}, found {type(value).__name__}")
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        raise ArgumentTypeError(f"{what}: expected a dense tensor, found {value.layout}")


def _is_absent(name: str, value: Any) -> bool:
    return name in KEYWORDS and value is None


def _field(parameter: Parameter, keyword_only: bool) -> Field:
    name, required = parameter.name, parameter.is_required
    if parameter.role.is_array:
        return Field(name, f"Tensor {name}", keyword_only, required)
    if parameter.role.is_scalar:
        kind = "float" if parameter.role is Role.FLOAT else "SymInt"
        default = "" if required else f"={parameter.default!r}"
        return Field(name, f"{kind} {name}{default}", keyword_only, required)
    kind = "" if required else _literal_type(parameter.default)
    if kind:
        return Field(name, f"{kind} {name}={parameter.default!r}", keyword_only, required)
    default = "" if required else f"={_quoted(repr(parameter.default))}"
    return Field(name, f"str {name}{default}", keyword_only, required, is_repr=True)


def _literal_type(value: object) -> str:
    """The type of a constant that schemas can write; empty for any other."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float) and math.isfinite(value):
        return "float"
    return ""


def _quoted(text: str) -> str:
    """A default of type str, in the quotes that schemas know."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
