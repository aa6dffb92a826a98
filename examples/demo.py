# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the function of hsa.py, runs it, checks it against float64 and times it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from hsa import hsa

import ramify as rf
from ramify.reference import definitions

SHAPE = (B, L, HQ, H, D, S, K) = (1, 4096, 16, 1, 64, 64, 8)
BOLD, DIM, GREEN, CYAN, OFF = (
    ("\033[1m", "\033[2m", "\033[32m", "\033[36m", "\033[0m") if sys.stdout.isatty() else [""] * 5
)


def line(name: str, text: str, note: str = "") -> None:
    print(f"  {DIM}{name:<12}{OFF}{text}{f'  {DIM}{note}{OFF}' if note else ''}", flush=True)


def inputs() -> tuple[np.ndarray, ...]:
    """Random float32 queries, keys, values; each query picks among the chunks before it."""
    rng = np.random.default_rng(0)
    q = rng.standard_normal((B, L, HQ, D), dtype=np.float32)
    k, v = (rng.standard_normal((B, L, H, D), dtype=np.float32) for _ in "kv")
    ended = np.arange(L)[None, :, None, None] // S
    indices = (rng.random((B, L, H, K)) * ended).astype(np.int32)
    indices = np.where(np.arange(K) < ended, indices, -1).astype(np.int32)
    weights = rng.random((B, L, H, K), dtype=np.float32)
    return q, k, v, weights / weights.sum(-1, keepdims=True), indices


def timed(fn: Callable[[], object], repeats: int = 5) -> float:
    """The shortest of some calls, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        fn()
        times.append(time.perf_counter() - start)
    return min(times)


def numpy_float32(q, k, v, weights, indices):
    """Gather and einsum in NumPy, 256 queries at a time."""
    kc, vc = k[0, :, 0].reshape(-1, S, D), v[0, :, 0].reshape(-1, S, D)
    out = np.empty_like(q)
    for j in range(0, L, 256):
        picks = indices[0, j : j + 256, 0]
        s = np.einsum("lgd,lksd->lgks", q[0, j : j + 256] * D**-0.5, kc[picks], optimize=True)
        p = np.exp(s - s.max(-1, keepdims=True))
        w = np.where(picks >= 0, weights[0, j : j + 256, 0], 0)[:, None, :, None]
        p *= w / p.sum(-1, keepdims=True)
        out[0, j : j + 256] = np.einsum("lgks,lksd->lgd", p, vc[picks], optimize=True)
    return out


def bar(seconds: float, longest: float) -> str:
    return CYAN + "█" * max(1, round(40 * seconds / longest)) + OFF


def race(arrays: tuple[np.ndarray, ...]) -> None:
    """Times of all contenders that are there, fastest first."""
    times = {"ramify": timed(lambda: hsa(*arrays, scale=D**-0.5, chunk_size=S))}
    times["NumPy"] = timed(lambda: numpy_float32(*arrays), repeats=1)
    try:
        import torch

        sys.path.insert(0, str(__file__).rsplit("/", 2)[0] + "/benchmarks")
        from peers import eager
    except ImportError:
        pass
    else:
        tensors = [torch.from_numpy(x) for x in arrays]
        times["PyTorch"] = timed(
            lambda: eager.hsa(*tensors, chunk_size=S, scale=D**-0.5), repeats=2
        )
    longest, ours = max(times.values()), times["ramify"]
    for name, seconds in sorted(times.items(), key=lambda item: item[1]):
        note = f"{4 * L * K * HQ * D * S / seconds * 1e-9:.0f} GFLOP/s"
        if name != "ramify":
            note += f", {seconds / ours:.1f}x slower"
        line(name, f"{1e3 * seconds:8.1f} ms {bar(seconds, longest)}", note)


def gpu(arrays: tuple[np.ndarray, ...], expected: np.ndarray) -> None:
    """Run on a GPU as well, where torch finds one."""
    try:
        import torch
    except ImportError:
        line("GPU", "not tried: it needs PyTorch")
        return
    if not torch.cuda.is_available():
        line("GPU", "none found: skipped")
        return
    x = [torch.from_numpy(a).cuda() for a in arrays]
    out = hsa(*x, scale=D**-0.5, chunk_size=S)
    error = np.abs(out.cpu().numpy() - expected).max()
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    hsa(*x, scale=D**-0.5, chunk_size=S)
    stop.record()
    torch.cuda.synchronize()
    line("GPU", f"{start.elapsed_time(stop):8.3f} ms", f"{torch.cuda.get_device_name()}")
    line("", f"max error {error:.1e}")


def main() -> None:
    arrays = inputs()
    sizes = "(B, L, HQ, H, D, S, K) = " + str(SHAPE)
    print(
        f"\n{BOLD}Ramify {rf.__version__}{OFF}  hierarchical sparse attention, {sizes}, float32\n"
    )

    start = time.perf_counter()
    out = hsa(*arrays, scale=D**-0.5, chunk_size=S)
    first = time.perf_counter() - start
    before = hsa.compilations
    second = timed(lambda: hsa(*arrays, scale=D**-0.5, chunk_size=S), repeats=1)
    source = "compiled" if before else "read from the disk cache"
    line("first call", f"{1e3 * first:8.1f} ms", f"{source}, then run")
    hit = "kernel found in memory" if hsa.compilations == before else "compiled again!"
    line("second call", f"{1e3 * second:8.1f} ms", hit)

    expected = definitions.hsa(*arrays, chunk_size=S, scale=D**-0.5)
    error = np.abs(out - expected).max()
    verdict = f"{GREEN}right{OFF}" if error < 1e-5 else "WRONG"
    line("max error", f"{error:8.1e} against float64, {verdict}")
    print()
    race(arrays)
    print()
    for target in ("sm_80", "sm_90a"):
        ptx = hsa.ir("ptx", *arrays, scale=D**-0.5, chunk_size=S, target=target)
        line("PTX", f"{target:<7} {len(ptx) / 1024:6.1f} KiB", f"{ptx.count(chr(10))} lines")
    gpu(arrays, expected)
    print()
    if error >= 1e-5:
        raise SystemExit("the result is wrong")


if __name__ == "__main__":
    main()
