// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KeyPasses.cpp - A chunk tile by tile -------------------------------===//

#include "KeyPasses.h"

#include "Domains.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

namespace {
class KeyPasses {
public:
  KeyPasses(BodyEmitter &emitter, hsa::ReduceOp op, int64_t keys, Chunk &chunk)
      : emitter(emitter), b(emitter.b), op(op), keys(keys), chunk(chunk) {
    findPasses();
  }
  FailureOr<Tiles> emit(ValueRange before);

private:
  /// What a pass computes over all keys.
  struct Pass {
    SmallVector<Operation *> reductions;       ///< in program order
    SmallVector<unsigned> merges;              ///< accumulators
    SmallVector<unsigned> sums;                ///< accumulators in memory
    llvm::SmallPtrSet<Operation *, 16> needed; ///< with a key axis, for these
  };

  void findPasses();
  Pass &getPass(unsigned number);
  void need(Pass &pass, Value value);
  LogicalResult emitBetween(unsigned number);
  LogicalResult emitPass(Pass &pass, Tiles &states);
  FailureOr<Tiles> emitTile(Pass &pass, Value number, ValueRange before);
  Tiles getStart(Operation *reduction);
  FailureOr<Tiles> emitReduction(Operation *reduction, ValueRange before);
  LogicalResult emitAgain(Operation *inner);
  LogicalResult emitSums(const Pass &pass, Operation *inner);
  MutableArrayRef<Value> getStates(Tiles &states, unsigned index);

  BodyEmitter &emitter;
  TileBuilder &b;
  hsa::ReduceOp op;
  int64_t keys;
  Chunk &chunk;

  std::vector<Pass> passes;
  llvm::DenseMap<Value, unsigned> known; ///< the first pass that can use it
  llvm::DenseMap<Operation *, Tiles> statistics; ///< of softmaxes
};
} // namespace

//===----------------------------------------------------------------------===//
// What belongs to which pass
//===----------------------------------------------------------------------===//

static bool isOverKey(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<hsa::DotOp, hsa::FoldOp>(
          [](auto typed) { return typed.getOver().contains(Axis::Key); })
      .Case([](hsa::SoftmaxOp op) { return op.getOver() == Axis::Key; })
      .Default([](Operation *) { return false; });
}

static bool hasKeys(Operation *op) {
  return hasAxis(op->getResult(0).getType(), Axis::Key);
}

KeyPasses::Pass &KeyPasses::getPass(unsigned number) {
  if (passes.size() <= number)
    passes.resize(number + 1);
  return passes[number];
}

/// Marks what a pass has to compute of `value` for its tiles.
void KeyPasses::need(Pass &pass, Value value) {
  Operation *inner = value.getDefiningOp();
  if (!inner || inner->getParentOp() != op || !hasKeys(inner) ||
      !pass.needed.insert(inner).second)
    return;
  for (Value operand : inner->getOperands())
    need(pass, operand);
}

void KeyPasses::findPasses() {
  auto getKnown = [&](ValueRange values) {
    unsigned first = 0;
    for (Value value : values)
      first = std::max(first, known.lookup(value));
    return first;
  };
  for (Operation &inner : op.getBody().front().without_terminator()) {
    unsigned number = getKnown(inner.getOperands());
    if (isOverKey(&inner)) {
      getPass(number).reductions.push_back(&inner);
      ++number;
    }
    known[inner.getResult(0)] = number;
  }
  for (unsigned index = 0; index < op.getNumResults(); ++index)
    if (BodyEmitter::isMerge(op, index))
      getPass(getKnown(op.getYielded(index))).merges.push_back(index);
    else if (BodyEmitter::isKeyedSum(op, index))
      getPass(getKnown(op.getYielded(index))).sums.push_back(index);
  for (Pass &pass : passes) {
    for (Operation *reduction : pass.reductions)
      for (Value operand : reduction->getOperands())
        need(pass, operand);
    for (ArrayRef<unsigned> indices : {pass.merges, pass.sums})
      for (unsigned index : indices)
        for (Value value : op.getYielded(index))
          need(pass, value);
  }
}

//===----------------------------------------------------------------------===//
// Reductions over keys
//===----------------------------------------------------------------------===//

Tiles KeyPasses::getStart(Operation *reduction) {
  if (auto softmax = dyn_cast<hsa::SoftmaxOp>(reduction))
    return emitter.getEmptyStatistics(softmax);
  auto fold = dyn_cast<hsa::FoldOp>(reduction);
  double neutral = fold ? getNeutral(fold.getMonoid()) : 0;
  Type type = emitter.shape.getTile(reduction->getResult(0).getType());
  return {b.full(type, neutral)};
}

FailureOr<Tiles> KeyPasses::emitReduction(Operation *reduction,
                                          ValueRange before) {
  if (auto softmax = dyn_cast<hsa::SoftmaxOp>(reduction))
    return emitter.emitStatistics(softmax, before);
  if (failed(emitter.emit(reduction)))
    return failure();
  auto fold = dyn_cast<hsa::FoldOp>(reduction);
  Value tile = emitter.get(reduction->getResult(0));
  return Tiles{emitCombine(b, fold ? fold.getMonoid() : hsa::Monoid::Sum,
                           before[0], tile)};
}

