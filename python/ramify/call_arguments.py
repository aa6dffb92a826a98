# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What Python looks at in a call's arguments, before or beside the runtime's own checks.

Types of options, numbers of keys given as an int, and the values of indices under `validate=True`.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from .call import MAX_QUERY_BLOCK, axes_of, chunk_sizes
from .errors import ArgumentError, ArgumentTypeError
from .frontend import Role, Signature


def check_options(name: str, kwargs: Mapping[str, Any]) -> None:
    """Reserved keywords that are legal but not available yet, and their types."""
    block = kwargs.get("q_block")
    if block is not None and (
        isinstance(block, bool)
        or not isinstance(block, numbers.Integral)
        or not 1 <= int(block) <= MAX_QUERY_BLOCK
    ):
        raise ArgumentError(
            f"{name}(): q_block: expected an int from 1 to {MAX_QUERY_BLOCK}, found {block!r}."
        )
    chunks = kwargs.get("chunks")
    if chunks is not None and not isinstance(chunks, Mapping):
        raise ArgumentTypeError(
            f'{name}(): chunks: expected a dict such as {{"kv": 64}}, found {chunks!r}.'
        )
    for flag in ("validate", "deterministic"):
        if not isinstance(kwargs.get(flag, False), bool):
            raise ArgumentTypeError(
                f"{name}(): {flag}: expected True or False, found {kwargs[flag]!r}."
            )


def is_array(value: Any) -> bool:
    """Whether a value is an array and no number."""
    return hasattr(value, "shape") and not isinstance(value, numbers.Number)


KEY_AXIS = {Role.CHUNKS: "length", Role.TENSOR: "key"}
"""The axis of keys, as `axes_of` calls it."""


def limit_keys(
    signature: Signature, keys: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with only the first `keys` keys of every chunked array, as views."""
    if isinstance(keys, bool) or not isinstance(keys, numbers.Integral) or keys < 0:
        raise ArgumentError(
            f"{signature.name}(): num_keys: expected an int >= 0, or an int32 array [B] on the "
            f"device of the other arrays, found {keys!r}."
        )
    names = list(signature.parameters)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    for parameter in signature.arrays:
        array: Any = given.get(parameter.name)
        if parameter.role is Role.INDICES or parameter.partition is None:
            continue
        axes = axes_of(parameter)
        first = len(getattr(array, "shape", ())) - len(axes)
        if first not in ((0, 1) if parameter.role is Role.TENSOR else (0,)):
            continue  # the call reports it
        axis = first + axes.index("chunk" if "chunk" in axes else KEY_AXIS[parameter.role])
        limit = int(keys)
        if "chunk" in axes:
            size = chunk_sizes(signature, kwargs)[parameter.partition]
            limit = -(-limit // size)
            if limit > array.shape[axis]:
                raise ArgumentError(
                    f"{signature.name}(): num_keys: expected at most C * {size} = "
                    f"{array.shape[axis] * size}, the keys of the chunks of {parameter.name}, "
                    f"found {keys}."
                )
        elif limit > array.shape[axis]:
            raise ArgumentError(
                f"{signature.name}(): num_keys: expected at most N = {array.shape[axis]}, the keys "
                f"of {parameter.name}, found {keys}."
            )
        given[parameter.name] = array[(slice(None),) * axis + (slice(limit),)]
    return tuple(given.pop(name) for name in names[: len(args)]), given


def keys_of_each(
    signature: Signature, keys: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """`num_keys` as an array, where no argument's length tells it.

    Arrays of chunks without keys, landmarks and others, say how many chunks there are, but not how
    long the last one is.
    """
    keyed = {p.partition for p in signature.arrays if p.role is Role.CHUNKS or "key" in p.axes}
    open_ended = [p.partition for p in signature.arrays if "chunk" in axes_of(p)]
    open_ended = [name for name in open_ended if name not in keyed]
    sizes = chunk_sizes(signature, kwargs) if open_ended else {}
    if not any(keys % sizes[name or ""] for name in open_ended):
        return {}
    given = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
    query: Any = given[signature.query.name]
    if isinstance(query, np.ndarray):
        return {"num_keys": np.full(query.shape[0], keys, np.int32)}
    if hasattr(query, "new_full"):
        return {"num_keys": query.new_full(query.shape[:1], 0).int().fill_(keys)}
    raise ArgumentError(
        f"{signature.name}(): num_keys: expected a multiple of the chunk size, or an int32 array "
        f"[B] on the device of the other arrays, found {keys}."
    )


def check_indices(signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Report an index that is neither -1 nor a chunk, or a number of keys beyond N.

    It waits for the device.

    The call's arguments fit each other.

    Raises
    ------
    ArgumentError
        With the first such index and where it stands.
    """
    given = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
    sizes = chunk_sizes(signature, given)
    for parameter in signature.of_role(Role.INDICES):
        partition = parameter.partition or ""
        array: Any = given.get(parameter.name)
        keys = [p for p in signature.of_role(Role.CHUNKS) if p.partition == partition]
        if not keys:
            continue
        length: Any = given[keys[0].name].shape[1]
        if given.get("num_keys") is not None:
            length = _own_lengths(signature.name, given["num_keys"], length)
        chunks = -(-length // sizes[partition])
        wrong = (array < -1) | (array >= chunks)
        if bool(wrong.any()):
            where = tuple(int(axis[0]) for axis in np.nonzero(np.asarray(_to_host(wrong))))
            limit = chunks if isinstance(chunks, int) else int(chunks[where[0]])
            raise ArgumentError(
                f"{signature.name}(): {parameter.name}: expected -1 or a chunk in [0, {limit}), "
                f"found {int(array[where])} at {list(where)}."
            )


def _own_lengths(name: str, num_keys: Any, length: int) -> Any:
    """The number of keys of each sequence, checked, in the shape of indices."""
    wrong = (num_keys < 0) | (num_keys > length)
    if bool(wrong.any()):
        at = int(np.nonzero(np.asarray(_to_host(wrong)))[0][0])
        raise ArgumentError(
            f"{name}(): num_keys: expected 0 to N = {length}, found {int(num_keys[at])} at [{at}]."
        )
    return num_keys[:, None, None, None]


def _to_host(array: Any) -> Any:
    return array.cpu().numpy() if hasattr(array, "cpu") else array
