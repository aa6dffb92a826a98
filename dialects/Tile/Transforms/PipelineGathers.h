// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PipelineGathers.h - Rings for the gathers of a loop ------*- C++ -*-===//
//
// The two ways in which StageThroughShared replaces gathers.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_PIPELINEGATHERS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_PIPELINEGATHERS_H

#include "dialects/Tile/Transforms/SharedBuffers.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace ramify::tile {

/// True if the addresses of `gathers` can be computed for an iteration of
/// `loop` that is still to come.
bool canPipeline(mlir::scf::ForOp loop, llvm::ArrayRef<GatherOp> gathers);

/// Replaces `gathers`, in program order, by copies into the rings `memory` of
/// `stages` each. canPipeline must hold. The loop is replaced.
void pipelineGathers(mlir::scf::ForOp loop, llvm::ArrayRef<GatherOp> gathers,
                     int64_t stages, llvm::ArrayRef<mlir::Value> memory);

/// Replaces gathers of one block, in program order, by copies into `memory` of
/// one stage each, which start at the first of them whose place their addresses
/// allow.
void stageInBlock(llvm::ArrayRef<GatherOp> gathers,
                  llvm::ArrayRef<mlir::Value> memory);

/// Memory for gathers of one block where one stage each is too much: a gather
/// gets what others have left that were used before.
llvm::SmallVector<mlir::Value> getSparingly(llvm::ArrayRef<GatherOp> gathers,
                                            SharedBuffers &buffers);
/// Copies each gather when it is used.
void stageWhenUsed(llvm::ArrayRef<GatherOp> gathers,
                   llvm::ArrayRef<mlir::Value> memory);

//===----------------------------------------------------------------------===//
// Parts of both
//===----------------------------------------------------------------------===//

/// The first of `gathers` with those behind it that read the same array in the
/// same block, as the chunks of several slots do: they are one group of copies,
/// since they are needed at the same time.
llvm::ArrayRef<GatherOp> takeGroup(llvm::ArrayRef<GatherOp> gathers);

/// The groups that `gathers` are.
llvm::SmallVector<llvm::ArrayRef<GatherOp>>
splitGroups(llvm::ArrayRef<GatherOp> gathers);

/// Where the copies of a group land.
struct StagedGroup {
  llvm::ArrayRef<GatherOp> gathers;
  llvm::SmallVector<mlir::Value> buffers;
  mlir::Value stage;
  /// Groups committed after it that may be under way when it is used.
  int64_t pending;
};

/// The copies that the gathers are, with operands as `at` gives them, and a
/// commit.
void createCopies(mlir::OpBuilder &builder, const StagedGroup &group,
                  llvm::function_ref<mlir::Value(mlir::Value)> at);

/// Replaces the gathers' uses by reads of the stage, after a wait and a barrier
/// before the first; erases them. Reads of small arrays that stand later in the
/// block move up before the wait.
void replaceByLoads(const StagedGroup &group);

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_PIPELINEGATHERS_H
