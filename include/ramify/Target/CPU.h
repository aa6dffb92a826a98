// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPU.h - Object code for a processor ----------------------*- C++ -*-===//
//
// The end of the CPU's path: functions of the LLVM dialect to a relocatable ELF
// object, which is what the disk cache keeps and CPULoader.h links into the
// process.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_TARGET_CPU_H
#define RAMIFY_TARGET_CPU_H

#include "ramify/Conversion/TileToCPU.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"

#include <string>

namespace ramify {

/// A processor as LLVM names it: its name and its features,
/// "+avx2,-avx512f,...". Part of the key of what is compiled for it.
struct CPUTarget {
  std::string name;
  std::string features;

  bool has(llvm::StringRef feature) const;
  /// What tile-to-cpu should make for it.
  CPUVectorShape vectorShape() const;
};

/// The processor that this process runs on.
const CPUTarget &hostCPU();

/// Object code of the llvm.funcs of `module`, whose other operations are left
/// out. Empty after an error, which has been reported.
llvm::SmallVector<char, 0> emitObject(mlir::ModuleOp module,
                                      const CPUTarget &target = hostCPU());

/// The same as LLVM IR after optimization or as assembly, to look at.
std::string emitLLVMIR(mlir::ModuleOp module,
                       const CPUTarget &target = hostCPU());
std::string emitAssembly(mlir::ModuleOp module,
                         const CPUTarget &target = hostCPU());

} // namespace ramify

#endif // RAMIFY_TARGET_CPU_H
