# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small calls of every kind of kernel, to be run under NVIDIA's compute-sanitizer.

``compute-sanitizer --tool memcheck --error-exitcode 1 python benchmarks/sanitize.py [PART ...]``,
and the same with ``--tool racecheck``. Parts: forward, schedules, selection, decode, sequences,
gradients, ready-made, deterministic, streams, sharing. ``--device cpu`` shows that the calls
themselves are right, without a GPU.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from typing import Any

import torch

import ramify as rf
from ramify.derivative import differentiable

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "test" / "python"))

import test_ops_gca
import test_ops_hils
import test_ops_moba
import test_ops_sliding_hsa
import test_sequences as sequences
import test_stream_gradients as streams
import test_variants as variants
from arguments import random_arguments
from numerics import Case, make
from select_and_attend_cases import CASES as SELECT_AND_ATTEND
from variant_checks import Arrays, Sizes, attention

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
DETERMINISTIC = [BASE, *(CASES[index] for index in (3, 7))]
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
READY_MADE = Sizes(L=20)
READY_MADE_CASES: dict[str, tuple[Any, Arrays, dict[str, Any]]] = {
    "moba": (rf.ops.moba, test_ops_moba.arrays(READY_MADE), {"top_k": 3}),
    "hils": (rf.ops.hils, test_ops_hils.arrays(READY_MADE), {"top_k": 3, "window": 20}),
    "gca": (rf.ops.gca, test_ops_gca.arrays(READY_MADE), {"top_k": 3}),
    "sliding_hsa": (rf.ops.sliding_hsa, test_ops_sliding_hsa.arrays(READY_MADE), {"window": 20}),
    "sliding_window": (rf.ops.sliding_window, attention(READY_MADE), {"window": 20, "sink": 3}),
}
STREAMS = ["lse", "compressed", "terms", "picks_by_group", "selects_and_attends", "two_branches"]
SEQUENCES = ["hsa", "joint", "ranges"]
PLACES = ["lengths and starts", "lengths and positions"]

DEVICE = "cuda"
"""Where the calls run; `main` sets it."""


