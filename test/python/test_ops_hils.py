# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`rf.ops.hils`: selected chunks and a window that share a normaliser."""

from __future__ import annotations

from typing import Any

import eager_variants as eager
import pytest
import test_gradients
import torch
from variant_checks import (
    SIZES,
    Arrays,
    Sizes,
    attention,
    check_forward,
    check_gradients,
    normal,
    to,
)

import ramify as rf
from ramify.ops import hils, hils_kernel, hils_select_kernel

SCALE, WINDOW = 0.3, 20


def arrays(z: Sizes, has_batch: bool = True) -> Arrays:
    heads = z.H * z.G
    shape = (z.B, z.chunks, heads) if has_batch else (z.chunks, heads)
    return {
        **attention(z),
        "landmarks": normal(5, z.B, z.chunks, heads, z.D),
        "bias": normal(6, *shape),
    }


def picks(x: Arrays, z: Sizes) -> torch.Tensor:
    """Nearest first, by the largest share that a query head of the group gives."""
    x = to({name: t.detach() for name, t in x.items()}, torch.float64)
    t, _ = eager.places(x["q"], x["k"], z.start)
    _, lse = eager.window(x["q"], x["k"], x["v"], WINDOW, SCALE, start=z.start, align=z.S)
    end = (torch.arange(z.chunks) + 1) * z.S
    s = eager.logits(x["q"], x["landmarks"], SCALE) + x["bias"].transpose(-1, -2)[..., None, :, :]
    s = s.where(end <= t - WINDOW + 1, -torch.inf)
    z_all = torch.cat([s, lse[..., None]], -1).logsumexp(-1, keepdim=True)
    key = (s - z_all.where(z_all > -torch.inf, 0.0)).unflatten(2, (z.H, -1)).amax(3)
    best, indices = key.topk(min(z.K, z.chunks), dim=-1)
    indices = indices.where(best > -torch.inf, -1).sort(-1, descending=True).values
    return torch.nn.functional.pad(indices, (0, z.K - indices.shape[-1]), value=-1)


def plain(z: Sizes) -> Any:
    def run(x: Arrays) -> torch.Tensor:
        return eager.hils(*x.values(), picks(x, z), z.S, SCALE, WINDOW, z.start)

    return run


def op(z: Sizes) -> Any:
    options = {"window": WINDOW, "top_k": z.K, "scale": SCALE, "chunk_size": z.S, **z.places}
    return lambda x: hils(**x, **options)


def reference(z: Sizes) -> Any:
    options = {"scale": SCALE, "chunk_size": z.S, **z.places}
    return lambda x: hils_kernel.reference(**x, window=WINDOW, size=z.S, top_k=z.K, **options)


@pytest.mark.parametrize("size", SIZES)
def test_forward(size: str) -> None:
    z = SIZES[size]
    check_forward(arrays(z), torch.float32, op(z), plain(z), reference(z))


def test_one_bias_for_all_sequences() -> None:
    z = Sizes(N=100)
    check_forward(arrays(z, False), torch.float32, op(z), plain(z), reference(z))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_forward_in_16_bits(dtype: torch.dtype) -> None:
    z = Sizes(N=100)
    check_forward(arrays(z), dtype, op(z), plain(z), reference(z))


@pytest.mark.parametrize("size", ["plain", "many query heads", "one query", "before the keys"])
def test_gradients_by_autograd(size: str) -> None:
    z = SIZES[size]
    check_gradients(arrays(z), op(z), plain(z))


def test_gradients_of_one_bias_for_all_sequences() -> None:
    z = Sizes(N=100)
    check_gradients(arrays(z, False), op(z), plain(z))


def test_gradients_by_finite_differences() -> None:
    z = Sizes(B=1, L=30, N=50)
    given = {name: x.numpy() for name, x in to(arrays(z), torch.float32).items()}
    options = {"scale": SCALE, "window": WINDOW, "size": z.S, "top_k": z.K, "chunk_size": z.S}
    test_gradients.check(hils_kernel, given, options, "cpu")


def test_picks() -> None:
    z = Sizes(N=120)
    x = to(arrays(z), torch.float32)
    options = {"window": WINDOW, "size": z.S, "top_k": z.K, "scale": SCALE, "chunk_size": z.S}
    _, share, weights, indices = hils_select_kernel(**x, **options)
    assert (indices >= 0).any() and torch.equal(indices.long(), picks(x, z))
    torch.testing.assert_close(share + weights.sum(-1), torch.ones_like(share))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 0}, "window: expected an int >= 1, found 0"),
        ({"top_k": 129}, "top_k: expected an int from 1 to 128, found 129"),
    ],
)
def test_wrong_numbers(changes: dict[str, int], message: str) -> None:
    x = to(arrays(Sizes()), torch.float32)
    with pytest.raises(rf.ArgumentError, match=message):
        hils(**x, chunk_size=16, **{"window": 16, "top_k": 2, **changes})


@pytest.mark.parametrize(
    ("length", "few", "many"), [(1, 8, 32), (9, 16, 48)], ids=["one launch", "several"]
)
def test_code_does_not_grow_with_the_query_heads(length: int, few: int, many: int) -> None:
    def lines(heads: int) -> int:
        z = Sizes(B=1, L=length, H=1, G=heads)
        given = to(arrays(z), torch.float32)
        options = {"scale": SCALE, "window": WINDOW, "size": z.S, "top_k": z.K, "chunk_size": z.S}
        return len(hils_kernel.ir("tile", **given, **options).splitlines())

    assert lines(many) < 1.1 * lines(few)


@pytest.mark.parametrize("start", [-(2**31), -(2**31) + 12, -60])
def test_queries_long_before_the_keys(start: int) -> None:
    z = Sizes(B=1, start=start)
    x = to(arrays(z), torch.float32)
    assert not op(z)(x).any()


def test_infinite_values_of_keys_that_the_window_does_not_have() -> None:
    z = Sizes(B=1, L=40, N=70, start=20)
    x = to(arrays(z), torch.float32)
    x["v"][:, 60:] = torch.inf
    found, right = op(z)(x), reference(z)({n: t.numpy() for n, t in x.items()})
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found, torch.from_numpy(right).float(), rtol=1e-4, atol=1e-5)
