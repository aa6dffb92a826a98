# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From the dispatcher's request to a plan: front end, caches, compiler.

A kernel's key is the front end's text without locations, the target with its features, the
options and the compiler's build. A plan is looked for in this process, then on the disk; only
then does the compiler run. Kernels for the CPU are linked into the process by LLVM, wherever they
come from.
"""

from __future__ import annotations

import functools
import os
import pathlib
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from . import _runtime
from ._cache import disk_cache
from .call import (
    block_key,
    is_aligned,
    may_round,
    query_dtypes,
    schedule_conditions,
    specialise,
)
from .errors import ArgumentError, UnsupportedError
from .frontend import Lowered, Signature, captured, lower
from .schedules import FORWARD_ONLY, LAUNCHES, SCHEDULES, choose, situation_of, wants_one_launch
from .selection import shared_names


@dataclass(frozen=True)
class Options:
    """What a user may choose about compilation; see `JitFunction.options`.

    Parameters
    ----------
    schedule : str
        How the work is cut into programs. "auto": as `ramify.schedules.choose` says, as always
        for gradients of a function by one of `ramify.schedules.FORWARD_ONLY`.
        "query_major": one program per query block, which gathers its chunks. "chunk_major": one
        program for some of the queries that selected one chunk, or see it in a window, whose keys
        are read once; needs selected chunks or gradients of those of a window, and a workspace of
        at most 256 MiB. It indexes a selection, or gets a `ramify.Selection`. "split_kv": several
        programs per query block, each with a slice of its chunks, and a second launch that puts
        the slices together; for few queries with many chunks, as in decoding. "inverse_index":
        only the lists of those queries, as the results.
    launches : str
        How a function that selects and then attends is launched. "several": one launch for each
        step, each by a schedule of its own. "one": each program makes all steps for its query
        block, where they can be made so; `explain` tells where they cannot, and why. "auto": as
        `ramify.schedules.wants_one_launch` says, on the CPU and on a GPU.
    stages : int
        Stages of the shared-memory rings on a GPU, 1 to 4; 0 lets the compiler choose.
    key_tile : int
        Keys whose scores are computed at once, a multiple of 16 up to 256: longer chunks are cut,
        shorter ones are visited several at once. 0 lets the compiler choose.
    registers : int
        Registers of a thread that the scores of a chunk may take, up to 255: what needs more is
        computed tile by tile, in passes. 0 lets the compiler choose.
    slices : int
        Slices that "split_kv" cuts the chunks of a query block into, up to 1024. 0 lets each call
        choose, by its shapes and the size of the device.
    window : int
        Queries whose visits "chunk_major" makes before it goes on to the next, up to 2^20: what
        they add to should stay in the device's last cache. 0 lets the compiler choose.
    """

    schedule: str = "auto"
    launches: str = "auto"
    stages: int = 0
    key_tile: int = 0
    registers: int = 0
    slices: int = 0
    window: int = 0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ArgumentError(
                f"schedule: expected one of {', '.join(SCHEDULES)}, found {self.schedule!r}."
            )
        if self.launches not in LAUNCHES:
            raise ArgumentError(
                f"launches: expected one of {', '.join(LAUNCHES)}, found {self.launches!r}."
            )
        if type(self.stages) is not int or self.stages not in range(5):
            raise ArgumentError(f"stages: expected an int from 0 to 4, found {self.stages!r}.")
        if type(self.key_tile) is not int or self.key_tile not in range(0, 257, 16):
            raise ArgumentError(
                f"key_tile: expected a multiple of 16 from 0 to 256, found {self.key_tile!r}."
            )
        if type(self.registers) is not int or self.registers not in range(256):
            raise ArgumentError(
                f"registers: expected an int from 0 to 255, found {self.registers!r}."
            )
        if type(self.slices) is not int or self.slices not in range(1025):
            raise ArgumentError(f"slices: expected an int from 0 to 1024, found {self.slices!r}.")
        if type(self.window) is not int or self.window not in range((1 << 20) + 1):
            raise ArgumentError(f"window: expected an int from 0 to 2^20, found {self.window!r}.")


@dataclass
class Statistics:
    """Where the kernels of a process came from."""

    compiled: int = 0
    from_disk: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    """Of the last compilation: "front end", "compiler", "assembler"."""


_plans: dict[str, _runtime.Plan] = {}
_lock = threading.Lock()
_busy: dict[str, threading.Lock] = {}


def _forget_threads() -> None:
    """In a process made by fork, the threads that held locks do not exist."""
    global _lock
    _lock = threading.Lock()
    _busy.clear()


os.register_at_fork(after_in_child=_forget_threads)


_BUILD_ID = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
"""How an ELF file's note begins whose 20 bytes are the hash that the linker made of it."""


@functools.cache
def build_id() -> str:
    """A hash of the compiler, read from its file without loading it."""
    for path in sorted(pathlib.Path(__file__).parent.glob("_compiler*.so")):
        with path.open("rb") as file:
            head = file.read(1 << 16)
        at = head.find(_BUILD_ID)
        if at >= 0:
            return head[at + len(_BUILD_ID) :][:20].hex()
    return ""


