// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitReductions.cpp - Products, folds -------------------------------===//

#include "BodyEmitter.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

bool BodyEmitter::isRead(Value value) const {
  while (value.getDefiningOp<arith::ExtFOp>())
    value = value.getDefiningOp()->getOperand(0);
  return loaded.contains(value) || value.getDefiningOp<hsa::LoadOp>() ||
         value.getDefiningOp<hsa::ChunkOp>();
}

/// Puts `neutral` where a dim axis is padded, unless memory gave zero there.
Value BodyEmitter::maskDim(Value value, Value tile, double neutral) {
  int64_t dim = getSize(value.getType(), Axis::Dim);
  if (!shape.isPadded(dim) || (neutral == 0 && isRead(value)))
    return tile;
  auto type = cast<RankedTensorType>(tile.getType());
  Value inside = b.compare(arith::CmpIPredicate::slt,
                           b.iota(type.getShape().back()), b.i32(dim));
  return b.choose(b.repeat(inside, 0, type), tile, b.full(type, neutral));
}

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

static Value toElement(TileBuilder &b, Value tile, Type element) {
  Type type = withElement(tile.getType(), element);
  if (tile.getType() == type)
    return tile;
  if (element.isF32())
    return b.create<arith::ExtFOp>(type, tile);
  return b.create<arith::TruncFOp>(type, tile);
}

void ramify::matchElements(TileBuilder &b, Value &lhs, Value &rhs) {
  Type left = getElementTypeOrSelf(lhs), right = getElementTypeOrSelf(rhs);
  Type element = left.isF32() ? right : left;
  lhs = toElement(b, lhs, element);
  rhs = toElement(b, rhs, element);
}

/// The dot as sides of a matrix product: rows on the left, none on the right,
/// and an axis on each that the other does not have.
static std::optional<std::pair<Value, Value>> asMatrixProduct(hsa::DotOp op) {
  if (op.getOver().getAxes().size() != 1)
    return std::nullopt;
  Axis other = op.getOver().contains(Axis::Dim) ? Axis::Key : Axis::Dim;
  auto fits = [&](Value left, Value right) {
    return hasRows(left.getType()) && !hasAxis(left.getType(), other) &&
           !hasRows(right.getType()) && hasAxis(right.getType(), other);
  };
  if (fits(op.getLhs(), op.getRhs()))
    return std::pair<Value, Value>(op.getLhs(), op.getRhs());
  if (fits(op.getRhs(), op.getLhs()))
    return std::pair<Value, Value>(op.getRhs(), op.getLhs());
  return std::nullopt;
}

/// Whether a sum over keys is a term or a factor of `value`.
static bool containsRowSum(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<hsa::FoldOp>(op))
    return true;
  return isa_and_nonnull<hsa::BroadcastOp, arith::ExtFOp, arith::TruncFOp,
                         arith::AddFOp, arith::SubFOp, arith::MulFOp>(op) &&
         llvm::any_of(op->getOperands(), containsRowSum);
}

LogicalResult BodyEmitter::emitMatrixProduct(hsa::DotOp op, Value left,
                                             Value right) {
  Type type = shape.getTile(op.getResult().getType());
  Tiles tiles, lefts = getTiles(left), rights = getTiles(right);
  bool overKey = op.getOver().contains(Axis::Key);
  // A gradient of f32 is masked although it is zero already: the branch keeps
  // its products from being made beside what it is made of, for which there are
  // no registers.
  bool isF32 =
      getElementTypeOrSelf(right.getType()).isF32() && !shape.isInPasses();
  if (overKey &&
      (!isZeroAtInvalidKeys(left) || (isF32 && containsRowSum(left)))) {
    FailureOr<Tiles> masked = maskKeys(op, lefts, left.getType(), 0);
    if (failed(masked))
      return failure();
    lefts = *masked;
  }
  bool chained = overKey && !isGathered();
  bool hasUnseen = overKey && chunk->hasUnseen &&
                   !isFiniteWithoutKeys(right, /*unseen=*/true);
  size_t count = std::max(lefts.size(), rights.size());
  for (size_t part = 0; part < count; ++part) {
    Value lhs = takePart(lefts, part), rhs = takePart(rights, part);
    if (!overKey) {
      lhs = maskDim(left, lhs, 0);
      rhs = maskDim(right, rhs, 0);
    }
    if (overKey)
      rhs = maskDead(right, rhs, part);
    matchElements(b, lhs, rhs);
    Value start = chained && part ? tiles.pop_back_val() : b.full(type, 0);
    tiles.push_back(hasUnseen ? emitSeenProduct(lhs, rhs, start, part)
                              : b.create<tile::DotOp>(type, lhs,
                                                      /*transposed=*/!overKey,
                                                      rhs, start));
  }
  set(op, tiles);
  return success();
}

