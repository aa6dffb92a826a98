// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamShape.cpp - Tiles of programs that walk over chunks ----------===//

#include "StreamShape.h"

#include "StreamPasses.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

bool ramify::hasIndependentHeads(hsa::ProgramOp program) {
  for (Type type : program.getResultTypes())
    if (!isa<hsa::SumsType>(type) && !hasAxis(type, Axis::Head))
      return false;
  bool meet = false;
  program.walk([&](Operation *op) {
    // Parts of sums over all query blocks may be of one head each.
    if (auto add = dyn_cast<hsa::AddOp>(op)) {
      meet |= !hasAxis(add.getValue().getType(), Axis::Head) &&
              !isSumOfHeads(add.getValue());
      return;
    }
    if (op->getNumResults() == 1 &&
        endsInStreamSums(op->getResult(0), {Axis::Pos, Axis::Head}))
      return;
    for (Value operand : op->getOperands())
      for (Type type : op->getResultTypes())
        meet |= hasAxis(operand.getType(), Axis::Head) &&
                !hasAxis(type, Axis::Head);
  });
  return !meet;
}

//===----------------------------------------------------------------------===//
// What stands beside the scores
//===----------------------------------------------------------------------===//

/// Whether there are products of f32, which take twice the registers.
static bool hasProductsOfF32(hsa::ProgramOp program) {
  WalkResult result = program.walk([](hsa::DotOp dot) -> WalkResult {
    return failure(llvm::all_of(dot->getOperandTypes(), [](Type type) {
      return getFootprintSize(type) == 2 && getElementTypeOrSelf(type).isF32();
    }));
  });
  return result.wasInterrupted();
}

/// Whether products have a side that is computed of landmarks.
static bool computesLandmarks(hsa::ProgramOp program) {
  WalkResult result = program.walk([](hsa::DotOp dot) -> WalkResult {
    return failure(llvm::any_of(dot->getOperands(), [](Value side) {
      return hasAxis(side.getType(), Axis::Chunk) &&
             hasAxis(side.getType(), Axis::Dim) && !isStreamRead(side);
    }));
  });
  return result.wasInterrupted();
}

/// Fewer chunks, and rows of several heads, where registers are counted and the
/// rows of chunks that are added up beside those of queries are long or many.
static void fitSums(StreamShape &shape, hsa::ProgramOp program,
                    const TileLimits &limits) {
  int64_t dim = 0, numbers = 0;
  for (auto add : program.getBody().front().getOps<hsa::AddOp>()) {
    Type type = add.getValue().getType();
    if (!hasAxis(type, Axis::Chunk))
      continue;
    dim = std::max(dim, getSize(type, Axis::Dim));
    numbers += !hasAxis(type, Axis::Dim);
  }
  if (!limits.registers || !dim)
    return;
  bool isF32 = hasProductsOfF32(program);
  if (dim <= 64) {
    bool isMuch = isF32 && (shape.heads > 1 || computesLandmarks(program));
    bool isCut = countSumsOfWalk(program, shape.chunks, dim) < shape.heads;
    // Each thread has a number of each of its columns' chunks.
    if (isMuch || isCut || numbers > 1)
      shape.chunks = std::min<int64_t>(shape.chunks, 32);
    return;
  }
  shape.chunks = std::min<int64_t>(shape.chunks, isF32 || dim > 128 ? 16 : 32);
  // Shared memory has not room for 64 such rows of a query and for as many that
  // are computed.
  bool isOwn = !limits.streamBlocks;
  if (isF32 && dim > 128 && shape.heads > 1 && isOwn)
    shape.rows = shape.blocks = std::min<int64_t>(shape.rows, 32);
}

/// Streams of single heads that are read at what `topk` picks for all heads
/// together: a tile of chunks has the scores of each beside those it picks by.
static int64_t countCarried(hsa::ProgramOp program, hsa::TopKOp topk,
                            int64_t heads) {
  llvm::DenseSet<Value> seen{topk.getScores()};
  int64_t carried = 0;
  program.walk([&](hsa::TakeOp take) {
    if (findTopK(take.getSlots()) != topk ||
        !seen.insert(take.getStream()).second)
      return;
    bool each = !hasAxis(topk.getScores().getType(), Axis::Head) &&
                hasAxis(take.getStream().getType(), Axis::Head);
    carried += each ? heads : 1;
  });
  return carried;
}

