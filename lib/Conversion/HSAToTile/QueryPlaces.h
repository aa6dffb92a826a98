// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QueryPlaces.h - Where queries stand among the keys -------*- C++ -*-===//
//
// t(j) of query j, from whichever parameter tells it:
//
//     the scalar q_start       t = q_start + j, q_start = N - L unless given
//     q_start [B]              t = q_start[b] + j
//     num_keys [B], from_end   t = num_keys[b] - L + j
//     q_positions              t = q_positions[j], below 0 a padding row
//
// A query that is a block stands where the block's first position does.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYPLACES_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYPLACES_H

#include "BodyEmitter.h"

namespace ramify {

class QueryPlaces {
public:
  /// `batch` is the sequence, an index; `queries` is their number, an i32;
  /// `kernel` has the scalar q_start among its arguments.
  QueryPlaces(BodyEmitter &emitter, const Parameters &parameters,
              tile::KernelOp kernel, mlir::Value batch, mlir::Value queries);

  /// Whether queries may be padding rows, whose place is below 0.
  bool havePadding() const { return table != nullptr; }

  /// The place of a query: an index or i32, or an i32 vector of them; `mask`
  /// says which of these are queries, null if all are.
  mlir::Value at(mlir::Value query, mlir::Value mask = nullptr) const;

  /// The least and the greatest place of the queries `first` to `last`, i32s.
  std::pair<mlir::Value, mlir::Value> between(mlir::Value first,
                                              mlir::Value last) const;

private:
  /// The number of the first position of a query.
  mlir::Value getPosition(mlir::Value query) const;

  TileBuilder &b;
  int64_t block = 1; ///< positions of a query
  mlir::Value start; ///< i32, or
  mlir::Value table; ///< q_positions in memory
  mlir::Value row;   ///< of the table: the sequence; null if all share one
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYPLACES_H
