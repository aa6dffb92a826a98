// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Schedule.h - The schedules, and what they share ----------*- C++ -*-===//
//
// A schedule turns one hsa.program into kernels and a plan, inserted before it.
// A new schedule is one more file with one more line in `schedules`.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_SCHEDULE_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_SCHEDULE_H

#include "Domains.h"

namespace ramify {

struct Schedule {
  llvm::StringLiteral name;
  mlir::LogicalResult (*lower)(hsa::ProgramOp, const TileLimits &);
};

/// A program owns one query block and gathers its chunks.
mlir::LogicalResult lowerQueryMajor(hsa::ProgramOp program,
                                    const TileLimits &limits);

/// A program owns query blocks and walks over streams.
mlir::LogicalResult lowerStreamed(hsa::ProgramOp program,
                                  const TileLimits &limits);

/// A program owns one chunk and visits the query blocks that selected it.
mlir::LogicalResult lowerChunkMajor(hsa::ProgramOp program,
                                    const TileLimits &limits);

/// A program owns a slice of one query block's visits.
mlir::LogicalResult lowerSplitKV(hsa::ProgramOp program,
                                 const TileLimits &limits);

/// A program owns neighbouring query blocks and visits the union of their
/// chunks.
mlir::LogicalResult lowerUnion(hsa::ProgramOp program,
                               const TileLimits &limits);

/// No schedule of its own but what others begin with: the queries of each
/// chunk.
mlir::LogicalResult lowerInverseIndex(hsa::ProgramOp program,
                                      const TileLimits &limits);

inline constexpr Schedule schedules[] = {
    {"query_major", lowerQueryMajor},
    {"chunk_major", lowerChunkMajor},
    {"union", lowerUnion},
    {"split_kv", lowerSplitKV},
    {"streamed", lowerStreamed},
    {"inverse_index", lowerInverseIndex},
};

/// A kernel with the program's parameters and results as arguments; `emitter`
/// learns where the parameters are.
tile::KernelOp createKernel(BodyEmitter &emitter, const Parameters &parameters,
                            llvm::StringRef name);

/// An argument of a kernel behind the program's parameters.
struct KernelArgument {
  std::string name;
  mlir::Type type;
};

/// A kernel with the program's parameters and then `more` as arguments.
tile::KernelOp createKernel(BodyEmitter &emitter, const Parameters &parameters,
                            llvm::StringRef name,
                            llvm::ArrayRef<KernelArgument> more);

/// Emits the operations of the program; `reduce` emits a reduction.
mlir::LogicalResult
emitProgram(BodyEmitter &emitter,
            llvm::function_ref<mlir::LogicalResult(hsa::ReduceOp)> reduce);

/// Writes the program's results to the last arguments of the kernel, but those
/// of which `isWritten`.
void emitResults(
    BodyEmitter &emitter, tile::KernelOp kernel, hsa::ReturnOp results,
    llvm::function_ref<bool(unsigned)> isWritten = [](unsigned) {
      return false;
    });

/// A loop of a plan below `count`; `body` gets its variable.
void createPlanLoop(TileBuilder &b, mlir::Value count,
                    llvm::function_ref<void(mlir::Value)> body);

/// A plan with the program's parameters as arguments and an empty body, which
/// `b` writes from then on.
tile::PlanOp createEmptyPlan(TileBuilder &b, hsa::ProgramOp program,
                             const Parameters &parameters);

/// The sizes that a plan computes its grids from.
struct PlanSizes {
  mlir::Value batch, queries, queryHeads;
};
/// Those of the query array `query`.
PlanSizes getPlanSizes(TileBuilder &b, hsa::ProgramOp program,
                       mlir::Value query);

/// On what a plan makes and does once for all queries, where it is one step of
/// a function: arrays of sums, which are cleared before and rounded behind. The
/// number is that of the dimension that counts sequences, or -1.
inline constexpr llvm::StringLiteral kOfAllQueriesAttrName =
    "ramify.of_all_queries";

/// The results of a plan, and what its kernels write to instead of them: sums
/// over all blocks are f32 and begin with zeros.
struct PlanResults {
  llvm::SmallVector<mlir::Value> results, targets;
};
mlir::FailureOr<PlanResults>
createResults(TileBuilder &b, hsa::ProgramOp program, mlir::Block *plan,
              const Parameters &parameters, const PlanSizes &sizes);

/// Launches that round the workspaces that stand for narrower results.
void roundResults(TileBuilder &b, tile::PlanOp plan, const PlanResults &made);

/// A kernel that rounds the f32 array `from` to `to`, of the same shape, and
/// how many programs it takes, all along x.
tile::KernelOp createConversion(TileBuilder &b, llvm::StringRef name,
                                mlir::Type from, mlir::Type to);
mlir::Value getConversionGrid(TileBuilder &b, mlir::Value result);

/// A plan with the program's parameters as arguments, the allocation of its
/// results and one launch of `kernel` over the grid that `getGrid` gives.
mlir::FailureOr<tile::PlanOp> createPlan(
    TileBuilder &b, hsa::ProgramOp program, const Parameters &parameters,
    tile::KernelOp kernel,
    llvm::function_ref<std::array<mlir::Value, 3>(TileBuilder &, PlanSizes)>
        getGrid);

/// Whether the program only launches others.
bool isComposed(hsa::ProgramOp program);

/// The plan of such a program, in place of the plans of those that it launches,
/// which have been lowered: for windows of queries, or, where they hand on no
/// bytes of memory, for one launch of all.
tile::PlanOp composePlan(hsa::ProgramOp program, const TileLimits &limits);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_SCHEDULE_H
