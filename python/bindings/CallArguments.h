// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a call was given, as CPython's vectorcall passes it: the positional
// arguments, then the values of the keywords. Everything is borrowed.

#ifndef RAMIFY_BINDINGS_CALLARGUMENTS_H
#define RAMIFY_BINDINGS_CALLARGUMENTS_H

#include "runtime/InlineArray.h"

#include <pybind11/pybind11.h>

namespace ramify::bindings {

struct CallArguments {
  PyObject *const *items = nullptr;
  size_t positional = 0;
  PyObject *names = nullptr; // a tuple, or null where there are no keywords

  size_t keywords() const {
    return names ? static_cast<size_t>(PyTuple_GET_SIZE(names)) : 0;
  }
  PyObject *name(size_t i) const {
    return PyTuple_GET_ITEM(names, static_cast<Py_ssize_t>(i));
  }
  PyObject *value(size_t i) const { return items[positional + i]; }
};

/// The same, of a call that arrives as a tuple and a dict.
class UnpackedCall {
public:
  UnpackedCall(const pybind11::args &args, const pybind11::kwargs &kwargs)
      : names(kwargs.size()), items(args.size() + kwargs.size()) {
    size_t i = 0;
    for (pybind11::handle item : args)
      items[i++] = item.ptr();
    for (auto [name, value] : kwargs) {
      names[i - args.size()] = name;
      items[i++] = value.ptr();
    }
    call = {items.data(), args.size(), names.ptr()};
  }
  operator const CallArguments &() const { return call; }

private:
  pybind11::tuple names;
  runtime::InlineArray<PyObject *, 16> items;
  CallArguments call;
};

} // namespace ramify::bindings

#endif
