# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The language of `@ramify.jit` functions: `import ramify.language as rl`.

A function states the work of one query block: the query heads that share a key/value head, at one
position or at `q_block` consecutive ones. Axes have names, `pos`, `head`, `chunk`, `slot`, `key`,
`dim`; broadcasting and contraction go by name. The body of each function here is its definition in
NumPy, and what `fn.reference(...)` executes.

What does not fit is a `ramify.LanguageError` when a call compiles the function, with the user's
file, line and column, and a `ramify.ArgumentError` where the body here finds it while the reference
runs. What only the compiler asks for, such as a constant, the reference does not check. Beside what
each function lists, values meet by name: axes of one name have one size, keys are of one chunk, and
streams of one partition.
"""

from ..reference.named_array import NamedArray as Array
from ..reference.slots import Slots
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
from .positions import (
    block_position,
    distance,
    end,
    index,
    length,
    positions,
    query_position,
    start,
)
from .reductions import logsumexp, max, min, sum
from .selection import cumsum, detach, topk
from .weights import softplus, stick_breaking

__all__ = [
    "Array",
    "ChunkIndices",
    "ChunkWeights",
    "Chunks",
    "Landmarks",
    "OnlineSoftmax",
    "Query",
    "Slots",
    "Tensor",
    "abs",
    "block_position",
    "constexpr",
    "cumsum",
    "detach",
    "distance",
    "dot",
    "end",
    "every",
    "exp",
    "exp2",
    "first",
    "index",
    "inf",
    "length",
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
    "softplus",
    "sqrt",
    "start",
    "stick_breaking",
    "sum",
    "tanh",
    "topk",
    "where",
    "window",
    "zeros",
]
