# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The runtime on a CUDA device, with kernels written by hand in PTX."""

import threading

import pytest

from ramify import _runtime as rt
from ramify import errors

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(
    rt.cuda_device_count() == 0 or not torch.cuda.is_available(),
    reason=f"no GPU: {rt.cuda_problem() or 'PyTorch sees none'}",
)

# out[i] = (x[i] + y[i]) * scale + offset, 128 elements a block; reads its dynamic shared memory.
ADD = """
.version 7.8
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 scratch[];
.visible .entry add(
  .param .u64 x, .param .u64 x_size, .param .u64 x_stride,
  .param .u64 y, .param .u64 y_size, .param .u64 y_stride,
  .param .f32 scale, .param .s32 offset,
  .param .u64 out, .param .u64 out_size, .param .u64 out_stride)
{
  .reg .pred %p;
  .reg .f32 %f<5>;
  .reg .s32 %i;
  .reg .b32 %r<4>;
  .reg .b64 %d<12>;
  mov.u32 %r0, %ctaid.x;
  mov.u32 %r1, %tid.x;
  mad.lo.s32 %r2, %r0, 128, %r1;
  cvt.u64.u32 %d0, %r2;
  ld.param.u64 %d1, [x_size];
  setp.ge.u64 %p, %d0, %d1;
  @%p bra done;
  ld.param.u64 %d2, [x];
  ld.param.u64 %d3, [x_stride];
  ld.param.u64 %d4, [y];
  ld.param.u64 %d5, [y_stride];
  ld.param.u64 %d6, [out];
  mul.lo.u64 %d7, %d0, %d3;
  shl.b64 %d7, %d7, 2;
  add.u64 %d2, %d2, %d7;
  mul.lo.u64 %d8, %d0, %d5;
  shl.b64 %d8, %d8, 2;
  add.u64 %d4, %d4, %d8;
  shl.b64 %d9, %d0, 2;
  add.u64 %d6, %d6, %d9;
  ld.global.f32 %f0, [%d2];
  ld.global.f32 %f1, [%d4];
  add.f32 %f2, %f0, %f1;
  ld.param.f32 %f3, [scale];
  ld.param.s32 %i, [offset];
  cvt.rn.f32.s32 %f4, %i;
  fma.rn.f32 %f2, %f2, %f3, %f4;
  mov.u32 %r3, scratch;
  st.shared.f32 [%r3], %f2;
  st.global.f32 [%d6], %f2;
done:
  ret;
}
"""

# Copies one 8 x 64 bf16 tile by the tensor map: out[block * 8 + r, :] = x[block * 8 + r, :].
COPY = """
.version 8.0
.target sm_90
.address_size 64
.visible .entry copy(
  .param .align 64 .b8 map[128], .param .u64 out)
{
  .reg .pred %p;
  .reg .b32 %r<8>;
  .reg .b64 %d<6>;
  .shared .align 128 .b8 tile[1024];
  .shared .align 8 .b8 full[8];
  mov.u32 %r0, %tid.x;
  mov.u32 %r1, %ctaid.x;
  shl.b32 %r2, %r1, 3;
  mov.u32 %r3, full;
  mov.u32 %r4, tile;
  mov.b64 %d0, map;
  cvta.param.u64 %d0, %d0;
  setp.ne.u32 %p, %r0, 0;
  @%p bra wait;
  mbarrier.init.shared.b64 [%r3], 1;
  fence.mbarrier_init.release.cluster;
  mbarrier.arrive.expect_tx.shared.b64 %d1, [%r3], 1024;
  mov.u32 %r5, 0;
  cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes
    [%r4], [%d0, {%r5, %r2}], [%r3];
wait:
  bar.sync 0;
again:
  mbarrier.try_wait.parity.shared.b64 %p, [%r3], 0;
  @!%p bra again;
  ld.param.u64 %d2, [out];
  shl.b32 %r6, %r0, 3;
  add.u32 %r7, %r4, %r6;
  ld.shared.b64 %d3, [%r7];
  mul.wide.u32 %d4, %r1, 1024;
  cvt.u64.u32 %d5, %r6;
  add.u64 %d2, %d2, %d4;
  add.u64 %d2, %d2, %d5;
  st.global.b64 [%d2], %d3;
  ret;
}
"""

ADD_PLAN = """ramify.plan 1
function "add"
backend cuda
array x f32 [N]
array y f32 [N]
scalar scale f32
result out f32 [N] zero
workspace unused f32 [N]
memset unused 255
launch "add" grid (ceildiv(N, 128), 1, 1) block 128 shared {shared} cluster ({cluster}, 1, 1)
  (x, y, scale, i32(N), out)
"""


def with_ptx(text, target, ptx):
    return rt.Plan.parse(f"{text}end\n".encode()).with_code(target, "ptx", ptx.encode())


def add_dispatcher(shared="4096", cluster=1, ptx=ADD):
    parameters = [
        {"name": "x", "shapes": [["N"]], "dtypes": ["f32"], "contiguous": False},
        {"name": "y", "shapes": [["N"]], "dtypes": ["f32"], "contiguous": False},
        {"name": "scale", "kind": "scalar", "scalar": "f32", "default": 1.0},
    ]
    target = "sm_80" if cluster == 1 else "sm_90"
    plan = with_ptx(
        ADD_PLAN.format(shared=shared, cluster=cluster), target, ptx.replace("sm_80", target)
    )
    return rt.Dispatcher(rt.Signature("add", parameters), lambda request: plan)


