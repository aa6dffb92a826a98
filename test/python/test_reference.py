# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803
"""The reference against definitions written by hand, and the corners of the semantics."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl
from ramify.reference import definitions

hsa = rf.ops.hsa_kernel


def make(
    B: int = 2,
    L: int = 7,
    N: int = 50,
    H: int = 2,
    G: int = 3,
    D: int = 16,
    Dv: int = 24,
    S: int = 16,
    K: int = 3,
    rows: int | None = None,
    weight_heads: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    r = np.random.default_rng(seed)
    rows = L if rows is None else rows
    chunks = -(-N // S)
    return {
        "q": r.standard_normal((B, L, H * G, D)),
        "k": r.standard_normal((B, N, H, D)),
        "v": r.standard_normal((B, N, H, Dv)),
        "weights": r.standard_normal((B, rows, H if weight_heads is None else weight_heads, K)),
        "indices": r.integers(-2, chunks + 2, (B, rows, H, K)),
    }


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("softmax_n", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"G": 1},
        {"H": 1, "G": 8},
        {"N": 9},
        {"N": 64},
        {"L": 1},
        {"weight_heads": 6},
        {"weight_heads": 1},
        {"Dv": 16, "K": 1},
    ],
    ids=str,
)
def test_hsa_is_its_definition(changes: dict[str, Any], softmax_n: float) -> None:
    x = make(**changes)
    options = {"scale": 0.3, "softmax_n": softmax_n, "chunk_size": 16}
    close(hsa.reference(**x, **options), definitions.hsa(**x, **options))


@pytest.mark.parametrize("q_block", [2, 3, 7, 20])
def test_queries_of_a_block_share_their_selection(q_block: int) -> None:
    x = make(rows=-(-7 // q_block))
    found = hsa.reference(**x, scale=0.3, chunk_size=16, q_block=q_block)
    close(found, definitions.hsa(**x, scale=0.3, chunk_size=16, q_block=q_block))


def test_query_block_is_inferred_where_only_one_fits() -> None:
    x = make(L=10, rows=4)
    found = hsa.reference(**x, scale=0.3, chunk_size=16)
    close(found, definitions.hsa(**x, scale=0.3, chunk_size=16, q_block=3))


def test_empty_slots_count_for_nothing_whatever_their_weight() -> None:
    x = make()
    x["indices"][:, 2] = -1
    x["indices"][0, 3] = 10**9
    x["weights"][:, 2:4] = np.nan
    x["indices"][1, 3, :, 0] = 1
    x["weights"][1, 3, :, 0] = 2.0
    x["indices"][1, 3, :, 1:] = -1
    x["indices"][:, 4:] = x["indices"][:, :3] = 0
    x["indices"][:, 2] = -1
    found = hsa.reference(**x, scale=0.3, chunk_size=16)
    assert (found[:, 2] == 0).all()
    assert (found[0, 3] == 0).all()
    assert np.isfinite(found).all()
    assert (found[1, 3] != 0).any()


def test_a_chunk_in_two_slots_counts_twice() -> None:
    x = make(K=2)
    x["indices"][...] = 1
    x["weights"][...] = 0.5
    twice = hsa.reference(**x, scale=0.3, chunk_size=16)
    once = {name: value[..., :1] if value.ndim == 4 else value for name, value in x.items()}
    once = {**x, "weights": x["weights"][..., :1] * 2, "indices": x["indices"][..., :1]}
    close(twice, hsa.reference(**once, scale=0.3, chunk_size=16))


def test_keys_past_the_end_are_not_read() -> None:
    x = make(N=50)
    long = {**x, "k": np.full((2, 80, 2, 16), np.nan), "v": np.full((2, 80, 2, 24), np.nan)}
    long["k"][:, :50], long["v"][:, :50] = x["k"], x["v"]
    found = hsa.reference(**long, scale=0.3, chunk_size=16, num_keys=50)
    close(found, hsa.reference(**x, scale=0.3, chunk_size=16))
    each = hsa.reference(**long, scale=0.3, chunk_size=16, num_keys=np.array([50, 20]))
    short = {**x, "k": x["k"][:, :20], "v": x["v"][:, :20]}
    close(each[0], found[0])
    close(each[1], hsa.reference(**short, scale=0.3, chunk_size=16)[1])


def test_huge_logits_do_not_overflow() -> None:
    x = make()
    for n in (0.0, 1.0):
        found = hsa.reference(**x, scale=1e5, softmax_n=n, chunk_size=16)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("change", [{"B": 0}, {"L": 0}, {"N": 0}, {"K": 0}])
def test_empty_inputs_give_zeros_of_the_right_shape(change: dict[str, int]) -> None:
    found = hsa.reference(**make(**change), scale=0.3, chunk_size=16)
    sizes = {"B": 2, "L": 7, **change}
    assert found.shape == (sizes["B"], sizes["L"], 6, 24)
    assert (found == 0).all()


def test_indices_per_query_head() -> None:
    x = make(weight_heads=6)
    r = np.random.default_rng(1)
    x["indices"] = r.integers(-1, 4, (2, 7, 6, 3))
    found = hsa.reference(**x, scale=0.3, chunk_size=16)
    wide = {**x, "k": x["k"].repeat(3, axis=2), "v": x["v"].repeat(3, axis=2)}
    close(found, definitions.hsa(**wide, scale=0.3, chunk_size=16))


def test_torch_tensors_of_16_bits() -> None:
    torch = pytest.importorskip("torch")
    x = {name: torch.from_numpy(value) for name, value in make().items()}
    for name in ("q", "k", "v"):
        x[name] = x[name].to(torch.bfloat16)
    found = hsa.reference(**x, scale=0.3, chunk_size=16)
    wide = {n: t.double().numpy() if t.is_floating_point() else t.numpy() for n, t in x.items()}
    close(found, definitions.hsa(**wide, scale=0.3, chunk_size=16))


@rf.jit
def joint(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        s = rl.dot(q, k[c]) * scale
        acc.merge(rl.where(rl.positions(k, c) <= rl.query_position(), s, -rl.inf), v[c])
    return acc.value, acc.lse


@pytest.mark.parametrize("q_start", [43, 0, -3, 60])
def test_joint_softmax_is_its_definition(q_start: int) -> None:
    x = make()
    del x["weights"]
    options = {"scale": 0.3, "chunk_size": 16, "q_start": q_start}
    value, lse = joint.reference(**x, **options)
    expected, expected_lse = definitions.joint_softmax(**x, **options)
    close(value, expected)
    close(lse, expected_lse)
    nothing = np.isinf(lse)
    assert (value[nothing] == 0).all()


def test_queries_stand_at_the_end_of_the_keys_unless_told() -> None:
    x = make()
    del x["weights"]
    default = joint.reference(**x, scale=0.3, chunk_size=16)
    told = joint.reference(**x, scale=0.3, chunk_size=16, q_start=50 - 7)
    close(default[0], told[0])
    each = joint.reference(**x, scale=0.3, chunk_size=16, q_start=np.array([5, 20]))
    close(each[0][1], joint.reference(**x, scale=0.3, chunk_size=16, q_start=20)[0][1])
    listed = joint.reference(**x, scale=0.3, chunk_size=16, q_positions=np.arange(20, 27))
    close(listed[0], joint.reference(**x, scale=0.3, chunk_size=16, q_start=20)[0])


def test_padding_rows_are_zero() -> None:
    x = make()
    del x["weights"]
    positions = np.array([40, -1, 41, 42, -1, -1, 43])
    value, lse = joint.reference(**x, scale=0.3, chunk_size=16, q_positions=positions)
    assert (value[:, [1, 4, 5]] == 0).all()
    assert np.isneginf(lse[:, [1, 4, 5]]).all()
    plain, _ = joint.reference(**x, scale=0.3, chunk_size=16, q_positions=np.maximum(positions, 0))
    close(value[:, [0, 2, 3, 6]], plain[:, [0, 2, 3, 6]])


@rf.jit
def windowed(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, last: int, align: rl.constexpr = None):
    acc = rl.online_softmax(q, v)
    for c in rl.window(k, last=last, align=align):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def owned(q: rl.Query, k: rl.Chunks, v: rl.Chunks):
    acc = rl.online_softmax(q, v)
    for c in rl.own(k):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def sunk(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, sink: int, last: int):
    acc = rl.online_softmax(q, v)
    near = rl.window(k, last=last)
    for c in near:
        acc.merge(rl.dot(q, k[c]), v[c])
    for c in rl.first(k, keys=sink, outside=near):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


@rf.jit
def rest(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, last: int):
    acc = rl.online_softmax(q, v)
    for c in rl.every(k, outside=rl.window(k, last=last)):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


def dense(x: dict[str, Any], seen: Any) -> Any:
    """Softmax over the keys that `seen [L, N]` says."""
    q, k, v = (x[name] for name in "qkv")
    b, length, query_heads, d = q.shape
    grouped = q.reshape(b, length, k.shape[2], -1, d)
    s = np.einsum("blhgd,bnhd->blhgn", grouped, k)
    s = np.where(seen[None, :, None, None, :], s, -np.inf)
    highest = s.max(axis=-1, keepdims=True)
    e = np.exp(s - np.where(np.isinf(highest), 0.0, highest))
    total = e.sum(axis=-1, keepdims=True)
    o = np.einsum("blhgn,bnhd->blhgd", e / np.where(total == 0, 1, total), v)
    return o.reshape(b, length, query_heads, -1)


def domains() -> dict[str, tuple[Any, dict[str, Any], Any]]:
    """Function, options, and whether the query at t sees the key x."""
    return {
        "window": (windowed, {"last": 20}, lambda t, x: (x > t - 20) & (x <= t)),
        "aligned": (
            windowed,
            {"last": 20, "align": "chunk"},
            lambda t, x: (x >= (t - 19) // 16 * 16) & (x <= t),
        ),
        "own": (owned, {}, lambda t, x: x // 16 == t // 16),
        "sink": (sunk, {"sink": 5, "last": 10}, lambda t, x: (x <= t) & (x > t - 10) | (x < 5)),
        "rest": (rest, {"last": 12}, lambda t, x: (x <= t - 12) | (x > t)),
        "no window": (windowed, {"last": 0}, lambda t, x: x < -1),
    }


@pytest.mark.parametrize("q_block", [1, 4, 16])
@pytest.mark.parametrize("q_start", [30, -4, 44])
@pytest.mark.parametrize("name", domains())
def test_domains_are_their_sets_of_keys(name: str, q_start: int, q_block: int) -> None:
    function, options, sees = domains()[name]
    x = {key: value for key, value in make(L=13).items() if key in ("q", "k", "v")}
    found = function.reference(**x, **options, chunk_size=16, q_start=q_start, q_block=q_block)
    t = q_start + np.arange(13)
    close(found, dense(x, sees(t[:, None], np.arange(50)[None, :])))


def test_keys_outside_of_a_domain_are_not_read() -> None:
    x = {key: value for key, value in make(L=13).items() if key in ("q", "k", "v")}
    options = {"last": 3, "chunk_size": 16, "q_start": 35, "q_block": 4}
    before = windowed.reference(**x, **options)
    x["k"][:, :30] = x["v"][:, :30] = np.nan
    x["v"][:, 48:] = np.nan
    close(windowed.reference(**x, **options), before)


@rf.jit
def by_hand(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float):
    out, total = rl.zeros(q, v), rl.zeros(q)
    high = rl.zeros(q, init=-rl.inf)
    for slot, c in rl.selected(indices):
        high = rl.maximum(high, rl.max(rl.dot(q, k[c]) * scale, over="key"))
    for slot, c in rl.selected(indices):
        p = rl.exp(rl.dot(q, k[c]) * scale - high)
        out += rl.dot(p, v[c])
        total += rl.sum(p, over="key")
    return out / rl.where(total == 0, 1.0, total), high + rl.log(total)


@rf.jit
def by_push(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        s = rl.dot(q, k[c]) * scale
        acc.push(rl.logsumexp(s, over="key"), rl.dot(rl.softmax(s), v[c]))
    return acc.value, acc.lse


def test_one_softmax_in_three_ways() -> None:
    x = make()
    del x["weights"]
    options = {"scale": 0.3, "chunk_size": 16}
    value, lse = joint.reference(**x, **options, q_start=1000)
    for function in (by_hand, by_push):
        other, other_lse = function.reference(**x, **options)
        close(other, value)
        close(other_lse, lse)


@rf.jit
def terms(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    slope: rl.Tensor["head"],
    gate: rl.Tensor["pos", "head"],
    key_bias: rl.Tensor["kv.key"],
    chunk_bias: rl.Tensor["kv.chunk", "head"],
    shift: rl.Tensor[()],
):
    acc = rl.online_softmax(q, v)
    for c in rl.every(k):
        distance = rl.query_position() - rl.positions(k, c)
        s = rl.dot(q, k[c]) - slope * distance + key_bias[c] + chunk_bias[c] + shift
        acc.merge(rl.where(distance >= 0, s, -rl.inf), v[c])
    return acc.value * gate


@pytest.mark.parametrize("q_block", [1, 3])
@pytest.mark.parametrize("batched", [False, True])
def test_terms_by_axes(batched: bool, q_block: int) -> None:
    x = {key: value for key, value in make().items() if key in ("q", "k", "v")}
    r = np.random.default_rng(2)
    lead = (2,) if batched else ()
    shapes = {"slope": (6,), "gate": (7, 6), "key_bias": (50,), "chunk_bias": (4, 6), "shift": ()}
    extra = {name: np.asarray(r.standard_normal(lead + shape)) for name, shape in shapes.items()}
    found = terms.reference(**x, **extra, chunk_size=16, q_block=q_block)
    full = {n: np.broadcast_to(a, (2, *shapes[n])) for n, a in extra.items()}
    q = x["q"].reshape(2, 7, 2, 3, 16)
    s = np.einsum("blhgd,bnhd->blhgn", q, x["k"]).reshape(2, 7, 6, 50)
    distance = (43 + np.arange(7))[:, None] - np.arange(50)[None, :]
    s = s - full["slope"][:, None, :, None] * distance[None, :, None, :]
    s = s + full["key_bias"][:, None, None, :] + full["shift"][:, None, None, None]
    s = s + full["chunk_bias"].transpose(0, 2, 1).repeat(16, axis=-1)[:, None, :, :50]
    s = np.where(distance[None, :, None, :] >= 0, s, -np.inf)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = (e / e.sum(axis=-1, keepdims=True)).reshape(2, 7, 2, 3, 50)
    o = np.einsum("blhgn,bnhd->blhgd", p, x["v"]).reshape(2, 7, 6, 24)
    close(found, o * full["gate"][..., None])


def test_print_works_inside(capsys: pytest.CaptureFixture[str]) -> None:
    @rf.jit
    def talks(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
        out = rl.zeros(q)
        for slot, c in rl.selected(indices):
            out += rl.max(rl.dot(q, k[c]), over="key")
            print(slot, c, k[c].shape, rl.query_position())
        return out

    x = make(B=1, L=1, H=1, K=1)
    x["indices"][...] = 3
    talks.reference(x["q"], x["k"], x["indices"], chunk_size=16)
    shown = capsys.readouterr().out
    assert shown == "slot 0 chunk 3 of 'kv' (2 keys, 48..49) (2, 16) NamedArray[pos=1]([49])\n"


def test_numbers_are_negated_as_conditions() -> None:
    @rf.jit
    def others(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices, *, n: int):
        out = rl.zeros(q)
        for slot, c in rl.selected(indices):
            keep = ~(rl.index(c) == n) & ~(n > 3)
            out += rl.where(keep, rl.max(rl.dot(q, k[c]), over="key"), 0.0)
        return out

    x = make(K=1)
    x["indices"][...] = 2
    arguments = x["q"], x["k"], x["indices"]
    assert (others.reference(*arguments, n=2, chunk_size=16) == 0).all()
    assert (others.reference(*arguments, n=1, chunk_size=16) != 0).all()
    assert (others.reference(*arguments, n=4, chunk_size=16) == 0).all()


def test_functions_of_the_language_call_each_other() -> None:
    @rf.jit
    def calls(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices):
        value, lse = joint(q, k, v, indices, scale=0.3)
        return value * 2

    x = make()
    del x["weights"]
    expected, _ = joint.reference(**x, scale=0.3, chunk_size=16)
    close(calls.reference(**x, chunk_size=16), 2 * expected)


class OnlyDLPack:
    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@rf.jit
def signed(q: rl.Query, bias: rl.Tensor["kv.key"], *, pair: rl.constexpr = ((1, 2), 3)):
    return +q + rl.query_position()


def test_what_calls_take_the_reference_takes() -> None:
    """A sign, arrays by DLPack, keys that only an array tells of, tuples in tuples."""
    q, bias = np.ones((1, 5, 2, 16), np.float32), np.ones(40, np.float32)
    found = signed.reference(OnlyDLPack(q), OnlyDLPack(bias), chunk_size=16)
    assert found[0, :, 0, 0].tolist() == [36, 37, 38, 39, 40]
    assert np.array_equal(signed(q, bias, chunk_size=16), found)


def test_functions_of_the_language_say_where_they_belong() -> None:
    with pytest.raises(rf.Error, match=r"decorated with @ramify\.jit"):
        rl.query_position()


def test_it_is_fast_enough_for_the_shape_of_the_demo() -> None:
    r = np.random.default_rng(0)
    q = r.standard_normal((1, 512, 16, 64))
    k, v = r.standard_normal((2, 1, 4096, 1, 64))
    weights, indices = r.standard_normal((1, 512, 1, 8)), r.integers(0, 64, (1, 512, 1, 8))
    start = time.perf_counter()
    hsa.reference(q, k, v, weights, indices, scale=0.125, chunk_size=64)
    assert time.perf_counter() - start < 4.0  # an eighth of the demo's queries; 0.25 s if idle
