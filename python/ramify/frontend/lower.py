# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a Python function and what a call fixes about it to the text of an `hsa.program`."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from ..errors import LanguageError
from ..reference.slots import SelectsPerHead
from .access import weights_type
from .builder import Builder
from .ir import Block, Operation, Printer, Program, TensorType, Value
from .scope import Scope
from .signature import Parameter, Role, Signature
from .specialisation import Specialisation
from .statements import Statements
from .values import Array, Constant, FrontValue, Tensor, Tuple

RESULT_AXES = (("pos", "head", "dim"), ("pos", "head"))
"""What a program may return, as floats."""
SLOT_RESULT_AXES = (("pos", "head", "slot"), ("pos", "slot"))
"""What a selection may return, as floats or chunk numbers."""
BLOCK_RESULT_AXES = (("head", "slot"), ("slot",))
"""What one selection for all positions of a query block may return."""


@dataclass(frozen=True)
class Result:
    """One result of a program.

    Parameters
    ----------
    axes : tuple of str
        `("pos", "head", "dim")`, an array `[B, L, HQ, dim]` in the dtype of the queries;
        `("pos", "head")`, a float32 array `[B, L, HQ]`; `("pos", "head", "slot")` or
        `("pos", "slot")`, a float32 or int32 array `[B, L, HQ, K]` or `[B, L, H, K]`; the same
        without pos, with a row per query block in place of L.
    dim : int
        Size of the `dim` axis, 0 if there is none.
    dtype : str
        "f32", "bf16", "f16" or "i32".
    slots : int
        Size of the `slot` axis, 0 if there is none.
    """

    axes: tuple[str, ...]
    dim: int
    dtype: str
    slots: int = 0


@dataclass(frozen=True)
class Lowered:
    """A function in `hsa`.

    Parameters
    ----------
    name : str
        The program's symbol.
    parameters : tuple of str
        The program's parameters in order: arrays and run-time scalars, then what the call says
        of keys and positions by arrays.
    results : tuple of Result
    is_tuple : bool
        Whether the function returns a tuple.
    """

    name: str
    parameters: tuple[str, ...]
    results: tuple[Result, ...]
    is_tuple: bool
    program: Program

    def text(self, with_locations: bool = True) -> str:
        """The module. Equal text without locations means an equal kernel."""
        return Printer(self.program, with_locations).text()


def lower(signature: Signature, specialisation: Specialisation) -> Lowered:
    """Translate a function.

    Parameters
    ----------
    signature : Signature
        The function.
    specialisation : Specialisation
        Dtypes and sizes of every array parameter, and every constant.

    Raises
    ------
    LanguageError
        If the function says something that the language does not have, at its line and column.
    """
    try:
        signature.check_entry()
        try:
            return _lower(signature, specialisation)
        except SelectsPerHead:
            return _lower(signature, replace(specialisation, per_head=True))
    except LanguageError as error:
        raise error.with_traceback(None) from None  # the user's line matters, not ours
    except RecursionError:
        raise signature.source.error(
            signature.source.tree,
            f"an expression of `{signature.name}` is nested too deeply",
            "give its parts names, on lines of their own",
        ) from None


def _lower(signature: Signature, specialisation: Specialisation) -> Lowered:
    source = signature.source
    names, values = _parameters(signature, specialisation)
    scope = Scope(signature.function, names=names)
    body = Statements(source, scope, Builder(), specialisation)
    body.calls = (signature.function,)
    for array in names.values():
        if isinstance(array, Array) and array.parameter.role is Role.TENSOR:
            array.ssa.type = _array_type(body, array, signature)
    body.run(source.tree.body)
    _name_unread_weights(signature, specialisation, names)
    tensors, is_tuple = _results(body, signature)
    types = tuple(tensor.type for tensor in tensors)
    block = _finish(body, tensors)
    location = source.location(source.tree)
    program = Program(signature.name, specialisation.group, tuple(values), types, block, location)
    dtype = specialisation.arrays[signature.query.name].dtype
    results = tuple(_result(each, dtype) for each in types)
    parameters = tuple(value.hint for value in values)
    return Lowered(signature.name, parameters, results, is_tuple, program)


def _parameters(
    signature: Signature, specialisation: Specialisation
) -> tuple[dict[str, FrontValue], list[Value]]:
    """What the names of the parameters stand for, and the program's arguments."""
    names: dict[str, FrontValue] = {}
    values: list[Value] = []
    for parameter in signature.parameters.values():
        if parameter.role is Role.CONSTEXPR:
            given = specialisation.constants.get(parameter.name, parameter.default)
            names[parameter.name] = Constant(given)
        else:
            names[parameter.name], value = _parameter(parameter, specialisation)
            values.append(value)
    values += [Value(role, name) for name, role in specialisation.places.parameters.items()]
    return names, values


def _finish(body: Statements, tensors: list[Tensor]) -> Block:
    """The whole block: loads and constants, what the function does, and its return."""
    builder, source = body.builder, body.source
    operands = tuple(tensor.ssa for tensor in tensors)
    placeholders = ", ".join(f"{{{i}}}" for i in range(len(operands)))
    text = f"hsa.return {placeholders} : {', '.join(str(tensor.type) for tensor in tensors)}"
    where = source.location(body.return_node or source.tree)
    end = Operation(text, operands, (), where)
    return Block((), [*builder.head.operations, *builder.block.operations, end])


