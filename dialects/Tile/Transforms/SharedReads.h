// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedReads.h - When shared memory may be read -----------*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDREADS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDREADS_H

#include "dialects/Tile/IR/Tile.h"

namespace ramify::tile {

/// Whether `user`, which comes later in the block of `load`, finds the same in
/// the buffer: nothing between them writes there.
bool canReadLater(LoadSharedOp load, mlir::Operation *user);

/// Whether a buffer holds lists of rows (KeepLists.h).
bool isList(mlir::Value buffer);

/// Whether threads read `load`, of a list, in pairs of 32-bit elements that are
/// neighbours in a row: all that a product's result has of eight columns.
bool readsPairs(LoadSharedOp load);

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDREADS_H
