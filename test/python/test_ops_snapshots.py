# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each ready-made variant is in the `hsa` dialect, as files under `snapshots/`.

A change of the language or of the front end that changes them shows in the diff. To write them
anew:

    RAMIFY_UPDATE_SNAPSHOTS=1 ./dev run python -m pytest test/python/test_ops_snapshots.py
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from variant_checks import Arrays, Sizes, attention, normal, picks, rows, to

import ramify as rf
from ramify import ops
from ramify.ops.select import WEIGHTS, select_arguments

FOLDER = Path(__file__).parent / "snapshots"
LICENCE = "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"
Z = Sizes()
CHOICES = {"order": "nearest", "window": 0, "sink": 0, "local": 0, "own": False, "group": "sum"}


def retrieval(count: int, heads: int) -> Arrays:
    """Retrieval queries and landmarks."""
    return {
        "r": normal(5, Z.B, count, Z.H * Z.G, 64),
        "landmarks": normal(6, Z.B, Z.chunks, heads, 64),
    }


def selection(block: int, heads: int) -> Arrays:
    count = rows(Z, block)
    return {"weights": normal(7, Z.B, count, heads, Z.K), "indices": picks(Z, count, Z.H)}


def select(**changes: Any) -> tuple[rf.JitFunction, Arrays, dict[str, Any]]:
    arrays = retrieval(Z.L, Z.H)
    choices = {"chunk_size": Z.S, "top_k": 3, "scale": 0.125, "weights": "softmax", **CHOICES}
    return ops.select_kernel, arrays, select_arguments(arrays["r"], **choices | changes)


def hils_arrays() -> Arrays:
    heads = Z.H * Z.G
    landmarks, bias = normal(5, Z.B, Z.chunks, heads, Z.D), normal(6, Z.B, Z.chunks, heads)
    return {**attention(Z), "landmarks": landmarks, "bias": bias}


FORWARD = {"scale": 0.25, "chunk_size": Z.S}
CASES: dict[str, tuple[rf.JitFunction, Arrays, dict[str, Any]]] = {
    **{f"select_{kind}": select(weights=kind) for kind in WEIGHTS},
    "select_forced": select(weights="none", sink=1, local=1, own=True, group="max"),
    "hsa": (ops.hsa_kernel, attention(Z) | selection(1, Z.H), FORWARD),
    "hsa_softmax_1": (ops.hsa_kernel, attention(Z) | selection(1, Z.H), FORWARD | {"softmax_n": 1}),
    "sliding_window": (ops.sliding_window_kernel, attention(Z), FORWARD | {"window": 20}),
    "listed_window": (
        ops.listed_window_kernel,
        {**attention(Z), "indices": picks(Z, Z.L, Z.H)},
        FORWARD | {"window": 20},
    ),
    "sliding_hsa": (
        ops.sliding_hsa_kernel,
        attention(Z) | selection(1, Z.H),
        FORWARD | {"window": 20},
    ),
    "gca_select": (
        ops.gca_select_kernel,
        retrieval(rows(Z, Z.S), Z.H),
        FORWARD | {"first": 0, "size": Z.S, "top_k": 3, "q_start": 0},
    ),
    "gca": (
        ops.gca_kernel,
        attention(Z) | retrieval(rows(Z, Z.S), Z.H),
        FORWARD | {"scale_r": 0.125, "size": Z.S, "top_k": 3, "q_block": Z.S},
    ),
    "gca_shared": (
        ops.hsa_kernel,
        attention(Z) | selection(Z.S, Z.H),
        FORWARD | {"q_block": Z.S},
    ),
    "moba": (
        ops.moba_kernel,
        {**attention(Z), "means": normal(5, Z.B, Z.chunks, Z.H, Z.D)},
        FORWARD | {"top_k": 3},
    ),
    "hils_select": (
        ops.hils_select_kernel,
        hils_arrays(),
        FORWARD | {"window": 20, "size": Z.S, "top_k": 3},
    ),
    "hils": (
        ops.hils_kernel,
        hils_arrays(),
        FORWARD | {"window": 20, "size": Z.S, "top_k": 3},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_program(name: str) -> None:
    kernel, arrays, options = CASES[name]
    text = kernel.ir("hsa", **to(arrays, torch.float32), **options, target="cpu")
    text = f"{LICENCE}{text.rstrip()}\n"
    path = FOLDER / f"{name}.mlir"
    if os.environ.get("RAMIFY_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path} is not what the variant is now"


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.mlir")} == set(CASES)
