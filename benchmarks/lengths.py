# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times by length, for ours and each peer: what the plots show.

A figure is a list of rows; a row has the length and the time in ms of each that was measured.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import torch
from peers import authors, eager
from shapes import Shape, inputs
from timing import captured, gpu_ms, host_ms

import ramify as rf

Row = dict[str, float | None]
Figure = dict[str, object]
LENGTHS = {"cpu": (512, 1024, 2048, 4096), "cuda": (1024, 4096, 16384, 65536)}
DIM = {"cpu": 64, "cuda": 1024}
"""Of landmarks."""


def _shape(length: int) -> Shape:
    return Shape(1, length, 16, 1, 64, 64, 8)


def _time(device: str, fn: Callable[[], object], *, graph: bool = True) -> float:
    """Median ms; on a GPU of the kernels alone, or from Python where no graph can hold the call."""
    if device == "cpu":
        return host_ms(fn, seconds=0.5, at_least=3)
    return gpu_ms(captured(fn) if graph else fn, repeats=30)


def _sizes(shape: Shape) -> dict[str, float | int]:
    return {"chunk_size": shape.chunk_size, "scale": shape.dim**-0.5, "softmax_n": 0.0}


def _inputs(shape: Shape, device: str) -> tuple[torch.Tensor, ...]:
    return inputs(shape, torch.float32 if device == "cpu" else torch.bfloat16, device)


def dense(x: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Causal attention to all keys, by PyTorch's fastest kernel for it."""
    q, k, v = (t.transpose(1, 2) for t in x[:3])
    attend = torch.nn.functional.scaled_dot_product_attention
    return attend(q, k, v, is_causal=True, enable_gqa=True)


def forward(device: str, length: int) -> Row:
    shape = _shape(length)
    x, sizes = _inputs(shape, device), _sizes(shape)
    row: Row = {"length": length}
    row["ramify"] = _time(device, lambda: rf.ops.hsa(*x, **sizes))
    module = authors.load() if device == "cuda" else None
    if module is not None:
        row["authors' Triton"] = _time(device, authors.kernel(module, *x, **sizes))
    if device == "cpu":
        row["eager PyTorch"] = _time(device, lambda: eager.hsa(*x, **sizes))
    row["dense causal"] = _time(device, lambda: dense(x))
    return row


def _backward(
    call: Callable[..., torch.Tensor], x: tuple[torch.Tensor, ...]
) -> Callable[[], object]:
    """Only the backward pass of a call, through autograd, by all of its float tensors."""
    leaves = [t.detach().clone().requires_grad_() for t in x if t.is_floating_point()]
    out = call(*leaves, *(t for t in x if not t.is_floating_point()))
    d_out = torch.randn_like(out)
    return lambda: torch.autograd.grad(out, leaves, d_out, retain_graph=True)


def backward(device: str, length: int) -> Row:
    shape = _shape(length)
    x, sizes = _inputs(shape, device), _sizes(shape)
    time = functools.partial(_time, device, graph=False)
    row: Row = {"length": length}
    row["ramify"] = time(_backward(functools.partial(rf.ops.hsa, **sizes), x))
    module = authors.load() if device == "cuda" else None
    if module is not None:
        scale, size = shape.dim**-0.5, shape.chunk_size
        row["authors' Triton"] = time(_backward(lambda *t: module.HSA(*t, 0.0, size, scale), x))
    if device == "cpu":
        row["eager PyTorch"] = time(_backward(functools.partial(eager.hsa, **sizes), x))
    row["dense causal"] = time(_backward(lambda *t: dense(t), x[:3]))
    return row


def selection(device: str, length: int) -> Row:
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    r = torch.randn(1, length, 1, DIM[device], device=device, dtype=dtype)
    landmarks = torch.randn(1, length // 64, 1, DIM[device], device=device, dtype=dtype)
    row: Row = {"length": length}
    for name, select in (("ramify", rf.ops.select), ("eager PyTorch", eager.select)):
        call = functools.partial(select, r, landmarks, chunk_size=64, top_k=8)
        row[name] = _time(device, call, graph=name == "ramify")
    return row


MEASURED = {"forward": forward, "backward": backward, "selection": selection}
TITLES = {
    "forward": "forward, B, HQ, H, D, S, K = 1, 16, 1, 64, 64, 8",
    "backward": "backward, all gradients, B, HQ, H, D, S, K = 1, 16, 1, 64, 64, 8",
    "selection": "selection of 8 chunks of 64 keys",
}


def figures(device: str) -> Iterator[tuple[str, Figure]]:
    """Each figure's name and what it shows."""
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()}"
    where += "" if device == "cuda" else " threads, float32"
    for name, measure in MEASURED.items():
        rows = [measure(device, length) for length in LENGTHS[device]]
        yield f"{name}-{device}", {"title": f"{TITLES[name]}\n{where}", "rows": rows}
