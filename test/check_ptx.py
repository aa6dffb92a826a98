# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assemble PTX with ptxas and insist that the code is as good as it was meant to be.

A file that targets sm_80 is assembled for sm_80 and sm_90a; one that targets sm_90a
(which no other architecture accepts) for sm_90a only. A warning, a spilled register
and a serialised wgmma each fail.
"""

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path


def find_ptxas() -> str | None:
    """The machine's ptxas, else the one of requirements/ptxas.txt, if there is one."""
    own = Path(sysconfig.get_path("purelib")) / "nvidia/cu13/bin/ptxas"
    return shutil.which("ptxas") or (str(own) if own.exists() else None)


def problems(report: str) -> list[str]:
    """Lines of ptxas's verbose report that say that something was lost.

    Stack use alone is none: an array that is indexed at run time may be wanted.
    """
    found = []
    for line in report.splitlines():
        spills = re.findall(r"(\d+) bytes spill", line)
        warning = re.search(r"\b(warning|error|fatal)\b", line, re.IGNORECASE)
        if warning or "serializ" in line.lower() or any(int(n) for n in spills):
            found.append(line.strip())
    return found


def assemble(ptxas: str, source: Path, arch: str) -> list[str]:
    """Assemble for one architecture; return what is wrong with the result."""
    with tempfile.TemporaryDirectory() as folder:
        command = [ptxas, "-v", f"-arch={arch}", "-o", str(Path(folder) / "out.cubin"), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    if done.returncode != 0:
        return [f"exit status {done.returncode}", *report.splitlines()]
    return problems(report)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ptxas", default=find_ptxas() or "ptxas")
    parser.add_argument("source", type=Path)
    options = parser.parse_args()
    target = re.search(r"^\s*\.target\s+(\w+)", options.source.read_text(), re.MULTILINE)
    if target is None:
        print(f"{options.source}: no .target directive", file=sys.stderr)
        return 1
    archs = ["sm_80", "sm_90a"] if target[1] == "sm_80" else [target[1]]
    failed = False
    for arch in archs:
        for problem in assemble(options.ptxas, options.source, arch):
            failed = True
            print(f"{options.source} for {arch}: {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
