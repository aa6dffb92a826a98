# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrong calls: each gets a typed error that says what was expected and found; nothing runs."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numerics import Case, make

import ramify as rf
import ramify.language as rl

CASE = Case(B=2, L=12, N=64, H=2, G=4, D=32, S=32, K=3)
Call = dict[str, Any]
Change = Callable[[Call], None]


def call() -> Call:
    return {**make(CASE, torch.float32), "chunk_size": 32}


def put(name: str, value: Any) -> Change:
    return lambda c: c.__setitem__(name, value(c[name]) if callable(value) else value)


def drop(name: str) -> Change:
    return lambda c: c.pop(name)


@rf.jit
def biased(
    q: rl.Query,
    k: rl.Chunks,
    v: rl.Chunks,
    bias: rl.Tensor["head"],
    indices: rl.ChunkIndices,
    *,
    scale: float,
    shift: int,
    power: rl.constexpr = 1,
):
    acc = rl.online_softmax(q, v)
    for _, c in rl.selected(indices):
        acc.merge(rl.dot(q, k[c]) * scale * power + bias + shift, v[c])
    return acc.value


@rf.jit
def quotient(q: rl.Query, *, n: int):
    return rl.zeros(q) + n // (rl.query_position() - 2) + (rl.query_position() - 2) % n


@rf.jit
def scored(r: rl.Query, landmarks: rl.Landmarks, *, top_k: rl.constexpr = 2):
    s = rl.sum(rl.dot(r, landmarks), over="head")
    return rl.topk(rl.where(rl.end(landmarks) <= rl.query_position(), s, -rl.inf), top_k)


@rf.jit
def scored_beside_keys(r: rl.Query, k: rl.Chunks, landmarks: rl.Landmarks):
    return rl.topk(rl.sum(rl.dot(r, landmarks), over="head"), 2)


class OnlyDLPack:
    """An array that tells no library that makes others."""

    def __init__(self, array: Any, device: Any = (1, 0)) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.device


A, T = rf.ArgumentError, rf.ArgumentTypeError
U = rf.UnsupportedError

