// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes arrays in the caller's library, on the caller's device.

#ifndef RAMIFY_BINDINGS_RUNTIMEOUTPUT_H
#define RAMIFY_BINDINGS_RUNTIMEOUTPUT_H

#include "RuntimeArray.h"

#include <memory>
#include <vector>

namespace ramify::bindings {

/// An array that is about to be written.
struct NewArray {
  pybind11::object object;
  void *data = nullptr;
};

/// Allocates for one call: what it returns, and memory that lives until the
/// call is enqueued (on a GPU the library's allocator keeps it for the stream).
class ArrayMaker {
public:
  /// Arrays like `like`, whose type has the entry `type`.
  ArrayMaker(PyObject *like, const ArrayType &type, ArrayDevice device)
      : like(like), type(type), device(device) {}
  ~ArrayMaker();
  ArrayMaker(const ArrayMaker &) = delete;
  ArrayMaker &operator=(const ArrayMaker &) = delete;

  NewArray make(runtime::DType dtype, int rank, const int64_t *sizes);
  void *workspace(int64_t bytes);

  /// The stream that the library works on now.
  void *currentStream() const;

private:
  dlpack::ManagedTensorVersioned *allocate(runtime::DType dtype, int rank,
                                           const int64_t *sizes);
  pybind11::object callEmpty(runtime::DType dtype, int rank,
                             const int64_t *sizes);

  PyObject *like;
  const ArrayType &type;
  ArrayDevice device;
  std::vector<dlpack::ManagedTensorVersioned *> tensors;
  std::vector<pybind11::object> objects;
  std::vector<void *> blocks;
};

} // namespace ramify::bindings

#endif
