// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InverseIndex.h - The queries of each chunk ---------------*- C++ -*-===//
//
// A selection lists the chunks of each query block; chunk-major schedules need
// the blocks of each chunk. A region is a window of W rows of the selection,
// for one sequence and one head of the selection. It has arrays of its own,
//
//     entries     [B, windows, heads, W * K]   its picks, chunk by chunk
//     starts      [B, windows, heads, C + 1]   the first entry of each chunk
//     item_chunks [B, windows, heads, items]   the chunk of each item
//     item_starts [B, windows, heads, C + 1]   the first item of each chunk
//
// An entry is row << bits | slot, where bits are those of K - 1 and rows are
// counted from the window's first: no division takes it apart. The entries of a
// chunk ascend, and a chunk that a row holds twice is listed twice. An item is
// up to `kItemEntries` entries of one chunk: the work of one program,
// so that a chunk that every query selects is spread over many programs and one
// that none selects costs nothing. The last of `starts` and `item_starts` say
// how many entries and items there are.
//
// Three launches, without a look at the device in between:
//
//     rank     a program counts the picks of a block by chunk, in order: each
//              pick learns how many of its block came before it, and the
//              block's counts become a row of a table
//     columns  down the table, counts become sums over earlier blocks
//     place    a pick's place is the sum of what smaller chunks have, earlier
//              blocks have of its own, and its block had before it
//
// so the order is the same each time without a sort. More chunks than the table
// has columns go another way; which one follows from sizes, so that a plan has
// both, and one of them without programs:
//
//     count   each pick takes a ticket from its chunk's counter
//     scan    counters become the first places of entries and items
//     fetch   each pick goes to its chunk's first place + its ticket
//     sort    the entries of an item go to their ranks in the chunk's list,
//             unless any order will do
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

/// The item of number `number` in a region: one chunk and some of its entries.
struct ItemEntries {
  mlir::Value chunk;         ///< i32
  mlir::Value begin, end;    ///< i32: the item's entries
  mlir::Value first, behind; ///< i32: those of the chunk
};
/// `region` is window's sequence, number and head; `arrays` are starts,
/// item_starts and item_chunks.
ItemEntries emitItem(TileBuilder &b, mlir::Value number,
                     mlir::ValueRange region, mlir::ValueRange arrays);

class InverseIndex {
public:
  /// The index of `selected`, whose indices are a parameter; one that the call
  /// brings along if `limits` say that they are imported.
  InverseIndex(hsa::ProgramOp program, const Parameters &parameters,
               const TileShape &shape, hsa::SelectedOp selected,
               const TileLimits &limits);

  /// Writes the kernels, before the program; `sorted` if the entries of a chunk
  /// are to have the same order each time.
  void createKernels(bool sorted);

  /// The sizes in a plan with the arguments `arguments`.
  SelectionSizes getSizes(TileBuilder &b, mlir::ValueRange arguments);

  /// Bytes that the arrays of a window of `rows` rows take at most, an index.
  mlir::Value getBytes(TileBuilder &b, const SelectionSizes &sizes,
                       mlir::Value rows);

  /// Makes the arrays in that plan: as results of the call if `exported`, else
  /// as workspaces.
  void createArrays(TileBuilder &b, mlir::ValueRange arguments,
                    const SelectionSizes &sizes, const Windows &windows,
                    bool exported);

  /// Takes the arrays, of all windows, as further arguments of the plan:
  /// `indices__starts` and so on, where the indices are called so.
  void importArrays(TileBuilder &b, tile::PlanOp plan);
  bool isImported() const { return imported; }
  const Windows &getWindows() const { return windows; }

  /// Launches that fill the arrays for windows from `window`, an index, on.
  void launch(TileBuilder &b, mlir::Value window);

  /// The arrays in a plan: starts, item_starts, item_chunks, entries.
  llvm::ArrayRef<mlir::Value> getArrays() const {
    return llvm::ArrayRef(arrays).take_front(4);
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

  bool sorted = true, imported = false;
  int64_t block; ///< picks that are counted together
  // Of the plan.
  llvm::SmallVector<mlir::Value> arguments, arrays;
  mlir::Value picks, items, blocks; ///< of a region
  mlir::Value few, many; ///< 1 or 0: whether each chunk has a bin, or not
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