def put(x: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Tensors there: floats with a head and a dim in `dtype`, other floats in float32."""

    def placed(t: torch.Tensor) -> torch.Tensor:
        if not t.is_floating_point():
            return t.to(DEVICE)
        return t.to(DEVICE, dtype if t.ndim == 4 else torch.float32)

    return {name: placed(torch.as_tensor(t)) for name, t in x.items()}


def arrays(case: Case, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {name: t.to(DEVICE) for name, t in make(case, dtype).items()}


def sizes(case: Case) -> dict[str, Any]:
    own = {"chunk_size": case.S, "q_block": case.q_block, "softmax_n": case.n}
    return {**own, "scale": case.D**-0.5}


def variant(name: str, dtype: torch.dtype) -> tuple[rf.JitFunction, dict[str, Any]]:
    """A function of the tests, and its arguments."""
    function, options, shape = variants.CASES[name]
    x = random_arguments(function.signature, **shape)
    options = {"chunk_size": 16, **options}
    given = {key: value for key, value in options.items() if value is not None}
    return function, {**variants.on_device(function, x, dtype, DEVICE), **given}


def gradients(function: rf.JitFunction, wrt: tuple[str, ...], given: dict[str, Any]) -> None:
    """A forward run that saves, and a backward run."""
    derivative = function.derivative(wrt)
    outs, saved = derivative.forward(**given)
    listed = outs if isinstance(outs, tuple) else (outs,)
    d_outs = tuple(torch.ones_like(o) if o.is_floating_point() else None for o in listed)
    derivative.backward(saved, d_outs if isinstance(outs, tuple) else d_outs[0], **given)


def recorded(function: Any, x: dict[str, Any], **options: Any) -> None:
    """A call that autograd records, by all float tensors, and its gradient."""
    leaves = {
        name: t.detach().requires_grad_()
        for name, t in x.items()
        if isinstance(t, torch.Tensor) and t.is_floating_point()
    }
    outs = function(**x | leaves, **options)
    listed = outs if isinstance(outs, tuple) else (outs,)
    sum(o.float().sum() for o in listed if o.requires_grad).backward()


def run_forward(dtype: torch.dtype) -> None:
    for case in CASES:
        x = arrays(case, dtype)
        rf.ops.hsa_kernel(**x, **sizes(case))
        wide = torch.zeros(*x["k"].shape[:3], case.D + 9, dtype=dtype, device=DEVICE)
        wide[..., 5:-4] = x["k"]
        rf.ops.hsa_kernel(**{**x, "k": wide[..., 5:-4]}, **sizes(case))
    for name in VARIANTS:
        function, given = variant(name, dtype)
        function(**given)


def run_schedules(dtype: torch.dtype) -> None:
    for choices in SCHEDULES:
        for case in CASES:
            kernel = rf.ops.hsa_kernel.options(**choices)
            kernel(**arrays(case, dtype), **sizes(case))
        function, given = variant("joint", dtype)
        function.options(**choices)(**given)


def selection(dtype: torch.dtype, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    r = torch.randn(1, 70, 4, dim, device=DEVICE, dtype=dtype)
    return r, torch.randn(1, 9, 2, dim, device=DEVICE, dtype=dtype)


def run_selection(dtype: torch.dtype) -> None:
    for dim in (64, 1024):
        for choices in SELECTIONS:
            rf.ops.select(*selection(dtype, dim), chunk_size=8, **choices)


def run_decode(dtype: torch.dtype) -> None:
    """Selecting and attending in one launch: what is handed on goes through memory."""
    for function, given, options in SELECT_AND_ATTEND.values():
        x = [torch.from_numpy(array).to(DEVICE, dtype) for array in given]
        moved = {
            name: torch.from_numpy(value).to(DEVICE) if hasattr(value, "shape") else value
            for name, value in options.items()
        }
        function.options(launches="one")(*x, **moved)


def run_gradients(dtype: torch.dtype) -> None:
    for case in DIFFERENTIATED:
        gradients(rf.ops.hsa_kernel, WRT, {**arrays(case, dtype), **sizes(case)})
    for name in ("joint", "pushes"):
        function, given = variant(name, dtype)
        gradients(function, differentiable(function.signature), given)
    for choices in SELECTIONS:
        r, landmarks = (x.requires_grad_() for x in selection(dtype, 64))
        weights, _ = rf.ops.select(r, landmarks, chunk_size=8, **choices)
        weights.sum().backward()


def run_sequences(dtype: torch.dtype) -> None:
    """Lengths, starts and positions of each sequence, in memory; some sequences have no keys."""
    for name in SEQUENCES:
        function, options = sequences.FUNCTIONS[name]
        for q_block in (1, 4):
            x = random_arguments(function.signature, B=3, q_block=q_block)
            x = variants.on_device(function, x, dtype, DEVICE)
            for place in PLACES:
                places = sequences.on_device(sequences.PLACES[place], DEVICE)
                given = {**x, **options, **places, "chunk_size": 16, "q_block": q_block}
                function(**given)
                gradients(function, differentiable(function.signature), given)


def run_ready_made(dtype: torch.dtype) -> None:
    for function, x, options in READY_MADE_CASES.values():
        recorded(function, put(x, dtype), chunk_size=READY_MADE.S, **options)


def run_deterministic(dtype: torch.dtype) -> None:
    """The same bits from run to run: parts that are combined, lists in order, and no atomic add."""
    for case in DETERMINISTIC:
        given = {**arrays(case, dtype), **sizes(case), "deterministic": True}
        rf.ops.hsa_kernel.options(schedule="chunk_major")(**given)
        gradients(rf.ops.hsa_kernel, WRT, given)
    function, given = variant("joint", dtype)
    gradients(function, ("q", "k", "v"), given | {"deterministic": True})


def run_streams(dtype: torch.dtype) -> None:
    """Gradients through reductions over all chunks."""
    for name in STREAMS:
        function = streams.FUNCTIONS[name]
        x = streams.arrays_of(function)
        given = {**streams.call_of(function, x), **put(x, dtype)}
        gradients(function, tuple(x), given)


def run_sharing(dtype: torch.dtype) -> None:
    """Calls and gradients by an index of the selection that they are given."""
    for case in (BASE, BASE.but(q_block=4, G=16, L=9), BASE.but(index_heads="query", L=70)):
        x: dict[str, Any] = arrays(case, dtype)
        x["indices"] = rf.Selection(
            x["indices"], chunk_size=case.S, num_keys=case.N, q_block=case.q_block
        )
        rf.ops.hsa_kernel.options(schedule="chunk_major")(**x, **sizes(case))
        recorded(rf.ops.hsa, x, **sizes(case))


PARTS = {
    "forward": run_forward,
    "schedules": run_schedules,
    "selection": run_selection,
    "decode": run_decode,
    "sequences": run_sequences,
    "gradients": run_gradients,
    "ready-made": run_ready_made,
    "deterministic": run_deterministic,
    "streams": run_streams,
    "sharing": run_sharing,
}


def main() -> None:
    global DEVICE
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--device", choices=("cuda", "cpu"), default=DEVICE)
    chosen = parser.parse_args()
    DEVICE = chosen.device
    for name in chosen.parts or PARTS:
        for dtype in DTYPES:
            PARTS[name](dtype)
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        print(f"ran {name}", flush=True)


if __name__ == "__main__":
    main()
