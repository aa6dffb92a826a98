# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""HSA's forward and selection on the CPU, beside eager PyTorch and torch's matrix product."""

from __future__ import annotations

import resource
from collections.abc import Callable

import torch
from peers import eager
from shapes import CPU, Shape, inputs
from timing import host_ms

import ramify as rf


def sgemm_gflops(size: int = 2048) -> float:
    """GFLOP/s of torch's float32 matrix product on the threads that it uses."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2e-6 * size**3 / host_ms(lambda: a @ b)


def row(shape: Shape, gemm: float) -> dict[str, object]:
    """Times in ms of one shape in float32."""
    x = inputs(shape, torch.float32, "cpu")
    sizes = {"chunk_size": shape.chunk_size, "scale": shape.dim**-0.5}
    ours = host_ms(lambda: rf.ops.hsa(*x, **sizes))
    theirs = host_ms(lambda: eager.hsa(*x, **sizes), at_least=3)
    gflops = shape.flops / ours * 1e-6
    return {
        "shape": str(shape),
        "ms": ours,
        "eager ms": theirs,
        "x": theirs / ours,
        "GFLOP/s": gflops,
        "of sgemm": gflops / gemm,
    }


def gradient(shape: Shape) -> dict[str, object]:
    """Times in ms of a forward and a backward pass through autograd, by all float tensors."""
    *floats, indices = inputs(shape, torch.float32, "cpu")
    leaves = [t.requires_grad_() for t in floats]
    d_out = torch.randn(leaves[0].shape)
    sizes = {"chunk_size": shape.chunk_size, "scale": shape.dim**-0.5}

    def step(attend: Callable[..., torch.Tensor]) -> Callable[[], object]:
        return lambda: torch.autograd.grad(attend(*leaves, indices, **sizes), leaves, d_out)

    ours = host_ms(step(rf.ops.hsa), at_least=3)
    theirs = host_ms(step(eager.hsa), at_least=2)
    return {
        "shape": str(shape),
        "forward + backward ms": ours,
        "eager ms": theirs,
        "x": theirs / ours,
        "GFLOP/s": 3.5 * shape.flops / ours * 1e-6,
    }


def gradients() -> list[dict[str, object]]:
    return [gradient(CPU[index]) for index in (0, 2, 3, 4)]


def memory() -> dict[str, object]:
    """Growth of the peak resident size over a second call at L = 4096, in MiB."""
    x = inputs(CPU[0], torch.float32, "cpu")
    out = rf.ops.hsa(*x, chunk_size=64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    again = rf.ops.hsa(*x, chunk_size=64)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = again.numel() * again.element_size() / 2**20
    del out
    return {"peak RSS growth MiB": (after - before) / 1024, "outputs MiB": size}


def rows() -> list[dict[str, object]]:
    gemm = sgemm_gflops()
    return [row(shape, gemm) for shape in CPU]


SELECTIONS = [
    # chunks, landmark dim, query heads, slots
    (64, 64, 1, 8),
    (64, 1024, 1, 8),
    (256, 256, 1, 8),
    (1024, 64, 1, 8),
    (1024, 64, 16, 8),
    (1024, 1024, 1, 8),
    (1024, 64, 1, 32),
    (1024, 64, 1, 128),
]


def selection(chunks: int, dim: int, heads: int, top_k: int) -> dict[str, object]:
    """Times in ms of one selection in float32, for 4,096 queries of one key/value head."""
    length = 4096
    r, landmarks = torch.randn(1, length, heads, dim), torch.randn(1, chunks, 1, dim)
    sizes = {"chunk_size": length // chunks, "top_k": top_k}
    ours = host_ms(lambda: rf.ops.select(r, landmarks, **sizes))
    theirs = host_ms(lambda: eager.select(r, landmarks, **sizes), at_least=3)
    return {
        "C,Dr,HQ,K": f"{chunks},{dim},{heads},{top_k}",
        "select ms": ours,
        "eager ms": theirs,
        "x": theirs / ours,
    }


def selections() -> list[dict[str, object]]:
    return [selection(*shape) for shape in SELECTIONS]
