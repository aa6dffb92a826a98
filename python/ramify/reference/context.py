# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What surrounds one execution of a function: the query block that it works for."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from ..errors import Error
from .named_array import Data


@dataclass(slots=True)
class Block:
    """One query block, for one sequence and one key/value head."""

    batch: int
    head: int
    """The key/value head, or the query head when indices are per query head."""
    positions: Data
    """int64 `[pos]`: where each query of the block stands among the keys."""
    position: int
    """Where the first query of the block stands, whether it is a padding row or not."""
    selection_row: int
    """Which row of the selection tensors belongs to the block."""
    per_head: bool = False
    """Whether the block has one head because the function selects for each."""


block: ContextVar[Block | None] = ContextVar("ramify_reference_block", default=None)
"""The block under execution; None while the reference is not running."""


def current() -> Block:
    """The block under execution."""
    found = block.get()
    if found is None:
        raise Error(
            "functions of ramify.language describe what a function decorated with @ramify.jit "
            "computes: call that function, or its `.reference(...)`, with arrays"
        )
    return found


def enter(next_block: Block | None) -> Block | None:
    """Make `next_block` the one under execution, None for none; returns the one before."""
    before = block.get()
    block.set(next_block)
    return before
