# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients against float64, most in 16 bits, bounded by the error of PyTorch's own autograd.

PyTorch gathers chunks and multiplies by einsum in the inputs' dtype, with a softmax in float32;
its gradients are those that autograd derives.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from numerics import DEVICES, EPS, Case, make
from peers import eager
from test_select_gradients import CHOICES, weights_of

import ramify as rf
import ramify.language as rl
from ramify.ops.select import select_arguments, select_kernel

DTYPES = [torch.bfloat16, torch.float16]
Inputs = dict[str, torch.Tensor]
Step = Callable[[Inputs], tuple[torch.Tensor, ...]]


def wide(x: Inputs) -> Inputs:
    return {n: t.double() if t.is_floating_point() else t for n, t in x.items()}


def autograd(step: Step, x: Inputs, names: tuple[str, ...], d_outs: list[Any]) -> list[Any]:
    """PyTorch's gradients by `names`."""
    leaves = {n: t.clone().requires_grad_() if n in names else t for n, t in x.items()}
    outs = step(leaves)
    given = [d_out.to(out.dtype) for d_out, out in zip(d_outs, outs, strict=True)]
    return list(torch.autograd.grad(outs, [leaves[n] for n in names], given))


def gradients(
    fn: rf.JitFunction, x: Inputs, options: dict[str, Any], names: tuple[str, ...]
) -> tuple[list[torch.Tensor], list[torch.Tensor], tuple[torch.Tensor, ...]]:
    """Ramify's, with the gradients of the results that they are for, and the results."""
    derivative = fn.derivative(names)
    outs, saved = derivative.forward(**x, **options)
    outs = outs if isinstance(outs, tuple) else (outs,)
    g = torch.Generator().manual_seed(7)
    d_outs = [torch.randn(o.shape, generator=g).to(o) for o in outs if o.is_floating_point()]
    filled = iter(d_outs)
    listed = tuple(next(filled) if o.is_floating_point() else None for o in outs)
    grads = derivative.backward(saved, listed, **x, **options)
    return [t.cpu() for t in grads], [t.cpu() for t in d_outs], outs


def assert_bounded(found: list[Any], own: list[Any], exact: list[Any], dtype: torch.dtype) -> None:
    """max|e| <= 2 max|e_torch| + eps max(1, max|ref|), for each gradient."""
    for one, other, right in zip(found, own, exact, strict=True):
        assert one.shape == right.shape and one.dtype == other.dtype
        error = (one.double() - right).abs().max().item()
        theirs = (other.double() - right).abs().max().item()
        assert error <= 2 * theirs + EPS[dtype] * max(1.0, right.abs().max().item())


# ---- hsa ------------------------------------------------------------------------

BASE = Case(L=37, N=300, K=4)
HSA_CASES = {
    "base": BASE,
    "G=16": BASE.but(G=16, H=1),
    "G=1": BASE.but(G=1, H=4),
    "D=128": BASE.but(D=128),
    "D=80, Dv=40": BASE.but(D=80, Dv=40),
    "S=16": BASE.but(S=16, K=8),
    "S=128": BASE.but(S=128),
    "softmax_1": BASE.but(n=1.0),
    "weights per query head": BASE.but(weight_heads="query"),
    "q_block=4": BASE.but(q_block=4),
    "duplicates": BASE.but(corner="duplicates"),
    "empty in the middle": BASE.but(corner="empty in the middle"),
    "last chunk": BASE.but(corner="last chunk"),
    "N < S": BASE.but(N=7),
    "one chunk for all": BASE.but(N=64, L=200, K=2),
    "large logits": BASE.but(logits=8.0),
}


def random_case(seed: int) -> Case:
    """Sizes of any kind together, some slots empty."""
    r = random.Random(seed)
    return Case(
        B=r.randint(1, 3),
        L=r.randint(1, 60),
        N=r.randint(1, 400),
        H=r.randint(1, 2),
        G=r.choice([1, 2, 3, 4, 8]),
        D=r.choice([16, 32, 80, 96, 128]),
        Dv=r.choice([16, 48, 64]),
        S=r.choice([16, 32, 48, 64, 128]),
        K=r.randint(2, 9),
        q_block=r.choice([1, 1, 3, 16]),
        n=r.choice([0.0, 1.0]),
        weight_heads=r.choice(["one", "kv", "query"]),
        corner="nan at empty",
    )


CORNERS = {
    "all empty": BASE.but(corner="all empty"),
    "out of range": BASE.but(corner="out of range"),
    "nan at empty": BASE.but(corner="nan at empty"),
    "D=16": BASE.but(D=16),
    "D=96": BASE.but(D=96),
    "D=192": BASE.but(D=192, L=19),
    "S=32": BASE.but(S=32),
    "S=256": BASE.but(S=256, N=900, L=19),
    "G=2": BASE.but(G=2),
    "G=8": BASE.but(G=8, H=1),
    "G=12": BASE.but(G=12, H=1),
    "huge logits": BASE.but(logits=100.0),
    "tiny logits": BASE.but(logits=1e-6),
    **{f"seed {seed}": random_case(seed) for seed in range(4)},
}


