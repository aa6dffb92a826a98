// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedReads.h - When shared memory may be read -----------*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDREADS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDREADS_H

#include "dialects/Tile/IR/Tile.h"

namespace ramify::tile {

/// Whether `user`, which comes later in the block of `load`, finds the same in
/// the buffer: nothing between them writes there.
bool canReadLater(LoadSharedOp load, mlir::Operation *user);

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDREADS_H