# name: (change to a right call, exception, words of the message)
CASES: dict[str, tuple[Change, type[Exception], list[str]]] = {
    "q of rank 3": (put("q", lambda x: x[0]), A, ["q", "[B, L, HQ"]),
    "q of rank 5": (put("q", lambda x: x[None]), A, ["q", "[B, L, HQ"]),
    "k of rank 2": (put("k", lambda x: x[0, 0]), A, ["k", "[B, N, H"]),
    "indices of rank 3": (put("indices", lambda x: x[0]), A, ["indices", "[B, rows"]),
    "weights of rank 1": (put("weights", lambda x: x[0, 0, 0]), A, ["weights", "[B, rows"]),
    "batch of k": (put("k", lambda x: x[:1]), A, ["k", "1", "2"]),
    "batch of weights": (put("weights", lambda x: x[:1]), A, ["weights", "1", "2"]),
    "keys of v": (put("v", lambda x: x[:, :63]), A, ["v", "63", "64"]),
    "heads of v": (put("v", lambda x: x[:, :, :1]), A, ["v", "1", "2"]),
    "dim of k": (put("k", lambda x: x[..., :24].contiguous()), rf.Error, ["24", "32"]),
    "dim of q": (put("q", lambda x: x[..., :16].contiguous()), rf.Error, ["16", "32"]),
    "query heads no multiple": (put("q", lambda x: x[:, :, :7]), A, ["7", "2", "multiple"]),
    "no query heads": (put("q", lambda x: x[:, :, :0]), A, ["0"]),
    "heads of indices": (put("indices", lambda x: x.repeat(1, 1, 2, 1)[:, :, :3]), A, ["3", "H"]),
    "heads of weights": (put("weights", lambda x: x.repeat(1, 1, 3, 1)), A, ["6", "HQ"]),
    "slots of weights": (put("weights", lambda x: x[..., :2]), A, ["weights", "2", "3"]),
    "rows too few": (put("indices", lambda x: x[:, :11]), A, ["11", "12"]),
    "rows ambiguous": (
        lambda c: c.update(indices=c["indices"][:, :5], weights=c["weights"][:, :5]),
        A,
        ["q_block"],
    ),
    "rows more than queries": (
        lambda c: c.update(
            indices=c["indices"].repeat(1, 2, 1, 1), weights=c["weights"].repeat(1, 2, 1, 1)
        ),
        A,
        ["24", "12"],
    ),
    "q_block does not fit": (put("q_block", 5), A, ["q_block", "5", "12"]),
    "q_block zero": (put("q_block", 0), A, ["q_block", "0"]),
    "q_block negative": (put("q_block", -2), A, ["q_block", "-2"]),
    "q_block a float": (put("q_block", 1.0), A, ["q_block", "1.0"]),
    "chunk size 0": (put("chunk_size", 0), rf.Error, ["chunk size", "0"]),
    "chunk size negative": (put("chunk_size", -32), rf.Error, ["chunk size", "-32"]),
    "chunk size no multiple of 16": (put("chunk_size", 40), U, ["16", "40"]),
    "chunk size too large": (put("chunk_size", 512), U, ["256", "512"]),
    "chunk size a float": (put("chunk_size", 32.0), rf.Error, ["32.0"]),
    "chunk size missing": (drop("chunk_size"), TypeError, ["chunk_size"]),
    "q int": (put("q", lambda x: x.int()), T, ["q", "int32", "float32"]),
    "q float64": (put("q", lambda x: x.double()), T, ["q", "float64", "float32"]),
    "k another dtype": (put("k", lambda x: x.bfloat16()), T, ["k", "bfloat16", "float32"]),
    "v another dtype": (put("v", lambda x: x.half()), T, ["v", "float16", "float32"]),
    "weights int": (put("weights", lambda x: x.int()), T, ["weights", "int32"]),
    "indices float": (put("indices", lambda x: x.float()), T, ["indices", "float32", "int32"]),
    "indices int16": (put("indices", lambda x: x.short()), T, ["indices", "int16"]),
    "indices bool": (put("indices", lambda x: x > 0), T, ["indices", "bool"]),
    "indices uint32": (
        put("indices", lambda x: x.numpy().astype(np.uint32)),
        T,
        ["indices: expected int64 or int32, found uint32"],
    ),
    "indices uint16": (
        put("indices", lambda x: x.to(torch.uint16)),
        T,
        ["indices: expected int64 or int32, found uint16"],
    ),
    "weights of objects": (
        put("weights", lambda x: x.numpy().astype(object)),
        T,
        ["weights: expected float32", "found object"],
    ),
    "q with a mask": (
        put("q", lambda x: np.ma.masked_array(x.numpy(), x.numpy() > 0)),
        T,
        ["q: expected an array without a mask", ".filled(0)"],
    ),
    "q of a library without arrays": (
        put("q", lambda x: OnlyDLPack(x.numpy())),
        T,
        ["__array_namespace__", "OnlyDLPack", "numpy.from_dlpack"],
    ),
    "k on a device by name": (
        put("k", lambda x: OnlyDLPack(x.numpy(), "cpu")),
        T,
        ["k: expected a pair of ints from its __dlpack_device__, found 'cpu'"],
    ),
    "q nested": (
        put("q", lambda x: torch.nested.nested_tensor(list(x))),
        T,
        ["q: expected a dense array"],
    ),
    "q a node of torch.fx": (
        put("q", torch.fx.Proxy(torch.fx.Node(torch.fx.Graph(), "q", "placeholder", "q", (), {}))),
        T,
        ["q: expected an array", "Proxy"],
    ),
    "q a list": (put("q", lambda x: x.tolist()), T, ["q", "list"]),
    "q None": (put("q", None), T, ["q", "None"]),
    "weights a number": (put("weights", 1.0), T, ["weights", "float"]),
    "indices missing": (drop("indices"), TypeError, ["indices"]),
    "an unknown keyword": (put("window", 3), TypeError, ["window"]),
    "scale nan": (put("scale", float("nan")), A, ["scale", "nan"]),
    "scale inf": (put("scale", float("inf")), A, ["scale", "inf"]),
    "scale complex": (put("scale", 1j), T, ["scale", "complex"]),
    "scale beyond double": (put("scale", 10**400), A, ["scale", "float32"]),
    "q_block huge": (put("q_block", 2**31), A, ["q_block", "1048576"]),
    "q in reverse": (put("q", lambda x: x.numpy()[:, ::-1]), A, ["q", "negative stride", "copy"]),
    "indices expanded along slots": (
        put("indices", lambda x: x[..., :1].expand(x.shape)),
        A,
        ["indices", "stride 0"],
    ),
    "k of another byte order": (put("k", lambda x: x.numpy().astype(">f4")), T, ["k", ">f"]),
    "v complex": (put("v", lambda x: x.to(torch.complex64)), T, ["v", "float32", "complex64"]),
    "validate without an array": (
        lambda c: c.update(indices=[1, 2], validate=True),
        T,
        ["indices", "list"],
    ),
    "validate with k of rank 0": (
        lambda c: c.update(k=torch.ones(()), validate=True),
        A,
        ["k", "[B, N, H"],
    ),
    "scale a string": (put("scale", "0.1"), T, ["scale", "str"]),
    "scale an array": (put("scale", torch.ones(2)), T, ["scale"]),
    "softmax_n negative": (put("softmax_n", -1.0), rf.Error, ["-1"]),
    "softmax_n nan": (put("softmax_n", float("nan")), rf.Error, ["nan"]),
    "softmax_n an array": (put("softmax_n", torch.ones(2)), T, ["softmax_n"]),
    "softmax_n a string": (put("softmax_n", "1"), T, ["hsa(): softmax_n", "'1'"]),
    "softmax_n infinite": (put("softmax_n", float("inf")), A, ["hsa(): softmax_n", "inf"]),
    "softmax_n a flag": (put("softmax_n", True), T, ["hsa(): softmax_n", "True"]),
    "scale a flag of NumPy": (put("scale", np.True_), T, ["scale: expected a number", "bool"]),
    "scale a decimal": (put("scale", decimal.Decimal(1)), T, ["scale: expected a number"]),
    "dim not a multiple of 8": (
        lambda c: c.update(q=c["q"][..., :20].contiguous(), k=c["k"][..., :20].contiguous()),
        U,
        ["8", "20"],
    ),
    "dim above 256": (
        lambda c: c.update(q=c["q"].repeat(1, 1, 1, 9), k=c["k"].repeat(1, 1, 1, 9)),
        U,
        ["256", "288"],
    ),
    "last axis strided": (
        put("k", lambda x: x.repeat(1, 1, 1, 2)[..., ::2]),
        A,
        ["k", "contiguous"],
    ),
    "mixed devices": (put("k", lambda x: x.to("meta")), T, ["k", "meta"]),
    "sparse": (put("q", lambda x: x.to_sparse()), rf.Error, ["q"]),
    "validate finds an index": (
        lambda c: (c["indices"].__setitem__((1, 3, 0, 2), 2), c.update(validate=True)),
        A,
        ["indices", "2", "[1, 3, 0, 2]"],
    ),
    "validate finds a negative index": (
        lambda c: (c["indices"].__setitem__((0, 0, 0, 0), -7), c.update(validate=True)),
        A,
        ["-7", "[0, 0, 0, 0]"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_call_of_hsa(name: str) -> None:
    change, exception, words = CASES[name]
    wrong = call()
    change(wrong)
    before = rf.ops.hsa_kernel.compilations
    with pytest.raises(exception) as caught:
        rf.ops.hsa(**wrong)
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert isinstance(caught.value, rf.Error | TypeError)
    assert rf.ops.hsa_kernel.compilations == before


def nested(depth: int) -> Any:
    value: Any = ()
    for _ in range(depth):
        value = (value,)
    return value


def arguments() -> Call:
    c = call()
    c.pop("weights")
    return {**c, "bias": torch.zeros(8), "scale": 0.1, "shift": 1}


WRONG_JIT: dict[str, tuple[Change, type[Exception], list[str]]] = {
    "bias of the wrong length": (put("bias", torch.zeros(7)), A, ["bias", "7", "8"]),
    "bias of rank 3": (put("bias", torch.zeros(1, 1, 8)), A, ["bias"]),
    "bias with another batch": (put("bias", torch.zeros(3, 8)), A, ["bias", "3", "2"]),
    "shift a float": (put("shift", 1.5), T, ["shift", "float"]),
    "shift too large": (put("shift", 2**31), A, ["shift", "2147483648"]),
    "scale missing": (drop("scale"), T, ["scale"]),
    "scale a bool": (put("scale", True), T, ["scale", "bool"]),
    "power a list": (put("power", [1]), T, ["power", "list"]),
    "chunks of another partition": (
        lambda c: (c.pop("chunk_size"), c.update(chunks={"cmp": 32})),
        A,
        ["cmp", "kv"],
    ),
    "chunks and chunk_size": (put("chunks", {"kv": 32}), A, ["both"]),
    "chunks a number": (
        lambda c: (c.pop("chunk_size"), c.update(chunks=32)),
        T,
        ["chunks", "dict", "32"],
    ),
    "chunks a tuple": (
        lambda c: (c.pop("chunk_size"), c.update(chunks=(1, 2))),
        T,
        ["chunks", "dict"],
    ),
    "num_keys too many": (put("num_keys", 65), A, ["num_keys", "64", "65"]),
    "num_keys negative": (put("num_keys", -1), A, ["num_keys", "-1"]),
    "q_start a float": (put("q_start", 0.5), T, ["q_start", "float"]),
    "q_start too far": (put("q_start", 2**31 - 5), A, ["q_start", "2^31 - 1", "2147483643"]),
    "power half a character": (put("power", "\ud800"), A, ["power", "surrogate"]),
    "power nested": (put("power", nested(40)), A, ["power", "at most 16 tuples inside each other"]),
    "power nested far too deeply": (put("power", nested(200_000)), A, ["power", "at most 16"]),
    "a keyword that is half a character": (put("\ud800", 1), T, ["has no parameter", "ud800"]),
    "validate a string": (put("validate", "yes"), T, ["validate", "yes"]),
}


@pytest.mark.parametrize("name", WRONG_JIT)
def test_wrong_call_of_a_function(name: str) -> None:
    change, exception, words = WRONG_JIT[name]
    wrong = arguments()
    change(wrong)
    before = biased.compilations
    with pytest.raises(exception) as caught:
        biased(**wrong)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert biased.compilations == before


def test_a_tensor_inside_vmap() -> None:
    wrong = call()
    with pytest.raises(U, match="q: expected a tensor with memory of its own, found one inside a"):
        torch.vmap(lambda q: rf.ops.hsa(**{**wrong, "q": q}))(wrong["q"][None])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"chunk_size": 2**29}, r"end before position 2\^31 - 1, found 4 chunks of 536"),
        ({"chunk_size": 64, "num_keys": 257}, r"at most C \* 64 = 256, the keys of the chunks of"),
        ({"chunk_size": 64, "num_keys": 2**70}, r"at most C \* 64 = 256"),
        ({"chunk_size": 64, "q_start": 2**31 - 3}, "q_start: expected queries that stand before"),
    ],
    ids=str,
)
def test_positions_beyond_an_int32(given: Call, words: str) -> None:
    r, landmarks = np.ones((1, 4, 2, 16), np.float32), np.ones((1, 4, 1, 16), np.float32)
    with pytest.raises(A, match=words):
        scored(r, landmarks, **given)


