// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Executable.h"

#include "runtime/Error.h"

#include <algorithm>

namespace ramify::runtime {

void ParameterList::reserve(size_t valueCount, size_t mapCount) {
  // The pointers point into the other two, which therefore never grow.
  values.reserve(valueCount);
  maps.reserve(mapCount);
  pointers.reserve(valueCount + mapCount);
}

void ParameterList::push(uint64_t value) {
  values.push_back(value);
  pointers.push_back(&values.back());
}

void ParameterList::push(const Map &map) {
  maps.push_back(map);
  pointers.push_back(&maps.back());
}

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
