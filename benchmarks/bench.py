# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the benchmarks and prints their tables.

``python benchmarks/bench.py [PART ...] [--json FILE] [--plots FOLDER]`` runs the parts that are
named, of cpu, gpu, training, variants and lengths; ``lengths`` is what plots show, on the GPU where
there is one.

The peers are read from the folder that RAMIFY_PEERS names; see ``benchmarks/peers``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import platform
from collections.abc import Callable, Iterator
from typing import Any

import torch

import ramify as rf

Rows = list[dict[str, object]]
Tables = Iterator[tuple[str, Rows]]


def table(rows: Rows) -> str:
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


def gpu_tables() -> Tables:
    import compile_time
    import decode
    import gpu

    yield "forward", gpu.rows()
    yield "launch", [gpu.launch()]
    yield "stages", gpu.stages()
    yield "decode", decode.rows("cuda")
    yield "compile time", compile_time.rows("cuda")


def training_tables() -> Tables:
    import training

    yield "schedules", training.forward_rows()
    yield "gradients", training.backward_rows()
    yield "selections", training.selection_rows()
    yield "memory", training.memory_rows()


def cpu_tables() -> Tables:
    import compile_time
    import cpu
    import decode

    yield "forward", cpu.rows()
    yield "memory", [cpu.memory()]
    yield "gradients", cpu.gradients()
    yield "selections", cpu.selections()
    yield "decode", decode.rows("cpu", decode.SHAPES[:2])
    yield "compile time", compile_time.rows("cpu")


def variant_tables() -> Tables:
    import variants

    yield "variants", variants.rows()


PARTS: dict[str, Callable[[], Tables]] = {
    "cpu": cpu_tables,
    "gpu": gpu_tables,
    "training": training_tables,
    "variants": variant_tables,
}


def measure(parts: list[str]) -> dict[str, Any]:
    """Run the parts and print their tables as they come."""
    results: dict[str, Any] = {"machine": machine(), "date": str(datetime.date.today())}
    results |= {"ramify": rf.__version__, "torch": torch.__version__}
    results |= {"tables": {}, "figures": {}}
    for part in parts:
        if part == "lengths":
            import lengths

            for name, figure in lengths.figures("cuda" if torch.cuda.is_available() else "cpu"):
                results["figures"][name] = figure
                print(name, table(figure["rows"]), sep="\n\n", end="\n\n")  # type: ignore[arg-type]
            continue
        for name, rows in PARTS[part]():
            results["tables"][f"{part}: {name}"] = rows
            print(table(rows), end="\n\n", flush=True)
    return results


def main() -> None:
    """Run the parts that are named, or all that this machine can run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"among {', '.join(PARTS)}, lengths")
    parser.add_argument("--json", type=pathlib.Path, help="write all that was measured there")
    parser.add_argument("--plots", type=pathlib.Path, help="draw times by length there")
    given = parser.parse_args()
    if not set(given.parts) <= {*PARTS, "lengths"}:
        parser.error(f"unknown parts: {' '.join(given.parts)}")
    every = [*PARTS, "lengths"] if torch.cuda.is_available() else ["cpu"]
    parts = given.parts or every
    print(f"ramify {rf.__version__}, torch {torch.__version__}, {machine()}, ", end="")
    print(f"{datetime.date.today()}, python benchmarks/bench.py {' '.join(parts)}\n")
    results = measure(parts)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    if given.plots:
        import plots

        for path in plots.draw_all(results, given.plots):
            print(path)


if __name__ == "__main__":
    main()
