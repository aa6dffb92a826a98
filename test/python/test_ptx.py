# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The PTX of whole functions goes through ptxas without spills, for both generations of GPU."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import Any

import check_ptx
import pytest
import test_frontend as written
import test_gradients as gradients
import test_sequences as sequences
import test_stream_gradients as streams
import test_variants as variants
import torch
from arguments import random_arguments
from numerics import Case, make

import ramify as rf
from ramify import _compiler

TARGETS = ["sm_80", "sm_90a"]
BASE = Case(B=1, L=4, N=256, H=1, G=16)
SHAPES = {
    "D=32": BASE.but(D=32),
    "D=64": BASE,
    "D=64, S=16": BASE.but(S=16),
    "D=64, S=128": BASE.but(S=128),
    "D=64, S=256": BASE.but(S=256),
    "D=80": BASE.but(D=80),
    "D=80, S=256": BASE.but(D=80, S=256),
    "D=128": BASE.but(D=128),
    "D=128, S=128": BASE.but(D=128, S=128),
    "D=128, S=256": BASE.but(D=128, S=256),
    "D=192": BASE.but(D=192),
    "D=192, S=128": BASE.but(D=192, S=128),
    "D=192, S=256": BASE.but(D=192, S=256),
    "D=256": BASE.but(D=256),
    "D=256, S=16": BASE.but(D=256, S=16),
    "D=256, S=256": BASE.but(D=256, S=256),
    "D=64, Dv=200": BASE.but(D=64, Dv=200),
    "G=1": BASE.but(G=1),
    "G=64": BASE.but(G=64),
    "q_block=8": BASE.but(q_block=8, L=16),
    "softmax_1": BASE.but(n=1.0),
    "weights per head": BASE.but(weight_heads="query"),
}
# One softmax over all chunks: its sums are scaled again by each, which takes more registers.
JOINT = {
    "D=80, S=256": BASE.but(D=80, S=256),
    "D=128, S=256": BASE.but(D=128, S=256),
    "D=136": BASE.but(D=136),
    "D=192, S=48": BASE.but(D=192, S=48),
    "D=256": BASE.but(D=256),
}

GATHERED = {
    "D=64, S=16": BASE.but(S=16),
    "D=64, S=32": BASE.but(S=32),
    "D=64, S=16, weights per head": BASE.but(S=16, weight_heads="query"),
    "D=80, S=16": BASE.but(D=80, S=16),
    "D=128, S=16": BASE.but(D=128, S=16),
    "D=128, S=32": BASE.but(D=128, S=32),
    "D=192, S=16": BASE.but(D=192, S=16),
    "D=192, S=32": BASE.but(D=192, S=32),
}
"""Chunks of which several are visited at once."""

SLICED = {name: SHAPES[name] for name in ("D=64", "D=64, S=256", "D=128", "D=192, S=128", "G=64")}
"""What programs own slices of."""

UNITED = SLICED | {name: SHAPES[name] for name in ("D=64, S=16", "D=192", "G=1", "q_block=8")}
"""What neighbours visit together."""

pytestmark = pytest.mark.skipif(check_ptx.find_ptxas() is None, reason="no ptxas")


# Heads of a group, dimensions, chunks and weights that backward programs differ by.
BACKWARD = {
    "G=1, S=16": BASE.but(G=1, S=16),
    "G=4": BASE.but(G=4),
    "G=16": BASE,
    "G=64": BASE.but(G=64),
    "D=128, S=16": BASE.but(D=128, S=16),
    "D=128": BASE.but(D=128),
    "weights per head": BASE.but(weight_heads="query"),
    "D=64, S=16": BASE.but(S=16),
    "D=64, S=128": BASE.but(S=128),
    "D=64, S=256": BASE.but(S=256),
    "D=80": BASE.but(D=80),
    "D=192, S=128": BASE.but(D=192, S=128),
    "D=256": BASE.but(D=256),
    "q_block=8": BASE.but(q_block=8, L=16),
}


