# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients through autograd: plain calls, traced, recomputed; refused the second time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import test_frontend as written
import torch
from arguments import random_arguments
from numerics import DEVICES, EPS, Case, make
from peers import eager
from torch.utils.checkpoint import checkpoint

import ramify as rf
import ramify.language as rl

CASE = Case(B=2, L=19, N=150, D=32, S=32)
OPTIONS: dict[str, Any] = {"scale": 0.2, "chunk_size": 32}
NAMES = ("q", "k", "v", "weights")
Inputs = dict[str, torch.Tensor]
Step = Callable[[Inputs], torch.Tensor]


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def gradients(step: Step, x: Inputs) -> list[torch.Tensor]:
    """The result and the gradients by all float tensors, for some gradient of the result."""
    leaves = {n: t.clone().requires_grad_() if t.is_floating_point() else t for n, t in x.items()}
    out = step(leaves)
    d_out = torch.randn(out.shape, generator=torch.Generator().manual_seed(3)).to(out)
    return [out, *torch.autograd.grad(out, [leaves[n] for n in NAMES], d_out)]


def inputs(device: str) -> Inputs:
    return {name: t.to(device) for name, t in make(CASE, torch.float32).items()}


def hsa(x: Inputs) -> torch.Tensor:
    return rf.ops.hsa(**x, **OPTIONS)


STEPS: dict[str, Step] = {
    "plain": hsa,
    "kernel": lambda x: rf.ops.hsa_kernel(**x, **OPTIONS),
    "operator": lambda x: rf.torch_op(rf.ops.hsa_kernel)(**x, **OPTIONS),
    "eager": torch.compile(hsa, fullgraph=True, backend="eager"),
    "aot_eager": torch.compile(hsa, fullgraph=True, backend="aot_eager"),
    "aot_eager, any shape": torch.compile(hsa, fullgraph=True, backend="aot_eager", dynamic=True),
    "union": lambda x: rf.ops.hsa_kernel.options(schedule="union")(**x, **OPTIONS),
    "split_kv": lambda x: rf.ops.hsa_kernel.options(schedule="split_kv")(**x, **OPTIONS),
    "checkpoint": lambda x: checkpoint(hsa, x, use_reentrant=False),
}


def wide(x: Inputs) -> Inputs:
    return {n: t.double() if t.is_floating_point() else t for n, t in x.items()}


def assert_close(found: list[torch.Tensor], step: Step, x: Inputs) -> None:
    """Within the tolerance of `step` in PyTorch: twice its own error against float64."""
    exact, own = gradients(step, wide(x)), gradients(step, x)
    for one, right, other in zip(found, exact, own, strict=True):
        error = (other.double() - right).abs().max().item()
        bound = 2 * error + EPS[torch.float32] * max(1.0, right.abs().max().item())
        assert one.shape == right.shape
        assert (one.double() - right).abs().max().item() <= bound


def reference(x: Inputs) -> torch.Tensor:
    return eager.hsa(**x, **OPTIONS)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", STEPS)
def test_gradients(name: str, device: str) -> None:
    x = inputs(device)
    assert_close(gradients(STEPS[name], x), reference, x)


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_bits_where_pytorch_asks_for_them(device: str) -> None:
    x = inputs(device)
    torch.use_deterministic_algorithms(True)
    try:
        first, again = gradients(hsa, x), gradients(hsa, x)
    finally:
        torch.use_deterministic_algorithms(False)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)
    assert_close(first, reference, x)


@pytest.mark.parametrize("device", DEVICES)
def test_layers_share_a_selection(device: str) -> None:
    def two(x: Inputs, layer: Step) -> torch.Tensor:
        return layer({**x, "q": layer(x)})

    x = inputs(device)
    found = gradients(lambda x: two(x, hsa), x)
    assert_close(found, lambda x: two(x, reference), x)


@pytest.mark.parametrize("device", DEVICES)
def test_keys_that_are_not_there_have_no_gradient(device: str) -> None:
    def shorter(x: Inputs) -> torch.Tensor:
        return reference({**x, "k": x["k"][:, :100], "v": x["v"][:, :100]})

    x = inputs(device)
    operator = rf.torch_op(rf.ops.hsa_kernel)
    for step in (operator, rf.ops.hsa_kernel):
        found = gradients(lambda x, step=step: step(**x, **OPTIONS, num_keys=100), x)
        assert_close(found, shorter, x)


