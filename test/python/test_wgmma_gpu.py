# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products by TMA, mbarriers and wgmma, from placed tile written by hand, on a Hopper GPU."""

from pathlib import Path

import numpy as np
import pytest

from ramify import _compiler
from ramify import _runtime as rt

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(
    rt.cuda_device_count() == 0
    or not torch.cuda.is_available()
    or rt.cuda_device(0)["capability"] != (9, 0),
    reason=f"no Hopper GPU: {rt.cuda_problem() or 'another one is here'}",
)

KERNELS = Path(__file__).parents[1] / "Target" / "wgmma.mlir"

# c[i, n, j] = sum_k a[i, k] b[128 n + j, k]
PRODUCT = """ramify.plan 1
function "product"
backend cuda
array a bf16 [M, K] align 16
array b bf16 [N, K] align 16
result c f32 [M, ceildiv(N, 128), 128]
map amap a box [64, 64] swizzle 128
map bmap b box [128, 64] swizzle 128
launch "product" grid (ceildiv(M, 64), ceildiv(N, 128), 1) block 128 shared 99328
  (map(amap), map(bmap), c, i64(ceildiv(K, 64)))
end
"""

# c[i, n, j] = sum_k a[i, k] b[k, 128 n + j]
VALUES = """ramify.plan 1
function "values"
backend cuda
array a bf16 [M, K] align 16
array b bf16 [K, N] align 16
result c f32 [M, ceildiv(N, 128), 128]
map amap a box [64, 64] swizzle 128
map bmap b box [64, 64] swizzle 128
launch "values" grid (ceildiv(M, 64), ceildiv(N, 128), 1) block 128 shared 25600
  (map(amap), map(bmap), c, i64(ceildiv(K, 64)))
end
"""


@pytest.fixture(scope="module")
def ptx():
    return _compiler.lower(KERNELS.read_text(), "ptx", {"target": "sm_90a"})


def multiply(plan, ptx, b_shape, a, b):
    plan = rt.Plan.parse(plan.encode()).with_code("sm_90a", "ptx", ptx.encode())
    parameters = [
        {"name": "a", "shapes": [["M", "K"]], "dtypes": ["bf16"], "alignment": 16},
        {"name": "b", "shapes": [b_shape], "dtypes": ["bf16"], "alignment": 16},
    ]
    signature = rt.Signature(plan.function, parameters)
    return rt.Dispatcher(signature, lambda request: plan)(a, b)


def random(*shape):
    generator = np.random.default_rng(0)
    values = generator.standard_normal(shape).astype(np.float32)
    return torch.from_numpy(values).cuda().bfloat16()


def check(found, a, b):
    """Products of bf16 are exact in f32; what remains is the order of the sum."""
    rows, columns = a.shape[0], b.shape[1]
    a, b = (x.float().cpu().numpy().astype(np.float64) for x in (a, b))
    found = found.cpu().numpy().reshape(rows, -1)
    bound = 1e-5 * (np.abs(a) @ np.abs(b)).max()
    np.testing.assert_allclose(found[:, :columns], a @ b, rtol=0, atol=bound)
    assert (found[:, columns:] == 0).all(), "columns past the end read as zero"


# Fewer steps than stages, as many, many more, and sides that end inside a box.
@pytest.mark.parametrize(
    ("m", "n", "k"), [(64, 128, 64), (64, 128, 256), (128, 256, 1024), (200, 136, 328)]
)
def test_rows_by_rows(ptx, m, n, k):
    a, b = random(m, k), random(n, k)
    check(multiply(PRODUCT, ptx, ["N", "K"], a, b), a, b.T)


@pytest.mark.parametrize(("m", "n", "k"), [(64, 128, 64), (128, 384, 512), (72, 200, 96)])
def test_rows_by_columns(ptx, m, n, k):
    a, b = random(m, k), random(k, n)
    check(multiply(VALUES, ptx, ["K", "N"], a, b), a, b)
