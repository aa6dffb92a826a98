// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What compiled code may depend on, in two forms that say the same: words for
// the table of kernels, and a dict for the compiler.

#include "RuntimeArguments.h"
#include "RuntimeErrors.h"

#include <cstring>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::ErrorKind;
using runtime::fail;

static void appendBytes(Key &key, const char *bytes, size_t size) {
  key.push_back(size);
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + i, std::min<size_t>(8, size - i));
    key.push_back(word);
  }
}

/// Tuples inside tuples that a constant may have.
static constexpr int maxNesting = 16;

/// Appends a constant, so that different constants give different words.
static void appendConstant(Key &key, PyObject *object, const std::string &label,
                           int nesting = 0) {
  enum Tag : uint64_t { None, Bool, Int, Float, Str, Tuple };
  if (object == Py_None) {
    key.push_back(None);
  } else if (PyBool_Check(object)) {
    key.insert(key.end(), {Bool, object == Py_True});
  } else if (PyLong_Check(object)) {
    key.insert(key.end(),
               {Int, static_cast<uint64_t>(PyLong_AsLongLong(object))});
    if (PyErr_Occurred())
      raisePython();
  } else if (PyFloat_Check(object)) {
    double value = PyFloat_AS_DOUBLE(object);
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    key.insert(key.end(), {Float, bits});
  } else if (PyUnicode_Check(object)) {
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(object, &size);
    if (!text) {
      PyErr_Clear();
      fail(ErrorKind::Argument, label,
           ": expected a text of Unicode, found one with half a character (a "
           "surrogate)");
    }
    key.push_back(Str);
    appendBytes(key, text, static_cast<size_t>(size));
  } else if (PyTuple_Check(object)) {
    if (nesting == maxNesting)
      fail(ErrorKind::Argument, label, ": expected at most ", maxNesting,
           " tuples inside each other, found more");
    key.insert(key.end(),
               {Tuple, static_cast<uint64_t>(PyTuple_GET_SIZE(object))});
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i)
      appendConstant(key, PyTuple_GET_ITEM(object, i), label, nesting + 1);
  } else {
    fail(ErrorKind::ArgumentType, label,
         " is a constant of the compilation: expected None, bool, int, float, "
         "str or a tuple of "
         "these, found ",
         Py_TYPE(object)->tp_name);
  }
}

void Arguments::writeKey(Key &key) const {
  key.clear();
  key.push_back(uint64_t(device().backend) << 32 |
                static_cast<uint32_t>(device().index));
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot &slot = slots[i];
    key.push_back(uint64_t(slot.state) | uint64_t(slot.view.dtype) << 8 |
                  uint64_t(slot.view.rank) << 16 |
                  uint64_t(slot.aligned) << 24);
    if (slot.state == State::Constexpr)
      appendConstant(key, slot.object, signature.parameters[i].label);
  }
  for (int s : signature.keyedSymbols) {
    key.push_back(uint64_t(origins[s].parameter >= 0));
    key.push_back(uint64_t(values[s]));
  }
  for (const auto &[text, expr] : signature.keys)
    key.push_back(static_cast<uint64_t>(expr.evaluate(values)));
}

py::dict Arguments::describe() const {
  py::dict sizes, arrays, scalars, constants, keys;
  py::list absent;
  for (int s : signature.keyedSymbols)
    if (origins[s].parameter >= 0)
      sizes[py::str(signature.symbols.name(s))] = values[s];
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot &slot = slots[i];
    const Parameter &p = signature.parameters[i];
    if (slot.state == State::Array)
      arrays[p.name] = py::dict(py::arg("dtype") = name(slot.view.dtype),
                                py::arg("rank") = slot.view.rank,
                                py::arg("aligned") = slot.aligned);
    else if (slot.state == State::Scalar)
      scalars[p.name] = name(*p.scalar);
    else if (slot.state == State::Constexpr)
      constants[p.name] = py::handle(slot.object);
    else
      absent.append(p.name);
  }
  for (const auto &[text, expr] : signature.keys)
    keys[py::str(text)] = expr.evaluate(values);
  py::dict result;
  result["sizes"] = sizes;
  result["arrays"] = arrays;
  result["scalars"] = scalars;
  result["constants"] = constants;
  result["absent"] = absent;
  result["keys"] = keys;
  result["device"] =
      py::make_tuple(runtime::name(device().backend), device().index);
  return result;
}

} // namespace ramify::bindings
