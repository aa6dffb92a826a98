// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The Python type whose instances are called straight in C++: from CPython's
// vectorcall to a Dispatcher, with no tuple, dict or frame between.

#ifndef RAMIFY_BINDINGS_RUNTIMECALLABLE_H
#define RAMIFY_BINDINGS_RUNTIMECALLABLE_H

#include <pybind11/pybind11.h>

namespace ramify::bindings {

void bindCallable(pybind11::module_ &module);

} // namespace ramify::bindings

#endif
