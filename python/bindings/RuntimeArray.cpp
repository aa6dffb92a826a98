// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeArray.h"

#include "RuntimeErrors.h"

#include <array>
#include <cstring>
#include <unordered_map>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::DType;
using runtime::ErrorKind;
using runtime::fail;

std::string str(const ArrayDevice &device) {
  if (device.backend == runtime::Backend::Cpu)
    return "cpu";
  return "cuda:" + std::to_string(device.index);
}

const char *pythonName(DType type) {
  static constexpr const char *names[runtime::numDTypes] = {
      "float64", "float32", "float16", "bfloat16", "int64",
      "int32",   "int16",   "int8",    "uint8",    "bool"};
  return names[static_cast<int>(type)];
}

dlpack::DataType dlpackType(DType type) {
  auto bits = static_cast<uint8_t>(8 * sizeOf(type));
  switch (type) {
  case DType::BF16:
    return {dlpack::BFloat, bits, 1};
  case DType::U8:
    return {dlpack::UInt, bits, 1};
  case DType::I1:
    return {dlpack::Bool, bits, 1};
  default:
    return {isFloat(type) ? dlpack::Float : dlpack::Int, bits, 1};
  }
}

static DType dtypeOf(dlpack::DataType type, const std::string &name) {
  // By code and bits: read five times a call, so not by trying them all.
  static const auto table = [] {
    std::array<std::array<int8_t, 65>, dlpack::Bool + 1> known;
    for (auto &row : known)
      row.fill(-1);
    for (int i = 0; i < runtime::numDTypes; ++i) {
      dlpack::DataType each = dlpackType(static_cast<DType>(i));
      known[each.code][each.bits] = static_cast<int8_t>(i);
    }
    return known;
  }();
  if (type.code < table.size() && type.bits < table[0].size() &&
      type.lanes == 1 && table[type.code][type.bits] >= 0)
    return static_cast<DType>(table[type.code][type.bits]);
  static constexpr const char *kinds[] = {"int",    "uint",   "float",
                                          "opaque", "bfloat", "complex"};
  bool isNamed = type.code < std::size(kinds) && type.lanes == 1;
  throw UnknownDType(
      name, isNamed ? kinds[type.code] + std::to_string(type.bits)
                    : runtime::concat(int(type.bits), " bits of DLPack's code ",
                                      int(type.code)));
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static bool comesFrom(PyTypeObject *type, const char *module) {
  py::object name = py::reinterpret_steal<py::object>(
      PyObject_GetAttrString(reinterpret_cast<PyObject *>(type), "__module__"));
  if (!name) {
    PyErr_Clear();
    return false;
  }
  auto text = py::str(name).cast<std::string>();
  return text == module || text.starts_with(std::string(module) + ".");
}

/// Whether `type` or one of its bases belongs to `module`.
static bool derivesFrom(PyTypeObject *type, const char *module) {
  for (PyTypeObject *t = type; t && t != &PyBaseObject_Type; t = t->tp_base)
    if (comesFrom(t, module))
      return true;
  return false;
}

static const dlpack::ExchangeApi *exchangeApiOf(PyTypeObject *type) {
  py::object capsule = py::reinterpret_steal<py::object>(PyObject_GetAttrString(
      reinterpret_cast<PyObject *>(type), "__dlpack_c_exchange_api__"));
  if (!capsule) {
    PyErr_Clear();
    return nullptr;
  }
  auto *api = static_cast<const dlpack::ExchangeApi *>(
      PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (!api)
    PyErr_Clear();
  while (api && api->version.major != dlpack::majorVersion)
    api = api->previous;
  return api;
}

/// The C function behind an attribute of the type, if one is.
static const PyGetSetDef *getterOf(PyTypeObject *type, const char *name) {
  py::object descriptor = py::reinterpret_steal<py::object>(
      PyObject_GetAttrString(reinterpret_cast<PyObject *>(type), name));
  if (!descriptor)
    PyErr_Clear();
  if (!descriptor || !Py_IS_TYPE(descriptor.ptr(), &PyGetSetDescr_Type))
    return nullptr;
  // It belongs to a type that `type` derives from, and lives as long.
  return reinterpret_cast<PyGetSetDescrObject *>(descriptor.ptr())->d_getset;
}

/// The C function behind a method of the type that takes no arguments, if one
/// is.
static const PyMethodDef *methodOf(PyTypeObject *type, const char *name) {
  py::object descriptor = py::reinterpret_steal<py::object>(
      PyObject_GetAttrString(reinterpret_cast<PyObject *>(type), name));
  if (!descriptor)
    PyErr_Clear();
  if (!descriptor || !Py_IS_TYPE(descriptor.ptr(), &PyMethodDescr_Type))
    return nullptr;
  const PyMethodDef *method =
      reinterpret_cast<PyMethodDescrObject *>(descriptor.ptr())->d_method;
  return method->ml_flags == METH_NOARGS ? method : nullptr;
}

/// Whether a class of PyTorch has operators of its own.
static bool hasTorchDispatch(PyTypeObject *type) {
  py::handle own = reinterpret_cast<PyObject *>(type);
  if (!py::hasattr(own, "__torch_dispatch__"))
    return false; // no tensor: a node of torch.fx, say
  py::object dispatch = own.attr("__torch_dispatch__");
  return !dispatch.is(py::module_::import("torch").attr("_C").attr(
      "_disabled_torch_dispatch_impl"));
}

static ArrayType inspect(PyTypeObject *type) {
  ArrayType result;
  result.isTorch = derivesFrom(type, "torch");
  result.isCupy = derivesFrom(type, "cupy");
  result.isMasked = derivesFrom(type, "numpy.ma");
  if (result.isTorch) {
    result.requiresGrad = getterOf(type, "requires_grad");
    result.isNegated = methodOf(type, "is_neg");
    result.isTraced = hasTorchDispatch(type);
  }
  result.api = exchangeApiOf(type);
  if (result.api)
    result.access = ArrayType::Access::Exchange;
  else if (derivesFrom(type, "numpy") && type->tp_as_buffer &&
           type->tp_as_buffer->bf_getbuffer &&
           PyObject_HasAttrString(reinterpret_cast<PyObject *>(type),
                                  "__array_finalize__"))
    result.access = ArrayType::Access::NumPy;
  else if (PyObject_HasAttrString(reinterpret_cast<PyObject *>(type),
                                  "__dlpack__"))
    result.access = ArrayType::Access::DLPack;
  return result;
}

const ArrayType &arrayTypeOf(PyObject *object) {
  // Leaked on purpose: types may be looked up while the interpreter ends.
  static auto &types = *new std::unordered_map<PyTypeObject *, ArrayType>;
  static std::pair<PyTypeObject *, const ArrayType *> last; // under the GIL
  PyTypeObject *type = Py_TYPE(object);
  if (type == last.first)
    return *last.second;
  auto it = types.find(type);
  if (it == types.end()) {
    Py_INCREF(type); // its address must not be taken by another type
    it = types.emplace(type, inspect(type)).first;
  }
  // One kind of array after another: other objects do not displace it.
  if (it->second.access != ArrayType::Access::None)
    last = {type, &it->second};
  return it->second;
}

bool requiresGrad(PyObject *tensor, const ArrayType &type) {
  py::object flag;
  if (type.requiresGrad) {
    flag = py::reinterpret_steal<py::object>(
        type.requiresGrad->get(tensor, type.requiresGrad->closure));
  } else {
    static PyObject *const name = PyUnicode_InternFromString("requires_grad");
    flag = py::reinterpret_steal<py::object>(PyObject_GetAttr(tensor, name));
  }
  if (!flag)
    raisePython();
  return flag.ptr() == Py_True;
}

bool isNegated(PyObject *tensor, const ArrayType &type) {
  if (!type.isNegated)
    return false;
  auto flag = py::reinterpret_steal<py::object>(
      type.isNegated->ml_meth(tensor, nullptr));
  if (!flag)
    raisePython();
  return flag.ptr() == Py_True;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

void ArrayView::release() {
  if (buffer.obj)
    PyBuffer_Release(&buffer);
  if (versioned && versioned->deleter)
    versioned->deleter(versioned);
  if (managed && managed->deleter)
    managed->deleter(managed);
  versioned = nullptr;
  managed = nullptr;
}

void ArrayView::read(PyObject *object, const ArrayType &type,
                     const std::string &name) {
  switch (type.access) {
  case ArrayType::Access::Exchange:
    return readExchange(object, type, name);
  case ArrayType::Access::NumPy:
    if (type.isMasked)
      fail(ErrorKind::ArgumentType, name,
           ": expected an array without a mask, found a ",
           Py_TYPE(object)->tp_name, "; call .filled(0) on it first");
    return readNumPy(object, name);
  case ArrayType::Access::DLPack:
    return readDLPack(object, type, name);
  case ArrayType::Access::None:
    fail(ErrorKind::ArgumentType, name,
         ": expected an array (anything with __dlpack__), found ",
         Py_TYPE(object)->tp_name);
  }
}

void ArrayView::take(const dlpack::Tensor &tensor, const std::string &name) {
  switch (tensor.device.type) {
  case dlpack::Cpu:
  case dlpack::CudaHost:
    device = {runtime::Backend::Cpu, 0};
    break;
  case dlpack::Cuda:
  case dlpack::CudaManaged:
    device = {runtime::Backend::Cuda, tensor.device.id};
    break;
  default:
    fail(ErrorKind::Unsupported, name,
         " lives on a device that Ramify has no code for (DLPack ",
         "device type ", tensor.device.type,
         "); expected the CPU or a CUDA device");
  }
  if (tensor.rank > runtime::maxRank)
    fail(ErrorKind::Argument, name, " has ", tensor.rank, " axes; at most ",
         runtime::maxRank, " are supported");
  dtype = dtypeOf(tensor.dtype, name);
  data = static_cast<char *>(tensor.data) + tensor.byteOffset;
  rank = tensor.rank;
  int64_t contiguous = 1;
  for (int d = rank - 1; d >= 0; --d) {
    sizes[d] = tensor.shape[d];
    strides[d] = tensor.strides ? tensor.strides[d] : contiguous;
    contiguous *= sizes[d];
  }
}

/// Whether a tensor stands for others inside `torch.vmap`, `torch.func.grad` or
/// another transform.
static bool isTransformed(PyObject *object) {
  if (!arrayTypeOf(object).isTorch)
    return false;
  py::object functorch =
      py::module_::import("torch").attr("_C").attr("_functorch");
  py::handle tensor(object);
  return functorch.attr("is_batchedtensor")(tensor).cast<bool>() ||
         functorch.attr("is_gradtrackingtensor")(tensor).cast<bool>();
}

/// Replaces the library's exception for a tensor that has no memory to read:
/// one that is sparse, on PyTorch's "meta" device, or inside a transform.
[[noreturn]] static void failToRead(PyObject *object, const std::string &name) {
  py::error_already_set cause;
  if (isTransformed(object))
    fail(ErrorKind::Unsupported, name,
         ": expected a tensor with memory of its own, found one inside a "
         "transform of torch.func, such as vmap or grad, which Ramify's "
         "functions have no rules for. Call them outside of it, with a batch "
         "axis in place of vmap and tensor.backward() in place of grad");
  std::string why = py::str(cause.value());
  fail(ErrorKind::ArgumentType, name,
       ": expected a dense array on the CPU or a GPU, found a ",
       Py_TYPE(object)->tp_name, " that cannot be read (",
       why.substr(0, why.find('\n')), ")");
}

void ArrayView::readExchange(PyObject *object, const ArrayType &type,
                             const std::string &name) {
  if (type.api->tensorFromObject) {
    dlpack::Tensor tensor;
    if (type.api->tensorFromObject(object, &tensor) != 0)
      failToRead(object, name);
    return take(tensor, name);
  }
  if (type.api->managedFromObject(object, &versioned) != 0)
    failToRead(object, name);
  take(versioned->tensor, name);
}

/// The element type of a buffer's format, by its letter and size.
static DType dtypeOfFormat(const Py_buffer &buffer, const std::string &name) {
  const char *format = buffer.format ? buffer.format : "B";
  if (*format == '@' || *format == '=' || *format == '<')
    ++format;
  auto size = static_cast<uint8_t>(8 * buffer.itemsize);
  if (std::strlen(format) == 1) {
    if (std::strchr("efd", *format))
      return dtypeOf({dlpack::Float, size, 1}, name);
    if (std::strchr("bhilq", *format))
      return dtypeOf({dlpack::Int, size, 1}, name);
    if (*format == 'B')
      return DType::U8;
    if (*format == '?')
      return DType::I1;
  }
  throw UnknownDType(
      name, py::str(py::handle(buffer.obj).attr("dtype")).cast<std::string>());
}

void ArrayView::readNumPy(PyObject *object, const std::string &name) {
  if (PyObject_GetBuffer(object, &buffer, PyBUF_STRIDED_RO | PyBUF_FORMAT) ==
      0) {
    dtype = dtypeOfFormat(buffer, name);
    return readBuffer(name);
  }
  // ml_dtypes' bfloat16 has no buffer format: read it as integers.
  PyErr_Clear();
  py::handle array(object);
  if (auto found = py::str(array.attr("dtype")).cast<std::string>();
      found != "bfloat16")
    throw UnknownDType(name, found);
  py::object integers = array.attr("view")("int16");
  if (PyObject_GetBuffer(integers.ptr(), &buffer,
                         PyBUF_STRIDED_RO | PyBUF_FORMAT) != 0)
    raisePython();
  dtype = DType::BF16;
  readBuffer(name);
}

void ArrayView::readBuffer(const std::string &name) {
  if (buffer.ndim > runtime::maxRank)
    fail(ErrorKind::Argument, name, " has ", buffer.ndim, " axes; at most ",
         runtime::maxRank, " are supported");
  data = buffer.buf;
  rank = buffer.ndim;
  device = {};
  for (int d = 0; d < rank; ++d) {
    sizes[d] = buffer.shape[d];
    strides[d] = buffer.strides[d] / buffer.itemsize;
    if (strides[d] * buffer.itemsize != buffer.strides[d])
      fail(ErrorKind::Argument, name, " has a stride of ", buffer.strides[d],
           " bytes along axis ", d,
           ", which is no multiple of its elements; make a copy of it first");
  }
}

static py::object callDLPack(const py::object &array, const py::dict &options,
                             const std::string &name) {
  py::object method = array.attr("__dlpack__");
  py::dict withVersion(**options);
  withVersion["max_version"] = py::make_tuple(1, 0);
  py::tuple arguments;
  auto call = [&](const py::dict &keywords) {
    return py::reinterpret_steal<py::object>(
        PyObject_Call(method.ptr(), arguments.ptr(), keywords.ptr()));
  };
  py::object capsule = call(withVersion);
  if (!capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Clear();
    capsule = call(options); // from before DLPack 1.0
  }
  if (!capsule)
    failToRead(array.ptr(), name);
  return capsule;
}

/// Where an array lives, as it tells.
static std::pair<int, int> deviceOf(const py::object &array,
                                    const std::string &name) {
  auto pair = py::reinterpret_steal<py::object>(
      PyObject_CallMethod(array.ptr(), "__dlpack_device__", nullptr));
  if (!pair)
    failToRead(array.ptr(), name);
  try {
    return pair.cast<std::pair<int, int>>();
  } catch (const py::cast_error &) {
    fail(ErrorKind::ArgumentType, name,
         ": expected a pair of ints from its __dlpack_device__, found ",
         py::repr(pair).cast<std::string>());
  }
}

void ArrayView::readDLPack(PyObject *object, const ArrayType &type,
                           const std::string &name) {
  auto array = py::reinterpret_borrow<py::object>(object);
  if (type.isTorch)
    array = array.attr("detach")(); // it gives nothing that requires a gradient
  auto [deviceType, deviceId] = deviceOf(array, name);
  py::dict options;
  if (deviceType == dlpack::Cuda || deviceType == dlpack::CudaManaged) {
    // We launch on the current stream of PyTorch and CuPy, which need not wait;
    // for others on the legacy default stream.
    options["stream"] = type.isTorch || type.isCupy ? -1 : 1;
  }
  py::object capsule = callDLPack(array, options, name);
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto *tensor = static_cast<dlpack::ManagedTensorVersioned *>(
        PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    versioned = tensor;
    if (tensor->version.major != dlpack::majorVersion)
      fail(ErrorKind::ArgumentType, name, " speaks DLPack ",
           tensor->version.major, "; Ramify speaks ", dlpack::majorVersion);
    return take(tensor->tensor, name);
  }
  if (!PyCapsule_IsValid(capsule.ptr(), "dltensor"))
    fail(ErrorKind::ArgumentType, name,
         ": its __dlpack__ gave no DLPack tensor");
  managed = static_cast<dlpack::ManagedTensor *>(
      PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  take(managed->tensor, name);
}

} // namespace ramify::bindings
