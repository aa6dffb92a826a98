// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- RangeVisits.cpp - The queries around each chunk --------------------===//

#include "RangeVisits.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Which reductions
//===----------------------------------------------------------------------===//

/// Whether sums with the shape of that parameter belong to chunks.
static bool isOfChunks(Type role) {
  if (auto array = dyn_cast<hsa::ArrayType>(role))
    return !array.getPartition().empty();
  return isa<hsa::ChunksType, hsa::LandmarksType>(role);
}

/// Whether an operation outside of `op` that its body needs is a reduction.
static bool needsReduction(hsa::ReduceOp op) {
  llvm::SetVector<Operation *> needed;
  op.getBody().walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (Operation *outer = operand.getDefiningOp())
        if (outer->getBlock() == op->getBlock())
          needed.insert(outer);
  });
  for (size_t next = 0; next < needed.size(); ++next) {
    if (isa<hsa::ReduceOp>(needed[next]))
      return true;
    for (Value operand : needed[next]->getOperands())
      if (Operation *outer = operand.getDefiningOp())
        needed.insert(outer);
  }
  return false;
}

/// Whether the keys that a query sees matter to a value that has no rows: it
/// would differ between queries without having an axis for them.
static bool masksWithoutRows(hsa::ReduceOp op) {
  WalkResult result = op.getBody().walk([](Operation *inner) -> WalkResult {
    if (isa<hsa::ChunkOp, hsa::AtOp>(inner))
      return success();
    auto isChunk = [](Type type) { return isa<hsa::ChunkIdType>(type); };
    bool isMasked = llvm::any_of(inner->getOperandTypes(), isChunk);
    bool isOfKeys = llvm::any_of(inner->getOperandTypes(), [](Type type) {
      return hasAxis(type, Axis::Key);
    });
    return failure(isMasked && isOfKeys &&
                   llvm::none_of(inner->getOperandTypes(), hasRows));
  });
  return result.wasInterrupted();
}

bool ramify::canVisitRange(hsa::ReduceOp op, const Parameters &parameters,
                           const TileLimits &limits) {
  auto program = op->getParentOfType<hsa::ProgramOp>();
  // Times of neighbouring rows must be neighbours.
  if (parameters.hasPadding() || program.getBlockAttr())
    return false;
  if (limits.deterministic || needsReduction(op) || masksWithoutRows(op))
    return false;
  bool hasSumsOfChunks = false;
  for (unsigned index = 0; index < op.getNumResults(); ++index) {
    Type type = op.getResult(index).getType();
    auto sums = dyn_cast<hsa::SumsType>(type);
    if (!sums && (op.getMonoid(index) != hsa::Monoid::Sum || !hasRows(type)))
      return false;
    if (!sums)
      continue;
    hasSumsOfChunks |= isOfChunks(sums.getRole());
    // Each query adds what is its own.
    Operation *made = op.getYielded(index)[0].getDefiningOp();
    if (!made || made->getParentOp() != op ||
        llvm::none_of(made->getOperandTypes(), hasRows))
      return false;
  }
  return hasSumsOfChunks;
}

//===----------------------------------------------------------------------===//
// Items in a plan
//===----------------------------------------------------------------------===//

/// A number of keys in a plan, an index; null if a kernel computes it.
static Value getPlanValue(TileBuilder &b, Value keys, ValueRange arguments) {
  APInt constant;
  if (matchPattern(keys, m_ConstantInt(&constant)))
    return b.index(std::max<int64_t>(constant.getSExtValue(), 0));
  if (auto argument = dyn_cast<BlockArgument>(keys))
    return b.max(b.toIndex(arguments[argument.getArgNumber()]), b.index(0));
  return nullptr;
}

