# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`rf.ops.sliding_window`: window, sink and listed chunks under one softmax."""

from __future__ import annotations

from typing import Any

import eager_variants as eager
import pytest
import test_gradients
import torch
from arguments import random_arguments
from numerics import DEVICES, EPS, assert_same
from test_gradients import fetch, put_all
from variant_checks import SIZES, Arrays, Sizes, attention, check_forward, check_gradients, picks

import ramify as rf
from ramify.ops import listed_window_kernel, sliding_window, sliding_window_kernel

SCALE = 0.3
PATTERNS = {"window": (20, 0), "sink": (20, 5), "overlap": (50, 40), "one key": (1, 0)}


def arrays(z: Sizes, has_list: bool) -> Arrays:
    more = {"indices": picks(z, z.L, z.H)} if has_list else {}
    return {**attention(z), **more}


def call(z: Sizes, pattern: str) -> Any:
    window, sink = PATTERNS[pattern]
    options = {"chunk_size": z.S, "window": window, "sink": sink, "scale": SCALE, **z.places}
    return lambda x: sliding_window(**x, **options)


def plain(z: Sizes, pattern: str) -> Any:
    last, sink = PATTERNS[pattern]

    def run(x: Arrays) -> Any:
        chunks = (x["indices"], z.S) if "indices" in x else None
        q, k, v = (x[name] for name in "qkv")
        return eager.window(q, k, v, last, SCALE, sink, z.start, listed=chunks)

    return run


def reference(z: Sizes, pattern: str) -> Any:
    window, sink = PATTERNS[pattern]
    options = {"chunk_size": z.S, "window": window, "sink": sink, "scale": SCALE, **z.places}

    def run(x: dict[str, Any]) -> Any:
        kernel = listed_window_kernel if "indices" in x else sliding_window_kernel
        return kernel.reference(**x, **options)

    return run


def check(
    z: Sizes, pattern: str, has_list: bool, device: str, dtype: torch.dtype = torch.float32
) -> None:
    x = arrays(z, has_list)
    check_forward(x, dtype, call(z, pattern), plain(z, pattern), reference(z, pattern), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("has_list", [False, True], ids=["ranges", "listed"])
@pytest.mark.parametrize("size", SIZES)
def test_forward(size: str, has_list: bool, device: str) -> None:
    check(SIZES[size], "sink", has_list, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("has_list", [False, True], ids=["ranges", "listed"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern: str, has_list: bool, device: str) -> None:
    check(Sizes(), pattern, has_list, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_forward_in_16_bits(dtype: torch.dtype, device: str) -> None:
    check(Sizes(), "sink", True, device, dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("has_list", [False, True], ids=["ranges", "listed"])
@pytest.mark.parametrize("size", ["plain", "many query heads", "before the keys"])
def test_gradients_by_autograd(size: str, has_list: bool, device: str) -> None:
    z = SIZES[size]
    check_gradients(arrays(z, has_list), call(z, "sink"), plain(z, "sink"), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kernel", [sliding_window_kernel, listed_window_kernel])
def test_gradients_by_finite_differences(kernel: rf.JitFunction, device: str) -> None:
    given = random_arguments(kernel.signature)
    options = {"scale": SCALE, "window": 20, "sink": 5, "chunk_size": 16}
    test_gradients.check(kernel, given, options, device)


@pytest.mark.parametrize("device", DEVICES)
def test_listed_chunks_in_the_window_change_nothing(device: str) -> None:
    x = {n: t.float().to(device) for n, t in attention(Sizes()).items()}
    own = (20 + torch.arange(50)) // 16
    indices = own.int().view(1, 50, 1, 1).expand(2, 50, 2, 1).contiguous().to(device)
    options = {"chunk_size": 16, "window": 32}
    alone, _ = sliding_window(**x, **options)
    listed, _ = sliding_window(**x, indices=indices, **options)
    assert_same(listed.cpu().numpy(), alone.cpu().numpy(), device, cpu=EPS[torch.float32])


@pytest.mark.parametrize("device", DEVICES)
def test_whatever_the_chunks_are(device: str) -> None:
    x = put_all({n: t.float().numpy() for n, t in attention(Sizes()).items()}, device)
    results = [sliding_window(**x, chunk_size=s, window=21, sink=3)[0] for s in (16, 32, 64)]
    first, *others = fetch(results)
    for other in others:
        assert_same(other, first, device, cpu=EPS[torch.float32])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"window": 0}, rf.ArgumentError, r"window: expected an int >= 1, found 0"),
        ({"window": 2.0}, rf.ArgumentTypeError, r"window: expected an int >= 1, found 2.0"),
        ({"window": 4, "sink": -1}, rf.ArgumentError, r"sink: expected an int >= 0, found -1"),
        ({"window": True}, rf.ArgumentTypeError, r"window: expected an int >= 1, found True"),
    ],
)
def test_wrong_numbers(options: dict[str, Any], error: type[Exception], message: str) -> None:
    x = {n: t.float() for n, t in attention(Sizes()).items()}
    with pytest.raises(error, match=message):
        sliding_window(**x, chunk_size=16, **options)
