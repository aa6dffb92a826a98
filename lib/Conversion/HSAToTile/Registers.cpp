// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Registers.cpp - What a thread of a query block holds ---------------===//

#include "Registers.h"

#include "TileShape.h"
#include "VisitRegisters.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include <limits>

using namespace mlir;
using namespace ramify;
using hsa::Axis;

static constexpr int64_t kLanes = 32, kWarpRows = 16;

/// Addresses, counters, statistics of rows, fragments of keys and values.
static constexpr int64_t kOthers = 76;
/// The same of gradients, which read queries from shared memory and add to
/// several arrays; and what each reduction of the program brings.
static constexpr int64_t kOthersOfGradients = 84, kReduction = 12;
/// Copies of all tiles of a long chunk are waited for together: so many scores,
/// and what the tiles' addresses take then.
static constexpr int64_t kManyScores = 64, kTileAddresses = 32;
/// What a loop over tiles carries where the products are made in pieces.
static constexpr int64_t kPassState = 8;
/// Products are not computed wider than this before they are added up.
static constexpr int64_t kProductPiece = 64;
/// Weights that are no part of a scale, and the piece that they scale.
static constexpr int64_t kWeights = 8;
/// In a loop over tiles, sums of f32 that are rounded now and then stand beside
/// the sums that the loop carries.
static constexpr int64_t kRoundedSums = 52;
/// Blocks of columns of one f32 product share its split left operand, which for
/// a chunk at once takes this more if there are two blocks.
static constexpr int64_t kSharedFactors = 36, kOneBlock = 32;
/// What two warps that share the columns of an accumulator need more than one:
/// neither shares the split scores with the other's columns. Then that for a
/// chunk at once.
static constexpr int64_t kSharedColumns = 30, kSharedAtOnce = 68;
/// Addresses, counters and statistics of rows where a program owns a chunk, and
/// what splitting f32 adds to it.
static constexpr int64_t kOthersOfOwner = 52, kSplittingOfOwner = 40;
/// Queries that take more are left in shared memory (StageLeftOperands.cpp).
static constexpr int64_t kMostOfQuery16 = 48, kMostOfQuery32 = 32;

/// Accumulators that can stand there twice; f16 has products beside them.
static constexpr int64_t kMostTwice = 64, kMostTwiceOfF16 = 32;

/// Numbers, weights and addresses of the chunks beyond the first.
static constexpr int64_t kChunks = 16;

/// Of a tile of 16 rows.
static int64_t countColumns(int64_t columns, int64_t bits) {
  return columns * bits / 32 / 2;
}

/// Of what a reduction makes, a state's value or a sum.
static int64_t getValueColumns(Type result) {
  auto state = dyn_cast<hsa::SoftmaxStateType>(result);
  return getSize(state ? state.getValue() : result, Axis::Dim);
}

/// Whether keys or values have elements for which `predicate` holds.
static bool hasChunksOf(hsa::ProgramOp program,
                        llvm::function_ref<bool(Type)> predicate) {
  return llvm::any_of(program.getArgumentTypes(), [&](Type type) {
    auto chunks = dyn_cast<hsa::ChunksType>(type);
    return chunks && predicate(chunks.getElementType());
  });
}

bool ramify::hasF32Chunks(hsa::ProgramOp program) {
  return hasChunksOf(program, [](Type type) { return type.isF32(); });
}

bool ramify::sharesColumns(hsa::ProgramOp program) {
  if (!hasF32Chunks(program))
    return false;
  WalkResult result = program.walk([](hsa::ReduceOp op) -> WalkResult {
    return failure(llvm::any_of(op.getResultTypes(), [](Type type) {
      return getValueColumns(type) > tile::kWideColumns;
    }));
  });
  return result.wasInterrupted();
}

