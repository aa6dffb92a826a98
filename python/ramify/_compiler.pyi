# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Types of the compiled module `ramify._compiler`; its docstrings say more."""

from collections.abc import Mapping

def compile(text: str, options: Mapping[str, str | int | bool]) -> bytes: ...
def lower(text: str, level: str, options: Mapping[str, str | int | bool]) -> str: ...
