// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Pipelines.h - The compiler's table of contents -----------*- C++ -*-===//
//
// The passes from an hsa program to the code of a target, in order;
// Pipelines.cpp gives each pass's reason.
//
//     hsa -- buildDerivativePipeline --> hsa (where a gradient is asked for)
//         -- buildHSAPipeline --> hsa
//         -- buildSchedulePipeline --> portable tile (kernels and plan)
//         -- buildCPUPipeline --> llvm
//         -- buildPlacementPipeline --> placed tile -- buildGPUPipeline -->
//         llvm
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_COMPILER_PIPELINES_H
#define RAMIFY_COMPILER_PIPELINES_H

#include "ramify/Compiler/Compiler.h"
#include "ramify/Target/CPU.h"
#include "ramify/Target/KnownTargets.h"

#include "mlir/Pass/PassManager.h"

namespace ramify {

/// `mode` is forward or backward, `wrt` a list of parameters.
void buildDerivativePipeline(mlir::OpPassManager &passes, llvm::StringRef mode,
                             llvm::StringRef wrt);

void buildHSAPipeline(mlir::OpPassManager &passes);

/// By the schedule and with the sizes of tiles that the options ask for.
void buildSchedulePipeline(mlir::OpPassManager &passes,
                           const CompileOptions &choices,
                           const CPUTarget &target);
void buildSchedulePipeline(mlir::OpPassManager &passes,
                           const CompileOptions &choices,
                           const GPUTarget &target);

void buildCPUPipeline(mlir::OpPassManager &passes, const CPUTarget &target);

/// `stages` of the rings in shared memory; 0 lets the pass choose.
void buildPlacementPipeline(mlir::OpPassManager &passes,
                            const GPUTarget &target, int stages = 0);
void buildGPUPipeline(mlir::OpPassManager &passes, const GPUTarget &target);

} // namespace ramify

#endif // RAMIFY_COMPILER_PIPELINES_H
