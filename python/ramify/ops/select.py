# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Selection: which chunks each query attends to, and with which weights."""

from __future__ import annotations

from typing import Any

import ramify.language as rl

from ..errors import ArgumentError, ArgumentTypeError, mismatch
from ..jit import jit
from ..language.selection import MAX_TOP_K, ORDERS
from .checks import check_int, default_scale, given

WEIGHTS = ("stick_breaking", "softmax", "softmax_1", "sigmoid", "none")
GROUPS = ("sum", "max")


@jit
def select_kernel(
    r: rl.Query,
    landmarks: rl.Landmarks,
    *,
    scale: float,
    window: int = 0,
    size: rl.constexpr,
    top_k: rl.constexpr,
    weights: rl.constexpr = "stick_breaking",
    order: rl.constexpr = "nearest",
    sink: rl.constexpr = 0,
    local: rl.constexpr = 0,
    own: rl.constexpr = False,
    group: rl.constexpr = "sum",
) -> tuple[rl.Array, rl.Array]:
    """One query of `select`; `size` is the chunk size."""
    each = rl.dot(r, landmarks) * scale
    s = rl.sum(each, over="head") if group == "sum" else rl.max(each, over="head")
    t = rl.query_position()
    begin = rl.start(landmarks)
    complete = rl.length(landmarks) == size
    visible = complete & (rl.end(landmarks) <= t) & (begin <= t - window)
    s = rl.where(visible & (s == s), s, -rl.inf)  # NaN is not equal to itself
    key = s
    if sink:
        key = rl.where(visible & (rl.index(landmarks) < sink), rl.inf, key)
    if local:
        count = rl.sum(rl.where(visible, 1.0, 0.0), over="chunk")  # the visible chunks come first
        key = rl.where(visible & (rl.index(landmarks) >= count - local), rl.inf, key)
    if own:
        here = (begin <= t) & (t < begin + size)
        key = rl.where(here, rl.inf, key)
        s = rl.where(here, 0.0, s)  # its landmark has seen later keys
    slots = rl.topk(key, top_k, order=order)
    return slot_weights(s.at(slots), slots, kind=weights), slots


@jit
def slot_weights(s: rl.Array, slots: rl.Array, *, kind: rl.constexpr) -> rl.Array:
    """Weights of the slots by their scores; 0 where a slot is empty."""
    if kind == "stick_breaking":
        return rl.stick_breaking(s)
    if kind == "softmax":
        return rl.softmax(s, over="slot")
    if kind == "softmax_1":
        return rl.softmax(s, n=1.0, over="slot")
    if kind == "sigmoid":
        return rl.sigmoid(s)
    return rl.where(slots >= 0, s, 0.0)


