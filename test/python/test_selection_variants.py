# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803, N806
"""Variants of the literature whose selection and attention are one function of the language."""

from __future__ import annotations

from typing import Any

import numpy as np
from test_selection_language import arrays

import ramify as rf
import ramify.language as rl


@rf.jit
def log_add(a: rl.Array, b: rl.Array):
    m = rl.maximum(a, b)
    return m + rl.log(rl.exp(a - m) + rl.exp(b - m))


@rf.jit
def hils(
    q: rl.Query,
    lm: rl.Landmarks,
    bias: rl.Tensor["kv.chunk", "head"],
    k: rl.Chunks,
    v: rl.Chunks,
    *,
    window: int,
    top_k: rl.constexpr,
):
    """HiLS: landmarks for each query head; window and picks share a normaliser."""
    t = rl.query_position()
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=window):
        acc.merge(rl.dot(q, k[c]), v[c])
    s = rl.where(rl.end(lm) <= t - window + 1, rl.dot(q, lm) + bias, -rl.inf)
    z = log_add(rl.logsumexp(s, over="chunk"), acc.lse)
    slots = rl.topk(rl.max(s - z, over="head"), top_k)
    picked = s.at(slots)
    z = log_add(rl.logsumexp(picked, over="slot"), acc.lse)
    w = rl.exp(picked - z)
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        last = rl.end(c) - 1
        p = rl.softmax(rl.where(rl.positions(k, c) < last, rl.dot(q, k[c]), -rl.inf))
        out += w[slot] * rl.dot(p, v[c])
    return out + rl.exp(acc.lse - z) * acc.value, slots


def hils_arguments(L: int = 37) -> tuple[Any, ...]:
    q, lm, k, v = arrays(B=1, L=L, S=8)
    random = np.random.default_rng(11)
    lm = random.standard_normal((1, lm.shape[1], q.shape[2], q.shape[3]))
    return q, lm, random.standard_normal((lm.shape[1], q.shape[2])), k, v


def share(scores: Any, lse: Any) -> Any:
    """Shares of each head's scores in what they and the window sum to."""
    return np.exp(scores) / (np.exp(scores).sum(axis=1, keepdims=True) + np.exp(lse)[:, None])


def test_hils() -> None:
    q, lm, bias, k, v = hils_arguments()
    W, K = 10, 2
    out, chosen = hils.reference(q, lm, bias, k, v, window=W, top_k=K, chunk_size=8)
    for t in (36, 27, 12):
        for h in range(2):
            heads, keys = slice(2 * h, 2 * h + 2), range(max(t - W + 1, 0), t + 1)
            near = q[0, t, heads] @ k[0, keys, h].T
            lse = np.log(np.exp(near).sum(axis=1))
            seen = [i for i in range(5) if (i + 1) * 8 <= t - W + 1]
            s = np.einsum("hd,chd->hc", q[0, t, heads], lm[0, seen, heads])
            s = s + bias[seen, heads].T
            order = np.argsort(-np.log(share(s, lse)).max(axis=0))[:K]
            picks = sorted((seen[i] for i in order), reverse=True)
            assert chosen[0, t, h].tolist() == picks + [-1] * (K - len(picks))
            weights = share(s[:, picks], lse)
            left = np.exp(lse) / (np.exp(s[:, picks]).sum(axis=1) + np.exp(lse))
            expected = left[:, None] * (np.exp(near - lse[:, None]) @ v[0, keys, h])
            for n, i in enumerate(picks):
                inside = range(i * 8, i * 8 + 7)
                e = np.exp(q[0, t, heads] @ k[0, inside, h].T)
                attended = e @ v[0, inside, h] / e.sum(axis=1, keepdims=True)
                expected = expected + weights[:, n, None] * attended
            np.testing.assert_allclose(out[0, t, heads], expected)


def test_hils_is_one_program() -> None:
    q, lm, bias, k, v = (np.asarray(x, np.float32) for x in hils_arguments())
    text = hils.ir(
        "hsa", q, lm[:, :3], bias[:3], k, v, window=20, top_k=2, chunk_size=16, target="cpu"
    )
    found = [word for line in text.splitlines() for word in line.split() if word.startswith("hsa.")]
    assert [found.count(op) for op in ("hsa.reduce", "hsa.topk", "hsa.take")] == [2, 1, 1]
    assert found.count("hsa.logsumexp") == 2 and "heads = query" in text


@rf.jit
def nsa(
    q: rl.Query,
    lm: rl.Landmarks,
    means: rl.Landmarks,
    k: rl.Chunks,
    v: rl.Chunks,
    gates: rl.Tensor["pos", "head"],
    *,
    window: int,
    top_k: rl.constexpr,
):
    """NSA on one partition: compressed, selected and sliding branches, two of them gated."""
    t = rl.query_position()
    s = rl.where(rl.end(lm) <= t + 1, rl.dot(q, lm), -rl.inf)
    compressed = rl.online_softmax(q, v)
    compressed.merge(s, means)
    key = rl.sum(rl.softmax(s, over="chunk"), over="head")
    own = (rl.start(lm) <= t) & (rl.distance(lm) < 8)
    key = rl.where((rl.index(lm) == 0) | own, rl.inf, rl.where(rl.end(lm) <= t + 1, key, -rl.inf))
    slots = rl.topk(key, top_k, order="ascending")
    selected = rl.online_softmax(q, v)
    for slot, c in rl.selected(slots):
        selected.merge(rl.where(rl.positions(k, c) <= t, rl.dot(q, k[c]), -rl.inf), v[c])
    sliding = rl.online_softmax(q, v)
    for c in rl.window(k, last=window):
        sliding.merge(rl.dot(q, k[c]), v[c])
    return gates * (compressed.value + selected.value) + sliding.value, slots


def attend(row: Any, keys: Any, values: Any) -> Any:
    if not len(keys):
        return np.zeros(values.shape[-1])
    e = np.exp(row @ keys.T)
    return e @ values / e.sum()


def test_nsa() -> None:
    q, lm, k, v = arrays(B=1, L=37)
    random = np.random.default_rng(2)
    means, gates = random.standard_normal(lm.shape), random.standard_normal((37, 4))
    W, K = 6, 3
    out, chosen = nsa.reference(q, lm, means, k, v, gates, window=W, top_k=K, chunk_size=8)
    for t in (36, 23, 4):
        for h in range(2):
            seen = [i for i in range(5) if min(i * 8 + 8, 37) <= t + 1]
            s = q[0, t, 2 * h : 2 * h + 2] @ lm[0, seen, h].T
            key = (np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)).sum(axis=0)
            forced = {0, t // 8}
            free = [i for i in sorted(seen, key=lambda i: -key[seen.index(i)]) if i not in forced]
            picks = sorted([*forced, *free[: K - len(forced)]])
            assert chosen[0, t, h].tolist() == picks + [-1] * (K - len(picks))
            inside = [x for i in picks for x in range(i * 8, min(i * 8 + 8, t + 1))]
            near = range(max(t - W + 1, 0), t + 1)
            for head in (2 * h, 2 * h + 1):
                row = q[0, t, head]
                expected = attend(row, k[0, near, h], v[0, near, h])
                expected = expected + gates[t, head] * (
                    attend(row, lm[0, seen, h], means[0, seen, h])
                    + attend(row, k[0, inside, h], v[0, inside, h])
                )
                np.testing.assert_allclose(out[0, t, head], expected)
