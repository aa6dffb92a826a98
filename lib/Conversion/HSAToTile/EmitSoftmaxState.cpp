// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitSoftmaxState.cpp - Accumulators and running softmax ------------===//
//
// A running softmax is m, l and a for each row: the maximum of the scores to
// base 2, the sum of 2^(s - m) and the sum of 2^(s - m) v. Adding scores moves
// the maximum and scales what is there:
//
//     m' = max(m, max s)    l' = 2^(m - m') l + sum 2^(s - m')    a' likewise
//
// Where nothing has been added m is -inf, and 0 is taken out of the exponents
// in its place: 2^(-inf - 0) = 0 and nothing is NaN.
//
//===----------------------------------------------------------------------===//

#include "BodyEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <numbers>

using namespace mlir;
using namespace ramify;
using hsa::Axis;

namespace {
struct State {
  Value maximum, sum, values;
};
} // namespace

/// Moves the maximum of `state` up to `maximum`; returns what the exponents of
/// new scores take out.
static Value raise(TileBuilder &b, State &state, Value maximum) {
  Value next = b.maxf(state.maximum, maximum);
  Value dead = b.equals(next, getNeutral(hsa::Monoid::Max));
  Value reference = b.choose(dead, b.full(next.getType(), 0), next);
  Value decay = b.exp2(b.subf(state.maximum, reference));
  state.maximum = next;
  state.sum = b.mulf(state.sum, decay);
  state.values =
      b.mulf(state.values, b.repeat(decay, 1, state.values.getType()));
  return reference;
}

/// Adds scores of rows by keys, to base 2, with the values of the keys.
static void merge(TileBuilder &b, State &state, Tiles scores, Tiles values) {
  Value maximum;
  for (Value tile : scores) {
    Value one = b.reduce(tile::Combine::Max, tile, 1);
    maximum = maximum ? b.maxf(maximum, one) : one;
  }
  Value reference = raise(b, state, maximum);
  for (auto [part, tile] : llvm::enumerate(scores)) {
    Value value = values[part];
    Value p = b.exp2(b.subf(tile, b.repeat(reference, 1, tile.getType())));
    state.sum = b.addf(state.sum, b.reduce(tile::Combine::Sum, p, 1));
    Type element = getElementTypeOrSelf(value);
    if (!element.isF32())
      p = b.create<arith::TruncFOp>(withElement(p.getType(), element), p);
    state.values =
        b.create<tile::DotOp>(state.values.getType(), p,
                              /*transposed=*/false, value, state.values);
  }
}

/// Adds a score for each row, to base 2, with its value, once for each part.
static void push(TileBuilder &b, State &state, Tiles scores, Tiles values) {
  Value maximum;
  for (Value score : scores)
    maximum = maximum ? b.maxf(maximum, score) : score;
  Value reference = raise(b, state, maximum);
  Type type = state.values.getType();
  for (auto [part, score] : llvm::enumerate(scores)) {
    Value p = b.exp2(b.subf(score, reference));
    state.sum = b.addf(state.sum, p);
    Value weighted =
        b.mulf(b.repeat(p, 1, type), b.repeat(takePart(values, part), 0, type));
    state.values = b.addf(state.values, weighted);
  }
}

Tiles ramify::combineStates(TileBuilder &b, ValueRange lhs, ValueRange rhs) {
  State left{lhs[0], lhs[1], lhs[2]}, right{rhs[0], rhs[1], rhs[2]};
  Value maximum = right.maximum;
  raise(b, right, left.maximum);
  raise(b, left, maximum);
  return {left.maximum, b.addf(left.sum, right.sum),
          b.addf(left.values, right.values)};
}

//===----------------------------------------------------------------------===//
// Operations on states
//===----------------------------------------------------------------------===//

