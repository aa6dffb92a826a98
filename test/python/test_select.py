# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# ruff: noqa: N803, N806
"""`ramify.ops.select` against its definition, written here with loops over plain numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ramify as rf
from ramify.ops.select import select_arguments, select_kernel

DEFAULTS: dict[str, Any] = {
    "top_k": 4,
    "scale": None,
    "weights": "stick_breaking",
    "order": "nearest",
    "window": 0,
    "sink": 0,
    "local": 0,
    "own": False,
    "group": "sum",
}


def score(r: Any, landmark: Any, choices: dict[str, Any]) -> float:
    """One score: `r` has the query heads of the group, `[G, Dr]`."""
    scale = r.shape[-1] ** -0.5 if choices["scale"] is None else choices["scale"]
    each = [scale * float(row @ landmark) for row in r]
    return sum(each) if choices["group"] == "sum" else np.max(each)


def picks(scores: list[float], t: int, N: int, S: int, choices: dict[str, Any]) -> list[int]:
    """The picked chunks of a query at t, in order."""
    W, K = choices["window"], choices["top_k"]
    last = min(t, N)
    visible = [i for i in range(len(scores)) if (i + 1) * S <= last and i * S <= t - W]
    forced = {i for i in visible if i < choices["sink"]}
    forced |= set(visible[len(visible) - choices["local"] :] if choices["local"] else [])
    if choices["own"] and 0 <= t < len(scores) * S:
        forced.add(t // S)
    free = [i for i in visible if i not in forced and scores[i] > -math.inf]
    free.sort(key=lambda i: (-scores[i], -i))
    chosen = [*sorted(forced, reverse=True), *free][:K]
    if choices["order"] == "score":
        return chosen
    return sorted(chosen, reverse=choices["order"] == "nearest")


def weigh(s: list[float], kind: str) -> list[float]:
    """Weights of the picked scores in order."""
    if kind == "none":
        return s
    if kind == "sigmoid":
        return [1 / (1 + math.exp(-x)) if x > -700 else 0.0 for x in s]
    if kind == "stick_breaking":
        left, w = 1.0, []
        for x in s:
            share = 1 / (1 + math.exp(-x)) if x > -700 else 0.0
            w.append(left * share)
            left *= 1 - share
        return w
    highest = max([*s, 0.0])
    total = sum(math.exp(x - highest) for x in s) + math.exp(-highest) * (kind == "softmax_1")
    return [math.exp(x - highest) / total if total else 0.0 for x in s]


def definition(r: Any, lm: Any, S: int, **given: Any) -> tuple[Any, Any]:
    """Weights and indices `[B, L, H, K]`."""
    choices = {**DEFAULTS, **given}
    B, L, HQ, _ = r.shape
    C, H = lm.shape[1:3]
    N = choices.get("num_keys", C * S)
    start = choices.get("q_start", N - L)
    w = np.zeros((B, L, H, choices["top_k"]))
    indices = np.full(w.shape, -1)
    for b, j, h in np.ndindex(B, L, H):
        heads = r[b, j, h * (HQ // H) : (h + 1) * (HQ // H)]
        s = [score(heads, lm[b, i, h], choices) for i in range(-(-N // S))]
        s = [-math.inf if math.isnan(x) else x for x in s]
        chosen = picks(s, start + j, N, S, choices)
        own = (start + j) // S if choices["own"] else None
        taken = weigh([0.0 if i == own else s[i] for i in chosen], choices["weights"])
        indices[b, j, h, : len(chosen)] = chosen
        w[b, j, h, : len(chosen)] = taken
    return w, indices


def run(r: Any, lm: Any, S: int, **given: Any) -> tuple[Any, Any]:
    """The same by the function's own source."""
    choices = {**DEFAULTS, **given}
    options = {name: choices.pop(name) for name in ("num_keys", "q_start") if name in choices}
    arguments = select_arguments(r, chunk_size=S, **choices)
    result: tuple[Any, Any] = select_kernel.reference(r, lm, **arguments, **options)
    return result


def arrays(B: int = 2, L: int = 37, C: int = 6, H: int = 2, G: int = 3, D: int = 8) -> Any:
    random = np.random.default_rng(B * L + C)
    return random.standard_normal((B, L, H * G, D)), random.standard_normal((B, C, H, D))


