// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkMajor.h - A program whose chunks visit queries ------*- C++ -*-===//
//
// What the kernels of chunk_major (ChunkMajor.cpp) and its plan, which launches
// them window by window (ChunkMajorPlan.cpp), both follow from.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKMAJOR_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKMAJOR_H

#include "ChunkVisits.h"

namespace ramify {

/// A reduction over selected chunks, or over a range of chunks, whose visits
/// are launches of their own.
struct VisitedReduction {
  hsa::ReduceOp op;
  hsa::SelectedOp selected; ///< null if it is over a range
  SlotParts parts;
  ItemParts items;                           ///< of an owner
  unsigned index;                            ///< its inverse index
  llvm::SmallVector<mlir::Value> partArrays; ///< in the plan
  llvm::SmallVector<mlir::Value>
      itemArrays; ///< and how many entries a program takes
};

struct ChunkMajorProgram {
  ChunkMajorProgram(hsa::ProgramOp program, const TileLimits &limits)
      : program(program), limits(limits), parameters(program),
        blockShape(program, limits),
        visitShape(TileShape::ofChunk(program, limits)),
        turns(program, visitShape, limits.deterministic) {}

  std::string getName(llvm::StringRef kernel, unsigned number);
  std::string getRowsName() { return getName("rows", 0); }
  std::string getRestName() { return getName("rest", 0); }

  /// Whether visits leave parts of their items' sums behind, which a launch of
  /// their own adds.
  bool ownsItems(const VisitedReduction &reduction) const {
    return limits.deterministic && !reduction.items.empty();
  }
  /// Whether visits add to that result itself.
  bool isAddedTo(unsigned result) const;
  /// Whether something is left to do when all chunks have been visited.
  bool hasRest();

  hsa::ProgramOp program;
  const TileLimits &limits;
  Parameters parameters;
  TileShape blockShape, visitShape;
  Turns turns;
  std::vector<VisitedReduction> reductions;
  std::vector<InverseIndex> indices;
  RowValues rowValues;
};

/// Writes the plan, when the kernels are there.
mlir::LogicalResult createChunkMajorPlan(ChunkMajorProgram &whole);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKMAJOR_H
