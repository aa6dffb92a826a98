# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The queries that selected each chunk, which `ramify.Selection` keeps."""

from __future__ import annotations

import ramify.language as rl

from ..jit import jit


@jit
def visits_kernel(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices) -> rl.Array:
    """Some visits: what they compute does not matter to an index of them."""
    out = rl.zeros(q)
    for _, c in rl.selected(indices):
        out += rl.sum(rl.dot(q, k[c]), over="key")
    return out


inverse_index_kernel = visits_kernel.options(schedule="inverse_index")
"""Returns counts, items and entries; only the sizes of q and k matter."""
