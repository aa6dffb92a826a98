// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef RAMIFY_BINDINGS_RUNTIMECACHE_H
#define RAMIFY_BINDINGS_RUNTIMECACHE_H

#include <pybind11/pybind11.h>

namespace ramify::bindings {

void bindCache(pybind11::module_ &module);

} // namespace ramify::bindings

#endif
