// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeErrors.h"

namespace py = pybind11;

namespace ramify::bindings {

using runtime::ErrorKind;

static const char *className(ErrorKind kind) {
  switch (kind) {
  case ErrorKind::Argument:
    return "ArgumentError";
  case ErrorKind::ArgumentType:
    return "ArgumentTypeError";
  case ErrorKind::Unsupported:
    return "UnsupportedError";
  case ErrorKind::Device:
    return "DeviceError";
  case ErrorKind::Capture:
    return "CaptureError";
  case ErrorKind::Cache:
    return "CacheError";
  case ErrorKind::Plan:
    return "CompileError";
  }
  return "Error";
}

static void set(const runtime::Error &error) {
  py::object type =
      py::module_::import("ramify.errors").attr(className(error.kind()));
  PyErr_SetString(type.ptr(), error.what());
}

void registerErrors() {
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer)
        std::rethrow_exception(pointer);
    } catch (const runtime::Error &error) {
      set(error);
    }
  });
}

void setPythonError() {
  try {
    throw;
  } catch (py::error_already_set &error) {
    error.restore();
  } catch (const py::builtin_exception &error) {
    error.set_error();
  } catch (const runtime::Error &error) {
    set(error);
  } catch (const std::bad_alloc &) {
    PyErr_NoMemory();
  } catch (const std::exception &error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

void warn(const std::vector<std::string> &messages) {
  for (const std::string &message : messages)
    if (PyErr_WarnEx(PyExc_RuntimeWarning, message.c_str(), 2) != 0)
      raisePython();
}

} // namespace ramify::bindings
