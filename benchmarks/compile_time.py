# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time to the first result of a fresh process: cold, and with the disk cache warm."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile

_CHILD = """
import json, sys, time
import torch
import ramify as rf
device = sys.argv[1]
x = torch.randn(1, 64, 16, 64, device=device)
k = torch.randn(1, 256, 1, 64, device=device)
w = torch.rand(1, 64, 1, 2, device=device)
i = torch.zeros(1, 64, 1, 2, dtype=torch.int32, device=device)
if device == "cuda":
    torch.cuda.synchronize()
start = time.perf_counter()
rf.ops.hsa(x, k, k, w, i, chunk_size=64)
first = time.perf_counter() - start
if device == "cuda":
    torch.cuda.synchronize()
print(json.dumps(1e3 * first))
"""


def _child(device: str, folder: str) -> float:
    env = {**os.environ, "RAMIFY_CACHE_DIR": folder}
    command = [sys.executable, "-c", _CHILD, device]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def row(device: str) -> dict[str, object]:
    """Medians of the first call's time in ms: compiled from Python, and read from the disk."""
    cold = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_child(device, folder))
            disk = [_child(device, folder) for _ in range(5)]
    return {
        "device": device,
        "cold ms": statistics.median(cold),
        "disk ms": statistics.median(disk),
    }
