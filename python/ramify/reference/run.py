# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a function's own source over whole arrays, one query block at a time.

Slow and plain: every query block of every head calls the Python function with views of the
arrays, so `print` and `breakpoint()` inside it work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, mismatch
from ..frontend.binding import Arguments, ArrayInfo, Sizes, measure, split
from ..frontend.signature import Parameter, Role, Signature
from ..language.annotations import ChunkIndices, Chunks, ChunkWeights, Query, Tensor
from . import context
from .context import Block
from .domains import Partition
from .named_array import AXES, Data, NamedArray, named

EMPTY = {True: 0.0, False: -np.inf}
"""A result's value at a padding row: 0 with a `dim` axis, -inf (an lse of nothing) without."""


def run(signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Execute a function.

    Parameters
    ----------
    signature : Signature
        The function.
    args, kwargs
        Its arguments: NumPy arrays, torch tensors or anything NumPy converts, of any dtype; its
        scalars and constants; and the reserved keywords of a call.

    Returns
    -------
    ndarray or tuple of ndarray, float64
        `[B, L, HQ, Dv]` for a result with a `dim` axis, `[B, L, HQ]` without.
    """
    signature.check_entry()
    arguments = split(signature, args, kwargs)
    arrays = {
        parameter.name: to_numpy(arguments.arrays[parameter.name], parameter)
        for parameter in signature.arrays
    }
    infos = {name: ArrayInfo(data.shape, str(data.dtype)) for name, data in arrays.items()}
    sizes = measure(signature, infos, arguments.options)
    execution = Execution(signature, arguments, arrays, sizes)
    before = context.enter(None)
    try:
        with np.errstate(all="ignore"):
            return execution.run()
    finally:
        context.enter(before)


def to_numpy(array: Any, parameter: Parameter) -> Data:
    """An argument as float64, or int64 for indices."""
    dtype = np.int64 if parameter.role is Role.INDICES else np.float64
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.numpy() if parameter.role is Role.INDICES else array.double().numpy()
    try:
        data = np.asarray(array)
    except (TypeError, ValueError) as cause:
        raise ArgumentTypeError(f"`{parameter.name}`: no array: {cause}") from cause
    wanted = "iu" if parameter.role is Role.INDICES else "f"
    if data.dtype.kind not in wanted and data.dtype.name != "bfloat16":
        kind = "integers" if wanted == "iu" else "floats"
        raise ArgumentTypeError(
            mismatch(f"`{parameter.name}`", f"an array of {kind}", str(data.dtype))
        )
    return data.astype(dtype)


def _plain(value: Any) -> Data:
    """A small array of integers as NumPy."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _per_sequence(value: Any, batch: int, default: int) -> int:
    """An option that is one number for all sequences, or one for each."""
    if value is None:
        return default
    table = _plain(value)
    if table.dtype.kind not in "iu" or table.ndim > 1:
        raise ArgumentTypeError(
            f"num_keys and q_start: expected an int or an int array [B], found {value!r}."
        )
    return int(table[batch] if table.ndim else table)


@dataclass
class Execution:
    """One run: its arguments as NumPy arrays, and its sizes."""

    signature: Signature
    arguments: Arguments
    arrays: dict[str, Data]
    sizes: Sizes

    def run(self) -> Any:
        """Call the function for each query block, and put its results together."""
        outputs = Outputs(self.sizes)
        for batch in range(self.sizes.batch):
            for head in range(self.sizes.query_heads // self._heads_per_block):
                views = Views(self, batch, head)
                for queries, block in self._blocks(batch, head):
                    context.enter(block)
                    result = self.signature.function(**views.arguments(queries, block))
                    outputs.store(batch, queries, views.query_heads, result)
        return outputs.whole(self)

    @property
    def _heads_per_block(self) -> int:
        """Size of the head axis: G, or 1 where indices are chosen per query head."""
        per_query = any(
            self.sizes.kinds[p.name] == "query" for p in self.signature.of_role(Role.INDICES)
        )
        return 1 if per_query else self.sizes.group

    def _blocks(self, batch: int, head: int) -> Iterator[tuple[Data, Block]]:
        """Query numbers of each block, without padding rows, and the block."""
        positions = self.positions(batch)
        size = self.sizes.q_block
        for row, begin in enumerate(range(0, self.sizes.length, size)):
            queries = np.arange(begin, min(begin + size, self.sizes.length))
            if "q_positions" in self.arguments.options:
                queries = queries[positions[queries] >= 0]
            if len(queries):
                yield queries, Block(batch, head, positions[queries], row)

    def num_keys(self, batch: int, partition: str) -> int:
        """N of one sequence."""
        whole = self.sizes.num_keys.get(partition, 0)
        given = _per_sequence(self.arguments.options.get("num_keys"), batch, whole)
        if not 0 <= given <= whole:
            raise ArgumentError(mismatch("num_keys", f"0 to N = {whole}", str(given)))
        return given

    def positions(self, batch: int) -> Data:
        """t(j) of every query of one sequence; -1 is a padding row of `q_positions`."""
        given = self.arguments.options.get("q_positions")
        length = self.sizes.length
        if given is not None:
            table = _plain(given).astype(np.int64)
            if table.shape not in ((length,), (self.sizes.batch, length)):
                raise ArgumentError(
                    mismatch("q_positions", "[L] or [B, L]", f"shape {table.shape}")
                )
            positions: Data = np.broadcast_to(table, (self.sizes.batch, length))[batch]
            return positions
        partitions = self.signature.partitions
        keys = self.num_keys(batch, partitions[0]) if partitions else length
        start = _per_sequence(self.arguments.options.get("q_start"), batch, keys - length)
        return start + np.arange(length)


class Views:
    """What the blocks of one sequence and one head see of the arrays."""

    def __init__(self, execution: Execution, batch: int, head: int) -> None:
        sizes = execution.sizes
        self._execution = execution
        self._batch = batch
        per_block = execution._heads_per_block
        self.query_heads = slice(head * per_block, (head + 1) * per_block)
        self._kv_head = head * per_block // sizes.group
        self._partitions = {
            name: Partition(name, sizes.chunk_sizes[name], execution.num_keys(batch, name))
            for name in execution.signature.partitions
        }
        scalars = {name: named(value) for name, value in execution.arguments.scalars.items()}
        self._fixed: dict[str, Any] = {**scalars, **execution.arguments.constants}
        for parameter in execution.signature.of_role(Role.CHUNKS):
            data = execution.arrays[parameter.name][batch, :, self._kv_head]
            partition = self._partitions[parameter.partition or ""]
            self._fixed[parameter.name] = Chunks(np.ascontiguousarray(data), partition)

    def arguments(self, queries: Data, block: Block) -> dict[str, Any]:
        """The function's arguments for one block."""
        arguments = dict(self._fixed)
        for parameter in self._execution.signature.arrays:
            if parameter.role is not Role.CHUNKS:
                arguments[parameter.name] = self._view(parameter, queries, block.selection_row)
        return arguments

    def _view(self, parameter: Parameter, queries: Data, row: int) -> Any:
        data = self._execution.arrays[parameter.name]
        if parameter.role is Role.QUERY:
            rows = data[self._batch, queries[0] : queries[-1] + 1, self.query_heads]
            rows = rows if len(rows) == len(queries) else rows[queries - queries[0]]
            return Query(rows, ("pos", "head", "dim"))
        if parameter.role is Role.TENSOR:
            return self._tensor(parameter, data, queries)
        heads = self._selection_heads(parameter)
        if parameter.role is Role.WEIGHTS:
            return ChunkWeights(data[self._batch, row, heads], ("head",) * isinstance(heads, slice))
        return ChunkIndices(
            data[self._batch, row, heads], self._partitions[parameter.partition or ""]
        )

    def _selection_heads(self, parameter: Parameter) -> int | slice:
        kind = self._execution.sizes.kinds[parameter.name]
        if kind == "one":
            return 0
        if kind == "kv":
            return self._kv_head
        return self.query_heads if parameter.role is Role.WEIGHTS else self.query_heads.start

    def _tensor(self, parameter: Parameter, data: Data, queries: Data) -> Tensor:
        if data.ndim > len(parameter.axes):
            data = data[self._batch]
        for at, axis in enumerate(parameter.axes):
            if axis == "pos":
                data = data.take(queries, axis=at)
            elif axis == "head":
                data = data[(slice(None),) * at + (self.query_heads,)]
        order = sorted(parameter.axes, key=AXES.index)
        return Tensor(data.transpose([parameter.axes.index(a) for a in order]), tuple(order))


class Outputs:
    """The whole results, made when the first block returns."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._arrays: list[Data] = []
        self._is_tuple = False

    def store(self, batch: int, queries: Data, heads: slice, result: Any) -> None:
        """Take what one block returned."""
        items = result if isinstance(result, tuple) else (result,)
        if not self._arrays:
            self._is_tuple = isinstance(result, tuple)
            self._arrays = [self._make(item) for item in items]
        for array, item in zip(self._arrays, items, strict=True):
            array[batch, queries, heads] = item.data

    def _make(self, item: object) -> Data:
        if not isinstance(item, NamedArray) or item.axes[:2] != ("pos", "head"):
            found = item.axes if isinstance(item, NamedArray) else type(item).__name__
            raise ArgumentError(f"a result has axes [pos, head, dim] or [pos, head], found {found}")
        sizes = self._sizes
        dim = (item.size("dim"),) if "dim" in item.axes else ()
        shape = (sizes.batch, sizes.length, sizes.query_heads, *dim)
        return np.full(shape, EMPTY[bool(dim)])

    def whole(self, execution: Execution) -> Any:
        """The results; without any block, their shapes come from a block without queries."""
        if not self._arrays:
            self._arrays, self._is_tuple = empty_results(execution)
        return tuple(self._arrays) if self._is_tuple else self._arrays[0]


def empty_results(execution: Execution) -> tuple[list[Data], bool]:
    """Results of a call without queries: their shapes are those of a call with one."""
    sizes = execution.sizes
    one = replace(
        sizes, batch=1, length=1, q_block=1, rows=1, num_keys=dict.fromkeys(sizes.num_keys, 0)
    )
    arrays = {}
    for parameter in execution.signature.arrays:
        shape = list(execution.arrays[parameter.name].shape)
        if parameter.role is Role.TENSOR:
            known = {"pos": 1, "key": 0, "chunk": 0}
            axes = shape[len(shape) - len(parameter.axes) :]
            shape = [known.get(a, n) for a, n in zip(parameter.axes, axes, strict=True)]
        else:
            shape[:2] = 1, 0 if parameter.role is Role.CHUNKS else 1
        arrays[parameter.name] = np.zeros(shape, execution.arrays[parameter.name].dtype)
    options = {"q_start": 0}
    arguments = replace(execution.arguments, options=options)
    result = Execution(execution.signature, arguments, arrays, one).run()
    items = result if isinstance(result, tuple) else (result,)
    shape_of = [(sizes.batch, sizes.length, *item.shape[2:]) for item in items]
    return [np.full(s, EMPTY[len(s) == 4]) for s in shape_of], isinstance(result, tuple)
