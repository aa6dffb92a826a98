// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VisibleChunks.cpp - How far a walk over chunks must go -------------===//

#include "VisibleChunks.h"

#include "StreamEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

static Value skipBroadcasts(Value value) {
  while (auto broadcast = value.getDefiningOp<hsa::BroadcastOp>())
    value = broadcast.getInput();
  return value;
}

/// The first or the last key of each chunk, and what is behind it.
static bool isPlaceOfChunk(Value value) {
  auto info = skipBroadcasts(value).getDefiningOp<hsa::ChunkInfoOp>();
  return info && (info.getInfo() == hsa::ChunkInfo::Start ||
                  info.getInfo() == hsa::ChunkInfo::End);
}

static bool isPosition(Value value) {
  return isa_and_nonnull<hsa::QueryPositionsOp, hsa::BlockPositionOp>(
      skipBroadcasts(value).getDefiningOp());
}

/// Whether `condition` is false for each chunk that starts behind the query.
static bool impliesBehind(Value condition) {
  condition = skipBroadcasts(condition);
  Operation *op = condition.getDefiningOp();
  if (isa_and_nonnull<arith::AndIOp>(op))
    return impliesBehind(op->getOperand(0)) || impliesBehind(op->getOperand(1));
  if (isa_and_nonnull<arith::OrIOp>(op))
    return impliesBehind(op->getOperand(0)) && impliesBehind(op->getOperand(1));
  auto compare = dyn_cast_or_null<arith::CmpIOp>(op);
  if (!compare)
    return false;
  Predicate predicate = compare.getPredicate();
  if (predicate == Predicate::sle || predicate == Predicate::slt)
    return isPlaceOfChunk(compare.getLhs()) && isPosition(compare.getRhs());
  if (predicate == Predicate::sge || predicate == Predicate::sgt)
    return isPlaceOfChunk(compare.getRhs()) && isPosition(compare.getLhs());
  return false;
}

/// What is 0 where an operand is: products, and what is linear to it.
static bool isZeroBehind(Value stream) {
  Operation *op = stream.getDefiningOp();
  auto limited = [](Value value) { return isLimitedByPosition(value, 0); };
  if (isa_and_nonnull<arith::MulFOp>(op))
    return llvm::any_of(op->getOperands(), limited);
  if (auto dot = dyn_cast_or_null<hsa::DotOp>(op))
    return !dot.getOver().contains(hsa::Axis::Chunk) &&
           llvm::any_of(op->getOperands(), limited);
  if (auto fold = dyn_cast_or_null<hsa::FoldOp>(op))
    return fold.getMonoid() == hsa::Monoid::Sum &&
           !fold.getOver().contains(hsa::Axis::Chunk) &&
           limited(fold.getInput());
  if (isa_and_nonnull<arith::AddFOp, arith::SubFOp>(op))
    return llvm::all_of(op->getOperands(), limited);
  return isa_and_nonnull<arith::ExtFOp, arith::TruncFOp, arith::NegFOp,
                         arith::DivFOp>(op) &&
         limited(op->getOperand(0));
}

bool ramify::isLimitedByPosition(Value stream, double neutral) {
  stream = skipBroadcasts(stream);
  APFloat number(0.0f);
  if (matchPattern(stream, m_ConstantFloat(&number)))
    return number.convertToFloat() == static_cast<float>(neutral);
  auto limited = [&](Value value) {
    return isLimitedByPosition(value, neutral);
  };
  if (neutral == 0 && isZeroBehind(stream))
    return true;
  // -inf stays -inf.
  if (auto sum = stream.getDefiningOp<arith::AddFOp>())
    return neutral != 0 && (limited(sum.getLhs()) || limited(sum.getRhs()));
  if (auto difference = stream.getDefiningOp<arith::SubFOp>())
    return neutral != 0 && limited(difference.getLhs());
  if (auto fold = stream.getDefiningOp<hsa::FoldOp>())
    return getOneAxis(fold.getOver()) == hsa::Axis::Head &&
           limited(fold.getInput());
  // The share of -inf is 0.
  if (auto softmax = stream.getDefiningOp<hsa::SoftmaxOp>())
    return neutral == 0 && softmax.getOver() == hsa::Axis::Chunk &&
           isLimitedByPosition(softmax.getInput(),
                               -std::numeric_limits<double>::infinity());
  auto select = stream.getDefiningOp<arith::SelectOp>();
  if (!select)
    return false;
  return limited(select.getFalseValue()) &&
         (impliesBehind(select.getCondition()) ||
          limited(select.getTrueValue()));
}
