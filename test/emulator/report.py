# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong in a run: what stops it, and what is noted while it goes on."""

from __future__ import annotations

import collections


class FaultError(Exception):
    """What hardware would not do, or not do reliably."""


class UnsupportedError(Exception):
    """What the emulator cannot do."""


class Report(collections.Counter[str]):
    """How often each kind of race or doubtful access was met, by place in the code."""

    def note(self, kind: str, where: str, count: int = 1) -> None:
        self[f"{kind}: {where}"] += int(count)
