# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Streams that are read at slots which the call gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_emulated as emulated
import torch

import ramify as rf
import ramify.language as rl


@rf.jit
def shares_at(
    r: rl.Query,
    each: rl.Landmarks,
    bias: rl.Tensor["kv.chunk", "head"],  # type: ignore[type-arg, name-defined]
    k: rl.Chunks,
    indices: rl.ChunkIndices,
    *,
    scale: float,
):
    """What the given chunks have of the normaliser of all that ended, and what they have alone."""
    s = rl.dot(r, each) * scale + bias
    s = rl.where(rl.end(each) <= rl.query_position(), s, -rl.inf)
    x = s.at(indices)
    share = rl.exp(x - rl.logsumexp(s, over="chunk"))
    return rl.sum(share, over="slot"), rl.logsumexp(x, over="slot")


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    B, L, H, G, N, D, K = 2, 37, 2, 4, 150, 32, 5  # noqa: N806
    indices = random.integers(-2, 12, (B, L, H, K)).astype(np.int32)
    indices[0, 5] = -1
    indices[1, 7] = 2**31 - 1
    shapes = {"r": (B, L, H * G, D), "each": (B, 10, H * G, D), "bias": (10, H * G)}
    given = {n: random.standard_normal(s).astype(np.float32) for n, s in shapes.items()}
    k = np.zeros((B, N, H, 16), np.float32)
    return {**given, "k": k, "indices": indices}


OPTIONS: dict[str, Any] = {"scale": 0.3, "chunk_size": 16}
PADDED = np.array([*range(100, 130), -1, 3, -1, 40, 149, 20, 90], np.int32)
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "early": {"q_start": -7},
    "padding": {"q_positions": PADDED},
    "lengths": {"num_keys": np.array([150, 40], np.int32)},
}


def check(found: Any, given: dict[str, Any], places: dict[str, Any]) -> None:
    for one, right in zip(found, shares_at.reference(**given, **OPTIONS, **places), strict=True):
        np.testing.assert_allclose(one, right, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("places", CASES)
def test_on_the_cpu(places: str) -> None:
    given = arrays()
    check(shares_at(**given, **OPTIONS, **CASES[places]), given, CASES[places])


def test_by_the_emulator() -> None:
    given = arrays()
    plan, ptx = (
        shares_at.ir(level, **given, **OPTIONS, target="sm_80") for level in emulated.PLAN_PTX
    )
    found = emulated.emulate_well(plan, ptx, {**given, "scale": OPTIONS["scale"]})
    check(found, given, {})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_in_16_bits(dtype: torch.dtype) -> None:
    given = {n: torch.from_numpy(x) for n, x in arrays().items()}
    narrow = {n: x.to(dtype) if n in ("r", "each", "k") else x for n, x in given.items()}
    wide = {n: x.float().numpy() if x.is_floating_point() else x for n, x in narrow.items()}
    found = shares_at(**narrow, **OPTIONS)
    check([x.numpy() for x in found], {**wide, "indices": given["indices"].numpy()}, {})
