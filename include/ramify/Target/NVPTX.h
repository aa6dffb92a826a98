// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- NVPTX.h - From the LLVM dialect to PTX -------------------*- C++ -*-===//

#ifndef RAMIFY_TARGET_NVPTX_H
#define RAMIFY_TARGET_NVPTX_H

#include "ramify/Target/KnownTargets.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/LogicalResult.h"

#include <string>

namespace ramify {

/// Translates a module of the LLVM dialect (kernels marked nvvm.kernel) to LLVM
/// IR, optimises it for `target` and returns it as text.
llvm::FailureOr<std::string> emitLLVMIR(mlir::ModuleOp module,
                                        const GPUTarget &target);

/// The same, on to PTX. Denormal f32 are flushed to zero; division and square
/// root stay exact unless the module asks for the approximate ones by name
/// (ramify/Target/PTX.h).
llvm::FailureOr<std::string> emitPTX(mlir::ModuleOp module,
                                     const GPUTarget &target);

} // namespace ramify

#endif // RAMIFY_TARGET_NVPTX_H
