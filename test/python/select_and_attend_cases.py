# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions that select and then attend, with arguments of few queries."""

from __future__ import annotations

from typing import Any

import numpy as np
import test_select_then_attend as attending
import test_selection_variants as variants

import ramify as rf

SIZES = {"scale": 0.25, "chunk_size": 16}


def arrays(**shape: int) -> tuple[np.ndarray, ...]:
    return tuple(attending.arrays(**{"B": 1, "L": 9, "N": 150, **shape}))


def of_hils() -> tuple[np.ndarray, ...]:
    q, k, v, lm = arrays(G=2, L=37, N=37)
    random = np.random.default_rng(11)
    each = random.standard_normal((1, lm.shape[1], 4, 16)).astype(np.float32)
    bias = random.standard_normal((lm.shape[1], 4)).astype(np.float32)
    return q, each, bias, k, v


def of_nsa() -> tuple[np.ndarray, ...]:
    q, k, v, lm = arrays(G=2, L=37, N=37)
    random = np.random.default_rng(2)
    means, gates = (random.standard_normal(s).astype(np.float32) for s in (lm.shape, (37, 4)))
    return q, lm, means, k, v, gates


RETRIEVE = {**SIZES, "top_k": 4}
CASES: dict[str, tuple[rf.JitFunction, Any, dict[str, Any]]] = {
    "decode": (attending.retrieve, arrays(L=1), RETRIEVE),
    "decode, batch": (attending.retrieve, arrays(B=3, L=1, H=2), RETRIEVE),
    "a tile of chunks and more": (attending.retrieve, arrays(L=2, N=1200), RETRIEVE),
    "fewer chunks than picks": (attending.retrieve, arrays(L=2, N=40), RETRIEVE),
    "wide rows": (attending.retrieve, arrays(L=2, N=150, G=4, D=128), RETRIEVE),
    "one pick": (attending.retrieve, arrays(), {**RETRIEVE, "top_k": 1}),
    "odd picks": (attending.retrieve, arrays(), {**RETRIEVE, "top_k": 7}),
    "many picks": (attending.retrieve, arrays(L=2, N=700), {**RETRIEVE, "top_k": 40}),
    "one head": (attending.retrieve, arrays(G=1, H=3), RETRIEVE),
    "large group": (attending.retrieve, arrays(G=16), RETRIEVE),
    "group of two tiles": (attending.retrieve, arrays(G=20, L=3), RETRIEVE),
    "early queries": (attending.retrieve, arrays(), {**RETRIEVE, "q_start": -3}),
    "lengths": (
        attending.retrieve,
        arrays(B=3, L=2),
        {**RETRIEVE, "num_keys": np.array([150, 0, 37], np.int32)},
    ),
    "padding": (
        attending.retrieve,
        arrays(),
        {**RETRIEVE, "q_positions": np.array([-1, -1, 3, 20, 90, 17, 149, -1, 60], np.int32)},
    ),
    "one softmax": (attending.joint, arrays(), SIZES),
    "four steps": (attending.shared_normaliser, arrays(), SIZES),
    "hils": (variants.hils, of_hils(), {"window": 20, "top_k": 3, "chunk_size": 16}),
    "nsa": (variants.nsa, of_nsa(), {"window": 20, "top_k": 3, "chunk_size": 16}),
}
