# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ready-made variants on one GPU: forward, all gradients, and the memory of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from timing import captured, gpu_ms

import ramify as rf

HEADS, DIM, CHUNK, SLOTS, WINDOW = 16, 64, 64, 8, 512
"""Query heads, which share one key head; dims of queries, keys, values and landmarks; keys of a
chunk; picks of a query; keys of a window."""


@dataclass(frozen=True)
class Variant:
    """A function of `ramify.ops`, the arrays that it takes, and its other arguments."""

    name: str
    function: rf.JitFunction
    arrays: tuple[str, ...]
    given: dict[str, Any]
    without: tuple[str, ...] = ()
    """Float arrays that have no gradient."""


ATTEND = {"scale": DIM**-0.5, "chunk_size": CHUNK}
SELECT = {"top_k": SLOTS, "size": CHUNK}
QKV = ("q", "k", "v")
VARIANTS = [
    Variant("hsa", rf.ops.hsa_kernel, (*QKV, "weights", "indices"), ATTEND | {"softmax_n": 0.0}),
    Variant(
        "sliding_hsa",
        rf.ops.sliding_hsa_kernel,
        (*QKV, "weights", "indices"),
        ATTEND | {"window": WINDOW},
    ),
    Variant(
        "gca",
        rf.ops.gca_kernel,
        (*QKV, "r", "landmarks"),
        ATTEND | SELECT | {"scale_r": DIM**-0.5, "q_block": CHUNK},
    ),
    Variant(
        "moba",
        rf.ops.moba_kernel,
        (*QKV, "means"),
        ATTEND | {"top_k": SLOTS},
        without=("means",),
    ),
    Variant(
        "hils",
        rf.ops.hils_kernel,
        (*QKV, "landmarks of heads", "bias"),
        ATTEND | SELECT | {"window": WINDOW},
    ),
    Variant(
        "sliding_window", rf.ops.sliding_window_kernel, QKV, ATTEND | {"window": WINDOW, "sink": 4}
    ),
    Variant(
        "sliding_window, random chunks",
        rf.ops.listed_window_kernel,
        (*QKV, "indices"),
        ATTEND | {"window": WINDOW, "sink": 4},
    ),
    Variant(
        "select",
        rf.ops.select_kernel,
        ("r of one", "landmarks"),
        SELECT | {"scale": DIM**-0.5, "chunk_size": CHUNK},
    ),
]


def _array(name: str, length: int) -> torch.Tensor:
    """One array of a variant, ~ N(0, 1); picks are uniform over the chunks that ended before."""
    chunks = length // CHUNK
    sizes = {
        "q": (1, length, HEADS, DIM),
        "k": (1, length, 1, DIM),
        "v": (1, length, 1, DIM),
        "r": (1, chunks, HEADS, DIM),
        "r of one": (1, length, 1, DIM),
        "landmarks": (1, chunks, 1, DIM),
        "landmarks of heads": (1, chunks, HEADS, DIM),
        "means": (1, chunks, 1, DIM),
    }
    if name in sizes:
        return torch.randn(sizes[name], device="cuda").bfloat16()
    if name == "bias":
        return torch.randn(chunks, HEADS, device="cuda")
    if name == "weights":
        return torch.rand(1, length, 1, SLOTS, device="cuda").softmax(-1)
    ended = (torch.arange(length, device="cuda") // CHUNK).clamp(1, chunks)
    picks: torch.Tensor = torch.rand(1, length, 1, SLOTS, device="cuda") * ended[:, None, None]
    return picks.int()


def _peak_mib(fn: Callable[[], object]) -> float:
    """Peak memory of a call, its results included, in MiB."""
    fn()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    fn()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def row(variant: Variant, length: int) -> dict[str, object]:
    """Times in ms, kernels only; the peak of the gradients beside their own size, in MiB."""
    torch.manual_seed(0)
    call = {name.split(" of ")[0]: _array(name, length) for name in variant.arrays}
    call |= variant.given
    wrt = [n for n, x in call.items() if torch.is_tensor(x) and x.is_floating_point()]
    derivative = variant.function.derivative(tuple(n for n in wrt if n not in variant.without))
    out, saved = derivative.forward(**call)

    def cotangent(x: torch.Tensor) -> torch.Tensor | None:
        return torch.randn_like(x) if x.is_floating_point() else None

    d_out = tuple(map(cotangent, out)) if isinstance(out, tuple) else cotangent(out)

    def backward() -> object:
        return derivative.backward(saved, d_out, **call)

    result: dict[str, object] = {"variant": variant.name, "length": length}
    result["forward"] = gpu_ms(captured(lambda: variant.function(**call)), repeats=20)
    result["gradients"] = gpu_ms(captured(backward), repeats=20)
    gradients = derivative.backward(saved, d_out, **call)
    result["gradients MiB"] = sum(g.nbytes for g in gradients if g is not None) / 2**20
    del gradients
    result["peak MiB"] = _peak_mib(backward)
    return result


def rows(lengths: tuple[int, ...] = (16384, 65536)) -> list[dict[str, object]]:
    return [row(variant, length) for variant in VARIANTS for length in lengths]
