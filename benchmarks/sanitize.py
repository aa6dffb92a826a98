# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small calls of every kind of kernel, to be run under NVIDIA's compute-sanitizer.

``compute-sanitizer --tool memcheck --error-exitcode 1 python benchmarks/sanitize.py``, and the
same with ``--tool racecheck``.
"""

from __future__ import annotations

import pathlib
import sys

import torch

import ramify as rf

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "test" / "python"))

import test_variants as variants
from arguments import random_arguments
from numerics import Case, make

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
VARIANTS = ["joint", "ranges, blocks", "pushes", "arrays, batch", "sink", "two partitions"]


def main() -> None:
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        for case in CASES:
            x = {name: t.cuda() for name, t in make(case, dtype).items()}
            rf.ops.hsa(**x, chunk_size=case.S, softmax_n=case.n, q_block=case.q_block)
            wide = torch.zeros(*x["k"].shape[:3], case.D + 9, dtype=dtype, device="cuda")
            wide[..., 5:-4] = x["k"]
            x["k"] = wide[..., 5:-4]
            rf.ops.hsa(**x, chunk_size=case.S, softmax_n=case.n, q_block=case.q_block)
        for name in VARIANTS:
            function, options, sizes = variants.CASES[name]
            x = random_arguments(function.signature, **sizes)
            x = variants.on_device(function, x, dtype, "cuda")
            options = {"chunk_size": 16, **options}
            function(**x, **{key: value for key, value in options.items() if value is not None})
    torch.cuda.synchronize()
    print("ran")


if __name__ == "__main__":
    main()
