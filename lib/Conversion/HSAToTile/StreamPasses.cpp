// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamPasses.cpp - Walks over chunks -------------------------------===//

#include "StreamPasses.h"

#include "StreamReductions.h"
#include "VisibleChunks.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

hsa::TopKOp ramify::findTopK(Value slots) {
  if (auto topk = slots.getDefiningOp<hsa::TopKOp>())
    return topk;
  auto isEmpty = [](Value value) {
    if (auto broadcast = value.getDefiningOp<hsa::BroadcastOp>())
      value = broadcast.getInput();
    APInt number;
    return matchPattern(value, m_ConstantInt(&number)) && number.isNegative();
  };
  auto select = slots.getDefiningOp<arith::SelectOp>();
  if (!select)
    return nullptr;
  if (isEmpty(select.getFalseValue()))
    return findTopK(select.getTrueValue());
  return isEmpty(select.getTrueValue()) ? findTopK(select.getFalseValue())
                                        : nullptr;
}

//===----------------------------------------------------------------------===//
// Which pass
//===----------------------------------------------------------------------===//

namespace {
/// Assigns each reduction the first pass before which all it needs is known.
class PassNumbers {
public:
  explicit PassNumbers(hsa::ProgramOp program) {
    program.walk([&](hsa::TakeOp take) {
      if (hsa::TopKOp topk = findTopK(take.getSlots()))
        takes[topk].push_back(take);
    });
  }

  /// The number of passes before which `value` cannot be known; none if it
  /// depends on itself.
  FailureOr<int> getDepth(Value value);
  /// The pass of a reduction.
  FailureOr<int> getPass(Operation *op);

  llvm::DenseMap<Operation *, SmallVector<hsa::TakeOp>> takes; ///< of a topk

private:
  llvm::DenseMap<Operation *, int> passes;
  llvm::DenseMap<Value, int> depths;
  llvm::DenseSet<Operation *> open;
};
} // namespace

FailureOr<int> PassNumbers::getPass(Operation *op) {
  if (auto found = passes.find(op); found != passes.end())
    return found->second;
  if (!open.insert(op).second)
    return op->emitOpError("picks by a value at its own slots");
  int pass = 0;
  SmallVector<Value> needed(op->getOperands());
  if (isa<hsa::AddOp>(op)) // memory takes what comes in any order
    needed.pop_back();
  for (hsa::TakeOp take : takes.lookup(op))
    needed.push_back(take.getStream());
  for (Value value : needed) {
    FailureOr<int> depth = getDepth(value);
    if (failed(depth))
      return failure();
    pass = std::max(pass, *depth);
  }
  open.erase(op);
  return passes[op] = pass;
}

FailureOr<int> PassNumbers::getDepth(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return 0;
  if (auto found = depths.find(value); found != depths.end())
    return found->second;
  Operation *reduction = op;
  if (auto take = dyn_cast<hsa::TakeOp>(op))
    reduction = findTopK(take.getSlots());
  int depth = 0;
  if (reduction && isStreamReduction(reduction)) {
    FailureOr<int> pass = getPass(reduction);
    if (failed(pass))
      return failure();
    depth = *pass + 1;
  }
  for (Value operand : op->getOperands()) {
    FailureOr<int> needed = getDepth(operand);
    if (failed(needed))
      return failure();
    depth = std::max(depth, *needed);
  }
  return depths[value] = depth;
}

//===----------------------------------------------------------------------===//
// One pass
//===----------------------------------------------------------------------===//

/// How many chunks the pass must visit, as i32.
static Value countVisible(StreamEmitter &emitter,
                          ArrayRef<StreamReduction> reductions) {
  bool limited = llvm::all_of(reductions, [](const StreamReduction &one) {
    return isLimitedByPosition(one.input, one.getNeutral());
  });
  Value last = emitter.body.rows.lastTime;
  if (!limited || !last)
    return emitter.size.chunks;
  TileBuilder &b = emitter.b;
  // Those that start at or before the last query.
  Value behind = b.max(b.add(last, b.i32(emitter.chunkSize)), b.i32(0));
  return b.min(b.div(behind, emitter.chunkSize), emitter.size.chunks);
}

