# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803
"""Functions that select once for the positions of a query block, their arguments, what is right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import ramify as rf
import ramify.language as rl

F32 = np.float32
Array = NDArray[Any]

SCHEDULES = ["query_major", "chunk_major", "union", "split_kv"]


@rf.jit
def attend(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, w: rl.Array, slots: rl.Array, *, scale: float
) -> rl.Array:
    out = rl.zeros(q, v)
    for slot, c in rl.selected(slots):
        p = rl.softmax(rl.dot(q, k[c]) * scale)
        out += w[slot] * rl.dot(p, v[c])
    return out


@rf.jit
def given_weights(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    *,
    scale: float,
) -> rl.Array:
    """Shares of given weights, those of empty slots left out."""
    w = rl.softmax(rl.where(indices >= 0, weights, -rl.inf), over="slot")
    return attend(q, k, v, w, indices, scale=scale)


@rf.jit
def running_sums(
    q: rl.Query, k: rl.Chunks, weights: rl.ChunkWeights, indices: rl.ChunkIndices
) -> tuple[rl.Array, rl.Array]:
    """No query is read: what a block has of its slots."""
    w = rl.stick_breaking(rl.where(indices >= 0, weights, -rl.inf))
    return rl.cumsum(w, over="slot"), rl.where(w > 0.2, indices, -1)


@rf.jit
def sticks(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    *,
    scale: float,
    top_k: rl.constexpr = 3,
    order: rl.constexpr = "nearest",
) -> tuple[rl.Array, rl.Array, rl.Array]:
    """Stick-breaking weights, returned with the picks."""
    s = rl.sum(rl.dot(r, landmarks) * scale, over="head")
    s = rl.where(rl.end(landmarks) <= rl.block_position(), s, -rl.inf)
    slots = rl.topk(s, top_k, order=order)
    w = rl.stick_breaking(s.at(slots))
    return attend(q, k, v, w, slots, scale=scale), w, slots


@rf.jit
def nucleus(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    *,
    scale: float,
    share: float,
) -> rl.Array:
    """Picks until their shares of all visible chunks reach `share`; several walks."""
    s = rl.max(rl.dot(r, landmarks) * scale, over="head")
    s = rl.where(rl.start(landmarks) <= rl.block_position(), s, -rl.inf)
    p = rl.exp(s - rl.detach(rl.logsumexp(s, over="chunk")))
    slots = rl.topk(s, 4, order="score")
    own = p.at(slots)
    before = rl.cumsum(own, over="slot", exclusive=True)
    kept = slots.keep(before < share)
    w = rl.softmax(rl.where(kept >= 0, s.at(slots), -rl.inf), over="slot")
    return attend(q, k, v, w, kept, scale=scale)


@rf.jit
def shares_of_all(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    *,
    scale: float,
) -> rl.Array:
    """Gradients through all of a stream: the normaliser is that of all visible chunks."""
    s = rl.sum(rl.dot(r, landmarks) * scale, over="head")
    s = rl.where(rl.end(landmarks) <= rl.block_position(), s, -rl.inf)
    slots = rl.topk(s, 3)
    z = rl.logsumexp(s, over="chunk")
    w = rl.where(slots >= 0, rl.exp(s.at(slots) - z), 0.0)
    return attend(q, k, v, w, slots, scale=scale)


@rf.jit
def for_each_head(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    *,
    scale: float,
) -> rl.Array:
    """Each query head picks for itself."""
    s = rl.where(rl.end(landmarks) <= rl.block_position(), rl.dot(r, landmarks), -rl.inf)
    slots = rl.topk(s, 3)
    return attend(q, k, v, rl.sigmoid(s.at(slots)), slots, scale=scale)


@rf.jit
def weights_for_each_head(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    bias: rl.Tensor["head"],  # type: ignore[type-arg, name-defined]
    *,
    scale: float,
) -> rl.Array:
    """The group picks together, and each head weighs for itself."""
    each = rl.dot(r, landmarks) * scale + bias
    each = rl.where(rl.end(landmarks) <= rl.block_position(), each, -rl.inf)
    slots = rl.topk(rl.max(each, over="head"), 3)
    w = rl.sigmoid(each.at(slots))
    return attend(q, k, v, w, slots, scale=scale)


@rf.jit
def latest(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float) -> rl.Array:
    """The last three chunks before the block, by no score at all."""
    place = rl.start(k) * 1.0
    slots = rl.topk(rl.where(rl.end(k) <= rl.block_position(), place, -rl.inf), 3)
    return attend(q, k, v, rl.where(slots >= 0, 0.5, 0.0), slots, scale=scale)


@rf.jit
def one_softmax(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    *,
    scale: float,
) -> tuple[rl.Array, rl.Array]:
    """All picked keys that are before each query, the block's own chunks among them."""
    s = rl.max(rl.dot(r, landmarks), over="head")
    t = rl.block_position()
    s = rl.where(rl.start(landmarks) <= t, s, -rl.inf)
    s = rl.where((rl.start(landmarks) <= t) & (t < rl.end(landmarks)), rl.inf, s)
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(rl.topk(s, 3)):
        score = rl.dot(q, k[c]) * scale
        acc.merge(rl.where(rl.positions(k, c) <= rl.query_position(), score, -rl.inf), v[c])
    return acc.value, acc.lse


