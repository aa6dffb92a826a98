// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileToGPU.h - From placed tiles to one thread's program --*- C++ -*-===//
//
// Lowers a tile.kernel whose tensors all have layouts to an llvm.func that one
// thread executes: a tensor becomes the registers that its layout gives the
// thread, an op on tensors the ops on these registers, and the ops that move
// data between threads become shuffles, ldmatrix, mma and cp.async (PTX.h).
//
//   %m = tile.reduce max %s along 1 : tensor<16x64xf32, #acc> -> tensor<16xf32,
//   #rows>
// becomes 15 maxima for each of the thread's two rows, then, for each,
//   %a = shfl.bfly %x, 1     %b = maximum %x, %a
//   %c = shfl.bfly %b, 2     %d = maximum %b, %c
//
// Registers: f32, i32 and i1 one each; 16-bit floats in pairs, an i32 for two.
// A tile.load_shared whose only user is a tile.dot of the same block is not
// done where it stands but piece by piece between the dot's mma, so that it
// needs few registers.
//
// Shared buffers get consecutive places in the kernel's dynamic shared memory;
// the attribute `tile.shared_bytes` of the llvm.func is their total size.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_CONVERSION_TILETOGPU_H
#define RAMIFY_CONVERSION_TILETOGPU_H

#include "ramify/Target/KnownTargets.h"

#include "mlir/Pass/Pass.h"

namespace ramify {

/// The attribute of a lowered kernel with the bytes of its shared memory.
inline constexpr const char kSharedBytesAttrName[] = "tile.shared_bytes";
/// The symbol of the dynamic shared memory.
inline constexpr const char kSharedSymbol[] = "ramify_shared";

/// `convert-tile-to-gpu{target=sm_80}`: every tile.kernel of a module to the
/// LLVM dialect, with the instructions that the target has.
std::unique_ptr<mlir::Pass> createTileToGPUPass(const GPUTarget &target);
void registerTileToGPUPass();

} // namespace ramify

#endif // RAMIFY_CONVERSION_TILETOGPU_H
