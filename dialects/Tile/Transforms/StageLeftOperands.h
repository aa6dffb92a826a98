// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageLeftOperands.h - Queries in shared memory -----------*- C++ -*-===//
//
// A left operand that is gathered before a loop and used in it stays in
// registers for the whole loop: with 16 rows a warp, 64 of a thread's 255 for a
// head dimension of 256 in bf16. Where it would take many, this pass leaves it
// in shared memory and lets each product read it again, by ldmatrix, in the
// pieces that it is at. In f32 the threshold is lower: the two tf32 parts of
// each element would be kept.
//
//   %q = tile.gather %Q[%rows] -> tensor<16x256xbf16>
//   scf.for ... {
//     ...
//     tile.wait_group 3
//     tile.barrier
//     %k = tile.load_shared %ring[%stage]
//     %s = tile.dot %q, transposed %k, %zero
// becomes
//   tile.copy_async %Q[%rows] into %held[0]
//   tile.commit_group
//   scf.for ... {
//     ...
//     tile.wait_group 3
//     tile.barrier
//     %k = tile.load_shared %ring[%stage]
//     %q = tile.load_shared %held[0]
//     %s = tile.dot %q, transposed %k, %zero
//
// It runs after the right operands have been staged, and only for products that
// read theirs from a ring: groups complete in order, so the wait for a copy
// that was committed later, which is there already, covers the one made here.
// Copies that come first, as those of a walk that selects what is visited here,
// must have been waited for: their waits would count this one.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGELEFTOPERANDS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGELEFTOPERANDS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// Whether a thread has better uses for the registers that a left operand
/// takes, when a warp has 16 rows.
bool takesManyRegisters(mlir::RankedTensorType type);

/// `tile-stage-left-operands`, on every tile.kernel: a program may use so many
/// bytes of shared memory.
std::unique_ptr<mlir::Pass> createStageLeftOperandsPass(int64_t sharedBytes);
void registerStageLeftOperandsPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGELEFTOPERANDS_H
