# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a name in a function can stand for while the function is compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .ir import TensorType, Value
from .signature import Parameter


@dataclass(frozen=True)
class Constant:
    """A Python value known now: number, string, tuple, function, module."""

    value: Any

    def describe(self) -> str:
        return f"the constant {self.value!r}"


@dataclass(frozen=True)
class Tensor:
    """An array with named axes, or a scalar, known when the kernel runs."""

    ssa: Value
    type: TensorType

    def describe(self) -> str:
        if self.type.element == "i1":
            return f"a condition {self.type.describe()}" if self.type.axes else "a condition"
        if self.type.partition is not None:
            return f"a stream {self.type.describe()} over the chunks of '{self.type.partition}'"
        return f"an array {self.type.describe()}" if self.type.axes else f"a {self.type.element}"


@dataclass(frozen=True)
class Slots(Tensor):
    """Picked chunks of a partition: an i32 tensor with a slot axis."""

    partition: str

    def describe(self) -> str:
        return f"slots of '{self.partition}' {self.type.describe()}"


@dataclass(frozen=True)
class Array:
    """An array parameter as such: what is indexed, or iterated over by a domain."""

    parameter: Parameter
    ssa: Value

    def describe(self) -> str:
        return f"the {self.parameter.role.value} parameter `{self.parameter.name}`"


@dataclass(frozen=True)
class Chunk:
    """The chunk of a loop."""

    ssa: Value
    partition: str

    def describe(self) -> str:
        return f"a chunk of '{self.partition}'"


@dataclass(frozen=True)
class Slot:
    """The slot of a loop over selected chunks."""

    ssa: Value
    indices: str
    count: int | None = None
    """How many slots there are, where the function computes them."""

    def describe(self) -> str:
        return f"a slot of `{self.indices}`"


@dataclass(frozen=True)
class Domain:
    """What a loop visits."""

    ssa: Value
    partition: str
    indices: str | None = None
    count: int | None = None
    """How many slots there are, where the function computes them."""

    def describe(self) -> str:
        return f"a domain of chunks of '{self.partition}'"


@dataclass(eq=False)
class Softmax:
    """An online softmax; merging and pushing replace its state."""

    state: Value
    rows: TensorType
    """`[pos, head, dim]`: the type of its value."""
    made_in: object = None
    """The loop that it was made in, if any."""
    read_in: set[int] = field(default_factory=set)
    """The loops in which its value was read."""

    def describe(self) -> str:
        return "an online softmax"


@dataclass(frozen=True)
class Method:
    """`acc.merge`, `acc.push`, `s.at` or `slots.keep` before its call."""

    owner: Softmax | Tensor
    name: str

    def describe(self) -> str:
        return f"the method `{self.name}`"


@dataclass(frozen=True)
class Tuple:
    """Several values, as a function returns them."""

    items: tuple[FrontValue, ...]

    def describe(self) -> str:
        return f"{len(self.items)} values"


FrontValue: TypeAlias = (
    "Constant | Tensor | Array | Chunk | Slot | Domain | Softmax | Method | Tuple"
)


def describe(value: FrontValue) -> str:
    """How error messages speak of a value."""
    return value.describe()
