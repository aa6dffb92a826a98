// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeThreads.h"

#include "runtime/Error.h"
#include "runtime/ThreadPool.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

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
  if (const char *text = std::getenv("RAMIFY_NUM_THREADS"); text && *text) {
    int count = 0;
    const char *end = text + std::strlen(text);
    auto [rest, error] = std::from_chars(text, end, count);
    if (error != std::errc() || rest != end || count < 1)
      runtime::fail(runtime::ErrorKind::Argument,
                    "RAMIFY_NUM_THREADS: expected a number >= 1, found '", text,
                    "'.");
    return count;
  }
  PyObject *function = torchThreads();
  if (!function)
    return runtime::availableCores();
  py::object count =
      py::reinterpret_steal<py::object>(PyObject_CallNoArgs(function));
  if (!count)
    throw py::error_already_set();
  return count.cast<int>();
}

} // namespace ramify::bindings
