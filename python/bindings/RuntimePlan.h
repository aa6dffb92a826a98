// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans as Python objects.

#ifndef RAMIFY_BINDINGS_RUNTIMEPLAN_H
#define RAMIFY_BINDINGS_RUNTIMEPLAN_H

#include "RuntimeArray.h"

#include "runtime/Executable.h"

#include <map>

namespace ramify::bindings {

/// A plan, and addresses of kernels that somebody else has loaded.
struct PythonPlan {
  runtime::Plan plan;
  std::map<std::string, uint64_t> entries;

  std::shared_ptr<runtime::Executable> load(const ArrayDevice &device) const;
};

void bindPlan(pybind11::module_ &module);

} // namespace ramify::bindings

#endif
