# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each construct of the language becomes in `hsa`, by the lines that matter."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest

import ramify as rf
import ramify.language as rl
from ramify.frontend import ArraySpec, Lowered, Specialisation, captured, lower

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


def test_a_signature_prints_roles_and_layouts() -> None:
    assert str(hsa.signature).splitlines() == [
        "hsa:",
        "  q: query [B, L, HQ, D]",
        "  k: chunks of 'kv' [B, N, H, D]",
        "  v: chunks of 'kv' [B, N, H, D]",
        "  weights: weights [B, rows, 1 or H or HQ, K]",
        "  indices: indices of 'kv' [B, rows, 1 or H or HQ, K]",
        "  scale: float",
        "  softmax_n: constexpr = 0.0",
    ]


def test_text_is_the_same_each_time_and_locations_are_separable() -> None:
    whole = lowered(hsa).text(with_locations=True)
    assert whole == lowered(hsa).text(with_locations=True)
    assert re.sub(r" loc\(.*\)$", "", whole, flags=re.MULTILINE) == text(hsa)
    line = hsa.__ramify_function__.__code__.co_firstlineno + 13
    assert f'test_frontend.py":{line}:24)' in whole


@rf.jit
def joint(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        s = rl.dot(q, k[c]) * scale
        acc.merge(rl.where(rl.positions(k, c) <= rl.query_position(), s, -rl.inf), v[c])
    return acc.value, acc.lse


STATE = f"!hsa.softmax_state<{OUT}>"


def test_merge_yields_masked_scores_and_values() -> None:
    found = lines(joint)
    assert f"%acc = hsa.online_softmax : {STATE}" in found
    assert (
        '%acc_1 = hsa.reduce (%slot, %c) in % : !hsa.domain<"kv", "indices"> into '
        f"(softmax %acc : {STATE}) {{" in found
    )
    assert '% = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<64xi32, #key>' in found
    assert "% = hsa.query_positions : tensor<1xi32, #pos>" in found
    assert "% = arith.cmpi sle, %, % : tensor<1x64xi32, #pos_key>" in found
    mask = "tensor<1x16x64xi1, #pos_head_key>"
    assert f"% = hsa.broadcast % : tensor<1x64xi1, #pos_key> to {mask}" in found
    assert f"% = arith.select %, %s, % : {mask}, {KEY}" in found
    assert f"% = arith.constant dense<0xFF800000> : {KEY}" in found
    assert f"hsa.yield %, % : {KEY}, tensor<64x32xbf16, #key_dim>" in found
    assert f"% = hsa.value %acc_1 : {STATE} -> {OUT}" in found
    assert f"% = hsa.lse %acc_1 : {STATE} -> tensor<1x16xf32, #pos_head>" in found


def test_results_say_axes_and_dtypes() -> None:
    result = lowered(joint)
    assert result.is_tuple
    assert [(r.axes, r.dim, r.dtype) for r in result.results] == [
        (("pos", "head", "dim"), 32, "bf16"),
        (("pos", "head"), 0, "f32"),
    ]
    assert not lowered(hsa).is_tuple


@rf.jit
def ranges(q: rl.Query, k: rl.Chunks, v: rl.Chunks, *, last: int, sink: rl.constexpr = 4):
    acc = rl.online_softmax(q, v)
    near = rl.window(k, last=last, align="chunk")
    for c in near:
        acc.merge(rl.dot(q, k[c]), v[c])
    for c in rl.first(k, keys=sink, outside=near):
        acc.merge(rl.dot(q, k[c]), v[c])
    for c in rl.own(k):
        acc.merge(rl.dot(q, k[c]), v[c])
    for c in rl.every(k, outside=near):
        acc.merge(rl.dot(q, k[c]), v[c])
    return acc.value


def test_domains_of_ranges() -> None:
    found = lines(ranges)
    chunks, domain = '!hsa.chunks<"kv", bf16, key = 64, dim = 64>', '!hsa.domain<"kv">'
    assert f"%near = hsa.window %k last %last align : {chunks} -> {domain}" in found
    assert f"% = hsa.first %k keys % outside %near : {chunks}, {domain} -> {domain}" in found
    assert "% = arith.constant 4 : i32" in found
    assert f"% = hsa.own %k : {chunks} -> {domain}" in found
    assert f"% = hsa.every %k outside %near : {chunks}, {domain} -> {domain}" in found
    assert f"%acc_2 = hsa.reduce (%c_1) in % : {domain} into (softmax %acc_1 : {STATE}) {{" in found


@rf.jit
def extremes(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices):
    high, low = rl.zeros(q, init=-rl.inf), rl.zeros(q, init=rl.inf)
    total, offset = rl.zeros(q), rl.zeros(q, init=2.5)
    for slot, c in rl.selected(indices):
        s = rl.dot(q, k[c])
        high = rl.maximum(high, rl.max(s, over="key"))
        low = rl.minimum(rl.min(s, over="key"), low)
        total += rl.sum(s, over="key")
        total -= 1
        offset += 0.5
    return high, low, total + offset


def test_monoids_and_several_accumulators() -> None:
    found = lines(extremes)
    rows = "tensor<1x16xf32, #pos_head>"
    assert f"%high = hsa.identity max : {rows}" in found
    assert f"%low = hsa.identity min : {rows}" in found
    assert f"%offset = arith.constant dense<2.5> : {rows}" in found
    reduce = next(line for line in found if "hsa.reduce" in line)
    kinds = re.findall(r"(sum|max|min) %(\w+) :", reduce)
    assert kinds == [("max", "high"), ("min", "low"), ("sum", "total"), ("sum", "offset")]
    assert reduce.startswith("%high_1:4 = ")
    assert any("arith.addf %high_1#2, %high_1#3" in line for line in found)


def test_two_sums_onto_one_accumulator_are_added_up() -> None:
    found = lines(extremes)
    at = next(i for i, line in enumerate(found) if "hsa.yield" in line)
    added = [line for line in found[:at] if "arith.addf" in line]
    assert added == ["% = arith.addf %, % : tensor<1x16xf32, #pos_head>"]
    assert "% = arith.constant dense<-1.0> : tensor<1x16xf32, #pos_head>" in found


@rf.jit
def pushes(
    q: rl.Query, v: rl.Chunks, k: rl.Chunks, indices: rl.ChunkIndices, sink: rl.Tensor["head"]
):
    acc = rl.online_softmax(q, v)
    acc.push(sink, rl.zeros(q, v))
    for slot, c in rl.selected(indices):
        p = rl.softmax(rl.dot(q, k[c]))
        acc.push(rl.logsumexp(rl.dot(q, k[c]), over="key"), rl.dot(p, v[c]))
    return acc.value


def test_push_in_and_outside_of_a_loop() -> None:
    found = lines(pushes, arrays={"sink": ArraySpec("f32", batch=True)})
    rows = "tensor<1x16xf32, #pos_head>"
    assert any(line.startswith("%sink: !hsa.array<f32, [head = 16], batch>") for line in found)
    assert f"% = hsa.push %, % into %acc : {rows}, {OUT}, {STATE}" in found
    assert f"hsa.yield %, % : {rows}, {OUT}" in found


def test_logsumexp_of_minus_infinity_is_minus_infinity() -> None:
    found = lines(pushes, arrays={"sink": ArraySpec("f32")})
    rows, in_chunk = "tensor<1x16xf32, #pos_head>", 'in %c : !hsa.chunk_id<"kv">'
    at = found.index(f"% = hsa.fold max % over key {in_chunk} : {KEY} -> {rows}")
    assert found[at + 1 : at + 10] == [
        f"% = arith.cmpf oeq, %, % : {rows}",
        f"% = arith.select %, %, % : tensor<1x16xi1, #pos_head>, {rows}",
        f"% = hsa.detach % : {rows}",
        f"% = hsa.broadcast % : {rows} to {KEY}",
        f"% = arith.subf %, % : {KEY}",
        f"% = math.exp % : {KEY}",
        f"% = hsa.fold sum % over key {in_chunk} : {KEY} -> {rows}",
        f"% = math.log % : {rows}",
        f"% = arith.addf %, % : {rows}",
    ]


@rf.jit
def arrays(
    q: rl.Query,
    k: rl.Chunks,
    indices: rl.ChunkIndices,
    gate: rl.Tensor["pos", "head"],
    temperature: rl.Tensor[()],
    norm: rl.Tensor["dim"],
    key_bias: rl.Tensor["kv.key"],
    chunk_bias: rl.Tensor["kv.chunk", "head"],
):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        s = rl.dot(q * norm, k[c]) * temperature + key_bias[c]
        out += rl.max(s, over="key") + chunk_bias[c]
    return out * gate


def test_tensors_with_every_axis() -> None:
    names = ("gate", "temperature", "norm", "key_bias", "chunk_bias")
    found = lines(arrays, arrays={name: ArraySpec("f32", dim=64) for name in names}, q_block=2)
    gate = "!hsa.array<f32, [pos = 2, head = 16]>"
    assert f"%gate_1 = hsa.load %gate : {gate} -> tensor<2x16xf32, #pos_head>" in found
    assert "%temperature_1 = hsa.load %temperature : !hsa.array<f32, []> -> f32" in found
    norm = "!hsa.array<f32, [dim = 64]>"
    assert f"%norm_1 = hsa.load %norm : {norm} -> tensor<64xf32, #dim>" in found
    key = '%key_bias[%c : !hsa.chunk_id<"kv">] : !hsa.array<f32, [key = 64], of "kv">'
    assert f"% = hsa.chunk {key} -> tensor<64xf32, #key>" in found
    chunk = (
        '%chunk_bias[%c : !hsa.chunk_id<"kv">] : !hsa.array<f32, [chunk = ?, head = 16], of "kv">'
    )
    assert f"% = hsa.chunk {chunk} -> tensor<16xf32, #head>" in found
    wide = "tensor<2x16x64xf32, #pos_head_dim>"
    assert f"% = arith.extf %q_1 : tensor<2x16x64xbf16, #pos_head_dim> to {wide}" in found


def test_weights_per_query_head_are_arrays_over_heads() -> None:
    found = lines(hsa, arrays={"weights": ArraySpec("bf16", heads="query")})
    assert '%weights: !hsa.weights<"indices", bf16, heads = query>,' in found
    assert any(line.endswith("heads = query> -> tensor<16xbf16, #head>") for line in found)
    assert "% = arith.extf % : tensor<16xbf16, #head> to tensor<16xf32, #head>" in found


def test_indices_per_query_head_make_programs_of_one_head() -> None:
    arrays = {name: ArraySpec("f32", heads="query") for name in ("weights",)}
    arrays["indices"] = ArraySpec("i64", heads="query")
    found = lines(hsa, arrays=arrays)
    assert "%q: !hsa.query<bf16, pos = 1, head = 1, dim = 64>," in found
    assert '%indices: !hsa.indices<"kv", i64, heads = query>,' in found
    assert found[-1] == "}"
    assert any("attributes {group = 16 : i64}" in line for line in found)
    assert any(line.endswith("-> tensor<1xf32, #head>") for line in found)


@rf.jit
def scores(q, kc, scale):
    return rl.dot(q, kc) * scale


@rf.jit
def inlines(q: rl.Query, k: rl.Chunks, v: rl.Chunks, indices: rl.ChunkIndices, *, scale: float):
    acc = rl.online_softmax(q, v)
    for slot, c in rl.selected(indices):
        acc.merge(scores(q, k[c], scale), v[c])
    value, lse = acc.value, acc.lse
    return value, lse


def test_calls_are_inlined_with_their_locations() -> None:
    assert text(inlines).count("hsa.program") == 1
    whole = lowered(inlines).text()
    first = scores.__ramify_function__.__code__.co_firstlineno + 2
    call = inlines.__ramify_function__.__code__.co_firstlineno + 4
    found = re.findall(r'hsa\.dot.* loc\(callsite\(".*":(\d+):12 at ".*":(\d+):19\)\)', whole)
    assert found == [(str(first), str(call))]


@rf.jit
def calls_program(
    q: rl.Query, k: rl.Chunks, v: rl.Chunks, weights: rl.ChunkWeights, indices: rl.ChunkIndices
):
    return hsa(q, k, v, weights, indices, scale=0.5, softmax_n=1.0) * 2


def test_a_whole_program_is_inlined() -> None:
    found = lines(calls_program)
    assert any("off_by 1.0" in line for line in found)
    assert f"% = arith.constant dense<0.5> : {KEY}" in found
    assert f"% = arith.constant dense<2.0> : {OUT}" in found


LIMIT = 3


def make_scaled(factor: float) -> Any:
    @rf.jit
    def scaled(q: rl.Query, *, mode: rl.constexpr = "plain"):
        x = q * factor
        for i in range(LIMIT):
            if i % 2 == 0 and mode == "plain":
                x = x + i
        x += 1 if mode == "plain" else 7
        print("ignored", x)
        return x.T

    return scaled


def test_constants_are_evaluated_and_loops_over_them_unrolled() -> None:
    found = lines(make_scaled(0.1))
    assert [line for line in found if "arith.addf" in line].__len__() == 3
    assert any("dense<0.1>" in line for line in found)
    found = lines(make_scaled(1e-7), constants={"mode": "other"})
    assert any("dense<1.0e-07>" in line for line in found)
    assert [line for line in found if "arith.addf" in line].__len__() == 1
    assert any("dense<7.0>" in line for line in found)


def test_captured_constants_are_those_of_closure_module_and_callees() -> None:
    assert dict(captured(make_scaled(0.1).__ramify_function__)) == {"LIMIT": 3, "factor": 0.1}
    found = dict(captured(inlines.__ramify_function__))
    assert found == {"scores": scores.__ramify_function__}


@rf.jit
def arithmetic(q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices, *, n: int):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        distance = rl.query_position() - rl.positions(k, c)
        near = (distance // 2 < n) & ~(distance % 3 == 0) | (rl.index(c) >= 1)
        inside = (rl.start(c) <= rl.query_position()) & (rl.end(c) > n)
        s = rl.where(near & inside, rl.abs(rl.dot(q, k[c])), -rl.inf)
        s = rl.tanh(s) ** 2 + rl.sigmoid(-s) / rl.sqrt(rl.exp2(s)) - rl.log(s)
        out += rl.sum(s * distance, over="key") * (n / 2)
    return out


def test_arithmetic_on_integers_conditions_and_floats() -> None:
    body = text(arithmetic).split("hsa.reduce", 1)[1]
    found = [op.removesuffix(",") for op in re.findall(r"= (\S+(?: [a-z]{2,3},)?)", body)]
    distance = ["hsa.query_positions", "hsa.key_positions", *["hsa.broadcast"] * 2, "arith.subi"]
    remainder = ["arith.floordivsi", "arith.muli", "arith.subi", "arith.cmpi eq", "arith.xori"]
    less = ["arith.floordivsi", "hsa.broadcast", "arith.cmpi slt"]
    either = ["arith.andi", "hsa.chunk_index", "arith.cmpi sge", "hsa.broadcast", "arith.ori"]
    start = ["hsa.chunk_index", "arith.muli", "hsa.query_positions", "hsa.broadcast"]
    end = ["hsa.chunk_index", "arith.muli", "arith.addi", "arith.cmpi sgt"]
    assert (
        found[:26] == [*distance, *less, *remainder, *either, *start, "arith.cmpi sle", *end][:26]
    )
    floats = [op for op in found if op.startswith("math.") or op in ("arith.divf", "arith.select")]
    sigmoid = ["math.exp", "arith.divf"]
    root = ["math.exp2", "math.sqrt", "arith.divf"]
    mean = ["arith.divf"]
    assert floats == ["math.absf", "arith.select", "math.tanh", *sigmoid, *root, "math.log", *mean]
    assert found.count("arith.sitofp") == 3


@rf.jit
def exponentials(
    q: rl.Query, k: rl.Chunks, indices: rl.ChunkIndices, lse: rl.Tensor["pos", "head"]
):
    out = rl.zeros(q)
    for slot, c in rl.selected(indices):
        out += rl.exp(rl.logsumexp(rl.dot(q, k[c]), over="key") - lse)
    return rl.exp(out)


def test_exp_of_a_difference_is_zero_where_its_left_side_is_minus_infinity() -> None:
    found = lines(exponentials, arrays={"lse": ArraySpec("f32")})
    rows = "tensor<1x16xf32, #pos_head>"
    at = next(i for i, line in enumerate(found) if "hsa.yield" in line)
    assert found[at - 4 : at] == [
        f"% = arith.subf %, %lse_1 : {rows}",
        f"% = math.exp % : {rows}",
        f"% = arith.cmpf oeq, %, % : {rows}",
        f"% = arith.select %, %, % : tensor<1x16xi1, #pos_head>, {rows}",
    ]
    assert found[at + 2] == f"% = math.exp %out_1 : {rows}"


def test_weights_that_nothing_reads_belong_to_the_first_indices() -> None:
    @rf.jit
    def unread(q: rl.Query, k: rl.Chunks, weights: rl.ChunkWeights, indices: rl.ChunkIndices):
        return rl.zeros(q)

    assert '%weights: !hsa.weights<"indices", f32, heads = kv>,' in lines(unread)


@rf.jit
def two_partitions(
    q: rl.Query,
    k: rl.Chunks["fine"],
    coarse: rl.Chunks["coarse"],
    indices: rl.ChunkIndices["fine"],
):
    acc = rl.online_softmax(q, k)
    for slot, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]), k[c])
    for c in rl.every(coarse):
        acc.merge(rl.dot(q, coarse[c]), coarse[c])
    return acc.value


