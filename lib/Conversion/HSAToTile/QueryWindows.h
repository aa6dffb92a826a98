// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QueryWindows.h - Steps for some queries at a time --------*- C++ -*-===//
//
// What one step of a plan hands to the next has a row for each query, or block
// of queries. So that it stays small whatever the length, all steps run for a
// window of queries, of some sequences or of one, before the next window:
//
//     tile.plan_for %g below %groups {        first: sequences
//       tile.plan_for %w below %windows {     then: queries
//         %q0 = tile.view %q axis 0 from %g * %some size ...
//         %q1 = tile.view %q0 axis 1 from %w * %rows size ...
//         %handed = tile.workspace shape(some, rows, ...)
//         ... the steps, of which each sees a call with fewer queries
//       }
//     }
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYWINDOWS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYWINDOWS_H

#include "Schedule.h"

namespace ramify {

/// The dimensions of an array in memory that count sequences and rows of
/// queries, -1 where it has none, and the queries that one row stands for.
struct QueryRows {
  int64_t sequences = -1, rows = -1, positions = 1;
};

/// Of a parameter or a result of the program.
QueryRows findQueryRows(hsa::ProgramOp program, mlir::Type type);

class QueryWindows {
public:
  /// The rows of all queries that are handed on take `bytes`, those of a window
  /// `mostBytes` or those of one tile; blocks of `multiple` queries stay whole.
  QueryWindows(TileBuilder &b, const PlanSizes &sizes, mlir::Value bytes,
               int64_t mostBytes, int64_t multiple);

  /// The loops; `body` emits the steps of one window.
  void loop(llvm::function_ref<void()> body);

  /// What a window has of an array.
  mlir::Value view(mlir::Value array, const QueryRows &rows);
  /// In the loops, as indices: the first query of the window, and how many of a
  /// sequence are behind it.
  mlir::Value getFirst() const { return firstQuery; }
  mlir::Value getRest() const { return rest; }

private:
  TileBuilder &b;
  mlir::Value batch, length;
  mlir::Value sequences, queries; ///< of a window, at most
  // Of the window that the loops are at.
  mlir::Value firstSequence, someSequences, firstQuery, someQueries, rest;
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYWINDOWS_H
