// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageTransposes.h - Transposes through shared memory -----*- C++ -*-===//
//
// The transpose of a tile whose rows are dealt to warps has elements of every
// warp in each row. This pass moves it through shared memory: the tile is
// stored as it is, and whoever wants the transpose reads it across, which
// ldmatrix does at no cost. A transpose of what lies in shared memory already
// is read there; one that is a right operand is none, since products take
// theirs either way.
//
//   %t = tile.transpose %p : tensor<64x64xbf16> -> tensor<64x64xbf16>
//   %dv = tile.dot %t, %do, %acc
// becomes
//   tile.store_shared %p into %buffer[0]
//   %t = tile.load_shared transposed %buffer[0]
//   %dv = tile.dot %t, %do, %acc
//
// In a program of one warp 16-bit tiles stay in registers, where movmatrix
// transposes them. The pass runs on the portable stage, after gathers have been
// staged; `tile-insert-barriers` makes threads wait for each other.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGETRANSPOSES_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGETRANSPOSES_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// `tile-stage-transposes`, on every tile.kernel.
std::unique_ptr<mlir::Pass> createStageTransposesPass();
void registerStageTransposesPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGETRANSPOSES_H
