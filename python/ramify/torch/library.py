# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch's library `ramify`, in which operators are defined."""

from __future__ import annotations

from typing import Any

import torch

LIBRARY = torch.library.Library("ramify", "FRAGMENT")
DEVICES = ("CPU", "CUDA")

_taken: set[str] = set()


def free_name(name: str) -> str:
    """A name that no operator has yet: the function's own, or with a number."""
    choice, number = name, 1
    while choice in _taken:
        number += 1
        choice = f"{name}_{number}"
    _taken.add(choice)
    return choice


def define(name: str, schema: str) -> Any:
    """Define an operator of the library."""
    LIBRARY.define(name + schema, tags=(torch.Tag.pt2_compliant_tag,))
    return getattr(torch.ops.ramify, name).default
