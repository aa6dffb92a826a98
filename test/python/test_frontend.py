# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each construct of the language becomes in `hsa`, by the lines that matter."""

from __future__ import annotations

import re
from typing import Any

import ramify as rf
import ramify.language as rl
from ramify.frontend import ArraySpec, Lowered, Specialisation, lower

ARRAYS = {
    "q": ArraySpec("bf16", dim=64),
    "k": ArraySpec("bf16", dim=64),
    "v": ArraySpec("bf16", dim=32),
    "weights": ArraySpec("f32"),
    "indices": ArraySpec("i32"),
}
KEY = "tensor<1x16x64xf32, #pos_head_key>"
OUT = "tensor<1x16x32xf32, #pos_head_dim>"


def lowered(function: Any, **changes: Any) -> Lowered:
    """The function in hsa: G = 16, D = 64, Dv = 32, S = 64, bf16 unless changed."""
    options: dict[str, Any] = {"group": 16, "chunk_sizes": {"kv": 64}, "arrays": ARRAYS}
    options["arrays"] = {**ARRAYS, **changes.pop("arrays", {})}
    return lower(function.signature, Specialisation(**{**options, **changes}))


def text(function: Any, **changes: Any) -> str:
    """The text without locations."""
    return lowered(function, **changes).text(with_locations=False)


def lines(function: Any, **changes: Any) -> list[str]:
    """The text's lines, without indentation, numbered names as %."""
    return [re.sub(r"%\d+", "%", line.strip()) for line in text(function, **changes).splitlines()]


@rf.jit
def hsa(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    weights: rl.ChunkWeights,
    indices: rl.ChunkIndices,
    *,
    scale: float,
    softmax_n: rl.constexpr = 0.0,
):
    out = rl.zeros(q, v)
    for slot, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]) * scale, n=softmax_n)
        out += weights[slot] * rl.dot(p, v[c])
    return out


def test_hsa_reads_as_the_mathematics() -> None:
    expected = """\
#key_dim = #hsa.axes<key, dim>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
hsa.program @hsa(
    %q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>,
    %k: !hsa.chunks<"kv", bf16, key = 64, dim = 64>,
    %v: !hsa.chunks<"kv", bf16, key = 64, dim = 32>,
    %weights: !hsa.weights<"indices", f32, heads = kv>,
    %indices: !hsa.indices<"kv", i32, heads = kv>,
    %scale: f32)
    -> (tensor<1x16x32xf32, #pos_head_dim>) attributes {group = 16 : i64} {
"""
    assert text(hsa).startswith(expected)
    body = [line for line in lines(hsa) if line.startswith(("%out", "%p", "hsa.yield", "hsa.ret"))]
    assert body == [
        f"%out = hsa.identity sum : {OUT}",
        '%out_1 = hsa.reduce (%slot, %c) in % : !hsa.domain<"kv", "indices"> '
        f"into (sum %out : {OUT}) {{",
        f'%p = hsa.softmax % over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : {KEY}',
        f"hsa.yield % : {OUT}",
        f"hsa.return %out_1 : {OUT}",
    ]
    assert lowered(hsa).parameters == ("q", "k", "v", "weights", "indices", "scale")


def test_text_is_the_same_each_time_and_locations_are_separable() -> None:
    whole = lowered(hsa).text(with_locations=True)
    assert whole == lowered(hsa).text(with_locations=True)
    assert re.sub(r" loc\(.*\)$", "", whole, flags=re.MULTILINE) == text(hsa)
    line = hsa.__ramify_function__.__code__.co_firstlineno + 13
    assert f'test_frontend.py":{line}:24)' in whole