/// Emits what has a key axis, for one tile.
LogicalResult KeyPasses::emitAgain(Operation *inner) {
  auto softmax = dyn_cast<hsa::SoftmaxOp>(inner);
  if (softmax && isOverKey(inner))
    return emitter.emitWithStatistics(softmax, statistics[inner]);
  return emitter.emit(inner);
}

/// Adds what `inner` has just made to the sums that this pass makes of it.
LogicalResult KeyPasses::emitSums(const Pass &pass, Operation *inner) {
  for (unsigned index : pass.sums)
    if (BodyEmitter::getSummand(op, index) == inner &&
        failed(emitter.emitSums(op, index)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

MutableArrayRef<Value> KeyPasses::getStates(Tiles &states, unsigned index) {
  unsigned first = 0;
  for (unsigned before = 0; before < index; ++before)
    first += BodyEmitter::countStates(op.getResult(before).getType());
  return MutableArrayRef<Value>(states).slice(
      first, BodyEmitter::countStates(op.getResult(index).getType()));
}

/// Emits what has no key axis and is known before pass `number`, not earlier.
LogicalResult KeyPasses::emitBetween(unsigned number) {
  emitter.chunk = &chunk;
  for (Operation &inner : op.getBody().front().without_terminator())
    if (!hasKeys(&inner) && !isOverKey(&inner) &&
        known.lookup(inner.getResult(0)) == number &&
        failed(emitter.emit(&inner)))
      return failure();
  return success();
}

/// What the pass carries, after the tile `number`, from what it carried before.
FailureOr<Tiles> KeyPasses::emitTile(Pass &pass, Value number,
                                     ValueRange before) {
  Chunk tile = getKeyTile(emitter, chunk, number, keys);
  emitter.chunk = &tile;
  Tiles after;
  if (failed(emitSums(pass, nullptr)))
    return failure();
  for (Operation &inner : op.getBody().front().without_terminator()) {
    if (llvm::is_contained(pass.reductions, &inner)) {
      FailureOr<Tiles> next =
          emitReduction(&inner, before.drop_front(after.size()));
      if (failed(next))
        return failure();
      llvm::append_range(after, *next);
    } else if (pass.needed.contains(&inner) &&
               (failed(emitAgain(&inner)) || failed(emitSums(pass, &inner)))) {
      return failure();
    }
  }
  b.setLoc(op.getLoc());
  for (unsigned index : pass.merges) {
    Tiles state(before.slice(after.size(), 3));
    if (failed(emitter.emitMerge(op, index, state)))
      return failure();
    llvm::append_range(after, state);
  }
  return after;
}

LogicalResult KeyPasses::emitPass(Pass &pass, Tiles &states) {
  b.setLoc(op.getLoc());
  Tiles starts;
  for (Operation *reduction : pass.reductions)
    llvm::append_range(starts, getStart(reduction));
  for (unsigned index : pass.merges)
    llvm::append_range(starts, getStates(states, index));
  auto loop = b.create<scf::ForOp>(
      b.index(0), b.index(emitter.shape.getKeyTiles(keys)), b.index(1), starts);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    FailureOr<Tiles> after =
        emitTile(pass, loop.getInductionVar(), loop.getRegionIterArgs());
    if (failed(after))
      return failure();
    if (!after->empty())
      b.create<scf::YieldOp>(*after);
  }
  ValueRange results = loop.getResults();
  for (Operation *reduction : pass.reductions) {
    bool softmax = isa<hsa::SoftmaxOp>(reduction);
    Tiles own(results.take_front(softmax ? 2 : 1));
    results = results.drop_front(own.size());
    if (softmax)
      statistics[reduction] = own;
    else
      emitter.set(reduction->getResult(0), own);
  }
  for (unsigned index : pass.merges) {
    llvm::copy(results.take_front(3), getStates(states, index).begin());
    results = results.drop_front(3);
  }
  return success();
}

FailureOr<Tiles> KeyPasses::emit(ValueRange before) {
  Tiles states(before.begin(), before.end());
  for (auto [number, pass] : llvm::enumerate(passes))
    if (failed(emitBetween(number)) || failed(emitPass(pass, states)))
      return failure();
  if (failed(emitBetween(passes.size())))
    return failure();
  b.setLoc(op.getLoc());
  FailureOr<Tiles> after = emitter.emitAccumulation(
      op, states, BodyEmitter::Done::KeyedSumsAndMerges);
  emitter.chunk = nullptr;
  return after;
}

FailureOr<Tiles> ramify::emitInPasses(BodyEmitter &emitter, hsa::ReduceOp op,
                                      int64_t keys, Chunk &chunk,
                                      ValueRange before) {
  return KeyPasses(emitter, op, keys, chunk).emit(before);
}
