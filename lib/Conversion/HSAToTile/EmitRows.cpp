// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitRows.cpp - Sums over the rows of a tile ------------------------===//
//
// The axes pos and head lie in the rows of a tile, so a reduction over both
// goes down the columns. Over one of several it would have to tell rows apart:
// where such a sum only ends in sums over all blocks (`!hsa.sums`), the rows
// stay as they are, and meet in memory.
//
// A query block that is cut over several programs has only a part of the rows
// in each. Their sums are whole in memory, too, and nowhere else. In a tile of
// several query blocks that visit the same chunk the sum of all rows is one of
// all of these blocks: right for what belongs to the chunk or to the program,
// not for what belongs to a block.
//
//===----------------------------------------------------------------------===//

#include "BodyEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

static constexpr Axis kRowAxes[] = {Axis::Pos, Axis::Head};

/// Whether sums are of what a query block has for itself.
static bool isOfBlocks(Type sums) {
  Type role = cast<hsa::SumsType>(sums).getRole();
  if (auto array = dyn_cast<hsa::ArrayType>(role))
    return llvm::is_contained(array.getAxes(), Axis::Pos);
  return isa<hsa::WeightsType>(role);
}

bool ramify::endsInSums(Value value, bool ofAll) {
  return llvm::all_of(value.getUses(), [ofAll](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto add = dyn_cast<hsa::AddOp>(user))
      return use.getOperandNumber() == 0 &&
             !(ofAll && isOfBlocks(add.getType()));
    if (auto fold = dyn_cast<hsa::FoldOp>(user))
      return fold.getMonoid() == hsa::Monoid::Sum &&
             endsInSums(fold.getResult(), ofAll);
    auto yield = dyn_cast<hsa::YieldOp>(user);
    if (!yield)
      return false;
    auto reduce = cast<hsa::ReduceOp>(yield->getParentOp());
    for (unsigned index = 0; index < reduce.getNumResults(); ++index)
      if (isa<hsa::SumsType>(reduce.getResult(index).getType()) &&
          reduce.getYielded(index).getBeginOperandIndex() ==
              use.getOperandNumber())
        return !(ofAll && isOfBlocks(reduce.getResult(index).getType()));
    return false;
  });
}

/// Replaces rows that stand for no query by `neutral`.
Value BodyEmitter::maskInside(Value tile, double neutral) {
  if (!rows.inside)
    return tile;
  auto type = cast<RankedTensorType>(tile.getType());
  return b.choose(b.repeat(rows.inside, 1, type), tile, b.full(type, neutral));
}

BodyEmitter::RowSum BodyEmitter::getRowSum(Operation *op, Type type,
                                           hsa::AxesAttr over) const {
  int64_t summed = 1, kept = 1;
  bool isRepeated = false; // each row stands there several times
  for (Axis axis : kRowAxes) {
    int64_t size = axis == Axis::Pos ? shape.positions : shape.heads;
    bool is = over.contains(axis);
    if (hasAxis(type, axis))
      (is ? summed : kept) *= size;
    else if (hasRows(type) && size > 1)
      isRepeated = true;
  }
  if (isRepeated)
    return isa<hsa::FoldOp>(op) && !endsInSums(op->getResult(0)) && kept == 1 &&
                   hasAxis(type, Axis::Head) && shape.entries == 1 &&
                   shape.rowBlocks == 1
               ? RowSum::Heads
               : RowSum::Mixed;
  if (summed == 1 && kept > 1)
    return RowSum::None; // each row is its own sum
  if (shape.entries > 1)
    return kept == 1 && endsInSums(op->getResult(0), /*ofAll=*/true)
               ? RowSum::All
               : RowSum::Mixed;
  if (summed == 1 && shape.rowBlocks == 1 && !shape.hasPaddedRows())
    return RowSum::None;
  return kept == 1 ? RowSum::All : RowSum::Mixed;
}

static std::string nameAxes(hsa::AxesAttr axes) {
  std::string names;
  llvm::raw_string_ostream stream(names);
  llvm::interleaveComma(axes.getAxes(), stream,
                        [&](Axis axis) { stream << hsa::stringifyAxis(axis); });
  return names;
}

static std::string nameAxes(Type type) {
  return "[" + nameAxes(hsa::getAxes(type)) + "]";
}

LogicalResult BodyEmitter::checkRowSum(Operation *op, Type type,
                                       hsa::AxesAttr over) {
  RowSum sum = getRowSum(op, type, over);
  bool inSums = endsInSums(op->getResult(0));
  if (sum == RowSum::None || sum == RowSum::Heads || inSums)
    return success();
  if (sum == RowSum::Mixed && over.contains(Axis::Pos) && shape.positions > 1)
    return op->emitError()
           << "no gradient is known here of what the " << shape.positions
           << " positions of a query block share, such as an "
              "rl.Query[\"block\"], and each of them uses: pass it as an "
              "rl.Query with a row for each position, or make it a constant by "
              "rl.detach(...)";
  if (sum == RowSum::Mixed && shape.entries == 1 && shape.positions > 1)
    return op->emitOpError()
           << "reduces " << nameAxes(over) << " of " << nameAxes(type)
           << " for each of the " << shape.positions
           << " positions of a query block, which schedules do only for "
              "gradients: one position a block (q_block=1) can do it";
  if (sum == RowSum::Mixed)
    return op->emitOpError()
           << "reduces " << nameAxes(over) << " of " << nameAxes(type)
           << ", but the schedule has rows of several query blocks in a tile, "
              "and does so only for gradients: query_major can do it";
  if (shape.rowBlocks > 1)
    return op->emitOpError("reduces all rows of a query block that is cut over "
                           "several programs");
  return success();
}