/// The accumulators of the reduction that has most.
static int64_t countAccumulators(hsa::ProgramOp program) {
  int64_t most = 0;
  bool shared = sharesColumns(program);
  program.walk([&](hsa::ReduceOp op) {
    int64_t registers = 0;
    for (Type type : op.getResultTypes()) {
      int64_t columns = getValueColumns(type);
      if (shared && columns > tile::kWideColumns)
        columns /= tile::kColumnWarps;
      registers += countColumns(columns, 32);
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

static int64_t countReductions(hsa::ProgramOp program) {
  int64_t count = 0;
  program.walk([&](hsa::ReduceOp) { ++count; });
  return count;
}

int64_t ramify::estimateRegisters(hsa::ProgramOp program, int64_t keys,
                                  int64_t rows, bool inPasses) {
  int64_t accumulators = countAccumulators(program);
  if (rows && hasProductsOfRows(program))
    return kOthersOfGradients + kReduction * countReductions(program) +
           accumulators +
           countVisitRegisters(program, keys, rows,
                               countCommonWarps(rows, keys),
                               ProductsOfRows::InMemory);
  int64_t scores = countColumns(keys, 32);
  int64_t most = scores;
  // A product of f32 is split: each factor is a large and a small part.
  bool shared = sharesColumns(program);
  if (hasF32Chunks(program)) {
    most = 2 * scores;
    if (inPasses)
      most += kRoundedSums;
    else if (shared)
      most += kSharedAtOnce;
    else if (accumulators > kOneBlock)
      most += kSharedFactors;
  }
  // Weights are not folded into f16: the product stands beside its accumulator,
  // or is made in pieces.
  if (hasChunksOf(program, [](Type type) { return type.isF16(); }))
    most = std::max(scores + kWeights,
                    scores / 2 + std::min(accumulators, kProductPiece)) +
           (inPasses ? kPassState : 0);
  // Long chunks at once: their copies are waited for together, and the
  // addresses of all their tiles stand beside the scores.
  if (!inPasses && scores >= kManyScores)
    most += kTileAddresses;
  return kOthers + accumulators + countQueries(program) + most +
         (shared ? kSharedColumns : 0);
}

/// What the visits of `keys` keys by `rows` rows carry for the gradients of a
/// chunk.
static int64_t countCarried(hsa::ProgramOp program, int64_t keys,
                            int64_t rows) {
  int64_t most = 0;
  program.walk([&](hsa::ReduceOp op) {
    int64_t registers = 0;
    for (Type type : op.getResultTypes())
      if (auto sums = dyn_cast<hsa::SumsType>(type))
        if (auto chunks = dyn_cast<hsa::ChunksType>(sums.getRole()))
          registers += keys * chunks.getDim() /
                       (kLanes * countOwnerWarps(rows, keys, chunks.getDim()));
    most = std::max(most, registers);
  });
  return most;
}

/// The products of rows that a visit is left with, as it would have them in
/// registers.
static int64_t countOutputs(hsa::ProgramOp program) {
  int64_t most = 0;
  program.walk([&](hsa::ReduceOp op) {
    int64_t registers = 0;
    for (Type type : op.getResultTypes())
      registers += countColumns(getValueColumns(type), 32);
    most = std::max(most, registers);
  });
  return most;
}

int64_t ramify::estimateOwnerRegisters(hsa::ProgramOp program, int64_t keys,
                                       int64_t rows, bool inPasses) {
  bool isF32 = hasF32Chunks(program);
  int64_t others = kOthersOfOwner + (isF32 ? kSplittingOfOwner : 0);
  int64_t warps = std::max<int64_t>(rows / kWarpRows, 1);
  int64_t outputs = countOutputs(program);
  if (inPasses)
    return others + outputs +
           countVisitRegisters(program, keys, rows, warps,
                               ProductsOfRows::InMemory);
  // The outputs are products of the last scores, made when the others are gone.
  int64_t visit = countVisitRegisters(program, keys, rows, warps,
                                      ProductsOfRows::InRegisters);
  int64_t last = outputs + countColumns(keys, isF32 ? 32 : 16);
  return others + countCarried(program, keys, rows) + std::max(visit, last);
}

/// Tiles of queries of `rows` rows, of keys, and of what is transposed.
int64_t ramify::estimateOwnerSharedBytes(hsa::ProgramOp program, int64_t keys,
                                         int64_t rows) {
  int64_t bytes = 0;
  auto add = [&](int64_t height, int64_t width, Type element) {
    bytes += height * width * element.getIntOrFloatBitWidth() / 8;
  };
  program.walk([&](hsa::LoadOp op) {
    if (hasRows(op.getType()))
      add(rows, getSize(op.getType(), Axis::Dim),
          getElementTypeOrSelf(op.getType()));
  });
  Type element;
  for (Type type : program.getArgumentTypes())
    if (auto chunks = dyn_cast<hsa::ChunksType>(type)) {
      element = chunks.getElementType();
      add(keys, chunks.getDim(), element);
    }
  program.walk([&](hsa::DotOp op) {
    if (isProductOfRows(op))
      add(rows, keys, element);
  });
  return bytes;
}

bool ramify::fillsRegisters(hsa::ProgramOp program) {
  bool isF16 = hasChunksOf(program, [](Type type) { return type.isF16(); });
  return sharesColumns(program) ||
         countAccumulators(program) > (isF16 ? kMostTwiceOfF16 : kMostTwice);
}

int64_t ramify::estimateGatheredRegisters(hsa::ProgramOp program,
                                          int64_t keys) {
  // Programs so wide that warps share their columns have no room for more.
  if (sharesColumns(program))
    return std::numeric_limits<int64_t>::max();
  // Each product of f32 is summed by itself before it is added up.
  return estimateRegisters(program, keys, /*rows=*/0, /*inPasses=*/false) +
         kChunks + (hasF32Chunks(program) ? countAccumulators(program) : 0);
}
