# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""HSA's forward on one GPU, beside the authors' Triton kernel in the same process."""

from __future__ import annotations

import functools

import torch
from peers import authors, eager
from shapes import GPU, Shape, inputs
from timing import call_us, captured, gpu_ms

import ramify as rf
from ramify import _runtime


def error(shape: Shape, out: torch.Tensor, x: tuple[torch.Tensor, ...]) -> float:
    """max |out - float64| over the first 128 queries of each sequence and the last 128."""
    length, scale = shape.length, shape.dim**-0.5
    rows = torch.cat([torch.arange(128), torch.arange(length - 128, length)]).to(out.device)
    q, k, v, w, i = (t.double() if t.is_floating_point() else t for t in x)
    args = (q[:, rows], k, v, w[:, rows], i[:, rows])
    ref = eager.hsa(*args, chunk_size=shape.chunk_size, scale=scale)
    return (out[:, rows].double() - ref).abs().max().item()


def row(shape: Shape, dtype: torch.dtype = torch.bfloat16) -> dict[str, object]:
    """Times in ms of one shape: ours and theirs, kernel only and called from Python."""
    x = inputs(shape, dtype, "cuda")
    sizes = {"chunk_size": shape.chunk_size, "scale": shape.dim**-0.5, "softmax_n": 0.0}

    def ours() -> torch.Tensor:
        return rf.ops.hsa(*x, **sizes)

    result: dict[str, object] = {"shape": str(shape)}
    result["error"] = error(shape, ours(), x)
    result["kernel"] = gpu_ms(captured(ours))
    result["call"] = gpu_ms(ours)
    result["TFLOP/s"] = shape.flops / float(result["kernel"]) * 1e-9  # type: ignore[arg-type]
    module = authors.load()
    if module is not None:
        result["authors' kernel"] = gpu_ms(captured(authors.kernel(module, *x, **sizes)))
        result["authors' call"] = gpu_ms(lambda: authors.call(module, *x, **sizes))
        kernel, call = result["kernel"], result["call"]
        result["kernel x"] = result["authors' kernel"] / kernel  # type: ignore[operator]
        result["call x"] = result["authors' call"] / call  # type: ignore[operator]
    return result


def launch() -> dict[str, object]:
    """Host time of a warm call that only launches, in us, and of a bare launch by the driver."""
    x = inputs(Shape(1, 16, 16, 1, 64, 64, 8), torch.bfloat16, "cuda")
    call = min(call_us(lambda: rf.ops.hsa(*x, chunk_size=64, scale=0.125)) for _ in range(5))
    bare = []
    for _ in range(5):
        bare.append(_runtime.measure_launch())
        torch.cuda.synchronize()
    empty = min(call_us(lambda: torch.empty_like(x[0])) for _ in range(5))
    return {
        "call us": call,
        "bare launch us": min(bare),
        "over it us": call - min(bare),
        "of that torch.empty us": empty,
    }


def rows() -> list[dict[str, object]]:
    return [row(shape) for shape in GPU]


def stages() -> list[dict[str, object]]:
    """Kernel times in ms with 1 to 4 stages of the rings in shared memory."""
    result: list[dict[str, object]] = []
    for shape in GPU[2:]:
        x = inputs(shape, torch.bfloat16, "cuda")
        times: dict[str, object] = {"shape": str(shape)}
        for count in range(1, 5):
            fn = rf.ops.hsa_kernel.options(stages=count)
            scale, chunk_size = shape.dim**-0.5, shape.chunk_size
            call = functools.partial(fn, *x, scale=scale, chunk_size=chunk_size)
            times[f"{count} stages" if count > 1 else "1 stage"] = gpu_ms(captured(call))
        result.append(times)
    return result
