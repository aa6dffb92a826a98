# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The disk cache that the process uses."""

from __future__ import annotations

import functools

from ._runtime import Cache
from .settings import settings

__all__ = ["disk_cache"]


@functools.cache
def _open(folder: str) -> Cache:
    return Cache(folder)


def disk_cache() -> Cache:
    """Return the cache in the folder that `settings.cache_dir` names now."""
    return _open(str(settings.cache_dir))
