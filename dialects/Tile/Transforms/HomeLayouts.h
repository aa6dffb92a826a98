// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HomeLayouts.h - Where layouts start ----------------------*- C++ -*-===//
//
// What AssignLayouts starts from: how many warps a program has, and the layout
// in which a value is made without a movement, its *home*.
//
// Warps. Rows of products are dealt to warps, 16 at a time. Where products have
// different numbers of rows (16 rows of queries, 64 of keys) there are as many
// warps as all can be dealt to; or, where those with fewer rows are only summed
// up and written (64 rows of queries, sums of 16 keys), as many as the most
// rows can be dealt to, and these share the columns of the others. Programs
// without products that hold tiles have a warp for 16 rows of what they write;
// programs of vectors have a thread for each element of the longest, up to
// eight warps. A kernel that already has the attribute `tile.warps` keeps it;
// products with fewer rows are then computed by several warps.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_HOMELAYOUTS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_HOMELAYOUTS_H

#include "dialects/Tile/IR/Layout.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace ramify::tile {

/// The warps that rows of `kernel` are dealt to; an error if they cannot be.
mlir::FailureOr<int64_t> chooseWarps(KernelOp kernel);

class HomeLayouts {
public:
  /// For rows that are dealt to so many warps.
  HomeLayouts(KernelOp kernel, int64_t rowWarps);

  /// All warps of a program.
  int64_t numWarps() const { return warps * columnWarps; }

  /// Of the warps, as many as rows of a product can be dealt to.
  int64_t warpsFor(int64_t rows) const;
  /// The result of a product.
  Layout accumulator(mlir::RankedTensorType type) const;
  /// A vector over the threads of the program.
  Layout overThreads(mlir::RankedTensorType type) const;
  /// Of the bins of a tile.tally.
  Layout tallied(mlir::RankedTensorType type) const;
  /// For values that nothing ties to an instruction.
  Layout fallback(mlir::RankedTensorType type) const;

  /// The layout in which `value` is made without a movement, if something
  /// decides it.
  std::optional<Layout> home(mlir::Value value);
  Layout homeOrFallback(mlir::Value value);

private:
  std::optional<Layout> homeOfResult(mlir::OpResult value);
  bool wantsColumnWarps(KernelOp kernel);

  int64_t warps;           ///< that rows are dealt to
  int64_t columnWarps = 1; ///< that columns of wide tiles are dealt to
  /// Where warps share the columns of tiles with fewer rows than that; else 0.
  int64_t mostRows = 0;
  bool onlyVectors;
  llvm::SmallDenseSet<int64_t> rowCounts; ///< of products
  llvm::SmallPtrSet<void *, 8> visiting;
};

/// Costs little to make again, in another layout, from operands in that layout.
bool isElementwise(mlir::Operation *op);

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_HOMELAYOUTS_H
