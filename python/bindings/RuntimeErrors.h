// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime's errors as the exceptions of ramify.errors.

#ifndef RAMIFY_BINDINGS_RUNTIMEERRORS_H
#define RAMIFY_BINDINGS_RUNTIMEERRORS_H

#include "runtime/Error.h"

#include <pybind11/pybind11.h>

namespace ramify::bindings {

/// Makes every runtime::Error that leaves a binding a class of ramify.errors.
void registerErrors();

/// Sets the Python exception that stands for the C++ exception in flight.
void setPythonError();

/// Throws the Python exception that is set.
[[noreturn]] inline void raisePython() { throw pybind11::error_already_set(); }

/// Tells Python's warnings of the messages.
void warn(const std::vector<std::string> &messages);

} // namespace ramify::bindings

#endif
