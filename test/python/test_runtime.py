# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The runtime's Python side on the CPU: signatures, keys, checks, calls."""

import concurrent.futures
import ctypes
import threading
import time

import numpy as np
import pytest

from ramify import _runtime as rt
from ramify import errors

ENTRY = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_void_p))

ADD = b"""ramify.plan 1
function "add"
backend cpu
array x f32 [B, N, 4]
array y f32 [B, N, 4]
scalar scale f32
result out f32 [B, N, 4]
result count i64 [B]
workspace scratch f32 [N]
launch "add" grid (N, B, 1) block 1 (x, y, scale, i32(N - 1), ptr(scratch), out, count)
end
"""

ADD_PARAMETERS = [
    {"name": "x", "shapes": [["B", "N", "D!"]], "dtypes": ["f32", "f16", "bf16"], "alignment": 16},
    {"name": "y", "shapes": [["B", "N", "D!"]], "same_dtype_as": "x"},
    {"name": "scale", "kind": "scalar", "scalar": "f32", "keyword_only": True, "default": 1.0},
    {"name": "mode", "kind": "constexpr", "keyword_only": True, "default": 0},
    {
        "name": "start",
        "scalar": "i32",
        "shapes": [["B"], ["B", "N"]],
        "dtypes": ["i32"],
        "optional": True,
        "keyword_only": True,
        "default": None,
    },
]

CHECKS = [
    ("mod(D, 2) == 0", "x has D = {D}; expected a multiple of 2, such as {D + 1}"),
    ("start < N", "start = {start} lies behind the {N} keys"),
]


def value(pointer, kind):
    return ctypes.cast(pointer, ctypes.POINTER(kind))[0]


class Memory:
    """A strided float32 view of a kernel's array parameters, read through their pointers."""

    def __init__(self, parameters, first, rank, kind=ctypes.c_float):
        self.data = value(parameters[first], ctypes.c_void_p)
        self.sizes = [value(parameters[first + 1 + d], ctypes.c_int64) for d in range(rank)]
        self.strides = [
            value(parameters[first + 1 + rank + d], ctypes.c_int64) for d in range(rank)
        ]
        self.kind = kind

    def array(self):
        extent = 1 + sum(
            (n - 1) * s for n, s in zip(self.sizes, self.strides, strict=True) if n > 0
        )
        flat = np.ctypeslib.as_array(ctypes.cast(self.data, ctypes.POINTER(self.kind)), (extent,))
        strides = [s * flat.itemsize for s in self.strides]
        return np.lib.stride_tricks.as_strided(flat, self.sizes, strides)


@ENTRY
def add_kernel(p):
    """out = (x + y) * scale for the range's programs; count[b] += 1 for each."""
    x, y, out = (Memory(p, first, 3).array() for first in (0, 7, 17))
    scale, last = value(p[14], ctypes.c_float), value(p[15], ctypes.c_int32)
    count = Memory(p, 24, 1, ctypes.c_int64).array()
    begin, end, nx, ny = (value(p[27 + i], ctypes.c_int64) for i in range(4))
    assert last == x.shape[1] - 1 and nx == x.shape[1] and ny == x.shape[0]
    assert value(p[16], ctypes.c_void_p)
    for i in range(begin, end):
        n, b = i % nx, i // nx
        out[b, n] = (x[b, n] + y[b, n]) * scale
    for b in range(x.shape[0]):
        count[b] = nx


def make(parameters=ADD_PARAMETERS, plan=ADD, kernel=add_kernel, **options):
    """A dispatcher that notes each request for a plan."""
    requests = []

    def compile_plan(request):
        requests.append(request)
        made = rt.Plan.parse(plan)
        made.bind_kernels({"add": ctypes.cast(kernel, ctypes.c_void_p).value})
        return made

    signature = rt.Signature(
        "add", parameters, checks=CHECKS, keys=options.pop("keys", ["N >= 1000"])
    )
    return rt.Dispatcher(signature, compile_plan, **options), requests


def arrays(b=2, n=5, d=4, dtype=np.float32):
    rng = np.random.default_rng(0)
    return rng.random((b, n, d)).astype(dtype), rng.random((b, n, d)).astype(dtype)


def test_numpy_arrays_give_numpy_results():
    add, _ = make()
    x, y = arrays()
    out, count = add(x, y, scale=2.0)
    assert type(out) is np.ndarray and out.dtype == np.float32
    np.testing.assert_allclose(out, (x + y) * 2, rtol=1e-6)
    assert count.dtype == np.int64 and count.tolist() == [5, 5]


