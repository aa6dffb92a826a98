# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""No access to shared memory in the kernels that the pipeline makes has bank conflicts."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import torch
from numerics import Case, make
from test_frontend import find_opt

import ramify as rf

BASE = Case(B=1, L=4, N=256, H=1, G=16)
OPT = find_opt()
CHECK = "builtin.module(tile.kernel(tile-verify-bank-conflicts))"


def misaligned(x: dict[str, Any], elements: int) -> dict[str, Any]:
    """The same arrays, each starting so many elements behind an address of 16 bytes."""

    def move(array: torch.Tensor) -> torch.Tensor:
        place = torch.zeros(array.numel() + elements, dtype=array.dtype)
        return place[elements:].view(array.shape)

    return {name: move(array) for name, array in x.items()}


def count_conflicts(
    x: dict[str, Any], case: Case, target: str = "sm_90a", read: str = "tile.load_shared"
) -> None:
    options: dict[str, Any] = {"scale": 0.1, "softmax_n": 0.0, "chunk_size": case.S}
    placed = rf.ops.hsa_kernel.ir("placed", **x, **options, target=target)
    assert read in placed and "tile.copy_async" in placed
    command = [str(OPT), f"--pass-pipeline={CHECK}"]
    done = subprocess.run(command, input=placed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(OPT is None, reason="ramify-opt is not built")
@pytest.mark.parametrize("keys", [16, 64, 256])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("dim", [16, 32, 64, 80, 96, 128, 192, 256])
def test_pipeline(dim: int, dtype: torch.dtype, keys: int) -> None:
    case = BASE.but(D=dim, S=keys)
    count_conflicts(make(case, dtype), case)


@pytest.mark.skipif(OPT is None, reason="ramify-opt is not built")
@pytest.mark.parametrize("dim", [16, 64, 80, 256])
def test_pieces_of_four_bytes(dim: int) -> None:
    case = BASE.but(D=dim)
    count_conflicts(misaligned(make(case, torch.float32), 1), case)


@pytest.mark.skipif(OPT is None, reason="ramify-opt is not built")
@pytest.mark.parametrize(
    ("group", "target", "read"),
    [
        (1, "sm_90a", "tile.load_shared"),
        (64, "sm_80", "tile.load_shared"),
        (64, "sm_90a", "tile.wgmma "),  # reads by itself, what copies have written
    ],
)
def test_rows(group: int, target: str, read: str) -> None:
    case = BASE.but(G=group)
    count_conflicts(make(case, torch.bfloat16), case, target, read)
