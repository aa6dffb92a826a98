// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- RowValues.h - What visits want of rows, computed once ----*- C++ -*-===//
//
// Programs that own a chunk meet the same query again and again. What is
// computed of a query before chunks are visited,
//
//     %do = arith.mulf %d_out, %gates
//     hsa.reduce ... {
//       %dp = hsa.dot %do, %v over dim
//
// is computed once for all visits of a window, by a launch of its own, and
// loaded by each of them like a parameter:
//
//     [sequences, queries, HQ]        a number of each row
//     [sequences, queries, HQ, D]     a row
//
// Products round an f32 operand to the 16 bits of the other: these are rounded
// before they are stored.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_ROWVALUES_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_ROWVALUES_H

#include "SlotParts.h"

#include "llvm/ADT/SetVector.h"

namespace ramify {

class RowValues {
public:
  RowValues() = default;
  /// Those that the bodies of `visited` want. Rounds operands of their
  /// products.
  explicit RowValues(llvm::ArrayRef<hsa::ReduceOp> visited);

  bool empty() const { return values.empty(); }
  bool contains(mlir::Value value) const { return values.contains(value); }
  /// Bytes of one query head.
  int64_t getBytes() const;

  /// The arrays as arguments of kernels.
  void addArguments(llvm::SmallVectorImpl<KernelArgument> &arguments) const;
  /// The arrays in a plan: workspaces for so many sequences, queries and heads.
  llvm::SmallVector<mlir::Value> createArrays(TileBuilder &b,
                                              mlir::ValueRange sizes) const;

  /// Computes the values of the program's rows and stores them.
  mlir::LogicalResult store(BodyEmitter &emitter, mlir::ValueRange arrays,
                            const PartPlace &place) const;
  /// Loads those that are wanted.
  void load(BodyEmitter &emitter, const llvm::DenseSet<mlir::Value> &wanted,
            mlir::ValueRange arrays, const PartPlace &place) const;

private:
  llvm::SetVector<mlir::Value> values;
};

struct WindowArguments;

/// Where the rows of a program that owns a query block stand in the arrays of a
/// window.
PartPlace getPlaceOfRows(BodyEmitter &emitter, const WindowArguments &window);

/// Writes the kernel `name`, which computes the values of a window's rows.
mlir::LogicalResult createRowsKernel(hsa::ProgramOp program,
                                     const Parameters &parameters,
                                     const TileShape &shape,
                                     const RowValues &rowValues,
                                     llvm::StringRef name);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_ROWVALUES_H
