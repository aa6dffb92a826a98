// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads arrays of any library: by DLPack's C exchange API where the type offers
// it (PyTorch), by the buffer protocol for NumPy, else by `__dlpack__`.

#ifndef RAMIFY_BINDINGS_RUNTIMEARRAY_H
#define RAMIFY_BINDINGS_RUNTIMEARRAY_H

#include "DLPack.h"

#include "runtime/Error.h"
#include "runtime/Plan.h"

#include <pybind11/pybind11.h>

namespace ramify::bindings {

struct ArrayDevice {
  runtime::Backend backend = runtime::Backend::Cpu;
  int index = 0;
  bool operator==(const ArrayDevice &) const = default;
};

/// "cpu" or "cuda:0".
std::string str(const ArrayDevice &device);

/// What is known about a Python type, found out once.
struct ArrayType {
  enum class Access { None, Exchange, NumPy, DLPack };
  Access access = Access::None;
  const dlpack::ExchangeApi *api = nullptr;
  bool isTorch = false;
  bool isCupy = false;
  /// A PyTorch tensor without memory of its own, which only PyTorch's operators
  /// understand: it stands for another one, or for none while code is traced.
  bool isTraced = false;
  /// NumPy's arrays with a mask, which their memory does not show.
  bool isMasked = false;
  /// Reads PyTorch's `requires_grad`; null where a subclass defines it anew.
  const PyGetSetDef *requiresGrad = nullptr;
  /// PyTorch's `is_neg`, or null.
  const PyMethodDef *isNegated = nullptr;
};

/// An array's dtype is none of ours. Whoever knows which ones are taken says so
/// instead.
struct UnknownDType : runtime::Error {
  UnknownDType(const std::string &name, std::string found)
      : Error(runtime::ErrorKind::ArgumentType,
              name + " has the dtype " + found +
                  ", which Ramify does not know"),
        found(std::move(found)) {}
  std::string found;
};

/// The entry of `object`'s type; its address stays valid.
const ArrayType &arrayTypeOf(PyObject *object);

/// Whether a PyTorch tensor wants a gradient.
bool requiresGrad(PyObject *tensor, const ArrayType &type);

/// Whether a PyTorch tensor's elements are those of its memory times -1, as
/// those of `x.conj().imag` are.
bool isNegated(PyObject *tensor, const ArrayType &type);

/// One array while it is used. Sizes and strides are in elements.
class ArrayView {
public:
  ArrayView() = default;
  ~ArrayView() { release(); }
  ArrayView(const ArrayView &) = delete;
  ArrayView &operator=(const ArrayView &) = delete;

  /// Reads `object`, whose type has the entry `type`; `name` is for errors:
  /// "hsa(): k".
  void read(PyObject *object, const ArrayType &type, const std::string &name);

  void *data = nullptr;
  runtime::DType dtype = runtime::DType::F32;
  ArrayDevice device;
  int rank = 0;
  int64_t sizes[runtime::maxRank]; // of the first `rank`
  int64_t strides[runtime::maxRank];

private:
  void take(const dlpack::Tensor &tensor, const std::string &name);
  void readExchange(PyObject *object, const ArrayType &type,
                    const std::string &name);
  void readNumPy(PyObject *object, const std::string &name);
  void readBuffer(const std::string &name);
  void readDLPack(PyObject *object, const ArrayType &type,
                  const std::string &name);
  void release();

  Py_buffer buffer = {};
  dlpack::ManagedTensorVersioned *versioned = nullptr;
  dlpack::ManagedTensor *managed = nullptr;
};

/// "float32" for f32: the name that Python's libraries use.
const char *pythonName(runtime::DType type);
dlpack::DataType dlpackType(runtime::DType type);

} // namespace ramify::bindings

#endif
