// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Executable.h"

#include "runtime/Error.h"

#include <algorithm>

namespace ramify::runtime {

Executable::Executable(Plan plan)
    : thePlan(std::move(plan)), sources(resolveSymbols(thePlan)),
      kernelNames(thePlan.kernels()) {}

Executable::~Executable() = default;

int Executable::kernelIndex(const std::string &kernel) const {
  auto it = std::find(kernelNames.begin(), kernelNames.end(), kernel);
  return static_cast<int>(it - kernelNames.begin());
}

void Executable::runSteps(const RunContext &, void (*steps)(void *),
                          void *argument) const {
  steps(argument);
}

ParameterList::Map Executable::encode(const TensorMap &map, DType,
                                      const ArrayRef &) const {
  fail(ErrorKind::Plan, "the tensor map '", map.name,
       "' has no meaning on this device");
}

} // namespace ramify::runtime
