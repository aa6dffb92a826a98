# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every setting of Ramify: its environment variable, its type, its default.

Settings are read when they are used, so a change of the environment counts from then on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .errors import ArgumentError, mismatch


class Settings:
    """The settings, as attributes; see `settings`."""

    @property
    def cache_dir(self) -> Path:
        """Folder of compiled kernels: `RAMIFY_CACHE_DIR`, else `ramify` in the user's cache."""
        own = os.environ.get("RAMIFY_CACHE_DIR")
        if own:
            return Path(own)
        user = os.environ.get("XDG_CACHE_HOME")
        return (Path(user) if user else Path.home() / ".cache") / "ramify"

    @property
    def num_threads(self) -> int:
        """Threads of a kernel on the CPU.

        `RAMIFY_NUM_THREADS`, else torch's number where torch is imported, else the cores that the
        process may use.
        """
        own = os.environ.get("RAMIFY_NUM_THREADS")
        if own:
            if not own.isdecimal() or int(own) < 1:
                raise ArgumentError(mismatch("RAMIFY_NUM_THREADS", "a number >= 1", repr(own)))
            return int(own)
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "get_num_threads"):
            return int(torch.get_num_threads())
        return len(os.sched_getaffinity(0))


settings = Settings()
"""The settings of this process."""