@pytest.mark.parametrize("device", DEVICES)
def test_lengths_of_each_sequence(device: str) -> None:
    lengths = [150, 70]

    def sequences(x: Inputs) -> torch.Tensor:
        outs = []
        for b, keys in enumerate(lengths):
            own = {name: t[b : b + 1] for name, t in x.items()}
            there = own["indices"] < -(-keys // CASE.S)
            own["indices"] = own["indices"].where(there, -1)
            outs.append(reference({**own, "k": own["k"][:, :keys], "v": own["v"][:, :keys]}))
        return torch.cat(outs)

    x = inputs(device)
    num_keys = torch.tensor(lengths, dtype=torch.int32, device=device)
    found = gradients(lambda x: rf.ops.hsa(**x, **OPTIONS, num_keys=num_keys), x)
    assert_close(found, sequences, x)


@pytest.mark.parametrize("device", DEVICES)
def test_padding_rows_have_no_gradient_whatever_stands_there(device: str) -> None:
    positions = torch.arange(CASE.L, dtype=torch.int32, device=device)
    positions[3:6] = -1
    keep = (positions >= 0).nonzero().flatten()

    def without(x: Inputs) -> torch.Tensor:
        rows = {name: x[name][:, keep] for name in ("q", "weights", "indices")}
        return torch.zeros_like(x["q"]).index_copy(1, keep, reference({**x, **rows}))

    x = inputs(device)
    x["q"][:, 3:6] = float("nan")
    found = gradients(lambda x: rf.ops.hsa_kernel(**x, **OPTIONS, q_positions=positions), x)
    assert all(torch.isfinite(t).all() for t in found)
    assert_close(found, without, x)


@pytest.mark.parametrize("device", DEVICES)
def test_only_what_is_asked_for(device: str) -> None:
    x = inputs(device)
    x["k"].requires_grad_()
    d_out = torch.ones_like(x["q"])
    out = hsa(x)
    out.backward(d_out)
    assert all(x[n].grad is None for n in ("q", "v", "weights"))
    assert torch.isfinite(x["k"].grad).all()  # type: ignore[arg-type]
    with torch.no_grad():
        assert not hsa(x).requires_grad


@pytest.mark.parametrize("device", DEVICES)
def test_autocast(device: str) -> None:
    x = inputs(device)
    with torch.autocast(device, dtype=torch.bfloat16):
        found = gradients(hsa, x)
    assert found[0].dtype == torch.bfloat16
    exact = gradients(reference, wide(x))
    for one, right in zip(found[1:], exact[1:], strict=True):
        assert one.dtype == torch.float32
        limit = 0.05 * right.abs().max().item()
        assert (one.double() - right).abs().max().item() <= limit


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("function", "options"),
    [(written.hsa, {"scale": 0.3}), (written.joint, {"scale": 0.3})],
    ids=["hsa", "joint"],
)
def test_opcheck(function: rf.JitFunction, options: dict[str, Any], device: str) -> None:
    x = [torch.from_numpy(a).to(device) for a in random_arguments(function.signature).values()]
    x = [t.requires_grad_() if t.is_floating_point() else t for t in x]
    torch.library.opcheck(function.operator.overload, tuple(x), {**options, "chunk_size": 16})


def test_second_derivatives_are_refused() -> None:
    x = inputs("cpu")
    x["q"].requires_grad_()
    (first,) = torch.autograd.grad(hsa(x).square().sum(), x["q"], create_graph=True)
    with pytest.raises(rf.GradientError, match="a second one"):
        first.sum().backward()


@rf.jit
def own_chunk(q: rl.Query, k: rl.Chunks, v: rl.Chunks):
    acc = rl.online_softmax(q, v)
    for c in rl.own(k):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@own_chunk.gradient
def _(d_out: Any, out: Any, q: Any, k: Any, v: Any, **options: Any) -> dict[str, Any]:
    return {"q": d_out, "k": k * out.shape[1]}


@rf.jit
def own_chunk_and_lse(q: rl.Query, k: rl.Chunks, v: rl.Chunks):
    acc = rl.online_softmax(q, v)
    for c in rl.own(k):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value, acc.lse


@own_chunk_and_lse.gradient
def _(d_outs: Any, outs: Any, q: Any, k: Any, v: Any, **options: Any) -> dict[str, Any]:
    assert [x.shape for x in d_outs] == [x.shape for x in outs]
    return {"q": d_outs[0] * 3 + d_outs[1][..., None]}


def plain(x: Inputs, q: torch.Tensor) -> Any:
    return own_chunk(q, x["k"], x["v"], chunk_size=32)


@pytest.mark.parametrize(
    "step",
    [plain, torch.compile(plain, fullgraph=True, backend="aot_eager")],
    ids=["plain", "compiled"],
)
def test_a_gradient_of_ones_own(step: Callable[[Inputs, torch.Tensor], torch.Tensor]) -> None:
    """It gets tensors, as it does from `backward`, and may return what it got."""
    x = inputs("cpu")
    q = x["q"].clone().requires_grad_()
    k = x["k"].clone().requires_grad_()
    out = step({**x, "k": k}, q)
    d_out = torch.randn_like(out)
    dq, dk = torch.autograd.grad(out, [q, k], d_out)
    assert torch.equal(dq, d_out) and torch.equal(dk, x["k"] * q.shape[1])


def test_a_gradient_of_ones_own_gets_zeros_for_what_is_not_used() -> None:
    x = inputs("cpu")
    q = x["q"].clone().requires_grad_()
    value, _ = own_chunk_and_lse(q, x["k"], x["v"], chunk_size=32)
    (dq,) = torch.autograd.grad(value.sum(), [q])
    assert (dq == 3).all()
