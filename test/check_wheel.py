# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check a built wheel: small, self-contained, and loadable by the Python that runs this.

Needs neither LLVM nor NumPy: the extension modules are loaded on their own.
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MOST_BYTES = 30 << 20
SYSTEM_LIBRARIES = re.compile(r"linux-vdso|lib(c|m|dl|rt|pthread|gcc_s)\.so|ld-linux")


def load(module: Path) -> None:
    name = "ramify." + module.name.split(".")[0]
    spec = importlib.util.spec_from_file_location(name, module)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def problems(wheel: Path, folder: Path) -> list[str]:
    """What is wrong with the wheel, unpacked into `folder`."""
    found = []
    if wheel.stat().st_size > MOST_BYTES:
        found.append(f"{wheel.stat().st_size} bytes, more than {MOST_BYTES}")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    modules = sorted(folder.glob("ramify/*.so"))
    names = {module.name.split(".")[0] for module in modules}
    if names != {"_compiler", "_runtime"}:
        found.append(f"its modules are {sorted(names)}")
    for module in modules:
        libraries = subprocess.run(["ldd", module], capture_output=True, text=True, check=True)
        for line in libraries.stdout.splitlines():
            if not SYSTEM_LIBRARIES.search(line):
                found.append(f"{module.name} needs {line.strip()}")
        load(module)
    return found


def main() -> int:
    wheel = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        found = problems(wheel, Path(folder))
    for problem in found:
        print(f"{wheel}: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
