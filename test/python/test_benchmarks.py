# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the benchmarks write is drawn; their programs measure what they say, at tiny sizes."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import numerics  # noqa: F401  # puts the benchmarks on the path
import pytest
import torch

import bench  # isort: skip
import cpu  # isort: skip
import decode  # isort: skip
import lengths  # isort: skip
import plots  # isort: skip
from shapes import Shape  # isort: skip

FOLDER = pathlib.Path(plots.__file__).parent
ROWS = [
    {"length": 512, "eager PyTorch": 8.0, "ramify": 1.0},
    {"length": 1024, "eager PyTorch": 20.0, "ramify": 2.5, "authors' Triton": 4.0},
    {"length": 2048, "eager PyTorch": None, "ramify": 4.0, "authors' Triton": 9.0},
]
RESULTS = {"tables": {}, "figures": {"forward-cuda": {"title": "forward", "rows": ROWS}}}


def test_series_of_a_figure() -> None:
    found = plots.series(ROWS)
    assert list(found) == ["ramify", "eager PyTorch", "authors' Triton"]
    assert found["ramify"] == ([512, 1024, 2048], [1.0, 2.5, 4.0])
    assert found["eager PyTorch"] == ([512, 1024], [8.0, 20.0])
    assert found["authors' Triton"] == ([1024, 2048], [4.0, 9.0])


def test_a_png_for_each_figure(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib: requirements/plots.txt")
    results, folder = tmp_path / "results.json", tmp_path / "plots"
    results.write_text(json.dumps(RESULTS))
    command = [sys.executable, str(FOLDER / "plots.py"), str(results), str(folder)]
    subprocess.run(command, check=True)
    (path,) = folder.iterdir()
    assert path.name == "forward-cuda.png"
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) > 5000


def test_figures_have_every_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lengths.LENGTHS, "cpu", (64, 128))
    monkeypatch.setitem(lengths.DIM, "cpu", 16)
    monkeypatch.setattr(lengths, "host_ms", lambda fn, **_: float(bool(fn() is not None)))
    found = dict(lengths.figures("cpu"))
    assert list(found) == ["forward-cpu", "backward-cpu", "selection-cpu"]
    for name, figure in found.items():
        rows: Any = figure["rows"]
        assert [row["length"] for row in rows] == [64, 128]
        peers = {"selection-cpu": 1}.get(name, 2)
        assert all(len(row) == 2 + peers and row["ramify"] == 1.0 for row in rows)


def test_results_are_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"shape": "1,2", "ms": 0.12345}]
    monkeypatch.setitem(bench.PARTS, "cpu", lambda: iter([("forward", rows)]))
    monkeypatch.setattr(sys, "argv", ["bench.py", "cpu", "--json", str(tmp_path / "out.json")])
    bench.main()
    assert "| 1,2 | 0.123 |" in capsys.readouterr().out
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["tables"] == {"cpu: forward": rows} and written["torch"] == torch.__version__


def test_gradients_are_measured_beside_eager_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def once(fn: Any, **_: Any) -> float:
        found.append(fn())
        return 1.0

    monkeypatch.setattr(cpu, "host_ms", once)
    row = cpu.gradient(Shape(1, 96, 4, 2, 32, 16, 3))
    assert row["x"] == 1.0 and len(found) == 2
    for one, other in zip(*found, strict=True):
        assert (one - other).abs().max() <= 1e-4 * other.abs().max()


def test_decoding_is_measured_in_one_launch_and_in_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []

    def once(fn: Any, **_: Any) -> float:
        found.append(fn())
        return 1.0

    monkeypatch.setattr(decode, "host_ms", once)
    (row,) = decode.rows("cpu", [decode.Decode(batch=2, keys=500 * 16, chunk_size=16, top_k=3)])
    assert [row[f"{name}: call"] for name in decode.CHOICES] == [1.0] * 3
    assert float(found[0].abs().max()) > 0.1 and 0 <= float(str(row["difference"])) <= 1e-5
    assert decode.SHAPES[0].keys == 65536 and [s.batch for s in decode.SHAPES[:2]] == [1, 16]
