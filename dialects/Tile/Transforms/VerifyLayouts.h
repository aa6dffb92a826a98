// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VerifyLayouts.h - Layouts that fit their tiles and uses --*- C++ -*-===//
//
// The part of `VerifyStage.h` that is about layouts, (S9) to (S12): the
// lowering to threads lets each thread work on its own registers, which is
// right only if the elements that meet in an operation are in the same thread.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYLAYOUTS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYLAYOUTS_H

#include "dialects/Tile/IR/Layout.h"

namespace ramify::tile {

/// The types of what `op` makes and of what its regions begin with.
llvm::SmallVector<mlir::Type> getMadeTypes(mlir::Operation *op);

class LayoutVerifier {
public:
  /// For a kernel of so many warps.
  explicit LayoutVerifier(int64_t warps) : warps(warps) {}

  mlir::LogicalResult verify(mlir::Operation *op);

private:
  mlir::LogicalResult verifyLayout(mlir::Operation *op,
                                   mlir::RankedTensorType tile);

  int64_t warps;
  /// Layouts that hold each of their elements equally often.
  llvm::SmallDenseSet<LayoutAttr> valid;
};

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYLAYOUTS_H
