# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803
"""Streams, picks and slots as values: what the reference computes, what they become in `hsa`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from test_frontend import ARRAYS, lines, lowered

import ramify as rf
import ramify.language as rl
from ramify.frontend import ArraySpec
from ramify.reference.domains import Partition
from ramify.reference.named_array import NamedArray
from ramify.reference.slots import Slots

SPECS = {
    **ARRAYS,
    "r": ArraySpec("bf16", dim=64),
    "lm": ArraySpec("bf16", dim=64),
    "each": ArraySpec("bf16", dim=64, heads="query"),
    "bias": ArraySpec("f32"),
}
KV = Partition("kv", 4, 18)


def stream(values: Any, *axes: str) -> NamedArray:
    return NamedArray(np.asarray(values, np.float64), (*axes, "chunk"), None, KV)


def slots(values: Any, *axes: str) -> Slots:
    return Slots(np.asarray(values), (*axes, "slot"), KV)


def has(function: Any, *expected: str, **changes: Any) -> None:
    """The program has these lines, in this order."""
    found = lines(function, **{"arrays": SPECS, **changes})
    rest = iter(found)
    for line in expected:
        assert any(line in other for other in rest), "\n".join([line, "is not in", *found])


# Picks


@pytest.mark.parametrize(
    ("order", "expected"), [("nearest", [4, 3, 1]), ("ascending", [1, 3, 4]), ("score", [3, 4, 1])]
)
def test_orders_of_picks(order: str, expected: list[int]) -> None:
    s = stream([0.0, 2.0, 1.0, 9.0, 2.0])
    assert rl.topk(s, 3, order=order).data.tolist() == expected


@pytest.mark.parametrize("order", ["nearest", "ascending", "score"])
def test_empty_slots_are_at_the_end(order: str) -> None:
    s = stream([-math.inf, 2.0, math.nan, 1.0, -math.inf])
    found = rl.topk(s, 4, order=order).data.tolist()
    assert sorted(found[:2]) == [1, 3] and found[2:] == [-1, -1]


def test_equal_scores_go_to_the_higher_index_and_infinity_forces() -> None:
    s = stream([[1.0, 1.0, 1.0, 1.0, math.inf], [math.inf, 1.0, 1.0, 5.0, 1.0]], "pos")
    assert rl.topk(s, 3).data.tolist() == [[4, 3, 2], [4, 3, 0]]


def test_a_stream_is_read_at_slots() -> None:
    s = stream([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], "head")
    chosen = slots([[2, -1], [0, 7]], "pos")
    found = s.at(chosen)
    assert found.axes == ("pos", "head", "slot")
    low = -math.inf
    assert found.data.tolist() == [[[2.0, low], [5.0, low]], [[0.0, low], [3.0, low]]]
    counted = NamedArray(np.arange(3), ("chunk",), None, KV).at(chosen)
    assert counted.data.tolist() == [[2, 0], [0, 0]] and counted.data.dtype.kind == "i"


def test_slots_are_kept_in_their_places() -> None:
    kept = slots([4, 3, 1]).keep(NamedArray(np.array([True, False, True]), ("slot",)))
    assert isinstance(kept, Slots) and kept.data.tolist() == [4, -1, 1]


def test_running_sums() -> None:
    x = NamedArray(np.array([1.0, 2.0, 4.0]), ("slot",))
    assert rl.cumsum(x).data.tolist() == [1, 3, 7]
    assert rl.cumsum(x, exclusive=True).data.tolist() == [0, 1, 3]
    assert rl.cumsum(x, reverse=True).data.tolist() == [7, 6, 4]
    assert rl.cumsum(x, exclusive=True, reverse=True).data.tolist() == [6, 4, 0]


def test_stick_breaking_leaves_what_the_picks_before_left() -> None:
    s = NamedArray(np.array([0.0, math.log(3.0), -math.inf, 0.0]), ("slot",))
    np.testing.assert_allclose(
        rl.stick_breaking(s).data, [1 / 2, 3 / 8, 0.0, 1 / 16], rtol=1e-14, atol=0
    )


def test_softplus_is_smooth_and_finite() -> None:
    x = NamedArray(np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0]), ("slot",))
    expected = np.logaddexp(0, x.data)
    np.testing.assert_allclose(rl.softplus(x).data, expected, rtol=1e-14)


def test_normalisation_over_slots_heads_and_chunks() -> None:
    x = NamedArray(np.array([[0.0, 1.0], [-math.inf, 2.0]]), ("head", "slot"))
    assert rl.softmax(x, over="slot").data[1].tolist() == [0.0, 1.0]
    np.testing.assert_allclose(rl.softmax(x, over="head").data.sum(axis=0), 1.0)
    np.testing.assert_allclose(rl.logsumexp(x, over="slot").data, [np.logaddexp(0, 1), 2.0])
    nothing = stream(np.zeros((2, 0)), "pos")
    assert rl.logsumexp(nothing, over="chunk").data.tolist() == [-math.inf, -math.inf]
    assert rl.sum(nothing, over="chunk").data.tolist() == [0.0, 0.0]


def test_metadata_of_a_partial_last_chunk() -> None:
    lm = rl.Landmarks(np.zeros((5, 2)), ("chunk", "dim"), None, KV)
    assert rl.start(lm).data.tolist() == [0, 4, 8, 12, 16]
    assert rl.end(lm).data.tolist() == [4, 8, 12, 16, 18]
    assert rl.length(lm).data.tolist() == [4, 4, 4, 4, 2]
    assert rl.index(lm).data.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rl.topk(stream([1.0]), 0), "from 1 to 128, found 0"),
        (lambda: rl.topk(stream([1.0]), 200), "from 1 to 128, found 200"),
        (lambda: rl.topk(stream([1.0]), 2, order="best"), "nearest, ascending, score"),
        (lambda: rl.topk(NamedArray(np.zeros(3), ("slot",)), 2), "expected a stream"),
        (lambda: stream([1.0]).at(slots([[0]], "pos") + 1), "expected slots"),
        (lambda: stream([1.0]).at(Slots(np.zeros(1), ("slot",), Partition("b", 4, 8))), "of 'b'"),
        (
            lambda: stream([1.0]) + NamedArray(np.zeros(1), ("chunk",), None, Partition("b", 4, 4)),
            "'kv' and 'b' meet",
        ),
        (lambda: slots([1, 2]).keep(slots([1, 2])), "keep takes a condition"),
        (lambda: rl.cumsum(stream([1.0])), "cumsum goes over 'slot'"),
        (lambda: rl.selected(slots([[1], [2]], "pos")), "one selection for a block"),
        (lambda: rl.selected(slots([1]) + 0), "slots of rl.topk"),
        (lambda: rl.end(stream([1.0])), "expected a chunk, rl.Landmarks or rl.Chunks"),
        (lambda: slots([1])[0], "read by a slot"),
    ],
)
def test_what_the_reference_refuses(call: Any, message: str) -> None:
    with pytest.raises(rf.errors.ArgumentError) as caught:
        call()
    assert message in str(caught.value)


# Whole functions


@rf.jit
def select_and_attend(
    r: rl.Query, lm: rl.Landmarks, k: rl.Chunks, v: rl.Chunks, *, scale: float, top_k: rl.constexpr
):
    """HSA with its selection, in one function."""
    s = rl.sum(rl.dot(r, lm) * scale, over="head")
    s = rl.where(rl.end(lm) <= rl.query_position(), s, -rl.inf)
    slots = rl.topk(s, top_k)
    w = rl.stick_breaking(s.at(slots))
    out = rl.zeros(r, v)
    for slot, c in rl.selected(slots):
        p = rl.softmax(rl.dot(r, k[c]) * scale)
        out += w[slot] * rl.dot(p, v[c])
    return out, w, slots


def arrays(B: int = 2, L: int = 21, N: int = 37, H: int = 2, G: int = 2, S: int = 8) -> Any:
    random = np.random.default_rng(3)
    q = random.standard_normal((B, L, H * G, 16))
    k, v = random.standard_normal((2, B, N, H, 16))
    return q, random.standard_normal((B, -(-N // S), H, 16)), k, v


def test_select_and_attend_is_selection_then_attention() -> None:
    q, lm, k, v = arrays()
    out, w, chosen = select_and_attend.reference(q, lm, k, v, scale=0.25, top_k=3, chunk_size=8)
    assert w.shape == chosen.shape == (2, 21, 2, 3) and chosen.dtype == np.int32
    expected = rf.ops.hsa_kernel.reference(q, k, v, w, chosen, scale=0.25, chunk_size=8)
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_select_and_attend_in_hsa() -> None:
    has(
        select_and_attend,
        "hsa.stream %lm : ",
        "k 8 order nearest",
        'in "kv" as "slots" : tensor<1x8xi32, #pos_slot> -> !hsa.domain<"kv", "slots">',
        'hsa.at %w[%slot : !hsa.slot<"slots">] : tensor<1x8xf32, #pos_slot> -> tensor<1xf32, #pos>',
        "hsa.return %out_1, %w, %slots : tensor<1x16x32xf32, #pos_head_dim>, "
        "tensor<1x8xf32, #pos_slot>, tensor<1x8xi32, #pos_slot>",
        constants={"top_k": 8},
    )
    results = lowered(select_and_attend, arrays=SPECS, constants={"top_k": 8}).results
    assert [(r.axes[-1], r.dtype, r.slots) for r in results] == [
        ("dim", "bf16", 0),
        ("slot", "f32", 8),
        ("slot", "i32", 8),
    ]


@rf.jit
def shares(r: rl.Query, each: rl.Landmarks, bias: rl.Tensor["kv.chunk", "head"]):
    """HiLS: shares of all visible scores, picked by the largest share in the group."""
    s = rl.dot(r, each) + bias
    s = rl.where(rl.distance(each) >= 16, s, -rl.inf)
    z = rl.logsumexp(s, over="chunk")
    slots = rl.topk(rl.max(s - z, over="head"), 4, order="ascending")
    return rl.softmax(s.at(slots), over="slot"), slots, z


def test_a_stream_that_uses_its_own_sum() -> None:
    random = np.random.default_rng(5)
    r, lm = random.standard_normal((1, 40, 4, 8)), random.standard_normal((1, 5, 4, 8))
    k = random.standard_normal((5, 4))
    w, chosen, z = shares.reference(r, lm, k, chunk_size=8)
    assert w.shape == (1, 40, 4, 4) and chosen.shape == (1, 40, 4, 4) and z.shape == (1, 40, 4)
    t = 30
    s = (
        np.einsum("hd,chd->hc", r[0, t], lm[0])[:, : (t - 16) // 8 + 1]
        + k.T[:, : (t - 16) // 8 + 1]
    )
    np.testing.assert_allclose(z[0, t], np.log(np.exp(s).sum(axis=1)))
    np.testing.assert_allclose(w[0, t, :, :2], np.exp(s - z[0, t, :, None]))


def test_a_stream_that_uses_its_own_sum_in_hsa() -> None:
    has(
        shares,
        "hsa.stream %each : !hsa.landmarks<",
        'hsa.stream %bias : !hsa.array<f32, [chunk = ?, head = 16], of "kv"> -> '
        "tensor<16x?xf32, #head_chunk>",
        "hsa.dot %r_1, %each_1 over dim : tensor<1x16x64xbf16, #pos_head_dim>, "
        "tensor<16x?x64xbf16, #head_chunk_dim> -> tensor<1x16x?xf32, #pos_head_chunk>",
        'hsa.chunk_info start in "kv"',
        "over chunk : tensor<1x16x?xf32, #pos_head_chunk> -> tensor<1x16xf32, #pos_head>",
        "hsa.fold max",
        "k 4 order ascending",
        "hsa.take",
        "over slot off_by 0.0 : tensor<1x16x4xf32, #pos_head_slot>",
    )


@rf.jit
def threshold(r: rl.Query, lm: rl.Landmarks, v: rl.Chunks, *, share: float):
    """Squeezed: the picks that make up a share of all, by a running sum; a sink that is learned."""
    s = rl.sum(rl.dot(r, lm), over="head")
    p = rl.softmax(s, over="chunk")
    slots = rl.topk(p, 5, order="score")
    kept = slots.keep(rl.cumsum(p.at(slots), exclusive=True) < share)
    acc = rl.online_softmax(r, v)
    acc.push(0.0, rl.zeros(r, v))
    for slot, c in rl.selected(kept):
        acc.push(rl.dot(r, lm[c]), rl.sum(v[c], over="key"))
    return acc.value, acc.lse, kept


def test_top_p_by_a_running_sum() -> None:
    q, lm, _, v = arrays(B=1, H=1, L=3)
    out, lse, kept = threshold.reference(q, lm, v, share=0.6, chunk_size=8)
    s = np.einsum("lhd,cd->lc", q[0], lm[0, :, 0])
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    for t in range(3):
        order = np.argsort(-p[t])
        count = int((np.cumsum(p[t][order]) - p[t][order] < 0.6).sum())
        assert kept[0, t, 0].tolist() == [*order[:count], *[-1] * (5 - count)]
        logits = np.stack([q[0, t] @ lm[0, c, 0] for c in order[:count]])
        total = 1 + np.exp(logits).sum(axis=0)
        np.testing.assert_allclose(lse[0, t], np.log(total))
        values = np.stack([v[0, c * 8 : c * 8 + 8, 0].sum(axis=0) for c in order[:count]])
        expected = np.einsum("ch,cd->hd", np.exp(logits), values) / total[:, None]
        np.testing.assert_allclose(out[0, t], expected)


def test_top_p_in_hsa() -> None:
    has(
        threshold,
        "over chunk off_by 0.0 : tensor<1x?xf32, #pos_chunk>",
        "k 5 order score",
        "hsa.take",
        "hsa.scan sum exclusive % over slot : tensor<1x5xf32, #pos_slot>",
        "%kept = arith.select %, %slots, %",
        "hsa.push",
        'hsa.selected %kept in "kv" as "kept"',
        'hsa.chunk %lm[%c : !hsa.chunk_id<"kv">] : !hsa.landmarks<"kv", bf16, heads = kv, '
        "key = 64, dim = 64> -> tensor<64xbf16, #dim>",
    )


@rf.jit
def moba(q: rl.Query, lm: rl.Landmarks, k: rl.Chunks, v: rl.Chunks, *, top_k: rl.constexpr):
    """MoBA: each query head picks for itself, its own chunk always, causal inside."""
    t = rl.query_position()
    s = rl.where(rl.end(lm) <= t, rl.dot(q, lm), -rl.inf)
    own = (rl.start(lm) <= t) & (rl.distance(lm) < 8)
    slots = rl.topk(rl.where(own, rl.inf, s), top_k, order="ascending")
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(slots):
        acc.merge(rl.where(rl.positions(k, c) <= t, rl.dot(q, k[c]), -rl.inf), v[c])
    return acc.value, slots


def test_each_query_head_selects_for_itself() -> None:
    q, lm, k, v = arrays(B=1, L=37)
    out, chosen = moba.reference(q, lm, k, v, top_k=3, chunk_size=8)
    assert chosen.shape == (1, 37, 4, 3) and out.shape == (1, 37, 4, 16)
    for t, head in [(36, 0), (36, 3), (20, 1), (3, 2)]:
        s = lm[0, :, head // 2] @ q[0, t, head]
        free = sorted(range(t // 8), key=lambda i: -s[i])[:2]
        picked = sorted([*free, t // 8])
        assert chosen[0, t, head].tolist() == picked + [-1] * (3 - len(picked))
        keys = [x for i in picked for x in range(i * 8, min(i * 8 + 8, t + 1))]
        e = np.exp(k[0, keys, head // 2] @ q[0, t, head])
        np.testing.assert_allclose(out[0, t, head], e @ v[0, keys, head // 2] / e.sum())


def test_each_query_head_selects_for_itself_in_hsa() -> None:
    has(
        moba,
        "%q: !hsa.query<bf16, pos = 1, head = 1, dim = 64>",
        "{group = 16 : i64}",
        "tensor<1x1x?xf32, #pos_head_chunk> -> tensor<1x1x3xi32, #pos_head_slot>",
        'in "kv" as "slots" : tensor<1x1x3xi32, #pos_head_slot>',
        constants={"top_k": 3},
    )


@rf.jit
def moba_of_a_group(q: rl.Query, lm: rl.Landmarks, v: rl.Chunks):
    s = rl.dot(q, lm)
    out = rl.zeros(q, v)
    for slot, c in rl.selected(rl.topk(s - rl.max(s, over="head"), 2)):
        out += rl.sum(v[c], over="key")
    return out


def test_heads_that_select_for_themselves_do_not_see_the_others() -> None:
    q, lm, _, v = arrays(B=1, L=3)
    with pytest.raises(rf.errors.ArgumentError, match="nothing is reduced over 'head'"):
        moba_of_a_group.reference(q, lm, v, chunk_size=8)


@rf.jit
def compressed(q: rl.Query, lm: rl.Landmarks, means: rl.Landmarks, k: rl.Chunks, v: rl.Chunks):
    """NSA's compressed branch and its window in one softmax."""
    acc = rl.online_softmax(q, v)
    for c in rl.own(k):
        acc.merge(
            rl.where(rl.positions(k, c) <= rl.query_position(), rl.dot(q, k[c]), -rl.inf), v[c]
        )
    acc.merge(rl.where(rl.end(lm) <= rl.query_position(), rl.dot(q, lm), -rl.inf), means)
    return acc.value, acc.lse


