# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs in README.md are tests: they run as they are printed there."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ramify as rf

README = Path(__file__).resolve().parents[2] / "README.md"
INTRODUCTION, VARIANT, SELECTION, SEEING, SHARING = re.findall(
    r"```python\n(.*?)```", README.read_text(), re.DOTALL
)

ARRAYS = """import numpy as np
rng = np.random.default_rng(0)
q = rng.standard_normal((1, 256, 16, 64), dtype=np.float32)
k, v = rng.standard_normal((2, 1, 256, 1, 64), dtype=np.float32)
weights = rng.random((1, 256, 1, 2), dtype=np.float32)
indices = rng.integers(-1, 4, (1, 256, 1, 2), dtype=np.int32)
"""


def run(folder: Path, program: str) -> dict[str, object]:
    """Execute a program from a file, where the compiler finds its source."""
    file = folder / "program.py"
    file.write_text(program)
    return runpy.run_path(str(file))


def test_introduction_is_the_ready_made_function(tmp_path: Path) -> None:
    names = run(tmp_path, ARRAYS + INTRODUCTION)
    arrays = [names[name] for name in ("q", "k", "v", "weights", "indices")]
    np.testing.assert_array_equal(names["o"], rf.ops.hsa(*arrays, chunk_size=64, scale=0.125))


def test_first_variant_agrees_with_its_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, VARIANT)
    assert float(capsys.readouterr().out) < 1e-5


def test_selection_agrees_with_its_reference(tmp_path: Path) -> None:
    names: dict[str, Any] = run(tmp_path, VARIANT + SELECTION)
    arguments = {"chunk_size": 64, "scale": 0.125, "top_k": 4}
    weights, indices = names["select"].reference(names["q"], names["landmarks"], **arguments)
    np.testing.assert_array_equal(names["indices"], indices)
    np.testing.assert_allclose(names["weights"], weights, atol=2e-6)
    ready = rf.ops.select(names["q"], names["landmarks"], chunk_size=64, top_k=4, scale=0.125)
    np.testing.assert_array_equal(ready[0], names["weights"])


def test_a_shared_selection(tmp_path: Path) -> None:
    names = run(tmp_path, "import ramify as rf\n" + ARRAYS + SHARING)
    arrays = [names[name] for name in ("q", "k", "v", "weights", "indices")]
    np.testing.assert_array_equal(names["o"], rf.ops.hsa(*arrays, chunk_size=64))


def test_programs_can_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, VARIANT + SEEING)
    shown = capsys.readouterr().out
    assert "query_major" in shown and "hsa.program @recent" in shown
