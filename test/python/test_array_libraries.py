# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of JAX and CuPy, where these are installed: results are of the same kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ramify as rf

SIZES: dict[str, Any] = {"chunk_size": 16, "scale": 0.25}


def arrays() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    q = rng.standard_normal((1, 8, 4, 16), dtype=np.float32)
    k, v = rng.standard_normal((2, 1, 64, 1, 16), dtype=np.float32)
    weights = rng.random((1, 8, 1, 2), dtype=np.float32)
    return q, k, v, weights, rng.integers(0, 4, (1, 8, 1, 2), dtype=np.int32)


def test_jax() -> None:
    jax = pytest.importorskip("jax")
    on_cpu = jax.local_devices(backend="cpu")[0]
    given = [jax.device_put(array, on_cpu) for array in arrays()]
    out = rf.ops.hsa(*given, **SIZES)
    assert isinstance(out, jax.Array)
    np.testing.assert_array_equal(np.asarray(out), rf.ops.hsa(*arrays(), **SIZES))
    narrow = [x.astype(jax.numpy.bfloat16) for x in given[:3]] + given[3:]
    assert rf.ops.hsa(*narrow, **SIZES).dtype == jax.numpy.bfloat16


def test_cupy() -> None:
    cupy = pytest.importorskip("cupy")
    try:
        given = [cupy.asarray(array) for array in arrays()]
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no GPU: {error}")
    out = rf.ops.hsa(*given, **SIZES)
    assert isinstance(out, cupy.ndarray)
    exact = rf.ops.hsa(*arrays(), **SIZES)
    np.testing.assert_allclose(cupy.asnumpy(out), exact, atol=1e-5)
