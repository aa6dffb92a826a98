# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The `hsa` program while it is being written: values, operations, and how they print.

Types are strings of MLIR, except those of tensors and scalars, whose axes the front end computes
with. Names of values are chosen when the text is printed, from the names in the Python source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ..reference.named_array import AXES
from .source import Location


@dataclass(frozen=True)
class Dynamic:
    """The size of a chunk axis: the number of chunks of a partition, which only a call knows."""

    partition: str

    def __str__(self) -> str:
        return "?"


Size: TypeAlias = "int | Dynamic"
Axes: TypeAlias = "tuple[tuple[str, Size], ...]"


@dataclass(frozen=True)
class TensorType:
    """Element type and named axes with their sizes, in canonical order; no axes is a scalar."""

    element: str
    axes: Axes = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(name for name, _ in self.axes)

    @property
    def is_float(self) -> bool:
        """Whether the elements are f32, f16 or bf16."""
        return self.element in ("f32", "f16", "bf16")

    @property
    def partition(self) -> str | None:
        """The partition that a stream runs over; None without a chunk axis."""
        size = dict(self.axes).get("chunk")
        return size.partition if isinstance(size, Dynamic) else None

    def size(self, axis: str) -> int:
        """Size of one axis that is no chunk axis."""
        size = dict(self.axes)[axis]
        assert isinstance(size, int)
        return size

    def without(self, axis: str) -> TensorType:
        """The type with one axis less."""
        return TensorType(self.element, tuple(a for a in self.axes if a[0] != axis))

    def of(self, element: str) -> TensorType:
        """The type with other elements."""
        return TensorType(element, self.axes)

    def __str__(self) -> str:
        if not self.axes:
            return self.element
        shape = "x".join(str(size) for _, size in self.axes)
        return f"tensor<{shape}x{self.element}, {axes_alias(self.names)}>"

    def describe(self) -> str:
        """How error messages speak of it."""
        return f"[{', '.join(self.names)}]" if self.axes else "a scalar"


def axes_alias(names: tuple[str, ...]) -> str:
    """The alias under which the module declares `#hsa.axes<...>`."""
    return "#" + "_".join(names)


def sort_axes(sizes: Mapping[str, Size]) -> Axes:
    """Axes in canonical order."""
    return tuple((name, sizes[name]) for name in AXES if name in sizes)


Type: TypeAlias = "TensorType | str"


@dataclass(eq=False)
class Value:
    """A result of an operation, or an argument of a region."""

    type: Type
    hint: str = ""
    """The name in the source, if it has one."""


@dataclass(eq=False)
class Operation:
    """One operation. `text` has `{0}`, `{1}`, ... where the names of operands stand."""

    text: str
    operands: tuple[Value, ...]
    results: tuple[Value, ...]
    location: Location | None
    region: Block | None = None


@dataclass(eq=False)
class Block:
    """Arguments and operations of a region."""

    arguments: tuple[Value, ...] = ()
    operations: list[Operation] = field(default_factory=list)


@dataclass(eq=False)
class Program:
    """A whole `hsa.program`."""

    name: str
    group: int
    parameters: tuple[Value, ...]
    results: tuple[TensorType, ...]
    body: Block
    location: Location | None


class Printer:
    """Prints one program, with or without locations; the text without is what caches hash."""

    def __init__(self, program: Program, with_locations: bool) -> None:
        self._program = program
        self._with_locations = with_locations
        self._names: dict[Value, str] = {}
        self._taken: set[str] = set()

    def text(self) -> str:
        """The module."""
        program = self._program
        parameters = [f"{self._name(value)}: {value.type}" for value in program.parameters]
        separator = ",\n    "
        results = ", ".join(map(str, program.results))
        lines = [
            f"hsa.program @{program.name}(",
            f"    {separator.join(parameters)})",
            f"    -> ({results}) attributes {{group = {program.group} : i64}} {{",
            *self._block(program.body, "  "),
            f"}}{self._location(program.location)}",
        ]
        return "\n".join([*self._aliases(lines), *lines]) + "\n"

    def _aliases(self, lines: list[str]) -> list[str]:
        used = {alias for line in lines for alias in _aliases_in(line)}
        return [f"#{alias} = #hsa.axes<{alias.replace('_', ', ')}>" for alias in sorted(used)]

    def _block(self, block: Block, indent: str) -> list[str]:
        lines: list[str] = []
        for operation in block.operations:
            lines += self._operation(operation, indent)
        return lines

    def _operation(self, operation: Operation, indent: str) -> list[str]:
        operands = [self._name(value) for value in operation.operands]
        region = operation.region
        if region is not None:
            operands.append(", ".join(self._name(value) for value in region.arguments))
        text = operation.text.format(*operands)
        inner = self._block(region, indent + "  ") if region is not None else []
        assigned = self._results(operation.results)
        tail = self._location(operation.location)
        if region is None:
            return [f"{indent}{assigned}{text}{tail}"]
        return [f"{indent}{assigned}{text} {{", *inner, f"{indent}}}{tail}"]

    def _results(self, results: tuple[Value, ...]) -> str:
        if not results:
            return ""
        name = self._name(results[0])
        if len(results) == 1:
            return f"{name} = "
        for number, value in enumerate(results):
            self._names[value] = f"{name}#{number}"
        return f"{name}:{len(results)} = "

    def _name(self, value: Value) -> str:
        name = self._names.get(value)
        if name is None:
            base = value.hint if value.hint.isascii() else ""
            base = base or str(len(self._names))
            choice, number = base, 0
            while choice in self._taken:
                number += 1
                choice = f"{base}_{number}"
            self._taken.add(choice)
            name = self._names[value] = f"%{choice}"
        return name

    def _location(self, location: Location | None) -> str:
        return f" loc({location})" if self._with_locations and location is not None else ""


def _aliases_in(line: str) -> list[str]:
    """Aliases of axes that a line uses; file names in locations may hold anything."""
    code = line.split(" loc(", 1)[0]
    pieces = code.split(", #")[1:]
    return [piece.split(">", 1)[0] for piece in pieces]