LogicalResult BodyEmitter::emitOp(hsa::OnlineSoftmaxOp op) {
  auto type = op.getType();
  Type row = shape.getTile(type.getRowType());
  set(op, {b.negInf(row), b.full(row, 0),
           b.full(shape.getTile(type.getValue()), 0)});
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::PushOp op) {
  Tiles before = getTiles(op.getState());
  State state{before[0], before[1], before[2]};
  push(b, state, emitScaled(op.getLogit()), getTiles(op.getValue()));
  set(op, {state.maximum, state.sum, state.values});
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::ValueOp op) {
  Tiles state = getTiles(op.getState());
  Value sum = state[1], values = state[2];
  Type row = sum.getType();
  Value inverse = b.create<arith::DivFOp>(b.full(row, 1), sum);
  inverse = b.choose(b.equals(sum, 0), b.full(row, 0), inverse);
  set(op, {b.mulf(values, b.repeat(inverse, 1, values.getType()))});
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::LseOp op) {
  Tiles state = getTiles(op.getState());
  Value maximum = state[0], sum = state[1];
  Type row = sum.getType();
  Value lse = b.addf(b.mulf(maximum, b.full(row, std::numbers::ln2)),
                     b.create<math::LogOp>(sum));
  set(op, {b.choose(b.equals(sum, 0), b.negInf(row), lse)});
  return success();
}

//===----------------------------------------------------------------------===//
// Accumulation
//===----------------------------------------------------------------------===//

unsigned BodyEmitter::countStates(Type type) {
  if (isa<hsa::SumsType>(type))
    return 0;
  return isa<hsa::SoftmaxStateType>(type) ? 3 : 1;
}

/// Whether a visit without valid keys yields zero.
static bool isZeroWithoutKeys(Value value) {
  if (value.getDefiningOp<hsa::MaskOp>())
    return hasRows(value.getType());
  if (auto dot = value.getDefiningOp<hsa::DotOp>())
    return dot.getOver().contains(Axis::Key);
  if (auto product = value.getDefiningOp<arith::MulFOp>()) {
    Value lhs = product.getLhs(), rhs = product.getRhs();
    return (isZeroWithoutKeys(lhs) && isFiniteWithoutKeys(rhs)) ||
           (isZeroWithoutKeys(rhs) && isFiniteWithoutKeys(lhs));
  }
  return false;
}

Value BodyEmitter::maskRows(unsigned part, Value tile, double neutral) {
  auto type = dyn_cast<RankedTensorType>(tile.getType());
  if (!type) { // a sum over rows, which were masked, unless there is no chunk
    Value present = chunk->getPresent(part);
    return present ? b.choose(present, tile, b.full(tile.getType(), neutral))
                   : tile;
  }
  Value visited = chunk->visited ? chunk->visited(b, part) : Value();
  if (!visited)
    return tile;
  return b.choose(b.repeat(visited, 1, type), tile, b.full(type, neutral));
}

/// Zero where the slot of the part is empty: the exponential of -inf times that
/// is zero.
static Value maskAbsent(TileBuilder &b, const Chunk &chunk, unsigned part,
                        Value tile) {
  Value present = chunk.getPresent(part);
  if (!present)
    return tile;
  auto type = cast<RankedTensorType>(tile.getType());
  return b.choose(b.splat(present, type.getShape()), tile, b.full(type, 0));
}

bool BodyEmitter::isMerge(hsa::ReduceOp op, unsigned index) {
  return op.getMonoid(index) == hsa::Monoid::Softmax &&
         hasAxis(op.getYielded(index)[0].getType(), Axis::Key);
}

