# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The scripts that judge other tests: what they must not overlook."""

import subprocess
import sys
from pathlib import Path

import check_ptx
import pytest

TOOLS = Path(check_ptx.__file__).parent

LOSSES = {
    "spill": "    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads",
    "serialised": "info    : (C7514) Potential Performance Loss: wgmma.mma_async instructions are "
    "serialized due to insufficient register resources for the wgmma pipeline",
    "warning": "ptxas warning : Value of threads per SM for entry f is out of range",
}


@pytest.mark.parametrize("loss", LOSSES)
def test_ptxas_report_of_a_loss_is_a_problem(loss: str) -> None:
    assert check_ptx.problems(f"ptxas info : header\n{LOSSES[loss]}\n") == [LOSSES[loss].strip()]


def test_ptxas_report_without_losses_is_clean() -> None:
    report = (
        "ptxas info    : Function properties for f\n"
        "    16 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 32 registers, used 1 barriers, 400 bytes cmem[0]\n"
    )
    assert check_ptx.problems(report) == []


def summary(folder: Path, files: dict[str, str]) -> tuple[str, int]:
    """The last line and the exit status of the summary of some JUnit files."""
    for name, cases in files.items():
        (folder / f"{name}.xml").write_text(
            f"<testsuites><testsuite>{cases}</testsuite></testsuites>"
        )
    command = [sys.executable, str(TOOLS / "summary.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[-1], done.returncode


def test_summary_adds_the_runners_up(tmp_path: Path) -> None:
    files = {
        "lit": '<testcase name="a"/><testcase name="b"><skipped/></testcase>',
        "gtest.X": '<testcase name="c" status="run"/><testcase name="d" status="notrun"/>',
        "ctest-all": '<testcase name="lit" status="run"/><testcase name="gtest.X" status="run"/>',
    }
    assert summary(tmp_path, files) == ("2 passed, 0 failed, 2 skipped", 0)


def test_summary_counts_a_failure(tmp_path: Path) -> None:
    files = {
        "pytest": '<testcase name="a"/><testcase name="b"><error/></testcase>',
        "ctest-all": '<testcase name="pytest" status="fail"/>',
    }
    assert summary(tmp_path, files) == ("1 passed, 1 failed, 0 skipped", 1)


def test_summary_counts_a_program_that_crashed(tmp_path: Path) -> None:
    files = {
        "lit": '<testcase name="a"/>',
        "ctest-all": '<testcase name="lit" status="run"/><testcase name="gtest.X" status="fail"/>',
    }
    assert summary(tmp_path, files) == ("1 passed, 1 failed, 0 skipped", 1)


def test_summary_of_no_test_is_a_failure(tmp_path: Path) -> None:
    assert summary(tmp_path, {"ctest-all": ""}) == ("0 passed, 0 failed, 0 skipped", 1)