RangeItems ramify::countRangeItems(TileBuilder &b, hsa::ReduceOp op,
                                   ValueRange arguments, Value rows,
                                   int64_t positions, Value chunks) {
  auto domain = cast<hsa::DomainType>(op.getDomain().getType());
  auto program = op->getParentOfType<hsa::ProgramOp>();
  Value keys = b.index(program.getChunkSize(domain.getPartition()));
  auto divideUp = [&](Value value, Value divisor) -> Value {
    return b.create<arith::CeilDivUIOp>(value, divisor);
  };
  Value one = b.index(1);
  Value queries = b.mul(rows, b.index(positions));
  // What the rows see, and the rows that see a chunk, unless that is all.
  Value seen, seeing;
  Operation *range = op.getDomain().getDefiningOp();
  if (auto window = dyn_cast<hsa::WindowOp>(range)) {
    if (Value last = getPlanValue(b, window.getLast(), arguments)) {
      Value reach = b.add(last, keys);
      seen = b.add(divideUp(b.add(queries, reach), keys), one);
      seeing = b.add(divideUp(reach, b.index(positions)), one);
    }
  } else if (auto first = dyn_cast<hsa::FirstOp>(range)) {
    if (Value last = getPlanValue(b, first.getKeys(), arguments))
      seen = divideUp(last, keys);
  } else if (isa<hsa::OwnOp>(range)) {
    seen = b.add(divideUp(queries, keys), one);
    seeing = b.add(divideUp(keys, b.index(positions)), one);
  }
  seen = seen ? b.min(seen, chunks) : chunks;
  seeing = seeing ? b.min(seeing, rows) : rows;
  RangeItems items;
  items.pieces = b.max(divideUp(seeing, b.index(kItemEntries)), one);
  items.count = b.mul(seen, items.pieces);
  return items;
}

/// Chunks have 16 keys at least: it is 1024 rows, however many there are.
Value ramify::getMostRangeRows(TileBuilder &b, Value chunks) {
  constexpr int64_t mostItems = std::numeric_limits<int32_t>::max();
  Value pieces =
      b.create<arith::DivUIOp>(b.index(mostItems), b.max(chunks, b.index(1)));
  return b.mul(pieces, b.index(kItemEntries));
}

//===----------------------------------------------------------------------===//
// Items in a kernel
//===----------------------------------------------------------------------===//

void ramify::addRangeArguments(SmallVectorImpl<KernelArgument> &arguments,
                               MLIRContext *context) {
  Type i32 = IntegerType::get(context, 32);
  for (StringRef name : {"window_rows", "pieces"})
    arguments.push_back({name.str(), i32});
}

ItemEntries ramify::emitRangeItem(BodyEmitter &emitter,
                                  const RangeDomain &range, Value number,
                                  const RangeWindow &window) {
  TileBuilder &b = emitter.b;
  const Rows &rows = emitter.rows;
  Value item = b.toI32(number);
  auto divide = [&](Value value, Value divisor) -> Value {
    return b.create<arith::DivUIOp>(value, divisor);
  };
  auto [low, high] = range.getChunks(b);
  Value chunk = divide(item, window.pieces);
  Value piece = b.sub(item, b.mul(chunk, window.pieces));
  ItemEntries entries;
  entries.chunk = b.add(low, chunk);
  auto [from, to] = range.getTimes(b, entries.chunk);
  Value positions = b.i32(emitter.shape.positions);
  entries.first = divide(b.sub(from, rows.firstTime), positions);
  Value behind = b.sub(to, rows.firstTime);
  behind = b.add(behind, b.i32(emitter.shape.positions - 1));
  behind = b.min(divide(b.max(behind, b.i32(0)), positions), window.rows);
  Value isSeen = b.compare(Predicate::slt, entries.chunk, high);
  entries.behind = b.choose(isSeen, behind, b.i32(0));
  entries.begin = b.add(entries.first, b.mul(piece, b.i32(kItemEntries)));
  entries.end =
      b.min(b.add(entries.begin, b.i32(kItemEntries)), entries.behind);
  return entries;
}