def test_views_are_read_in_place():
    add, _ = make()
    x, y = arrays(b=5, n=2)
    x = x.transpose(1, 0, 2)
    y = y[::-1].copy().transpose(1, 0, 2)
    np.testing.assert_allclose(add(x, y)[0], x + y, rtol=1e-6)


def test_torch_tensors_give_torch_results():
    torch = pytest.importorskip("torch")
    add, requests = make()
    x, y = (torch.from_numpy(a) for a in arrays())
    out, _ = add(x, y)
    assert type(out) is torch.Tensor and out.dtype == torch.float32
    torch.testing.assert_close(out, x + y)
    # The same kinds of NumPy arrays run the same kernel.
    add(*arrays())
    assert len(requests) == 1


def test_torch_without_the_exchange_api():
    """As PyTorch was before it had the C exchange API."""
    torch = pytest.importorskip("torch")

    class Older(torch.Tensor):
        __dlpack_c_exchange_api__ = None

    add, _ = make()
    x, y = (torch.from_numpy(a) for a in arrays())
    older = x.clone().requires_grad_().as_subclass(Older)
    with torch.no_grad():
        out, _ = add(older, y)
    assert type(out) is torch.Tensor
    torch.testing.assert_close(out, x + y)


def test_torch_sets_the_number_of_threads():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert rt.thread_count() == 1
    finally:
        torch.set_num_threads(before)


def test_the_variable_sets_the_number_of_threads(monkeypatch):
    monkeypatch.setenv("RAMIFY_NUM_THREADS", "3")
    assert rt.thread_count() == 3
    monkeypatch.setenv("RAMIFY_NUM_THREADS", "3x")
    with pytest.raises(errors.ArgumentError, match="expected a number >= 1, found '3x'"):
        rt.thread_count()