@functools.cache
def host_features() -> str:
    """The instruction set of this processor, as the operating system tells it."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("flags")), "")


def target_of(request: Mapping[str, Any]) -> str:
    """The compiler's name for the device of a request.

    Raises
    ------
    UnsupportedError
        If the device is older than every target.
    """
    capability = request["capability"]
    if capability is None:
        return "cpu"
    target = _runtime.target_for(*capability)
    if target is None:
        major, minor = capability
        raise UnsupportedError(
            f"kernels need a GPU of compute capability 8.0 or newer, found {major}.{minor}"
        )
    return target


def program(signature: Signature, request: Mapping[str, Any]) -> Lowered:
    """The program in `hsa` that a request asks for."""
    return lower(signature, specialise(signature, request))


_known: dict[tuple[Signature, str], Lowered] = {}


def known_program(signature: Signature, request: Mapping[str, Any]) -> Lowered:
    """`program`, made once for all requests alike, while what the function sees outside of itself
    stays the same.
    """
    specialisation = specialise(signature, request)
    key = signature, repr((specialisation, captured(signature.function)))
    if key not in _known:
        if len(_known) >= 256:
            _known.clear()
        _known[key] = lower(signature, specialisation)
    return _known[key]


def compiler_options(
    signature: Signature,
    options: Options,
    request: Mapping[str, Any],
    target: str,
    derivative: str = "",
) -> dict[str, str | int | bool]:
    """The compiler's options for a request, or for a run of its gradient."""
    chosen: dict[str, str | int | bool] = {**asdict(options), "target": target}
    asked, block = schedule_conditions(signature), block_key(signature)
    # Gradients of queries that are rounded after each chunk are too far from float64.
    narrow = derivative != "backward" and may_round(signature, request)
    situation = situation_of(
        request,
        asked,
        block,
        target,
        derivative,
        is_f32=query_dtypes(signature, request) == {"f32"},
    )
    if options.schedule == "auto" or (
        derivative == "backward" and options.schedule in FORWARD_ONLY
    ):
        chosen |= asdict(choose(situation))
    if (launches := chosen.pop("launches")) == "auto":
        launches = "one" if wants_one_launch(situation) else "several"
    chosen["one_launch"] = launches == "one"
    shared = shared_names(signature, request["arrays"])
    chosen["imported"] = ",".join(shared) if chosen["schedule"] == "chunk_major" else ""
    chosen["aligned"] = target != "cpu" and is_aligned(request)
    chosen["default_q_start"] = "q_start" in request["absent"]
    chosen["deterministic"] = bool(request["constants"].get("deterministic"))
    chosen["narrow_sums"] = narrow and chosen["schedule"] == "chunk_major"
    return chosen


def plan_for(
    signature: Signature,
    request: Mapping[str, Any],
    options: Options,
    statistics: Statistics,
    **derivative: str,
) -> _runtime.Plan:
    """The plan of a request, from this process, the disk, or the compiler.

    `derivative` is "forward" or "backward" for a plan of the function's gradient by `wrt`.

    Raises
    ------
    LanguageError
        If the function says something that the language does not have.
    CompileError
        If the compiler fails.
    """
    start = time.perf_counter()
    lowered = program(signature, request)
    mode = derivative.get("derivative", "")
    chosen = compiler_options(signature, options, request, target_of(request), mode) | derivative
    key = _key(lowered, chosen)
    seconds = {"front end": time.perf_counter() - start}
    with _lock:
        lock = _busy.setdefault(key, threading.Lock())
    with lock:
        if key not in _plans:
            stored = disk_cache().find(key)
            if stored is not None:
                _plans[key] = _load(_runtime.Plan.parse(stored))
                statistics.from_disk += 1
            else:
                plan = _compile(lowered, chosen, request, seconds)
                if disk_cache().problem:
                    _warn_of_cache(disk_cache().problem)
                disk_cache().store(key, plan.serialize(), f"{signature.name} {chosen['target']}")
                _plans[key] = _load(plan)
                statistics.compiled += 1
                statistics.seconds = seconds
        return _plans[key]


@functools.cache
def _warn_of_cache(problem: str) -> None:
    """Say once that kernels are compiled anew in each process."""
    warnings.warn(f"compiled kernels are not kept: {problem}", RuntimeWarning, stacklevel=2)


def translate(lowered: Lowered, level: str, options: dict[str, str | int | bool]) -> str:
    """The program at another level of the compiler."""
    from . import _compiler  # large: loaded only when something is compiled

    return _compiler.lower(lowered.text(), level, options)


def _key(lowered: Lowered, options: Mapping[str, Any]) -> str:
    target = host_features() if options["target"] == "cpu" else ""
    listed = " ".join(f"{name}={value}" for name, value in sorted(options.items()))
    return "\n".join((build_id(), target, listed, lowered.text(with_locations=False)))


def _compile(
    lowered: Lowered,
    options: dict[str, str | int | bool],
    request: Mapping[str, Any],
    seconds: dict[str, float],
) -> _runtime.Plan:
    from . import _compiler  # large: loaded only when something is compiled

    start = time.perf_counter()
    plan = _runtime.Plan.parse(_compiler.compile(lowered.text(), options))
    seconds["compiler"] = time.perf_counter() - start
    if plan.backend == "cuda":
        start = time.perf_counter()
        target, _, ptx = plan.codes[0]
        plan = plan.with_code(
            target, "cubin", _runtime.assemble(ptx.decode(), request["device"][1])
        )
        seconds["assembler"] = time.perf_counter() - start
    return plan


def _load(plan: _runtime.Plan) -> _runtime.Plan:
    """Links the kernels of a plan for the CPU; a GPU's are loaded by its driver."""
    if plan.backend == "cpu" and plan.codes:
        from . import _compiler  # large: a process that only uses a GPU's cached kernels needs none

        _, _, code = plan.codes[0]
        loaded = _compiler.load_object(code, [f"{kernel}_packed" for kernel in plan.kernels])
        plan.bind_kernels(dict(zip(plan.kernels, loaded.addresses, strict=True)), loaded)
    return plan
