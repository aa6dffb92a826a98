# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Moves and conversions."""

from __future__ import annotations

from collections.abc import Callable

from emulator.translate.instruction import Instruction, Lines
from emulator.types import OF_PTX

TO_INTEGER = {"rni": "np.rint", "rzi": "np.trunc", "rmi": "np.floor", "rpi": "np.ceil"}
MODIFIERS = {*TO_INTEGER, "rn", "ftz"}


def mov(x: Instruction) -> Lines:
    half = "b32" if x.kind == "b64" else "b16"
    if x.args[1].startswith("{"):
        low, high = (x.operands.value(part, half) for part in x.listed(1))
        return x.put(f"arithmetic.join({low},{high})")
    if x.args[0].startswith("{"):
        return [f"t=arithmetic.parts({x.value(1)})", *x.put_each(half)]
    return x.put(x.value(1))


def cvt(x: Instruction) -> Lines:
    to, *source = [part for part in x.parts[1:] if part not in MODIFIERS]
    if to in ("bf16x2", "f16x2"):
        high, low = x.value(1, "f32"), x.value(2, "f32")
        return x.put(f"floats.pack('{to[:-2]}',{high},{low})", "u32")
    (given,) = source
    if to in ("bf16", "f16") and given == "f32":
        return x.put(f"floats.NARROW['{to}']({x.value(1, 'f32')})", "u16")
    if to == "f32" and given in ("bf16", "f16"):
        return x.put(f"floats.WIDEN['{given}']({x.value(1, 'u16')})", "f32")
    value = x.value(1, given)
    if given[0] == "f" and to[0] != "f":
        (how,) = (TO_INTEGER[part] for part in x.parts if part in TO_INTEGER)
        return x.put(f"arithmetic.to_int({how}({value}),'{OF_PTX[to]}')", to)
    return x.put(f"{value}.astype('{OF_PTX[to]}')", to)


BY_NAME: dict[str, Callable[[Instruction], Lines]] = {"mov": mov, "cvt": cvt}
