// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ramify._runtime: mechanisms that know nothing of any particular operation.

#include "RuntimeCache.h"
#include "RuntimeCallable.h"
#include "RuntimeDevice.h"
#include "RuntimeDispatcher.h"
#include "RuntimeErrors.h"
#include "RuntimePlan.h"

PYBIND11_MODULE(_runtime, module) {
  using namespace ramify::bindings;
  module.doc() = R"(Loads, checks, caches and runs compiled functions.

A jitted function is a `Dispatcher`, made of a `Signature` (what it takes, as data) and a function
that compiles; it turns arguments into launches without running Python. Compiled functions are
`Plan`s, which `Cache` keeps on the disk.)";
  registerErrors();
  bindPlan(module);
  bindSignature(module);
  bindDispatcher(module);
  bindCallable(module);
  bindCache(module);
  bindDevice(module);
}