@rf.jit
def of_all_chunks(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    *,
    scale: float,
) -> tuple[rl.Array, rl.Array, rl.Array]:
    """A selection that does not ask where the block stands."""
    s = rl.sum(rl.dot(r, landmarks) * scale, over="head")
    slots = rl.topk(s, 3)
    w = rl.stick_breaking(s.at(slots))
    return attend(q, k, v, w, slots, scale=scale), w, slots


@rf.jit
def shared_by_all(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    sizes: rl.Tensor["kv.chunk"],  # type: ignore[type-arg, name-defined]
    bias: rl.Tensor["head", "kv.chunk"],  # type: ignore[type-arg, name-defined]
    indices: rl.ChunkIndices,
    *,
    scale: float,
) -> rl.Array:
    """A number, and one for each head, made of all chunks before they are visited."""
    all_sizes = rl.logsumexp(sizes, over="chunk")
    each = rl.max(bias, over="chunk")
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        share = rl.exp(sizes[c] - all_sizes) * rl.exp(bias[c] - each)
        out += share * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out


def arrays(
    function: rf.JitFunction,
    block: int,
    B: int = 2,
    L: int = 70,
    N: int = 90,
    H: int = 2,
    G: int = 2,
    D: int = 16,
    K: int = 3,
    S: int = 16,
) -> dict[str, Any]:
    random = np.random.default_rng(L * G + block)
    rows, chunks = -(-L // block), -(-N // S)
    shapes = {
        "q": (B, L, H * G, D),
        "k": (B, N, H, D),
        "v": (B, N, H, D),
        "r": (B, rows, H * G, 24),
        "landmarks": (B, chunks, H, 24),
        "weights": (B, rows, H, K),
        "bias": (H * G, chunks) if "sizes" in function.signature.parameters else (H * G,),
        "sizes": (B, chunks),
        "gate": (B, L, H * G),
    }
    made: dict[str, Any] = {}
    for name in (p.name for p in function.signature.arrays):
        if name == "indices":
            made[name] = random.integers(-1, chunks + 1, (B, rows, H, K), np.int32)
        else:
            made[name] = random.standard_normal(shapes[name], F32)
    return made


def options(function: rf.JitFunction, block: int) -> dict[str, Any]:
    scalars = {p.name: 0.3 for p in function.signature.scalars}
    return {**scalars, "chunk_size": 16, "q_block": block}


def close(got: Any, expected: Any) -> None:
    assert got.shape == expected.shape
    bound = 4e-6 * max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=bound)


def listed(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)


FUNCTIONS = [
    given_weights,
    running_sums,
    sticks,
    nucleus,
    shares_of_all,
    for_each_head,
    weights_for_each_head,
    latest,
    one_softmax,
]


def name_of(x: object) -> str:
    return x.__name__ if isinstance(x, rf.JitFunction) else str(x)


def check_forward(function: rf.JitFunction, given: dict[str, Any], more: dict[str, Any]) -> None:
    """Results are the reference's, picks the same ones."""
    expected = listed(function.reference(**given, **more))
    for one, other in zip(listed(function(**given, **more)), expected, strict=True):
        if one.dtype == np.int32:
            np.testing.assert_array_equal(one, other)
        else:
            close(one, other)


@rf.jit
def before_the_block(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float
) -> tuple[rl.Array, rl.Array]:
    """Of the selected chunks, the keys before the block: a mask without rows."""
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(indices):
        seen = rl.positions(k, c) < rl.block_position()
        acc.merge(rl.where(seen, rl.dot(q, k[c]) * scale, -rl.inf), v[c])
    return acc.value, acc.lse


@rf.jit
def fading(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float
) -> rl.Array:
    """Chunks weigh less the farther they are from the block; numbers of a block and a chunk."""
    t = rl.block_position()
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        far = (rl.start(c) - t) // 5 * 0.05
        out += rl.exp(-rl.abs(far)) * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out * rl.where(t > 30, 1.0, 0.5)


@rf.jit
def window_of_a_block(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, scale: float
) -> tuple[rl.Array, rl.Array]:
    """Of each query's last keys, those up to the block's first query."""
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=40):
        seen = rl.positions(k, c) <= rl.block_position()
        acc.merge(rl.where(seen, rl.dot(q, k[c]) * scale, -rl.inf), v[c])
    return acc.value, acc.lse


def padded(length: int) -> Array:
    """First positions of blocks are padding, single others, and a whole block of 16."""
    places = np.arange(length, dtype=np.int32) + 20
    places[[0, 5, 17, length - 1]] = -1
    places[[16, *range(32, min(48, length))]] = -1
    return places
