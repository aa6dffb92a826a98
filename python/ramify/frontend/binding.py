# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call gives: its arguments by role, the sizes that its arrays agree on, and its errors.

`split` sorts a call's arguments, `measure` checks shapes and finds the sizes, `specialise` keeps
what a kernel is compiled for. The names of sizes are those of the semantics: B, L, N, HQ, H, S, K.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ..errors import ArgumentError, ArgumentTypeError, UnsupportedError, mismatch
from .signature import LAYOUTS, RESERVED, Parameter, Role, Signature
from .specialisation import ArraySpec, DType, Heads, Specialisation

FLOATS = ("f32", "bf16", "f16")
MAX_DIM = 256
MAX_LANDMARK_DIM = 4096
"""Of landmarks, and of the queries that score them: their rows meet part by part."""
MAX_CHUNK = 256


@dataclass(frozen=True)
class ArrayInfo:
    """Shape and dtype ("f32", "bf16", "f16", "i32", "i64", or another name) of an argument."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Arguments:
    """A call's arguments by what they are; defaults filled in."""

    arrays: dict[str, Any]
    scalars: dict[str, float]
    constants: dict[str, Any]
    options: dict[str, Any]
    """The reserved keywords that were given."""


@dataclass
class Sizes:
    """The sizes that a call's arrays agree on."""

    batch: int = 0
    length: int = 0
    query_heads: int = 0
    heads: int = 0
    num_keys: dict[str, int] = field(default_factory=dict)
    """N of each partition."""
    chunk_sizes: dict[str, int] = field(default_factory=dict)
    q_block: int = 1
    rows: int | None = None
    """Selection rows, one per query block; None without anything that has them."""
    kinds: dict[str, Heads] = field(default_factory=dict)
    """Which heads each landmarks, weights and indices array has."""

    @property
    def group(self) -> int:
        """G = HQ / H."""
        return self.query_heads // self.heads

    @property
    def blocks(self) -> int:
        """Query blocks of a sequence."""
        return -(-self.length // self.q_block)

    def chunks(self, partition: str) -> int:
        """C = ceil(N / S)."""
        return -(-self.num_keys[partition] // self.chunk_sizes[partition])


def split(signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
    """Sort a call's arguments into arrays, scalars, constants and options.

    Raises
    ------
    ArgumentTypeError
        If an argument is missing, unknown, given twice, or no number where one is expected.
    ArgumentError
        If a scalar is not finite.
    """
    options = {
        name: value
        for name, value in kwargs.items()
        if name in RESERVED and name not in signature.parameters
    }
    own = {name: value for name, value in kwargs.items() if name not in options}
    try:
        bound = signature.python.bind(*args, **own)
    except TypeError as cause:
        names = ", ".join(signature.parameters)
        raise ArgumentTypeError(
            f"{signature.name}: {cause}. Its parameters are {names}; every call also takes "
            f"{', '.join(RESERVED)}."
        ) from None
    bound.apply_defaults()
    arguments = Arguments({}, {}, {}, options)
    for parameter in signature.parameters.values():
        value = bound.arguments[parameter.name]
        if parameter.role.is_scalar:
            arguments.scalars[parameter.name] = scalar(parameter, value)
        elif parameter.role is Role.CONSTEXPR:
            arguments.constants[parameter.name] = constant(parameter, value)
        else:
            arguments.arrays[parameter.name] = value
    return arguments


def scalar(parameter: Parameter, value: Any) -> float:
    """A run-time scalar, checked."""
    what = f"`{parameter.name}`"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        kind = "an int" if parameter.role is Role.INT else "a float"
        raise ArgumentTypeError(mismatch(what, kind, f"{type(value).__name__} {value!r}"))
    if parameter.role is Role.INT:
        if not isinstance(value, numbers.Integral):
            raise ArgumentTypeError(mismatch(what, "an int", f"{type(value).__name__} {value!r}"))
        if not -(2**31) <= int(value) < 2**31:
            raise ArgumentError(mismatch(what, "an int32", repr(value)))
        return int(value)
    if not math.isfinite(value):
        raise ArgumentError(mismatch(f"`{parameter.name}`", "a finite number", repr(value)))
    return float(value)


def constant(parameter: Parameter, value: Any) -> Any:
    """A constant, which has to be hashable, since kernels are looked up by it."""
    value = value.item() if getattr(value, "shape", None) == () else value
    if _is_constant(value):
        return value
    expected = "a number, string, bool, None, or a tuple of them"
    raise ArgumentTypeError(
        mismatch(f"`{parameter.name}` (rl.constexpr)", expected, type(value).__name__)
    )


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return value is None or isinstance(value, bool | int | float | str)


def measure(
    signature: Signature, arrays: Mapping[str, ArrayInfo], options: Mapping[str, Any]
) -> Sizes:
    """Find the sizes of a call and check that its arrays agree on them.

    Raises
    ------
    ArgumentError
        If a rank, a length, a number of heads, a chunk size or a query block does not fit.
    """
    sizes = Sizes()
    for parameter in signature.arrays:
        _check_rank(parameter, arrays[parameter.name])
    for parameter in sorted(signature.of_role(Role.QUERY), key=lambda p: p.is_per_block):
        _measure_query(sizes, parameter, arrays[parameter.name].shape)
    for parameter in signature.of_role(Role.CHUNKS):
        _measure_chunks(sizes, parameter, arrays[parameter.name].shape)
    for parameter in signature.of_role(Role.LANDMARKS):
        sizes.heads = sizes.heads or arrays[parameter.name].shape[2]
    sizes.heads = sizes.heads or sizes.query_heads
    if not sizes.heads or sizes.query_heads % sizes.heads:
        raise ArgumentError(
            f"query heads: expected a multiple of the {sizes.heads} key/value heads, found "
            f"{sizes.query_heads}."
        )
    sizes.chunk_sizes = partition_sizes(signature, options)
    for parameter in signature.of_role(Role.TENSOR):
        _measure_keys(sizes, parameter, arrays[parameter.name].shape)
    for parameter in signature.of_role(Role.LANDMARKS):
        _measure_landmarks(sizes, parameter, arrays[parameter.name].shape)
    for parameter in (*signature.of_role(Role.INDICES), *signature.of_role(Role.WEIGHTS)):
        _measure_selection(sizes, parameter, arrays[parameter.name].shape)
    _check_slots(signature, arrays)
    for parameter in signature.of_role(Role.TENSOR):
        _measure_chunk_axis(sizes, parameter, arrays[parameter.name].shape)
    for parameter in signature.of_role(Role.TENSOR):
        _check_tensor(sizes, parameter, arrays[parameter.name].shape)
    sizes.q_block = query_block(sizes.length, sizes.rows, options.get("q_block"))
    return sizes


def specialise(
    signature: Signature,
    arrays: Mapping[str, ArrayInfo],
    sizes: Sizes,
    constants: Mapping[str, Any],
) -> Specialisation:
    """What a kernel is compiled for.

    Raises
    ------
    ArgumentTypeError
        If a dtype is none that kernels exist for.
    UnsupportedError
        If a head dimension or a chunk size is none that kernels exist for.
    """
    specs = {
        parameter.name: _spec(signature, parameter, arrays[parameter.name], sizes)
        for parameter in signature.arrays
    }
    _check_common_dtype(signature, specs)
    with_keys = {p.partition for p in signature.arrays if p.role is not Role.LANDMARKS}
    for name, size in sizes.chunk_sizes.items():
        if name not in with_keys:  # scored, never read key by key
            continue
        if size % 16 or not 16 <= size <= MAX_CHUNK:
            raise UnsupportedError(
                f"chunk size of '{name}': kernels exist for multiples of 16 from 16 to "
                f"{MAX_CHUNK}, found {size}."
            )
    return Specialisation(sizes.group, sizes.chunk_sizes, specs, constants, sizes.q_block)


def query_block(length: int, rows: int | None, given: object) -> int:
    """Queries that share a selection row: as given, or as L and the number of rows imply."""
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, numbers.Integral) or given < 1:
            raise ArgumentError(mismatch("q_block", "an int >= 1", repr(given)))
        given = int(given)
        needed = -(-length // given)
        if rows is not None and rows != needed:
            raise ArgumentError(
                f"selection rows: expected ceil(L / q_block) = {needed} for L = {length} and "
                f"q_block = {given}, found {rows}."
            )
        return given
    if rows is None or rows == length:
        return 1
    if rows == 1:
        return length
    fitting = [block for block in range(1, length + 1) if -(-length // block) == rows]
    if len(fitting) != 1:
        found = "no q_block fits" if not fitting else f"q_block may be {fitting[0]}..{fitting[-1]}"
        raise ArgumentError(
            f"selection rows: expected one row per query block, found {rows} rows for "
            f"L = {length}, where {found}. Pass q_block=..."
        )
    return fitting[0]


def _check_rank(parameter: Parameter, info: ArrayInfo) -> None:
    rank = len(info.shape)
    if parameter.role is Role.TENSOR:
        axes = len(parameter.axes)
        if rank in (axes, axes + 1):
            return
        layout = f"[{', '.join(parameter.axes)}], with or without a batch dimension first"
    elif rank == 4:
        return
    else:
        layout = f"rank 4, {LAYOUTS[parameter.role]}"
    raise ArgumentError(mismatch(f"`{parameter.name}`", layout, f"shape {info.shape}"))


def _measure_query(sizes: Sizes, parameter: Parameter, shape: tuple[int, ...]) -> None:
    if not sizes.query_heads:
        sizes.batch, sizes.length, sizes.query_heads = shape[:3]
    expected = sizes.batch, sizes.length, sizes.query_heads
    if parameter.is_per_block:
        sizes.rows = shape[1] if sizes.rows is None else sizes.rows
        expected = sizes.batch, sizes.rows, sizes.query_heads
        if shape[:3] != expected:
            raise ArgumentError(
                mismatch(
                    f"`{parameter.name}`", f"[B, rows, HQ] = {list(expected)}", f"shape {shape}"
                )
            )
        return
    if shape[:3] != expected:
        raise ArgumentError(
            mismatch(f"`{parameter.name}`", f"[B, L, HQ] = {list(expected)}", f"shape {shape}")
        )


def _measure_chunks(sizes: Sizes, parameter: Parameter, shape: tuple[int, ...]) -> None:
    partition = parameter.partition or ""
    keys = sizes.num_keys.setdefault(partition, shape[1])
    sizes.heads = sizes.heads or shape[2]
    expected = sizes.batch, keys, sizes.heads
    if shape[:3] != expected:
        raise ArgumentError(
            mismatch(f"`{parameter.name}`", f"[B, N, H] = {list(expected)}", f"shape {shape}")
        )


def _measure_landmarks(sizes: Sizes, parameter: Parameter, shape: tuple[int, ...]) -> None:
    """One row for each chunk; without keys, the rows say how many chunks there are."""
    partition = parameter.partition or ""
    batch, chunks, heads, _ = shape
    sizes.num_keys.setdefault(partition, chunks * sizes.chunk_sizes[partition])
    expected = sizes.batch, sizes.chunks(partition)
    if (batch, chunks) != expected:
        raise ArgumentError(
            mismatch(
                f"`{parameter.name}`",
                f"[B, C] = {list(expected)}, one row for each of C = ceil(N / "
                f"{sizes.chunk_sizes[partition]}) chunks of N = {sizes.num_keys[partition]} keys",
                f"shape {shape}",
            )
        )
    _measure_heads(sizes, parameter, heads, shape)


def _measure_heads(sizes: Sizes, parameter: Parameter, heads: int, shape: tuple[int, ...]) -> None:
    """Which heads an array has, by their number."""
    kinds: dict[int, Heads] = {1: "one", sizes.query_heads: "query", sizes.heads: "kv"}
    if heads not in kinds:
        raise ArgumentError(
            mismatch(
                f"`{parameter.name}`",
                f"1, H = {sizes.heads} or HQ = {sizes.query_heads} heads",
                f"{heads} in shape {shape}",
            )
        )
    sizes.kinds[parameter.name] = kinds[heads]


def partition_sizes(signature: Signature, options: Mapping[str, Any]) -> dict[str, int]:
    """The chunk size of each partition, from `chunk_size=` or `chunks=`.

    Raises
    ------
    ArgumentError
        If neither or both are given, a partition has none, or a size is no positive int.
    """
    names = signature.partitions
    given: Any = options.get("chunks")
    one = options.get("chunk_size")
    if (given is None) == (one is None) and names:
        example = ", ".join(f'"{name}": 64' for name in names)
        raise ArgumentError(
            f"{signature.name}(): chunk size: expected chunk_size=... for a function with one "
            f"partition, or chunks={{{example}}}, found {'neither' if given is None else 'both'}."
        )
    if given is None:
        given = dict.fromkeys(names, one)
        if len(names) > 1:
            raise ArgumentError(
                f"{signature.name}(): chunk size: expected chunks= for the partitions "
                f"{list(names)}, found chunk_size={one!r}."
            )
    if not isinstance(given, Mapping):
        expected = 'a dict such as {"kv": 64}'
        raise ArgumentTypeError(mismatch("chunks", expected, repr(given)))
    if set(given) != set(names):
        raise ArgumentError(mismatch("chunks", f"sizes of {list(names)}", f"{list(given)}"))
    for name in names:
        size = given[name]
        if isinstance(size, bool) or not isinstance(size, numbers.Integral) or int(size) < 1:
            raise ArgumentError(mismatch(f"chunk size of '{name}'", "an int >= 1", repr(size)))
    return {name: int(given[name]) for name in names}


def _measure_selection(sizes: Sizes, parameter: Parameter, shape: tuple[int, ...]) -> None:
    batch, rows, heads, _ = shape
    sizes.rows = rows if sizes.rows is None else sizes.rows
    if (batch, rows) != (sizes.batch, sizes.rows):
        raise ArgumentError(
            mismatch(
                f"`{parameter.name}`", f"[B, rows] = {[sizes.batch, sizes.rows]}", f"shape {shape}"
            )
        )
    _measure_heads(sizes, parameter, heads, shape)


def _check_slots(signature: Signature, arrays: Mapping[str, ArrayInfo]) -> None:
    """With one selection, its weights have as many slots."""
    indices = signature.of_role(Role.INDICES)
    if len(indices) != 1:
        return
    slots = arrays[indices[0].name].shape[3]
    for parameter in signature.of_role(Role.WEIGHTS):
        shape = arrays[parameter.name].shape
        if shape[3] != slots:
            raise ArgumentError(
                mismatch(
                    f"`{parameter.name}`",
                    f"K = {slots} slots as `{indices[0].name}` has",
                    f"shape {shape}",
                )
            )


def _measure_keys(sizes: Sizes, parameter: Parameter, shape: tuple[int, ...]) -> None:
    """Where a partition has no `rl.Chunks`, another array of its keys says how many there are."""
    if parameter.partition is not None and "key" in parameter.axes:
        sizes.num_keys.setdefault(parameter.partition, _axis_size(parameter, "key", shape))


def _measure_chunk_axis(sizes: Sizes, parameter: Parameter, shape: tuple[int, ...]) -> None:
    """Where a partition has neither keys nor landmarks, an array of its chunks says how many."""
    partition = parameter.partition
    if partition is not None and "chunk" in parameter.axes:
        keys = _axis_size(parameter, "chunk", shape) * sizes.chunk_sizes[partition]
        sizes.num_keys.setdefault(partition, keys)


def _axis_size(parameter: Parameter, axis: str, shape: tuple[int, ...]) -> int:
    return shape[parameter.axes.index(axis) - len(parameter.axes)]


def _check_tensor(sizes: Sizes, parameter: Parameter, shape: tuple[int, ...]) -> None:
    partition = parameter.partition or ""
    known = {"pos": sizes.length, "head": sizes.query_heads}
    if partition:
        known["key"] = sizes.num_keys.get(partition, 0)
        known["chunk"] = sizes.chunks(partition) if partition in sizes.num_keys else 0
    batch = shape[: len(shape) - len(parameter.axes)]
    own = shape[len(batch) :]
    expected = tuple(known.get(axis, size) for axis, size in zip(parameter.axes, own, strict=True))
    if own != expected or batch not in ((), (sizes.batch,)):
        named = ", ".join(f"{a} = {n}" for a, n in zip(parameter.axes, expected, strict=True))
        raise ArgumentError(
            mismatch(
                f"`{parameter.name}`",
                f"[{named}], B = {sizes.batch} first if at all",
                f"shape {shape}",
            )
        )


def _spec(signature: Signature, parameter: Parameter, info: ArrayInfo, sizes: Sizes) -> ArraySpec:
    legal = ("i32", "i64") if parameter.role is Role.INDICES else FLOATS
    if info.dtype not in legal:
        expected = "int32 or int64" if legal[0] == "i32" else "float32, bfloat16 or float16"
        raise ArgumentTypeError(mismatch(f"`{parameter.name}`", expected, info.dtype))
    rows = (Role.QUERY, Role.CHUNKS, Role.LANDMARKS)
    has_dim = parameter.role in rows or "dim" in parameter.axes
    at = parameter.axes.index("dim") - len(parameter.axes) if "dim" in parameter.axes else -1
    dim = info.shape[at] if has_dim else 0
    limit = _largest_dim(signature, parameter)
    if has_dim and (dim % 8 or not 8 <= dim <= limit):
        raise UnsupportedError(
            f"`{parameter.name}`: kernels exist for head dimensions that are multiples of 8 up to "
            f"{limit}, found {dim}."
        )
    batch = parameter.role is Role.TENSOR and len(info.shape) > len(parameter.axes)
    heads = sizes.kinds.get(parameter.name, "kv")
    slots = info.shape[3] if parameter.name in signature.whole_rows else 0
    return ArraySpec(cast(DType, info.dtype), dim, heads, batch, slots)


def _largest_dim(signature: Signature, parameter: Parameter) -> int:
    scores = parameter.role is Role.QUERY and bool(signature.of_role(Role.LANDMARKS))
    return MAX_LANDMARK_DIM if scores or parameter.role is Role.LANDMARKS else MAX_DIM


def _check_common_dtype(signature: Signature, specs: Mapping[str, ArraySpec]) -> None:
    """Queries, keys, values and landmarks meet in products, so they have one dtype."""
    roles = (Role.QUERY, Role.CHUNKS, Role.LANDMARKS)
    parts = [parameter for role in roles for parameter in signature.of_role(role)]
    first = parts[0].name
    for parameter in parts:
        if specs[parameter.name].dtype != specs[first].dtype:
            raise ArgumentTypeError(
                mismatch(
                    f"`{parameter.name}`",
                    f"{specs[first].dtype} as `{first}` has",
                    specs[parameter.name].dtype,
                    "Convert one of them.",
                )
            )
