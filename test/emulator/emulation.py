# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Carries out the plan of a compiled function."""

from __future__ import annotations

import collections
import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from emulator import blocks, plan
from emulator.cta import Cta, Launch
from emulator.heap import Heap
from emulator.kernel import Kernel
from emulator.report import Report, UnsupportedError
from emulator.types import Array, dtype_of

SMS = 4  # multiprocessors, by which some plans choose how many blocks they launch
DTYPES = {"bf16": "u2", "f16": "f2", "f32": "f4", "f64": "f8"} | {
    f"i{bits}": f"i{bits // 8}" for bits in (8, 16, 32, 64)
}
COMMENTS = ("ramify.plan", "function", "backend", "note", "code")


class Placed(NamedTuple):
    """An array in global memory; strides count elements."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]


class Emulation:
    """One call of a function; `seed` chooses the orders of blocks and warps, and the junk."""

    def __init__(self, plan: str, ptx: str, heap_bytes: int = 1 << 26, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.report = Report()
        self.heap = Heap(heap_bytes, self.report)
        self.texts = blocks.kernels(ptx)
        self.kernels: dict[str, Kernel] = {}
        self.symbols = {"sms": SMS}
        self.arrays: dict[str, Placed] = {}
        self.scalars: dict[str, Array] = {}
        self.time = 1
        self.launches: collections.Counter[str] = collections.Counter()  # by kernel
        self.lines = [x.strip() for x in plan.split("\nend")[0].split("\n") if x.strip()]

    def call(self, arguments: Mapping[str, Any]) -> list[Array]:
        """Results in order; arrays of bf16 are given and returned as uint16."""
        results, steps, zeroed = [], [], []
        for line in self.lines:
            word = line.split()[0]
            if word in COMMENTS:
                continue
            if word == "scalar":
                _, name, kind = line.split()[:3]
                self.scalar(name, kind, arguments[name])
            elif word == "array":
                name, dtype, sizes, _ = self.described(line)
                self.argument(name, dtype, sizes, arguments[name])
            elif word == "result":
                name, dtype, sizes, zero = self.described(line)
                self.allocate(name, dtype, sizes)
                results.append(name)
                if zero:
                    zeroed.append(name)
            elif word == "let" and not steps:
                self.let(line)
            elif word == "map":
                raise UnsupportedError(line)
            else:
                steps.append(line)
        with np.errstate(all="ignore"):
            for name in zeroed:
                self.fill(name, 0)
            self.run(plan.steps_of(steps))
        return [self.content(name).copy() for name in results]

    # Arguments and results ---------------------------------------------------------------------

    def scalar(self, name: str, kind: str, value: Any) -> None:
        self.scalars[name] = np.array(value, DTYPES[kind])
        if kind[0] == "i":
            self.symbols[name] = int(value)

    def described(self, line: str) -> tuple[str, np.dtype[Any], list[str], bool]:
        """Of an array: name, dtype, sizes, and whether it begins with zeros."""
        match = re.match(r"\w+ (\w+) (\w+) \[(.*?)\](.*)", line)
        assert match is not None, line
        return match[1], np.dtype(DTYPES[match[2]]), plan.listed(match[3]), "zero" in match[4]

    def let(self, line: str) -> None:
        _, name, text = line.split(" ", 2)
        self.symbols[name] = plan.evaluate(text, self.symbols)

    def argument(self, name: str, dtype: np.dtype[Any], sizes: list[str], given: Array) -> None:
        """Copies an array; along axes without a stride it takes no memory."""
        assert given.dtype == dtype, (name, given.dtype, dtype)
        for axis, text in enumerate(sizes):
            if not text.isdigit():
                self.symbols.setdefault(text, given.shape[axis])
            assert plan.evaluate(text, self.symbols) == given.shape[axis], (name, text, given.shape)
            self.symbols[f"{name}__dim{axis}"] = given.shape[axis]
        repeated = [stride == 0 for stride in given.strides]
        once = given[tuple(slice(0, 1) if again else slice(None) for again in repeated)]
        dense = contiguous(once.shape)
        strides = tuple(0 if again else s for again, s in zip(repeated, dense, strict=True))
        address = self.heap.allocate(once.nbytes)
        self.heap.array(address, once.shape, dtype)[...] = once
        self.heap.initialise(address, once.nbytes)
        self.arrays[name] = Placed(address, given.shape, strides, dtype)
        self.describe(name)

    def describe(self, name: str) -> None:
        """Sets the symbols by which a plan asks for the layout of an argument."""
        address, shape, strides, dtype = self.arrays[name]
        for axis, stride in enumerate(strides):
            self.symbols[f"{name}__stride{axis}"] = stride
        bits = 256 | address
        for size, stride in zip(shape[:-1], strides[:-1], strict=True):
            bits |= stride * dtype.itemsize if size > 1 else 0
        self.symbols[f"{name}__align"] = bits & -bits
        last = sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        self.symbols[f"{name}__span"] = last + 1 if prod(shape) else 0

    def allocate(self, name: str, dtype: np.dtype[Any], sizes: list[str]) -> None:
        shape = tuple(plan.evaluate(text, self.symbols) for text in sizes)
        address = self.heap.allocate(prod(shape) * dtype.itemsize, self.random)
        self.arrays[name] = Placed(address, shape, contiguous(shape), dtype)

    def view(self, line: str) -> None:
        match = re.fullmatch(r"view (\w+) = (\w+) axis (\d+) from (.*) size (.*)", line)
        assert match is not None, line
        address, shape, strides, dtype = self.arrays[match[2]]
        axis = int(match[3])
        first, size = (plan.evaluate(match[i], self.symbols) for i in (4, 5))
        assert 0 <= first <= first + size <= shape[axis], line
        address += first * strides[axis] * dtype.itemsize
        places = (*shape[:axis], size, *shape[axis + 1 :])
        self.arrays[match[1]] = Placed(address, places, strides, dtype)

    def content(self, name: str) -> Array:
        address, shape, _, dtype = self.arrays[name]
        return self.heap.array(address, shape, dtype)

    # Steps -------------------------------------------------------------------------------------

    def run(self, steps: list[plan.Step]) -> None:
        for step in steps:
            word = step.line.split()[0]
            if word == "memset":
                _, name, byte = step.line.split()
                self.fill(name, int(byte))
            elif word == "workspace":
                name, dtype, sizes, zero = self.described(step.line)
                self.allocate(name, dtype, sizes)
                if zero:
                    self.fill(name, 0)
            elif word == "view":
                self.view(step.line)
            elif word == "let":
                self.let(step.line)
            elif word == "do":
                self.run(step.body)
            elif word == "for":
                match = re.fullmatch(r"for (\w+) < (.*) \{", step.line)
                assert match is not None, step.line
                for i in range(plan.evaluate(match[2], self.symbols)):
                    self.symbols[match[1]] = i
                    self.run(step.body)
            elif word == "if":
                condition = step.line.removeprefix("if ").removesuffix(" {")
                holds = plan.evaluate(condition, self.symbols)
                self.run(step.body if holds else step.otherwise)
            else:
                self.launch(step.line)

    def fill(self, name: str, byte: int) -> None:
        array = self.content(name)
        array.reshape(-1).view(np.uint8)[...] = byte
        self.heap.initialise(self.arrays[name].address, array.nbytes)

    def launch(self, line: str) -> None:
        match = re.match(r'launch "(\w+)" grid (?=\()', line)
        if match is None:
            raise UnsupportedError(line)
        sizes, rest = plan.parenthesised(line[match.end() :])
        grid = [plan.evaluate(size, self.symbols) for size in plan.listed(sizes)]
        rest, operands = plan.parenthesised_last(rest)
        how = re.fullmatch(r"block (\d+)(?: shared (.*))?", rest)
        if how is None:
            raise UnsupportedError(line)
        shared = plan.evaluate(how[2], self.symbols) if how[2] else 0
        if min(grid) <= 0:
            return
        assert grid[0] < 2**31 and grid[1] < 2**16 and grid[2] < 2**16, grid
        self.launches[match[1]] += 1
        kernel = self.kernel(match[1])
        parameters = self.parameters(plan.listed(operands), kernel)
        launch = Launch(
            kernel=kernel,
            threads=int(how[1]),
            shared_bytes=shared,
            parameters=parameters,
            heap=self.heap,
            report=self.report,
            random=self.random,
            start=self.time,
        )
        for n in self.random.permutation(prod(grid)).tolist():
            place = n % grid[0], n // grid[0] % grid[1], n // grid[0] // grid[1]
            self.time = Cta(launch, place, self.time).run()

    def kernel(self, name: str) -> Kernel:
        if name not in self.kernels:
            self.kernels[name] = Kernel(self.texts[name])
        return self.kernels[name]

    def parameters(self, operands: list[str], kernel: Kernel) -> dict[tuple[str, str], Array]:
        """Values for 32 lanes by name and type; an array is passed with its sizes and strides."""
        flat: list[bytes] = []
        for text in operands:
            match = re.fullmatch(r"(i32|i64|ptr|map)\((.*)\)", text)
            if match and match[1] == "map":
                raise UnsupportedError(text)
            if match and match[1] != "ptr":
                flat.append(word(plan.evaluate(match[2], self.symbols)))
                continue
            name = match[2] if match else text
            if name in self.scalars:
                flat.append(self.scalars[name].tobytes().ljust(8, b"\0"))
                continue
            array = self.arrays[name]
            described = () if match else (*array.shape, *array.strides)
            flat += [word(x) for x in (array.address, *described)]
        by_name = dict(zip(kernel.parameters, flat, strict=True))
        out = {}
        for name, kind in kernel.parameter_uses:
            dtype = dtype_of(kind)
            out[name, kind] = np.full(32, np.frombuffer(by_name[name][: dtype.itemsize], dtype)[0])
        return out


def word(value: int) -> bytes:
    return np.array(value, np.int64).tobytes()


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of an array without gaps."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
