# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The unit test of HSA's authors, run on `ramify.ops.hsa` in place of their function.

It is read from the checkout that RAMIFY_PEERS names, and compares the result and four gradients
with a reference of its own, by its own tolerance, in float32 on a GPU.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from numerics import NO_GPU
from peers import authors

import ramify as rf

pytestmark = [
    NO_GPU,
    pytest.mark.skipif(not authors.is_there(), reason="RAMIFY_PEERS names no checkout of theirs"),
]

# batch, query heads, heads, length, head dim, slots, chunk size, query block; theirs is the first
SHAPES = [
    (1, 16, 1, 32, 16, 2, 16, 1),
    (2, 32, 2, 1024, 16, 4, 32, 1),
    (2, 32, 2, 1324, 16, 4, 32, 1),
    (2, 32, 2, 1024, 32, 4, 64, 1),
    (2, 32, 2, 1324, 32, 4, 64, 1),
]


def ramify_hsa(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    weights: torch.Tensor,
    indices: torch.Tensor,
    sm_n: float,
    chunk_size: int,
    sm_scale: float,
    reg_lamda: float = 0.01,
    reg_C: float = 50.0,  # noqa: N803
) -> torch.Tensor:
    """Our function behind the signature of theirs; without their regularisation of weights."""
    assert reg_lamda == 0 and reg_C == 0
    result: torch.Tensor = rf.ops.hsa(
        q,
        k,
        v,
        weights,
        indices,
        chunk_size=chunk_size,
        scale=sm_scale,
        softmax_n=sm_n,
        q_block=q.shape[1] // indices.shape[1],
    )
    return result


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_their_test_passes(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    pytest.importorskip("einops")
    module: Any = authors.load()
    calls = []

    def ours(*args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(args)
        return ramify_hsa(*args, **kwargs)

    monkeypatch.setattr(module, "HSA", ours)
    monkeypatch.setitem(os.environ, "TRITON_F32_DEFAULT", "ieee")  # it sets it; undone afterwards
    try:
        module.test_group_qa(*shape)
    finally:
        torch.set_printoptions(profile="default")
    assert len(calls) == 1
