# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ready-made variants where PyTorch traces, recomputes or has other arrays than its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import test_ops_gca
import test_ops_hils
import test_ops_hsa
import test_ops_moba
import test_ops_sliding_hsa
import test_ops_sliding_window
import torch
from numerics import DEVICES, EPS
from test_ops_snapshots import CASES
from torch.utils.checkpoint import checkpoint
from variant_checks import Arrays, Sizes, gradients, listed, to

import ramify as rf

Z = Sizes()


def sliding_hsa(x: Arrays) -> torch.Tensor:
    return rf.ops.sliding_hsa(**x, chunk_size=Z.S, window=20)


def moba(x: Arrays) -> tuple[torch.Tensor, ...]:
    return rf.ops.moba(**x, chunk_size=Z.S, top_k=Z.K)[:2]


OPS: dict[str, tuple[Callable[..., Any], Arrays]] = {
    "sliding_window": (
        test_ops_sliding_window.call(Z, "sink"),
        test_ops_sliding_window.arrays(Z, True),
    ),
    "sliding_hsa": (sliding_hsa, test_ops_sliding_hsa.arrays(Z)),
    "select and hsa": (test_ops_hsa.op(Z, "softmax_1"), test_ops_hsa.arrays(Z)),
    "gca": (test_ops_gca.op(Z), test_ops_gca.arrays(Z)),
    "moba": (moba, test_ops_moba.arrays(Z)),
    "hils": (test_ops_hils.op(Z), test_ops_hils.arrays(Z)),
}


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


WAYS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "compiled": lambda op: torch.compile(op, fullgraph=True, backend="aot_eager"),
    "compiled for any length": lambda op: torch.compile(
        op, fullgraph=True, backend="aot_eager", dynamic=True
    ),
    "checkpoint": lambda op: lambda x: checkpoint(op, x, use_reentrant=False),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPS)
def test_gradients_are_the_same(name: str, way: str) -> None:
    op, x = OPS[name]
    x = to(x, torch.float32)
    for one, other in zip(gradients(WAYS[way](op), x), gradients(op, x), strict=True):
        scale = max(1.0, other.abs().max().item())
        assert (one - other).abs().max().item() <= 10 * EPS[torch.float32] * scale


@pytest.mark.parametrize("name", OPS)
def test_arrays_of_numpy(name: str) -> None:
    op, x = OPS[name]
    x = to(x, torch.float32)
    results = listed(op({n: t.numpy() for n, t in x.items()}))
    for one, other in zip(results, listed(op(x)), strict=True):
        assert isinstance(one, np.ndarray)
        np.testing.assert_array_equal(one, other.numpy())


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("sizes", [{"B": 0}, {"L": 0, "N": 70}], ids=str)
def test_nothing_in_nothing_out(name: str, sizes: dict[str, int]) -> None:
    op, x = OPS[name]
    x = to(x, torch.float32)
    if "B" in sizes:
        x = {n: t[:0] for n, t in x.items()}
    else:
        rows = {"q", "r", "weights", "indices"}
        x = {n: t[:, :0] if n in rows else t for n, t in x.items()}
    for out in listed(op(x)):
        assert out.numel() == 0 and out.shape[:2] == x["q"].shape[:2]


@pytest.mark.parametrize("name", OPS)
def test_what_is_no_array(name: str) -> None:
    op, x = OPS[name]
    x = to(x, torch.float32)
    for wrong in x:
        for value in (3, None, "q"):
            if (wrong, value) == ("indices", None):  # that is, no listed chunks
                continue
            with pytest.raises(rf.Error):
                op({**x, wrong: value})
        with pytest.raises(rf.Error):
            op({**x, wrong: x[wrong][0, 0]})


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("has_gradients", [False, True], ids=["plain", "gradients"])
@pytest.mark.parametrize("name", CASES)
def test_opcheck(name: str, has_gradients: bool, device: str) -> None:
    """PyTorch's own checks of an operator: schema, autograd, shapes without data, tracing."""
    function, arrays, options = CASES[name]
    operator = rf.torch_op(function)
    x = [arrays[each].to(device) for each in operator.schema.arrays]
    x = [t.float().requires_grad_(has_gradients) if t.is_floating_point() else t for t in x]
    torch.library.opcheck(operator.overload, tuple(x), operator.schema.encode(options))


LENGTHS = [70, 41]


@pytest.mark.parametrize("name", ["sliding_window", "sliding_hsa", "moba", "hils"])
def test_lengths_of_each_sequence(name: str) -> None:
    x = to(OPS[name][1], torch.float32)
    options: dict[str, dict[str, int]] = {
        "sliding_window": {"window": 20, "sink": 5},
        "sliding_hsa": {"window": 20},
        "moba": {"top_k": 3},
        "hils": {"window": 20, "top_k": 3},
    }
    op = getattr(rf.ops, name)
    num_keys = torch.tensor(LENGTHS, dtype=torch.int32)
    together = listed(op(**x, **options[name], chunk_size=Z.S, num_keys=num_keys))
    for b, keys in enumerate(LENGTHS):
        chunks = -(-keys // Z.S)
        cut = {"k": keys, "v": keys, "means": chunks, "landmarks": chunks, "bias": chunks}
        own = {n: t[b : b + 1, : cut.get(n, t.shape[1])] for n, t in x.items()}
        alone = listed(op(**own, **options[name], chunk_size=Z.S))
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one[b : b + 1], other, rtol=0, atol=1e-5)