SCHEDULES = ["query_major", "chunk_major", "chunk_major, the same bits"]
SPILLS: dict[tuple[str, str, str], tuple[int, int]] = {
    ("query_major", "D=192, S=128", "bfloat16"): (0, 140),
    ("query_major", "D=192, S=128", "float16"): (0, 140),
    ("query_major", "D=256", "bfloat16"): (264, 1344),
    ("query_major", "D=256", "float16"): (264, 1344),
    ("chunk_major", "G=4", "float32"): (0, 4),
    ("chunk_major", "G=64", "float32"): (4, 0),
    ("chunk_major", "weights per head", "float32"): (8, 0),
    ("chunk_major", "D=192, S=128", "bfloat16"): (0, 256),
    ("chunk_major", "D=192, S=128", "float16"): (0, 256),
    ("chunk_major", "D=128", "bfloat16"): (4, 192),
    ("chunk_major", "D=64, S=128", "bfloat16"): (12, 292),
    ("chunk_major", "D=256", "bfloat16"): (0, 1488),
    ("chunk_major", "D=128", "float16"): (4, 192),
    ("chunk_major", "D=64, S=128", "float16"): (12, 292),
    ("chunk_major", "D=256", "float16"): (0, 1488),
    ("chunk_major", "D=256", "float32"): (0, 172),
    ("chunk_major", "q_block=8", "float32"): (4, 0),
    ("chunk_major", "elementwise", "bfloat16"): (44, 28),
    ("chunk_major, the same bits", "G=4", "float32"): (12, 16),
    ("chunk_major, the same bits", "G=16", "float32"): (4, 0),
    ("chunk_major, the same bits", "G=64", "float32"): (60, 52),
    ("chunk_major, the same bits", "weights per head", "float32"): (0, 4),
    ("chunk_major, the same bits", "D=192, S=128", "bfloat16"): (0, 212),
    ("chunk_major, the same bits", "D=192, S=128", "float16"): (0, 212),
    ("chunk_major, the same bits", "D=128", "bfloat16"): (12, 96),
    ("chunk_major, the same bits", "D=64, S=128", "bfloat16"): (76, 268),
    ("chunk_major, the same bits", "D=256", "bfloat16"): (4, 1040),
    ("chunk_major, the same bits", "D=128", "float16"): (12, 92),
    ("chunk_major, the same bits", "D=64, S=128", "float16"): (76, 268),
    ("chunk_major, the same bits", "D=256", "float16"): (0, 1040),
    ("chunk_major, the same bits", "D=256", "float32"): (0, 120),
    ("chunk_major, the same bits", "q_block=8", "float32"): (36, 56),
    ("query_major", "sliding_window, D=128", "bfloat16"): (0, 76),
    ("query_major", "sliding_window, D=128", "float32"): (0, 232),
    ("query_major", "listed_window, D=128", "bfloat16"): (364, 908),
    ("query_major", "listed_window, D=128", "float32"): (744, 964),
    ("query_major", "sliding_hsa, D=64", "float32"): (8, 0),
    ("query_major", "sliding_hsa, D=128", "bfloat16"): (0, 76),
    ("query_major", "sliding_hsa, D=128", "float32"): (0, 244),
    ("query_major", "moba, D=128", "bfloat16"): (0, 4),
    ("chunk_major", "sliding_window, D=64", "float32"): (48, 16),
    ("chunk_major", "sliding_window, D=128", "bfloat16"): (60, 280),
    ("chunk_major", "sliding_window, D=128", "float32"): (160, 104),
    ("chunk_major", "listed_window, D=64", "float32"): (64, 16),
    ("chunk_major", "listed_window, D=128", "bfloat16"): (60, 280),
    ("chunk_major", "listed_window, D=128", "float32"): (160, 104),
    ("chunk_major", "sliding_hsa, D=64", "float32"): (36, 16),
    ("chunk_major", "sliding_hsa, D=128", "bfloat16"): (28, 280),
    ("chunk_major", "sliding_hsa, D=128", "float32"): (128, 104),
    ("chunk_major", "moba, D=64", "float32"): (24, 0),
    ("chunk_major", "moba, D=128", "bfloat16"): (28, 184),
    ("chunk_major", "moba, D=128", "float32"): (144, 60),
    ("chunk_major", "hils as one, D=64", "float32"): (44, 0),
    ("chunk_major", "hils as one, D=128", "bfloat16"): (64, 288),
    ("chunk_major", "hils as one, D=128", "float32"): (168, 148),
    ("chunk_major", "gca, D=128", "bfloat16"): (16, 276),
    ("query_major", "hils as one, D=64", "float32"): (0, 40),
    ("query_major", "hils as one, D=128", "bfloat16"): (64, 288),
    ("query_major", "hils as one, D=128", "float32"): (256, 416),
    ("query_major", "merged, D=64", "float32"): (0, 8),
    ("query_major", "of_the_group, D=64", "bfloat16"): (36, 0),
    ("query_major", "of_the_group, D=128", "bfloat16"): (28, 0),
    ("query_major", "of_the_group, D=128", "float32"): (204, 120),
    ("query_major", "shares_of_picks, D=64", "float32"): (240, 220),
    ("query_major", "normalised, D=128", "bfloat16"): (24, 36),
    ("query_major", "normalised, D=128", "float32"): (0, 52),
    ("query_major", "largest_of_the_group, D=64", "bfloat16"): (160, 208),
    ("query_major", "largest_of_the_group, D=64", "float32"): (1788, 1752),
    ("query_major", "largest_of_the_group, D=128", "bfloat16"): (856, 252),
    ("query_major", "largest_of_the_group, D=128", "float32"): (2792, 1976),
}
"""Bytes that backward programs still spill for sm_80 and sm_90a, by schedule, name and dtype. In
chunk_major's of wide sums they were measured to cost less than what avoids them: an SM with one
program, or scores computed again in passes."""

