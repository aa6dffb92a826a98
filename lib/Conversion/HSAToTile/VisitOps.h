// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VisitOps.h - What a visit computes once, and what for rows -*- C++ -*-=//
//
// A program that owns a chunk computes what follows from the chunk alone once,
// before it walks over its queries, and the rest for each tile of rows.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_VISITOPS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_VISITOPS_H

#include "RowValues.h"

#include "llvm/ADT/SetVector.h"

namespace ramify {

/// The operations of a visit, in order: what is the same for all rows of a
/// chunk, and what is not.
struct VisitOps {
  VisitOps(hsa::ReduceOp op, const RowValues &rowValues)
      : op(op), rowValues(rowValues) {}
  /// Fails if something needs the result of another reduction.
  mlir::LogicalResult collect();

  llvm::SmallVector<mlir::Operation *> shared, ofRows;
  llvm::DenseSet<mlir::Value> loaded; ///< of the values of rows

private:
  mlir::LogicalResult need(mlir::Operation *inner);
  void sortOut(mlir::Operation *inner);
  mlir::LogicalResult checkSums();

  hsa::ReduceOp op;
  const RowValues &rowValues;                ///< are loaded
  llvm::SetVector<mlir::Operation *> needed; ///< outside of the reduction
  llvm::DenseSet<mlir::Value> varying;
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_VISITOPS_H
