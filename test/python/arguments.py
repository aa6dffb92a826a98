# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803
"""Random arguments for any function of the language, by its signature."""

from __future__ import annotations

from typing import Any

import numpy as np

from ramify.frontend import Parameter, Role, Signature


def random_arguments(
    signature: Signature,
    B: int = 2,
    L: int = 19,
    N: int = 70,
    H: int = 2,
    G: int = 3,
    D: int = 32,
    Dv: int | None = None,
    S: int = 16,
    K: int = 3,
    q_block: int = 1,
    index_heads: str = "kv",
    weight_heads: str = "kv",
    batched: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """float32 arrays for every array parameter; `v` has dimension Dv; some slots are empty."""
    r = np.random.default_rng(seed)
    heads = {"one": 1, "kv": H, "query": H * G}
    rows, chunks = -(-L // q_block), -(-N // S)
    known = {"pos": L, "head": H * G, "key": N, "chunk": chunks, "dim": D}

    def make(parameter: Parameter) -> Any:
        if parameter.role is Role.QUERY:
            length = rows if parameter.is_per_block else L
            return r.standard_normal((B, length, H * G, D), np.float32)
        if parameter.role is Role.CHUNKS:
            dim = Dv if parameter.name == "v" and Dv else D
            return r.standard_normal((B, N, H, dim), np.float32)
        if parameter.role is Role.LANDMARKS:
            return r.standard_normal((B, chunks, H, D), np.float32)
        if parameter.role is Role.INDICES:
            shape = B, rows, heads[index_heads], K
            return r.integers(-1, chunks + 1, shape, np.int32)
        if parameter.role is Role.WEIGHTS:
            return r.standard_normal((B, rows, heads[weight_heads], K), np.float32)
        shape = (B,) * batched + tuple(known[axis] for axis in parameter.axes)
        return r.standard_normal(shape).astype(np.float32).reshape(shape)

    return {parameter.name: make(parameter) for parameter in signature.arrays}