TOO_LARGE = {("D=256", "float32", "sm_80")}
"""What has not enough shared memory for chunk_major, by name, dtype and target."""


def allowed(schedule: str, name: str, dtype: torch.dtype, target: str) -> int:
    """Bytes that may be spilled."""
    key = (schedule, name, str(dtype).removeprefix("torch."))
    return SPILLS.get(key, (0, 0))[TARGETS.index(target)]


def backward_ptx(
    function: rf.JitFunction, schedule: str, target: str, given: dict[str, Any]
) -> str:
    """As `ramify.schedules` asks for it: what chunk_major refuses is query_major's."""
    program = function.ir("backward", **given, target=target)
    otherwise = "query_major" if schedule == "chunk_major" else ""
    options = {"target": target, "schedule": schedule, "otherwise": otherwise}
    if schedule.endswith(", the same bits"):
        options |= {"schedule": "chunk_major", "deterministic": True}
    return _compiler.lower(program, "ptx", options)


def spilled_bytes(
    function: rf.JitFunction,
    schedule: str,
    target: str,
    folder: pathlib.Path,
    given: dict[str, Any],
) -> int:
    """Of a backward program, the most that a kernel stores; ptxas has nothing else to complain."""
    path = folder / "backward.ptx"
    path.write_text(backward_ptx(function, schedule, target, given))
    ptxas = check_ptx.find_ptxas()
    assert ptxas is not None
    found = check_ptx.assemble(ptxas, path, target)
    spills = [re.search(r"(\d+) bytes spill stores", line) for line in found]
    assert all(spills), found
    return max((int(spill[1]) for spill in spills if spill), default=0)