def select(
    r: Any,
    landmarks: Any,
    *,
    chunk_size: int,
    top_k: int,
    num_keys: Any = None,
    q_start: Any = None,
    scale: float | None = None,
    weights: str = "stick_breaking",
    order: str = "nearest",
    window: int = 0,
    sink: int = 0,
    local: int = 0,
    own: bool = False,
    group: str = "sum",
) -> tuple[Any, Any]:
    r"""Pick for each query the chunks with the largest scores, and weigh them.

    The score of chunk i is :math:`s_i = scale \; r_j \cdot landmark_i`, in float32, summed over the
    query heads that share a key/value head. A query at position t sees the chunks that ended
    before it, :math:`(i + 1) S \le \min(t, N)`: neither the chunk that it stands in nor a partial
    last one. The scores are never stored.

    Parameters
    ----------
    r : array `[B, L, HQ, Dr]`
        Retrieval queries: float32, bfloat16 or float16. Dr is a multiple of 8.
    landmarks : array `[B, C, 1 or H or HQ, Dr]`
        One row per chunk, in the dtype of `r`. HQ is a multiple of its heads.
    chunk_size : int
        S, keys in a chunk.
    top_k : int
        K, slots for each query, 1 to 128.
    num_keys : int or int32 array `[B]`, optional
        N, the number of keys; C * chunk_size unless given.
    q_start : int or int32 array `[B]`, optional
        Where the first query stands among the keys, N - L unless given.
    scale : float, optional
        1 / sqrt(Dr) unless given.
    weights : {"stick_breaking", "softmax", "softmax_1", "sigmoid", "none"}
        What becomes of the scores of the valid slots, in their order. "none" gives the scores.
    order : {"nearest", "ascending", "score"}
        Slots by descending index, by ascending index, or by descending score.
    window : int
        W, of a sliding window that attends to the last W keys elsewhere: chunks whose first key
        has not left it are not picked, :math:`i S \le t - W`. 0, or at least `chunk_size`.
    sink, local : int
        Visible chunks that are picked whatever their scores: the first `sink`, the last `local`.
    own : bool
        Pick the chunk that the query stands in, too. Its landmark has seen later keys, so this
        needs weights="none", and its score is 0. Mask its later keys where you attend to it.
    group : {"sum", "max"}
        How the scores of the query heads that share a key/value head become one.

    Returns
    -------
    weights : array `[B, L, H, K]`, float32
        0 where a slot is empty.
    indices : array `[B, L, H, K]`, int32
        Picked chunks; of equal scores the higher index. -1 where a slot is empty, at the end.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a shape, a dtype, a device or a number does not fit; with more forced picks than slots.

    Notes
    -----
    The chunk selection of RAMba: Hu et al., "Random Long-Context Access for Mamba via
    Hardware-aligned Hierarchical Sparse Attention" (2025).
    """
    chosen = select_arguments(
        r,
        chunk_size=chunk_size,
        top_k=top_k,
        scale=scale,
        weights=weights,
        order=order,
        window=window,
        sink=sink,
        local=local,
        own=own,
        group=group,
    )
    options = given(num_keys=num_keys, q_start=q_start)
    result: tuple[Any, Any] = select_kernel(r, landmarks, **chosen, **options)
    return result


def select_arguments(
    r: Any, *, chunk_size: int, scale: float | None, **choices: Any
) -> dict[str, Any]:
    """The keywords of `select_kernel` for those of `select`, checked.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        For what `select` does not have.
    """
    check_int("select", "chunk_size", chunk_size, 1)
    check_int("select", "top_k", choices["top_k"], 1, MAX_TOP_K)
    for name in ("window", "sink", "local"):
        check_int("select", name, choices[name], 0)
    for name, legal in (("weights", WEIGHTS), ("order", ORDERS), ("group", GROUPS)):
        if choices[name] not in legal:
            expected = f"one of {', '.join(map(repr, legal))}"
            raise ArgumentError(mismatch(f"select(): {name}", expected, repr(choices[name])))
    if not isinstance(choices["own"], bool):
        raise ArgumentTypeError(mismatch("select(): own", "True or False", repr(choices["own"])))
    _check_choices(chunk_size, choices)
    scale = default_scale(r) if scale is None else scale
    return {"scale": scale, "size": int(chunk_size), "chunk_size": chunk_size, **choices}


def _check_choices(chunk_size: int, choices: dict[str, Any]) -> None:
    """Refuse choices that do not go together."""
    window = choices["window"]
    if 0 < window < chunk_size:
        raise ArgumentError(
            mismatch(
                "select(): window",
                f"0, or at least chunk_size = {chunk_size}",
                str(window),
                "In a shorter window some keys would be attended nowhere.",
            )
        )
    forced = choices["sink"] + choices["local"] + choices["own"]
    if forced > choices["top_k"]:
        raise ArgumentError(
            mismatch(
                "select(): sink + local + own",
                f"at most top_k = {choices['top_k']} forced picks",
                str(forced),
                "Forced picks take slots first.",
            )
        )
    if choices["own"] and choices["weights"] != "none":
        raise ArgumentError(
            mismatch(
                "select(): own",
                'weights="none"',
                f"weights={choices['weights']!r}",
                "The landmark of the query's own chunk has seen later keys.",
            )
        )