def test_a_stream_is_merged_with_values_of_chunks() -> None:
    q, lm, k, v = arrays(B=1, L=37)
    means = np.random.default_rng(1).standard_normal(lm.shape)
    out, lse = compressed.reference(q, lm, means, k, v, chunk_size=8)
    for t, head in [(36, 0), (20, 3), (5, 2)]:
        h, keys, chunks = head // 2, range(t // 8 * 8, t + 1), range(t // 8)
        rows = np.concatenate([k[0, keys, h], lm[0, chunks, h]])
        values = np.concatenate([v[0, keys, h], means[0, chunks, h]])
        e = np.exp(rows @ q[0, t, head])
        np.testing.assert_allclose(out[0, t, head], e @ values / e.sum())
        np.testing.assert_allclose(lse[0, t, head], np.log(e.sum()))


def test_a_stream_is_merged_with_values_of_chunks_in_hsa() -> None:
    has(
        compressed,
        "hsa.reduce",
        "over chunk : tensor<1x16x?xf32, #pos_head_chunk> -> tensor<1x16xf32, #pos_head>",
        "hsa.softmax % over chunk",
        "over chunk : tensor<1x16x?xf32, #pos_head_chunk>, tensor<?x32xbf16, #chunk_dim> -> "
        "tensor<1x16x32xf32, #pos_head_dim>",
        "hsa.push",
        "hsa.value",
        arrays={**SPECS, "q": SPECS["r"], "means": ArraySpec("bf16", dim=32)},
    )


