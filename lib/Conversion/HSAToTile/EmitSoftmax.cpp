// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitSoftmax.cpp - Softmax along keys or a dim axis -----------------===//
//
// Exponents are to base 2. With r, what is taken out of them,
//
//     p = 2^(x - r) / (sum 2^(x - r) + n 2^-r)      r = max x, or max(max x, 0)
//                                                   if n > 0
//
// Over keys that come tile by tile, the maximum m and the sum l = sum 2^(x - r)
// run along, and a second look at each tile computes p with the last of them:
//
//     m' = max(m, max x)    l' = 2^(m - r') l + sum 2^(x - r')
//
// m starts from 0 if n > 0, else from -inf. r is 0 where m is -inf, so that
// nothing is NaN.
//
//===----------------------------------------------------------------------===//

#include "BodyEmitter.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

/// The number that is taken out of the exponents: the maximum, with 0 for the
/// term n, and 0 where all are -inf.
static Value getReference(TileBuilder &b, Value maximum, bool withZero) {
  Value zero = b.full(maximum.getType(), 0);
  if (withZero)
    return b.maxf(maximum, zero);
  Value dead = b.equals(maximum, getNeutral(hsa::Monoid::Max));
  return b.choose(dead, zero, maximum);
}

/// 1 / (sum + n exp(-reference)); 0 where that is 1 / 0.
static Value getInverse(TileBuilder &b, Value sum, double n, Value reference) {
  Value zero = b.full(sum.getType(), 0), one = b.full(sum.getType(), 1);
  if (n == 0) {
    Value inverse = b.create<arith::DivFOp>(one, sum);
    return b.choose(b.equals(sum, 0), zero, inverse);
  }
  Value term = b.exp2(b.subf(zero, reference));
  if (n != 1)
    term = b.mulf(term, b.full(sum.getType(), n));
  return b.create<arith::DivFOp>(one, b.addf(sum, term));
}

/// One softmax over what the tiles hold along `axis`.
static void emitSoftmax(TileBuilder &b, MutableArrayRef<Value> tiles,
                        int64_t axis, double n) {
  Value maximum, sum;
  for (Value tile : tiles) {
    Value one = b.reduce(tile::Combine::Max, tile, axis);
    maximum = maximum ? b.maxf(maximum, one) : one;
  }
  Value reference = getReference(b, maximum, n > 0);
  for (Value &tile : tiles) {
    tile = b.exp2(b.subf(tile, b.repeat(reference, axis, tile.getType())));
    Value one = b.reduce(tile::Combine::Sum, tile, axis);
    sum = sum ? b.addf(sum, one) : one;
  }
  Value inverse = getInverse(b, sum, n, reference);
  for (Value &tile : tiles)
    tile = b.mulf(tile, b.repeat(inverse, axis, tile.getType()));
}

/// The exponents, -inf where nothing may count.
FailureOr<Tiles> BodyEmitter::emitExponents(hsa::SoftmaxOp op) {
  double negInf = getNeutral(hsa::Monoid::Max);
  Tiles tiles = emitScaled(op.getInput());
  if (op.getOver() == Axis::Key)
    return maskKeys(op, tiles, op.getInput().getType(), negInf);
  for (Value &tile : tiles)
    tile = maskDim(op.getInput(), tile, negInf);
  return tiles;
}

LogicalResult BodyEmitter::emitOp(hsa::SoftmaxOp op) {
  FailureOr<int64_t> axis =
      getTileAxis(op, op.getInput().getType(), op.getOver());
  if (failed(axis))
    return failure();
  double n = op.getN().convertToDouble();
  FailureOr<Tiles> tiles = emitExponents(op);
  if (failed(tiles))
    return failure();
  if (op.getOver() == Axis::Key && !isGathered()) {
    emitSoftmax(b, *tiles, *axis, n);
  } else {
    for (Value &tile : *tiles)
      emitSoftmax(b, tile, *axis, n);
  }
  set(op, *tiles);
  return success();
}

//===----------------------------------------------------------------------===//
// Tile by tile
//===----------------------------------------------------------------------===//

Tiles BodyEmitter::getEmptyStatistics(hsa::SoftmaxOp op) {
  auto tile = cast<RankedTensorType>(shape.getTile(op.getType()));
  // The other axis is the rows before the keys, or the dim behind them.
  bool keysFirst = hasAxis(op.getType(), Axis::Dim);
  auto type = RankedTensorType::get(tile.getShape()[keysFirst ? 1 : 0],
                                    tile.getElementType());
  bool withZero = op.getN().convertToDouble() > 0;
  return {withZero ? b.full(type, 0) : b.negInf(type), b.full(type, 0)};
}

FailureOr<Tiles> BodyEmitter::emitStatistics(hsa::SoftmaxOp op,
                                             ValueRange before) {
  FailureOr<int64_t> axis =
      getTileAxis(op, op.getInput().getType(), op.getOver());
  if (failed(axis))
    return failure();
  FailureOr<Tiles> tiles = emitExponents(op);
  if (failed(tiles))
    return failure();
  Value tile = tiles->front();
  Value highest = b.reduce(tile::Combine::Max, tile, *axis);
  Value maximum = b.maxf(before[0], highest);
  Value reference = getReference(b, maximum, /*withZero=*/false);
  Value decay = b.exp2(b.subf(before[0], reference));
  Value p = b.exp2(b.subf(tile, b.repeat(reference, *axis, tile.getType())));
  Value sum =
      b.addf(b.mulf(before[1], decay), b.reduce(tile::Combine::Sum, p, *axis));
  return Tiles{maximum, sum};
}

LogicalResult BodyEmitter::emitWithStatistics(hsa::SoftmaxOp op,
                                              ValueRange statistics) {
  FailureOr<int64_t> axis =
      getTileAxis(op, op.getInput().getType(), op.getOver());
  FailureOr<Tiles> tiles = emitExponents(op);
  if (failed(axis) || failed(tiles))
    return failure();
  Value tile = tiles->front();
  Value reference = getReference(b, statistics[0], /*withZero=*/false);
  Value inverse =
      getInverse(b, statistics[1], op.getN().convertToDouble(), reference);
  Value p = b.exp2(b.subf(tile, b.repeat(reference, *axis, tile.getType())));
  set(op, {b.mulf(p, b.repeat(inverse, *axis, tile.getType()))});
  return success();
}
