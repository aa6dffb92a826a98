# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators: broadcasting by name, promotion of types, and what is emitted for each.

Floats are f32 (16-bit arrays are widened), positions i32, conditions i1. An i32 that meets a float
becomes one; a condition is no number.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from .builder import Builder
from .ir import Axes, Dynamic, Size, TensorType, sort_axes
from .values import Constant, Tensor

Operand = Constant | Tensor

MAX_CONSTANT = 1 << 14
"""Bits of an integer, or elements of a text or tuple, that an operator on constants may give."""


class MismatchError(Exception):
    """Operands that do not fit; becomes a LanguageError where the source is known."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


FOLDS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
"""What an operator does to constants."""

_FLOAT = {
    ast.Add: "arith.addf",
    ast.Sub: "arith.subf",
    ast.Mult: "arith.mulf",
    ast.Div: "arith.divf",
}
_INT = {
    ast.Add: "arith.addi",
    ast.Sub: "arith.subi",
    ast.Mult: "arith.muli",
}
_COMPARE: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("olt", "slt"),
    ast.LtE: ("ole", "sle"),
    ast.Gt: ("ogt", "sgt"),
    ast.GtE: ("oge", "sge"),
    ast.Eq: ("oeq", "eq"),
    ast.NotEq: ("une", "ne"),
}


def _checked_int(number: int, element: str | None) -> int:
    if element in (None, "i32") and not -(2**31) <= number < 2**31:
        raise MismatchError(f"{number} does not fit into int32", "write it as a float")
    return number


def checked_float(number: float) -> float:
    """A number that is finite as f32 if it is one."""
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if abs(value) > LARGEST and (math.isfinite(value) or isinstance(number, int)):
        raise MismatchError(
            f"a constant beyond {LARGEST:.3g} does not fit into float32", "rl.inf is the infinity"
        )
    return value


LARGEST = float.fromhex("0x1.ffffffp127")
"""What is beyond rounds to an infinite f32."""


def unify(builder: Builder, *values: Operand, numbers: bool = True) -> tuple[Tensor, ...]:
    """The values with one element type and one set of axes.

    Constants become constant tensors instead of broadcasts, so that folders see them.
    """
    elements = [_element(value) for value in values]
    if numbers and "i1" in elements:
        raise MismatchError(
            "a condition is no number", "choose numbers by it: rl.where(condition, 1.0, 0.0)"
        )
    if "i1" in elements and set(elements) != {"i1"}:
        raise MismatchError("a condition meets a number", "compare the number: `x > 0`")
    element = "f32" if any(e in ("f32", "f16", "bf16") for e in elements) else elements[0]
    axes = common_axes(*values)
    result = []
    for value in values:
        if isinstance(value, Constant):
            number = value.value
            if element == "i32":
                number = _checked_int(int(number), element)
            elif element == "f32":
                number = checked_float(number)
            result.append(builder.constant(number, TensorType(element, axes)))
        else:
            converted = builder.to_f32(value) if element == "f32" else value
            result.append(builder.broadcast(converted, axes))
    return tuple(result)


def spread(builder: Builder, value: Operand, axes: Axes) -> Tensor:
    """A number or array as an f32 array with these axes."""
    if isinstance(value, Constant):
        if _element(value) == "i1":
            raise MismatchError("a condition is no number", "rl.where(condition, 1.0, 0.0)")
        return builder.constant(checked_float(value.value), TensorType("f32", axes))
    if value.type.element == "i1":
        raise MismatchError("a condition is no number", "rl.where(condition, 1.0, 0.0)")
    common_axes(value, Tensor(value.ssa, TensorType("f32", axes)))
    return builder.broadcast(builder.to_f32(value), axes)


def common_axes(*values: Operand) -> Axes:
    """The axes of all values together; sizes of axes with one name must agree."""
    sizes: dict[str, Size] = {}
    for value in values:
        for name, size in value.type.axes if isinstance(value, Tensor) else ():
            known = sizes.setdefault(name, size)
            if known != size:
                raise _different_sizes(name, known, size)
    return sort_axes(sizes)


def _different_sizes(name: str, one: Size, other: Size) -> MismatchError:
    if isinstance(one, Dynamic) and isinstance(other, Dynamic):
        return MismatchError(
            f"streams over the chunks of '{one.partition}' and of '{other.partition}' meet, which "
            "are different partitions",
            "reduce one of them first, or read both at slots",
        )
    return MismatchError(f"axis '{name}' has {one} elements on one side and {other} on the other")


def _element(value: Operand) -> str:
    if isinstance(value, Tensor):
        return value.type.element
    if isinstance(value.value, bool):
        return "i1"
    if isinstance(value.value, int):
        return "i32"
    if isinstance(value.value, float):
        return "f32"
    raise MismatchError(f"expected a number or an array, found {value.describe()}")


def binary(builder: Builder, op: ast.operator, left: Operand, right: Operand) -> Operand:
    """`left op right`."""
    kind = type(op)
    if isinstance(left, Constant) and isinstance(right, Constant):
        return fold(kind, left.value, right.value)
    if isinstance(op, ast.BitAnd | ast.BitOr):
        return _logical(builder, op, left, right)
    if isinstance(op, ast.Pow):
        return _power(builder, left, right)
    if isinstance(op, ast.BitXor) and {_element(left), _element(right)} == {"i1"}:
        raise MismatchError("& and | join conditions", "a ^ b is `(a | b) & ~(a & b)`")
    a, b = unify(builder, left, right)
    if isinstance(op, ast.Div):
        a, b = builder.to_f32(a), builder.to_f32(b)
    if isinstance(op, ast.FloorDiv | ast.Mod) and a.type.element == "i32":
        return _divide(builder, op, a, b, right)
    names = _FLOAT if a.type.element == "f32" else _INT
    if kind not in names:
        raise MismatchError(
            f"`{_symbol(kind)}` is not defined on {'floats' if a.type.is_float else 'integers'}",
            "the operators on arrays are + - * /, on integers also // and %",
        )
    return builder.binary(names[kind], a, b)


def _divide(builder: Builder, op: ast.operator, a: Tensor, b: Tensor, divisor: Operand) -> Tensor:
    """`a // b` or `a % b` of integers. By 0 both are 0, as in NumPy: processors disagree about it,
    and about -2^31 // -1, and some end the program.
    """
    if isinstance(divisor, Constant):
        if divisor.value == 0:
            raise MismatchError("integer division by zero")
        if divisor.value == -1:
            quotient = _negated(builder, a)
        else:
            quotient = builder.binary("arith.floordivsi", a, b)
        return quotient if isinstance(op, ast.FloorDiv) else _remainder(builder, a, b, quotient)
    zero = builder.constant(0, b.type)
    by_zero = builder.compare("eq", b, zero)
    negates = builder.compare("eq", b, builder.constant(-1, b.type))
    refused = builder.binary("arith.ori", by_zero, negates)
    safe = builder.select(refused, builder.constant(1, b.type), b)
    quotient = builder.binary("arith.floordivsi", a, safe)
    quotient = builder.select(negates, _negated(builder, a), quotient)
    if isinstance(op, ast.Mod):
        quotient = _remainder(builder, a, b, quotient)
    return builder.select(by_zero, zero, quotient)


def _negated(builder: Builder, a: Tensor) -> Tensor:
    return builder.binary("arith.subi", builder.constant(0, a.type), a)


def _remainder(builder: Builder, a: Tensor, b: Tensor, quotient: Tensor) -> Tensor:
    return builder.binary("arith.subi", a, builder.binary("arith.muli", quotient, b))


def fold(kind: type[ast.AST], *values: Any) -> Constant:
    """An operator on constants, as Python has it."""
    if kind not in FOLDS:
        raise MismatchError(f"`{kind.__name__}` is not an operator of the language")
    if _size_of_fold(kind, *values) > MAX_CONSTANT:
        raise MismatchError(
            f"a constant of more than {MAX_CONSTANT} bits or elements", "rl.inf is the infinity"
        )
    try:
        return Constant(FOLDS[kind](*values))
    except (TypeError, ValueError, ArithmeticError, MemoryError) as cause:
        raise MismatchError(f"{cause}") from cause


def _size_of_fold(kind: type[ast.AST], *values: Any) -> int:
    """About how large a power or product of constants is, before it is computed."""
    if kind not in (ast.Pow, ast.Mult) or not any(isinstance(value, int) for value in values):
        return 0
    left, right = values
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length(), right.bit_length()
        if kind is ast.Mult:
            return sum(bits)
        return bits[0] * max(right, 0) if abs(left) > 1 else 0
    if kind is ast.Mult:
        for count, items in ((left, right), (right, left)):
            if isinstance(count, int) and isinstance(items, str | tuple | list):
                return max(count, 0) * len(items)
    return 0


def _symbol(kind: type[ast.AST]) -> str:
    symbols: dict[type[ast.AST], str] = {ast.FloorDiv: "//", ast.Mod: "%", ast.BitXor: "^"}
    symbols.update({ast.LShift: "<<", ast.RShift: ">>"})
    return symbols.get(kind, kind.__name__)


def _logical(builder: Builder, op: ast.operator, left: Operand, right: Operand) -> Tensor:
    if not {_element(left), _element(right)} == {"i1"}:
        raise MismatchError("& and | join conditions", "compare first: `(x > 0) & (x < 8)`")
    a, b = unify(builder, left, right, numbers=False)
    return builder.binary("arith.andi" if isinstance(op, ast.BitAnd) else "arith.ori", a, b)


def _power(builder: Builder, left: Operand, right: Operand) -> Tensor:
    exponent = right.value if isinstance(right, Constant) else None
    if exponent not in (2, 3, 4, 0.5) or not isinstance(left, Tensor):
        raise MismatchError(
            "`**` takes the constants 2, 3, 4 and 0.5", "x ** y is rl.exp(y * rl.log(x))"
        )
    if left.type.element == "i1":
        raise MismatchError("a condition is no number", "rl.where(condition, 1.0, 0.0)")
    x = builder.to_f32(left) if left.type.is_float or exponent == 0.5 else left
    if exponent == 0.5:
        return builder.unary("math.sqrt", x)
    times = "arith.mulf" if x.type.is_float else "arith.muli"
    square = builder.binary(times, x, x)
    if exponent == 2:
        return square
    return builder.binary(times, square, x if exponent == 3 else square)


def compare(builder: Builder, op: ast.cmpop, left: Operand, right: Operand) -> Operand:
    """`left op right` as a condition."""
    kind = type(op)
    if isinstance(left, Constant) and isinstance(right, Constant):
        return fold(kind, left.value, right.value)
    if kind not in _COMPARE:
        raise MismatchError(
            f"`{kind.__name__.lower()}` does not compare arrays", "use < <= > >= == !="
        )
    a, b = unify(builder, left, right)
    return builder.compare(_COMPARE[kind][0 if a.type.is_float else 1], a, b)


def unary(builder: Builder, op: ast.unaryop, value: Operand) -> Operand:
    """`op value`."""
    if isinstance(value, Constant):
        return fold(type(op), value.value)
    if isinstance(op, ast.Invert) and value.type.element == "i1":
        return builder.binary("arith.xori", value, builder.constant(True, value.type))
    if isinstance(op, ast.Not):
        raise MismatchError("`not` needs a constant", "negate a condition with ~")
    if isinstance(op, ast.Invert) or value.type.element == "i1":
        raise MismatchError(
            "~ negates conditions, - and + take numbers", "compare first: `~(x > 0)`"
        )
    if isinstance(op, ast.UAdd):
        return value
    if value.type.element == "i32":
        return _negated(builder, value)
    return builder.unary("arith.negf", builder.to_f32(value))


def is_minus_infinity(builder: Builder, x: Tensor) -> Tensor:
    """The condition x == -inf."""
    return builder.compare("oeq", x, builder.constant(-math.inf, x.type))
