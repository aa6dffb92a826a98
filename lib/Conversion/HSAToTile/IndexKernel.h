// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- IndexKernel.h - The kernels of an inverse index ----------*- C++ -*-===//
//
// Picks are sorted by the digits of their chunk, the lowest first, in passes of
// three launches (InverseIndex.h). A pass is stable, so the last one leaves
// them in the order of chunks and, in a chunk, of rows and slots.
//
// The first pass takes the indices as they are, the others what the one before
// has left: entries, whose chunk they look up again.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_INDEXKERNEL_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_INDEXKERNEL_H

#include "InverseIndex.h"

namespace ramify {

/// A digit has `kDigitBits` bits: bins of a block's counters. A program of
/// `columns` goes down `kColumns` of them, reading `kBlocksAtOnce` rows at
/// once.
inline constexpr int64_t kDigitBits = 10, kBins = int64_t(1) << kDigitBits;
inline constexpr int64_t kColumns = 32, kBlocksAtOnce = 16;
/// Picks that a program of `place` moves: it also sums up all bins.
inline constexpr int64_t kMostPlaced = 1024;
/// Entries that a program looks at where items are found in the sorted list.
inline constexpr int64_t kListed = 512;

/// The arrays of an index, of which the first three are what it is made of.
enum IndexArray : unsigned {
  kCounts,  ///< [2]: items, and entries
  kItems,   ///< [4 * items]
  kEntries, ///< [W * K]
  kMoved,   ///< what one pass leaves to the next, in one half or the other
  kRanks,   ///< [W * K] how many of a pick's block came before it
  kTable,   ///< [blocks * kBins]
  kTotals,  ///< [kBins]
  kRuns,    ///< [3 * blocks of the list] where chunks begin, and their items
  kIndexArrays
};

/// The parts of `kRuns`.
enum RunPart : unsigned { kLastHead, kFirstHead, kOpens, kRunParts };

/// Numbers behind the arrays, all i32: the first window of the rows, that of
/// the results, rows of a window; the pass and how many there are.
inline constexpr unsigned kIndexNumbers = 5;

/// One of the kernels. Program (x, y, z) works on the region of window
/// y / heads, head y % heads and sequence z.
class IndexKernel {
public:
  IndexKernel(hsa::ProgramOp program, const Parameters &parameters,
              const TileShape &shape, hsa::SelectedOp selected,
              llvm::StringRef name, int64_t block);

  // A pass (IndexKernel.cpp).
  void rank();
  void columns();
  void place();

  // The items of a sorted list (IndexItems.cpp).
  void heads();
  void opens();
  void items();

private:
  using Value = mlir::Value;

  /// Vectors.
  struct Picks {
    Value number, entry, chunk, digit, valid;
  };
  Picks getPicks(int64_t size);
  Value countPicks(Value isFirst);
  Value getFirstEntry(Value number);
  /// The chunk of each entry, and where there is one.
  std::pair<Value, Value> getChunk(Value entry, Value mask);
  void writeEntries(const Picks &picks, Value place);

  /// What an item says, vectors.
  struct ItemWords {
    Value chunk, begin, first, behind;
  };
  void writeItems(const ItemWords &words, Value number, Value mask);

  /// A piece of the sorted list.
  struct Listed {
    Value number, chunk, valid, isHead;
    Value first; ///< where the element's chunk begins
  };
  Listed getListed();
  void findFirsts(Listed &listed);
  Value getOpens(const Listed &listed);
  Value reduceRuns(unsigned part, Value from, Value to, Value none,
                   tile::Combine combine);
  Value combineAll(tile::Combine combine, Value vector);

  /// Indices of the element `place` of the region's part of an array: results
  /// have other windows than workspaces.
  llvm::SmallVector<Value> at(IndexArray array, Value place);
  Value load(IndexArray array, Value place);
  void store(Value value, IndexArray array, Value place);
  Value lookUp(IndexArray array, Value places, Value mask = {});
  void scatter(Value value, IndexArray array, Value places, Value mask = {});
  Value getLength(IndexArray array); ///< i32
  Value scan(Value vector, tile::Combine combine, bool exclusive,
             bool reverse = false);
  Value ceilItems(Value counts);

  TileBuilder b;
  BodyEmitter emitter;
  int64_t blockPicks; ///< of a program of `rank`
  llvm::SmallVector<Value> arrays;
  Value indices;
  Value firstWindow, firstResult, windowRows, pass, passes; ///< i32
  Value batch, window, head;                                ///< index
  Value x, chunks, slotBits, picks;                         ///< i32
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_INDEXKERNEL_H