class OnlyDLPack:
    """An array of a library that offers nothing but DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_any_dlpack_object_is_read():
    add, _ = make()
    x, y = arrays()
    np.testing.assert_allclose(add(x, OnlyDLPack(y))[0], x + y, rtol=1e-6)


def test_an_object_that_gives_no_tensor_is_an_argument_error():
    class Refuses(OnlyDLPack):
        def __dlpack__(self, **options):
            raise BufferError("not today")

    add, _ = make()
    with pytest.raises(errors.ArgumentTypeError, match=r"y: .* cannot be read \(not today\)"):
        add(X, Refuses(Y))


def test_dlpack_from_before_1_0_is_read():
    class Older(OnlyDLPack):
        def __dlpack__(self, *, stream=None):
            return self.array.__dlpack__()

    add, _ = make()
    np.testing.assert_allclose(add(X, Older(Y))[0], X + Y, rtol=1e-6)


class WithNamespace(OnlyDLPack):
    """The same with an array namespace, which makes the results."""

    device = "cpu"

    def __array_namespace__(self):
        class Namespace:
            float32, int64 = np.float32, np.int64

            @staticmethod
            def empty(shape, *, dtype, device):
                assert device == "cpu"
                return WithNamespace(np.empty(shape, dtype))

        return Namespace


def test_results_come_from_the_array_namespace():
    add, _ = make()
    x, y = arrays()
    out, _ = add(WithNamespace(x), y)
    assert type(out) is WithNamespace
    np.testing.assert_allclose(out.array, x + y, rtol=1e-6)


def test_a_new_length_compiles_nothing_and_a_new_kind_does():
    add, requests = make(plan=ADD.replace(b"array y", b"array y"))
    for n in (1, 5, 100, 999):
        add(*arrays(n=n))
    assert len(requests) == len(add) == 1
    add(*arrays(n=1000))
    assert len(requests) == 2 and requests[1]["keys"] == {"N >= 1000": 1}
    add(*arrays(), mode="fast")
    add(*arrays(), mode=("fast", 1.0, None, True))
    add(*arrays(), mode=True)
    assert len(requests) == 5
    add(*arrays(), mode="fast")
    assert len(requests) == 5
    add.clear()
    add(*arrays())
    assert len(requests) == 6


def test_alignment_is_part_of_the_key():
    add, requests = make()
    x, y = arrays()
    shifted = np.empty(x.size + 1, np.float32)[1:].reshape(x.shape)
    shifted[...] = x
    np.testing.assert_array_equal(add(shifted, y)[0], add(x, y)[0])
    assert [r["arrays"]["x"]["aligned"] for r in requests] == [False, True]


def test_the_request_says_what_a_kernel_may_depend_on():
    add, _ = make()
    x, y = arrays()
    assert add.describe(x, y, mode=3, start=2) == {
        "sizes": {"D": 4},
        "arrays": {
            "x": {"dtype": "f32", "rank": 3, "aligned": True},
            "y": {"dtype": "f32", "rank": 3, "aligned": True},  # to nothing
        },
        "scalars": {"scale": "f32", "start": "i32"},
        "constants": {"mode": 3},
        "absent": [],
        "keys": {"N >= 1000": 0},
        "device": ("cpu", 0),
        "capability": None,
    }
    starts = np.zeros((2, 5), np.int32)
    assert add.describe(x, y, start=starts)["arrays"]["start"]["rank"] == 2
    assert add.describe(x, y)["absent"] == ["start"]


X, Y = arrays()

BAD = {
    "missing": ([X], {}, TypeError, "add(): y is missing"),
    "unknown": ([X, Y], {"z": 1}, TypeError, "add() has no parameter 'z'"),
    "twice": ([X, Y], {"x": X}, TypeError, "add(): x was given twice"),
    "positional": ([X, Y, 1.0], {}, TypeError, "takes 2 positional arguments, 3 were given"),
    "no array": ([X, [1.0]], {}, TypeError, "y: expected an array (anything with __dlpack__), "),
    "none": ([None, Y], {}, TypeError, "x: expected an array (anything with __dlpack__), found No"),
    "rank": ([X[0], Y], {}, ValueError, "x: expected [B, N, D], found 2 axes [5, 4]"),
    "ranks": ([X, Y], {"start": X.astype(np.int32)}, ValueError, "start: expected [B] or [B, N], "),
    "size": ([X, Y[:, :3]], {}, ValueError, "y has N = 3 (axis 1), but x has N = 5"),
    "dtype": ([X.astype(int), Y], {}, TypeError, "x: expected float32, float16 or bfloat16, "),
    "dtypes": ([X, Y.astype(np.float16)], {}, TypeError, "y is float16, but x is float32"),
    "complex": ([X.astype(complex), Y], {}, TypeError, "bfloat16, found complex128"),
    "big-endian": ([X.astype(">f4"), Y], {}, TypeError, "bfloat16, found >f4"),
    "last axis": ([X[:, :, ::2], Y[:, :, ::2]], {}, ValueError, "x has stride 2 along its last"),
    "negative": ([X[:, ::-1], Y], {}, ValueError, "x has a negative stride along axis 1"),
    "scalar": ([X, Y], {"scale": "1"}, TypeError, "scale: expected a number, found str"),
    "scalar array": ([X, Y], {"scale": X}, TypeError, "scale: expected a number, found numpy.nd"),
    "nan": ([X, Y], {"scale": float("nan")}, ValueError, "scale = nan is not a finite float32"),
    "too large": ([X, Y], {"scale": 1e39}, ValueError, "scale = 1e+39 is not a finite float32"),
    "integer": ([X, Y], {"start": 1.5}, TypeError, "start: expected an integer or an array, fou"),
    "wide": ([X, Y], {"start": 2**31}, ValueError, "start = 2147483648 does not fit int32"),
    "constant": ([X, Y], {"mode": [1]}, TypeError, "mode is a constant of the compilation: expec"),
    "check": (
        [X[..., :3], Y[..., :3]],
        {},
        ValueError,
        "x has D = 3; expected a multiple of 2, suc",
    ),
    "check 2": ([X, Y], {"start": 9}, ValueError, "add(): start = 9 lies behind the 5 keys"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_calls_are_typed_errors(case):
    add, requests = make()
    args, kwargs, kind, message = BAD[case]
    with pytest.raises(errors.Error) as caught:
        add(*args, **kwargs)
    assert isinstance(caught.value, kind)
    assert message in str(caught.value)
    assert not requests, "nothing was compiled"


def test_strides_that_are_no_whole_elements():
    records = np.zeros((2, 5), np.dtype([("a", "f4", 4), ("b", "u1")]))
    with pytest.raises(errors.ArgumentError, match="no multiple of its elements"):
        make()[0](records["a"], Y)


def test_an_error_of_the_compiler_reaches_the_caller():
    def refuse(request):
        raise errors.CompileError("cannot")

    add = rt.Dispatcher(rt.Signature("add", ADD_PARAMETERS), refuse)
    with pytest.raises(errors.CompileError, match="cannot"):
        add(*arrays())


def test_a_plan_that_does_not_fit_the_call_is_an_error():
    add, _ = make(plan=ADD.replace(b"y f32 [B, N, 4]", b"y f32 [B, N]"))
    with pytest.raises(errors.CompileError, match="'y' has another dtype or rank in the call"):
        add(*arrays())
    add, _ = make(
        plan=ADD.replace(b"scalar scale f32", b"scalar start i32").replace(b"scale", b"start")
    )
    with pytest.raises(errors.CompileError, match="'start' is not one of the call"):
        add(*arrays())


def test_signatures_refuse_unknown_symbols():
    with pytest.raises(ValueError, match="no parameter defines 'M'"):
        rt.Signature("f", ADD_PARAMETERS, checks=[("M > 0", "")])
    with pytest.raises(ValueError, match="no parameter 'q'"):
        rt.Signature("f", [{"name": "x", "shapes": [[]], "same_dtype_as": "q"}])


def test_gradients_go_to_the_hook():
    torch = pytest.importorskip("torch")
    add, requests = make(on_torch=lambda *args, **kwargs: (len(args), kwargs))
    x, y = (torch.from_numpy(a) for a in arrays())
    x.requires_grad_()
    assert add(x, y, scale=3.0) == (2, {"scale": 3.0})
    assert not requests
    with torch.no_grad():
        torch.testing.assert_close(add(x, y)[0], x + y)


def test_tensors_without_memory_go_to_the_hook():
    torch = pytest.importorskip("torch")
    from torch._subclasses.fake_tensor import FakeTensorMode

    add, requests = make(on_torch=lambda *args, **kwargs: len(args))
    x, y = (torch.from_numpy(a) for a in arrays())
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(x)
        assert add(fake, y) == 2
        assert not requests
        with pytest.raises(errors.ArgumentTypeError, match="without memory"):
            add.prepare(fake, y)
        with pytest.raises(errors.ArgumentTypeError, match="without memory"):
            make()[0](fake, y)


def test_a_switch_is_pytorchs_where_tensors_are_given():
    torch = pytest.importorskip("torch")
    flag = {"name": "exact", "kind": "constexpr", "default": False, "torch_switch": True}
    signature = rt.Signature("add", [*ADD_PARAMETERS, flag])
    asked = []

    def compiler(request):
        asked.append(request["constants"]["exact"])
        raise errors.UnsupportedError("no kernel")

    add = rt.Dispatcher(signature, compiler)
    tensors = [torch.from_numpy(a) for a in arrays()]
    for given in (arrays(), tensors):
        for switch in (False, True):
            torch.use_deterministic_algorithms(switch)
            try:
                with pytest.raises(errors.UnsupportedError):
                    add(*given)
            finally:
                torch.use_deterministic_algorithms(False)
    assert asked == [False, False, False, True]


def test_other_threads_run_while_a_kernel_does():
    entered, leave = threading.Event(), threading.Event()

    @ENTRY
    def waits(p):
        entered.set()
        assert leave.wait(20)

    add, _ = make(kernel=waits)
    caller = threading.Thread(target=add, args=arrays(b=1, n=1))
    caller.start()
    assert entered.wait(20)
    leave.set()
    caller.join(20)
    assert not caller.is_alive()


def test_threads_share_one_compilation():
    requests = []

    def compile_slowly(request):
        requests.append(request)
        time.sleep(0.2)
        if len(requests) == 1:
            raise errors.CompileError("the first time")
        made = rt.Plan.parse(ADD)
        made.bind_kernels({"add": ctypes.cast(add_kernel, ctypes.c_void_p).value})
        return made

    add = rt.Dispatcher(rt.Signature("add", ADD_PARAMETERS), compile_slowly)
    x, y = arrays()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = [pool.submit(add, x, y) for _ in range(4)]
    failures = [o for o in outcomes if o.exception()]
    assert len(failures) == 1 and isinstance(failures[0].exception(), errors.CompileError)
    assert len(requests) == 2, "who waited for the failed compilation tries once more"


def test_empty_arrays():
    add, _ = make()
    out, count = add(*arrays(n=0))
    assert out.shape == (2, 0, 4) and count.shape == (2,)
    assert add(*arrays(b=0))[0].shape == (0, 5, 4)


def test_plans_are_values():
    plan = rt.Plan.parse(ADD)
    assert (plan.function, plan.backend, plan.kernels, plan.codes) == ("add", "cpu", ["add"], [])
    again = plan.with_code("sm_80", "ptx", b"\0text").with_code("sm_80", "ptx", b"other")
    assert plan.codes == [] and again.codes == [("sm_80", "ptx", b"other")]
    assert rt.Plan.parse(again.serialize()).codes == again.codes
    with pytest.raises(errors.CompileError, match="no line 'end'"):
        rt.Plan.parse(ADD[:-5])


def test_a_kernel_that_nobody_defines():
    with pytest.raises(errors.CompileError, match="the code of add has not been loaded"):
        rt.Plan.parse(ADD).load()
