# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""List, show and clear the kernels kept on the disk: `python -m ramify.cache`.

The folder is `RAMIFY_CACHE_DIR`, else `ramify` in `XDG_CACHE_HOME` or `~/.cache`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

from ._cache import disk_cache
from ._runtime import Cache, Plan
from .errors import CacheError, CompileError, Error


def _list(cache: Cache) -> None:
    entries = sorted(cache.list(), key=lambda entry: entry["modified"])
    for entry in entries:
        when = datetime.fromtimestamp(entry["modified"]).strftime("%Y-%m-%d %H:%M")
        what = f"damaged: {entry['damage']}" if entry["damage"] else entry["description"]
        print(f"{entry['name'][:12]}  {when}  {entry['bytes'] / 1024:8.1f} KiB  {what}")
    total = sum(entry["bytes"] for entry in entries)
    print(f"{len(entries)} kernels, {total / 2**20:.1f} MiB in {cache.path}")


def _show(cache: Cache, name: str) -> None:
    entry = cache.read(name)
    if entry is None:
        raise CacheError(f"no whole entry, or more than one, has a name that begins with '{name}'")
    print(f"description  {entry['description']}")
    print(f"key          {len(entry['key'])} bytes")
    try:
        print(Plan.parse(entry["payload"]).text, end="")
    except CompileError:
        print(f"payload      {len(entry['payload'])} bytes")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ramify.cache", description="The kernels that Ramify keeps on the disk."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="one line for each kernel")
    show = verbs.add_parser("show", help="what one kernel's plan does")
    show.add_argument("name", help="the beginning of its name, as `list` prints it")
    verbs.add_parser("clear", help="remove all kernels")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        cache = disk_cache()
        if cache.problem:
            raise CacheError(cache.problem)
        if options.verb == "list":
            _list(cache)
        elif options.verb == "show":
            _show(cache, options.name)
        else:
            print(f"removed {cache.clear()} kernels from {cache.path}")
    except Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
