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
from ..language.annotations import (
    ChunkIndices,
    Chunks,
    ChunkWeights,
    Landmarks,
    Query,
    Tensor,
)
from . import context
from .context import Block
from .domains import Partition
from .named_array import AXES, Data, NamedArray, named
from .slots import SelectsPerHead


def _value_of_nothing(axes: tuple[str, ...], dtype: np.dtype[Any]) -> float:
    """A result at a padding row: an output or weight of 0, an lse of -inf, an empty slot of -1."""
    if "slot" in axes:
        return -1 if dtype.kind == "i" else 0.0
    return 0.0 if "dim" in axes else -np.inf


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
    ndarray or tuple of ndarray, float64, or int32 for slots
        `[B, L, HQ, Dv]` for a result with a `dim` axis, `[B, L, HQ, K]` for `[pos, head, slot]`,
        `[B, L, H, K]` for `[pos, slot]`, `[B, L, HQ]` for `[pos, head]`. Slots without `pos` have
        a row per query block in place of L.
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
        plain = hasattr(array, "__array__") or not hasattr(array, "__dlpack__")
        data = np.asarray(array if plain else np.from_dlpack(array))
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
    per_head: bool = False
    """Whether each query head has a block, since the function selects for each."""

    def run(self) -> Any:
        """Call the function for each query block, and put its results together."""
        try:
            return self._outputs().whole(self)
        except SelectsPerHead:
            return replace(self, per_head=True).run()

    def _outputs(self) -> Outputs:
        outputs = Outputs(self.sizes)
        for batch in range(self.sizes.batch):
            for head in range(self.sizes.query_heads // self._heads_per_block):
                views = Views(self, batch, head)
                for queries, block in self._blocks(batch, head):
                    context.enter(block)
                    result = self.signature.function(**views.arguments(queries, block))
                    outputs.store(
                        (batch, queries, block.selection_row), (views.query_heads, head), result
                    )
        return outputs

    @property
    def _heads_per_block(self) -> int:
        """Size of the head axis: G, or 1 where indices are chosen per query head."""
        per_query = any(
            self.sizes.kinds[p.name] == "query" for p in self.signature.of_role(Role.INDICES)
        )
        return 1 if per_query or self.per_head else self.sizes.group

    def _blocks(self, batch: int, head: int) -> Iterator[tuple[Data, Block]]:
        """Query numbers of each block, without padding rows, and the block."""
        positions = self.positions(batch)
        size = self.sizes.q_block
        for row, begin in enumerate(range(0, self.sizes.length, size)):
            queries = np.arange(begin, min(begin + size, self.sizes.length))
            if "q_positions" in self.arguments.options:
                queries = queries[positions[queries] >= 0]
            if len(queries):
                first = int(positions[begin])
                yield queries, Block(batch, head, positions[queries], first, row, self.per_head)

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
        for parameter in execution.signature.of_role(Role.LANDMARKS):
            self._fixed[parameter.name] = self._landmarks(parameter)
        for parameter in execution.signature.of_role(Role.CHUNKS):
            data = execution.arrays[parameter.name][batch, :, self._kv_head]
            partition = self._partitions[parameter.partition or ""]
            self._fixed[parameter.name] = Chunks(np.ascontiguousarray(data), partition)

    def arguments(self, queries: Data, block: Block) -> dict[str, Any]:
        """The function's arguments for one block."""
        arguments = dict(self._fixed)
        for parameter in self._execution.signature.arrays:
            if parameter.name not in arguments:
                arguments[parameter.name] = self._view(parameter, queries, block.selection_row)
        return arguments

    def _view(self, parameter: Parameter, queries: Data, row: int) -> Any:
        data = self._execution.arrays[parameter.name]
        if parameter.is_per_block:
            return Query(data[self._batch, row, self.query_heads], ("head", "dim"))
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

    def _landmarks(self, parameter: Parameter) -> Landmarks:
        """The rows of the chunks that there are: `[chunk, dim]` or `[head, chunk, dim]`."""
        partition = self._partitions[parameter.partition or ""]
        data = self._execution.arrays[parameter.name][self._batch, : partition.count]
        kind = self._execution.sizes.kinds[parameter.name]
        if kind == "query":
            rows = data[:, self.query_heads].transpose(1, 0, 2)
            return Landmarks(rows, ("head", "chunk", "dim"), None, partition)
        rows = data[:, 0 if kind == "one" else self._kv_head]
        return Landmarks(rows, ("chunk", "dim"), None, partition)

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
        view = data.transpose([parameter.axes.index(a) for a in order])
        if "chunk" not in order:
            return Tensor(view, tuple(order))
        partition = self._partitions[parameter.partition or ""]
        view = view.take(range(partition.count), axis=order.index("chunk"))
        return Tensor(view, tuple(order), None, partition)


RESULTS = (
    ("pos", "head", "dim"),
    ("pos", "head"),
    ("pos", "head", "slot"),
    ("pos", "slot"),
    ("head", "slot"),
    ("slot",),
)
"""Axes of what a function may return. Slots without `pos` are those of a whole query block."""


class Outputs:
    """The whole results, made when the first block returns."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._arrays: list[Data] = []
        self._axes: list[tuple[str, ...]] = []
        self._is_tuple = False

    def store(self, block: tuple[int, Data, int], heads: tuple[slice, int], result: Any) -> None:
        """Take what one block returned: its sequence, its queries and its row; its query heads,
        and its number among the heads."""
        items = result if isinstance(result, tuple) else (result,)
        if not self._arrays:
            self._is_tuple = isinstance(result, tuple)
            count = self._sizes.query_heads // (heads[0].stop - heads[0].start)
            self._arrays = [self._make(item, count) for item in items]
        for array, axes, item in zip(self._arrays, self._axes, items, strict=True):
            rows = block[1] if "pos" in axes else block[2]
            array[block[0], rows, heads[0] if "head" in axes else heads[1]] = item.data

    def _make(self, item: object, blocks: int) -> Data:
        if not isinstance(item, NamedArray) or item.axes not in RESULTS:
            found = item.axes if isinstance(item, NamedArray) else type(item).__name__
            raise ArgumentError(
                "a result has axes [pos, head, dim], [pos, head], or [slot] or [head, slot] with "
                f"or without pos, found {found}"
            )
        self._axes.append(item.axes)
        heads = self._sizes.query_heads if "head" in item.axes else blocks
        last = (item.shape[-1],) if item.axes[-1] in ("dim", "slot") else ()
        whole = item.data.dtype.kind == "i" and "slot" in item.axes
        dtype = np.dtype(np.int32 if whole else np.float64)
        length = self._sizes.length if "pos" in item.axes else self._sizes.blocks
        shape = (self._sizes.batch, length, heads, *last)
        return np.full(shape, _value_of_nothing(item.axes, dtype), dtype)

    def whole(self, execution: Execution) -> Any:
        """The results; without any block, their shapes come from a block without keys."""
        if not self._arrays:
            one = _without_keys(execution)._outputs()
            self._axes, self._is_tuple = one._axes, one._is_tuple
            self._arrays = [
                np.full(
                    (
                        self._sizes.batch,
                        self._sizes.length if "pos" in axes else self._sizes.blocks,
                        *array.shape[2:],
                    ),
                    _value_of_nothing(axes, array.dtype),
                    array.dtype,
                )
                for array, axes in zip(one._arrays, one._axes, strict=True)
            ]
        return tuple(self._arrays) if self._is_tuple else self._arrays[0]


def _without_keys(execution: Execution) -> Execution:
    """The same call with one query and no keys, for the shapes of its results."""
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
            keyed = parameter.role in (Role.CHUNKS, Role.LANDMARKS)
            shape[:2] = 1, 0 if keyed else 1
        arrays[parameter.name] = np.zeros(shape, execution.arrays[parameter.name].dtype)
    arguments = replace(execution.arguments, options={"q_start": 0})
    return Execution(execution.signature, arguments, arrays, one, execution.per_head)
