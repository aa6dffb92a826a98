// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- RowScales.h - Factors that the rows of a tile have -------*- C++ -*-===//
//
// A factor of a whole row stands in a vector, which is repeated where a tile is
// multiplied by it.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_ROWSCALES_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_ROWSCALES_H

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <utility>

namespace ramify {

/// The scalar or the vector over rows that `tile` repeats, or null.
mlir::Value getRowScale(mlir::Value tile);

/// Takes `product` apart into something and the scale of its rows; nulls where
/// it has none.
std::pair<mlir::Value, mlir::Value> splitRowScale(mlir::Value product);

/// `scale` as a vector over `rows` rows.
mlir::Value toRowVector(mlir::OpBuilder &b, mlir::Location loc,
                        mlir::Value scale, int64_t rows);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_ROWSCALES_H