def test_partitions_have_their_own_chunk_sizes() -> None:
    sizes = {"fine": 32, "coarse": 128}
    found = lines(two_partitions, arrays={"coarse": ArraySpec("bf16", dim=64)}, chunk_sizes=sizes)
    assert '%k: !hsa.chunks<"fine", bf16, key = 32, dim = 64>,' in found
    assert '%coarse: !hsa.chunks<"coarse", bf16, key = 128, dim = 64>,' in found
    assert '%indices: !hsa.indices<"fine", i32, heads = kv>)' in found
    assert any('(%c_1) in % : !hsa.domain<"coarse">' in line for line in found)


PROGRAMS: list[tuple[Any, dict[str, Any]]] = [
    (hsa, {}),
    (hsa, {"q_block": 4, "group": 3}),
    (hsa, {"arrays": {"weights": ArraySpec("f16", heads="query")}}),
    (hsa, {"arrays": {"indices": ArraySpec("i64", heads="query")}}),
    (joint, {}),
    (ranges, {}),
    (extremes, {}),
    (pushes, {"arrays": {"sink": ArraySpec("f32", batch=True)}}),
    (
        arrays,
        {
            "arrays": {
                name: ArraySpec("f32", dim=64)
                for name in ("gate", "temperature", "norm", "key_bias", "chunk_bias")
            }
        },
    ),
    (inlines, {}),
    (calls_program, {}),
    (make_scaled(0.25), {}),
    (arithmetic, {}),
    (exponentials, {"arrays": {"lse": ArraySpec("bf16")}}),
    (
        two_partitions,
        {
            "arrays": {"coarse": ArraySpec("bf16", dim=64)},
            "chunk_sizes": {"fine": 32, "coarse": 128},
        },
    ),
]


def find_opt() -> str | None:
    """ramify-opt on the PATH or in the development build."""
    built = pathlib.Path(__file__).parents[2] / "build/dev/bin/ramify-opt"
    return shutil.which("ramify-opt") or (str(built) if built.exists() else None)


@pytest.mark.skipif(find_opt() is None, reason="ramify-opt is not built")
@pytest.mark.parametrize(("function", "changes"), PROGRAMS)
def test_the_dialect_accepts_what_is_written(function: Any, changes: dict[str, Any]) -> None:
    module = lowered(function, **changes).text()
    done = subprocess.run(
        [str(find_opt()), "-"], input=module, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + module
    assert f"hsa.program @{function.signature.name}" in done.stdout
