# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small calls of every kind of kernel, to be run under NVIDIA's compute-sanitizer.

``compute-sanitizer --tool memcheck --error-exitcode 1 python benchmarks/sanitize.py [PART ...]``,
and the same with ``--tool racecheck``. Parts: forward, schedules, selection, decode,
gradients.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import torch

import ramify as rf
from ramify.derivative import differentiable

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "test" / "python"))

import test_variants as variants
from arguments import random_arguments
from numerics import Case, make
from select_and_attend_cases import CASES as SELECT_AND_ATTEND

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
BASE = Case(B=1, L=5, N=200, H=2, G=4, corner="out of range")
CASES = [
    BASE,
    BASE.but(G=16, H=1),
    BASE.but(D=128),
    BASE.but(D=80, Dv=40),
    BASE.but(S=16),
    BASE.but(S=128),
    BASE.but(S=256, D=128),
    BASE.but(q_block=4, G=16, L=9),
    BASE.but(weight_heads="query", n=1.0),
    BASE.but(N=7),
    BASE.but(K=1),
]
DIFFERENTIATED = [BASE, *(CASES[index] for index in (1, 2, 4, 7, 8, 9))]
VARIANTS = ["joint", "ranges, blocks", "pushes", "arrays, batch", "sink", "two partitions"]
SCHEDULES: list[dict[str, Any]] = [
    {"schedule": "chunk_major"},
    {"schedule": "split_kv", "slices": 3},
    {"schedule": "union"},
]
WRT = ("q", "k", "v", "weights")
SELECTIONS: list[dict[str, Any]] = [
    {"top_k": 3},
    {"top_k": 8, "order": "score", "weights": "softmax", "group": "max"},
    {"top_k": 12, "weights": "none", "sink": 1, "local": 1},
]


def on_gpu(case: Case, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {name: t.cuda() for name, t in make(case, dtype).items()}


def sizes(case: Case) -> dict[str, Any]:
    own = {"chunk_size": case.S, "q_block": case.q_block, "softmax_n": case.n}
    return {**own, "scale": case.D**-0.5}


def variant(name: str, dtype: torch.dtype) -> tuple[rf.JitFunction, dict[str, Any]]:
    """A function of the tests, and its arguments."""
    function, options, shape = variants.CASES[name]
    x = random_arguments(function.signature, **shape)
    options = {"chunk_size": 16, **options}
    given = {key: value for key, value in options.items() if value is not None}
    return function, {**variants.on_device(function, x, dtype, "cuda"), **given}


def gradients(function: rf.JitFunction, wrt: tuple[str, ...], given: dict[str, Any]) -> None:
    """A forward run that saves, and a backward run."""
    derivative = function.derivative(wrt)
    outs, saved = derivative.forward(**given)
    listed = outs if isinstance(outs, tuple) else (outs,)
    d_outs = tuple(torch.ones_like(o) if o.is_floating_point() else None for o in listed)
    derivative.backward(saved, d_outs, **given)


def run_forward(dtype: torch.dtype) -> None:
    for case in CASES:
        x = on_gpu(case, dtype)
        rf.ops.hsa_kernel(**x, **sizes(case))
        wide = torch.zeros(*x["k"].shape[:3], case.D + 9, dtype=dtype, device="cuda")
        wide[..., 5:-4] = x["k"]
        rf.ops.hsa_kernel(**{**x, "k": wide[..., 5:-4]}, **sizes(case))
    for name in VARIANTS:
        function, given = variant(name, dtype)
        function(**given)


def run_schedules(dtype: torch.dtype) -> None:
    for choices in SCHEDULES:
        for case in CASES:
            kernel = rf.ops.hsa_kernel.options(**choices)
            kernel(**on_gpu(case, dtype), **sizes(case))
        function, given = variant("joint", dtype)
        function.options(**choices)(**given)


def selection(dtype: torch.dtype, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    r = torch.randn(1, 70, 4, dim, device="cuda", dtype=dtype)
    return r, torch.randn(1, 9, 2, dim, device="cuda", dtype=dtype)


def run_selection(dtype: torch.dtype) -> None:
    for dim in (64, 1024):
        for choices in SELECTIONS:
            rf.ops.select(*selection(dtype, dim), chunk_size=8, **choices)


def run_decode(dtype: torch.dtype) -> None:
    """Selecting and attending in one launch: what is handed on goes through memory."""
    for function, given, options in SELECT_AND_ATTEND.values():
        x = [torch.from_numpy(array).to("cuda", dtype) for array in given]
        moved = {
            name: torch.from_numpy(value).cuda() if hasattr(value, "shape") else value
            for name, value in options.items()
        }
        function.options(launches="one")(*x, **moved)


def run_gradients(dtype: torch.dtype) -> None:
    for case in DIFFERENTIATED:
        gradients(rf.ops.hsa_kernel, WRT, {**on_gpu(case, dtype), **sizes(case)})
    for name in ("joint", "pushes"):
        function, given = variant(name, dtype)
        gradients(function, differentiable(function.signature), given)
    for choices in SELECTIONS:
        r, landmarks = (x.requires_grad_() for x in selection(dtype, 64))
        weights, _ = rf.ops.select(r, landmarks, chunk_size=8, **choices)
        weights.sum().backward()


PARTS = {
    "forward": run_forward,
    "schedules": run_schedules,
    "selection": run_selection,
    "decode": run_decode,
    "gradients": run_gradients,
}


def main(parts: list[str]) -> None:
    for name in parts or PARTS:
        for dtype in DTYPES:
            PARTS[name](dtype)
        torch.cuda.synchronize()
        print(f"ran {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