static LogicalResult emitPass(StreamEmitter &emitter,
                              ArrayRef<StreamReduction> reductions) {
  TileBuilder &b = emitter.b;
  Tiles states;
  for (const StreamReduction &one : reductions) {
    for (Value stream : one.getStreams())
      if (failed(emitter.prepare(stream, Axis::Chunk)))
        return failure();
    llvm::append_range(states, one.start(emitter));
  }
  emitter.forgetRowsOfHeads();
  Value visible = countVisible(emitter, reductions);
  auto loop = b.create<scf::ForOp>(b.index(0), b.toIndex(visible),
                                   b.index(emitter.shape.chunks), states);
  {
    OpBuilder::InsertionGuard guard(b);
    if (states.empty()) // the loop ends by itself
      loop.getBody()->getTerminator()->erase();
    b.setInsertionPointToStart(loop.getBody());
    ChunkTile tile;
    tile.ids =
        b.add(b.iota(emitter.shape.chunks), b.toI32(loop.getInductionVar()));
    tile.live =
        b.compare(arith::CmpIPredicate::slt, tile.ids, emitter.size.chunks);
    emitter.tile = &tile;
    emitter.enter();
    ValueRange before = loop.getRegionIterArgs();
    Tiles after;
    for (const StreamReduction &one : reductions) {
      FailureOr<Tiles> next =
          one.advance(emitter, before.take_front(one.countStates(emitter)));
      if (failed(next))
        return failure();
      before = before.drop_front(one.countStates(emitter));
      llvm::append_range(after, *next);
    }
    emitter.leave();
    emitter.tile = nullptr;
    b.create<scf::YieldOp>(after);
  }
  ValueRange results = loop.getResults();
  for (const StreamReduction &one : reductions) {
    one.finish(emitter, results.take_front(one.countStates(emitter)));
    results = results.drop_front(one.countStates(emitter));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// All of them
//===----------------------------------------------------------------------===//

/// Registers of a thread for the sums that one walk keeps and for tiles of
/// scores: those that are computed for each head, and those of all heads.
static constexpr int64_t kSumsAndScores = 256, kScores = 4;

/// What `columns` of 32 bits take, when a warp has 16 rows.
static int64_t countRegisters(int64_t columns) {
  return std::max<int64_t>(columns / 2, 1);
}

/// Tiles of scores that all heads share while those of one head are computed.
static int64_t countSharedScores(hsa::ProgramOp program) {
  llvm::DenseSet<Value> shared;
  program.walk([&](hsa::BroadcastOp op) {
    Type input = op.getInput().getType();
    if (hasAxis(input, Axis::Pos) && hasAxis(input, Axis::Chunk) &&
        !hasAxis(input, Axis::Head) && hasAxis(op.getType(), Axis::Head))
      shared.insert(op.getInput());
  });
  return shared.size();
}

int64_t ramify::countSumsOfWalk(hsa::ProgramOp program, int64_t chunks,
                                int64_t dim) {
  int64_t scores = kScores + countSharedScores(program);
  int64_t most = kSumsAndScores - scores * countRegisters(chunks);
  return std::max<int64_t>(most / countRegisters(dim), 1);
}

/// Those that one walk makes. Sums with a column for each dim are many where a
/// program has many heads: a few at a time, each with a walk that computes what
/// they are summed of again, and one for what goes to memory unless little
/// stands beside the sums.
static SmallVector<SmallVector<StreamReduction>>
cutPass(const StreamEmitter &emitter, ArrayRef<StreamReduction> reductions) {
  auto isSum = [](const StreamReduction &one) {
    return isa<hsa::DotOp>(one.op);
  };
  int64_t sums = llvm::count_if(reductions, isSum), dim = 1;
  for (const StreamReduction &one : llvm::make_filter_range(reductions, isSum))
    dim = std::max(dim, getSize(one.op->getResult(0).getType(), Axis::Dim));
  int64_t walks = 1;
  if (emitter.shape.depth && sums > 1)
    walks = llvm::divideCeil(
        sums, countSumsOfWalk(emitter.body.program, emitter.shape.chunks, dim));
  int64_t ofWalk = llvm::divideCeil(std::max<int64_t>(sums, 1), walks);
  SmallVector<SmallVector<StreamReduction>> cut(walks);
  int64_t number = 0;
  for (const StreamReduction &one : reductions)
    cut[isSum(one) ? number++ / ofWalk : 0].push_back(one);
  bool isFull = emitter.shape.depth && sums > 1 &&
                countSharedScores(emitter.body.program);
  if (walks == 1 && !isFull)
    return cut;
  auto isAdd = [](const StreamReduction &one) {
    return isa<hsa::AddOp>(one.op);
  };
  SmallVector<StreamReduction> added;
  llvm::copy_if(cut[0], std::back_inserter(added), isAdd);
  llvm::erase_if(cut[0], isAdd);
  if (!added.empty())
    cut.push_back(added);
  return cut;
}

FailureOr<unsigned>
ramify::emitStreamPasses(StreamEmitter &emitter, hsa::ProgramOp program,
                         llvm::function_ref<LogicalResult()> between) {
  PassNumbers numbers(program);
  std::map<int, SmallVector<StreamReduction>> passes;
  for (Operation &op : program.getBody().front()) {
    if (!isStreamReduction(&op))
      continue;
    FailureOr<int> pass = numbers.getPass(&op);
    if (failed(pass))
      return failure();
    for (StreamHead head : getReductionHeads(emitter, &op))
      passes[*pass].emplace_back(&op, head, numbers.takes.lookup(&op));
  }
  bool isGradient = !program.getBody().front().getOps<hsa::AddOp>().empty();
  unsigned walks = 0;
  for (auto &[number, reductions] : passes) {
    auto cut = cutPass(emitter, reductions);
    for (ArrayRef<StreamReduction> walk : cut) {
      if (failed(emitPass(emitter, walk)) ||
          (cut.size() > 1 && failed(between())))
        return failure();
      if (isGradient && emitter.shape.heads > 1)
        emitter.forgetRows();
    }
    walks += cut.size();
  }
  if (isGradient)
    emitter.forgetRows();
  return walks;
}
