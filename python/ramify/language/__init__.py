# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The language of `@ramify.jit` functions: `import ramify.language as rl`.

A function states the work of one query block: the query heads that share a key/value head, at one
position or at `q_block` consecutive ones. Axes have names, `pos`, `head`, `key`, `dim`;
broadcasting and contraction go by name. The body of each function here is its definition in
NumPy, and what `fn.reference(...)` executes.
"""

from ..reference.named_array import NamedArray as Array
from .accumulators import OnlineSoftmax, online_softmax, zeros
from .annotations import (
    ChunkIndices,
    Chunks,
    ChunkWeights,
    Landmarks,
    Query,
    Tensor,
    constexpr,
)
from .contractions import dot, softmax
from .domains import every, first, own, selected, window
from .elementwise import (
    abs,
    exp,
    exp2,
    inf,
    log,
    maximum,
    minimum,
    sigmoid,
    sqrt,
    tanh,
    where,
)
from .positions import end, index, positions, query_position, start
from .reductions import logsumexp, max, min, sum

__all__ = [
    "Array",
    "ChunkIndices",
    "ChunkWeights",
    "Chunks",
    "Landmarks",
    "OnlineSoftmax",
    "Query",
    "Tensor",
    "abs",
    "constexpr",
    "dot",
    "end",
    "every",
    "exp",
    "exp2",
    "first",
    "index",
    "inf",
    "log",
    "logsumexp",
    "max",
    "maximum",
    "min",
    "minimum",
    "online_softmax",
    "own",
    "positions",
    "query_position",
    "selected",
    "sigmoid",
    "softmax",
    "sqrt",
    "start",
    "sum",
    "tanh",
    "where",
    "window",
    "zeros",
]
