// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InverseIndex.h - The queries of each chunk ---------------*- C++ -*-===//
//
// A selection lists the chunks of each query block; chunk-major schedules need
// the blocks of each chunk. A region is a window of W rows of the selection,
// for one sequence and one head of the selection. It has arrays of its own,
//
//     entries [B, windows, heads, W * K]      its picks, chunk by chunk
//     items   [B, windows, heads, 4 * items]  what the programs work on
//     counts  [B, windows, heads, 2]          how many items and entries
//
// and none whose size is that of the chunks. An entry is row << bits | slot,
// where bits are those of K - 1 and rows are counted from the window's first:
// no division takes it apart. The entries of a chunk ascend, and a chunk that a
// row holds twice is listed twice. An item is up to `kItemEntries` entries of
// one chunk: the work of one program, so that a chunk that every query selects
// is spread over many programs and one that none selects costs nothing. It has
// four words: the chunk, its first entry, and where the entries of the chunk
// begin and end. Items are in the order of their entries.
//
// Picks are sorted by their chunk in passes, by ten bits of its number each, so
// that up to 1024 chunks take one. A pass has three launches, without a look at
// the device in between:
//
//     rank     a program counts the picks of a block by digit, in order: each
//              pick learns how many of its block came before it, and the
//              block's counts become a row of a table
//     columns  down the table, counts become sums over earlier blocks
//     place    a pick's place is the sum of what smaller digits have, earlier
//              blocks have of its own, and its block had before it
//
// so the order is the same each time. Where there is one pass `place` knows the
// items, too; else three more launches find them in the list (IndexItems.cpp).
// How many passes there are follows from sizes, and what is not wanted has no
// programs.
//
// An index may also be made once, by a plan of its own, and be an argument of
// others: all of its windows, whose size and number its arrays tell. It may be
// for more chunks than a sequence has: those are the last in each list.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_INVERSEINDEX_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_INVERSEINDEX_H

#include "Schedule.h"

namespace ramify {

/// Entries of an item at most.
inline constexpr int64_t kItemEntries = 64;
/// Words of an item.
inline constexpr int64_t kItemWords = 4;

/// The windows that an index is made for; values of a plan.
struct Windows {
  mlir::Value rows;  ///< index: W
  mlir::Value count; ///< index: windows of the index
};

/// A pick as an entry has it: i32, or vectors of them.
struct Pick {
  mlir::Value row, slot;
};
/// The bits of the slots of `indices`, an i32.
mlir::Value getSlotBits(TileBuilder &b, mlir::Value indices);
mlir::Value packEntry(TileBuilder &b, Pick pick, mlir::Value bits);
Pick unpackEntry(TileBuilder &b, mlir::Value entry, mlir::Value bits);

/// What the size of a window follows from; values of a plan.
struct SelectionSizes {
  mlir::Value batch, rows, heads, slots; ///< index: those of the indices
  mlir::Value chunks;                    ///< index
};

/// W: rows of so many tokens, and enough that a chunk of random picks has some
/// in each window, but not more than there are. `positions` queries share a
/// row.
mlir::Value chooseWindowRows(TileBuilder &b, const SelectionSizes &sizes,
                             int64_t positions, int64_t tokens);

/// `rows`, or as many less as make `getBytes` of them no more than `most`.
mlir::Value fitRows(TileBuilder &b, mlir::Value rows, mlir::Value most,
                    llvm::function_ref<mlir::Value(mlir::Value)> getBytes);

/// The item of number `number` in a region: one chunk and some of its entries.
struct ItemEntries {
  mlir::Value chunk;         ///< i32
  mlir::Value begin, end;    ///< i32: the item's entries
  mlir::Value first, behind; ///< i32: those of the chunk
};
/// `region` is window's sequence, number and head.
ItemEntries emitItem(TileBuilder &b, mlir::Value number,
                     mlir::ValueRange region, mlir::Value items);

/// The arrays of an index, as arguments of others.
inline constexpr llvm::StringLiteral kIndexArrayNames[] = {"counts", "items",
                                                           "entries"};

class InverseIndex {
public:
  /// The index of `selected`, whose indices are a parameter; one that the call
  /// brings along if `limits` say that they are imported.
  InverseIndex(hsa::ProgramOp program, const Parameters &parameters,
               const TileShape &shape, hsa::SelectedOp selected,
               const TileLimits &limits);

  /// Writes the kernels, before the program.
  void createKernels();

  /// The sizes in a plan with the arguments `arguments`.
  SelectionSizes getSizes(TileBuilder &b, mlir::ValueRange arguments);

  /// Bytes that windows of `rows` rows take at most, an index: workspaces, and
  /// the arrays themselves unless they are `exported`.
  mlir::Value getBytes(TileBuilder &b, const SelectionSizes &sizes,
                       mlir::Value rows, bool exported);

  /// Makes the arrays in that plan: results of the call for all `windows` if
  /// `exported`, else workspaces for those of a span, as what is needed on the
  /// way always is.
  void createArrays(TileBuilder &b, mlir::ValueRange arguments,
                    const SelectionSizes &sizes, const Windows &windows,
                    mlir::Value span, bool exported);

  /// Takes the arrays, of all windows, as further arguments of the plan:
  /// `indices__counts` and so on, where the indices are called so.
  void importArrays(TileBuilder &b, tile::PlanOp plan);
  bool isImported() const { return imported; }
  const Windows &getWindows() const { return windows; }

  /// Launches that fill the arrays for `count` windows from `window` on,
  /// indices, no more than a span.
  void launch(TileBuilder &b, mlir::Value window, mlir::Value count);

  /// The arrays in a plan: counts, items, entries.
  llvm::ArrayRef<mlir::Value> getArrays() const {
    return llvm::ArrayRef(arrays).take_front(3);
  }
  /// Items of a region at most, an index.
  mlir::Value getItems() const { return items; }

  static mlir::MemRefType getArrayType(mlir::MLIRContext *context);

private:
  llvm::StringRef getIndicesName();
  std::string getName(llvm::StringRef kernel);

  hsa::ProgramOp program;
  const Parameters &parameters;
  const TileShape &shape;
  hsa::SelectedOp selected;

  bool imported = false, exported = false;
  int64_t block; ///< picks that are counted together
  // Of the plan.
  llvm::SmallVector<mlir::Value> arguments, arrays;
  mlir::Value picks, items, blocks, pieces; ///< of a region
  mlir::Value passes;
  SelectionSizes sizes;
  Windows windows;
};

/// The chunks of a vector of indices as i32, and which of them are one.
std::pair<mlir::Value, mlir::Value>
getValidChunk(TileBuilder &b, mlir::Value index, mlir::Value chunks);

/// The first selection that a reduction of `program` visits, or null.
hsa::SelectedOp findSelection(hsa::ProgramOp program);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_INVERSEINDEX_H
