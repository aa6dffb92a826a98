# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time to the first result of a fresh process: cold, and with the disk cache warm.

Imports are not counted; loading the compiler's library is.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile

_INPUTS = """
import json, subprocess, sys, tempfile, time
import torch
import ramify as rf
device = sys.argv[1]
where = "cuda" if device == "cuda" else "cpu"
dtype = torch.float32 if device == "cpu" else torch.bfloat16
q = torch.randn(1, 64, 16, 64, device=where, dtype=dtype)
k = torch.randn(1, 256, 1, 64, device=where, dtype=dtype)
w = torch.rand(1, 64, 1, 2, device=where)
i = torch.zeros(1, 64, 1, 2, dtype=torch.int32, device=where)
sizes = {"chunk_size": 64, "scale": 0.125}
if where == "cuda":
    torch.cuda.synchronize()
start = time.perf_counter()
"""
_END = """
print(json.dumps(1e3 * (time.perf_counter() - start)))
"""
_CHILDREN = {
    "forward": "rf.ops.hsa(q, k, k, w, i, **sizes)",
    "forward and backward": """
derivative = rf.ops.hsa_kernel.derivative(("q", "k", "v", "weights"))
out, saved = derivative.forward(q, k, k, w, i, **sizes)
derivative.backward(saved, out, q, k, k, w, i, **sizes)
""",
    # Without a GPU: the same two plans for one, and ptxas, which the driver has inside.
    "forward and backward, ptxas": """
from ramify import _compiler
with tempfile.TemporaryDirectory() as folder:
    for mode in ("forward", "backward"):
        text = rf.ops.hsa_kernel.ir(mode, q, k, k, w, i, **sizes, target=device)
        path = f"{folder}/{mode}.ptx"
        open(path, "w").write(_compiler.lower(text, "ptx", {"target": device}))
        command = [sys.argv[2], f"-arch={device}", "-o", f"{path}.cubin", path]
        subprocess.run(command, check=True)
""",
}


def _child(what: str, device: str, folder: str, *more: str) -> float:
    env = {**os.environ, "RAMIFY_CACHE_DIR": folder}
    command = [sys.executable, "-c", _INPUTS + _CHILDREN[what] + _END, device, *more]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def row(what: str, device: str, *more: str, repeats: int = 5) -> dict[str, object]:
    """Medians of the time in ms: compiled from Python, and read from the disk."""
    cold: list[float] = []
    disk: list[float] = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_child(what, device, folder, *more))
            if not more:
                disk.append(_child(what, device, folder))
    return {
        "plans": what,
        "device": device,
        "cold ms": statistics.median(cold),
        "disk ms": statistics.median(disk) if disk else "",
    }


def rows(device: str) -> list[dict[str, object]]:
    """The plans of hsa, forward alone and with its gradients."""
    found = [row(what, device) for what in ("forward", "forward and backward")]
    ptxas = find_ptxas()
    if device == "cpu" and ptxas:
        found.append(row("forward and backward, ptxas", "sm_90a", ptxas))
    return found


def find_ptxas() -> str | None:
    """The machine's ptxas, else the one of requirements/ptxas.txt, if there is one."""
    own = pathlib.Path(sysconfig.get_path("purelib")) / "nvidia/cu13/bin/ptxas"
    return shutil.which("ptxas") or (str(own) if own.exists() else None)


if __name__ == "__main__":
    for line in rows(sys.argv[1] if len(sys.argv) > 1 else "cpu"):
        print(line)
