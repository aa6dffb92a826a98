// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkVisits.h - A program owns one chunk -----------------*- C++ -*-===//
//
// The launch of chunk_major that visits: program (x, y, z) takes item x of its
// region from the inverse index, some entries of one chunk, loads what belongs
// to the chunk once, and walks over the entries in tiles of rows. Row r of a
// tile is row r % R of entry r / R, where R = pos x head rows belong to an
// entry:
//
//     %kc, %vc = the chunk's keys and values
//     scf.for %at = begin to end step T {
//       %entry = tile.lookup %entries[..., %at + r / R] where %at + r / R < end
//       %slot = %entry % K     %row = %entry / K + the window's first
//       %q = tile.gather ...
//       the body of the reduction, from empty accumulators
//       tile.scatter into the parts of %row, head and %slot
//     }
//
// The chunks of a window, or of another range of keys, need no index: their
// entries are rows (RangeVisits.h).
//
// Sums that belong to the chunk, gradients of its keys and values say, are
// carried through the loop and added to memory once, behind it. Where their
// order is to be the same each time, a program walks over several items of its
// chunk, what follows on the first of them goes to parts of its own, which a
// second launch adds (ItemParts.h), and programs that add to the same elements,
// those that share a key head say, take turns.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKVISITS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKVISITS_H

#include "InverseIndex.h"
#include "ItemParts.h"
#include "RowValues.h"

namespace ramify {

/// The scalars behind the arrays among the arguments of chunk_major's kernels:
/// i32, all of one window.
struct WindowArguments {
  mlir::Value number;   ///< of the window in the index
  mlir::Value firstRow; ///< of the selection
  mlir::Value sequence; ///< the first one
  mlir::Value turn;     ///< of those that programs take
};
void addWindowArguments(llvm::SmallVectorImpl<KernelArgument> &arguments,
                        mlir::MLIRContext *context);
WindowArguments takeWindowArguments(mlir::ValueRange &arguments);

/// Whether the program adds to sums over all blocks. Then all of its kernels
/// have its results as their last arguments.
bool hasSums(hsa::ProgramOp program);

/// Launches one after the other where programs add to the same sums.
struct Turns {
  Turns(hsa::ProgramOp program, const TileShape &shape, bool deterministic);

  int64_t ofKeyHead = 1;    ///< programs that share a key head
  bool ofHeads = false;     ///< all programs of an item, whatever their head
  bool ofSequences = false; ///< sequences, too: one in a launch

  /// How many of an item's `programs` programs, an index, are in one launch.
  mlir::Value countPrograms(TileBuilder &b, mlir::Value programs) const;
  /// Which of the item's programs has the number `y` in a turn: indices.
  mlir::Value getProgram(TileBuilder &b, mlir::Value y, mlir::Value turn) const;
};

/// What a program of the grid works on: indices.
struct ItemProgram {
  mlir::Value item, rowBlock;
  mlir::Value sequence;                  ///< in the launch
  llvm::SmallVector<mlir::Value> region; ///< sequence, window, head
};
/// That of the item's program number `y`; `emitter` learns its heads. A range,
/// without a selection, has no regions.
ItemProgram emitItemProgram(BodyEmitter &emitter, hsa::SelectedOp selected,
                            const WindowArguments &window, mlir::Value y);
/// What is emitted then is done for items that there are: the item, and the
/// sizes of its partition. An imported index may have chunks that are none.
ItemEntries emitIfItem(BodyEmitter &emitter, const ItemProgram &program,
                       mlir::ValueRange arrays, PartitionSize size,
                       bool imported);

/// A reduction over chunks, the parts of its results, and what its visits load
/// of rows.
struct VisitedChunks {
  hsa::ReduceOp op;
  hsa::SelectedOp selected; ///< null if it is over a range
  SlotParts &parts;
  const RowValues &rowValues;
  const ItemParts &items;
  bool imported; ///< the index
};

/// Writes the kernel `name`, which visits the chunks.
mlir::LogicalResult createVisitKernel(hsa::ProgramOp program,
                                      const Parameters &parameters,
                                      const TileShape &shape,
                                      VisitedChunks visited,
                                      llvm::StringRef name, bool deterministic);

/// Writes the kernel `name`, which adds the parts of items to their chunks.
void createItemSumsKernel(hsa::ProgramOp program, const Parameters &parameters,
                          const TileShape &shape, VisitedChunks visited,
                          llvm::StringRef name);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKVISITS_H
