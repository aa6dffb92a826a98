# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A selection with its inverse index, made once for all calls that visit it.

`chunk_major` programs own chunks, and so need the queries that selected each. A call makes that
index itself from the indices, unless it is given a `Selection` in their place: then the index is
an argument of its plan. The other schedules take the indices.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from .call import chunk_sizes, heads_name
from .call_arguments import is_array
from .errors import ArgumentError, ArgumentTypeError, mismatch
from .frontend import Parameter, Role, Signature

ARRAYS = ("counts", "items", "entries")
"""What an index is made of."""

MAX_WORKSPACE = 256 << 20
"""Bytes that a call may take for a while, besides sums for gradients in float32."""

BLANK = 16
"""Keys in a chunk, and dimensions, of the arrays that stand in for queries and keys."""


class Selection:
    """Selected chunks, and the queries of each chunk.

    Layers that attend by the same selection, and their gradients, share the index when they get
    the same `Selection` in place of the indices. The first call that takes it makes the index; do
    not change the indices, make another one. In a graph of `torch.compile` it counts as its
    indices.

    Parameters
    ----------
    indices : array `[B, rows, 1 or H or HQ, K]`
        int32 or int64, a NumPy array or a tensor: chunks that the queries of a row select. Those
        outside [0, ceil(num_keys / chunk_size)) are empty slots.
    chunk_size : int
        Keys in a chunk: that of the calls.
    num_keys : int
        N, keys of a sequence; a call may have fewer.
    q_block : int
        Consecutive queries that share a row, in the calls.

    Attributes
    ----------
    indices : array
        The indices themselves, for what needs no index.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the indices are none, or a number does not fit.

    Examples
    --------
    >>> picks = rf.Selection(indices, chunk_size=64, num_keys=k.shape[1])
    >>> for layer in layers:
    ...     x = layer(x, picks)  # rf.ops.hsa(q, k, v, weights, picks, chunk_size=64)
    """

    def __init__(self, indices: Any, *, chunk_size: int, num_keys: int, q_block: int = 1) -> None:
        shape = getattr(indices, "shape", None)
        if not isinstance(indices, np.ndarray) and not hasattr(indices, "new_zeros"):
            raise ArgumentTypeError(
                mismatch("Selection(): indices", "an array or a tensor", type(indices).__name__)
            )
        if shape is None or len(shape) != 4:
            raise ArgumentError(
                mismatch("Selection(): indices", "[B, rows, heads, K]", str(list(shape or ())))
            )
        if str(indices.dtype).rpartition(".")[2] not in ("int32", "int64"):
            raise ArgumentTypeError(
                mismatch("Selection(): indices", "int64 or int32", str(indices.dtype))
            )
        for name, value, least in (
            ("chunk_size", chunk_size, 1),
            ("num_keys", num_keys, 0),
            ("q_block", q_block, 1),
        ):
            _check_int(name, value, least)
        self.indices = indices
        self.chunk_size, self.num_keys = int(chunk_size), int(num_keys)
        self.q_block = int(q_block)

    @property
    def chunks(self) -> int:
        """C, the chunks that there are."""
        return -(-self.num_keys // self.chunk_size)

    @property
    def layout(self) -> tuple[int, int]:
        """Rows of a window of the index, and its windows."""
        entries = self.arrays[2]
        return int(entries.shape[3]) // max(int(self.indices.shape[3]), 1), int(entries.shape[1])

    def __repr__(self) -> str:
        shape = list(map(int, self.indices.shape))
        return f"Selection({shape}, chunk_size={self.chunk_size}, num_keys={self.num_keys})"

    @functools.cached_property
    def arrays(self) -> tuple[Any, ...]:
        """The arrays of the index. Queries and keys are of no memory: only sizes are read."""
        from .ops.inverse_index import inverse_index_kernel  # which uses jit, which knows this

        batch, rows, heads, _ = map(int, self.indices.shape)
        queries = _blank(self.indices, (batch, rows * self.q_block, heads))
        keys = _blank(self.indices, (batch, self.chunks * BLANK, heads))
        options = {"chunk_size": BLANK, "q_block": self.q_block}
        arrays: tuple[Any, ...] = inverse_index_kernel(queries, keys, self.indices, **options)
        return arrays


def _check_int(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ArgumentTypeError(mismatch(f"Selection(): {name}", f"an int >= {least}", repr(value)))
    if int(value) < least:
        raise ArgumentError(mismatch(f"Selection(): {name}", f"an int >= {least}", repr(value)))


def _blank(like: Any, sizes: tuple[int, ...]) -> Any:
    """An array of these sizes whose elements are the same few, on the device of `like`."""
    if isinstance(like, np.ndarray):
        row = np.zeros(BLANK, np.float32)
        return np.lib.stride_tricks.as_strided(row, (*sizes, BLANK), (0, 0, 0, row.itemsize))
    return like.new_zeros(BLANK).float().expand(*sizes, BLANK)


def plain(value: Any) -> Any:
    """The indices of a `Selection`; anything else as it is."""
    return value.indices if isinstance(value, Selection) else value


def holds_selection(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether an argument of a call is a `Selection`."""
    return any(isinstance(x, Selection) for x in (*args, *kwargs.values()))


def array_name(indices: str, array: str) -> str:
    """An array of the index of the parameter `indices`, as an argument of a plan."""
    return f"{indices}__{array}"


def unfold(
    signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with indices in place of each `Selection`, and its arrays as keywords.

    A plan has windows of one size: where several selections have others than the first, their
    indices alone are passed on.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a selection is of other chunks than the call's, or elsewhere.
    """
    given = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
    found = {
        p: x
        for p in signature.of_role(Role.INDICES)
        if isinstance(x := given.get(p.name), Selection)
    }
    arrays: dict[str, Any] = {}
    layout = None
    for parameter, selection in found.items():
        _check(signature, parameter, selection, given)
        layout = layout or selection.layout
        if selection.layout == layout and 0 not in selection.indices.shape:
            names = (array_name(parameter.name, array) for array in ARRAYS)
            arrays |= zip(names, selection.arrays, strict=True)
    taken = {p.name for p in found}
    order = [*signature.parameters, *[""] * len(args)]
    args = tuple(plain(x) if n in taken else x for n, x in zip(order, args, strict=False))
    return args, {n: plain(x) if n in taken else x for n, x in kwargs.items()} | arrays


def _check(
    signature: Signature, parameter: Parameter, selection: Selection, given: Mapping[str, Any]
) -> None:
    """Refuse a selection of other chunks than those of the call."""
    partition = parameter.partition or ""
    what = f"{signature.name}(): {parameter.name}"
    size = chunk_sizes(signature, given)[partition]
    if size != selection.chunk_size:
        message = f"a selection of chunks of {size} keys"
        raise ArgumentError(mismatch(what, message, f"one of {selection.chunk_size}"))
    query = given.get(signature.query.name)
    device, own = (str(getattr(x, "device", "")) for x in (query, selection.indices))
    if device and own and device != own:
        raise ArgumentTypeError(mismatch(what, f"a selection on {device}", f"one on {own}"))
    for other in signature.of_role(Role.CHUNKS):
        shape: Any = getattr(given.get(other.name), "shape", ())
        if other.partition != parameter.partition or len(shape) != 4:
            continue
        chunks = -(-int(shape[1]) // size)
        if chunks > selection.chunks:
            fix = f"Pass num_keys={int(shape[1])}, or more, to the Selection."
            message = f"a selection from {chunks} chunks, those of {other.name}"
            raise ArgumentError(mismatch(what, message, f"one from {selection.chunks}", fix))


def shared_names(signature: Signature, kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The indices whose index is among the keywords."""
    names = (p.name for p in signature.of_role(Role.INDICES))
    return tuple(n for n in names if array_name(n, ARRAYS[0]) in kwargs)


def array_parameters(signature: Signature, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The arrays of these indices' index, as the dispatcher has arguments."""
    found = []
    for name in names:
        heads = heads_name(signature.parameters[name]) + "!"
        for array, length in zip(ARRAYS, ("sizes", "words", "picks"), strict=True):
            shape = ["B", f"{name}__windows", heads, f"{name}__{length}"]
            found.append(
                {
                    "name": array_name(name, array),
                    "kind": "array",
                    "keyword_only": True,
                    "symbol": False,
                    "shapes": [shape],
                    "dtypes": ["i32"],
                }
            )
    return found


def without_arrays(signature: Signature, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords without any index."""
    names = {array_name(n, array) for n in shared_names(signature, kwargs) for array in ARRAYS}
    return {n: x for n, x in kwargs.items() if n not in names}


def fits(
    executable: Any, signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> bool:
    """Whether a call with an index of its windows stays within `MAX_WORKSPACE`.

    An index of its own would have smaller windows where a window's parts are large.
    """
    given = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
    shapes = {n: tuple(map(int, x.shape)) for n, x in given.items() if is_array(x)}
    sums = sum(4 * math.prod(shapes[p.name]) for p in signature.of_role(Role.CHUNKS))
    return int(executable.plan.workspace_bytes(shapes)) <= MAX_WORKSPACE + sums
