// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeOutput.h"

#include "RuntimeErrors.h"

#include <pybind11/gil_safe_call_once.h>

#include <array>
#include <new>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::DType;
using runtime::ErrorKind;
using runtime::fail;

static constexpr std::align_val_t workspaceAlignment{64};

ArrayMaker::~ArrayMaker() {
  for (dlpack::ManagedTensorVersioned *tensor : tensors)
    if (tensor->deleter)
      tensor->deleter(tensor);
  for (void *block : blocks)
    ::operator delete(block, workspaceAlignment);
}

dlpack::ManagedTensorVersioned *ArrayMaker::allocate(DType dtype, int rank,
                                                     const int64_t *sizes) {
  dlpack::Tensor prototype = {};
  prototype.device = {device.backend == runtime::Backend::Cpu ? dlpack::Cpu
                                                              : dlpack::Cuda,
                      device.index};
  prototype.rank = rank;
  prototype.dtype = dlpackType(dtype);
  prototype.shape = const_cast<int64_t *>(sizes);
  dlpack::ManagedTensorVersioned *tensor = nullptr;
  std::string problem = "the array library could not allocate";
  auto setError = [](void *context, const char *kind, const char *message) {
    *static_cast<std::string *>(context) = runtime::concat(kind, ": ", message);
  };
  if (type.api->allocate(&prototype, &tensor, &problem, setError) != 0 ||
      !tensor) {
    PyErr_Clear();
    fail(ErrorKind::Device, problem);
  }
  return tensor;
}

/// NumPy's dtype objects, or bfloat16's from ml_dtypes.
static py::object numpyDType(DType dtype) {
  static auto &known = *new std::array<py::object, runtime::numDTypes>;
  py::object &entry = known[static_cast<int>(dtype)];
  if (!entry) {
    py::module_ home =
        py::module_::import(dtype == DType::BF16 ? "ml_dtypes" : "numpy");
    entry = py::module_::import("numpy").attr("dtype")(
        home.attr(pythonName(dtype)));
  }
  return entry;
}

static py::tuple shapeTuple(int rank, const int64_t *sizes) {
  py::tuple shape(rank);
  for (int d = 0; d < rank; ++d)
    PyTuple_SET_ITEM(shape.ptr(), d, PyLong_FromLongLong(sizes[d]));
  return shape;
}

/// An empty array of CuPy, which takes the device from a context instead of an
/// argument.
static py::object emptyOfCupy(py::handle like, const py::tuple &shape,
                              DType dtype) {
  struct OnDevice {
    explicit OnDevice(py::object on) : device(std::move(on)) {
      device.attr("__enter__")();
    }
    ~OnDevice() {
      try {
        device.attr("__exit__")(py::none(), py::none(), py::none());
      } catch (py::error_already_set &error) {
        error.discard_as_unraisable("cupy.cuda.Device.__exit__");
      }
    }
    py::object device;
  } onDevice(like.attr("device"));
  py::object cupy = py::module_::import("cupy");
  return cupy.attr("empty")(shape, cupy.attr(pythonName(dtype)));
}

py::object ArrayMaker::callEmpty(DType dtype, int rank, const int64_t *sizes) {
  py::tuple shape = shapeTuple(rank, sizes);
  if (type.access == ArrayType::Access::NumPy) {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object>
        storage;
    const py::object &empty =
        storage
            .call_once_and_store_result(
                [] { return py::module_::import("numpy").attr("empty"); })
            .get_stored();
    return empty(shape, numpyDType(dtype));
  }
  py::handle array(like);
  if (type.isCupy)
    return emptyOfCupy(array, shape, dtype);
  py::object library = type.isTorch
                           ? py::object(py::module_::import("torch"))
                           : py::object(array.attr("__array_namespace__")());
  return library.attr("empty")(
      shape, py::arg("dtype") = library.attr(pythonName(dtype)),
      py::arg("device") = array.attr("device"));
}

NewArray ArrayMaker::make(DType dtype, int rank, const int64_t *sizes) {
  NewArray result;
  if (type.access == ArrayType::Access::Exchange) {
    dlpack::ManagedTensorVersioned *tensor = allocate(dtype, rank, sizes);
    result.data =
        static_cast<char *>(tensor->tensor.data) + tensor->tensor.byteOffset;
    void *object = nullptr;
    if (type.api->managedToObject(tensor, &object) != 0)
      raisePython();
    result.object =
        py::reinterpret_steal<py::object>(static_cast<PyObject *>(object));
    return result;
  }
  result.object = callEmpty(dtype, rank, sizes);
  ArrayView view;
  view.read(result.object.ptr(), arrayTypeOf(result.object.ptr()),
            "the result");
  result.data = view.data;
  return result;
}

void *ArrayMaker::workspace(int64_t bytes) {
  if (device.backend == runtime::Backend::Cpu) {
    blocks.push_back(
        ::operator new(static_cast<size_t>(bytes), workspaceAlignment));
    return blocks.back();
  }
  if (type.access == ArrayType::Access::Exchange) {
    tensors.push_back(allocate(DType::U8, 1, &bytes));
    return tensors.back()->tensor.data;
  }
  NewArray array = make(DType::U8, 1, &bytes);
  objects.push_back(array.object);
  return array.data;
}

void *ArrayMaker::currentStream() const {
  if (device.backend == runtime::Backend::Cpu)
    return nullptr;
  if (type.api) {
    void *stream = nullptr;
    if (type.api->currentStream(dlpack::Cuda, device.index, &stream) != 0)
      raisePython();
    return stream;
  }
  py::object pointer = py::int_(0);
  if (type.isTorch)
    pointer = py::module_::import("torch")
                  .attr("cuda")
                  .attr("current_stream")(device.index)
                  .attr("cuda_stream");
  else if (type.isCupy)
    pointer = py::module_::import("cupy")
                  .attr("cuda")
                  .attr("get_current_stream")(device.index)
                  .attr("ptr");
  return PyLong_AsVoidPtr(pointer.ptr());
}

} // namespace ramify::bindings