/// Products of which one side has all the axes that are kept: elementwise, then
/// summed.
LogicalResult BodyEmitter::emitSumOfProducts(hsa::DotOp op) {
  SmallVector<hsa::SizedAxis> axes = hsa::getSizedAxes(op.getLhs().getType());
  llvm::append_range(axes, hsa::getSizedAxes(op.getRhs().getType()));
  llvm::sort(axes);
  axes.erase(llvm::unique(axes), axes.end());
  Type element = b.getF32Type();
  Type full = hsa::getNamedType(axes, element);
  if (!shape.getTile(full))
    return op.emitOpError() << "multiplies to " << full
                            << ", which has too many axes for a tile";
  Tiles lhs = getTiles(op.getLhs()), rhs = getTiles(op.getRhs()), products;
  unsigned count = countParts(full, op->getOperands());
  for (unsigned part = 0; part < count; ++part) {
    auto take = [&](Value value, Tiles &tiles) {
      Value tile = takePart(tiles, part);
      if (op.getOver().contains(Axis::Dim))
        tile = maskDim(value, tile, 0);
      return emitBroadcast(toElement(b, tile, element), value.getType(), full);
    };
    Value left = take(op.getLhs(), lhs);
    products.push_back(b.mulf(left, take(op.getRhs(), rhs)));
  }
  if (op.getOver().contains(Axis::Key)) {
    FailureOr<Tiles> masked = maskKeys(op, products, full, 0);
    if (failed(masked))
      return failure();
    products = *masked;
  }
  return foldTiles(op, hsa::Monoid::Sum, products, full, op.getOver());
}

LogicalResult BodyEmitter::emitOp(hsa::DotOp op) {
  bool done = false;
  if (failed(emitProductOfRows(op, done)))
    return failure();
  if (done)
    return success();
  if (auto sides = asMatrixProduct(op))
    return emitMatrixProduct(op, sides->first, sides->second);
  return emitSumOfProducts(op);
}

//===----------------------------------------------------------------------===//
// fold
//===----------------------------------------------------------------------===//

/// The axis of the tile that holds `over`.
FailureOr<int64_t> BodyEmitter::getTileAxis(Operation *op, Type type,
                                            Axis over) {
  if (over != Axis::Key && over != Axis::Dim)
    return op->emitOpError() << "goes over " << hsa::stringifyAxis(over)
                             << ", which this schedule keeps whole in a tile's "
                                "rows: only key and dim can be reduced";
  auto tile = cast<RankedTensorType>(shape.getTile(type));
  if (tile.getRank() == 1)
    return op->emitOpError() << "reduces " << type
                             << " to a scalar, but only a value with another "
                                "axis can be reduced";
  return over == Axis::Key && hasAxis(type, Axis::Dim) ? 0 : 1;
}

LogicalResult BodyEmitter::emitOp(hsa::FoldOp op) {
  double neutral = getNeutral(op.getMonoid());
  FailureOr<Tiles> seen = maskUnseen(op, op.getInput());
  if (failed(seen))
    return failure();
  Tiles tiles = *seen;
  Type type = op.getInput().getType();
  bool isZero =
      op.getMonoid() == hsa::Monoid::Sum && isZeroAtInvalidKeys(op.getInput());
  if (op.getOver().contains(Axis::Key) && !isZero) {
    FailureOr<Tiles> masked = maskKeys(op, tiles, type, neutral);
    if (failed(masked))
      return failure();
    tiles = *masked;
  }
  if (op.getOver().contains(Axis::Dim))
    for (Value &tile : tiles)
      tile = maskDim(op.getInput(), tile, neutral);
  return foldTiles(op, op.getMonoid(), tiles, type, op.getOver());
}