@rf.jit
def detached(r: rl.Query, lm: rl.Landmarks):
    s = rl.detach(rl.sum(rl.dot(r, lm), over="head"))
    slots = rl.detach(rl.topk(s, 2))
    return s.at(slots)


def test_detach_is_the_value_itself() -> None:
    has(
        detached,
        "hsa.detach % : tensor<1x?xf32, #pos_chunk>",
        "hsa.detach % : tensor<1x2xi32, #pos_slot>",
        "hsa.take",
    )


@rf.jit
def reads_rows(
    r: rl.Query,
    lm: rl.Landmarks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
):
    """Indices and weights as whole rows."""
    s = rl.sum(rl.dot(r, lm), over="head")
    return rl.softmax(s.at(indices) + weights, over="slot") + rl.sum(rl.zeros(r), over="head")


def test_whole_rows_of_a_selection() -> None:
    assert reads_rows.signature.whole_rows == {"weights", "indices"}
    assert rf.ops.hsa_kernel.signature.whole_rows == frozenset()
    q, lm, _, _ = arrays(L=7)
    random = np.random.default_rng(0)
    weights = random.standard_normal((2, 7, 2, 3))
    indices = random.integers(-1, 6, (2, 7, 2, 3))
    found = reads_rows.reference(q, lm, weights, indices, chunk_size=8)
    s = np.einsum("blhgd,bchd->blhc", q.reshape(2, 7, 2, 2, 16), lm)
    inside = (indices >= 0) & (indices < 5)
    taken = np.take_along_axis(s, np.where(inside, indices, 0), axis=3) + weights
    e = np.where(inside, np.exp(taken), 0.0)
    total = e.sum(axis=3, keepdims=True)
    np.testing.assert_allclose(found, e / np.where(total == 0, 1, total))


