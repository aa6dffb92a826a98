# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws what ``bench.py --json FILE`` measured by length, a PNG for each figure.

``python benchmarks/plots.py FILE FOLDER``; it needs matplotlib, see requirements/plots.txt.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

OURS = "ramify"


def series(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """Lengths and times of each that was measured, ours first, without lengths that it lacks."""
    names = dict.fromkeys(name for row in rows for name in row if name != "length")
    ordered = sorted(names, key=lambda name: name != OURS)
    found = {}
    for name in ordered:
        there = [row for row in rows if row.get(name) is not None]
        if there:
            found[name] = [row["length"] for row in there], [row[name] for row in there]
    return found


def draw(figure: Mapping[str, Any], path: pathlib.Path) -> None:
    """One figure: time against length, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")  # no screen is needed
    from matplotlib import pyplot

    canvas, axes = pyplot.subplots(figsize=(6.4, 4.2), dpi=120)
    for name, (lengths, times) in series(figure["rows"]).items():
        width = 2.2 if name == OURS else 1.2
        axes.plot(lengths, times, marker="o", linewidth=width, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("length")
    axes.set_ylabel("ms")
    axes.set_title(figure["title"], fontsize=9)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    canvas.tight_layout()
    canvas.savefig(path, metadata={"Software": None})
    pyplot.close(canvas)


def draw_all(results: Mapping[str, Any], folder: pathlib.Path) -> list[pathlib.Path]:
    """The figures of a benchmark's results; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in results.get("figures", {}).items():
        paths.append(folder / f"{name}.png")
        draw(figure, paths[-1])
    return paths


if __name__ == "__main__":
    for written in draw_all(
        json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    ):
        print(written)
