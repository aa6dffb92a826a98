// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans as Python objects.

#ifndef RAMIFY_BINDINGS_RUNTIMEPLAN_H
#define RAMIFY_BINDINGS_RUNTIMEPLAN_H

#include "RuntimeArray.h"

#include "runtime/Executable.h"

namespace ramify::bindings {

/// A plan and, on the CPU, where its kernels have been loaded.
struct PythonPlan {
  runtime::Plan plan;
  runtime::CpuKernels kernels;

  std::shared_ptr<runtime::Executable> load(const ArrayDevice &device) const;
};

void bindPlan(pybind11::module_ &module);

} // namespace ramify::bindings

#endif
