// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Parameters.h - Roles of parameters as arrays in memory ---*- C++ -*-===//
//
// Each parameter of a program has a role; here is what it is in memory:
//
//     query    [B, L, HQ, D]          indices, weights  [B, rows, heads, K]
//     chunks   [B, N, H, D]           array  its axes, batch first if flagged
//     landmarks [B, C, heads, D]     sums    as their role, of f32
//     num_keys, q_start  [B]          q_positions       [L] or [B, L]
//
// Kernel and plan take the parameters in the program's order. A program that
// asks where its queries stand, and has no parameter that tells, gets one more,
// the scalar `q_start`, at the end, and the kernel gets the results behind all
// of them. Arguments of the plan carry the attributes `ramify.name`,
// `ramify.dims` (a name for each size, or a number; equal names are equal
// sizes) and, for what the language supplies itself, `ramify.role` and
// `ramify.default`: two sizes whose difference it is unless given; a size may
// be a name times a number.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_PARAMETERS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_PARAMETERS_H

#include "TileBuilder.h"

#include "dialects/HSA/IR/HSA.h"
#include "dialects/Tile/IR/Tile.h"

namespace ramify {

class Parameters {
public:
  explicit Parameters(hsa::ProgramOp program);

  /// Types of the arguments of the plan; and of the kernel, with the results.
  llvm::ArrayRef<mlir::Type> getPlanTypes() const { return types; }
  llvm::SmallVector<mlir::Type> getKernelTypes() const;
  llvm::ArrayRef<mlir::Type> getResultTypes() const { return results; }

  /// The argument attributes of the plan.
  llvm::ArrayRef<mlir::Attribute> getAttributes() const { return attributes; }

  /// Those of the kernel: the names, results too.
  llvm::SmallVector<mlir::Attribute> getKernelAttributes() const;

  /// Position of the scalar `q_start` among the arguments, or -1; or of what is
  /// added to where a parameter says that queries stand.
  int64_t getStart() const { return start; }

  /// Whether a parameter says where all queries stand, and the program is
  /// launched for some of them: a scalar tells how far they are from the first,
  /// or, below 0, from the last.
  bool countsFromWindow() const { return ofWindow; }

  /// The parameter of role q_start or q_positions; null if there is none.
  mlir::BlockArgument getPlaces() const { return places; }

  /// Whether queries may be padding rows, which the parameter tells of.
  bool hasPadding() const {
    return places && mlir::isa<hsa::QPositionsType>(places.getType());
  }

  /// Whether some operation asks where the queries stand.
  bool asksForPositions() const { return asksPositions; }

  /// Whether some operation asks where blocks of several queries stand.
  bool asksForBlocks() const { return asksBlocks; }

  /// The query parameter, of all positions; null if there is none.
  mlir::BlockArgument getQuery() const { return query; }

private:
  void addParameter(mlir::BlockArgument argument);
  void addStart();
  void addWindowStart();
  /// The keys that queries stand among unless told otherwise, those of the
  /// first partition: a size, or one times a number; empty without a partition,
  /// whose queries stand from 0 on.
  std::string getKeys();
  void addResults();
  mlir::Attribute getDim(llvm::StringRef name);

  hsa::ProgramOp program;
  llvm::SmallVector<mlir::Type> types, results;
  llvm::SmallVector<mlir::Attribute> attributes;
  mlir::BlockArgument query, numKeys, places;
  bool asksPositions = false, asksBlocks = false;
  int64_t start = -1;
  bool ofWindow = false;
};

/// The array in memory behind a role type; any other type is itself.
mlir::Type getMemoryType(mlir::Type role);

/// The number of queries, an index, by the array of the query parameter: that
/// of blocks in a program where each query is a block.
mlir::Value countQueries(TileBuilder &b, hsa::ProgramOp program,
                         mlir::Value query);

/// The number of keys in `partition`, and of its chunks, as i32; found from the
/// first parameter that tells, and no more than `num_keys` of the sequence
/// `batch`. `memory` maps parameters to arrays.
struct PartitionSize {
  mlir::Value keys, chunks;
};
/// The sizes of the arrays, whatever `num_keys` says.
PartitionSize getWholeSize(TileBuilder &b, hsa::ProgramOp program,
                           llvm::StringRef partition,
                           llvm::function_ref<mlir::Value(mlir::Value)> memory);
PartitionSize getPartitionSize(
    TileBuilder &b, hsa::ProgramOp program, llvm::StringRef partition,
    llvm::function_ref<mlir::Value(mlir::Value)> memory, mlir::Value batch);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_PARAMETERS_H
