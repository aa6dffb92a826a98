// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- LLVMTargets.h - LLVM set up for Ramify's two targets -----*- C++ -*-===//

#ifndef RAMIFY_TARGET_LLVMTARGETS_H
#define RAMIFY_TARGET_LLVMTARGETS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

#include <memory>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace ramify {

/// Makes LLVM know x86 and NVPTX. Cheap after the first call; thread-safe.
void initializeLLVMTargets();

/// The translations to LLVM IR that the compiler's output needs (builtin, LLVM,
/// NVVM).
void registerLLVMTranslations(mlir::DialectRegistry &registry);

/// Translates a module of the LLVM dialect; null after an error, which has been
/// reported. Sets triple and data layout for `machine`.
std::unique_ptr<llvm::Module> translateToLLVM(mlir::ModuleOp module,
                                              llvm::LLVMContext &context,
                                              llvm::TargetMachine &machine);

/// Runs LLVM's -O3 pipeline for `machine`. `vectorize` allows the loop and SLP
/// vectorizers.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              bool vectorize);

} // namespace ramify

#endif // RAMIFY_TARGET_LLVMTARGETS_H
