// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KeepLists.h - Lists of the best in shared memory ---------*- C++ -*-===//
//
// The lists of `tile.topk` are spread over four lanes a row: 128 places of 16
// rows take 64 registers of each thread for the scores and as many for the ids,
// and sorting them needs all of a row in each lane. Where lists take more
// registers than a walk over chunks has beside its scores, this pass leaves
// them in shared memory, in no order; registers keep the last of each row,
// which the next candidate that is taken replaces.
//
//   %b, %i = scf.for ... iter_args(%best, %which) {
//     %b, %i = tile.topk %scores, %ids into %best, %which
//   }
//   %j, %s = tile.sort descending %i, %b
// becomes
//   scf.for ... iter_args(%worst, %id, %place) {
//     tile.keep_best %scores, %ids into %best, %which
//         replacing %worst, %id, %place
//   }
//   tile.sort_lists descending by 1 %which, %best
//   %s = tile.load_shared %best[0]
//
// Where the lists are wanted by their scores, or cut, they are sorted by these
// first. Each user of a list reads it for itself.
//
// The pass runs on the placed stage, before `tile-insert-barriers`.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_KEEPLISTS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_KEEPLISTS_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// `tile-keep-lists`, on every tile.kernel; `sharedBytes` is what a program may
/// use.
std::unique_ptr<mlir::Pass> createKeepListsPass(int64_t sharedBytes);
void registerKeepListsPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_KEEPLISTS_H