def assemble(ptx: str, folder: pathlib.Path) -> None:
    path = folder / "kernel.ptx"
    path.write_text(ptx)
    done = subprocess.run(
        [sys.executable, check_ptx.__file__, path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_hsa(shape: str, dtype: torch.dtype, target: str, tmp_path: pathlib.Path) -> None:
    assemble(ptx_of(SHAPES[shape], dtype, target), tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", GATHERED)
def test_gathered(shape: str, dtype: torch.dtype, target: str, tmp_path: pathlib.Path) -> None:
    assemble(ptx_of(GATHERED[shape], dtype, target, key_tile=64), tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SLICED)
def test_slices(shape: str, dtype: torch.dtype, target: str, tmp_path: pathlib.Path) -> None:
    assemble(ptx_of(SLICED[shape], dtype, target, schedule="split_kv"), tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", UNITED)
def test_union(shape: str, dtype: torch.dtype, target: str, tmp_path: pathlib.Path) -> None:
    assemble(ptx_of(UNITED[shape], dtype, target, schedule="union"), tmp_path)


def ptx_of(case: Case, dtype: torch.dtype, target: str, **choices: Any) -> str:
    x = make(case, dtype)
    options: dict[str, Any] = {"scale": 0.1, "softmax_n": case.n, "chunk_size": case.S}
    options["q_block"] = case.q_block
    return rf.ops.hsa_kernel.options(**choices).ir("ptx", **x, **options, target=target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", JOINT)
def test_joint(shape: str, dtype: torch.dtype, target: str, tmp_path: pathlib.Path) -> None:
    case = JOINT[shape]
    x = {name: value for name, value in make(case, dtype).items() if name != "weights"}
    options: dict[str, Any] = {"scale": 0.1, "chunk_size": case.S}
    assemble(written.joint.ir("ptx", **x, **options, target=target), tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", variants.CASES)
def test_variant(name: str, target: str, tmp_path: pathlib.Path) -> None:
    function, options, sizes = variants.CASES[name]
    x = random_arguments(function.signature, **sizes)
    x = variants.on_device(function, x, torch.bfloat16, "cpu")
    options = {"chunk_size": 16, **options}
    options = {key: value for key, value in options.items() if value is not None}
    assemble(function.ir("ptx", **x, **options, target=target), tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("schedule", "name"),
    [("split_kv", name) for name in ("joint", "ranges", "sink, blocks", "pushes", "by hand")]
    + [("union", name) for name in ("joint", "joint, blocks of 8", "pushes", "by hand")],
)
def test_variant_by_schedule(schedule: str, name: str, target: str, tmp_path: pathlib.Path) -> None:
    function, options, sizes = variants.CASES[name]
    x = random_arguments(function.signature, **sizes)
    x = variants.on_device(function, x, torch.bfloat16, "cpu")
    function = function.options(schedule=schedule)
    ptx = function.ir("ptx", **x, **{"chunk_size": 16, **options}, target=target)
    assemble(ptx, tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("q_block", [1, 4])
@pytest.mark.parametrize("place", ["lengths", "lengths and starts", "lengths and positions"])
def test_sequence(place: str, q_block: int, target: str, tmp_path: pathlib.Path) -> None:
    function, options = sequences.FUNCTIONS["ranges"]
    x = random_arguments(function.signature, B=3, q_block=q_block)
    x = variants.on_device(function, x, torch.bfloat16, "cpu")
    x |= sequences.on_device(sequences.PLACES[place], "cpu")
    options = {"chunk_size": 16, "q_block": q_block, **options}
    assemble(function.ir("ptx", **x, **options, target=target), tmp_path)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("shape", BACKWARD)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_hsa_backward(
    schedule: str, shape: str, dtype: torch.dtype, target: str, tmp_path: pathlib.Path
) -> None:
    case = BACKWARD[shape]
    options = {"scale": 0.1, "softmax_n": case.n, "chunk_size": case.S, "q_block": case.q_block}
    given = make(case, dtype) | options
    is_refused = (shape, str(dtype).removeprefix("torch."), target) in TOO_LARGE
    if is_refused and schedule == "chunk_major, the same bits":  # query_major has no owners
        with pytest.raises(rf.CompileError, match="bytes of shared memory"):
            backward_ptx(rf.ops.hsa_kernel, schedule, target, given)
        return
    found = spilled_bytes(rf.ops.hsa_kernel, schedule, target, tmp_path, given)
    assert found <= allowed(schedule, shape, dtype, target)
    ptx = (tmp_path / "backward.ptx").read_text()
    if schedule == "chunk_major":
        assert is_refused != ("_visits(" in ptx)
    if schedule == "chunk_major, the same bits":
        assert "_items(" in ptx


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "schedule"), gradients.CASES)
def test_variant_backward(name: str, schedule: str, target: str, tmp_path: pathlib.Path) -> None:
    function, sizes, options = gradients.VARIANTS[name]
    x = random_arguments(function.signature, **sizes)
    x = variants.on_device(function, x, torch.bfloat16, "cpu")
    options = {"chunk_size": 16, "q_block": sizes.get("q_block", 1), **options}
    found = spilled_bytes(function, schedule, target, tmp_path, x | options)
    assert found <= allowed(schedule, name, torch.bfloat16, target)


@pytest.mark.parametrize("target", TARGETS)
def test_rows_are_computed_before_the_visits(target: str, tmp_path: pathlib.Path) -> None:
    """Visits load what is computed of rows, and spill no more than hsa's own, which is nothing."""
    function, _, options = gradients.VARIANTS["computed rows"]
    x = random_arguments(function.signature, B=1, L=4, N=256, H=1, G=16, D=64, S=64)
    x = variants.on_device(function, x, torch.bfloat16, "cpu")
    given = x | {"chunk_size": 64, **options}
    assert spilled_bytes(function, "chunk_major", target, tmp_path, given) == 0
    assert "_rows(" in (tmp_path / "backward.ptx").read_text()


# Ready-made variants of range domains, of a selection for each query head, whose group is 1, and
# those that select for themselves.
OPS: dict[str, tuple[rf.JitFunction, int, dict[str, Any]]] = {
    "sliding_window": (rf.ops.sliding_window_kernel, 16, {"window": 512, "sink": 64}),
    "listed_window": (rf.ops.listed_window_kernel, 16, {"window": 512}),
    "sliding_hsa": (rf.ops.sliding_hsa_kernel, 16, {"window": 512}),
    "moba": (rf.ops.moba_kernel, 1, {"top_k": 8}),
    "hils as one": (rf.ops.hils_kernel, 16, {"window": 512, "size": 64, "top_k": 8}),
    "gca": (rf.ops.gca_kernel, 16, {"scale_r": 0.1, "size": 64, "top_k": 8, "q_block": 64}),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("dim", [64, 128])
@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("name", OPS)
def test_op_backward(
    name: str, schedule: str, dim: int, dtype: torch.dtype, target: str, tmp_path: pathlib.Path
) -> None:
    function, group, options = OPS[name]
    block = options.get("q_block", 1)
    sizes = {"B": 1, "L": 4 * block, "N": 256, "H": 2, "G": group, "D": dim, "S": 64}
    x = random_arguments(function.signature, **sizes, q_block=block)
    given = variants.on_device(function, x, dtype, "cpu") | options
    if "means" in given:
        given["means"] = given["means"].to(dtype)
    given |= {"scale": 0.1, "chunk_size": 64}
    found = spilled_bytes(function, schedule, target, tmp_path, given)
    assert found <= allowed(schedule, f"{name}, D={dim}", dtype, target)


STREAMS = {
    64: [name for name in streams.FUNCTIONS if name not in streams.ATTENDS],
    128: [name for name in streams.FUNCTIONS if name not in streams.ATTENDS],
}
"""Functions that reduce all chunks, by their dim."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize(("name", "dim"), [(name, dim) for dim in STREAMS for name in STREAMS[dim]])
def test_stream_backward(
    name: str, dim: int, dtype: torch.dtype, target: str, tmp_path: pathlib.Path
) -> None:
    function = streams.FUNCTIONS[name]
    arrays = streams.arrays_of(function, D=dim)
    call = streams.call_of(function, arrays)
    for key, x in arrays.items():
        tensor = torch.from_numpy(x)
        call[key] = tensor.to(dtype) if x.ndim == 4 else tensor
    call["wrt"] = tuple(arrays)
    found = spilled_bytes(function, "query_major", target, tmp_path, call)
    assert found <= allowed("query_major", f"{name}, D={dim}", dtype, target)


SELECTION_SPILLS: dict[tuple[int, int], tuple[int, int]] = {(128, 128): (8, 0)}
"""Bytes that selections spill for sm_80 and sm_90a, by picks and dims."""


def forward_spills(
    function: rf.JitFunction, target: str, folder: pathlib.Path, given: dict[str, Any]
) -> int:
    """The most that a kernel of a forward program stores; ptxas has nothing else to complain."""
    path = folder / "forward.ptx"
    path.write_text(function.ir("ptx", **given, target=target))
    ptxas = check_ptx.find_ptxas()
    assert ptxas is not None
    found = check_ptx.assemble(ptxas, path, target)
    spills = [re.search(r"(\d+) bytes spill stores", line) for line in found]
    assert all(spills), found
    return max((int(spill[1]) for spill in spills if spill), default=0)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("weights", ["stick_breaking", "softmax"])
@pytest.mark.parametrize("dim", [64, 128, 1024])
@pytest.mark.parametrize("top_k", [8, 32, 40, 64, 128])
def test_select(top_k: int, dim: int, weights: str, target: str, tmp_path: pathlib.Path) -> None:
    r, landmarks = (torch.zeros(1, n, g, dim, dtype=torch.bfloat16) for n, g in ((64, 4), (512, 1)))
    given: dict[str, Any] = {"r": r, "landmarks": landmarks, "num_keys": 512 * 64}
    given |= {"scale": 0.1, "window": 0, "size": 64, "chunk_size": 64}
    given |= {"top_k": top_k, "weights": weights}
    found = forward_spills(rf.ops.select_kernel, target, tmp_path, given)
    allowed = SELECTION_SPILLS.get((top_k, dim), (0, 0))
    assert found <= allowed[TARGETS.index(target)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dim", [520, 680, 776, 1000, 1040])
def test_select_by_odd_dims(dim: int, target: str, tmp_path: pathlib.Path) -> None:
    """In f32: dims that no parts of 64 make up do not fit as a whole."""
    r, landmarks = (torch.zeros(1, n, 1, dim) for n in (64, 512))
    given = {"r": r, "landmarks": landmarks, "scale": 0.1, "size": 64, "chunk_size": 64, "top_k": 8}
    assert forward_spills(rf.ops.select_kernel, target, tmp_path, given) == 0


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("top_k", [8, 64])
@pytest.mark.parametrize("launches", ["one", "several"])
@pytest.mark.parametrize("group", [1, 4])
def test_hils_select(
    group: int, launches: str, top_k: int, target: str, tmp_path: pathlib.Path
) -> None:
    function = rf.ops.hils_select_kernel.options(launches=launches)
    sizes = {"q": (64, group), "k": (4096, 1), "v": (4096, 1), "landmarks": (64, group)}
    given: dict[str, Any] = {
        name: torch.zeros(1, n, heads, 64, dtype=torch.bfloat16)
        for name, (n, heads) in sizes.items()
    }
    given |= {
        "bias": torch.zeros(1, 64, group),
        "scale": 0.1,
        "window": 512,
        "size": 64,
        "chunk_size": 64,
        "top_k": top_k,
    }
    assert forward_spills(function, target, tmp_path, given) == 0
