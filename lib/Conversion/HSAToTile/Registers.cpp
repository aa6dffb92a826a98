// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Registers.cpp - What a thread of a query block holds ---------------===//

#include "Registers.h"

#include "TileShape.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

/// Addresses, counters, statistics of rows, fragments of keys and values.
static constexpr int64_t kOthers = 76;
/// Products are not computed wider than this before they are added up.
static constexpr int64_t kProductPiece = 64;
/// Weights that are no part of a scale, and the piece that they scale.
static constexpr int64_t kWeights = 8;
/// In a loop over tiles, sums of f32 that are rounded now and then stand beside
/// the sums that the loop carries.
static constexpr int64_t kRoundedSums = 24;
/// Queries that take more are left in shared memory (StageLeftOperands.cpp).
static constexpr int64_t kMostOfQuery16 = 48, kMostOfQuery32 = 32;

/// Of a tile of 16 rows.
static int64_t countColumns(int64_t columns, int64_t bits) {
  return columns * bits / 32 / 2;
}

/// The accumulators of the reduction that has most.
static int64_t countAccumulators(hsa::ProgramOp program) {
  int64_t most = 0;
  program.walk([&](hsa::ReduceOp op) {
    int64_t registers = 0;
    for (Type type : op.getResultTypes()) {
      auto state = dyn_cast<hsa::SoftmaxStateType>(type);
      registers +=
          countColumns(getSize(state ? state.getValue() : type, Axis::Dim), 32);
    }
    most = std::max(most, registers);
  });
  return most;
}

static int64_t countQueries(hsa::ProgramOp program) {
  int64_t registers = 0;
  program.walk([&](hsa::LoadOp op) {
    if (!hasRows(op.getType()))
      return;
    int64_t bits = getElementTypeOrSelf(op.getType()).getIntOrFloatBitWidth();
    int64_t own = countColumns(getSize(op.getType(), Axis::Dim), bits);
    registers += own < (bits == 32 ? kMostOfQuery32 : kMostOfQuery16) ? own : 0;
  });
  return registers;
}

/// Whether keys or values have elements for which `predicate` holds.
static bool hasChunksOf(hsa::ProgramOp program,
                        llvm::function_ref<bool(Type)> predicate) {
  return llvm::any_of(program.getArgumentTypes(), [&](Type type) {
    auto chunks = dyn_cast<hsa::ChunksType>(type);
    return chunks && predicate(chunks.getElementType());
  });
}

int64_t ramify::estimateRegisters(hsa::ProgramOp program, int64_t keys,
                                  bool inPasses) {
  int64_t accumulators = countAccumulators(program);
  int64_t scores = countColumns(keys, 32);
  int64_t most = scores;
  // A product of f32 is split: each factor is a large and a small part.
  if (hasChunksOf(program, [](Type type) { return type.isF32(); }))
    most = 2 * scores + (inPasses ? kRoundedSums : 0);
  // Weights are not folded into f16: the product stands beside its accumulator,
  // or is made in pieces.
  if (hasChunksOf(program, [](Type type) { return type.isF16(); }))
    most = std::max(scores + kWeights,
                    scores / 2 + std::min(accumulators, kProductPiece));
  return kOthers + accumulators + countQueries(program) + most;
}
