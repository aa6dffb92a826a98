# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A function's parameters as the runtime checks and keys them on every call.

`runtime_signature` turns the parameters of the language into the data that the dispatcher works
from, without Python: shapes in named sizes, dtypes, and checks with their messages. `specialise`
turns the dispatcher's request for a kernel back into what the front end compiles for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from . import _runtime, schedules
from .errors import ArgumentError
from .frontend import Parameter, Role, Signature, Specialisation, binding
from .frontend.binding import ArrayInfo, Sizes
from .frontend.specialisation import Heads, Places

FLOATS = ["f32", "bf16", "f16"]
MAX_POSITION = 2**31 - 1
"""Positions of keys and queries, and the numbers of keys, are int32."""
MAX_QUERY_BLOCK = 1 << 20
"""Queries that may share a selection row; a block beyond L costs time."""
FEW_SLOTS = 8
QUERY_BLOCK = "max(1, q_block)"
"""The query block where nothing selects: as given, else 1."""


def _query_block(rows: str) -> str:
    """The query block as given, else as L and the number of selection rows imply."""
    return f"q_block + (q_block == 0) * max(1, ceildiv(L, max({rows}, 1)))"


def runtime_signature(
    signature: Signature, more: Sequence[dict[str, Any]] = ()
) -> _runtime.Signature:
    """The dispatcher's view of a function, with the reserved keywords of every call.

    `more` are further arguments, as the dispatcher has them: of a gradient, say.
    """
    parameters = [_parameter(signature, p) for p in signature.parameters.values()]
    own = {p["name"] for p in parameters}
    reserved: list[dict[str, Any]] = [
        {"name": "chunk_size", "kind": "constexpr", "default": None},
        {
            "name": "chunks",
            "kind": "constexpr",
            "default": None,
            "indirect": True,
            "entries": list(signature.partitions),
        },
        {"name": "q_block", "kind": "constexpr", "default": 0, "indirect": True},
        _placing("q_start", [["B"]], scalar="i32"),
        _placing("q_positions", [["L"], ["B", "L"]]),
        _placing("num_keys", [["B"]], indirect=True),
        {
            "name": "deterministic",
            "kind": "constexpr",
            "default": False,
            "indirect": True,
            "torch_switch": True,
        },
    ]
    parameters += [{**p, "keyword_only": True} for p in reserved if p["name"] not in own]
    parameters += more
    checks = list(_checks(signature))
    keys = [
        block_key(signature),
        _few_slots_key(signature),
        *schedule_conditions(signature).asked(),
    ]
    return _runtime.Signature(signature.name, parameters, checks=checks, keys=keys)


def schedule_conditions(signature: Signature) -> schedules.Conditions:
    """What the choice of a schedule asks of a call's sizes."""
    slots = [_slots(signature, p) for p in signature.of_role(Role.INDICES)]
    heads = key_heads_name(signature)
    return schedules.conditions(signature, heads, block_key(signature), slots)


def _placing(name: str, shapes: list[list[str]], **more: Any) -> dict[str, Any]:
    """A keyword that says how many keys there are or where queries stand, by an array or not."""
    optional = {"optional": True, "default": None}
    return {"name": name, "kind": "array", "shapes": shapes, "dtypes": ["i32"]} | optional | more


def specialise(signature: Signature, request: Mapping[str, Any]) -> Specialisation:
    """What the front end compiles for, from the dispatcher's request.

    Raises
    ------
    ArgumentError, ArgumentTypeError, UnsupportedError
        For what the runtime leaves to this point, because it is part of a kernel's key: chunk
        sizes, head counts, dimensions.
    """
    known, arrays = request["sizes"], request["arrays"]
    sizes = Sizes(query_heads=known["HQ"], heads=key_heads(signature, known))
    _check_heads(signature, sizes)
    sizes.chunk_sizes = chunk_sizes(signature, request["constants"])
    sizes.q_block = request["keys"][block_key(signature)]
    infos: dict[str, ArrayInfo] = {}
    for parameter in signature.arrays:
        array = arrays[parameter.name]
        shape = [0] * array["rank"]
        if _dim_axis(parameter) is not None:
            at = array["rank"] - len(axes_of(parameter)) + (_dim_axis(parameter) or 0)
            shape[at] = known[_dim(parameter)]
        if parameter.name in signature.whole_rows:
            shape[3] = known[_slots(signature, parameter)]
        infos[parameter.name] = ArrayInfo(tuple(shape), array["dtype"])
        if parameter.role in (Role.INDICES, Role.WEIGHTS, Role.LANDMARKS):
            sizes.kinds[parameter.name] = _kind(signature, parameter, sizes, known)
    constants = {p.name: request["constants"][p.name] for p in signature.constants}
    specialisation = binding.specialise(signature, infos, sizes, constants)
    return replace(specialisation, places=_places(signature, request))


