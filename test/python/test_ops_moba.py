# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`rf.ops.moba`: blocks by their mean keys, for each query head, under one softmax."""

from __future__ import annotations

from typing import Any

import eager_variants as eager
import numpy as np
import pytest
import test_gradients
import torch
from arguments import random_arguments
from numerics import DEVICES
from variant_checks import (
    SIZES,
    Arrays,
    Sizes,
    attention,
    check_forward,
    check_gradients,
    normal,
    on,
    to,
)

import ramify as rf
from ramify.ops import moba, moba_kernel

SCALE = 0.3


def arrays(z: Sizes) -> Arrays:
    """q, k, v, and means: of the keys that there are in the last block."""
    x = attention(z)
    blocks = x["k"].split(z.S, dim=1)
    return {**x, "means": torch.stack([block.mean(1) for block in blocks], 1)}


def picks(x: Arrays, z: Sizes) -> torch.Tensor:
    """Nearest first, by a loop over the rules."""
    q, means = x["q"].double(), eager.of_heads(x["means"].double(), x["q"].shape[2])
    s = torch.einsum("blhd,bchd->blhc", q, means)
    t, _ = eager.places(x["q"], x["k"], z.start)
    c = torch.arange(z.chunks)
    end = torch.clamp((c + 1) * z.S, max=z.N)
    key = s.where(end <= t, -torch.inf)
    key = key.where(~((c * z.S <= t) & (t < end)), torch.inf)
    best, indices = key.topk(min(z.K, z.chunks), dim=-1)
    indices = indices.where(best > -torch.inf, -1).sort(-1, descending=True).values
    return torch.nn.functional.pad(indices, (0, z.K - indices.shape[-1]), value=-1)


def options_of(z: Sizes) -> dict[str, Any]:
    return {"top_k": z.K, "scale": SCALE, "chunk_size": z.S, **z.places}


def plain(z: Sizes) -> Any:
    def run(x: Arrays) -> Any:
        i = picks({name: t.detach() for name, t in x.items()}, z)
        return eager.moba(x["q"], x["k"], x["v"], i, z.S, SCALE, z.start)

    return run


def check(z: Sizes, dtype: torch.dtype, device: str) -> None:
    options = options_of(z)
    check_forward(
        arrays(z),
        dtype,
        lambda x: moba(**x, **options)[:2],
        plain(z),
        lambda x: moba_kernel.reference(**x, **options)[:2],
        device,
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", SIZES)
def test_forward(size: str, device: str) -> None:
    check(SIZES[size], torch.float32, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_forward_in_16_bits(dtype: torch.dtype, device: str) -> None:
    check(Sizes(), dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", SIZES)
def test_picks(size: str, device: str) -> None:
    z = SIZES[size]
    x = to(arrays(z), torch.float32)
    _, _, indices = moba(**on(x, device), **options_of(z))
    assert indices.shape == (z.B, z.L, z.H * z.G, z.K) and indices.dtype == torch.int32
    assert torch.equal(indices.cpu().long(), picks(x, z))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", ["plain", "many query heads", "before the keys"])
def test_gradients_by_autograd(size: str, device: str) -> None:
    z = SIZES[size]
    check_gradients(arrays(z), lambda x: moba(**x, **options_of(z))[:2], plain(z), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("sizes", [{}, {"L": 33, "N": 33, "G": 1}], ids=str)
def test_gradients_by_finite_differences(sizes: dict[str, int], device: str) -> None:
    given = random_arguments(moba_kernel.signature, **sizes)
    options = {"scale": SCALE, "top_k": 3, "chunk_size": 16}
    test_gradients.check(moba_kernel, given, options, device)


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_when_means_are_of_the_keys(device: str) -> None:
    z = Sizes(L=64, N=64)
    x = attention(z)

    def op(x: Arrays) -> Any:
        means = x["k"].unflatten(1, (-1, z.S)).mean(2)
        return moba(**x, means=means, **options_of(z))[:2]

    def eager_op(x: Arrays) -> Any:
        return plain(z)({**x, "means": x["k"].unflatten(1, (-1, z.S)).mean(2)})

    check_gradients(x, op, eager_op, device)


def test_gradients_of_numpy_arrays() -> None:
    """The kernel's own gradients, with picks among its results; means have none."""
    z = Sizes()
    x = to(arrays(z), torch.float32)
    given = {**{name: t.numpy() for name, t in x.items()}, **options_of(z)}
    derivative = moba_kernel.derivative(("q", "k", "v", "means"))
    (out, lse, indices), saved = derivative.forward(**given)
    for mine, plain_result in zip((out, lse, indices), moba_kernel(**given), strict=True):
        np.testing.assert_array_equal(mine, plain_result)
    d_out = normal(9, *out.shape).float().numpy()
    found = derivative.backward(saved, (d_out, None, None), **given)
    leaves = {name: t.double().requires_grad_() for name, t in x.items()}
    value, _ = plain(z)(leaves)
    (value * torch.from_numpy(d_out)).sum().backward()
    for name, grad in zip("qkv", found[:3], strict=True):
        right = leaves[name].grad.numpy()
        np.testing.assert_allclose(grad, right, rtol=0, atol=1e-5 * abs(right).max())
    assert found[3].shape == x["means"].shape and not found[3].any()


def test_one_launch_back() -> None:
    """What the picks were is saved: the gradient does not select again."""
    z = Sizes()
    given = {**to(arrays(z), torch.float32), **options_of(z)}
    text = moba_kernel.ir("backward", **given, wrt=("q", "k", "v"))
    assert "hsa.topk" not in text and "hsa.stream" not in text
    assert "hsa.selected %saved_0" in text


@pytest.mark.parametrize("top_k", [0, 129])
def test_wrong_number_of_picks(top_k: int) -> None:
    x = to(arrays(Sizes()), torch.float32)
    with pytest.raises(rf.ArgumentError, match=f"top_k: expected an int from 1 to 128, .*{top_k}"):
        moba(**x, chunk_size=16, top_k=top_k)