def check(r: Any, lm: Any, S: int, **given: Any) -> tuple[Any, Any]:
    weights, indices = run(r, lm, S, **given)
    expected_weights, expected_indices = definition(r, lm, S, **given)
    assert indices.dtype == np.int32
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(weights, expected_weights, rtol=1e-11, atol=1e-12)
    return weights, indices


@pytest.mark.parametrize("weights", ["stick_breaking", "softmax", "softmax_1", "sigmoid", "none"])
@pytest.mark.parametrize("order", ["nearest", "ascending", "score"])
def test_weights_and_orders(weights: str, order: str) -> None:
    check(*arrays(), 8, weights=weights, order=order)


@pytest.mark.parametrize(
    "given",
    [
        {"top_k": 1},
        {"top_k": 6},
        {"top_k": 9},  # more slots than chunks
        {"top_k": 128},
        {"scale": 0.5},
        {"group": "max"},
        {"num_keys": 41},  # the last chunk has one key
        {"num_keys": 47, "q_start": 30},
        {"num_keys": 40},  # landmarks beyond the keys
        {"q_start": 0},
        {"q_start": -20},
        {"q_start": 45},  # beyond the keys
        {"num_keys": 0, "q_start": 3},
        {"window": 8},
        {"window": 13},
        {"window": 40},
        {"sink": 1},
        {"sink": 2, "window": 16},
        {"local": 1},
        {"local": 2, "num_keys": 43, "q_start": 20},
        {"local": 2, "window": 16},
        {"sink": 2, "local": 2},
        {"sink": 3, "local": 1, "order": "score", "weights": "softmax"},
        {"own": True, "weights": "none"},
        {"own": True, "weights": "none", "sink": 1, "local": 1, "order": "ascending"},
        {"own": True, "weights": "none", "num_keys": 43, "q_start": 10},
        {"own": True, "weights": "none", "window": 16, "q_start": -5},
    ],
    ids=str,
)
def test_choices(given: dict[str, Any]) -> None:
    check(*arrays(), 8, **given)


@pytest.mark.parametrize("seed", range(12))
def test_random_shapes(seed: int) -> None:
    random = np.random.default_rng(seed)
    S, C = int(random.integers(1, 20)), int(random.integers(1, 9))
    r, lm = arrays(
        B=int(random.integers(1, 3)),
        L=int(random.integers(1, 30)),
        C=C,
        H=int(random.integers(1, 4)),
        G=int(random.integers(1, 5)),
        D=int(random.integers(1, 3)) * 8,
    )
    K = int(random.integers(1, 12))
    sink = int(random.integers(0, K + 1))
    given = {
        "top_k": K,
        "num_keys": int(random.integers(0, C * S + 1)),
        "q_start": int(random.integers(-5, C * S + 5)),
        "window": int(random.choice([0, S, 2 * S + 1])),
        "sink": sink,
        "local": int(random.integers(0, K - sink + 1)),
        "order": str(random.choice(["nearest", "ascending", "score"])),
        "weights": str(random.choice(["stick_breaking", "softmax", "softmax_1", "sigmoid"])),
        "group": str(random.choice(["sum", "max"])),
    }
    check(r, lm, S, **given)


def test_equal_scores_go_to_the_higher_index() -> None:
    r, lm = np.ones((1, 1, 1, 8)), np.ones((1, 9, 1, 8))
    _, indices = check(r, lm, 4, top_k=3, q_start=36)
    assert indices[0, 0, 0].tolist() == [8, 7, 6]


def test_nan_and_minus_infinity_are_never_picked() -> None:
    r, lm = arrays()
    lm[:, 1, :, 0], lm[:, 3] = math.nan, -math.inf * np.sign(r[0, -1, 0, :1])
    r = np.abs(r)
    lm[:, 3] = -math.inf
    _, indices = check(r, lm, 8, top_k=6)
    assert not np.isin(indices, [1, 3]).any() and np.isin(indices, [0, 2, 4]).any()


def test_forced_picks_without_a_score_weigh_nothing() -> None:
    r, lm = arrays()
    lm[:, 0] = math.nan
    weights, indices = check(r, lm, 8, sink=1, q_start=20)
    assert (indices == 0).any() and not weights[indices == 0].any()


def test_all_scores_missing_gives_empty_slots() -> None:
    r, lm = arrays()
    weights, indices = check(r, np.full_like(lm, math.nan), 8, weights="softmax")
    assert (indices == -1).all() and not weights.any()