def test_whole_rows_of_a_selection_in_hsa() -> None:
    rows = {"weights": ArraySpec("f16", slots=4), "indices": ArraySpec("i64", slots=4)}
    found = lines(reads_rows, arrays={**SPECS, **rows})
    assert any('!hsa.indices<"kv", i64, heads = kv, slots = 4> -> tensor<4xi32' in x for x in found)
    assert any("heads = kv, slots = 4> -> tensor<4xf16, #slot>" in x for x in found)


@rf.jit
def places(r: rl.Query, lm: rl.Landmarks):
    """Where queries stand, by the picks that they see."""
    seen = rl.where(rl.end(lm) <= rl.query_position(), 1.0, -rl.inf)
    return rl.topk(seen, 3)


def test_queries_stand_where_the_call_says() -> None:
    q, lm, _, _ = arrays(B=2, L=4, H=1, G=1)
    positions = np.array([[40, 9, -1, 16], [8, 7, 39, -1]], np.int32)
    found = places.reference(q, lm, chunk_size=8, q_positions=positions)
    assert found[0, :, 0].tolist() == [[4, 3, 2], [0, -1, -1], [-1, -1, -1], [1, 0, -1]]
    assert found[1, :, 0].tolist() == [[0, -1, -1], [-1, -1, -1], [3, 2, 1], [-1, -1, -1]]
    shared = places.reference(q, lm, chunk_size=8, q_positions=positions[0])
    np.testing.assert_array_equal(shared[1], found[0])


def test_the_number_of_keys_says_where_the_last_chunk_ends() -> None:
    q, lm, _, _ = arrays(B=1, L=1, H=1, G=1)
    for keys, expected in [(40, [3, 2, 1]), (33, [3, 2, 1]), (32, [2, 1, 0]), (16, [0, -1, -1])]:
        found = places.reference(q, lm, chunk_size=8, num_keys=keys)
        assert found[0, 0, 0].tolist() == expected
