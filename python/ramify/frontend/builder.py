# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes operations with their types: one method per operation of `hsa`, and the arithmetic.

The builder trusts its caller that operands fit; what users get wrong is found before.
"""

from __future__ import annotations

import math

from .ir import Axes, Block, Dynamic, Operation, TensorType, Type, Value, sort_axes
from .source import Location
from .values import Tensor

Number = float | int | bool


class Builder:
    """Appends operations to the current block.

    Constants, loads and domains depend on parameters only; they go to the head of the program,
    each once.
    """

    def __init__(self) -> None:
        self.head = Block()
        self.block = Block()
        self.location: Location | None = None
        self.chunk: Value | None = None
        """The chunk of the loop that is being written."""
        self._constants: dict[tuple[str, str], Value] = {}
        self._loads: dict[Value, Tensor] = {}
        self._minuends: dict[Value, Tensor] = {}
        self._picks: dict[Value, str] = {}

    def emit(
        self,
        text: str,
        operands: tuple[Value, ...],
        result: Type,
        *,
        block: Block | None = None,
        hint: str = "",
    ) -> Value:
        """Append an operation with one result."""
        value = Value(result, hint)
        target = self.block if block is None else block
        target.operations.append(Operation(text, operands, (value,), self.location))
        return value

    def tensor(
        self, text: str, operands: tuple[Value, ...], result: TensorType, block: Block | None = None
    ) -> Tensor:
        """Append an operation whose result is a tensor or a scalar."""
        return Tensor(self.emit(text, operands, result, block=block), result)

    def constant(self, value: Number, of: TensorType) -> Tensor:
        """A constant, the same in every element."""
        if any(isinstance(size, Dynamic) for _, size in of.axes):
            return self.broadcast(self.constant(value, TensorType(of.element)), of.axes)
        literal = _literal(value, of.element)
        key = (literal, str(of))
        if key not in self._constants:
            shown = f"dense<{literal}>" if of.axes else literal
            text = f"arith.constant {shown}" + (
                "" if of.element == "i1" and not of.axes else f" : {of}"
            )
            self._constants[key] = self.emit(text, (), of, block=self.head)
        return Tensor(self._constants[key], of)

    def broadcast(self, x: Tensor, axes: Axes) -> Tensor:
        """Repeat along the axes that `x` lacks."""
        target = TensorType(x.type.element, axes)
        if target == x.type:
            return x
        return self.tensor(f"hsa.broadcast {{0}} : {x.type} to {target}", (x.ssa,), target)

    def to_f32(self, x: Tensor) -> Tensor:
        """Widen or convert to f32."""
        if x.type.element == "f32":
            return x
        target = x.type.of("f32")
        op = "arith.extf" if x.type.is_float else "arith.sitofp"
        return self.tensor(f"{op} {{0}} : {x.type} to {target}", (x.ssa,), target)

    def unary(self, op: str, x: Tensor) -> Tensor:
        """An operation on one value of the same type."""
        return self.tensor(f"{op} {{0}} : {x.type}", (x.ssa,), x.type)

    def detach(self, x: Tensor) -> Tensor:
        """The value, as a constant to differentiation."""
        return self.unary("hsa.detach", x)

    def binary(self, op: str, a: Tensor, b: Tensor) -> Tensor:
        """An operation on two values of equal type."""
        result = self.tensor(f"{op} {{0}}, {{1}} : {a.type}", (a.ssa, b.ssa), a.type)
        if op == "arith.subf":
            self._minuends[result.ssa] = a
        return result

    def minuend(self, x: Tensor) -> Tensor | None:
        """The `a` of x = a - b; None where x is no difference."""
        return self._minuends.get(x.ssa)

    def compare(self, predicate: str, a: Tensor, b: Tensor) -> Tensor:
        """`arith.cmpf` or `arith.cmpi` on two values of equal type."""
        op = "arith.cmpf" if a.type.is_float else "arith.cmpi"
        text = f"{op} {predicate}, {{0}}, {{1}} : {a.type}"
        return self.tensor(text, (a.ssa, b.ssa), a.type.of("i1"))

    def select(self, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """`a` where the condition holds, `b` elsewhere."""
        types = f"{condition.type}, {a.type}" if a.type.axes else f"{a.type}"
        text = f"arith.select {{0}}, {{1}}, {{2}} : {types}"
        return self.tensor(text, (condition.ssa, a.ssa, b.ssa), a.type)

    def dot(self, a: Tensor, b: Tensor, over: str) -> Tensor:
        """Contract one axis."""
        sizes = {name: size for name, size in (*a.type.axes, *b.type.axes) if name != over}
        result = TensorType("f32", sort_axes(sizes))
        chunk, operands = self._in_chunk(over, 2)
        text = f"hsa.dot {{0}}, {{1}} over {over}{chunk} : {a.type}, {b.type} -> {result}"
        return self.tensor(text, (a.ssa, b.ssa, *operands), result)

    def softmax(self, x: Tensor, n: float, over: str) -> Tensor:
        """Softmax along an axis."""
        chunk, operands = self._in_chunk(over, 1)
        text = f"hsa.softmax {{0}} over {over}{chunk} off_by {_decimal(n)} : {x.type}"
        return self.tensor(text, (x.ssa, *operands), x.type)

    def fold(self, monoid: str, x: Tensor, over: str) -> Tensor:
        """Reduce one axis."""
        result = x.type.without(over)
        chunk, operands = self._in_chunk(over, 1)
        text = f"hsa.fold {monoid} {{0}} over {over}{chunk} : {x.type} -> {result}"
        return self.tensor(text, (x.ssa, *operands), result)

    def load(self, source: Value, result: TensorType, hint: str, op: str = "load") -> Tensor:
        """The block's part of an array, or a stream over its chunks; at the program's head."""
        if source not in self._loads:
            text = f"hsa.{op} {{0}} : {source.type} -> {result}"
            value = self.emit(text, (source,), result, block=self.head, hint=hint)
            self._loads[source] = Tensor(value, result)
        return self._loads[source]

    def read(self, source: Value, chunk: Value, result: TensorType) -> Tensor:
        """One chunk of an array."""
        text = f"hsa.chunk {{0}}[{{1}} : {chunk.type}] : {source.type} -> {result}"
        return self.tensor(text, (source, chunk), result)

    def name_of_picks(self, slots: Value, taken: tuple[str, ...]) -> str:
        """The name under which a program visits slots that it computed; no parameter has it."""
        if slots not in self._picks:
            base = slots.hint if slots.hint.isascii() and slots.hint else "slots"
            names, number = {*taken, *self._picks.values()}, 0
            name = base
            while name in names:
                number += 1
                name = f"{base}_{number}"
            self._picks[slots] = name
        return self._picks[slots]

    def _in_chunk(self, over: str, index: int) -> tuple[str, tuple[Value, ...]]:
        """The clause that names the chunk of a reduction over keys, and its operand."""
        if over != "key" or self.chunk is None:
            return "", ()
        return f" in {{{index}}} : {self.chunk.type}", (self.chunk,)


def _literal(value: Number, element: str) -> str:
    """A number as MLIR writes it."""
    if element == "i1":
        return "true" if value else "false"
    if element == "i32":
        return str(int(value))
    if math.isnan(value):
        return "0x7FC00000"
    if math.isinf(value):
        return "0x7F800000" if value > 0 else "0xFF800000"
    return _decimal(value)


def _decimal(value: float) -> str:
    """The shortest decimal that reads back as the same double, with the point MLIR asks for."""
    text = repr(float(value))
    mantissa, separator, exponent = text.partition("e")
    return text if "." in mantissa else f"{mantissa}.0{separator}{exponent}"
