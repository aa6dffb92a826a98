// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KernelABI.h - How kernels take their arguments -----------*- C++ -*-===//
//
// The interface between generated code and the runtime, the same on the CPU and
// on the GPU. For each argument of a kernel, in order:
//
//   a memref of rank r   pointer, r sizes (i64), r strides (i64, in elements)
//   a scalar             itself (index as i64)
//   a tensor map         its 128 bytes
//
// then whatever the target appends (the CPU: the range of programs to run).
//
//   tile.kernel @k(%x: memref<?x64xf32, strided<[?, 1]>>, %s: f32)
//   llvm.func @k(!llvm.ptr<1>, i64, i64, i64, i64, f32) attributes
//   {nvvm.kernel}
//
// Sizes and strides that the type knows are not read from the arguments.
// Arguments do not overlap, except that several may be the same array where the
// kernel only reads it; hence all pointers are noalias, and those that are only
// read are readonly too, which lets the GPU load them through the read-only
// cache.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_CONVERSION_KERNELABI_H
#define RAMIFY_CONVERSION_KERNELABI_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace ramify {

/// The kernel attribute with the programs that an SM should hold at once, and
/// what it says where that is left to ptxas.
inline constexpr const char kMinCTAsAttrName[] = "tile.min_ctas";
inline constexpr int kAnyCTAs = 0;
/// The kernel attribute with which loads stay before the barriers that they
/// stand before. Of arrays that are only read, ptxas moves loads to where their
/// values are used, to save registers: each is then waited for on its own.
inline constexpr const char kLoadsStayAttrName[] = "tile.loads_stay";

struct KernelABI {
  /// Address space of the pointers: 1 on the GPU.
  unsigned addressSpace = 0;
  /// Adds nvvm.kernel, and the launch bounds that the attributes `tile.warps`
  /// and `tile.min_ctas` ask for.
  bool gpu = false;

  static KernelABI forGPU() { return {1, true}; }
  static KernelABI forCPU() { return {0, false}; }
};

/// A memref argument inside an llvm.func; sizes and strides are i64.
struct ArrayDescriptor {
  mlir::Value pointer;
  llvm::SmallVector<mlir::Value> sizes, strides;
};

/// The flat argument types.
llvm::SmallVector<mlir::Type> kernelABITypes(mlir::FunctionType type,
                                             const KernelABI &abi);

/// An llvm.func beside `kernel` (a tile.kernel or func.func without results)
/// with its name, its attributes and the flat arguments, and an empty entry
/// block.
mlir::LLVM::LLVMFuncOp createKernelFunction(mlir::OpBuilder &builder,
                                            mlir::FunctionOpInterface kernel,
                                            const KernelABI &abi);

/// What each argument of `kernel` is in `function`: an array for a memref, a
/// value of `scalars` for anything else (i64 for index). Builds constants for
/// what the types know at `builder`.
void describeArguments(mlir::OpBuilder &builder,
                       mlir::FunctionOpInterface kernel,
                       mlir::LLVM::LLVMFuncOp function,
                       llvm::DenseMap<mlir::Value, ArrayDescriptor> &arrays,
                       mlir::IRMapping &scalars);

} // namespace ramify

#endif // RAMIFY_CONVERSION_KERNELABI_H
