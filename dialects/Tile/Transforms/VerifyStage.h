// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VerifyStage.h - What each stage may hold -----------------*- C++ -*-===//
//
// The tile dialect has two stages with one set of operations for tiles. What an
// operation's own verifier cannot know is which stage it is in; this pass
// checks that. It stands where a stage ends, so that a pass that leaves
// something behind fails there, by name, and not in a lowering.
//
// In both stages:
//
// - (S1) a module holds kernels and plans only;
// - (S2) a plan holds arith on scalars, memref.dim, and the operations of plans
//   (TilePlanOps.td);
// - (S3) a kernel's arguments are arrays and scalars;
// - (S4) a kernel holds arith, math, scf.for, scf.if, memref.dim, .load, .store
//   and .expand_shape, tensor.splat and .extract, and operations of its stage;
// - (S5) a constant tile is the same everywhere.
//
// Portable, where a lowering to threads or to vectors starts:
//
// - (S6) the stage's operations are those that no layout and no target is part
//   of (`isPortable` lists them);
// - (S7) tensors have no encoding.
//
//   %t = tile.gather %x[%i] : (...) -> tensor<16x64xbf16>
//
// Placed, where each thread's registers are known:
//
// - (S8) the stage's operations are all of the dialect;
// - (S9) each tensor's encoding is a layout of its shape, which holds each
//   element equally often and has no more warps than the kernel; a vector
//   reduced to a number, which all threads have, needs none;
// - (S10) what an elementwise operation takes and makes has one layout, so that
//   a thread has the elements that it combines;
// - (S11) likewise a vector beside a tile (the narrow side of broadcast and
//   reduce, the indices and the mask of an access) has the slice of its layout;
// - (S12) a copy has a layout, shared buffers are allocated at the top of the
//   kernel, and the kernel says how many warps it has (`tile.warps`).
//
//   %t = tile.gather %x[%i] : (...) -> tensor<16x64xbf16, #tile.layout<...>>
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYSTAGE_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYSTAGE_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

enum class Stage { Portable, Placed };

/// `tile-verify-stage{stage=portable|placed}`, on a module.
std::unique_ptr<mlir::Pass> createVerifyStagePass(Stage stage);
void registerVerifyStagePass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYSTAGE_H
