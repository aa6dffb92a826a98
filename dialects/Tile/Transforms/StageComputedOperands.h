// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageComputedOperands.h - What warps compute for all -----*- C++ -*-===//
//
// Every warp needs the whole right operand of its products. What comes from
// memory is copied to shared memory (StageThroughShared.h); what is computed,
// each warp would compute as a whole, in as many registers. This pass lets
// warps compute their rows or columns of it alone and store these for all:
//
//   %y = arith.mulf %landmarks, %scale
//   %s = tile.dot %q, transposed %y, %zero
// becomes
//   %y = arith.mulf %landmarks, %scale
//   tile.store_shared %y into %buffer[0]
//   %t = tile.load_shared %buffer[0]
//   %s = tile.dot %q, transposed %t, %zero
//
// A large left operand that is computed before a loop is read there as well,
// rather than kept (StageLeftOperands.h does so with what is not computed).
//
// In a program of 16 rows, which may have a single warp, registers are cheaper.
// The pass runs on the portable stage, before transposes are staged: how many
// warps there are depends on what is in shared memory. Where that is full,
// operands stay in registers.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGECOMPUTEDOPERANDS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGECOMPUTEDOPERANDS_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// `tile-stage-computed-operands`, on every tile.kernel: a program may use so
/// many bytes of shared memory.
std::unique_ptr<mlir::Pass>
createStageComputedOperandsPass(int64_t sharedBytes);
void registerStageComputedOperandsPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGECOMPUTEDOPERANDS_H
