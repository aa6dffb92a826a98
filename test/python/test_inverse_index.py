# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The inverse index of a selection, made by the kernels that chunk_major begins with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

import ramify as rf
import ramify.language as rl

ITEM = 64  # entries of an item at most


@rf.jit
def visit(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    out = rl.zeros(q)
    for _slot, c in rl.selected(indices):
        out += rl.sum(rl.dot(q, k[c]), over="key")
    return out


INDEX = visit.options(schedule="inverse_index")


@dataclass(frozen=True)
class Sizes:
    B: int = 2
    rows: int = 50
    heads: int = 2
    K: int = 3
    chunks: int = 20
    q_block: int = 1


def arrays_of(sizes: Sizes, size: int = 16) -> tuple[NDArray[np.float32], ...]:
    """Queries and keys, of no memory: only their sizes matter."""
    queries = (sizes.B, sizes.rows * sizes.q_block, sizes.heads, 8)
    keys = (sizes.B, sizes.chunks * size, sizes.heads, 8)
    row = np.zeros(8, np.float32)
    return tuple(
        np.lib.stride_tricks.as_strided(row, shape, (0, 0, 0, 4)) for shape in (queries, keys)
    )


def index_of(
    picks: NDArray[np.signedinteger], sizes: Sizes, size: int = 16
) -> tuple[NDArray[np.int32], ...]:
    """`counts`, `items` and `entries` of all windows."""
    options = {"q_block": sizes.q_block} if sizes.q_block > 1 else {}
    return INDEX(*arrays_of(sizes, size), picks, chunk_size=size, **options)


def check(picks: NDArray[np.signedinteger], sizes: Sizes) -> None:
    check_index(index_of(picks, sizes), picks, sizes)


def check_index(
    index: tuple[NDArray[np.int32], ...], picks: NDArray[np.signedinteger], sizes: Sizes
) -> None:
    """Every region lists each valid pick once, by chunk, ascending, in items of its chunk."""
    bits = max(sizes.K - 1, 0).bit_length()
    counts, items, entries = index
    window = entries.shape[3] // max(sizes.K, 1) if sizes.K else sizes.rows
    for b, w, h in np.ndindex(entries.shape[:3]):
        own = picks[b, w * window : (w + 1) * window, h].astype(np.int64).reshape(-1)
        valid = (own >= 0) & (own < sizes.chunks)
        places = np.flatnonzero(valid)
        order = places[np.argsort(own[valid], kind="stable")]
        packed = order // max(sizes.K, 1) << bits | order % max(sizes.K, 1)
        wanted = items_of(*np.unique(own[valid], return_counts=True))
        assert counts[b, w, h].tolist() == [len(wanted), len(order)]
        assert (entries[b, w, h, : len(order)] == packed).all()
        assert (items[b, w, h].reshape(-1, 4)[: len(wanted)] == wanted).all()


def items_of(chunks: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Chunk, first entry, and where the chunk's entries begin and end, of each item."""
    behind = np.cumsum(counts)
    listed = [
        (chunk, begin, end - count, end)
        for chunk, count, end in zip(chunks, counts, behind, strict=True)
        for begin in range(end - count, end, ITEM)
    ]
    return np.array(listed, np.int64).reshape(-1, 4)


def random_picks(
    sizes: Sizes, seed: int = 0, low: int = 0, high: int | None = None
) -> NDArray[np.int32]:
    shape = (sizes.B, sizes.rows, sizes.heads, sizes.K)
    top = sizes.chunks if high is None else high
    return np.random.default_rng(seed).integers(low, max(top, low + 1), shape, dtype=np.int32)


@pytest.mark.parametrize("seed", range(6))
def test_random_shapes(seed: int) -> None:
    r = np.random.default_rng(100 + seed)
    sizes = Sizes(
        B=int(r.integers(1, 4)),
        rows=int(r.integers(1, 900)),
        heads=int(r.integers(1, 4)),
        K=int(r.integers(1, 40)),
        chunks=int(r.integers(1, 1500)),
    )
    check(random_picks(sizes, seed), sizes)


def test_empty_slots_and_indices_out_of_range() -> None:
    sizes = Sizes(chunks=9)
    check(random_picks(sizes, low=-4, high=14), sizes)
    picks = random_picks(sizes)
    picks[:, ::3] = 2**31 - 1
    picks[:, 1::3] = -(2**31)
    check(picks, sizes)


def test_int64_indices() -> None:
    sizes = Sizes(chunks=9)
    picks = random_picks(sizes).astype(np.int64)
    picks[:, ::3, :, 0] = 2**32 + 1
    check(picks, sizes)


def test_duplicates_are_kept() -> None:
    sizes = Sizes(K=5)
    picks = random_picks(sizes)
    picks[...] = picks[..., :1]
    check(picks, sizes)


def test_a_sink_that_every_query_selects() -> None:
    """Its list is spread over many items, and sorted none the less."""
    sizes = Sizes(B=1, rows=3000, heads=1, K=2, chunks=70)
    picks = random_picks(sizes)
    picks[..., 0] = 3
    check(picks, sizes)


@pytest.mark.parametrize("chunks", [70, 1200])
def test_a_sink_in_several_windows(chunks: int) -> None:
    sizes = Sizes(B=1, rows=40000, heads=1, K=2, chunks=chunks)
    picks = random_picks(sizes)
    picks[..., 1] = chunks // 2
    check(picks, sizes)


@pytest.mark.parametrize("chunks", [1023, 1024, 1025, 2048])
def test_about_as_many_chunks_as_bins(chunks: int) -> None:
    sizes = Sizes(rows=700, chunks=chunks)
    picks = random_picks(sizes)
    picks[:, ::7] = chunks - 1
    check(picks, sizes)


def test_few_picks_of_very_many_chunks() -> None:
    sizes = Sizes(B=1, rows=300, heads=1, K=2, chunks=2**20)
    picks = random_picks(sizes)
    picks[:, ::9, :, 1] = 2**20 - 1
    check(picks, sizes)


@pytest.mark.parametrize("chunks", [3, 2**10 + 1, 2**20 + 1, 2**22])
def test_passes(chunks: int) -> None:
    """One for ten bits of the number of chunks."""
    sizes = Sizes(rows=1100, K=2, chunks=chunks)
    picks = random_picks(sizes)
    picks[:, :700, :, 1] = picks[:, ::700, :, :1].max()
    check(picks, sizes)


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("chunks", [2**10, 2**20])
@pytest.mark.parametrize("rows", [2**16, 2**24])
def test_the_workspace_is_bounded(rows: int, chunks: int, heads: int) -> None:
    small = Sizes(B=1, rows=1, heads=heads, chunks=1)
    plan = INDEX.compile(*arrays_of(small), random_picks(small), chunk_size=16).plan
    q, k = (1, rows, heads, 8), (1, chunks * 16, heads, 8)
    assert plan.workspace_bytes({"q": q, "k": k, "indices": (1, rows, heads, 8)}) <= 256 << 20


def test_chunks_that_no_query_selects() -> None:
    sizes = Sizes(chunks=4000)
    check(random_picks(sizes, low=1000, high=1010), sizes)


def test_several_windows() -> None:
    sizes = Sizes(B=1, rows=9000, heads=1, K=2, chunks=64)
    assert index_of(random_picks(sizes), sizes)[2].shape[1] == 3
    check(random_picks(sizes), sizes)


def test_windows_grow_with_the_number_of_chunks() -> None:
    sizes = Sizes(B=1, rows=5000, heads=1, K=2, chunks=2**17)
    assert index_of(random_picks(sizes), sizes)[2].shape[1] == 1
    check(random_picks(sizes), sizes)


def test_query_blocks() -> None:
    sizes = Sizes(q_block=4)
    check(random_picks(sizes), sizes)


@pytest.mark.parametrize("name", ["B", "rows", "K", "chunks"])
def test_nothing(name: str) -> None:
    sizes = Sizes(**{name: 0})
    check(random_picks(sizes), sizes)


def test_all_empty() -> None:
    sizes = Sizes()
    check(np.full((sizes.B, sizes.rows, sizes.heads, sizes.K), -1, np.int32), sizes)


def test_the_same_from_run_to_run() -> None:
    sizes = Sizes(B=1, rows=4000, heads=2, K=8, chunks=40)
    picks = random_picks(sizes)
    used = [index_of(picks, sizes) for _ in range(3)]
    for other in used[1:]:
        for one, two in zip(used[0], other, strict=True):
            assert one.shape == two.shape
        assert (used[0][2] == other[2]).all()  # no slot is empty, so all entries are written
