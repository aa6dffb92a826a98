// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageThroughShared.h - Rings of shared memory ------------*- C++ -*-===//
//
// The right operand of a product is read by every warp, in pieces that do not
// follow rows; it goes through shared memory. This pass replaces each gather
// that feeds one by asynchronous copies into a buffer and a read of it. It runs
// on the portable stage, before layouts are assigned, since what it makes
// (rows, masks, copies) wants layouts of its own.
//
// In a loop whose addresses do not depend on carried values the buffers become
// rings of some stages. The copies of iteration i + stages - 1 start when
// iteration i begins; the indices that they need were loaded an iteration
// earlier still, and are carried in registers. Each gather waits for its own
// group, so that values arrive while scores are computed; gathers of the same
// array beside each other (the keys of several chunks) are one group and are
// waited for together:
//
//   scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) {
//     %c = memref.load %indices[%i]
//     %valid = arith.cmpi ult, %c, %chunks
//     scf.if %valid {
//       %k = tile.gather %keys[rows of %c]
//       %s = tile.dot %q, transposed %k, %zero
//       ...
//       %v = tile.gather %values[rows of %c]
//       tile.dot %p, %v, %acc
// becomes, with two stages,
//   copies of iteration 0 into stage 0, if it exists and is valid; two commits
//   scf.for %i ... iter_args(%acc, %c = index 0, %c1 = index 1, %stage = 0) {
//     tile.barrier                       // all have read the stage to fill
//     scf.if (%i + 1 < %n and %c1 valid) {
//       tile.copy_async %keys[rows of %c1] into %ring0[1 - %stage]
//       tile.commit_group
//       tile.copy_async %values[rows of %c1] into %ring1[1 - %stage]
//       tile.commit_group
//     } else { two commits, so that groups can be counted }
//     %c2 = index of %i + 2, or 0
//     scf.if %valid {
//       tile.wait_group 3
//       tile.barrier
//       %k = tile.load_shared %ring0[%stage]
//       %s = tile.dot %q, transposed %k, %zero
//       ...
//       tile.wait_group 2
//       tile.barrier
//       %v = tile.load_shared %ring1[%stage]
//       tile.dot %p, %v, %acc
//     yield ..., %c1, %c2, 1 - %stage
//
// With one stage the same code starts the copies of the iteration itself: other
// programs on the SM hide the latency. Reads of small arrays (weights) move up
// to where copies have been started.
//
// Anywhere else the copies start as early as their addresses are known, and the
// first use waits.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGETHROUGHSHARED_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGETHROUGHSHARED_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

struct StagingOptions {
  /// Stages of each ring; 0 to choose by the size of a stage.
  int64_t stages = 0;
  /// The bytes of rings in a program up to which a second stage is worth the
  /// programs that then do not fit the SM beside it. On an H200 one
  /// stage of 8, 16 or 32 KiB beat two by 3 to 28 % (benchmarks/RESULTS.md),
  /// presumably since more programs of one warp then stand beside each other.
  /// Only where a stage is so small that the limit of
  /// programs on an SM leaves little in flight are there two.
  int64_t ringBytes = 8 * 1024;
  /// What a program may use.
  int64_t sharedBytes = 163 * 1024;
};

/// The attribute with the stages that a kernel's loops got (the most).
inline constexpr const char kStagesAttrName[] = "tile.stages";

/// `tile-stage-through-shared`, on every tile.kernel.
std::unique_ptr<mlir::Pass>
createStageThroughSharedPass(const StagingOptions &options = {});
void registerStageThroughSharedPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_STAGETHROUGHSHARED_H
