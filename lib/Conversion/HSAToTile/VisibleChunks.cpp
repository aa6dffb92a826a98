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

namespace {
/// The answers for one stream, each found once: values are often made of one
/// another in several ways.
class Limits {
public:
  bool isLimited(Value stream, double neutral);

private:
  bool impliesBehind(Value condition);
  bool findBehind(Operation *op);
  bool isZeroBehind(Value stream);
  bool findLimited(Value stream, double neutral);

  llvm::DenseMap<Value, bool> behind;
  llvm::DenseMap<Value, bool> limited[2]; ///< the second where neutral is 0
};
} // namespace

/// Whether `condition` is false for each chunk that starts behind the query.
bool Limits::impliesBehind(Value condition) {
  condition = skipBroadcasts(condition);
  if (auto found = behind.find(condition); found != behind.end())
    return found->second;
  Operation *op = condition.getDefiningOp();
  bool implies = op && findBehind(op);
  behind[condition] = implies;
  return implies;
}

bool Limits::findBehind(Operation *op) {
  if (isa<arith::AndIOp>(op))
    return impliesBehind(op->getOperand(0)) || impliesBehind(op->getOperand(1));
  if (isa<arith::OrIOp>(op))
    return impliesBehind(op->getOperand(0)) && impliesBehind(op->getOperand(1));
  auto compare = dyn_cast<arith::CmpIOp>(op);
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
bool Limits::isZeroBehind(Value stream) {
  Operation *op = stream.getDefiningOp();
  auto is = [&](Value value) { return isLimited(value, 0); };
  if (isa_and_nonnull<arith::MulFOp>(op))
    return llvm::any_of(op->getOperands(), is);
  if (auto dot = dyn_cast_or_null<hsa::DotOp>(op))
    return !dot.getOver().contains(hsa::Axis::Chunk) &&
           llvm::any_of(op->getOperands(), is);
  if (auto fold = dyn_cast_or_null<hsa::FoldOp>(op))
    return fold.getMonoid() == hsa::Monoid::Sum &&
           !fold.getOver().contains(hsa::Axis::Chunk) && is(fold.getInput());
  if (isa_and_nonnull<arith::AddFOp, arith::SubFOp>(op))
    return llvm::all_of(op->getOperands(), is);
  return isa_and_nonnull<arith::ExtFOp, arith::TruncFOp, arith::NegFOp,
                         arith::DivFOp>(op) &&
         is(op->getOperand(0));
}

bool Limits::isLimited(Value stream, double neutral) {
  stream = skipBroadcasts(stream);
  llvm::DenseMap<Value, bool> &known = limited[neutral == 0];
  if (auto found = known.find(stream); found != known.end())
    return found->second;
  bool is = findLimited(stream, neutral);
  known[stream] = is;
  return is;
}

bool Limits::findLimited(Value stream, double neutral) {
  APFloat number(0.0f);
  if (matchPattern(stream, m_ConstantFloat(&number)))
    return number.convertToFloat() == static_cast<float>(neutral);
  auto is = [&](Value value) { return isLimited(value, neutral); };
  if (neutral == 0 && isZeroBehind(stream))
    return true;
  // -inf stays -inf.
  if (auto sum = stream.getDefiningOp<arith::AddFOp>())
    return neutral != 0 && (is(sum.getLhs()) || is(sum.getRhs()));
  if (auto difference = stream.getDefiningOp<arith::SubFOp>())
    return neutral != 0 && is(difference.getLhs());
  if (auto fold = stream.getDefiningOp<hsa::FoldOp>())
    return getOneAxis(fold.getOver()) == hsa::Axis::Head && is(fold.getInput());
  // The share of -inf is 0.
  if (auto softmax = stream.getDefiningOp<hsa::SoftmaxOp>())
    return neutral == 0 && softmax.getOver() == hsa::Axis::Chunk &&
           isLimited(softmax.getInput(),
                     -std::numeric_limits<double>::infinity());
  auto select = stream.getDefiningOp<arith::SelectOp>();
  if (!select)
    return false;
  return is(select.getFalseValue()) &&
         (impliesBehind(select.getCondition()) || is(select.getTrueValue()));
}

bool ramify::isLimitedByPosition(Value stream, double neutral) {
  return Limits().isLimited(stream, neutral);
}