def test_a_window_and_the_picks_miss_no_key() -> None:
    S, W = 8, 19
    r, lm = arrays(B=1, L=96, C=12, H=1, G=1)
    _, indices = run(r, lm, S, window=W, top_k=12)
    for t, row in enumerate(indices[0, :, 0]):
        picked = {key for chunk in row if chunk >= 0 for key in range(chunk * S, chunk * S + S)}
        window = set(range(max(t - W + 1, 0), t + 1))
        assert picked | window == set(range(t + 1))
        assert len(picked & window) <= S - 1


def test_large_scores_stay_finite() -> None:
    r, lm = arrays()
    for weights in ("stick_breaking", "softmax", "softmax_1", "sigmoid"):
        found, _ = run(r * 1e4, lm * 1e4, 8, weights=weights)
        assert np.isfinite(found).all() and (found >= 0).all() and (found <= 1).all()


def test_own_landmarks_of_query_heads_and_one_for_all() -> None:
    r, lm = arrays(H=6, G=1)
    check(r, lm, 8)
    r, _ = arrays(H=2, G=3)
    check(r, lm[:, :, :1], 8)


def test_without_queries_or_chunks_the_shapes_remain() -> None:
    r, lm = arrays()
    weights, indices = run(r[:, :0], lm, 8)
    assert weights.shape == indices.shape == (2, 0, 2, 4) and indices.dtype == np.int32
    weights, indices = run(r[:0], lm[:0], 8)
    assert weights.shape == (0, 37, 2, 4)
    weights, indices = run(r, lm[:, :0], 8)
    assert (indices == -1).all() and not weights.any()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"top_k": 0}, rf.errors.ArgumentError, "top_k: expected an int from 1 to 128, found 0"),
        ({"top_k": 129}, rf.errors.ArgumentError, "from 1 to 128, found 129"),
        ({"top_k": 8.0}, rf.errors.ArgumentTypeError, "from 1 to 128, found 8.0"),
        ({"top_k": True}, rf.errors.ArgumentTypeError, "found True"),
        ({"chunk_size": 0}, rf.errors.ArgumentError, "chunk_size: expected an int >= 1"),
        ({"chunk_size": "64"}, rf.errors.ArgumentTypeError, "chunk_size: expected an int >= 1"),
        ({"weights": "stick"}, rf.errors.ArgumentError, "'stick_breaking', 'softmax'"),
        (
            {"order": "near"},
            rf.errors.ArgumentError,
            "'nearest', 'ascending', 'score', found 'near'",
        ),
        ({"group": "mean"}, rf.errors.ArgumentError, "one of 'sum', 'max', found 'mean'"),
        ({"window": 5}, rf.errors.ArgumentError, "at least chunk_size = 8, found 5"),
        ({"window": -1}, rf.errors.ArgumentError, "window: expected an int >= 0, found -1"),
        ({"sink": -1}, rf.errors.ArgumentError, "sink: expected an int >= 0"),
        ({"sink": 1.5}, rf.errors.ArgumentTypeError, "sink: expected an int >= 0"),
        (
            {"sink": 3, "local": 2},
            rf.errors.ArgumentError,
            "at most top_k = 4 forced picks, found 5",
        ),
        (
            {"sink": 4, "own": True, "weights": "none"},
            rf.errors.ArgumentError,
            "at most top_k = 4 forced picks, found 5",
        ),
        ({"own": True}, rf.errors.ArgumentError, 'expected weights="none", found'),
        ({"own": 1}, rf.errors.ArgumentTypeError, "own: expected True or False"),
    ],
    ids=str,
)
def test_what_cannot_be(given: dict[str, Any], error: type[Exception], message: str) -> None:
    r, lm = arrays()
    with pytest.raises(error) as caught:
        rf.ops.select(
            r.astype(np.float32), lm.astype(np.float32), **{"chunk_size": 8, "top_k": 4, **given}
        )
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, lm: (r, lm[0]), "rank 4, [B, C, 1 or H or HQ, Dr]"),
        (lambda r, lm: (r, lm[:1]), "[B, C] = [2, 6]"),
        (lambda r, lm: (r[:, :, :5], lm), "query heads: expected a multiple of the 2"),
    ],
)
def test_shapes_that_do_not_fit(change: Any, message: str) -> None:
    with pytest.raises(rf.errors.ArgumentError) as caught:
        run(*change(*arrays()), 8)
    assert message in str(caught.value)
