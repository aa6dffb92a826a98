# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803
"""One selection for the positions of a query block: slots as values, streams and picks there."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import test_gradients
import torch
from numpy.typing import NDArray

import ramify as rf
import ramify.language as rl
from ramify.derivative import differentiable

F32 = np.float32
Array = NDArray[Any]


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
        "bias": (H * G,) if function is not shared_by_all else (H * G, chunks),
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


@pytest.mark.parametrize("block", [1, 3, 16, 70, 100])
@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_forward(function: rf.JitFunction, block: int) -> None:
    given, more = arrays(function, block), options(function, block)
    check_forward(function, given, more)


DIFFERENTIABLE = [
    sticks,
    shares_of_all,
    for_each_head,
    weights_for_each_head,
    latest,
    one_softmax,
]


@pytest.mark.parametrize("block", [1, 3, 16])
@pytest.mark.parametrize("function", DIFFERENTIABLE, ids=name_of)
def test_gradients_by_finite_differences(function: rf.JitFunction, block: int) -> None:
    given = arrays(function, block, B=1, L=40, N=60)
    test_gradients.check(function, given, options(function, block), "cpu")


def test_one_row_for_each_block() -> None:
    given, more = arrays(sticks, 16), options(sticks, 16)
    out, w, slots = sticks(**given, **more)
    assert out.shape == (2, 70, 4, 16) and w.shape == slots.shape == (2, 5, 2, 3)
    assert (slots[:, 0, :, 1:] == -1).all() and (slots >= 0).any()


@pytest.mark.parametrize("order", ["ascending", "score"])
def test_orders(order: str) -> None:
    given, more = arrays(sticks, 16), {**options(sticks, 16), "order": order, "top_k": 4}
    for one, other in zip(sticks(**given, **more), sticks.reference(**given, **more), strict=True):
        close(one, other)


PLACES: dict[str, dict[str, Any]] = {
    "start": {"q_start": 5},
    "before": {"q_start": -20},
    "starts": {"q_start": np.array([3, 40], np.int32)},
    "lengths": {"num_keys": np.array([90, 41], np.int32)},
    "positions": {"q_positions": np.arange(70, dtype=np.int32)[::-1].copy() + 11},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("function", [sticks, one_softmax], ids=name_of)
def test_places(function: rf.JitFunction, place: str) -> None:
    given, more = arrays(function, 16), {**options(function, 16), **PLACES[place]}
    expected = function.reference(**given, **more)
    for one, other in zip(function(**given, **more), expected, strict=True):
        close(one, other)


def test_a_block_stands_at_its_first_query_though_that_is_padding() -> None:
    places = np.arange(70, dtype=np.int32) + 20
    places[[0, 5, 16, 17, 69]] = -1
    given, more = arrays(sticks, 16), {**options(sticks, 16), "q_positions": places}
    expected = sticks.reference(**given, **more)
    for one, other in zip(sticks(**given, **more), expected, strict=True):
        close(one, other)
    assert (expected[2][:, :2] == -1).all() and not expected[0][:, :32].any()


def test_no_queries_and_no_keys() -> None:
    for sizes in ({"L": 0}, {"N": 0}, {"B": 0}):
        given, more = arrays(sticks, 16, **sizes), options(sticks, 16)
        expected = sticks.reference(**given, **more)
        for one, other in zip(sticks(**given, **more), expected, strict=True):
            close(one, other)


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("function", [sticks, shares_of_all], ids=name_of)
def test_gradients_by_schedule(function: rf.JitFunction, schedule: str) -> None:
    given = arrays(function, 16, B=1, L=40, N=60)
    test_gradients.check(function.options(schedule=schedule), given, options(function, 16), "cpu")


def test_the_same_bits() -> None:
    given, more = arrays(one_softmax, 16), {**options(one_softmax, 16), "deterministic": True}
    derivative = one_softmax.derivative(differentiable(one_softmax.signature))
    runs = []
    for _ in range(3):
        outs, saved = derivative.forward(**given, **more)
        d_outs = tuple(np.ones_like(out) for out in outs)
        runs.append(derivative.backward(saved, d_outs, **given, **more))
    for one, other in zip(runs[0], runs[2], strict=True):
        np.testing.assert_array_equal(one, other)


def test_operator() -> None:
    given, more = arrays(shares_of_all, 16, B=1), options(shares_of_all, 16)
    tensors = {n: torch.from_numpy(x).requires_grad_() for n, x in given.items()}
    operator = rf.torch_op(shares_of_all)
    out = operator(**tensors, **more)
    grads = torch.autograd.grad(out.sum(), list(tensors.values()))
    compiled = torch.compile(lambda x: operator(**x, **more), backend="aot_eager", fullgraph=True)
    same = torch.autograd.grad(compiled(tensors).sum(), list(tensors.values()))
    for one, other in zip(grads, same, strict=True):
        torch.testing.assert_close(one, other)


def test_fake_results() -> None:
    given, more = arrays(sticks, 16), options(sticks, 16)
    with torch._subclasses.FakeTensorMode() as mode:
        tensors = {n: mode.from_tensor(torch.from_numpy(x)) for n, x in given.items()}
        out, w, slots = rf.torch_op(sticks)(**tensors, **more)
    assert out.shape == (2, 70, 4, 16) and w.shape == slots.shape == (2, 5, 2, 3)
    assert w.dtype == torch.float32 and slots.dtype == torch.int32


# ---- where a block stands, as visits see it -------------------------------------


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


SCHEDULES = ["query_major", "chunk_major", "union", "split_kv"]
VISITS = [(f, s) for f in (before_the_block, fading) for s in SCHEDULES]
VISITS += [(window_of_a_block, s) for s in ("query_major", "split_kv")]


@pytest.mark.parametrize("block", [1, 3, 16, 100])
@pytest.mark.parametrize(("function", "schedule"), VISITS, ids=name_of)
def test_block_positions_in_visits(function: rf.JitFunction, schedule: str, block: int) -> None:
    given, more = arrays(function, block), options(function, block)
    check_forward(function.options(schedule=schedule), given, more)


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("function", [before_the_block, fading], ids=name_of)
def test_gradients_of_block_positions(function: rf.JitFunction, schedule: str) -> None:
    for block in (3, 16):
        given = arrays(function, block, B=1, L=40, N=60)
        scheduled = function.options(schedule=schedule)
        test_gradients.check(scheduled, given, options(function, block), "cpu")


# ---- numbers that all queries share ----------------------------------------------


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


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("block", [1, 3, 16])
def test_numbers_that_all_queries_share(block: int, schedule: str) -> None:
    given, more = arrays(shared_by_all, block), options(shared_by_all, block)
    function = shared_by_all.options(schedule=schedule)
    close(function(**given, **more), shared_by_all.reference(**given, **more))


@rf.jit
def shares_of_sizes(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    sizes: rl.Tensor["kv.chunk"],  # type: ignore[type-arg, name-defined]
    indices: rl.ChunkIndices,
    *,
    scale: float,
) -> rl.Array:
    all_sizes = rl.logsumexp(sizes, over="chunk")
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        share = rl.exp(sizes[c] - all_sizes)
        out += share * rl.dot(rl.softmax(rl.dot(q, k[c]) * scale), v[c])
    return out


@pytest.mark.parametrize(
    ("function", "block", "schedule"),
    [
        (shared_by_all, 1, "query_major"),
        (shares_of_sizes, 1, "query_major"),
        (shares_of_sizes, 3, "query_major"),
        (shares_of_sizes, 16, "query_major"),
        (shares_of_sizes, 16, "chunk_major"),
    ],
    ids=name_of,
)
def test_gradients_of_numbers_that_all_queries_share(
    function: rf.JitFunction, block: int, schedule: str
) -> None:
    """What each query adds to such a gradient is its own, until all are added."""
    given = arrays(function, block, B=1, L=40, N=60)
    more = options(function, block)
    test_gradients.check(function.options(schedule=schedule), given, more, "cpu")
    more = {**more, "q_positions": padded(40)}
    test_gradients.check(function.options(schedule=schedule), given, more, "cpu")


# ---- padding ------------------------------------------------------------------------


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


def padded(length: int) -> Array:
    """First positions of blocks are padding, single others, and a whole block of 16."""
    places = np.arange(length, dtype=np.int32) + 20
    places[[0, 5, 17, length - 1]] = -1
    places[[16, *range(32, min(48, length))]] = -1
    return places


@pytest.mark.parametrize("block", [1, 3, 16, 100])
@pytest.mark.parametrize(
    "function",
    [of_all_chunks, running_sums, given_weights, one_softmax, before_the_block, fading],
    ids=name_of,
)
def test_padding(function: rf.JitFunction, block: int) -> None:
    given = arrays(function, block)
    for places in (padded(70), np.stack([padded(70), padded(70)[::-1]])):
        more = {**options(function, block), "q_positions": places}
        check_forward(function, given, more)


@pytest.mark.parametrize("schedule", ["query_major", "chunk_major"])
@pytest.mark.parametrize("function", [of_all_chunks, weights_for_each_head], ids=name_of)
def test_gradients_with_padding(function: rf.JitFunction, schedule: str) -> None:
    for block in (3, 16):
        given = arrays(function, block, B=1, L=40, N=60)
        more = {**options(function, block), "q_positions": padded(40)}
        test_gradients.check(function.options(schedule=schedule), given, more, "cpu")


# ---- what is refused ----------------------------------------------------------


@rf.jit
def scores_of_positions(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, landmarks: rl.Landmarks
) -> rl.Array:
    slots = rl.topk(rl.sum(rl.dot(q, landmarks), over="head"), 2)
    return attend(q, k, v, rl.where(slots >= 0, 1.0, 0.0), slots, scale=1.0)


@rf.jit
def only_blocks(r: rl.Query["block"], k: rl.Chunks) -> rl.Array:  # type: ignore[type-arg, name-defined]
    return rl.zeros(r, k)


@rf.jit
def zeros_of_blocks(
    q: rl.Query,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    k: rl.Chunks,
) -> rl.Array:
    return rl.zeros(r, k)


@rf.jit
def gated_slots(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
    gate: rl.Tensor["pos", "head"],  # type: ignore[type-arg, name-defined]
) -> rl.Array:
    slots = rl.topk(rl.sum(rl.dot(r, landmarks), over="head"), 3)
    w = rl.where(slots >= 0, 1.0, 0.0) * gate
    return attend(q, k, v, w, slots, scale=1.0)


@rf.jit
def seen_slots(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices) -> rl.Array:
    w = rl.where(indices * 16 <= rl.query_position(), 1.0, 0.0)
    return attend(q, k, v, w, indices, scale=1.0)


@rf.jit
def norm_of_positions(q: rl.Query, k: rl.Chunks, v: rl.Chunks, landmarks: rl.Landmarks) -> rl.Array:
    z = rl.logsumexp(rl.dot(q, landmarks), over="chunk")
    out = rl.zeros(q, v)
    for c in rl.own(k):
        out += rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out * rl.exp(-z)


@rf.jit
def added_to_queries(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    indices: rl.ChunkIndices,
) -> rl.Array:
    out = rl.zeros(q, v)
    for _, c in rl.selected(indices):
        out += rl.dot(rl.softmax(rl.dot(q + r, k[c])), v[c])
    return out


@rf.jit
def norm_of_blocks(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    r: rl.Query["block"],  # type: ignore[type-arg, name-defined]
    landmarks: rl.Landmarks,
) -> rl.Array:
    s = rl.dot(r, landmarks)
    z = rl.logsumexp(s, over="chunk")
    out = rl.zeros(q, v)
    for _, c in rl.selected(rl.topk(rl.max(s, over="head"), 3)):
        out += rl.exp(-z) * rl.dot(rl.softmax(rl.dot(q, k[c])), v[c])
    return out


def line_of(function: rf.JitFunction, text: str) -> str:
    """Where `text` stands, as messages name it."""
    lines, first = inspect.getsourcelines(function.signature.function)
    return str(first + next(i for i, line in enumerate(lines) if text in line))


def of_width(given: dict[str, Any], width: int = 16) -> dict[str, Any]:
    """Queries, retrieval queries and landmarks with the same dim."""
    narrow = {n: x[..., :width].copy() for n, x in given.items() if n in ("r", "landmarks")}
    return {**given, **narrow}


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (gated_slots, "* gate"),
        (seen_slots, "query_position"),
        (norm_of_positions, "logsumexp"),
    ],
    ids=name_of,
)
def test_what_differs_between_positions_is_named(function: rf.JitFunction, line: str) -> None:
    given = of_width(arrays(function, 4))
    message = rf"py:{line_of(function, line)}:.*positions of a query block \(q_block=4\), but"
    with pytest.raises(rf.CompileError, match=message):
        function(**given, chunk_size=16, q_block=4)


def test_gradients_of_what_positions_share() -> None:
    given = of_width(arrays(added_to_queries, 4))
    more: dict[str, Any] = {"chunk_size": 16, "q_block": 4}
    close(added_to_queries(**given, **more), added_to_queries.reference(**given, **more))
    with pytest.raises(rf.GradientError, match="the 4 positions of a query block share") as caught:
        test_gradients.check(added_to_queries, given, more, "cpu")
    assert f"line {line_of(added_to_queries, 'for _, c')}," in str(caught.value)
    given = of_width(arrays(norm_of_blocks, 4))
    close(norm_of_blocks(**given, **more), norm_of_blocks.reference(**given, **more))
    with pytest.raises(rf.GradientError, match="the 4 positions of a query block share"):
        test_gradients.check(norm_of_blocks, given, more, "cpu")


def test_scores_that_differ_between_positions() -> None:
    given = arrays(scores_of_positions, 16)
    given["q"] = np.ones((2, 70, 4, 24), F32)
    given["k"] = np.ones((2, 90, 2, 24), F32)
    assert scores_of_positions(**given, chunk_size=16).shape == (2, 70, 4, 16)
    with pytest.raises(rf.LanguageError, match="one score of each chunk for the 16 positions"):
        scores_of_positions(**given, chunk_size=16, q_block=16)


def test_queries_of_positions_are_needed() -> None:
    given = arrays(only_blocks, 16)
    with pytest.raises(rf.LanguageError, match=r"has no rl\.Query parameter"):
        only_blocks(**given, chunk_size=16)
    given = arrays(zeros_of_blocks, 16)
    with pytest.raises(rf.LanguageError, match="queries of all positions"):
        zeros_of_blocks(**given, chunk_size=16, q_block=16)


def test_rows_that_do_not_fit() -> None:
    given = arrays(sticks, 16)
    given["r"] = given["r"][:, :4].copy()
    with pytest.raises(rf.ArgumentError, match="4 rows for L = 70 and q_block = 16"):
        sticks(**given, **options(sticks, 16))
    given["r"] = given["r"][:, :, :2].copy()
    with pytest.raises(rf.ArgumentError, match="r has HQ = 2"):
        sticks(**given, **options(sticks, 16))
