// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeThreads.h"

#include "runtime/ThreadPool.h"

#include <cstdlib>

namespace py = pybind11;

namespace ramify::bindings {

/// torch.get_num_threads, once torch has been imported; else null.
static PyObject *torchThreads() {
  static PyObject *function = nullptr;
  if (function)
    return function;
  PyObject *modules = PyImport_GetModuleDict();
  PyObject *torch = PyDict_GetItemString(modules, "torch");
  if (torch)
    function = PyObject_GetAttrString(torch, "get_num_threads");
  PyErr_Clear(); // half imported
  return function;
}

int threadCount() {
  static const bool isSet = std::getenv("RAMIFY_NUM_THREADS") != nullptr;
  static const int own = runtime::defaultThreads();
  PyObject *function = isSet ? nullptr : torchThreads();
  if (!function)
    return own;
  py::object count =
      py::reinterpret_steal<py::object>(PyObject_CallNoArgs(function));
  if (!count)
    throw py::error_already_set();
  return count.cast<int>();
}

} // namespace ramify::bindings
