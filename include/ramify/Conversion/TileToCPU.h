// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileToCPU.h - Portable tile to vectors -------------------*- C++ -*-===//
//
// The way of a kernel to the processor, in three passes:
//
//   tile-to-cpu      tile.kernel to llvm.func, loops (scf) and vectors
//   expand-cpu-math  math on vectors to polynomials, so that no library is
//   called cpu-to-llvm      scf, arith, vector to the LLVM dialect
//
// A kernel k becomes two functions. `k` takes the arguments of the kernel ABI,
// then four i64: the range [begin, end) of linear programs that it runs, and
// the grid's first two sizes nx, ny. Program (x, y, z) has the number x + nx *
// (y + ny * z). `k_packed(void **args)` loads each of these through its
// pointer.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_CONVERSION_TILETOCPU_H
#define RAMIFY_CONVERSION_TILETOCPU_H

#include "mlir/Pass/Pass.h"

#include <memory>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace ramify {

/// What the code is shaped by. The defaults are AVX-512's.
struct CPUVectorShape {
  int64_t lanes = 16;     ///< f32 in a vector register
  int64_t registers = 32; ///< vector registers

  static CPUVectorShape avx512() { return {16, 32}; }
  static CPUVectorShape avx2() { return {8, 16}; }

  bool operator==(const CPUVectorShape &) const = default;
};

std::unique_ptr<mlir::Pass> createTileToCPUPass(CPUVectorShape shape = {});
std::unique_ptr<mlir::Pass> createExpandCPUMathPass();
std::unique_ptr<mlir::Pass> createCPUToLLVMPass();

/// All three, in order.
void buildTileToCPUPipeline(mlir::OpPassManager &passes, CPUVectorShape shape);

/// Registers the passes, and the pipeline as `tile-to-cpu-pipeline`.
void registerTileToCPUPasses();

} // namespace ramify

#endif // RAMIFY_CONVERSION_TILETOCPU_H
