# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions that compute from registers of the same lane."""

from __future__ import annotations

from collections.abc import Callable

from emulator.report import UnsupportedError
from emulator.translate.instruction import Instruction, Lines
from emulator.types import OF_PTX, dtype_of

INFIX = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}
SIGNED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
UNSIGNED = {"lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
COMPARE = SIGNED | UNSIGNED
UNARY = {
    "not": "~{}",
    "neg": "-{}",
    "abs": "np.abs({})",
    "ex2": "np.exp2({})",
    "lg2": "np.log2({})",
    "rcp": "np.float32(1)/{}",
    "rsqrt": "np.float32(1)/np.sqrt({})",
    "sqrt": "np.sqrt({})",
    "tanh": "np.tanh({})",
    "sin": "np.sin({})",
    "cos": "np.cos({})",
    "brev": "arithmetic.brev({})",
}


def infix(x: Instruction) -> Lines:
    return x.put(f"{x.value(1)}{INFIX[x.name]}{x.value(2)}")


def unary(x: Instruction) -> Lines:
    return x.put(UNARY[x.name].format(x.value(1)))


def count_bits(x: Instruction) -> Lines:
    return x.put(f"arithmetic.{x.name}({x.value(1)})", "u32")


def wide_product(x: Instruction) -> tuple[str, str]:
    """The product of two registers of 16 or 32 bits in twice as many, and its type."""
    if x.kind not in ("u16", "s16", "u32", "s32"):
        raise UnsupportedError(x.op)
    kind = x.kind[0] + str(2 * int(x.kind[1:]))
    return f"{x.value(1)}.astype('{OF_PTX[kind]}')*{x.value(2)}.astype('{OF_PTX[kind]}')", kind


def mul(x: Instruction) -> Lines:
    if x.parts[1] in ("wide", "hi"):
        product, kind = wide_product(x)
        if x.parts[1] == "wide":
            return x.put(product, kind)
        return x.put(f"(({product})>>{x.kind[1:]}).astype('{OF_PTX[x.kind]}')")
    return x.put(f"{x.value(1)}*{x.value(2)}")


def mad(x: Instruction) -> Lines:
    if x.parts[1] == "lo":
        return x.put(f"{x.value(1)}*{x.value(2)}+{x.value(3)}")
    if x.parts[1] == "wide":
        product, kind = wide_product(x)
        return x.put(f"{product}+{x.value(3, kind)}", kind)
    raise UnsupportedError(x.op)


def fma(x: Instruction) -> Lines:
    if x.kind == "f32":
        return x.put(f"({x.value(1)}.astype('f8')*{x.value(2)}+{x.value(3)}).astype('f4')")
    if x.kind in ("bf16x2", "f16x2"):
        a, b, c = (x.value(i, "u32") for i in (1, 2, 3))
        return x.put(f"floats.fma2('{x.kind[:-2]}',{a},{b},{c})", "u32")
    raise UnsupportedError(x.op)


def extreme(x: Instruction) -> Lines:
    """Of a number and a NaN it is the number, unless .NaN says otherwise."""
    ignores = x.kind[0] == "f" and "NaN" not in x.parts
    function = f"np.f{x.name}" if ignores else f"np.{x.name}imum"
    return x.put(f"{function}({x.value(1)},{x.value(2)})")


def shift(x: Instruction) -> Lines:
    width = 8 * dtype_of(x.kind).itemsize
    if x.args[2].isdigit() and int(x.args[2]) < width:
        return x.put(f"{x.value(1)}{'<<' if x.name == 'shl' else '>>'}{x.value(2)}")
    return x.put(f"arithmetic.{x.name}({x.value(1)},{x.value(2, 'u32')},{width})")


def divide(x: Instruction) -> Lines:
    if x.kind[0] == "f":
        return x.put(f"{x.value(1)}/{x.value(2)}")
    return x.put(f"arithmetic.{x.name}({x.value(1)},{x.value(2)})")


def bfe(x: Instruction) -> Lines:
    return x.put(f"arithmetic.bfe({x.value(1)},{int(x.args[2])},{int(x.args[3])})")


def selp(x: Instruction) -> Lines:
    return x.put(f"where({x.value(3, 'pred')},{x.value(1)},{x.value(2)})")


def setp(x: Instruction) -> Lines:
    how, floating = x.parts[1], x.kind[0] == "f"
    a, b = x.value(1), x.value(2)
    unordered = f"np.isnan({a})|np.isnan({b})"
    if floating and how in ("num", "nan"):
        return x.put(f"~({unordered})" if how == "num" else unordered, "pred")
    if floating and how == "ne":
        return x.put(f"({a}!={b})&~({unordered})", "pred")
    if floating and how not in COMPARE:  # as equ, which is true of NaNs
        return x.put(f"({a}{COMPARE[how[:-1]]}{b})|{unordered}", "pred")
    return x.put(f"{a}{COMPARE[how]}{b}", "pred")


BY_NAME: dict[str, Callable[[Instruction], Lines]] = {
    **dict.fromkeys(INFIX, infix),
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(("popc", "clz"), count_bits),
    **dict.fromkeys(("min", "max"), extreme),
    **dict.fromkeys(("shl", "shr"), shift),
    **dict.fromkeys(("div", "rem"), divide),
    "mul": mul,
    "mad": mad,
    "fma": fma,
    "bfe": bfe,
    "selp": selp,
    "setp": setp,
}
