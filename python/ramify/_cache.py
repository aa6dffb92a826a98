# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The disk cache that the process uses."""

from __future__ import annotations

import functools

from ramify._runtime import Cache

__all__ = ["disk_cache"]


@functools.cache
def _open(folder: str) -> Cache:
    return Cache(folder)


def disk_cache() -> Cache:
    """Return the cache in `RAMIFY_CACHE_DIR`, else in the user's cache folder.

    The variable is read at each call, so that a test or a notebook may change it.
    """
    return _open(Cache.default_folder())
