# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Training on one GPU: HSA's backward, chunk-major forward and selection, beside the peers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from peers import authors, eager
from shapes import GPU, Shape, inputs
from timing import captured, gpu_ms

import ramify as rf

WRT = ("q", "k", "v", "weights")
Inputs = tuple[torch.Tensor, ...]


def shared_picks(shape: Shape, x: Inputs, tokens: int = 64) -> Inputs:
    """The same inputs, but groups of consecutive tokens hold the picks of their first."""
    q, k, v, weights, indices = x
    first = torch.arange(shape.length, device=indices.device) // tokens * tokens
    return q, k, v, weights, indices[:, first].contiguous()


def _sizes(shape: Shape) -> dict[str, float | int]:
    return {"chunk_size": shape.chunk_size, "scale": shape.dim**-0.5, "softmax_n": 0.0}


def _authors_backward(shape: Shape, x: Inputs, d_out: torch.Tensor) -> Callable[[], object] | None:
    """Their backward pass of one recorded call, through autograd as a model runs it."""
    module = authors.load()
    if module is None:
        return None
    leaves = [t.detach().clone().requires_grad_() for t in x[:4]]
    out = module.HSA(*leaves, x[4], 0.0, shape.chunk_size, shape.dim**-0.5)
    return lambda: torch.autograd.grad(out, leaves, d_out, retain_graph=True)


def _gradient_errors(shape: Shape, x: Inputs, d_out: torch.Tensor, grads: Inputs) -> float:
    """Largest difference of dq and dweights from float64 over the last 128 queries."""
    rows = torch.arange(shape.length - 128, shape.length, device=d_out.device)
    q, k, v, w, i = (t.double() if t.is_floating_point() else t for t in x)
    q, w = q[:, rows].requires_grad_(), w[:, rows].requires_grad_()
    out = eager.hsa(q, k, v, w, i[:, rows], chunk_size=shape.chunk_size, scale=shape.dim**-0.5)
    reference = torch.autograd.grad(out, (q, w), d_out[:, rows].double())
    found = (grads[0][:, rows], grads[3][:, rows])
    return max((a.double() - b).abs().max().item() for a, b in zip(found, reference, strict=True))


def backward_row(shape: Shape, picks: str = "random") -> dict[str, object]:
    """Times in ms of the four gradients in bf16: ours and theirs."""
    x = inputs(shape, torch.bfloat16, "cuda")
    if picks == "shared":
        x = shared_picks(shape, x)
    d_out = torch.randn_like(x[0])
    sizes = _sizes(shape)
    derivative = rf.ops.hsa_kernel.derivative(WRT)
    _, saved = derivative.forward(*x, **sizes)

    def ours() -> Inputs:
        return derivative.backward(saved, d_out, *x, **sizes)

    result: dict[str, object] = {"shape": str(shape), "picks": picks}
    result["error"] = _gradient_errors(shape, x, d_out, ours())
    result["kernels"], result["call"] = gpu_ms(captured(ours)), gpu_ms(ours)
    result["TFLOP/s"] = 2.5 * shape.flops / float(result["kernels"]) * 1e-9  # type: ignore[arg-type]
    theirs = _authors_backward(shape, x, d_out)
    if theirs is not None:
        result["authors"] = gpu_ms(theirs, repeats=20)
        result["x"] = result["authors"] / result["call"]  # type: ignore[operator]
    return result


def forward_row(shape: Shape, picks: str, schedules: tuple[str, ...]) -> dict[str, object]:
    """Kernel times in ms of the forward by each schedule, the inverse index included."""
    x = inputs(shape, torch.bfloat16, "cuda")
    if picks == "shared":
        x = shared_picks(shape, x)
    result: dict[str, object] = {"shape": str(shape), "picks": picks}
    for schedule in schedules:
        fn = rf.ops.hsa_kernel.options(schedule=schedule)
        result[schedule] = gpu_ms(captured(lambda fn=fn: fn(*x, **_sizes(shape))))
    module = authors.load()
    if module is not None:
        result["authors"] = gpu_ms(captured(authors.kernel(module, *x, **_sizes(shape))))
        best = min(float(result[s]) for s in schedules)  # type: ignore[arg-type]
        result["x"] = result["authors"] / best  # type: ignore[operator]
    return result


def _extra_mib(fn: Callable[[], object]) -> float:
    """Peak memory of a call beyond what it returns, in MiB."""
    fn()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    result = fn()
    torch.cuda.synchronize()
    peak, after = torch.cuda.max_memory_allocated(), torch.cuda.memory_allocated()
    del result
    return (peak - before - (after - before)) / 2**20


def selection_row(length: int, dim: int, top_k: int = 8, chunk_size: int = 64) -> dict[str, object]:
    """Times in ms of stick-breaking selection in bf16, ours and eager PyTorch."""
    r = torch.randn(1, length, 1, dim, device="cuda", dtype=torch.bfloat16)
    landmarks = torch.randn(1, length // chunk_size, 1, dim, device="cuda", dtype=torch.bfloat16)
    sizes = {"chunk_size": chunk_size, "top_k": top_k}

    def ours() -> object:
        return rf.ops.select(r, landmarks, **sizes)

    def theirs() -> object:
        return eager.select(r, landmarks, **sizes)

    row: dict[str, object] = {"L,Dr,K": f"{length},{dim},{top_k}"}
    row["kernel"], row["call"] = gpu_ms(captured(ours)), gpu_ms(ours)
    row["eager"] = gpu_ms(theirs)
    row["x"] = row["eager"] / row["call"]  # type: ignore[operator]
    row["extra MiB"], row["eager extra MiB"] = _extra_mib(ours), _extra_mib(theirs)
    return row


def memory_row(length: int) -> dict[str, object]:
    """Peak memory in MiB of a training step of one layer, beyond its inputs."""
    shape = Shape(1, length, 16, 1, 64, 64, 8)
    x = inputs(shape, torch.bfloat16, "cuda")
    leaves = [t.detach().requires_grad_() for t in x[:4]]

    def step(call: Callable[..., torch.Tensor]) -> float:
        def run() -> None:
            out = call()
            torch.autograd.grad(out, leaves, torch.ones_like(out))

        return _extra_mib(run)

    row: dict[str, object] = {"shape": str(shape)}
    sizes = _sizes(shape)
    row["ours MiB"] = step(lambda: rf.ops.hsa(*leaves, x[4], **sizes))
    module = authors.load()
    if module is not None:
        size, scale = shape.chunk_size, shape.dim**-0.5
        row["authors MiB"] = step(lambda: module.HSA(*leaves, x[4], 0.0, size, scale))
    return row


def forward_rows() -> list[dict[str, object]]:
    schedules = ("query_major", "chunk_major")
    return [forward_row(GPU[2], picks, schedules) for picks in ("random", "shared")]


def backward_rows() -> list[dict[str, object]]:
    return [backward_row(shape) for shape in GPU[:4]] + [backward_row(GPU[2], "shared")]


def selection_rows() -> list[dict[str, object]]:
    return [selection_row(n, d) for n, d in ((65536, 1024), (65536, 64), (16384, 1024))]


def memory_rows() -> list[dict[str, object]]:
    return [memory_row(1 << 16), memory_row(1 << 18)]