def _places(signature: Signature, request: Mapping[str, Any]) -> Places:
    """What the call says of keys and positions."""
    arrays, absent = request["arrays"], request["absent"]
    if "q_positions" in arrays and "q_start" not in absent:
        raise ArgumentError(
            f"{signature.name}(): expected q_start or q_positions, found both: each says where the "
            "queries stand."
        )
    start: Literal["end", "number", "array"] = "end" if "q_start" in absent else "number"
    positions: Literal["", "shared", "batch"] = ""
    if "q_positions" in arrays:
        positions = "batch" if arrays["q_positions"]["rank"] == 2 else "shared"
    return Places("num_keys" in arrays, "array" if "q_start" in arrays else start, positions)


def may_round(signature: Signature, request: Mapping[str, Any]) -> bool:
    """Whether a sum over chunks may be rounded to the 16 bits of its result, bf16, after each of
    them: with at most `FEW_SLOTS` it is then as near as the bound asks for.
    """
    few = bool(request["keys"][_few_slots_key(signature)])
    return few and query_dtypes(signature, request) == {"bf16"}


def query_dtypes(signature: Signature, request: Mapping[str, Any]) -> set[str]:
    """The element types of the queries, which are also those of results."""
    return {request["arrays"][p.name]["dtype"] for p in signature.of_role(Role.QUERY)}


def is_aligned(request: Mapping[str, Any]) -> bool:
    """Whether all arrays whose rows are copied may be read 16 bytes at a time."""
    return all(array["aligned"] for array in request["arrays"].values())


def chunk_sizes(signature: Signature, constants: Mapping[str, Any]) -> dict[str, int]:
    """The chunk size of each partition from `chunk_size=` or `chunks=`."""
    one, many = constants.get("chunk_size"), constants.get("chunks")
    options = {"chunk_size": one, "chunks": None if many is None else dict(many)}
    return binding.partition_sizes(signature, options)


def _check_heads(signature: Signature, sizes: Sizes) -> None:
    if sizes.heads and sizes.query_heads and sizes.query_heads % sizes.heads == 0:
        return
    raise ArgumentError(
        f"{signature.name}(): expected the query heads to be a positive multiple of the key/value "
        f"heads, found HQ = {sizes.query_heads} and H = {sizes.heads}."
    )


def key_heads_name(signature: Signature) -> str:
    """The size that is H: the heads of the keys; without keys, of the landmarks; else HQ."""
    if signature.of_role(Role.CHUNKS):
        return "H"
    landmarks = signature.of_role(Role.LANDMARKS)
    return heads_name(landmarks[0]) if landmarks else "HQ"


def key_heads(signature: Signature, known: Mapping[str, int]) -> int:
    """H, of a call's sizes."""
    return known[key_heads_name(signature)]


def _kind(
    signature: Signature, parameter: Parameter, sizes: Sizes, known: Mapping[str, int]
) -> Heads:
    """Which heads a selection tensor has."""
    found = known[heads_name(parameter)]
    kinds: dict[int, Heads] = {1: "one", sizes.query_heads: "query", sizes.heads: "kv"}
    if found in kinds:
        return kinds[found]
    raise ArgumentError(
        f"{signature.name}(): {parameter.name}: expected 1, H = {sizes.heads} or "
        f"HQ = {sizes.query_heads} heads (axis 2), found {found}."
    )


def axes_of(parameter: Parameter) -> tuple[str, ...]:
    """Axes in memory, without the batch of an `rl.Tensor`."""
    if parameter.is_per_block:
        return ("batch", "rows", "head", "dim")
    match parameter.role:
        case Role.QUERY | Role.CHUNKS:
            return ("batch", "length", "head", "dim")
        case Role.LANDMARKS:
            return ("batch", "chunk", "head", "dim")
        case Role.INDICES | Role.WEIGHTS:
            return ("batch", "rows", "head", "slot")
    return parameter.axes


def _dim_axis(parameter: Parameter) -> int | None:
    axes = axes_of(parameter)
    return axes.index("dim") if "dim" in axes else None


def _is_read_in_rows(signature: Signature, parameter: Parameter) -> bool:
    """Whether a kernel copies rows of it: of a dim axis, or of all slots."""
    return _dim_axis(parameter) is not None or parameter.name in signature.whole_rows


def _dim(parameter: Parameter) -> str:
    return f"D_{parameter.name}"


def heads_name(parameter: Parameter) -> str:
    """The size that is the parameter's heads."""
    return f"heads_{parameter.name}"


def _keys(signature: Signature, partition: str | None) -> str:
    """N, or N_partition where there are several."""
    return "N" if len(signature.partitions) <= 1 else f"N_{partition}"


def _rows(signature: Signature) -> str | None:
    """The size of the selection rows, if anything has a row per query block."""
    has_rows = any("rows" in axes_of(p) for p in signature.arrays)
    return "rows" if has_rows else None


def _slots(signature: Signature, parameter: Parameter) -> str:
    one = len(signature.of_role(Role.INDICES)) == 1
    return "K" if one else f"K_{parameter.name}"


def block_key(signature: Signature) -> str:
    """The query block, as an expression of the runtime that is part of a kernel's key."""
    rows = _rows(signature)
    return _query_block(rows) if rows else QUERY_BLOCK


