// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OpVerify.h - Checks that several operations share --------*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_TILE_IR_OPVERIFY_H
#define RAMIFY_DIALECTS_TILE_IR_OPVERIFY_H

#include "dialects/Tile/IR/Tile.h"

namespace ramify::tile {

/// Fails unless `type` is a tile, a tensor of static shape without a zero, and
/// its rank is one of `ranks`.
mlir::LogicalResult verifyTile(mlir::Operation *op, llvm::StringRef what,
                               mlir::Type type, llvm::ArrayRef<int64_t> ranks);

/// Fails unless `type` is an array of numbers in the default memory space whose
/// last dimension is contiguous.
mlir::LogicalResult verifyArray(mlir::Operation *op, llvm::StringRef what,
                                mlir::Type type);

/// Fails unless `type` is an array that starts at offset 0, as those do that a
/// call hands over.
mlir::LogicalResult verifyWholeArray(mlir::Operation *op, llvm::StringRef what,
                                     mlir::Type type);

/// Fails unless `tile` can be read from or written to `array` with these
/// indices and mask.
mlir::LogicalResult verifyAccess(mlir::Operation *op, mlir::MemRefType array,
                                 mlir::RankedTensorType tile,
                                 mlir::OperandRange indices, mlir::Value mask);

/// Fails unless `buffer` is one of stages x rows x columns whose space is
/// `#tile.shared`, with rows that its swizzle divides.
mlir::LogicalResult verifyBuffer(mlir::Operation *op, mlir::MemRefType buffer);

/// Fails unless the arguments are whole arrays, scalars and, where allowed,
/// tiles, and there are no results.
mlir::LogicalResult verifySignature(mlir::FunctionOpInterface function,
                                    bool allowTiles);

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_IR_OPVERIFY_H
