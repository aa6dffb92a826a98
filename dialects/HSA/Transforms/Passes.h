// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Passes.h - Passes on the hsa dialect ---------------------*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_HSA_TRANSFORMS_PASSES_H
#define RAMIFY_DIALECTS_HSA_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace ramify::hsa {

#define GEN_PASS_DECL
#include "dialects/HSA/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "dialects/HSA/Transforms/Passes.h.inc"

} // namespace ramify::hsa

#endif // RAMIFY_DIALECTS_HSA_TRANSFORMS_PASSES_H
