# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels that the tile dialect's README shows, and operations of training, on a GPU.

Kernels are portable tile text, placed and lowered for the GPU at hand; what they leave in
the arrays is compared with NumPy in float64.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from ramify import _compiler
from ramify import _runtime as rt

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(
    rt.cuda_device_count() == 0 or not torch.cuda.is_available(),
    reason=f"no GPU: {rt.cuda_problem() or 'PyTorch sees none'}",
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "dialects/Tile/README.md").read_text(encoding="utf-8")
KERNELS = [
    (ROOT / "test/Target" / name).read_text(encoding="utf-8")
    for name in ("training.mlir", "tally.mlir")
]
DTYPES = {"bfloat16": "bf16", "float16": "f16", "float32": "f32", "int32": "i32"}
SHARED = 96 * 1024  # more than any of them needs


def target():
    major, minor = rt.cuda_device(0)["capability"]
    return "sm_90a" if (major, minor) == (9, 0) else f"sm_{min(10 * major + minor, 90)}"


def text_of(name):
    """The kernel of that name, with its types, from the README or the tests' kernels."""
    blocks = re.findall(r"^```mlir\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    blocks += KERNELS
    return next(block for block in blocks if f"tile.kernel @{name}(" in block)


def call(name, grid, *operands, stages=0):
    """Launch a kernel; torch tensors are arrays it may write, np.int32 is i32, int is index."""
    options = {"target": target(), "stages": stages}
    ptx = _compiler.lower(text_of(name), "ptx", options)
    threads = int(re.search(rf"\.entry {name}\(.*?\.maxntid (\d+)", ptx, re.DOTALL)[1])
    lines, parameters, passed, arguments = [], [], [], []
    for i, value in enumerate(operands):
        if isinstance(value, torch.Tensor):
            sizes = [f"a{i}d{axis}" for axis in range(value.ndim)]
            dtype = DTYPES[str(value.dtype).removeprefix("torch.")]
            alignment = 16 if value.is_floating_point() and value.shape[-1] > 8 else 4
            lines.append(f"array a{i} {dtype} [{', '.join(sizes)}] align {alignment}")
            parameters.append(
                {"name": f"a{i}", "shapes": [sizes], "dtypes": [dtype], "alignment": alignment}
            )
        elif isinstance(value, float):
            lines.append(f"scalar a{i} f32")
            parameters.append(
                {"name": f"a{i}", "kind": "scalar", "scalar": "f32", "default": value}
            )
        else:
            passed.append(f"{'i32' if isinstance(value, np.int32) else 'i64'}({value})")
            continue
        passed.append(f"a{i}")
        arguments.append(value)
    launch = f'launch "{name}" grid {grid} block {threads} shared {SHARED}'
    head = ["ramify.plan 1", f'function "{name}"', "backend cuda", *lines]
    steps = ["result done f32 [1] zero", f"{launch} ({', '.join(passed)})", "end\n"]
    text = "\n".join([*head, *steps])
    plan = rt.Plan.parse(text.encode()).with_code(options["target"], "ptx", ptx.encode())
    rt.Dispatcher(rt.Signature(name, parameters), lambda request: plan)(*arguments)
    torch.cuda.synchronize()


def device(array):
    return torch.from_numpy(np.ascontiguousarray(array)).cuda()


def normal(seed, *shape, dtype=None):
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return device(values).to(dtype or torch.bfloat16)


def exact(tensor):
    return tensor.float().cpu().numpy().astype(np.float64)


def close(found, wanted, eps):
    """As in semantics.md; the reference rounds nothing, so the kernel's own roundings count."""
    error = np.abs(exact(found) - wanted).max()
    assert error <= eps * max(1.0, np.abs(wanted).max()), error


def tiles_of(indices, chunks):
    """Picks token * slots + slot of each chunk, four a tile, and each chunk's first tile."""
    length, slots = indices.shape
    tiles, starts = [], []
    for c in range(chunks):
        starts.append(len(tiles))
        picks = [t * slots + s for t in range(length) for s in range(slots) if indices[t, s] == c]
        picks += [-1] * (-len(picks) % 4)
        tiles += [picks[i : i + 4] for i in range(0, len(picks), 4)]
    return np.array(tiles, np.int32).reshape(-1, 4), np.array([*starts, len(tiles)], np.int32)


def softmax(s):
    p = np.exp(s - s.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


class Problem:
    """One sequence, one key/value head, 16 query heads, chunks of 64 keys, two slots."""

    length, chunks, slots, scale = 40, 5, 2, 0.125

    def __init__(self):
        self.q, self.dout = normal(0, 1, self.length, 16, 64), normal(1, 1, self.length, 16, 64)
        self.k, self.v = (normal(s, 1, 64 * self.chunks, 1, 64) for s in (2, 3))
        rng = np.random.default_rng(4)
        self.weights = device(rng.random((1, self.length, 1, self.slots)).astype(np.float32))
        self.indices = np.stack(
            [rng.permutation(self.chunks)[: self.slots] for _ in range(self.length)]
        )

    def visits(self):
        """For each pick: token, slot, its chunk's keys, weight, and float64 operands."""
        q, dout, k, v = (exact(x)[0] for x in (self.q, self.dout, self.k, self.v))
        w = exact(self.weights)[0, :, 0]
        for t in range(self.length):
            for s in range(self.slots):
                keys = slice(64 * self.indices[t, s], 64 * self.indices[t, s] + 64)
                p = softmax(q[t] @ k[keys, 0].T * self.scale)
                yield t, s, keys, w[t, s], p, q[t], k[keys, 0], v[keys, 0], dout[t]


@pytest.mark.parametrize("stages", [1, 2])
def test_chunk_major_backward(stages):
    x = Problem()
    tokens, starts = tiles_of(x.indices, x.chunks)
    dq, dk, dv = (torch.zeros_like(a, dtype=torch.float32) for a in (x.q, x.k, x.v))
    dw, queue = torch.zeros_like(x.weights), device(np.zeros(1, np.int32))
    scale2 = float(x.scale * np.log2(np.e))
    lists = device(tokens[None]), device(starts[None]), queue
    sizes = np.int32(x.slots), 1, x.chunks, x.chunks
    call("chunk_major_backward", (3, 1, 1), x.q, x.k, x.v, x.weights, x.dout, *lists, x.scale,
         scale2, *sizes, dq, dk, dv, dw, stages=stages)  # fmt: skip
    wanted = [np.zeros(a.shape) for a in (dq, dk, dv, dw)]
    for t, s, keys, w, p, q, k, v, dout in x.visits():
        dp = dout @ v.T
        e = (p * dp).sum(axis=1)
        ds = w * p * (dp - e[:, None]) * x.scale
        wanted[0][0, t] += ds @ k
        wanted[1][0, keys, 0] += ds.T @ q
        wanted[2][0, keys, 0] += w * p.T @ dout
        wanted[3][0, t, 0, s] = e.sum()
    for found, expected, eps in zip(
        (dq, dk, dv, dw), wanted, (4e-3, 4e-3, 4e-3, 2e-5), strict=True
    ):
        close(found, expected, eps)


def test_chunk_major_forward_drains_windows():
    x = Problem()
    window = 8
    windows = x.length // window
    lists = [tiles_of(x.indices[w * window :][:window], x.chunks) for w in range(windows)]
    capacity = max(len(tiles) for tiles, _ in lists)
    tokens = np.full((windows, capacity, 4), -1, np.int32)
    chunk = np.zeros((windows, capacity), np.int32)
    for w, (tiles, starts) in enumerate(lists):
        first = w * window * x.slots
        tokens[w, : len(tiles)] = np.where(tiles >= 0, tiles + first, -1)
        chunk[w, : len(tiles)] = np.repeat(np.arange(x.chunks), np.diff(starts))
    counts = device(np.array([len(tiles) for tiles, _ in lists], np.int32))
    queue, zeroed = (device(np.zeros(n, np.int32)) for n in (1, windows + 1))
    out = torch.full_like(x.q, torch.nan)
    out[:, :window] = 0
    zero_units = window // 4
    units = windows * (zero_units + capacity)
    call("chunk_major", (4, 1, 1), x.q, x.k, x.v, x.weights, device(tokens), device(chunk), counts,
         queue, zeroed, float(x.scale * np.log2(np.e)), np.int32(x.slots), 1, zero_units, capacity,
         units, out)  # fmt: skip
    wanted = np.zeros(out.shape)
    for t, _, _, w, p, _, _, v, _ in x.visits():
        wanted[0, t] += w * p @ v
    close(out, wanted, 8e-3)


def test_inverse_index():
    rng = np.random.default_rng(5)
    window, windows, heads, chunks, slots = 128, 2, 2, 700, 8
    indices = rng.integers(-1, chunks + 1, (1, window * windows, heads, slots)).astype(np.int32)
    indices[..., 1] = indices[..., 0]  # a chunk twice
    regions, room = windows * heads, window * slots
    counts, seen = (device(np.zeros((regions, chunks), np.int32)) for _ in range(2))
    starts = device(np.zeros((regions, chunks + 1), np.int32))
    tokens, chunk = (
        device(np.full((regions, room, 4), -1, np.int32)),
        device(np.full((regions, room), -1, np.int32)),
    )
    call("inverse_index", (windows, heads, 1), device(indices), counts, seen, np.int32(window),
         chunks, starts, tokens, chunk)  # fmt: skip
    for region in range(regions):
        w, h = divmod(region, heads)
        tiles, first = tiles_of(indices[0, w * window : (w + 1) * window, h], chunks)
        tiles = np.where(tiles >= 0, tiles + w * room, -1)
        np.testing.assert_array_equal(starts[region].cpu(), first)
        np.testing.assert_array_equal(tokens[region, : len(tiles)].cpu(), tiles)
        named = np.repeat(np.arange(chunks), np.diff(first))
        np.testing.assert_array_equal(chunk[region, : len(tiles)].cpu(), named)


@pytest.mark.parametrize(
    ("name", "length", "bins"), [("tally", 2048, 1024), ("tally_few", 256, 12)]
)
def test_counts_of_bins(name, length, bins):
    x = np.random.default_rng(11).integers(-2, bins + 2, length).astype(np.int32)
    x[length // 3 : length // 2] = 5  # many of one bin, in several warps
    before = device(np.full(length, -1, np.int32))
    counts = device(np.full(bins, -1, np.int32))
    call(name, (1, 1, 1), device(x), before, counts)
    valid = (x >= 0) & (x < bins)
    equal = np.tril(x[:, None] == x, -1)
    np.testing.assert_array_equal(before.cpu(), np.where(valid, equal.sum(1), 0))
    np.testing.assert_array_equal(counts.cpu(), np.bincount(x[valid], minlength=bins))


def test_scans_from_the_end():
    x = np.random.default_rng(12).integers(-1000, 1000, 512).astype(np.int32)
    least, sums = (device(np.zeros(512, np.int32)) for _ in range(2))
    call("scan_back", (1, 1, 1), device(x), least, sums)
    behind = np.append(x[1:], np.iinfo(np.int32).max)
    np.testing.assert_array_equal(least.cpu(), np.minimum.accumulate(behind[::-1])[::-1])
    np.testing.assert_array_equal(sums.cpu(), np.cumsum(x[::-1])[::-1])


@pytest.mark.parametrize("name", ["gradient16", "gradient64", "gradient_f32"])
def test_products_over_rows(name):
    """out += (a b^T)^T a, from 16-bit registers, through shared memory, and in f32."""
    rows = 16 if name == "gradient16" else 64
    dtype = torch.float32 if name == "gradient_f32" else torch.bfloat16
    a, b = normal(6, rows, 64, dtype=dtype), normal(7, 64, 64, dtype=dtype)
    out = torch.ones(64, 64, device="cuda")
    call(name, (2, 1, 1), a, b, out)
    p = exact(a) @ exact(b).T / 8
    close(out, 1 + 2 * p.T @ exact(a), 2e-5 if dtype == torch.float32 else 8e-3)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
def test_rows_are_added_where_the_mask_is_true(dtype):
    kinds = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
    x = normal(8, 64, 64, dtype=kinds[dtype])
    at = np.random.default_rng(9).integers(-1, 10, 64).astype(np.int32)
    out = torch.zeros(10, 64, device="cuda", dtype=kinds[dtype])
    call(f"add_{dtype}", (1, 1, 1), x, device(at), out)
    wanted = np.zeros((10, 64))
    for row, target_row in zip(exact(x), at, strict=True):
        if target_row >= 0:
            wanted[target_row] += row
    close(out, wanted, {"f32": 2e-6, "bf16": 2e-2, "f16": 4e-3}[dtype])


def test_a_row_is_counted_once():
    """Sums of rows, which four lanes hold, by any order and by an owner."""
    x = normal(10, 64, 64, dtype=torch.float32)
    at = np.random.default_rng(11).integers(0, 5, 64).astype(np.int32)
    free, owned, again = (torch.ones(5, device="cuda") for _ in range(3))
    call("add_sums", (1, 1, 1), x, device(at), free, owned)
    wanted = 1 + np.array([exact(x)[at == i].sum() for i in range(5)])
    close(free, wanted, 1e-5)
    close(owned, wanted, 1e-5)
    call("add_sums", (1, 1, 1), x, device(at), free, again)
    assert torch.equal(owned, again), "an owner's sums are the same bits each time"


def test_scans():
    rng = np.random.default_rng(12)
    x = rng.integers(-50, 50, 512).astype(np.int32)
    outs = [device(np.zeros(512, np.int32)) for _ in range(3)]
    call("scan_vectors", (1, 1, 1), device(x), *outs)
    np.testing.assert_array_equal(outs[0].cpu(), np.cumsum(x))
    np.testing.assert_array_equal(outs[1].cpu(), np.cumsum(x) - x)
    np.testing.assert_array_equal(outs[2].cpu(), np.maximum.accumulate(x))
    rows = normal(13, 64, 8, dtype=torch.float32)
    found = torch.zeros_like(rows)
    call("scan_rows", (1, 1, 1), rows, found)
    close(found, np.cumsum(exact(rows), axis=1), 1e-6)


def test_sorts():
    rng = np.random.default_rng(14)
    keys = rng.integers(0, 40, 256).astype(np.int32)
    found, order, rank = (device(np.zeros(256, np.int32)) for _ in range(3))
    call("sort_vectors", (1, 1, 1), device(keys), found, order, rank)
    wanted = np.argsort(keys, kind="stable")
    np.testing.assert_array_equal(order.cpu(), wanted)
    np.testing.assert_array_equal(found.cpu(), keys[wanted])
    counted = [(keys[:i] == key).sum() for i, key in enumerate(keys)]
    np.testing.assert_array_equal(rank.cpu(), counted)
    rows = rng.integers(-1, 9, (64, 8)).astype(np.int32)
    sorted_rows, moved = (device(np.zeros((64, 8), np.int32)) for _ in range(2))
    call("sort_rows", (1, 1, 1), device(rows), sorted_rows, moved)
    wanted = np.argsort(-rows, axis=1, kind="stable")
    np.testing.assert_array_equal(sorted_rows.cpu(), np.take_along_axis(rows, wanted, 1))
    np.testing.assert_array_equal(moved.cpu(), wanted)


def test_tickets():
    keys = np.random.default_rng(15).integers(-1, 6, 512).astype(np.int32)
    counts, found = (device(np.zeros(n, np.int32)) for n in (6, 512))
    call("tickets", (1, 1, 1), device(keys), counts, found)
    for key in range(6):
        tickets = np.sort(found.cpu().numpy()[keys == key])
        np.testing.assert_array_equal(tickets, np.arange(len(tickets)))
        assert counts[key] == len(tickets)
    assert (found.cpu().numpy()[keys < 0] == 0).all()
