# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check a built wheel: small, self-contained, and loadable by the Python that runs this.

Needs neither LLVM nor NumPy: the extension modules are loaded on their own. Where this Python has
PyTorch or Triton, which bring LLVM or much else of C++ along, the wheel also has to compile and run
beside them, whoever is imported first.
"""

import importlib.util
import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 30 << 20
SYSTEM_LIBRARIES = re.compile(r"linux-vdso|lib(c|m|dl|rt|pthread|gcc_s)\.so|ld-linux")

DYNAMIC_SYMBOLS = 11
"""The type of the section of an ELF file that lists what it exports and imports."""

NEIGHBOURS = {"torch": "torch", "triton": "triton._C.libtriton"}
"""What may live in one process with the wheel, and the part of it that has native code."""

BESIDE = """
import {first}, {second}
import numpy as np
import ramify, ramify._compiler
x = np.ones((1, 16, 1, 16), np.float32)
out, _ = ramify.ops.sliding_window(x, x, x, window=16, chunk_size=16)
assert np.allclose(out, x), out
assert ramify.ops.sliding_window_kernel.compilations == 1
"""


def load(module: Path) -> None:
    name = "ramify." + module.name.split(".")[0]
    spec = importlib.util.spec_from_file_location(name, module)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def exported(module: Path) -> Iterator[str]:
    """Names that a 64-bit ELF file gives to whoever is loaded after it."""
    data = module.read_bytes()
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    for _, kind, _, _, offset, length, link, *_ in headers:
        if kind != DYNAMIC_SYMBOLS:
            continue
        names = headers[link][4]
        for name, _, _, section, _, _ in struct.iter_unpack(
            "<IBBHQQ", data[offset : offset + length]
        ):
            if section and name:
                yield data[names + name : data.index(b"\0", names + name)].decode()


def problems_beside(neighbour: str, folder: Path) -> list[str]:
    """What goes wrong where the neighbour is imported before or after the wheel."""
    found = []
    for first, second in ((neighbour, "ramify._compiler"), ("ramify._compiler", neighbour)):
        program = BESIDE.format(first=first, second=second)
        cache = folder / f"cache_{first}"  # a new one, so that something is compiled
        run = subprocess.run(
            [sys.executable, "-P", "-c", program],
            env={**os.environ, "PYTHONPATH": str(folder), "RAMIFY_CACHE_DIR": str(cache)},
            capture_output=True,
            text=True,
        )
        if run.returncode:
            found.append(f"{first}, then {second}: status {run.returncode}\n{run.stderr}")
    return found


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
        others = sorted(set(exported(module)) ^ {"PyInit_" + module.name.split(".")[0]})
        if others:
            found.append(f"{module.name} exports other names than its entry: {others[:5]}")
        load(module)
    for neighbour, native in NEIGHBOURS.items():
        if importlib.util.find_spec("numpy") and importlib.util.find_spec(neighbour):
            found += problems_beside(native, folder)
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
