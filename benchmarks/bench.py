# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the benchmarks and prints their tables.

``python benchmarks/bench.py [cpu] [gpu] [training]`` runs the parts that are named.

The peers are read from the folder that RAMIFY_PEERS names; see ``benchmarks/peers``.
"""

from __future__ import annotations

import datetime
import platform
import sys

import torch

import ramify as rf


def table(rows: list[dict[str, object]]) -> str:
    """Rows with equal keys as a Markdown table."""
    names = list(rows[0])

    def text(value: object) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(text(r[n]) for n in names) + " |" for r in rows]
    return "\n".join(lines)


def machine() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    threads = torch.get_num_threads()
    return f"{platform.processor() or platform.machine()}, {threads} threads, {gpu}"


def main(parts: list[str]) -> None:
    """Run the parts that are named, or all that this machine can run."""
    import compile_time
    import cpu

    parts = parts or (["cpu", "gpu", "training"] if torch.cuda.is_available() else ["cpu"])
    print(f"ramify {rf.__version__}, torch {torch.__version__}, {machine()}, ", end="")
    print(f"{datetime.date.today()}, python benchmarks/bench.py {' '.join(parts)}\n")
    if "gpu" in parts:
        import gpu

        print(table(gpu.rows()), table([gpu.launch()]), sep="\n\n", end="\n\n")
        print(table(gpu.stages()), table([compile_time.row("cuda")]), sep="\n\n", end="\n\n")
    if "training" in parts:
        import training

        print(
            table(training.forward_rows()), table(training.backward_rows()), sep="\n\n", end="\n\n"
        )
        print(table(training.selection_rows()), table(training.memory_rows()), sep="\n\n")
    if "cpu" in parts:
        print(table(cpu.rows()), table([cpu.memory()]), sep="\n\n", end="\n\n")
        print(table(cpu.selections()), table([compile_time.row("cpu")]), sep="\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
