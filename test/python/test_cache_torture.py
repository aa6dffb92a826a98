# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The disk cache under many processes, damage and killed writers: results stay right."""

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from ramify import compiler, ops
from ramify._cache import disk_cache
from ramify.ops.hsa import hsa_kernel

SHAPES = [(s, d, n) for s in (16, 32) for d in (8, 16, 24, 32, 40) for n in (0.0, 1.0)]
"""Chunk size, head dimension and softmax_n of twenty kernels."""


def inputs(chunk_size, dim):
    rng = np.random.default_rng(chunk_size + dim)
    q = rng.standard_normal((1, 3, 2, dim), np.float32)
    k, v = rng.standard_normal((2, 1, 5 * chunk_size - 3, 1, dim), np.float32)
    weights = rng.random((1, 3, 1, 2), np.float32)
    indices = np.array([[0, 4], [2, -1], [3, 1]], np.int32).reshape(1, 3, 1, 2)
    return q, k, v, weights, indices


def attention(chunk_size, dim, softmax_n):
    """The sum over slots of a softmax inside each chunk, in float64."""
    q, k, v, weights, indices = (a.astype(np.float64) for a in inputs(chunk_size, dim))
    out = np.zeros_like(q)
    for row, slot in np.ndindex(3, 2):
        c = int(indices[0, row, 0, slot])
        if c < 0:
            continue
        keys = slice(c * chunk_size, (c + 1) * chunk_size)
        p = np.exp(q[0, row] @ k[0, keys, 0].T * dim**-0.5)
        p /= softmax_n + p.sum(-1, keepdims=True)
        out[0, row] += weights[0, row, 0, slot] * p @ v[0, keys, 0]
    return out


def check(shape):
    chunk_size, dim, softmax_n = shape
    found = ops.hsa(*inputs(chunk_size, dim), chunk_size=chunk_size, softmax_n=softmax_n)
    np.testing.assert_allclose(found, attention(*shape), atol=2e-5)


def forget():
    """Makes the next call look on the disk."""
    compiler._plans.clear()
    hsa_kernel._dispatcher.clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RAMIFY_CACHE_DIR", str(tmp_path))
    forget()
    yield tmp_path / "kernels-1"
    forget()


def test_sixteen_processes_compile_the_same_kernels(folder):
    """Cold and all at once, each in another order."""
    program = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from test_cache_torture import SHAPES, check\n"
        "start = int(sys.argv[1])\n"
        "for shape in SHAPES[start:] + SHAPES[:start]: check(shape)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "RAMIFY_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(i)], env=environment, stderr=subprocess.PIPE
        )
        for i in range(16)
    ]
    for process in processes:
        _, log = process.communicate(timeout=500)
        assert process.returncode == 0, log.decode()
    assert len(list(folder.glob("*.plan"))) == len(SHAPES)
    assert not list(folder.glob(".tmp-*"))
    before = hsa_kernel.statistics.compiled
    for shape in SHAPES:
        check(shape)
    assert hsa_kernel.statistics.compiled == before, "all came from the disk"


@pytest.mark.parametrize("kind", ["flip", "truncate"])
def test_damage_is_compiled_again(folder, kind):
    shape = SHAPES[0]
    check(shape)
    (entry,) = folder.glob("*.plan")
    whole = entry.read_bytes()
    random.seed(kind)
    before = hsa_kernel.statistics.compiled
    told = 0
    for _ in range(25):
        damaged = bytearray(whole)
        at = random.randrange(len(whole))
        if kind == "flip":
            damaged[at] ^= 1 << random.randrange(8)
        else:
            del damaged[at:]
        entry.write_bytes(damaged)
        forget()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check(shape)
        told += len(caught)
        assert entry.read_bytes() == whole
    assert hsa_kernel.statistics.compiled == before + 25
    assert told == 1, "one warning for one file"


def test_killed_writers(folder):
    shape = SHAPES[0]
    check(shape)
    (entry,) = folder.glob("*.plan")
    whole = entry.read_bytes()
    key = disk_cache().read(entry.stem)["key"]
    payload = disk_cache().find(key)
    random.seed(1)
    before = hsa_kernel.statistics.compiled
    for _ in range(50):
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # should this process end before it kills
            while True:
                disk_cache().store(key, payload, "hsa_kernel cpu")
        time.sleep(random.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        forget()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check(shape)
    assert hsa_kernel.statistics.compiled == before, "the entry was whole at all times"
    assert len(whole) == len(entry.read_bytes())
