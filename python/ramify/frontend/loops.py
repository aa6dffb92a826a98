# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A loop over chunks: what it reduces into, and what its body contributes.

The body becomes the region of `hsa.reduce`, which does not see the accumulators. So the front end
collects the contributions of `out += x`, `out = rl.maximum(out, x)`, `acc.merge(...)` and
`acc.push(...)`, and yields them at the end of the body.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import LanguageError
from .builder import Builder
from .ir import Block, Operation, Value
from .scope import Scope
from .values import Chunk, Domain, Slot, Softmax, Tensor

COMBINE = {"sum": "arith.addf", "max": "arith.maximumf", "min": "arith.minimumf"}


@dataclass
class Accumulator:
    """One accumulator of a loop."""

    kind: str
    init: Tensor | Softmax
    contribution: tuple[Tensor, ...]
    name: str = ""

    @property
    def before(self) -> Value:
        """Its value before the loop."""
        return self.init.ssa if isinstance(self.init, Tensor) else self.init.state


@dataclass(eq=False)
class Loop:
    """One loop over chunks, while its body is compiled."""

    domain: Domain
    node: ast.For
    scope: Scope
    """The scope of the body."""
    reduced: frozenset[str]
    """Names of the scope outside that the body reduces into."""
    chunk: Chunk
    slot: Slot | None
    tensors: dict[str, Accumulator] = field(default_factory=dict)
    softmaxes: dict[Softmax, Accumulator] = field(default_factory=dict)

    def reduces(self, name: str, scope: Scope) -> bool:
        """Whether a name, read in `scope`, is an accumulator of the loop."""
        return name in self.reduced and scope is self.scope

    def check_read(self, softmax: Softmax, error: Callable[[str, str], LanguageError]) -> None:
        """Note that a softmax's result is read in the body; it must not be merged into here."""
        softmax.read_in.add(id(self))
        if softmax in self.softmaxes:
            raise error(
                "the result of an online softmax is read inside the loop that merges into it",
                "read `acc.value` and `acc.lse` after the loop",
            )

    def contribute(self, name: str, kind: str, init: Tensor, x: Tensor, builder: Builder) -> None:
        """Add to what the body contributes to an array; the kinds must agree."""
        known = self.tensors.get(name)
        if known is None:
            self.tensors[name] = Accumulator(kind, init, (x,), name)
        else:
            combined = builder.binary(COMBINE[kind], known.contribution[0], x)
            known.contribution = (combined,)

    def merge(self, acc: Softmax, parts: tuple[Tensor, Tensor]) -> None:
        """Take what one visit adds to an online softmax."""
        self.softmaxes[acc] = Accumulator("softmax", acc, parts, acc.state.hint)

    def finish(self, builder: Builder, outer: Block) -> None:
        """Close the region: yield the contributions, and put `hsa.reduce` into the outer block."""
        accumulators = [*self.tensors.values(), *self.softmaxes.values()]
        yielded = tuple(value.ssa for a in accumulators for value in a.contribution)
        names = ", ".join(f"{{{i}}}" for i in range(len(yielded)))
        types = ", ".join(str(value.type) for value in yielded)
        body = builder.block
        location = builder.location
        body.operations.append(Operation(f"hsa.yield {names} : {types}", yielded, (), location))
        body.arguments = tuple(v for v in (self.slot and self.slot.ssa, self.chunk.ssa) if v)
        results = tuple(Value(a.before.type, a.name) for a in accumulators)
        into = ", ".join(
            f"{a.kind} {{{i + 1}}} : {a.before.type}" for i, a in enumerate(accumulators)
        )
        arguments = f"{{{len(accumulators) + 1}}}"
        text = f"hsa.reduce ({arguments}) in {{0}} : {self.domain.ssa.type} into ({into})"
        operands = (self.domain.ssa, *(a.before for a in accumulators))
        outer.operations.append(Operation(text, operands, results, location, body))
        for accumulator, result in zip(accumulators, results, strict=True):
            self._assign(accumulator, result)

    def _assign(self, accumulator: Accumulator, result: Value) -> None:
        if isinstance(accumulator.init, Softmax):
            accumulator.init.state = result
            return
        assert self.scope.outer is not None
        scope = self.scope.outer
        scope.names[accumulator.name] = Tensor(result, accumulator.init.type)


def monoid_update(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """The name that a statement reduces into by its form, and the call or operand; else None.

    `out += x`, `out -= x`, and `out = rl.maximum(out, x)` in either order.
    """
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return None
    target, value = node.targets[0], node.value
    if not isinstance(target, ast.Name) or not isinstance(value, ast.Call):
        return None
    function = value.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    mentions = [isinstance(a, ast.Name) and a.id == target.id for a in value.args]
    if name in ("maximum", "minimum") and len(mentions) == 2 and mentions.count(True) == 1:
        return target.id, value
    return None


def reduced_names(node: ast.For, scope: Scope) -> frozenset[str]:
    """Names of the enclosing function that the body of a loop reduces into."""
    updates = (monoid_update(n) for n in ast.walk(node) if isinstance(n, ast.stmt))
    return frozenset(
        u[0] for u in updates if u is not None and isinstance(scope.find(u[0]), Tensor)
    )
