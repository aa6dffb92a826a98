# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lengths, starts and positions for each sequence, as arrays on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_frontend as written
import test_reference as told
import torch
from arguments import random_arguments
from numerics import DEVICES, Case, make

import ramify as rf

FUNCTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "hsa": (written.hsa, {"scale": 0.3}),
    "joint": (written.joint, {"scale": 0.3}),
    "ranges": (written.ranges, {"last": 20}),
    "own": (told.owned, {}),
    "sink": (told.sunk, {"sink": 5, "last": 10}),
    "terms": (told.terms, {}),
    "pushes": (written.pushes, {}),
}

# One entry for each of three sequences of at most 70 keys in chunks of 16, and 19 queries.
POSITIONS = np.random.default_rng(5).integers(-1, 75, (3, 19)).astype(np.int32)
POSITIONS[1] = -1
PLACES: dict[str, dict[str, Any]] = {
    "lengths": {"num_keys": [70, 33, 5]},
    "no keys": {"num_keys": [0, 16, 70]},
    "starts": {"q_start": [51, -7, 90]},
    "lengths and a start": {"num_keys": [0, 33, 64], "q_start": 20},
    "a length and starts": {"num_keys": 50, "q_start": [-30, 0, 12]},
    "lengths and starts": {"num_keys": [1, 48, 70], "q_start": [0, 40, 60]},
    "positions": {"q_positions": POSITIONS},
    "shared positions": {"q_positions": POSITIONS[0]},
    "lengths and positions": {"num_keys": [17, 70, 0], "q_positions": POSITIONS},
}


def on_device(places: dict[str, Any], device: str) -> dict[str, Any]:
    arrays = {name: np.asarray(value, np.int32) for name, value in places.items()}
    return {
        name: torch.from_numpy(array).to(device) if array.ndim else places[name]
        for name, array in arrays.items()
    }


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("q_block", [1, 4])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_sequence_is_its_reference(name: str, place: str, q_block: int, device: str) -> None:
    check(name, place, q_block, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("q_block", [1, 4])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_slices_it_is_its_reference(name: str, place: str, q_block: int, device: str) -> None:
    check(name, place, q_block, device, schedule="split_kv", slices=3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("q_block", [1, 4])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["joint", "pushes"])
def test_by_union_it_is_its_reference(name: str, place: str, q_block: int, device: str) -> None:
    check(name, place, q_block, device, schedule="union")


def check(name: str, place: str, q_block: int, device: str, **choices: Any) -> None:
    function, options = FUNCTIONS[name]
    function = function.options(**choices)
    x = random_arguments(function.signature, B=3, q_block=q_block)
    options = {**options, "chunk_size": 16, "q_block": q_block}
    tensors = {key: torch.from_numpy(array).to(device) for key, array in x.items()}
    found = function(**tensors, **options, **on_device(PLACES[place], device))
    expected = function.reference(**x, **options, **on_device(PLACES[place], "cpu"))
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for one, other in pairs:
        mine = one.double().cpu().numpy()
        infinite = np.isinf(other)
        assert (mine[infinite] == other[infinite]).all()
        error = np.abs(mine - other, where=~infinite, out=np.zeros_like(other)).max()
        assert error <= 2e-5 * max(1.0, np.abs(other[~infinite]).max(initial=0.0))


@pytest.mark.parametrize("device", DEVICES)
def test_padding_rows_are_zero_whatever_stands_there(device: str) -> None:
    x = make(Case(B=2, L=8), torch.float32)
    x["q"][:, 2:4] = float("nan")
    x["weights"][:, 2:4] = float("inf")
    positions = torch.arange(8, dtype=torch.int32)
    positions[2:4] = -1
    moved = {name: tensor.to(device) for name, tensor in x.items()}
    kernel = rf.ops.hsa_kernel
    found = kernel(**moved, scale=0.1, chunk_size=64, q_positions=positions.to(device))
    whole = kernel(**moved, scale=0.1, chunk_size=64)
    assert (found[:, 2:4] == 0).all()
    keep = positions >= 0
    assert torch.equal(found[:, keep], whole[:, keep])


@pytest.mark.parametrize("device", DEVICES)
def test_other_lengths_compile_nothing(device: str) -> None:
    x = {name: t.to(device) for name, t in make(Case(B=2), torch.float32).items()}
    lengths = torch.tensor([300, 64], dtype=torch.int32, device=device)
    rf.ops.hsa(**x, chunk_size=64, num_keys=lengths)
    before = rf.ops.hsa_kernel.compilations
    lengths -= 17
    found = rf.ops.hsa(**x, chunk_size=64, num_keys=lengths)
    assert rf.ops.hsa_kernel.compilations == before
    assert torch.equal(
        found[:1], rf.ops.hsa(**{n: t[:1] for n, t in x.items()}, chunk_size=64, num_keys=283)
    )


def lengths(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)


WRONG: dict[str, tuple[dict[str, Any], type[Exception], list[str]]] = {
    "num_keys int64": ({"num_keys": lengths(1, 2).long()}, TypeError, ["num_keys", "int32"]),
    "num_keys of another batch": ({"num_keys": lengths(1, 2, 3)}, ValueError, ["num_keys", "3"]),
    "num_keys of rank 0": ({"num_keys": lengths(1)[0]}, ValueError, ["num_keys", "[B]"]),
    "num_keys a list": ({"num_keys": [1, 2]}, ValueError, ["num_keys", "int32 array"]),
    "num_keys on another device": (
        {"num_keys": torch.empty(2, dtype=torch.int32, device="meta")},
        TypeError,
        ["num_keys"],
    ),
    "q_start float": ({"q_start": lengths(1, 2).float()}, TypeError, ["q_start", "int32"]),
    "q_start of rank 2": ({"q_start": lengths(1, 2)[None]}, ValueError, ["q_start", "[B]"]),
    "q_positions a number": ({"q_positions": 3}, TypeError, ["q_positions", "int"]),
    "q_positions of another length": (
        {"q_positions": lengths(1, 2, 3)},
        ValueError,
        ["q_positions", "3", "37"],
    ),
    "q_positions of rank 3": (
        {"q_positions": lengths(1)[None, None]},
        ValueError,
        ["q_positions", "[B, L]"],
    ),
    "q_start and q_positions": (
        {"q_start": 1, "q_positions": torch.arange(37, dtype=torch.int32)},
        ValueError,
        ["q_start", "q_positions", "both"],
    ),
    "validate, too many keys": (
        {"num_keys": lengths(300, 301), "validate": True},
        ValueError,
        ["300", "301", "[1]"],
    ),
    "validate, a chunk beyond": (
        {"num_keys": lengths(300, 64), "validate": True},
        ValueError,
        ["indices", "[0, 1)"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_lengths(name: str) -> None:
    options, error, words = WRONG[name]
    x = make(Case(B=2), torch.float32)
    with pytest.raises(error) as caught:
        rf.ops.hsa_kernel(**x, scale=1.0, chunk_size=64, **options)
    assert isinstance(caught.value, rf.Error)
    assert all(word in str(caught.value) for word in words), str(caught.value)