def test_chunks_are_counted_however_their_size_is_given() -> None:
    r, k = np.ones((1, 4, 2, 16), np.float32), np.ones((1, 64, 1, 16), np.float32)
    for size in ({"chunk_size": 16}, {"chunks": {"kv": 16}}):
        with pytest.raises(A, match="expected 4 chunks for 64 keys, found 2"):
            scored_beside_keys(r, k, k[:, :2], **size)
    for size in ({"chunk_size": 0}, {"chunk_size": -1}, {"chunks": {"kv": 0}}):
        with pytest.raises(A, match="expected an int >= 1"):
            scored_beside_keys(r, k, k[:, :4], **size)


@pytest.mark.parametrize("n", [3, -3, 1, -1, 0, 7])
def test_integer_division_is_the_reference_s(n: int) -> None:
    """By zero, too, where processors end the program."""
    q = np.ones((1, 5, 2, 16), np.float32)
    assert np.array_equal(quotient(q, n=n), quotient.reference(q, n=n))


def test_a_quotient_beyond_an_int32_wraps_around() -> None:
    """-2^31 // -1, where processors end the program."""
    q = np.ones((1, 2, 1, 16), np.float32)
    assert quotient(q, n=-(2**31))[0, 1, 0] == -(2.0**31)


def test_queries_without_keys_stand_from_0_on() -> None:
    q = np.ones((1, 5, 2, 16), np.float32)
    assert quotient(q, n=3).tolist() == quotient(q, n=3, q_start=0).tolist()