static Value toScalar(TileBuilder &b, Value tile) {
  auto type = dyn_cast<RankedTensorType>(tile.getType());
  if (!type || type.getRank())
    return tile;
  return b.create<tensor::ExtractOp>(tile, ValueRange());
}

/// Any row tells it. Where a tile has several query blocks it stays a number of
/// each row.
LogicalResult BodyEmitter::emitOp(hsa::SameOp op) {
  Value tile = get(op.getInput());
  if (!hsa::isNamedTensor(op.getType()) && shape.entries == 1) {
    constexpr hsa::Monoid max = hsa::Monoid::Max;
    Value any = maskInside(tile, getNeutral(max));
    tile = toScalar(b, b.reduce(getCombine(max), any, 0));
  }
  set(op, {tile});
  return success();
}

/// Down the rows of a vector or a tile whose named type is `type`; the result
/// has the axes that are not in `over`.
Value BodyEmitter::foldRows(Operation *op, hsa::Monoid monoid, Value tile,
                            Type type, hsa::AxesAttr over) {
  RowSum sum = getRowSum(op, type, over);
  if (sum != RowSum::All && sum != RowSum::Heads)
    return tile;
  double neutral = getNeutral(monoid);
  Value masked = sum == RowSum::All ? maskInside(tile, neutral)
                                    : maskOnce(tile, type, neutral);
  Value folded = toScalar(b, b.reduce(getCombine(monoid), masked, 0));
  Type rest = hsa::getNamedType(hsa::dropAxes(hsa::getSizedAxes(type), over),
                                getElementTypeOrSelf(type));
  if (!hasRows(rest))
    return folded;
  // The rows that are left are one: each has the sum.
  return b.repeat(folded, 0, shape.getTile(rest));
}

/// Reduces tiles of the named type `type` along `over` and sets `op`'s result.
LogicalResult BodyEmitter::foldTiles(Operation *op, hsa::Monoid monoid,
                                     Tiles tiles, Type type,
                                     hsa::AxesAttr over) {
  bool overRows = over.contains(Axis::Pos) || over.contains(Axis::Head);
  if (overRows && failed(checkRowSum(op, type, over)))
    return failure();
  for (Axis axis : {Axis::Dim, Axis::Key}) {
    if (!over.contains(axis))
      continue;
    // The keys of a chunk are spread over its tiles; any other axis is whole in
    // each.
    Tiles folded;
    for (Value tile : tiles) {
      int64_t rank = cast<RankedTensorType>(tile.getType()).getRank();
      bool first = rank == 1 || (axis == Axis::Key && !hasRows(type));
      Value one = toScalar(b, b.reduce(getCombine(monoid), tile, !first));
      if (axis == Axis::Key && !isGathered() && !folded.empty())
        folded[0] = emitCombine(b, monoid, folded[0], one);
      else
        folded.push_back(one);
    }
    tiles = folded;
    auto dropped = hsa::AxesAttr::get(b.getContext(), {axis});
    type = hsa::getNamedType(hsa::dropAxes(hsa::getSizedAxes(type), dropped),
                             getElementTypeOrSelf(type));
  }
  if (overRows)
    for (Value &tile : tiles)
      tile = foldRows(op, monoid, tile, type, over);
  set(op->getResult(0), tiles);
  return success();
}

/// The dot as sides of a product that contracts rows: a column axis on each
/// that the other does not have, keys first.
static std::optional<std::pair<Value, Value>> asProductOfRows(hsa::DotOp op) {
  auto fits = [&](Value left, Value right) {
    return hasAxis(left.getType(), Axis::Key) &&
           !hasAxis(left.getType(), Axis::Dim) &&
           hasAxis(right.getType(), Axis::Dim) &&
           !hasAxis(right.getType(), Axis::Key) &&
           !op.getOver().contains(Axis::Key) &&
           !op.getOver().contains(Axis::Dim);
  };
  for (auto [left, right] : {std::pair(op.getLhs(), op.getRhs()),
                             std::pair(op.getRhs(), op.getLhs())})
    if (fits(left, right) && hasRows(left.getType()) &&
        hasRows(right.getType()))
      return std::pair<Value, Value>(left, right);
  return std::nullopt;
}

/// The value that `op` repeats, converts or masks, or null.
static Value getCopied(Operation *op) {
  return isa<hsa::BroadcastOp, hsa::DetachOp, hsa::MaskOp, arith::ExtFOp,
             arith::TruncFOp>(op)
             ? op->getOperand(0)
             : Value();
}

static bool isFiniteInOtherRows(Value value);

