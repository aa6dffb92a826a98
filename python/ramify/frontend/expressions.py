# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Expressions: a visitor that evaluates what is constant and emits the rest."""

from __future__ import annotations

import ast
import difflib
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import language
from ..errors import LanguageError
from . import arithmetic
from .arithmetic import MismatchError, Operand
from .builder import Builder
from .call import Call, bind
from .captures import is_constant
from .intrinsics import HANDLERS
from .ir import TensorType, sort_axes
from .loops import Loop
from .scope import BUILTINS, Scope
from .signature import Role
from .source import Location, Node, Source
from .specialisation import Specialisation
from .values import Array, Chunk, Constant, FrontValue, Method, Slot, Softmax, Tensor, Tuple

PURE_MODULES = ("math",)
"""Modules whose functions are evaluated on constants."""


class Expressions:
    """Evaluates expressions of one function call in its scope."""

    def __init__(
        self,
        source: Source,
        scope: Scope,
        builder: Builder,
        specialisation: Specialisation,
        caller: Location | None = None,
    ) -> None:
        self.source = source
        self.scope = scope
        self.builder = builder
        self.specialisation = specialisation
        self.caller = caller
        self.loop: Loop | None = None

    def error(self, node: Node, message: str, hint: str = "") -> LanguageError:
        """An error at a node."""
        return self.source.error(node, message, hint)

    @contextmanager
    def at(self, node: Node) -> Iterator[None]:
        """Operations emitted inside belong to the node; a mismatch there is an error there."""
        before = self.builder.location
        self.builder.location = self.source.location(node, self.caller)
        try:
            yield
        except MismatchError as mismatch:
            raise self.error(node, str(mismatch), mismatch.hint) from None
        finally:
            self.builder.location = before

    def visit(self, node: ast.expr) -> FrontValue:
        """The value of an expression."""
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None:
            form = _FORMS.get(type(node), type(node).__name__)
            raise self.error(
                node, f"{form} are not part of the language", _HINTS.get(type(node), "")
            )
        value: FrontValue = method(node)
        return value

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

    def constant(self, node: ast.expr, what: str, hint: str = "") -> Any:
        """The value of an expression that has to be known now."""
        value = self.visit(node)
        if not isinstance(value, Constant):
            raise self.error(
                node,
                f"{what} has to be known when the function is compiled, found {value.describe()}",
                hint,
            )
        return value.value

    # Names and literals

    def visit_Constant(self, node: ast.Constant) -> FrontValue:
        if isinstance(node.value, complex | bytes) or node.value is Ellipsis:
            raise self.error(node, f"{node.value!r} is not a value of the language")
        return Constant(node.value)

    def visit_Name(self, node: ast.Name) -> FrontValue:
        value = self.scope.find(node.id)
        if value is None:
            return self._external(node)
        if self.loop is not None and self.loop.reduces(node.id, self.scope):
            raise self.error(
                node,
                f"`{node.id}` is read inside the loop that reduces into it",
                "chunks are visited in any order, so its value exists only after the loop; use a "
                "second loop, or rl.online_softmax for what needs a running maximum",
            )
        return value

    def _external(self, node: ast.Name) -> FrontValue:
        line = self.scope.line_where_ended(node.id)
        if line is not None:
            raise self.error(
                node,
                f"`{node.id}` exists only inside the loop of line {line}",
                "carry it out by a reduction: `out = rl.zeros(q, v)` before the loop, `out += x` "
                "inside",
            )
        found = self.scope.external(node.id)
        if found is None:
            raise self.error(node, f"`{node.id}` is not defined", self._similar(node.id))
        return self._checked(found.value, node, f"`{node.id}`")

    def _similar(self, name: str) -> str:
        matches = difflib.get_close_matches(name, self.scope.visible(), n=1)
        return f"did you mean `{matches[0]}`?" if matches else "assign it before this line"

    def _checked(self, value: Any, node: Node, name: str) -> Constant:
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

    def visit_Tuple(self, node: ast.Tuple) -> FrontValue:
        items = tuple(self.visit(item) for item in node.elts)
        if all(isinstance(item, Constant) for item in items):
            return Constant(tuple(item.value for item in items if isinstance(item, Constant)))
        return Tuple(items)

    def visit_List(self, node: ast.List) -> FrontValue:
        return Constant([self.constant(item, "an element of a list") for item in node.elts])

    def visit_JoinedStr(self, node: ast.JoinedStr) -> FrontValue:
        raise self.error(node, "f-strings are for print(...) only")

    # Operators

    def visit_BinOp(self, node: ast.BinOp) -> FrontValue:
        if isinstance(node.op, ast.MatMult):
            raise self.error(
                node, "`@` does not say by name what it contracts", "write `rl.dot(a, b)`"
            )
        left, right = self.operand(node.left), self.operand(node.right)
        with self.at(node):
            return arithmetic.binary(self.builder, node.op, left, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> FrontValue:
        value = self.operand(node.operand)
        with self.at(node):
            return arithmetic.unary(self.builder, node.op, value)

    def visit_Compare(self, node: ast.Compare) -> FrontValue:
        operands = [self.operand(part) for part in (node.left, *node.comparators)]
        if len(node.ops) > 1 and not all(isinstance(value, Constant) for value in operands):
            raise self.error(
                node,
                "a chained comparison of arrays has no single truth value",
                "write `(a <= b) & (b <= c)`",
            )
        result: Operand = Constant(True)
        with self.at(node):
            for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
                result = arithmetic.compare(self.builder, op, left, right)
                if isinstance(result, Constant) and not result.value:
                    break
        return result

    def visit_BoolOp(self, node: ast.BoolOp) -> FrontValue:
        word, sign = ("and", "&") if isinstance(node.op, ast.And) else ("or", "|")
        value: Any = None
        for part in node.values:
            value = self.constant(part, f"an operand of `{word}`", f"join conditions with `{sign}`")
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return Constant(value)

    def visit_IfExp(self, node: ast.IfExp) -> FrontValue:
        hint = "write rl.where(condition, a, b)"
        chosen = node.body if self.constant(node.test, "the condition", hint) else node.orelse
        return self.visit(chosen)

    # Attributes and subscripts

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
        return self._checked(getattr(module, node.attr), node, f"`{name}`")

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

    # Calls

    def visit_Call(self, node: ast.Call) -> FrontValue:
        callee = self.visit(node.func)
        if isinstance(callee, Method):
            raise self.error(
                node, f"`{callee.name}` returns nothing", "write it as a statement of its own"
            )
        if not isinstance(callee, Constant) or not callable(callee.value):
            raise self.error(node, f"{callee.describe()} is not a function")
        function = callee.value
        if function in (print, breakpoint):
            raise self.error(
                node, f"`{function.__name__}` has no value", "write it as a statement of its own"
            )
        positional, keywords = self.arguments(node)
        if function in HANDLERS:
            return self._language_call(function, node, positional, keywords)
        if hasattr(function, "__ramify_function__"):
            return self.inline(function, node, positional, keywords)
        return self._python_call(function, node, positional, keywords)

    def arguments(self, node: ast.Call) -> tuple[list[FrontValue], dict[str, FrontValue]]:
        """Arguments of a call, evaluated."""
        starred: list[Node] = [a for a in node.args if isinstance(a, ast.Starred)]
        starred += [k for k in node.keywords if k.arg is None]
        if starred:
            raise self.error(
                starred[0], "`*` in a call is not part of the language", "name each argument"
            )
        positional = [self.visit(argument) for argument in node.args]
        keywords = {k.arg: self.visit(k.value) for k in node.keywords if k.arg is not None}
        return positional, keywords

    def _language_call(
        self,
        function: Callable[..., Any],
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        call = self.call(function, f"rl.{function.__name__}", node, positional, keywords)
        with self.at(node):
            return HANDLERS[function](call)

    def call(
        self,
        function: Callable[..., Any],
        name: str,
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> Call:
        """A call bound to the parameters of a function of the language."""
        arguments, nodes = bind(function, name, node, self.source, positional, keywords)
        return Call(
            name,
            node,
            arguments,
            nodes,
            self.source,
            self.builder,
            self.specialisation,
            self.as_operand,
            self.loop,
        )

    def _python_call(
        self,
        function: Callable[..., Any],
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        """A function of Python on constants."""
        name = getattr(function, "__name__", repr(function))
        module = getattr(function, "__module__", None)
        known = name in BUILTINS and module == "builtins"
        if not known and module not in PURE_MODULES:
            raise self.error(
                node,
                f"`{name}` is not a function of the language",
                "decorate it with @ramify.jit, so that it is inlined",
            )
        values = [*positional, *keywords.values()]
        for value, argument in zip(
            values, (*node.args, *(k.value for k in node.keywords)), strict=True
        ):
            if not isinstance(value, Constant):
                near = f"; on arrays there is rl.{name}" if hasattr(language, name) else ""
                raise self.error(
                    argument,
                    f"`{name}` takes constants{near}, found {value.describe()}",
                    f"write rl.{name}" if near else "",
                )
        try:
            plain = [value.value for value in positional if isinstance(value, Constant)]
            named = {k: v.value for k, v in keywords.items() if isinstance(v, Constant)}
            return Constant(function(*plain, **named))
        except Exception as cause:
            raise self.error(node, f"`{name}`: {cause}") from cause

    def inline(
        self,
        function: Any,
        node: ast.Call,
        positional: list[FrontValue],
        keywords: dict[str, FrontValue],
    ) -> FrontValue:
        """A call of another jitted function; statements know how."""
        raise NotImplementedError


_FORMS: dict[type[ast.expr], str] = {
    ast.ListComp: "comprehensions",
    ast.SetComp: "comprehensions",
    ast.DictComp: "comprehensions",
    ast.GeneratorExp: "generator expressions",
    ast.Lambda: "lambdas",
    ast.Dict: "dictionaries",
    ast.Set: "sets",
    ast.Await: "await expressions",
    ast.Yield: "yield expressions",
    ast.NamedExpr: "assignments inside expressions",
    ast.Starred: "starred expressions",
}
_HINTS: dict[type[ast.expr], str] = {
    ast.Lambda: "write a function decorated with @ramify.jit",
    ast.NamedExpr: "assign on a line of its own",
    ast.ListComp: "write a `for` loop over a constant range; it is unrolled",
    ast.GeneratorExp: "write a `for` loop over a constant range; it is unrolled",
}
