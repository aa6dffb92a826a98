# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Medians of times, on the host's clock and on the GPU's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def host_ms(fn: Callable[[], object], *, seconds: float = 1.0, at_least: int = 5) -> float:
    """Median wall time of a call in ms, after one call to warm up."""
    fn()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < at_least or time.perf_counter() < end:
        start = time.perf_counter()
        fn()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def gpu_ms(fn: Callable[[], object], *, repeats: int = 60) -> float:
    """Median time of a call between two events in ms, launch gaps included."""
    for _ in range(5):
        fn()
    events = [
        (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))
        for _ in range(repeats)
    ]
    for start, stop in events:
        start.record()
        fn()
        stop.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(stop) for start, stop in events)


def captured(fn: Callable[[], object]) -> Callable[[], object]:
    """A function that replays the CUDA graph of a call: its kernels and nothing else."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            fn()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        fn()
    return graph.replay


def call_us(fn: Callable[[], object], *, calls: int = 2000) -> float:
    """Host time of a call that only enqueues work, in us; the GPU is idle before and after."""
    for _ in range(20):
        fn()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        fn()
    spent = time.perf_counter() - start
    torch.cuda.synchronize()
    return 1e6 * spent / calls
