# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the ```mlir blocks of a Markdown file, so that a test can run them.

usage: mlir_blocks.py FILE.md | ramify-opt -split-input-file
       mlir_blocks.py FILE.md KERNEL | ramify-opt       (the block with that kernel)
"""

import re
import sys
from pathlib import Path


def main() -> None:
    """Print the blocks of the file on the command line, divided as MLIR's tools divide them."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    blocks = re.findall(r"^```mlir\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if len(sys.argv) > 2:
        blocks = [block for block in blocks if f"tile.kernel @{sys.argv[2]}(" in block]
    if not blocks:
        sys.exit(f"{' '.join(sys.argv[1:])}: there is no such mlir block")
    print("// -----\n".join(blocks))


if __name__ == "__main__":
    main()
