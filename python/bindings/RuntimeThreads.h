// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many threads a call on the CPU gets.

#ifndef RAMIFY_BINDINGS_RUNTIMETHREADS_H
#define RAMIFY_BINDINGS_RUNTIMETHREADS_H

#include <pybind11/pybind11.h>

namespace ramify::bindings {

/// RAMIFY_NUM_THREADS; else PyTorch's number where it is loaded; else the
/// number of cores this process may use.
int threadCount();

} // namespace ramify::bindings

#endif
