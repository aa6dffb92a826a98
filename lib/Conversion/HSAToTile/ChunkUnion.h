// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkUnion.h - Which chunks neighbours share -------------*- C++ -*-===//
//
// M neighbouring query blocks, a group, have M * K picks. Picks of the same
// chunk are one visit, unless one block has them: the second slot of a block
// that holds a chunk is another visit, for the blocks that hold it twice, too.
// The first pick of a visit, block by block, slot by slot, leads it. For each
// group, with a row of K picks for each of its blocks:
//
//     chunks [sequences, groups, heads, M * K]      the chunk of pick m * K + s
//                                                   if it leads, else -1
//     slots  [sequences, groups, heads, M * K * M]  of the visit of leader l
//                                                   in block m, at l * M + m;
//                                                   -1 if it has none
//
//     M = 2, K = 3     picks      7    3    3       3    9    3
//                      chunks     7    3    3      -1    9   -1
//                      slots    0 -1  1 0  2 2   -1 -1 -1 1 -1 -1
//
// One launch finds them all, a pick in each lane: it counts the slots with its
// chunk before it in its own block, and looks for the first block that has
// more.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKUNION_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKUNION_H

#include "Schedule.h"

namespace ramify {

/// Some groups of some sequences: index, in a plan.
struct GroupWindow {
  mlir::Value firstGroup, groups, firstSequence, sequences;
};

class ChunkUnion {
public:
  /// The unions of `selected`, whose indices are a parameter, for groups of
  /// as many query blocks as a tile of `shape` has.
  ChunkUnion(hsa::ProgramOp program, const Parameters &parameters,
             const TileShape &shape, hsa::SelectedOp selected,
             std::string name);

  /// Writes the kernel, before the program.
  void createKernel();

  /// Bytes of one group of one sequence, in a plan with those arguments; called
  /// first.
  mlir::Value getBytes(TileBuilder &b, mlir::ValueRange arguments);

  /// Workspaces for so many groups and sequences.
  void createArrays(TileBuilder &b, mlir::Value groups, mlir::Value sequences);

  /// Launches that fill the arrays.
  void launch(TileBuilder &b, const GroupWindow &window);

  /// The arrays in a plan: chunks, slots.
  llvm::ArrayRef<mlir::Value> getArrays() const { return arrays; }
  mlir::Value getIndices() { return selected.getIndices(); }

private:
  hsa::ProgramOp program;
  const Parameters &parameters;
  const TileShape &shape;
  hsa::SelectedOp selected;
  std::string name;

  // Of the plan.
  llvm::SmallVector<mlir::Value> arguments, arrays;
  mlir::Value heads, picks; ///< index; of a group
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKUNION_H