def inputs(n=1000):
    return torch.rand(n, device="cuda"), torch.rand(n, device="cuda")


def expected(x, y, scale):
    return (x + y) * scale + len(x)


def test_devices_are_described():
    device = rt.cuda_device(0)
    assert device["name"] == torch.cuda.get_device_name(0)
    assert device["capability"] == torch.cuda.get_device_capability(0)
    with pytest.raises(errors.DeviceError, match="there is no CUDA device 99"):
        rt.cuda_device(99)


def test_a_kernel_runs_on_torch_tensors():
    add = add_dispatcher()
    x, y = inputs()
    out = add(x, y, 2.0)
    assert out.device == x.device and out.dtype == torch.float32
    torch.testing.assert_close(out, expected(x, y, 2.0))
    wide = torch.rand(3000, device="cuda")
    torch.testing.assert_close(add(wide[::3], y), expected(wide[::3], y, 1.0))
    assert len(add(x[:0], y[:0])) == 0


def test_more_than_48_kib_of_shared_memory():
    x, y = inputs()
    add = add_dispatcher(shared="100000")
    torch.testing.assert_close(add(x, y), expected(x, y, 1.0))
    with pytest.raises(errors.UnsupportedError, match="needs 10000000 bytes of shared memory; "):
        add_dispatcher(shared="10000000")(x, y)


def test_the_current_stream_is_used():
    add = add_dispatcher()
    x, y = inputs(1 << 22)
    add(x, y)
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)
        z = x.clone()  # after the sleep: the kernel sees it only on this stream
        out = add(z, y, 3.0)
    stream.synchronize()
    torch.testing.assert_close(out, expected(x, y, 3.0))


def test_a_cuda_graph_captures_the_call():
    add = add_dispatcher()
    x, y = inputs()
    graph = torch.cuda.CUDAGraph()
    with pytest.raises(errors.CaptureError, match="warm up first"), torch.cuda.graph(graph):
        add(x, y)
    torch.cuda.synchronize()
    add(x, y)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = add(x, y, 2.0)
    for seed in range(3):
        torch.manual_seed(seed)
        x.copy_(torch.rand_like(x))
        graph.replay()
        torch.testing.assert_close(out, expected(x, y, 2.0))


def test_a_foreign_thread_gets_the_context():
    add = add_dispatcher()
    x, y = inputs()
    results = []
    thread = threading.Thread(target=lambda: results.append(add(x, y)))
    thread.start()
    thread.join()
    torch.testing.assert_close(results[0], expected(x, y, 1.0))


def test_arrays_on_two_devices_are_an_error():
    x, y = inputs()
    with pytest.raises(errors.ArgumentTypeError, match="y is on cpu, but x is on cuda:0"):
        add_dispatcher()(x, y.cpu())


def test_bad_ptx_is_an_error_with_the_log():
    x, y = inputs()
    bad = ADD.replace("add.f32 %f2", "added.f32 %f2")
    with pytest.raises(errors.DeviceError, match=r"(?s)cuModuleLoadDataEx: CUDA_ERROR.*line"):
        add_dispatcher(ptx=bad)(x, y)
    with pytest.raises(errors.DeviceError, match=r"(?s)cuLink.*CUDA_ERROR.*line"):
        rt.assemble(bad)


def test_ptx_is_assembled_to_a_cubin():
    major, minor = torch.cuda.get_device_capability()
    cubin = rt.assemble(ADD)
    plan = rt.Plan.parse((ADD_PLAN.format(shared=0, cluster=1) + "end\n").encode())
    loaded = plan.with_code(f"sm_{major}{minor}", "cubin", cubin).load("cuda")
    (info,) = loaded.kernel_info
    assert info["name"] == "add" and info["registers"] > 0 and info["local_bytes"] == 0


def test_a_plan_without_code_for_the_device():
    plan = rt.Plan.parse((ADD_PLAN.format(shared=0, cluster=1) + "end\n").encode())
    with pytest.raises(errors.UnsupportedError, match="has no code for"):
        plan.load("cuda")


hopper = pytest.mark.skipif(
    rt.cuda_device_count() > 0 and rt.cuda_device(0)["capability"] < (9, 0),
    reason="needs a GPU of compute capability 9.0",
)


@hopper
def test_clusters():
    x, y = inputs(4 * 128)
    torch.testing.assert_close(add_dispatcher(cluster=2)(x, y), expected(x, y, 1.0))


@hopper
@pytest.mark.parametrize("rows", [16, 13])
def test_tensor_maps(rows):
    plan = with_ptx(
        """ramify.plan 1
function "copy"
backend cuda
array x bf16 [N, 64] align 16
result out bf16 [ceildiv(N, 8) * 8, 64]
map tiles x box [8, 64] swizzle 0
launch "copy" grid (ceildiv(N, 8), 1, 1) block 128 (map(tiles), ptr(out))
""",
        "sm_90",
        COPY,
    )
    signature = rt.Signature("copy", [{"name": "x", "shapes": [["N", "64"]], "dtypes": ["bf16"]}])
    copy = rt.Dispatcher(signature, lambda request: plan)
    x = torch.rand(rows, 128, device="cuda").bfloat16()[:, :64]
    out = copy(x)
    torch.testing.assert_close(out[:rows], x)
    assert (out[rows:] == 0).all(), "rows behind the array read as zero"
