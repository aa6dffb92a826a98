// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- RangeVisits.h - The queries around each chunk ------------*- C++ -*-===//
//
// A window of keys, say, is a range of chunks for each query, and so the
// queries that see a chunk are a range, too. Where chunks visit queries, such a
// domain needs no inverse index: item x of a window of rows is
//
//     chunk x / pieces, from the first that the window's queries see on
//     piece x % pieces of that chunk's rows, `kItemEntries` of them
//
// and entry e is row e. How many chunks and pieces there are at most follows
// from sizes and from the length of the domain; programs without rows have
// nothing to do.
//
// A visit reads of its chunk what some row of its item sees, and multiplies it
// with all rows of a tile. What a row does not see is masked, as zero. That is
// not enough where such a key or value is infinite or NaN (EmitUnseen.cpp); on
// a GPU there are no registers for more, and the other rows of the item have
// NaN.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_RANGEVISITS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_RANGEVISITS_H

#include "InverseIndex.h"

namespace ramify {

/// Whether chunks of a range may visit the queries that see them: if what is
/// reduced are sums of the chunks and totals of the rows, in any order, and
/// needs no other reduction.
bool canVisitRange(hsa::ReduceOp op, const Parameters &parameters,
                   const TileLimits &limits);

/// The items of a range in a plan: indices.
struct RangeItems {
  mlir::Value count;  ///< at most
  mlir::Value pieces; ///< of the rows of a chunk, at most
};
/// Those of windows of `rows` rows with `positions` queries each, out of
/// `chunks` chunks; `arguments` are those of the plan.
RangeItems countRangeItems(TileBuilder &b, hsa::ReduceOp op,
                           mlir::ValueRange arguments, mlir::Value rows,
                           int64_t positions, mlir::Value chunks);

/// How many rows a window may have, an index, so that the items of a range of
/// `chunks` chunks have an i32 for a number.
mlir::Value getMostRangeRows(TileBuilder &b, mlir::Value chunks);

/// What a kernel knows of the window that its items are of: i32 arguments.
struct RangeWindow {
  explicit RangeWindow(mlir::ValueRange arguments)
      : rows(arguments[0]), pieces(arguments[1]) {}
  mlir::Value rows; ///< how many it has at most
  mlir::Value pieces;
};
void addRangeArguments(llvm::SmallVectorImpl<KernelArgument> &arguments,
                       mlir::MLIRContext *context);

/// The item of number `number`, an index. Its entries are rows counted from
/// the window's first; `emitter.rows` has the window's bounds in time.
ItemEntries emitRangeItem(BodyEmitter &emitter, const RangeDomain &range,
                          mlir::Value number, const RangeWindow &window);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_RANGEVISITS_H
