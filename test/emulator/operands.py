# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operands of instructions as Python: registers `r[i]`, constants `c[i]`, special registers."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np

from emulator.types import SHARED_BASE, Array, dtype_of

CLASSES = {"%p": "?", "%rs": "u2", "%r": "u4", "%rd": "u8", "%f": "f4", "%fd": "f8"}
SPECIAL = {
    "%tid.x": "w.tid",
    "%ctaid.x": "w.block.cta[0]",
    "%ctaid.y": "w.block.cta[1]",
    "%ctaid.z": "w.block.cta[2]",
    "%laneid": "w.lane",
    "%ntid.x": "w.block.ntid",
}
SHARED = "ramify_shared"


class Operands:
    """The registers and constants of a kernel."""

    def __init__(self, declared: dict[str, str]) -> None:
        self.declared = declared
        self.registers: dict[str, int] = {}
        self.dtypes: list[np.dtype[Any]] = []
        self.constants: list[Array] = []
        self.places: dict[tuple[bytes, str], int] = {}

    def register(self, name: str) -> int:
        if name not in self.registers:
            kind = re.match(r"%[a-z]+", name)
            self.registers[name] = len(self.dtypes)
            self.dtypes.append(
                np.dtype(CLASSES[kind[0]]) if kind else dtype_of(self.declared[name])
            )
        return self.registers[name]

    def constant(self, value: Any, dtype: np.dtype[Any]) -> str:
        key = (np.asarray(value, dtype).tobytes(), dtype.str)
        if key not in self.places:
            self.places[key] = len(self.constants)
            self.constants.append(np.full(32, value, dtype))
        return f"c[{self.places[key]}]"

    def value(self, text: str, kind: str) -> str:
        """An expression of 32 values of type `kind`."""
        text, dtype = text.strip(), dtype_of(kind)
        if text in SPECIAL:
            return SPECIAL[text]
        if text.startswith("%") or text in self.declared:
            return self.read(text, dtype)
        if text == SHARED:
            return self.constant(SHARED_BASE, dtype)
        if text.startswith("0f"):
            return self.floating(text, dtype)
        number = int(text, 0)
        if dtype == np.bool_:
            return self.constant(number != 0, dtype)
        bits = np.array(number & ((1 << 8 * dtype.itemsize) - 1), f"u{dtype.itemsize}")
        return self.constant(bits.view(dtype), dtype)

    def read(self, register: str, dtype: np.dtype[Any]) -> str:
        own = self.dtypes[self.register(register)]
        name = f"r[{self.registers[register]}]"
        if own == dtype:
            return name
        if own.itemsize == dtype.itemsize:
            return f"{name}.view('{dtype.str[1:]}')"
        integer = f"{name}.astype('{'i' if dtype.kind == 'i' else 'u'}{dtype.itemsize}')"
        return f"{integer}.view('{dtype.str[1:]}')" if dtype.kind == "f" else integer

    def floating(self, text: str, dtype: np.dtype[Any]) -> str:
        bits, value = int(text[2:], 16), struct.unpack(">f", bytes.fromhex(text[2:]))[0]
        if dtype.kind != "f":
            return self.constant(bits, dtype)
        if np.isnan(value):  # which NaN it is, conversions may lose
            return f"{self.constant(bits, np.dtype('u4'))}.view('f4')"
        return self.constant(value, dtype)

    def address(self, text: str) -> str:
        """An expression of the addresses that `[base+offset]` names."""
        base, _, offset = text.strip()[1:-1].partition("+")
        if base == SHARED:
            return self.constant(SHARED_BASE + int(offset or 0), np.dtype("u4"))
        kind = "u64" if base.startswith("%rd") else "u32"
        value = self.value(base, kind)
        return f"{value}+{self.value(offset, kind)}" if offset else value

    def write(self, target: str, value: str, kind: str, masked: bool) -> list[str]:
        """Code for `target` = `value`, an expression of type `kind`."""
        index = self.register(target.strip())
        own, given = self.dtypes[index], dtype_of(kind)
        if own != given:
            how = "view" if own.itemsize == given.itemsize else "astype"
            value = f"({value}).{how}('{own.str[1:]}')"
        return [f"r[{index}]=where(m,{value},r[{index}])" if masked else f"r[{index}]={value}"]
