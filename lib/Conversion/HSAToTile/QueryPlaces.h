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
// A query that is a block stands where the block's first position does, be that
// padding or not. It is a padding row itself if all of its positions are.
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

  /// Sets where rows and their blocks stand, which know their queries.
  void place(Rows &rows, const Parameters &parameters,
             const TileShape &shape) const;

  /// Whether queries may be padding rows, whose place is below 0.
  bool havePadding() const { return table != nullptr; }

  /// The place of a query: an index or i32, or an i32 vector of them; `mask`
  /// says which of these are queries, null if all are.
  mlir::Value at(mlir::Value query, mlir::Value mask = nullptr) const;

  /// Which of the queries are no padding rows, as i1; `place` is theirs.
  mlir::Value areThere(mlir::Value query, mlir::Value place,
                       mlir::Value mask = nullptr) const;

  // Of blocks of several queries, by their number in the selection, an index or
  // an i32 vector.

  /// The place of the first query, padding or not.
  mlir::Value ofBlock(mlir::Value number, const TileShape &shape,
                      mlir::Value mask = nullptr) const;
  /// The number of the query that stands for its block, an i32: the first that
  /// is no padding row, or the first of all.
  mlir::Value getLeader(mlir::Value number, const TileShape &shape,
                        mlir::Value mask = nullptr) const;

  /// The least and the greatest place of the queries `first` to `last`, i32s.
  std::pair<mlir::Value, mlir::Value> between(mlir::Value first,
                                              mlir::Value last) const;

private:
  /// The number of the first position of a query.
  mlir::Value getPosition(mlir::Value query) const;
  /// The place of a position, by its number.
  mlir::Value atPosition(mlir::Value position, mlir::Value mask) const;
  /// Of `count` positions from `first` on, an i32 or a vector, the first that
  /// is no padding row, or `first`.
  mlir::Value findThere(mlir::Value first, int64_t count,
                        mlir::Value mask) const;

  TileBuilder &b;
  int64_t block = 1;     ///< positions of a query
  mlir::Value positions; ///< i32: how many there are of all queries
  mlir::Value start;     ///< i32, or
  mlir::Value table;     ///< q_positions in memory
  mlir::Value row;       ///< of the table: the sequence; null if all share one
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYPLACES_H
