# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions on matrices that a warp, or four of them, hold together."""

from __future__ import annotations

import re
from collections.abc import Callable

from emulator.report import UnsupportedError
from emulator.translate.instruction import Instruction, Lines


def ldmatrix(x: Instruction) -> Lines:
    access = f"{len(x.listed(0))},{'trans' in x.parts},{x.where}"
    return [*x.meet(), f"t=matrices.load(w,{x.address(1)},{access})", *x.put_each("u32")]


def stmatrix(x: Instruction) -> Lines:
    access = f"{x.values(1, 'u32')},{'trans' in x.parts},{x.where}"
    return [*x.meet(), f"matrices.store(w,{x.address(0)},{access})"]


def movmatrix(x: Instruction) -> Lines:
    return [*x.meet(), *x.put(f"fragments.transpose({x.value(1, 'u32')})", "u32")]


def mma(x: Instruction) -> Lines:
    a, b, c = x.values(1, "u32"), x.values(2, "u32"), x.values(3, "f32")
    shape, kind = x.parts[3], x.parts[7]
    if shape == "m16n8k16" and kind in ("bf16", "f16"):
        left, right = f"fragments.left16('{kind}',{a})", f"fragments.right16('{kind}',{b})"
    elif shape == "m16n8k8" and kind == "tf32":
        left, right = f"fragments.left8({a})", f"fragments.right8({b})"
    else:
        raise UnsupportedError(x.op)
    return [*x.meet(), f"t=fragments.add_product({left},{right},{c})", *x.put_each("f32")]


def wgmma(x: Instruction) -> Lines:
    if x.parts[1] == "fence":
        return x.meet()
    if x.parts[1] == "commit_group":
        return [*x.meet(), "w.products.commit()"]
    if x.parts[1] == "wait_group":
        return [*x.meet(), f"w.products.wait({int(x.args[0])})"]
    shape = re.fullmatch(r"m64n(\d+)k16", x.parts[4])
    if shape is None:
        raise UnsupportedError(x.op)
    if x.args[1].startswith("{"):
        left, across = x.values(1, "u32"), (False, x.args[6] == "1")
    else:
        left, across = f"{x.value(1, 'u64')}[0]", (x.args[6] == "1", x.args[7] == "1")
    right, scale = f"{x.value(2, 'u64')}[0]", f"{x.value(3, 'pred')}[0]"
    c = x.values(0, "f32")
    operands = f"{c},{left},{right},{scale},{shape[1]},{across},{x.where}"
    return [
        *x.meet(),
        f"t=w.products.start('{x.parts[6]}',{operands})",
        *x.put_each("f32"),
    ]


BY_NAME: dict[str, Callable[[Instruction], Lines]] = {
    "ldmatrix": ldmatrix,
    "stmatrix": stmatrix,
    "movmatrix": movmatrix,
    "mma": mma,
    "wgmma": wgmma,
}
