# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attributes and subscripts: parts of arrays, and results of an online softmax."""

from __future__ import annotations

import ast
import difflib
import types
from typing import Any

from ..errors import LanguageError
from .arithmetic import Operand
from .captures import is_constant
from .ir import Axes, Dynamic, Size, TensorType, sort_axes
from .signature import Role
from .source import Node
from .specialisation import ArraySpec
from .values import Array, Chunk, Constant, FrontValue, Method, Slot, Slots, Softmax, Tensor
from .visitor import Visitor


class Access(Visitor):
    """Reads arrays: whole, by chunk and by slot."""

    def operand(self, node: ast.expr) -> Operand:
        """The value of an expression that has to be a number or an array."""
        return self.as_operand(self.visit(node), node)

    def as_operand(self, value: FrontValue, node: Node) -> Operand:
        """A value as a number or array: a query is loaded."""
        if isinstance(value, Constant | Tensor):
            return value
        if isinstance(value, Array):
            return self._load(value, node)
        hint = "its result is `acc.value`" if isinstance(value, Softmax) else ""
        raise self.error(node, f"expected a number or an array, found {value.describe()}", hint)

    def from_outside(self, value: Any, node: Node, name: str) -> Constant:
        """A value from outside of the function, if it may be a constant."""
        if hasattr(value, "item") and getattr(value, "shape", None) == ():
            value = value.item()
        if is_constant(value) or isinstance(value, types.ModuleType) or callable(value):
            return Constant(value)
        raise self.error(
            node,
            f"{name} is a {type(value).__name__} from outside of the function",
            "numbers, strings and tuples of them are constants; pass arrays as parameters",
        )

    def visit_Attribute(self, node: ast.Attribute) -> FrontValue:
        owner = self.visit(node.value)
        if isinstance(owner, Constant) and isinstance(owner.value, types.ModuleType):
            return self._module_attribute(owner.value, node)
        if node.attr == "T" and isinstance(owner, Tensor | Array):
            return owner
        if node.attr in ("at", "keep") and isinstance(owner, Tensor | Array):
            return self._slot_method(owner, node)
        if isinstance(owner, Softmax):
            return self._softmax_attribute(owner, node)
        raise self.error(
            node,
            f"{owner.describe()} has no attribute `{node.attr}`",
            "axes are reduced by rl.sum, rl.max, rl.min and rl.logsumexp, by name",
        )

    def _module_attribute(self, module: types.ModuleType, node: ast.Attribute) -> FrontValue:
        if not hasattr(module, node.attr):
            matches = difflib.get_close_matches(node.attr, dir(module), n=1, cutoff=0.5)
            hint = f"did you mean `{matches[0]}`?" if matches else ""
            raise self.error(node, f"{module.__name__} has no `{node.attr}`", hint)
        name = f"{module.__name__}.{node.attr}"
        return self.from_outside(getattr(module, node.attr), node, f"`{name}`")

    def _softmax_attribute(self, owner: Softmax, node: ast.Attribute) -> FrontValue:
        if node.attr in ("merge", "push"):
            return Method(owner, node.attr)
        if node.attr not in ("value", "lse"):
            raise self.error(
                node,
                f"an online softmax has no `{node.attr}`",
                "it has merge(scores, values), push(logit, value), value and lse",
            )
        if self.loop is not None:
            self.loop.check_read(owner, lambda message, hint: self.error(node, message, hint))
        rows = owner.rows if node.attr == "value" else owner.rows.without("dim")
        with self.at(node):
            text = f"hsa.{node.attr} {{0}} : {owner.state.type} -> {rows}"
            return self.builder.tensor(text, (owner.state,), rows)

    def _slot_method(self, owner: Tensor | Array, node: ast.Attribute) -> Method:
        """`s.at` of a stream, `slots.keep` of slots."""
        value = self.as_operand(owner, node.value)
        assert isinstance(value, Tensor)
        if node.attr == "keep" and not isinstance(value, Slots):
            raise self.error(
                node,
                f"only slots have `keep`, found {value.describe()}",
                "rl.topk gives slots; arithmetic on them gives plain numbers",
            )
        if node.attr == "at" and value.type.partition is None:
            raise self.error(
                node,
                f"only a stream over chunks is read at slots, found {value.describe()}",
                "in a loop over slots a value is read by `x[slot]`",
            )
        return Method(value, node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> FrontValue:
        owner = self.visit(node.value)
        if isinstance(node.slice, ast.Slice):
            raise self.error(
                node, "slices are not part of the language", "use a domain, or rl.where"
            )
        index = self.visit(node.slice)
        if isinstance(owner, Constant) and isinstance(index, Constant):
            try:
                return Constant(owner.value[index.value])
            except (TypeError, LookupError) as cause:
                raise self.error(node, f"{cause}") from cause
        with self.at(node):
            if isinstance(owner, Array):
                return self._read(owner, index, node)
            if isinstance(owner, Tensor):
                return self._read_slot(owner, index, node)
        raise self.error(node, f"{owner.describe()} is not indexed", "chunks are: `k[c]`")

    def _read(self, array: Array, index: FrontValue, node: ast.Subscript) -> FrontValue:
        parameter = array.parameter
        spec = self.specialisation.arrays[parameter.name]
        if parameter.role is Role.WEIGHTS:
            return self._weight(array, index, node)
        if parameter.role is Role.CHUNKS:
            axes: dict[str, Size] = {"dim": spec.dim}
            axes["key"] = self.specialisation.chunk_sizes[parameter.partition or ""]
        elif parameter.role is Role.LANDMARKS:
            axes = dict(self.landmark_axes(array))
            del axes["chunk"]
        elif parameter.role is Role.TENSOR and parameter.partition is not None:
            axes = dict(self.tensor_axes(array))
            axes.pop("chunk", None)
        else:
            raise self.error(node, f"{array.describe()} is not indexed", "chunks are: `k[c]`")
        if not isinstance(index, Chunk) or index.partition != parameter.partition:
            raise self.error(
                node.slice,
                f"`{parameter.name}` is read by a chunk of '{parameter.partition}', found "
                f"{index.describe()}",
                "`for slot, c in rl.selected(indices)` or `for c in rl.window(k, last=W)`",
            )
        result = TensorType(spec.dtype, sort_axes(axes))
        return self.builder.read(array.ssa, index.ssa, result)

    def _read_slot(self, owner: Tensor, index: FrontValue, node: ast.Subscript) -> Tensor:
        """The value of one slot of an array that the function computed."""
        if "slot" not in owner.type.names:
            hint = "chunks are: `k[c]`"
            if owner.type.partition is not None:
                hint = "a stream is read at slots, `s.at(slots)`; in a loop, `landmarks[c]`"
            raise self.error(node, f"{owner.describe()} is not indexed", hint)
        if not isinstance(index, Slot):
            raise self.error(
                node.slice,
                f"{owner.describe()} is read by a slot, found {index.describe()}",
                "`for slot, c in rl.selected(slots)`",
            )
        count = owner.type.size("slot")
        if index.count is not None and index.count != count:
            raise self.error(
                node,
                f"the array has {count} slots, the selection of the loop {index.count}",
                "read it by slots of its own selection",
            )
        result = owner.type.without("slot")
        text = f"hsa.at {{0}}[{{1}} : {index.ssa.type}] : {owner.type} -> {result}"
        return self.builder.tensor(text, (owner.ssa, index.ssa), result)

    def _weight(self, array: Array, index: FrontValue, node: ast.Subscript) -> FrontValue:
        if not isinstance(index, Slot):
            raise self.error(
                node.slice,
                f"`{array.parameter.name}` is read by a slot, found {index.describe()}",
                "`for slot, c in rl.selected(indices)`",
            )
        spec = self.specialisation.arrays[array.parameter.name]
        per_query = spec.heads == "query"
        axes = (("head", self.specialisation.heads_per_block),) if per_query else ()
        result = TensorType(spec.dtype, axes)
        self.bind_weights(array, index, node)
        text = f"hsa.at {{0}}[{{1}} : {index.ssa.type}] : {array.ssa.type} -> {result}"
        return self.builder.tensor(text, (array.ssa, index.ssa), result)

    def bind_weights(self, array: Array, slot: Slot, node: ast.Subscript) -> None:
        """Note which indices the weights belong to."""
        spec = self.specialisation.arrays[array.parameter.name]
        expected = weights_type(slot.indices, spec)
        if slot.count is not None:
            raise self.error(
                node,
                f"`{array.parameter.name}` is a parameter, the slots of the loop are computed",
                "weights of computed slots are computed too: `w = rl.softmax(s.at(slots), "
                'over="slot")`, then `w[slot]`',
            )
        if array.ssa.type not in ("", expected):
            raise self.error(
                node,
                f"`{array.parameter.name}` is read by slots of two different ChunkIndices",
                "give each selection weights of its own",
            )
        array.ssa.type = expected

    def landmark_axes(self, array: Array) -> Axes:
        """Axes of the stream that landmarks are."""
        spec = self.specialisation.arrays[array.parameter.name]
        axes: dict[str, Size] = {
            "chunk": Dynamic(array.parameter.partition or ""),
            "dim": spec.dim,
        }
        if spec.heads == "query":
            axes["head"] = self.specialisation.heads_per_block
        return sort_axes(axes)

    def tensor_axes(self, array: Array) -> Axes:
        """Axes of a tensor parameter in the order of memory."""
        specialisation, parameter = self.specialisation, array.parameter
        sizes: dict[str, Size] = {
            "pos": specialisation.q_block,
            "head": specialisation.heads_per_block,
            "dim": specialisation.arrays[parameter.name].dim,
            "key": specialisation.chunk_sizes.get(parameter.partition or "", 0),
            "chunk": Dynamic(parameter.partition or ""),
        }
        return tuple((axis, sizes[axis]) for axis in parameter.axes)

    def _load(self, array: Array, node: Node) -> Tensor:
        """An array as a value: what the block sees of it, or a stream over its chunks."""
        parameter = array.parameter
        spec = self.specialisation.arrays[parameter.name]
        element: str = spec.dtype
        if parameter.role is Role.QUERY:
            axes: Axes = (
                ("pos", self.specialisation.q_block),
                ("head", self.specialisation.heads_per_block),
                ("dim", spec.dim),
            )
            if parameter.is_per_block and self.specialisation.q_block > 1:
                axes = axes[1:]
        elif parameter.role is Role.LANDMARKS:
            axes = self.landmark_axes(array)
        elif parameter.role is Role.TENSOR and "key" not in parameter.axes:
            axes = sort_axes(dict(self.tensor_axes(array)))
        elif parameter.role is Role.INDICES and spec.heads == "query":
            raise self.error(
                node,
                f"`{parameter.name}` has a row for each query head, which is no value as a whole",
                "it is visited: `for slot, c in rl.selected(indices)`",
            )
        elif parameter.role in (Role.WEIGHTS, Role.INDICES) and spec.slots:
            per_query = spec.heads == "query" and parameter.role is Role.WEIGHTS
            axes = (("head", self.specialisation.heads_per_block),) if per_query else ()
            axes += (("slot", spec.slots),)
            element = "i32" if parameter.role is Role.INDICES else spec.dtype
        else:
            raise self._no_value(array, node)
        if parameter.role is Role.WEIGHTS and not array.ssa.type:
            array.ssa.type = weights_type(self._first_indices(array, node), spec)
        op = "stream" if "chunk" in dict(axes) else "load"
        with self.at(node):
            result = TensorType(element, axes)
            value = self.builder.load(array.ssa, result, parameter.name, op)
        if parameter.role is Role.INDICES:
            return Slots(value.ssa, value.type, parameter.partition or "")
        return value

    def _first_indices(self, array: Array, node: Node) -> str:
        """The indices that weights belong to where no slot says it."""
        arrays = self.specialisation.arrays
        names = [name for name, spec in arrays.items() if spec.dtype in ("i32", "i64")]
        if not names:
            raise self.error(
                node,
                f"`{array.parameter.name}` weighs slots, but there is no rl.ChunkIndices parameter",
                "add `indices: rl.ChunkIndices`, or use rl.Tensor[...]",
            )
        return names[0]

    def _no_value(self, array: Array, node: Node) -> LanguageError:
        role = array.parameter.role
        by = "a slot: `w[slot]`" if role is Role.WEIGHTS else "a chunk: `k[c]`"
        hint = f"it is read by {by}"
        if role is Role.INDICES:
            hint = "it is visited: `for slot, c in rl.selected(indices)`"
        return self.error(node, f"expected a value, found {array.describe()} as a whole", hint)


def weights_type(indices: str, spec: ArraySpec) -> str:
    """The type of weights that belong to an indices parameter."""
    return f'!hsa.weights<"{indices}", {spec.dtype}, heads = {spec.heads}{spec.slots_clause}>'