def _parameter(parameter: Parameter, specialisation: Specialisation) -> tuple[FrontValue, Value]:
    """The value of a parameter in the function, and the program's argument."""
    if parameter.role.is_scalar:
        number = TensorType("f32" if parameter.role is Role.FLOAT else "i32")
        scalar = Value(number, parameter.name)
        return Tensor(scalar, number), scalar
    value = Value(_role_type(parameter, specialisation), parameter.name)
    return Array(parameter, value), value


def _role_type(parameter: Parameter, specialisation: Specialisation) -> str:
    spec, name = specialisation.arrays[parameter.name], parameter.partition
    match parameter.role:
        case Role.QUERY:
            positions = 1 if parameter.is_per_block else specialisation.q_block
            rows = f"pos = {positions}, head = {specialisation.heads_per_block}"
            return f"!hsa.query<{spec.dtype}, {rows}, dim = {spec.dim}>"
        case Role.CHUNKS:
            size = specialisation.chunk_sizes[name or ""]
            return f'!hsa.chunks<"{name}", {spec.dtype}, key = {size}, dim = {spec.dim}>'
        case Role.LANDMARKS:
            size = specialisation.chunk_sizes[name or ""]
            shape = f"heads = {spec.heads}, key = {size}, dim = {spec.dim}"
            return f'!hsa.landmarks<"{name}", {spec.dtype}, {shape}>'
        case Role.INDICES:
            return f'!hsa.indices<"{name}", {spec.dtype}, heads = {spec.heads}{spec.slots_clause}>'
    return ""


def _array_type(body: Statements, array: Array, signature: Signature) -> str:
    partition = array.parameter.partition
    spec = body.specialisation.arrays[array.parameter.name]
    sizes = (f"{axis} = {size}" for axis, size in body.tensor_axes(array))
    of = f', of "{partition}"' if partition else ""
    if partition and not _tells_chunk_size(signature, partition):
        of += f", key = {body.specialisation.chunk_sizes[partition]}"
    return f"!hsa.array<{spec.dtype}, [{', '.join(sizes)}]{of}{', batch' if spec.batch else ''}>"


def _tells_chunk_size(signature: Signature, partition: str) -> bool:
    """Whether a parameter of the partition has the number of keys in a chunk in its type anyway."""
    own = [p for p in signature.arrays if p.partition == partition]
    return any(p.role in (Role.CHUNKS, Role.LANDMARKS) or "key" in p.axes for p in own)


def _name_unread_weights(
    signature: Signature, specialisation: Specialisation, names: dict[str, FrontValue]
) -> None:
    """Weights that no slot reads belong to the first indices."""
    indices = [parameter.name for parameter in signature.of_role(Role.INDICES)]
    for parameter in signature.of_role(Role.WEIGHTS):
        if not indices:
            raise signature.error(
                parameter.name,
                f"`{parameter.name}` weighs slots, but there is no rl.ChunkIndices parameter",
                "add `indices: rl.ChunkIndices`, or use rl.Tensor[...]",
            )
        array = names[parameter.name]
        if isinstance(array, Array) and not array.ssa.type:
            spec = specialisation.arrays[parameter.name]
            array.ssa.type = weights_type(indices[0], spec)


def _results(body: Statements, signature: Signature) -> tuple[list[Tensor], bool]:
    """What the function returns, as f32, checked."""
    source, returned = body.source, body.returned
    node = body.return_node
    if returned is None or node is None:
        raise source.error(source.tree, f"`{signature.name}` returns nothing", "`return out`")
    items = returned.items if isinstance(returned, Tuple) else (returned,)
    if isinstance(returned, Tuple) and len(items) == 1:
        raise source.error(node, "a tuple of one result", "return the array itself")
    tensors = []
    for item in items:
        if isinstance(item, Array):
            item = body.as_operand(item, node)
        _check_result(body, item, node)
        assert isinstance(item, Tensor)
        with body.at(node):
            if item.type.names in BLOCK_RESULT_AXES and body.specialisation.q_block == 1:
                item = body.builder.broadcast(item, (("pos", 1), *item.type.axes))
            keeps = item.type.element == "i32" and "slot" in item.type.names
            tensors.append(item if keeps else body.builder.to_f32(item))
    return tensors, isinstance(returned, Tuple)


def _check_result(body: Statements, item: FrontValue, node: ast.Return) -> None:
    """What a function may return: rows of an attention, or a value for each slot."""
    if isinstance(item, Tensor):
        element, names = item.type.element, item.type.names
        if names in RESULT_AXES and item.type.is_float:
            return
        one = body.specialisation.q_block == 1
        legal = BLOCK_RESULT_AXES + SLOT_RESULT_AXES * one
        if names in legal and (item.type.is_float or element == "i32"):
            return
        if item.type.partition is not None:
            raise body.error(
                node,
                f"{item.describe()} is never stored, so it is no result",
                'reduce it, by rl.topk, `s.at(slots)`, or rl.sum(s, over="chunk")',
            )
    raise body.error(
        node,
        "a result has axes [pos, head, dim], [pos, head], [pos, slot] or [pos, head, slot], or, of "
        f"a query block, [slot] or [head, slot], found {item.describe()}",
        "reduce or broadcast it: `rl.zeros(q) + x` has [pos, head]",
    )


def _result(returned: TensorType, dtype: str) -> Result:
    if "slot" in returned.names:
        return Result(returned.names, 0, returned.element, returned.size("slot"))
    if "dim" not in returned.names:
        return Result(returned.names, 0, "f32")
    return Result(returned.names, returned.size("dim"), dtype)
