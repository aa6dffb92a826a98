# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803
"""Functions that select and then attend in one launch: the same results, and when it is made."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import check_ptx
import numpy as np
import pytest
import test_select_then_attend as attending
import torch
from numerics import DEVICES, EPS
from select_and_attend_cases import CASES, RETRIEVE, SIZES, arrays

import ramify as rf

TARGETS = ("sm_80", "sm_90a")


def call(name: str, launches: str, device: str) -> list[np.ndarray]:
    function, given, options = CASES[name]
    moved = {
        key: torch.from_numpy(x).to(device) if isinstance(x, np.ndarray) else x
        for key, x in options.items()
    }
    tensors = [torch.from_numpy(x).to(device) for x in given]
    outs = function.options(launches=launches)(*tensors, **moved)
    return [x.cpu().numpy() for x in (outs if isinstance(outs, tuple) else (outs,))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_one_launch_computes_the_same(name: str, device: str) -> None:
    function, given, options = CASES[name]
    explained = function.options(launches="one").explain(*given, **options)
    assert "programs in one launch" in explained and explained.count("launch ") == 1
    one, several = call(name, "one", device), call(name, "several", device)
    expected = function.reference(*given, **options)
    expected = expected if isinstance(expected, tuple) else (expected,)
    bound = (2 if device == "cpu" else 500) * EPS[torch.float32]
    for mine, other, exact in zip(one, several, expected, strict=True):
        if mine.dtype == np.int32:  # picks
            np.testing.assert_array_equal(mine, other)
            np.testing.assert_array_equal(mine, exact)
            continue
        size = max(1.0, float(np.abs(exact[np.isfinite(exact)]).max(initial=0)))
        np.testing.assert_allclose(mine, exact, rtol=0, atol=bound * size)
        np.testing.assert_allclose(other, exact, rtol=0, atol=bound * size)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_one_launch_of_16_bits(device: str, dtype: torch.dtype) -> None:
    given = [torch.from_numpy(x).to(device, dtype) for x in arrays(G=16, L=3, N=1500)]
    one, several = (
        attending.retrieve.options(launches=launches)(*given, **RETRIEVE)
        for launches in ("one", "several")
    )
    assert torch.equal(one[2], several[2])
    wide = [x.float().cpu().numpy() for x in given]
    exact = attending.retrieve.reference(*wide, **RETRIEVE)
    for mine, reference in zip(one[:2], exact[:2], strict=True):
        difference = np.abs(mine.float().cpu().numpy() - reference).max()
        assert difference <= 2 * EPS[dtype] * np.abs(reference).max()


def plan_of(function: rf.JitFunction, given: Any, target: str = "cpu", **options: Any) -> str:
    text: str = function.ir("plan", *given, target=target, **{**RETRIEVE, **options})
    return text


def launches_of(function: rf.JitFunction, given: Any, target: str = "cpu", **options: Any) -> int:
    return len(re.findall(r"^\s*launch ", plan_of(function, given, target, **options), re.M))


@pytest.mark.parametrize(
    ("shape", "on_cpu", "on_gpu"),
    [
        ({"L": 1}, 1, 2),
        ({"B": 200, "L": 1, "N": 16}, 1, 2),  # no query has another to share a tile with
        ({"L": 2}, 2, 2),
        ({"L": 64, "H": 2}, 2, 1),  # all blocks at once
        ({"L": 300, "H": 2, "N": 16}, 2, 2),
    ],
)
def test_few_query_blocks_are_launched_once(
    shape: dict[str, int], on_cpu: int, on_gpu: int
) -> None:
    given = arrays(**shape)
    assert launches_of(attending.retrieve, given) == on_cpu
    assert launches_of(attending.retrieve, given, "sm_90a") == on_gpu
    once = attending.retrieve.options(launches="one")
    assert launches_of(once, given, "sm_90a") == 1


def test_a_length_on_the_same_side_compiles_nothing() -> None:
    function = attending.retrieve.options(stages=3)  # nobody else's
    for length, compiled in ((1, 1), (5, 2), (9, 2), (1, 2), (150, 2)):
        function(*arrays(L=length), **RETRIEVE)
        assert function.statistics.compiled + function.statistics.from_disk == compiled


def test_gradients_are_launched_step_by_step() -> None:
    given = arrays(L=1)
    text = attending.retrieve.derivative("landmarks").explain(*given, **RETRIEVE)
    assert "retrieve, forward on cpu: 2 programs one after the other\n" in text
    once = attending.retrieve.options(launches="one")
    text = once.derivative("landmarks").explain(*given, **RETRIEVE)
    assert "retrieve, forward on cpu: 2 programs in one launch" in text
    assert "not in one launch, since retrieve_backward_0 goes by chunk_major" in text
    text = once.options(schedule="query_major").derivative("k").explain(*given, **RETRIEVE)
    assert "since retrieve_backward_1 adds to sums over all query blocks" in text


def test_what_one_launch_explains() -> None:
    text = attending.retrieve.explain(*arrays(L=1, B=2), **RETRIEVE)
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "retrieve on cpu: 2 programs in one launch"
    assert lines[1].startswith("retrieve_0, schedule streamed: programs own query blocks")
    assert lines[2] == "tiles: 1 query walks over the chunks once, 64 at a time"
    assert lines[3].startswith("retrieve_1, schedule query_major: one program for each query block")
    assert lines[5] == "launch retrieve: grid (1, 2, 2), 4 programs"
    assert lines[-1] == "workspace: 0.0 MiB"  # weights and slots are returned
    text = attending.joint.explain(*arrays(L=1, B=2), **SIZES)
    assert "workspace: 0.2 KiB" in text  # 3 picks for each of 4 rows, 48 bytes, aligned


@pytest.mark.parametrize(
    ("options", "given", "target", "why"),
    [
        ({"schedule": "chunk_major"}, arrays(), "cpu", "retrieve_1 goes by chunk_major"),
        ({"schedule": "split_kv"}, arrays(), "cpu", "retrieve_1 goes by split_kv"),
        ({"schedule": "union"}, arrays(), "cpu", "retrieve_1 goes by union"),
        (
            {},
            arrays(G=128, H=1),
            "sm_80",
            "the 128 heads of a query block are the rows of 2 programs",
        ),
        ({"stages": 4}, arrays(D=128, S=64), "sm_86", "of shared memory, of which sm_86 has"),
    ],
)
def test_why_not_in_one_launch(options: dict[str, Any], given: Any, target: str, why: str) -> None:
    function = attending.retrieve.options(launches="one", **options)
    size = 16 if given[0].shape[3] == 16 else 64
    plan = plan_of(function, given, target, chunk_size=size)
    assert why in plan and "several" in plan
    assert launches_of(function, given, target, chunk_size=size) >= 2


def test_explain_says_why_not() -> None:
    function = attending.retrieve.options(launches="one", schedule="union")
    text = function.explain(*arrays(), **RETRIEVE)
    assert text.startswith(
        "retrieve on cpu: 2 programs one after the other; not in one launch, since retrieve_1 goes "
        "by union\n"
    )


def test_a_function_of_one_step_is_what_it_was() -> None:
    given = arrays()
    text = rf.ops.hsa_kernel.options(launches="one").ir(
        "plan",
        *given[:3],
        np.zeros((1, 9, 2, 3), np.float32),
        np.zeros((1, 9, 2, 3), np.int32),
        chunk_size=16,
        scale=0.25,
        target="cpu",
    )
    assert 'launch "hsa_kernel"' in text and "launches" not in text


@pytest.mark.parametrize("wrong", ["two", "", 1, None, True, ["one"]])
def test_wrong_launches(wrong: Any) -> None:
    with pytest.raises(rf.ArgumentError, match="launches: expected one of one, several, auto, fou"):
        attending.retrieve.options(launches=wrong)


def assemble_one_launch(
    G: int, D: int, dtype: torch.dtype, target: str, folder: pathlib.Path
) -> str:
    given = [torch.from_numpy(x).to(dtype) for x in arrays(L=1, G=G, D=D, S=64, N=512)]
    once = attending.retrieve.options(launches="one")
    ptx = once.ir("ptx", *given, target=target, **{**RETRIEVE, "chunk_size": 64})
    assert ptx.count(".entry") == 1
    path = folder / "kernel.ptx"
    path.write_text(ptx)
    ptxas = check_ptx.find_ptxas()
    assert ptxas is not None
    assert not check_ptx.assemble(ptxas, path, target)
    return ptx


@pytest.mark.skipif(check_ptx.find_ptxas() is None, reason="no ptxas")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("G", [1, 16, 64])
def test_ptx(G: int, dtype: torch.dtype, target: str, tmp_path: pathlib.Path) -> None:
    """Assembled without spills; threads meet between writing slots and reading them."""
    ptx = assemble_one_launch(G, 64, dtype, target, tmp_path)
    barrier = "bar.warp.sync" if G <= 16 else "barrier.sync|bar.sync"
    written = [m.end() for m in re.finditer(r"st\.global\.v?\d?\.?u32", ptx)]
    read = [m.start() for m in re.finditer(r"ld\.global\.u32", ptx)]
    assert written and read and written[0] < read[0]
    assert re.search(barrier, ptx[max(w for w in written if w < read[0]) : read[0]])


@pytest.mark.skipif(check_ptx.find_ptxas() is None, reason="no ptxas")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize(("G", "D"), [(1, 80), (1, 128), (16, 128), (64, 128), (1, 256), (16, 256)])
def test_wide_rows_are_not_spilled(
    G: int, D: int, dtype: torch.dtype, target: str, tmp_path: pathlib.Path
) -> None:
    assemble_one_launch(G, D, dtype, target, tmp_path)