/// Whether `value` is zero in rows that stand for no query.
static bool isZeroInOtherRows(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isa<hsa::LoadOp, hsa::AtOp>(op))
    return hasAxis(value.getType(), Axis::Pos);
  if (Value copied = getCopied(op))
    return isZeroInOtherRows(copied);
  if (isa<arith::MulFOp, hsa::DotOp>(op)) {
    Value lhs = op->getOperand(0), rhs = op->getOperand(1);
    return (isZeroInOtherRows(lhs) && isFiniteInOtherRows(rhs)) ||
           (isZeroInOtherRows(rhs) && isFiniteInOtherRows(lhs));
  }
  if (isa<arith::AddFOp, arith::SubFOp, arith::NegFOp>(op))
    return llvm::all_of(op->getOperands(), isZeroInOtherRows);
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return isZeroInOtherRows(select.getTrueValue()) &&
           isZeroInOtherRows(select.getFalseValue());
  return matchPattern(value, m_AnyZeroFloat());
}

/// Whether `value` is no positive number in such rows, and no NaN.
static bool isAtMostZeroInOtherRows(Value value) {
  if (isZeroInOtherRows(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  APFloat number(0.0f);
  if (matchPattern(value, m_ConstantFloat(&number)))
    return number.isNegative() && !number.isNaN();
  if (Value copied = getCopied(op))
    return isAtMostZeroInOtherRows(copied);
  if (auto sub = dyn_cast<arith::SubFOp>(op))
    return isAtMostZeroInOtherRows(sub.getLhs()) &&
           isZeroInOtherRows(sub.getRhs());
  auto select = dyn_cast<arith::SelectOp>(op);
  return select && isAtMostZeroInOtherRows(select.getTrueValue()) &&
         isAtMostZeroInOtherRows(select.getFalseValue());
}

/// Whether `value` is a finite number in rows that stand for no query, where
/// what is read of queries and weights is zero.
static bool isFiniteInOtherRows(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<hsa::LoadOp, hsa::AtOp, hsa::ChunkOp>(op))
    return true;
  APFloat number(0.0f);
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return matchPattern(value, m_ConstantFloat(&number)) && number.isFinite();
  if (isa<math::ExpOp, math::Exp2Op>(op))
    return isAtMostZeroInOtherRows(op->getOperand(0));
  auto fold = dyn_cast<hsa::FoldOp>(op);
  bool isLinear =
      isa<hsa::BroadcastOp, hsa::DotOp, hsa::DetachOp, hsa::MaskOp,
          hsa::SoftmaxOp, arith::ExtFOp, arith::TruncFOp, arith::AddFOp,
          arith::SubFOp, arith::MulFOp, arith::NegFOp, arith::SelectOp>(op) ||
      (fold && fold.getMonoid() == hsa::Monoid::Sum);
  return isLinear && llvm::all_of(op->getOperands(), [](Value operand) {
           return !isa<FloatType>(getElementTypeOrSelf(operand)) ||
                  isFiniteInOtherRows(operand);
         });
}

/// left^T right, with the rows contracted: keys become the rows of the result.
LogicalResult BodyEmitter::emitProductOfRows(hsa::DotOp op, bool &done) {
  auto sides = asProductOfRows(op);
  done = bool(sides);
  if (!done)
    return success();
  auto [left, right] = *sides;
  if (failed(checkRowSum(op, left.getType(), op.getOver())))
    return failure();
  if (getRowSum(op, left.getType(), op.getOver()) == RowSum::Mixed ||
      getRowSum(op, right.getType(), op.getOver()) == RowSum::Mixed)
    return op.emitOpError()
           << "sums " << nameAxes(op.getOver()) << " of products of "
           << nameAxes(left.getType()) << " and " << nameAxes(right.getType())
           << ", but a gradient is a sum over pos and head, or over neither";
  Type type = shape.getTile(op.getResult().getType());
  FailureOr<Tiles> seen = maskUnseen(op, left);
  if (failed(seen))
    return failure();
  Tiles lefts = *seen, rights = getTiles(right), tiles;
  // Zero times a finite number is zero: one side's zeros are enough.
  bool isFinite = isFiniteInOtherRows(left) && isFiniteInOtherRows(right);
  bool isZero = isFinite && (isRead(left) || isRead(right));
  for (Value &tile : rights)
    tile = isZero || isRead(right) ? tile : maskInside(tile, 0);
  for (auto [part, tile] : llvm::enumerate(lefts)) {
    Value lhs = isZero || isRead(left) ? tile : maskInside(tile, 0);
    Value own = takePart(rights, part);
    matchElements(b, lhs, own);
    auto lhsType = cast<RankedTensorType>(lhs.getType());
    auto turned =
        RankedTensorType::get({lhsType.getDimSize(1), lhsType.getDimSize(0)},
                              lhsType.getElementType());
    Value transposed = b.create<tile::TransposeOp>(turned, lhs);
    tiles.push_back(b.create<tile::DotOp>(type, transposed,
                                          /*transposed=*/false, own,
                                          b.full(type, 0)));
  }
  set(op.getResult(), tiles);
  return success();
}