def _few_slots_key(signature: Signature) -> str:
    slots = [_slots(signature, p) for p in signature.of_role(Role.INDICES)]
    return " * ".join(f"(min({K}, {FEW_SLOTS}) == {K})" for K in dict.fromkeys(slots)) or "0"


def _parameter(signature: Signature, parameter: Parameter) -> dict[str, Any]:
    name = parameter.name
    keyword = signature.python.parameters[name].kind.name == "KEYWORD_ONLY"
    # A user's number may be called N or rows; in checks these are sizes.
    spec: dict[str, Any] = {"name": name, "keyword_only": keyword, "symbol": False}
    if not parameter.is_required:
        spec["default"] = parameter.default
    if parameter.role is Role.CONSTEXPR:
        return {**spec, "kind": "constexpr"}
    if parameter.role.is_scalar:
        dtype = "f32" if parameter.role is Role.FLOAT else "i32"
        return {**spec, "kind": "scalar", "scalar": dtype}
    spec |= {"kind": "array", "shapes": _shapes(signature, parameter)}
    if _is_read_in_rows(signature, parameter):
        spec["alignment"] = 16  # rows are copied 16 bytes at a time where they may be
    spec["dtypes"] = ["i32", "i64"] if parameter.role is Role.INDICES else FLOATS
    spec["indirect"] = parameter.role is Role.INDICES  # a Selection may stand there
    query = signature.query.name
    if parameter.role in (Role.QUERY, Role.CHUNKS, Role.LANDMARKS) and name != query:
        spec["same_dtype_as"] = query
    return spec


def _shapes(signature: Signature, parameter: Parameter) -> list[list[str]]:
    keys = _keys(signature, parameter.partition)
    dim, heads = _dim(parameter) + "!", heads_name(parameter) + "!"
    match parameter.role:
        case Role.QUERY:
            return [["B", "rows" if parameter.is_per_block else "L", "HQ!", dim]]
        case Role.CHUNKS:
            return [["B", keys, "H!", dim]]
        case Role.LANDMARKS:
            return [["B", f"C_{parameter.partition}", heads, dim]]
        case Role.INDICES | Role.WEIGHTS:
            key = "!" if parameter.name in signature.whole_rows else ""
            return [["B", "rows", heads, _slots(signature, parameter) + key]]
    sizes = {"pos": "L", "head": "HQ!", "key": keys, "dim": dim}
    sizes["chunk"] = f"C_{parameter.partition}"
    own = [sizes[axis] for axis in parameter.axes]
    return [own, ["B", *own]]


def _checks(signature: Signature) -> list[tuple[str, str]]:
    checks = [
        (
            f"q_start + L <= {MAX_POSITION}",
            "q_start: expected queries that stand before position 2^31 - 1, found {L} of them from "
            "{q_start} on.",
        ),
    ]
    rows = _rows(signature)
    if rows:
        block = _query_block(rows)
        checks.append(
            (
                f"{rows} == ceildiv(L, {block})",
                f"expected one selection row for each query block, found {{{rows}}} rows for "
                f"L = {{L}} and q_block = {{{block}}}, which needs {{ceildiv(L, {block})}}. "
                "Pass q_block=... if queries share rows.",
            )
        )
        checks.append(
            (
                f"q_block != 0 || {rows} <= 1 || {rows} == L || ceildiv(L, {block} + 1) != {rows}",
                f"{{{rows}}} selection rows for L = {{L}} allow several query blocks, for example "
                f"{{{block}}} and {{{block} + 1}}. Pass q_block=...",
            )
        )
    for partition in signature.partitions:
        own = [p for p in signature.arrays if p.partition == partition]
        has_keys = any("key" in p.axes or p.role is Role.CHUNKS for p in own)
        has_chunks = any("chunk" in axes_of(p) for p in own)
        keys = _keys(signature, partition) if has_keys else None
        for size in ("chunk_size", f"chunks.{partition}"):
            checks += _chunk_checks(size, keys, f"C_{partition}" if has_chunks else None)
    return checks


def _chunk_checks(size: str, keys: str | None, chunks: str | None) -> list[tuple[str, str]]:
    """Checks of a partition's chunks, of which a call's `size` says how many keys they have.

    `keys` and `chunks` are the sizes that count them, as far as arrays tell.
    """
    checks = [(f"{size} >= 1", f"chunk size: expected an int >= 1, found {{{size}}}.")]
    needed = f"ceildiv({keys}, max({size}, 1))" if keys else chunks
    if needed:
        checks.append(
            (
                f"{needed} * {size} <= {MAX_POSITION}",
                f"expected chunks that end before position 2^31 - 1, found {{{needed}}} chunks of "
                f"{{{size}}} keys.",
            )
        )
    if keys and chunks:
        checks.append(
            (
                f"{chunks} == {needed}",
                f"expected {{{needed}}} chunks for {{{keys}}} keys, found {{{chunks}}}.",
            )
        )
    return checks
