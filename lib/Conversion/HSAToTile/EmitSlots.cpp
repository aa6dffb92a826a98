// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitSlots.cpp - Mathematics along slots ----------------------------===//
//
// The slots of a query block are the columns of its row.
//
//===----------------------------------------------------------------------===//

#include "StreamEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

/// 2^(x - r) of a tile whose rows have an r each.
static Value emitPowers(TileBuilder &b, Value x, Value reference) {
  return b.exp2(b.subf(x, b.repeat(reference, 1, x.getType())));
}

/// 1 / (sum + n 2^-reference); 0 where that is 1 / 0.
static Value getInverse(TileBuilder &b, Value sum, double n, Value reference) {
  Type type = sum.getType();
  Value zero = b.full(type, 0), one = b.full(type, 1);
  Value all = sum;
  if (n != 0)
    all = b.addf(sum, b.mulf(b.exp2(b.subf(zero, reference)), b.full(type, n)));
  return b.choose(b.equals(all, 0), zero, b.create<arith::DivFOp>(one, all));
}

SoftmaxStatistics ramify::getStatistics(TileBuilder &b, Value maximum,
                                        Value sum, double n) {
  Value reference = finiteOrZero(b, maximum);
  if (n != 0) {
    // The term n is e^0: nothing less than 0 is taken out.
    Value zero = b.full(maximum.getType(), 0);
    Value higher = b.maxf(reference, zero);
    sum = b.mulf(sum, b.exp2(b.subf(reference, higher)));
    reference = higher;
  }
  return {reference, getInverse(b, sum, n, reference)};
}

FailureOr<Value> StreamEmitter::emitOp(hsa::SoftmaxOp op, StreamHead head) {
  Result input = get(op.getInput(), head);
  if (failed(input))
    return failure();
  if (op.getOver() == Axis::Chunk) {
    const SoftmaxStatistics &known =
        statistics.at({op.getOperation(), head.key()});
    Value powers = emitPowers(
        b, toBase2(b, maskChunks(*input, getNeutral(hsa::Monoid::Max))),
        known.reference);
    return b.mulf(powers, b.repeat(known.inverse, 1, powers.getType()));
  }
  if (op.getOver() != Axis::Slot)
    return op.emitOpError() << "goes over " << hsa::stringifyAxis(op.getOver())
                            << ", but a softmax beside streams goes over chunk "
                               "or slot";
  Value x = toBase2(b, maskColumns(*input, getSize(op.getType(), Axis::Slot),
                                   getNeutral(hsa::Monoid::Max)));
  Value maximum = b.reduce(tile::Combine::Max, x, 1);
  Value reference = finiteOrZero(b, maximum);
  Value sum = b.reduce(tile::Combine::Sum, emitPowers(b, x, reference), 1);
  SoftmaxStatistics own =
      getStatistics(b, maximum, sum, op.getN().convertToDouble());
  Value powers = emitPowers(b, x, own.reference);
  return b.mulf(powers, b.repeat(own.inverse, 1, x.getType()));
}

Value ramify::getLogSumExp(TileBuilder &b, Value maximum, Value sum) {
  Value lse = b.addf(fromBase2(b, finiteOrZero(b, maximum)),
                     b.create<math::LogOp>(sum));
  return b.choose(b.equals(sum, 0), b.negInf(sum.getType()), lse);
}

FailureOr<Value> StreamEmitter::emitOp(hsa::LogSumExpOp op, StreamHead head) {
  SmallVector<Value> parts;
  bool overHeads = op.getOver() == Axis::Head;
  auto heads = overHeads ? headsOf(op.getInput().getType())
                         : SmallVector<StreamHead>{head};
  for (StreamHead one : heads) {
    Result input = get(op.getInput(), one);
    if (failed(input))
      return failure();
    Value part = *input;
    if (op.getOver() == Axis::Slot)
      part = maskColumns(part, getSize(op.getInput().getType(), Axis::Slot),
                         getNeutral(hsa::Monoid::Max));
    parts.push_back(toBase2(b, part));
  }
  if (!overHeads && op.getOver() != Axis::Slot)
    return op.emitOpError() << "goes over " << hsa::stringifyAxis(op.getOver())
                            << ", but beside streams it goes over chunk, slot "
                               "or head";
  Value maximum, sum;
  for (Value part : parts) {
    Value one = overHeads ? part : b.reduce(tile::Combine::Max, part, 1);
    maximum = maximum ? b.maxf(maximum, one) : one;
  }
  Value reference = finiteOrZero(b, maximum);
  for (Value part : parts) {
    Value one = overHeads ? b.exp2(b.subf(part, reference))
                          : b.reduce(tile::Combine::Sum,
                                     emitPowers(b, part, reference), 1);
    sum = sum ? b.addf(sum, one) : one;
  }
  return getLogSumExp(b, maximum, sum);
}

FailureOr<Value> StreamEmitter::emitOp(hsa::ScanOp op, StreamHead head) {
  Result input = get(op.getInput(), head);
  if (failed(input))
    return failure();
  Value x = maskColumns(*input, getSize(op.getType(), Axis::Slot),
                        getNeutral(op.getMonoid()));
  return b
      .create<tile::ScanOp>(x.getType(), getCombine(op.getMonoid()),
                            op.getExclusive(), op.getReverse(), x, 1)
      .getResult();
}

/// Slot by slot: its value where the tile has its chunk.
FailureOr<Value> StreamEmitter::emitOp(hsa::PutOp op, StreamHead head) {
  Result slots = get(op.getSlots(), head), values = get(op.getValues(), head);
  if (failed(slots) || failed(values))
    return failure();
  Type result = getTile(op.getType()),
       ids = withElement(result, b.getI32Type());
  int64_t count = getSize(op.getValues().getType(), Axis::Slot);
  auto loop = b.create<scf::ForOp>(b.index(0), b.index(count), b.index(1),
                                   ValueRange{b.full(result, 0)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  auto at = [&](Value list, tile::Combine combine, double neutral) {
    Type type = list.getType();
    Value columns = b.iota(cast<RankedTensorType>(type).getDimSize(1));
    Value here = b.compare(arith::CmpIPredicate::eq, columns,
                           b.toI32(loop.getInductionVar()));
    return b.reduce(
        combine, b.choose(b.repeat(here, 0, type), list, b.full(type, neutral)),
        1);
  };
  Value slot = at(*slots, tile::Combine::Max, -1);
  Value value = at(*values, tile::Combine::Sum, 0);
  Value hit = b.compare(arith::CmpIPredicate::eq, b.repeat(slot, 1, ids),
                        b.repeat(tile->ids, 0, ids));
  Value before = loop.getRegionIterArg(0);
  Value after = b.addf(before, b.repeat(value, 1, result));
  b.create<scf::YieldOp>(b.choose(hit, after, before));
  return loop.getResult(0);
}

Value StreamEmitter::maskChunks(Value tile, double neutral) {
  Type type = tile.getType();
  return b.choose(b.repeat(this->tile->live, 0, type), tile,
                  b.full(type, neutral));
}
