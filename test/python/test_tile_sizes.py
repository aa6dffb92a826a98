# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every size of tile computes the same: chunks one by one, gathered, cut, and in passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_gradients as gradients
import test_numerics as numerics
import test_variants as variants
import torch
from arguments import random_arguments
from numerics import DEVICES, Case

import ramify as rf
import ramify.language as rl

GATHERED = {"key_tile": 64}
CUT = {"key_tile": 32}
PASSES = {"key_tile": 32, "registers": 1}
"""No scores fit one register: chunks that are longer than a tile are visited in passes."""

BASE = Case(L=9, N=150, K=7)
SHAPES = {
    **{f"gathered: {c}": (BASE.but(S=16, corner=c), GATHERED) for c in numerics.CORNERS},
    "gathered: S=32": (BASE.but(S=32, corner="out of range"), GATHERED),
    "gathered: S=48 by five": (BASE.but(S=48, N=500), {"key_tile": 256}),
    "gathered: K=1": (BASE.but(S=16, K=1), GATHERED),
    "gathered: K=0": (BASE.but(S=16, K=0), GATHERED),
    "gathered: N=0": (BASE.but(S=16, N=0), GATHERED),
    "gathered: N < S": (BASE.but(S=16, N=5), GATHERED),
    "gathered: softmax_1": (BASE.but(S=16, n=1.0, corner="out of range"), GATHERED),
    "gathered: huge logits": (BASE.but(S=16, logits=200.0), GATHERED),
    "gathered: q_block": (BASE.but(S=16, q_block=4, corner="last chunk"), GATHERED),
    "gathered: weights per query head": (
        BASE.but(S=16, weight_heads="query", corner="nan at empty"),
        GATHERED,
    ),
    "gathered: indices per query head": (
        BASE.but(S=16, weight_heads="query", index_heads="query", corner="nan at empty"),
        GATHERED,
    ),
    "gathered: int64 indices": (
        BASE.but(S=16, index_dtype=torch.int64, corner="out of range"),
        GATHERED,
    ),
    "gathered: D=24, Dv=40": (BASE.but(S=16, D=24, Dv=40), GATHERED),
    "cut: S=80": (BASE.but(S=80, N=300), CUT),
    "passes: S=64": (BASE.but(S=64, corner="out of range"), PASSES),
    "passes: S=80": (BASE.but(S=80, N=300), PASSES),
    "passes: softmax_1": (BASE.but(S=128, N=300, n=1.0), PASSES),
    "passes: huge logits": (BASE.but(S=128, N=300, logits=200.0), PASSES),
    "passes: q_block": (BASE.but(S=64, q_block=4, corner="nan at empty"), PASSES),
    "passes: weights per query head": (BASE.but(S=64, weight_heads="query"), PASSES),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", numerics.DTYPES, ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_hsa(name: str, dtype: torch.dtype, device: str) -> None:
    case, choices = SHAPES[name]
    numerics.check(case, dtype, device, **choices)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", variants.CASES)
def test_gathered_variant(name: str, device: str) -> None:
    """Two tiles of chunks, and slots of the second that are beyond the last."""
    variants.check(name, torch.float32, device, key_tile=32)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", variants.CASES)
def test_variant_in_passes(name: str, device: str) -> None:
    """Chunks of 48 keys, three tiles of which the last of the last chunk has some keys."""
    variants.check(name, torch.float32, device, chunk_size=48, key_tile=16, registers=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["hsa", "alibi", "biased", "gated", "linear, query blocks"])
def test_gradients_in_passes(name: str, device: str) -> None:
    """Sums of keys are added tile by tile, also those of a chunk that ends early."""
    function, sizes, options = gradients.VARIANTS[name]
    x = random_arguments(function.signature, **{**sizes, "S": 48})
    function = function.options(schedule="query_major", key_tile=16, registers=1)
    gradients.check(function, x, {**options, "chunk_size": 48}, device)


def test_sizes_are_what_the_options_say() -> None:
    """The loop's step is the chunks at once; passes are a loop in it."""
    x = numerics.make(BASE.but(S=16), torch.float32)
    kernel = rf.ops.hsa_kernel
    options: dict[str, Any] = {"scale": 0.1, "chunk_size": 16, "q_block": 1}
    assert kernel.ir("tile", **x, **options).count("tile.gather %k") == 1
    gathered = kernel.options(**GATHERED).ir("tile", **x, **options)
    assert gathered.count("tile.gather %k") == 4
    assert "step %c4" in gathered
    x, options["chunk_size"] = numerics.make(BASE.but(S=80), torch.float32), 80
    assert kernel.options(**CUT).ir("tile", **x, **options).count("scf.for") == 1
    assert kernel.options(**PASSES).ir("tile", **x, **options).count("scf.for") == 3


@rf.jit
def scaled(
    q: rl.Query,
    k: rl.Chunks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    a: rl.Tensor["chunk"],
    b: rl.Tensor["key"],
):
    out, high = rl.zeros(q, k), rl.zeros(q, init=-rl.inf)
    acc = rl.online_softmax(q, k)
    for slot, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]) * 0.1)
        out += weights[slot] * a[c] * rl.dot(p * (1 / b[c]), 1 / k[c])
        high = rl.maximum(high, weights[slot] + a[c])
        acc.push(rl.sum(p * p, over="key") * a[c], rl.dot(p, k[c]))
    return out, high, acc.value


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("choices", [{}, GATHERED, {"key_tile": 32}], ids=str)
def test_empty_slots_give_nothing_whatever_is_near(choices: dict[str, int], device: str) -> None:
    """Chunk 0 is never selected and holds NaN; weights of empty slots are NaN or infinite."""
    r = np.random.default_rng(0)
    keys, slots = 75, 6
    indices = r.integers(1, 5, (2, 5, 1, slots)).astype(np.int32)
    weights = r.standard_normal(indices.shape).astype(np.float32)
    indices[..., 2] = -1
    indices[:, 1::2, :, 5] = 99
    indices[0, 0] = -1
    weights[(indices < 0) | (indices > 4)] = np.nan
    weights[..., 2] = np.inf
    x = {
        "q": r.standard_normal((2, 5, 3, 16)).astype(np.float32),
        "k": r.uniform(0.5, 2, (2, keys, 1, 16)).astype(np.float32),
        "weights": weights,
        "indices": indices,
        "a": np.array([np.nan, 0.5, -1, 2, 1.5], np.float32),
        "b": r.uniform(0.5, 2, keys).astype(np.float32),
    }
    x["k"][:, :16] = np.nan
    x["b"][:16] = np.nan
    tensors = {name: torch.from_numpy(array).to(device) for name, array in x.items()}
    found = scaled.options(**choices)(**tensors, chunk_size=16)
    for one, other in zip(found, scaled.reference(**x, chunk_size=16), strict=True):
        one = one.double().cpu().numpy()
        assert (np.isinf(one) == np.isinf(other)).all()
        finite = ~np.isinf(other)
        assert np.isfinite(one[finite]).all()
        assert np.abs(one[finite] - other[finite]).max() <= 2e-5 * np.abs(other[finite]).max()
