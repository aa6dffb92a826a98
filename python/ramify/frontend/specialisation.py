# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call fixes before a function is compiled: dtypes, static sizes, constants.

Lengths (B, L, N, K, rows) are not part of it: a new length compiles nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

DType: TypeAlias = Literal["f32", "bf16", "f16", "i32", "i64"]
Heads: TypeAlias = Literal["one", "kv", "query"]


@dataclass(frozen=True)
class ArraySpec:
    """What is fixed about one array.

    Parameters
    ----------
    dtype : str
        "f32", "bf16" or "f16"; "i32" or "i64" for indices.
    dim : int
        Size of the `dim` axis, for queries, chunks, and tensors that have one.
    heads : {"one", "kv", "query"}
        Which heads landmarks, weights or indices have: one for all, H, or HQ.
    batch : bool
        For `rl.Tensor`: whether the array begins with a batch dimension.
    slots : int
        K of weights or indices that the function reads as a whole; 0 where K is left open.
    """

    dtype: DType
    dim: int = 0
    heads: Heads = "kv"
    batch: bool = False
    slots: int = 0

    @property
    def slots_clause(self) -> str:
        """How the type of weights or indices tells K."""
        return f", slots = {self.slots}" if self.slots else ""


@dataclass(frozen=True)
class Places:
    """How a call says how many keys there are and where its queries stand.

    Parameters
    ----------
    num_keys : bool
        Whether each sequence has a number of keys of its own, an array `[B]`.
    q_start : {"end", "number", "array"}
        Not given: the last query stands at the last key; one number; or an array `[B]`.
    q_positions : {"", "shared", "batch"}
        Not given, `[L]` or `[B, L]`.
    """

    num_keys: bool = False
    q_start: Literal["end", "number", "array"] = "end"
    q_positions: Literal["", "shared", "batch"] = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The program's parameters for what is given as an array, with their types."""
        types: dict[str, str] = {}
        if self.num_keys:
            from_end = self.q_start == "end" and not self.q_positions
            types["num_keys"] = f"!hsa.num_keys{'<from_end>' if from_end else ''}"
        if self.q_start == "array":
            types["q_start"] = "!hsa.q_start"
        if self.q_positions:
            batch = "<batch>" if self.q_positions == "batch" else ""
            types["q_positions"] = f"!hsa.q_positions{batch}"
        return types


@dataclass(frozen=True)
class Specialisation:
    """What is fixed about one call.

    Parameters
    ----------
    group : int
        G = HQ / H.
    chunk_sizes : mapping
        Chunk size of each partition by its name ("kv" where the source names none).
    arrays : mapping
        Every array parameter.
    constants : mapping
        The value of every `rl.constexpr` parameter.
    q_block : int
        Positions in a query block.
    places : Places
        What is given as arrays about keys and positions.
    per_head : bool
        Whether the function visits a selection of its own for each query head.
    """

    group: int
    chunk_sizes: Mapping[str, int]
    arrays: Mapping[str, ArraySpec]
    constants: Mapping[str, Any] = field(default_factory=dict)
    q_block: int = 1
    places: Places = Places()
    per_head: bool = False

    @property
    def heads_per_block(self) -> int:
        """Size of the `head` axis: G, or 1 where indices are chosen per query head."""
        per_query = any(
            spec.heads == "query" for spec in self.arrays.values() if spec.dtype in ("i32", "i64")
        )
        return 1 if per_query or self.per_head else self.group
