// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The module ramify._compiler: the compiler as two functions of text, and the
// linker for the CPU's kernels. It includes no header of LLVM.

#include "ReleasedGil.h"

#include "ramify/Compiler/Compiler.h"
#include "ramify/Target/CPULoader.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <mutex>
#include <new>
#include <pthread.h>
#include <shared_mutex>

namespace py = pybind11;

using ramify::CompileDiagnostic;
using ramify::CompileOptions;
using ramify::CompileResult;
using ramify::LoadedObject;

/// Shared by the threads that compile; fork waits until none does, since the
/// child would find LLVM's own locks held by threads that it does not have.
static std::shared_mutex &workingMutex() {
  static std::shared_mutex &mutex = []() -> std::shared_mutex & {
    auto *made = new std::shared_mutex;
    pthread_atfork([] { workingMutex().lock(); },
                   [] { workingMutex().unlock(); },
                   // The child's begins anew: threads may have waited for it.
                   [] { new (&workingMutex()) std::shared_mutex; });
    return *made;
  }();
  return mutex;
}

static CompileOptions readOptions(const py::dict &dict) {
  CompileOptions options;
  for (auto [key, value] : dict) {
    auto name = py::cast<std::string>(key);
    if (name == "target")
      options.target = py::cast<std::string>(value);
    else if (name == "schedule")
      options.schedule = py::cast<std::string>(value);
    else if (name == "otherwise")
      options.otherwise = py::cast<std::string>(value);
    else if (name == "aligned")
      options.aligned = py::cast<bool>(value);
    else if (name == "default_q_start")
      options.defaultQStart = py::cast<bool>(value);
    else if (name == "derivative")
      options.derivative = py::cast<std::string>(value);
    else if (name == "wrt")
      options.wrt = py::cast<std::string>(value);
    else if (name == "imported")
      options.imported = py::cast<std::string>(value);
    else if (name == "window")
      options.windowTokens = py::cast<int>(value);
    else if (name == "handed")
      options.handedBytes = py::cast<int>(value);
    else if (name == "one_launch")
      options.oneLaunch = py::cast<bool>(value);
    else if (name == "deterministic")
      options.deterministic = py::cast<bool>(value);
    else if (name == "in_place")
      options.inPlace = py::cast<bool>(value);
    else if (name == "keys_per_row")
      options.keysPerRow = py::cast<int>(value);
    else if (name == "narrow_sums")
      options.narrowSums = py::cast<bool>(value);
    else if (name == "stages")
      options.stages = py::cast<int>(value);
    else if (name == "key_tile")
      options.keyTile = py::cast<int>(value);
    else if (name == "registers")
      options.registers = py::cast<int>(value);
    else if (name == "slices")
      options.slices = py::cast<int>(value);
    else
      throw py::value_error("the compiler has no option '" + name + "'");
  }
  return options;
}

/// Raises ramify.errors.CompileError with the errors, as text and as a list of
/// (message, file, line, column).
[[noreturn]] static void raise(const std::vector<CompileDiagnostic> &errors) {
  std::string text;
  py::list list;
  for (const CompileDiagnostic &error : errors) {
    if (!text.empty())
      text += "\n";
    if (error.line)
      text += error.file + ":" + std::to_string(error.line) + ":" +
              std::to_string(error.column) + ": ";
    text += error.message;
    list.append(
        py::make_tuple(error.message, error.file, error.line, error.column));
  }
  py::object type = py::module_::import("ramify.errors").attr("CompileError");
  py::object error = type(text);
  error.attr("diagnostics") = list;
  PyErr_SetObject(type.ptr(), error.ptr());
  throw py::error_already_set();
}

static py::bytes compile(const std::string &text, const py::dict &dict) {
  CompileOptions options = readOptions(dict);
  CompileResult result;
  {
    ramify::bindings::ReleasedGil unlocked;
    std::shared_lock<std::shared_mutex> working(workingMutex());
    result = ramify::compile(text, options);
  }
  if (!result.succeeded)
    raise(result.errors);
  return py::bytes(result.output);
}

static std::string lower(const std::string &text, const std::string &level,
                         const py::dict &dict) {
  CompileOptions options = readOptions(dict);
  if (level == "object")
    throw py::value_error("an object is not text; use compile");
  CompileResult result;
  {
    ramify::bindings::ReleasedGil unlocked;
    std::shared_lock<std::shared_mutex> working(workingMutex());
    result = ramify::lower(text, level, options);
  }
  if (!result.succeeded)
    raise(result.errors);
  return result.output;
}

static std::shared_ptr<LoadedObject>
load(const py::bytes &data, const std::vector<std::string> &names) {
  auto bytes = static_cast<std::string_view>(data);
  std::shared_ptr<LoadedObject> object;
  std::string error;
  {
    ramify::bindings::ReleasedGil unlocked;
    object = LoadedObject::load(bytes, names, error);
  }
  if (!object)
    raise({{error, "", 0, 0}});
  return object;
}

static std::vector<uint64_t> addresses(const LoadedObject &object) {
  std::vector<uint64_t> result;
  for (void *address : object.addresses())
    result.push_back(reinterpret_cast<uint64_t>(address));
  return result;
}

PYBIND11_MODULE(_compiler, module) {
  module.doc() = "From the text of an hsa program to a plan with code.";
  module.def("compile", &compile, py::arg("text"), py::arg("options"),
             "The serialised plan of a program. Releases the GIL.\n\n"
             "options: those of CompileOptions, 'target', 'schedule', "
             "'aligned', 'default_q_start', 'stages', 'key_tile', "
             "'registers', 'slices', 'derivative', 'wrt'.");
  module.def("lower", &lower, py::arg("text"), py::arg("level"),
             py::arg("options"),
             "A program at the level 'hsa', 'tile', 'placed', 'llvm', 'ptx', "
             "'asm' or 'plan', as text.");
  py::class_<LoadedObject, std::shared_ptr<LoadedObject>>(
      module, "LoadedObject",
      "An object file linked into this process, as long as this lives.")
      .def_property_readonly("addresses", &addresses,
                             "Of the functions asked for, in their order.");
  module.def("load_object", &load, py::arg("data"), py::arg("names"),
             "Links an object file and finds functions in it. CompileError if "
             "it is damaged or lacks one.");
}
