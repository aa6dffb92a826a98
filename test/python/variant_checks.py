# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of the ready-made variants share: sizes, and how close is right.

A variant is given three times: the op of `ramify.ops`, its kernels' references in NumPy float64,
and eager PyTorch. The last two agree in float64; the op is within twice the error that eager
PyTorch makes in the op's own dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numerics import EPS

Arrays = dict[str, torch.Tensor]
Results = tuple[Any, ...]


@dataclass(frozen=True)
class Sizes:
    """Of one call, in the notation of the semantics."""

    B: int = 2
    L: int = 50
    N: int = 70
    H: int = 2
    G: int = 2
    D: int = 16
    Dv: int = 32
    S: int = 16
    K: int = 3
    start: int | None = None

    def but(self, **changes: int) -> Sizes:
        return replace(self, **changes)

    @property
    def chunks(self) -> int:
        return -(-self.N // self.S)

    @property
    def places(self) -> dict[str, int]:
        """Keywords of a call."""
        return {} if self.start is None else {"q_start": self.start}


SIZES: dict[str, Sizes] = {
    "plain": Sizes(),
    "whole chunks": Sizes(L=64, N=64),
    "one query head": Sizes(G=1, H=3),
    "many query heads": Sizes(G=8, H=1, L=33),
    "one query": Sizes(L=1, N=90),
    "fewer keys than queries": Sizes(L=40, N=23),
    "more slots than chunks": Sizes(K=8),
    "before the keys": Sizes(start=-9),
    "behind the keys": Sizes(start=60),
    "longer chunks": Sizes(S=32, N=100, L=40),
}


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def attention(z: Sizes) -> Arrays:
    """q, k and v in float64."""
    return {
        "q": normal(1, z.B, z.L, z.H * z.G, z.D),
        "k": normal(2, z.B, z.N, z.H, z.D),
        "v": normal(3, z.B, z.N, z.H, z.Dv),
    }


def rows(z: Sizes, block: int) -> int:
    """Rows of a selection that blocks of queries share."""
    return -(-z.L // block)


def picks(z: Sizes, rows: int, heads: int) -> torch.Tensor:
    """Chunks of any order, some of no chunk."""
    g = torch.Generator().manual_seed(4)
    shape = (z.B, rows, heads, z.K)
    return torch.randint(-1, z.chunks + 1, shape, generator=g, dtype=torch.int32)


def to(x: Arrays, dtype: torch.dtype) -> Arrays:
    return {n: t.to(dtype) if t.is_floating_point() else t for n, t in x.items()}


def on(x: Arrays, device: str) -> Arrays:
    return {n: t.to(device) for n, t in x.items()}


def as_numpy(x: Arrays) -> dict[str, Any]:
    """For a reference: float64, and integers as they are."""
    return {n: t.double().numpy() if t.is_floating_point() else t.numpy() for n, t in x.items()}


def listed(results: Any) -> Results:
    return results if isinstance(results, tuple) else (results,)


def assert_within(found: torch.Tensor, own: torch.Tensor, right: torch.Tensor, eps: float) -> None:
    """The tolerance: twice PyTorch's own error, and a little."""
    assert found.shape == right.shape
    finite = torch.isfinite(right)
    assert torch.equal(found.double()[~finite], right[~finite])
    if not finite.any():
        return
    error = (own.double() - right)[finite].abs().max().item()
    bound = 2 * error + eps * max(1.0, right[finite].abs().max().item())
    assert (found.double() - right)[finite].abs().max().item() <= bound


def check_forward(
    x: Arrays,
    dtype: torch.dtype,
    op: Callable[[Arrays], Any],
    eager: Callable[[Arrays], Any],
    reference: Callable[[dict[str, Any]], Any],
    device: str = "cpu",
) -> None:
    """The op's results on a device, in float32 or in 16 bits."""
    x = to(x, dtype)
    exact = to(x, torch.float64)
    rights = [torch.from_numpy(r) for r in listed(reference(as_numpy(x)))]
    for right, same in zip(rights, listed(eager(exact)), strict=True):
        np.testing.assert_allclose(same, right, rtol=1e-9, atol=1e-9)
    results = listed(op(on(x, device)))
    for found, own, right in zip(results, listed(eager(x)), rights, strict=True):
        assert found.device.type == device
        assert_within(found.cpu(), own, right, EPS[dtype])


def gradients(step: Callable[[Arrays], Any], x: Arrays) -> list[torch.Tensor]:
    """Gradients of the results, weighed by some numbers, by all float tensors."""
    leaves = {n: t.clone().requires_grad_() if t.is_floating_point() else t for n, t in x.items()}
    loss: Any = 0.0
    for number, out in enumerate(listed(step(leaves))):
        d_out = normal(7 + number, *out.shape).to(out)
        loss = loss + torch.where(torch.isfinite(out), out * d_out, 0.0).sum()
    wanted = [t for t in leaves.values() if t.requires_grad]
    return list(torch.autograd.grad(loss, wanted, materialize_grads=True))


def check_gradients(
    x: Arrays,
    op: Callable[[Arrays], Any],
    eager: Callable[[Arrays], Any],
    device: str = "cpu",
) -> None:
    """All gradients of the op on a device, in float32, against eager PyTorch's in float64."""
    narrow = to(x, torch.float32)
    exact = to(narrow, torch.float64)
    for found, own, right in zip(
        gradients(op, on(narrow, device)),
        gradients(eager, narrow),
        gradients(eager, exact),
        strict=True,
    ):
        assert found.device.type == device and torch.isfinite(found).all()
        assert_within(found.cpu(), own, right, EPS[torch.float32])
