# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attributes and subscripts: parts of arrays, and results of an online softmax."""

from __future__ import annotations

import ast
import difflib
import types
from typing import Any

from .arithmetic import Operand
from .captures import is_constant
from .ir import TensorType, sort_axes
from .signature import Role
from .source import Node
from .values import Array, Chunk, Constant, FrontValue, Method, Slot, Softmax, Tensor
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
        raise self.error(node, f"{owner.describe()} is not indexed", "chunks are: `k[c]`")

    def _read(self, array: Array, index: FrontValue, node: ast.Subscript) -> FrontValue:
        parameter = array.parameter
        spec = self.specialisation.arrays[parameter.name]
        if parameter.role is Role.WEIGHTS:
            return self._weight(array, index, node)
        if parameter.role is Role.CHUNKS:
            axes: dict[str, int] = {"dim": spec.dim}
            axes["key"] = self.specialisation.chunk_sizes[parameter.partition or ""]
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
        expected = f'!hsa.weights<"{slot.indices}", {spec.dtype}, heads = {spec.heads}>'
        if array.ssa.type not in ("", expected):
            raise self.error(
                node,
                f"`{array.parameter.name}` is read by slots of two different ChunkIndices",
                "give each selection weights of its own",
            )
        array.ssa.type = expected

    def tensor_axes(self, array: Array) -> tuple[tuple[str, int], ...]:
        """Axes of a tensor parameter in the order of memory; the size of `chunk` is 0."""
        specialisation, parameter = self.specialisation, array.parameter
        sizes = {
            "pos": specialisation.q_block,
            "head": specialisation.heads_per_block,
            "dim": specialisation.arrays[parameter.name].dim,
            "key": specialisation.chunk_sizes.get(parameter.partition or "", 0),
            "chunk": 0,
        }
        return tuple((axis, sizes[axis]) for axis in parameter.axes)

    def _load(self, array: Array, node: Node) -> Tensor:
        """The part of an array without chunks that the block sees."""
        parameter = array.parameter
        spec = self.specialisation.arrays[parameter.name]
        if parameter.role is Role.QUERY:
            axes: tuple[tuple[str, int], ...] = (
                ("pos", self.specialisation.q_block),
                ("head", self.specialisation.heads_per_block),
                ("dim", spec.dim),
            )
        elif parameter.role is Role.TENSOR and parameter.partition is None:
            axes = sort_axes(dict(self.tensor_axes(array)))
        else:
            by = "a slot: `w[slot]`" if parameter.role is Role.WEIGHTS else "a chunk: `k[c]`"
            hint = f"it is read by {by}"
            if parameter.role is Role.INDICES:
                hint = "it is visited: `for slot, c in rl.selected(indices)`"
            raise self.error(node, f"expected a value, found {array.describe()} as a whole", hint)
        with self.at(node):
            return self.builder.load(array.ssa, TensorType(spec.dtype, axes), parameter.name)
