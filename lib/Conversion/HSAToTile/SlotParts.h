// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SlotParts.h - What each slot contributes, in memory ------*- C++ -*-===//
//
// A schedule that does not visit the chunks of a query one after the other
// keeps what each visit contributes apart, and a later launch combines the
// parts in the order of the slots: the same bits each time. Parts of an
// accumulator are what its monoid makes of a single visit,
//
//     sum, max, min     [sequences, queries, HQ, K]      of a row
//                       [sequences, queries, HQ, K, D]   of a row with a dim
//                       axis
//     softmax           three: maximum (to base 2), sum, weighted values
//
// for the queries of one window. Rows are f32; values with a dim axis are bf16
// where the queries are, which halves what is written and read.
//
// A sum whose order is free needs no slots: visits add to the total of a row,
//
//     [sequences, queries, HQ, 1] and [sequences, queries, HQ, 1, D]
//
// which begins with zeros in each window. Totals are f32, or, of few terms,
// what the queries are. A total that is a result of the program as it is has no
// array of its own: visits add to the result. Sums over all queries
// (`!hsa.sums`) are in memory of their own and have no part here.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_SLOTPARTS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_SLOTPARTS_H

#include "Schedule.h"

namespace ramify {

/// Where the parts of a program's rows stand.
struct PartPlace {
  mlir::Value sequence; ///< index, counted from the window's first
  mlir::Value query; ///< index or i32 vector, counted from the window's first
  mlir::Value head;  ///< index or i32 vector
  mlir::Value slot;  ///< index or i32 vector
  mlir::Value mask;  ///< which rows; null for all
  mlir::Value firstQuery; ///< index: of a row, where numbers that
                          ///< all rows share are read
};

class SlotParts {
public:
  /// The parts of the accumulators of `op`; sums are totals unless they are to
  /// be the same bits each time.
  SlotParts(hsa::ProgramOp program, hsa::ReduceOp op, mlir::Type queryElement,
            const TileLimits &limits);

  /// Lets visits add to results of the program, arrays of these types, where a
  /// total is nothing but that result.
  void useResults(llvm::ArrayRef<mlir::Type> results);
  /// Whether visits add to that result.
  bool addsToResult(unsigned number) const;

  /// Fails, saying why, if an accumulator cannot be kept in parts.
  mlir::LogicalResult verify();

  /// The arrays in memory, as arguments of kernels.
  llvm::ArrayRef<mlir::MemRefType> getTypes() const { return types; }
  /// Bytes of the parts of one query head: those of a slot, the totals, and the
  /// results.
  int64_t getSlotBytes() const { return countBytes(Kind::Slot); }
  int64_t getTotalBytes() const { return countBytes(Kind::Total); }
  int64_t getResultBytes() const { return countBytes(Kind::Result); }
  /// Whether some accumulator has a part for each slot.
  bool hasSlots() const;

  /// The arrays in a plan: workspaces for so many sequences, queries, heads and
  /// slots, or results.
  llvm::SmallVector<mlir::Value>
  createArrays(TileBuilder &b, mlir::ValueRange sizes,
               mlir::ValueRange results = {}) const;
  /// Zeros in the totals, or, once for all windows, in the results.
  void clearTotals(TileBuilder &b, mlir::ValueRange arrays) const;
  void clearResults(TileBuilder &b, mlir::ValueRange arrays) const;

  /// The states before any visit, as tiles of `emitter`'s shape.
  Tiles getEmpty(BodyEmitter &emitter);

  /// Writes the states after one visit.
  void store(BodyEmitter &emitter, mlir::ValueRange states,
             mlir::ValueRange arrays, const PartPlace &place);

  /// Reads a slot's parts and combines `before` with them.
  Tiles combine(BodyEmitter &emitter, mlir::ValueRange before,
                mlir::ValueRange arrays, const PartPlace &place);
  /// Adds the totals to `states`.
  void addTotals(BodyEmitter &emitter,
                 mlir::MutableArrayRef<mlir::Value> states,
                 mlir::ValueRange arrays, PartPlace place);

private:
  /// What a part is: a number of each row, or a tile with a dim axis.
  enum class Kind { Slot, Total, Result };
  struct Part {
    mlir::Type named; ///< in the program
    bool isScalar;
    Kind kind;
    unsigned accumulator; ///< of the reduction
    unsigned result = 0;  ///< of the program, for that kind
  };
  void addPart(unsigned accumulator, mlir::Type named, mlir::Type element,
               Kind kind = Kind::Slot);
  int64_t countBytes(Kind kind) const;
  mlir::Value load(BodyEmitter &emitter, const Part &part, mlir::Value array,
                   const PartPlace &place);

  hsa::ReduceOp op;
  llvm::SmallVector<Part> parts;
  llvm::SmallVector<mlir::MemRefType> types;
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_SLOTPARTS_H
