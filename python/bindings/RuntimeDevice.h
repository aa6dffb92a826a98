// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef RAMIFY_BINDINGS_RUNTIMEDEVICE_H
#define RAMIFY_BINDINGS_RUNTIMEDEVICE_H

#include <pybind11/pybind11.h>

namespace ramify::bindings {

void bindDevice(pybind11::module_ &module);

} // namespace ramify::bindings

#endif