/// Narrower tiles of chunks if there are scores of so many heads at once.
static void fitScores(int64_t heads, StreamShape &shape) {
  constexpr int64_t mostScores = 128, leastChunks = 16;
  while (heads > 1 && shape.chunks > leastChunks &&
         heads * shape.chunks > mostScores)
    shape.chunks /= 2;
}

/// Where registers are counted: narrower tiles if picks carry many scores
/// along, and fewer queries if long lists of them are to lie in shared memory
/// (KeepLists.h), of which a program shall leave half to others.
static void fitLists(hsa::ProgramOp program, const TileLimits &limits,
                     StreamShape &shape) {
  constexpr int64_t wordBytes = 4;
  // Steps of one launch share the memory of tiles that are alike.
  if (limits.streamBlocks)
    program.walk([&](hsa::LogSumExpOp op) {
      if (op.getOver() == Axis::Chunk &&
          hasAxis(op.getInput().getType(), Axis::Head))
        fitScores(shape.heads, shape);
    });
  program.walk([&](hsa::TopKOp topk) {
    int64_t carried = countCarried(program, topk, shape.heads);
    fitScores(carried, shape);
    int64_t places = llvm::alignTo(topk.getK(), shape.slotMultiple);
    auto fits = [&] {
      return 2 * shape.rows * places * (2 + carried) * wordBytes <=
             limits.sharedBytes;
    };
    while (shape.rows > limits.rowsMultiple && !fits()) {
      shape.rows /= 2;
      shape.blocks = std::min(shape.blocks, shape.rows);
    }
  });
}

//===----------------------------------------------------------------------===//
// The shape
//===----------------------------------------------------------------------===//

/// Positions of a block walk as one: says what differs between them.
static LogicalResult refusePositions(hsa::ProgramOp program,
                                     int64_t positions) {
  Operation *first = nullptr, *ofChunks = nullptr;
  program.walk([&](Operation *op) {
    for (Type type : op->getResultTypes()) {
      if (!hasAxis(type, Axis::Pos) || isa<arith::ConstantOp>(op))
        continue;
      first = first ? first : op;
      if (hasAxis(type, Axis::Chunk) || hasAxis(type, Axis::Slot))
        ofChunks = ofChunks ? ofChunks : op;
    }
  });
  Operation *op = ofChunks ? ofChunks : first ? first : program.getOperation();
  return op->emitError()
         << "what is made of all chunks, or of slots, is one for the "
         << positions << " positions of a query block (q_block=" << positions
         << "), but this differs between them: score chunks by an "
            "rl.Query[\"block\"], and use what differs where slots are "
            "visited, as in `weights[slot] * gate`";
}

FailureOr<StreamShape> StreamShape::choose(hsa::ProgramOp program,
                                           const TileLimits &limits) {
  int64_t positions = program.getAxisSize(Axis::Pos);
  if (positions > 1)
    return refusePositions(program, positions);
  StreamShape shape;
  shape.rows = limits.streamRows;
  shape.blocks = limits.streamBlocks ? limits.streamBlocks : shape.rows;
  shape.colsMultiple = limits.colsMultiple;
  // A quad holds eight slots. Products of rows with many dims are cut where
  // registers are counted.
  shape.slotMultiple = std::min<int64_t>(limits.colsMultiple, 8);
  shape.depth = limits.registers ? 64 : 0;
  int64_t heads = std::max<int64_t>(program.getAxisSize(Axis::Head), 1);
  bool isOfOne = hasIndependentHeads(program);
  // One query block for each program is for the programs that attend as well,
  // which have the group's heads: in turn, but where registers are counted, for
  // which nobody has measured that.
  bool isInTurn = isOfOne && limits.streamBlocks && !limits.registers;
  shape.heads = (isOfOne && !limits.streamBlocks) || isInTurn ? 1 : heads;
  shape.turns = isInTurn ? heads : 1;
  shape.chunks = limits.streamChunks;
  fitSums(shape, program, limits);
  if (limits.registers && limits.sharedBytes)
    fitLists(program, limits, shape);
  return shape;
}

std::string StreamShape::describe(unsigned passes) const {
  std::string queries =
      std::to_string(blocks) + (blocks == 1 ? " query" : " queries");
  if (passes == 0)
    return queries + " at a time";
  std::string times = passes == 1 ? "once" : std::to_string(passes) + " times";
  return queries + (blocks == 1 ? " walks" : " walk") + " over the chunks " +
         times + ", " + std::to_string(chunks) + " at a time";
}