LogicalResult BodyEmitter::emitMerge(hsa::ReduceOp op, unsigned index,
                                     MutableArrayRef<Value> slots) {
  double negInf = getNeutral(hsa::Monoid::Max);
  auto yielded = op.getYielded(index);
  FailureOr<Tiles> scores =
      maskKeys(op, emitScaled(yielded[0]), yielded[0].getType(), negInf);
  if (failed(scores))
    return failure();
  Tiles values;
  for (unsigned part = 0; part < scores->size(); ++part)
    values.push_back(
        maskDead(yielded[1], takePart(getTiles(yielded[1]), part), part));
  State state{slots[0], slots[1], slots[2]};
  merge(b, state, *scores, values);
  std::tie(slots[0], slots[1], slots[2]) =
      std::tie(state.maximum, state.sum, state.values);
  return success();
}

LogicalResult BodyEmitter::emitSums(hsa::ReduceOp op, unsigned index) {
  return addToSums(op, op.getResult(index), op.getYielded(index)[0]);
}

bool BodyEmitter::isKeyedSum(hsa::ReduceOp op, unsigned index) {
  return isa<hsa::SumsType>(op.getResult(index).getType()) &&
         hasAxis(op.getYielded(index)[0].getType(), Axis::Key);
}

Operation *BodyEmitter::getSummand(hsa::ReduceOp op, unsigned index) {
  Operation *inner = op.getYielded(index)[0].getDefiningOp();
  return inner && inner->getParentOp() == op ? inner : nullptr;
}

LogicalResult BodyEmitter::emitKeyedSums(hsa::ReduceOp op, Operation *inner) {
  for (unsigned index = 0; index < op.getNumResults(); ++index)
    if (isKeyedSum(op, index) && getSummand(op, index) == inner &&
        failed(emitSums(op, index)))
      return failure();
  return success();
}

/// Adds what a visit yields for accumulator `index` to `slots`, part by part.
void BodyEmitter::accumulate(hsa::ReduceOp op, unsigned index,
                             MutableArrayRef<Value> slots) {
  hsa::Monoid monoid = op.getMonoid(index);
  auto yielded = op.getYielded(index);
  bool pushes = monoid == hsa::Monoid::Softmax;
  bool masks = monoid != hsa::Monoid::Sum || !isZeroWithoutKeys(yielded[0]);
  double neutral = getNeutral(pushes ? hsa::Monoid::Max : monoid);
  Tiles all = pushes ? emitScaled(yielded[0]) : getTiles(yielded[0]);
  Tiles tiles, values;
  for (unsigned part = 0; part < chunk->numbers.size(); ++part) {
    Value tile = takePart(all, part);
    if (!pushes && isa<RankedTensorType>(slots[0].getType()))
      tile = b.splat(tile, {shape.rows});
    tiles.push_back(masks ? maskRows(part, tile, neutral) : tile);
    if (pushes)
      values.push_back(
          maskAbsent(b, *chunk, part, takePart(getTiles(yielded[1]), part)));
  }
  if (!pushes) {
    for (Value tile : tiles)
      slots[0] = emitCombine(b, monoid, slots[0], tile);
    return;
  }
  State state{slots[0], slots[1], slots[2]};
  push(b, state, tiles, values);
  std::tie(slots[0], slots[1], slots[2]) =
      std::tie(state.maximum, state.sum, state.values);
}

FailureOr<Tiles> BodyEmitter::emitAccumulation(hsa::ReduceOp op,
                                               ValueRange before, Done done) {
  Tiles after(before.begin(), before.end());
  MutableArrayRef<Value> rest = after;
  for (unsigned index = 0; index < op.getNumResults(); ++index) {
    Type type = op.getResult(index).getType();
    unsigned count = countStates(type);
    MutableArrayRef<Value> slots = rest.take_front(count);
    rest = rest.drop_front(count);
    if (isa<hsa::SumsType>(type)) {
      if ((done == Done::Nothing || !isKeyedSum(op, index)) &&
          failed(emitSums(op, index)))
        return failure();
    } else if (isMerge(op, index)) {
      if (done != Done::KeyedSumsAndMerges &&
          failed(emitMerge(op, index, slots)))
        return failure();
    } else {
      accumulate(op, index, slots);
    }
  }
  return after;
}