def test_constants_of_tuples_in_tuples() -> None:
    given = {**arguments(), "power": ((1, 2), "x")}
    with pytest.raises(rf.LanguageError, match=r"\(\(1, 2\), 'x'\)"):
        biased(**given)


def test_the_right_calls_are_right() -> None:
    assert rf.ops.hsa(**call()).shape == (2, 12, 8, 32)
    assert biased(**arguments()).shape == (2, 12, 8, 32)


def test_no_grad_and_detached_tensors_are_taken() -> None:
    wanted = call()
    wanted["q"].requires_grad_()
    with torch.no_grad():
        assert rf.ops.hsa(**wanted).shape == (2, 12, 8, 32)
    wanted["q"] = wanted["q"].detach()
    assert rf.ops.hsa(**wanted).shape == (2, 12, 8, 32)


def test_numpy_in_numpy_out() -> None:
    arrays = {n: x.numpy() if isinstance(x, torch.Tensor) else x for n, x in call().items()}
    out = rf.ops.hsa(**arrays)
    assert isinstance(out, np.ndarray)
    assert np.array_equal(out, rf.ops.hsa(**call()).numpy())


@pytest.mark.parametrize("changes", [{"chunk_size": np.int64(32)}, {"q_block": np.int32(1)}])
def test_numpy_integers_are_integers(changes: Call) -> None:
    assert torch.equal(rf.ops.hsa(**call() | changes), rf.ops.hsa(**call()))


def test_target_that_is_no_string() -> None:
    with pytest.raises(rf.ArgumentTypeError, match="target"):
        rf.ops.hsa_kernel.ir("ptx", target=80, **call(), scale=0.1)


@pytest.mark.parametrize("level", ["hsaa", "", "PTX"])
def test_unknown_level(level: str) -> None:
    with pytest.raises(rf.ArgumentError, match="tile"):
        rf.ops.hsa_kernel.ir(level, **call(), scale=0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schedule": "fast"}, "query_major"),
        ({"stages": 9}, "0 to 4"),
        ({"stages": 2.0}, "int"),
        ({"key_tile": 24}, "multiple of 16"),
        ({"registers": 256}, "0 to 255"),
        ({"slices": 1025}, "0 to 1024"),
        ({"warps": 4}, "schedule"),
    ],
)
def test_unknown_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(rf.ArgumentError, match=words):
        rf.ops.hsa_kernel.options(**options)
