# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Add up the JUnit files of lit, the GoogleTest programs and pytest.

Prints one line, ``N passed, N failed, N skipped``; the exit status is 1 if a test
failed or if none ran.
"""

import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

CTEST = "ctest-all"


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def is_skipped(case: ET.Element) -> bool:
    # GoogleTest marks skipped tests by an element, disabled ones by an attribute.
    return case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")


def count(file: Path, counts: Counts) -> int:
    """Add the tests of one file to `counts`; return how many of them failed."""
    failed_before = counts.failed
    for case in ET.parse(file).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failed += 1
        elif is_skipped(case):
            counts.skipped += 1
        else:
            counts.passed += 1
    return counts.failed - failed_before


def failed_programs(file: Path) -> list[str]:
    """Names of the ctest entries that failed, whether or not they left a file."""
    cases = ET.parse(file).getroot().iter("testcase")
    return [case.get("name", "") for case in cases if case.get("status") == "fail"]


def main() -> int:
    folder = Path(sys.argv[1])
    counts = Counts()
    failures = {
        file.stem: count(file, counts) for file in folder.glob("*.xml") if file.stem != CTEST
    }
    # A program that crashed before it wrote its file still counts as a failure.
    for name in failed_programs(folder / f"{CTEST}.xml"):
        if not failures.get(name):
            counts.failed += 1
    print(f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main())