def check_hsa(case: Case, dtype: torch.dtype, device: str, **choices: Any) -> None:
    names = ("q", "k", "v", "weights")
    x = make(case, dtype)
    own = {"scale": case.D**-0.5, "softmax_n": case.n, "chunk_size": case.S}
    own["q_block"] = case.q_block

    def step(x: Inputs) -> tuple[torch.Tensor, ...]:
        return (eager.hsa(**x, **own),)

    there = {n: t.to(device) for n, t in x.items()}
    found, d_outs, _ = gradients(rf.ops.hsa_kernel.options(**choices), there, own, names)
    assert_bounded(
        found, autograd(step, x, names, d_outs), autograd(step, wide(x), names, d_outs), dtype
    )
    empty = (x["indices"] < 0) | (x["indices"] >= -(-case.N // case.S))
    if case.weight_heads == case.index_heads:
        assert not found[3][empty].any()
    none = empty.all(-1).repeat_interleave(case.q_block, 1)[:, : case.L]
    assert not found[0][none.repeat_interleave(case.G, 2)].any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", HSA_CASES)
def test_hsa(name: str, dtype: torch.dtype, device: str) -> None:
    check_hsa(HSA_CASES[name], dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", ["auto", "query_major"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", CORNERS)
def test_corners_of_hsa(name: str, dtype: torch.dtype, schedule: str, device: str) -> None:
    check_hsa(CORNERS[name], dtype, device, schedule=schedule)


# ---- one softmax over all that was selected -----------------------------------------


@rf.jit
def joint(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float):
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]) * scale, v[c])
    return acc.value, acc.lse


def eager_joint(x: Inputs, case: Case, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Value and lse: gather, einsum, softmax over the keys of all slots, einsum."""
    q, k, v, picks = x["q"], x["k"], x["v"], x["indices"].long()
    floats = torch.float64 if q.dtype == torch.float64 else torch.float32
    there = (picks >= 0) & (picks < -(-case.N // case.S))
    safe = picks.where(there, 0)
    b = torch.arange(case.B)[:, None, None, None]
    h = torch.arange(case.H)[None, None, :, None]
    kg, vg = (eager.chunked(t, case.S)[b, h, safe] for t in (k, v))
    s = torch.einsum("blhgd,blhksd->blhgks", q.unflatten(2, (case.H, case.G)), kg)
    keys = safe[..., None] * case.S + torch.arange(case.S)
    live = (there[..., None] & (keys < case.N))[:, :, :, None].flatten(-2)
    s = (s.to(floats) * scale).flatten(-2).masked_fill(~live, float("-inf"))
    p = s.softmax(-1).to(q.dtype)
    value = torch.einsum("blhgx,blhxd->blhgd", p, vg.flatten(3, 4))
    return value.flatten(2, 3), s.logsumexp(-1).flatten(2, 3)


JOINT_CASES = {
    "base": BASE,
    "G=16": BASE.but(G=16, H=1),
    "D=128": BASE.but(D=128),
    "S=16": BASE.but(S=16, K=8),
    "duplicates": BASE.but(corner="duplicates"),
    "empty in the middle": BASE.but(corner="empty in the middle"),
    "last chunk": BASE.but(corner="last chunk"),
    "large logits": BASE.but(logits=8.0),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", JOINT_CASES)
def test_joint_softmax_and_its_lse(name: str, dtype: torch.dtype, device: str) -> None:
    case, names = JOINT_CASES[name], ("q", "k", "v")
    x, scale = make(case, dtype), case.D**-0.5
    del x["weights"]
    there = {n: t.to(device) for n, t in x.items()}
    options = {"scale": scale, "chunk_size": case.S}
    found, d_outs, _ = gradients(joint, there, options, names)

    def step(x: Inputs) -> tuple[torch.Tensor, ...]:
        return eager_joint(x, case, scale)

    assert_bounded(
        found, autograd(step, x, names, d_outs), autograd(step, wide(x), names, d_outs), dtype
    )


# ---- selection ------------------------------------------------------------------------

SELECT_CASES: dict[str, dict[str, Any]] = {
    "stick-breaking": {},
    "softmax": {"weights": "softmax"},
    "softmax_1": {"weights": "softmax_1"},
    "sigmoid, largest of the group": {"weights": "sigmoid", "group": "max"},
    "scores": {"weights": "none", "order": "score"},
    "long landmarks": {"dim": 128},
}


def eager_weights(x: Inputs, picks: torch.Tensor, choices: dict[str, Any]) -> torch.Tensor:
    """Weights of the chunks that were picked: einsum, gather, weights in float32."""
    r, landmarks = x["r"], x["landmarks"]
    floats = torch.float64 if r.dtype == torch.float64 else torch.float32
    grouped = r.unflatten(2, (landmarks.shape[2], -1))
    each = torch.einsum("blhgd,bchd->blhgc", grouped, landmarks).to(floats) * choices["scale"]
    scores = each.sum(3) if choices["group"] == "sum" else each.amax(3)
    there = picks >= 0
    s = torch.where(there, scores.gather(3, picks.long().clamp(min=0)), -torch.inf)
    return weights_of(s, there, choices["weights"])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", SELECT_CASES)
def test_selection(name: str, dtype: torch.dtype, device: str) -> None:
    choices = {**CHOICES, **SELECT_CASES[name]}
    dim, g = choices.pop("dim", 16), torch.Generator().manual_seed(3)
    x = {
        "r": torch.randn(2, 70, 6, dim, generator=g).to(dtype),
        "landmarks": torch.randn(2, 9, 2, dim, generator=g).to(dtype),
    }
    options = select_arguments(x["r"], chunk_size=8, **choices)
    there = {n: t.to(device) for n, t in x.items()}
    found, d_outs, outs = gradients(select_kernel, there, options, ("r", "landmarks"))
    picks = outs[1].cpu()

    def step(x: Inputs) -> tuple[torch.Tensor, ...]:
        return (eager_weights(x, picks, choices),)

    own = autograd(step, x, ("r", "landmarks"), d_outs)
    exact = autograd(step, wide(x), ("r", "landmarks"), d_outs)
    assert_bounded(found, own, exact, dtype)
