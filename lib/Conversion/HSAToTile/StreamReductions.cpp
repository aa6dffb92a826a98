// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamReductions.cpp - What a walk over chunks keeps ---------------===//

#include "StreamReductions.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace ramify;
using hsa::Axis;

static constexpr double kNegInf = -std::numeric_limits<double>::infinity();

bool ramify::isStreamReduction(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case<hsa::FoldOp, hsa::DotOp>(
          [](auto typed) { return getOneAxis(typed.getOver()) == Axis::Chunk; })
      .Case<hsa::LogSumExpOp, hsa::SoftmaxOp>(
          [](auto typed) { return typed.getOver() == Axis::Chunk; })
      .Case([](hsa::TopKOp) { return true; })
      .Case([](hsa::AddOp add) {
        return hasAxis(add.getValue().getType(), Axis::Chunk);
      })
      .Default([](Operation *) { return false; });
}

SmallVector<StreamHead> ramify::getReductionHeads(StreamEmitter &emitter,
                                                  Operation *op) {
  if (isa<hsa::AddOp>(op))
    return {{}};
  Type dot = isa<hsa::DotOp>(op) ? op->getResult(0).getType() : Type();
  return emitter.headsOf(dot ? dot : op->getOperand(0).getType());
}

StreamReduction::StreamReduction(Operation *op, StreamHead head,
                                 SmallVector<hsa::TakeOp> takes)
    : op(op), head(head), input(op->getOperand(0)), takes(std::move(takes)) {
  if (!isa<hsa::DotOp>(op))
    return;
  rows = op->getOperand(1);
  if (hasAxis(input.getType(), Axis::Dim))
    std::swap(input, rows);
}

SmallVector<Value> StreamReduction::getStreams() const {
  SmallVector<Value> streams{input};
  if (rows)
    streams.push_back(rows);
  for (hsa::TakeOp take : takes)
    streams.push_back(take.getStream());
  return streams;
}

bool StreamReduction::isShared() const {
  return isa<hsa::FoldOp, hsa::DotOp>(op) &&
         !hasAxis(op->getResult(0).getType(), Axis::Pos);
}

double StreamReduction::getNeutral() const {
  if (auto fold = dyn_cast<hsa::FoldOp>(op))
    return ramify::getNeutral(fold.getMonoid());
  return isa<hsa::DotOp, hsa::AddOp>(op) ? 0 : kNegInf;
}

/// A tile of all rows, though the stream may be the same for them.
FailureOr<Value> StreamReduction::getTile(StreamEmitter &emitter, Value stream,
                                          StreamHead head) const {
  FailureOr<Value> tile = emitter.get(stream, head);
  if (failed(tile))
    return failure();
  auto type = RankedTensorType::get({emitter.shape.rows, emitter.shape.chunks},
                                    getElementTypeOrSelf(*tile));
  return emitter.b.repeat(*tile, 0, type);
}

/// Streams at slots, but for the scores themselves, which are there anyway.
SmallVector<StreamReduction::Carried>
StreamReduction::getCarried(StreamEmitter &emitter) const {
  SmallVector<Carried> carried;
  llvm::DenseSet<Value> seen{input};
  for (hsa::TakeOp take : takes) {
    Value stream = take.getStream();
    if (!seen.insert(stream).second)
      continue;
    // Picks for each head go with the stream's values for that head.
    bool own = hasAxis(input.getType(), Axis::Head) ||
               !hasAxis(stream.getType(), Axis::Head);
    for (StreamHead one : own ? SmallVector<StreamHead>{head}
                              : emitter.headsOf(stream.getType()))
      carried.push_back({take, one});
  }
  return carried;
}

//===----------------------------------------------------------------------===//
// Nothing yet
//===----------------------------------------------------------------------===//

Tiles StreamReduction::start(StreamEmitter &emitter) const {
  TileBuilder &b = emitter.b;
  auto rows = [&](Type element) {
    return RankedTensorType::get({emitter.shape.rows}, element);
  };
  Tiles states;
  if (auto topk = dyn_cast<hsa::TopKOp>(op)) {
    auto list = [&](Type element) {
      int64_t places = llvm::alignTo(topk.getK(), emitter.shape.slotMultiple);
      return RankedTensorType::get({emitter.shape.rows, places}, element);
    };
    states = {b.negInf(list(b.getF32Type())), b.full(list(b.getI32Type()), -1)};
    for (Carried one : getCarried(emitter)) {
      Type element = getElementTypeOrSelf(one.take.getType());
      states.push_back(
          b.full(list(element), isa<FloatType>(element) ? kNegInf : 0));
    }
  } else if (isa<hsa::AddOp>(op)) {
    return states;
  } else if (isa<hsa::DotOp>(op)) {
    states = {b.full(emitter.getTile(op->getResult(0).getType()), 0)};
  } else if (isa<hsa::FoldOp>(op)) {
    Type element = getElementTypeOrSelf(input.getType());
    states = {b.full(isShared() ? emitter.getTile(op->getResult(0).getType())
                                : rows(element),
                     getNeutral())};
  } else {
    states = {b.negInf(rows(b.getF32Type())), b.full(rows(b.getF32Type()), 0)};
  }
  return states;
}

size_t StreamReduction::countStates(StreamEmitter &emitter) const {
  if (isa<hsa::TopKOp>(op))
    return 2 + getCarried(emitter).size();
  if (isa<hsa::AddOp>(op))
    return 0;
  return isa<hsa::FoldOp, hsa::DotOp>(op) ? 1 : 2;
}

//===----------------------------------------------------------------------===//
// One more tile
//===----------------------------------------------------------------------===//

FailureOr<Tiles> StreamReduction::advance(StreamEmitter &emitter,
                                          ValueRange before) const {
  TileBuilder &b = emitter.b;
  b.setLoc(op->getLoc());
  if (auto add = dyn_cast<hsa::AddOp>(op)) {
    if (failed(emitter.emitAdd(add)))
      return failure();
    return Tiles();
  }
  if (isShared())
    return advanceShared(emitter, before[0]);
  FailureOr<Value> tile = getTile(emitter, input, head);
  if (failed(tile))
    return failure();
  Value masked = emitter.maskChunks(*tile, getNeutral());
  if (isa<hsa::TopKOp>(op))
    return advanceTopK(emitter, masked, before);
  if (isa<hsa::DotOp>(op))
    return advanceDot(emitter, masked, before);
  if (auto fold = dyn_cast<hsa::FoldOp>(op))
    return Tiles{
        emitCombine(b, fold.getMonoid(), before[0],
                    b.reduce(getCombine(fold.getMonoid()), masked, 1))};
  // The maximum so far is taken out of the exponents.
  Value x = toBase2(b, masked);
  Value maximum = b.maxf(before[0], b.reduce(tile::Combine::Max, x, 1));
  Value reference = finiteOrZero(b, maximum);
  Value decay = b.exp2(b.subf(before[0], reference));
  Value powers = b.exp2(b.subf(x, b.repeat(reference, 1, x.getType())));
  Value sum =
      b.addf(b.mulf(before[1], decay), b.reduce(tile::Combine::Sum, powers, 1));
  return Tiles{maximum, sum};
}

/// Nothing differs between queries: chunks are the rows of the tile.
FailureOr<Tiles> StreamReduction::advanceShared(StreamEmitter &emitter,
                                                Value before) const {
  TileBuilder &b = emitter.b;
  FailureOr<Value> tile = emitter.get(input, head);
  if (failed(tile))
    return failure();
  if (rows) {
    FailureOr<Value> values = emitter.get(rows, head);
    if (failed(values))
      return failure();
    Value wide = toElement(b, *values, b.getF32Type());
    tile =
        b.mulf(wide, emitter.emitBroadcast(toElement(b, *tile, b.getF32Type()),
                                           input.getType(), rows.getType()));
  }
  auto type = cast<RankedTensorType>((*tile).getType());
  Value live = emitter.tile->live;
  Value masked = b.choose(type.getRank() == 2 ? b.repeat(live, 1, type) : live,
                          *tile, b.full(type, getNeutral()));
  auto fold = dyn_cast<hsa::FoldOp>(op);
  if (!fold || fold.getMonoid() == hsa::Monoid::Sum)
    return Tiles{b.addf(before, emitter.sumDown(masked))};
  Value one = b.reduce(getCombine(fold.getMonoid()), masked, 0);
  if (type.getRank() == 1)
    one = b.create<tensor::ExtractOp>(one, ValueRange());
  return Tiles{emitCombine(b, fold.getMonoid(), before, one)};
}

FailureOr<Tiles> StreamReduction::advanceDot(StreamEmitter &emitter, Value tile,
                                             ValueRange before) const {
  FailureOr<Value> values = emitter.get(rows, head);
  if (failed(values))
    return failure();
  TileBuilder &b = emitter.b;
  if (cast<RankedTensorType>((*values).getType()).getRank() != 2)
    return op->emitOpError("adds up what is not rows of a stream");
  // Zero times what is computed of no chunk may be any number.
  if (!isStreamRead(rows))
    values = b.choose(b.repeat(emitter.tile->live, 1, (*values).getType()),
                      *values, b.full((*values).getType(), 0));
  Type element = getElementTypeOrSelf(*values);
  if (!element.isF32())
    tile =
        b.create<arith::TruncFOp>(withElement(tile.getType(), element), tile);
  return Tiles{b.create<tile::DotOp>(before[0].getType(), tile,
                                     /*transposed=*/false, *values, before[0])};
}

FailureOr<Tiles> StreamReduction::advanceTopK(StreamEmitter &emitter,
                                              Value tile,
                                              ValueRange before) const {
  SmallVector<Value> carried;
  for (Carried one : getCarried(emitter)) {
    FailureOr<Value> value = getTile(emitter, one.take.getStream(), one.head);
    if (failed(value))
      return failure();
    carried.push_back(*value);
  }
  ValueRange held = before.drop_front(2);
  auto next = emitter.b.create<tile::TopKOp>(
      before[0].getType(), before[1].getType(), held.getTypes(), tile,
      emitter.tile->ids, carried, before[0], before[1], held);
  return Tiles(next.getResults().begin(), next.getResults().end());
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

void StreamReduction::finish(StreamEmitter &emitter, ValueRange states) const {
  TileBuilder &b = emitter.b;
  b.setLoc(op->getLoc());
  if (isa<hsa::TopKOp>(op))
    return finishTopK(emitter, states);
  if (isa<hsa::AddOp>(op))
    return;
  if (isa<hsa::FoldOp, hsa::DotOp>(op))
    return emitter.set(op->getResult(0), head, states[0]);
  if (auto softmax = dyn_cast<hsa::SoftmaxOp>(op)) {
    emitter.statistics[{op, head.key()}] = getStatistics(
        b, states[0], states[1], softmax.getN().convertToDouble());
    return;
  }
  emitter.set(op->getResult(0), head, getLogSumExp(b, states[0], states[1]));
}

/// The lists in the order that is asked for. An empty slot is -1, which is last
/// in descending order; in ascending order it counts as the greatest.
static SmallVector<Value> emitInOrder(TileBuilder &b, hsa::Order order,
                                      ValueRange states) {
  SmallVector<Value> lists(states);
  if (order == hsa::Order::Score)
    return lists;
  std::swap(lists[0], lists[1]); // sorted by index
  Type type = lists[0].getType();
  Value none = b.full(type, -1);
  Value greatest = b.full(type, std::numeric_limits<int32_t>::max());
  auto replace = [&](Value from, Value to) {
    Value there = b.compare(arith::CmpIPredicate::eq, lists[0], from);
    lists[0] = b.choose(there, to, lists[0]);
  };
  bool ascending = order == hsa::Order::Ascending;
  if (ascending)
    replace(none, greatest);
  auto sorted = b.create<tile::SortOp>(ValueRange(lists).getTypes(),
                                       /*descending=*/!ascending, lists);
  lists.assign(sorted.getResults().begin(), sorted.getResults().end());
  if (ascending)
    replace(greatest, none);
  std::swap(lists[0], lists[1]);
  return lists;
}

void StreamReduction::finishTopK(StreamEmitter &emitter,
                                 ValueRange states) const {
  TileBuilder &b = emitter.b;
  auto topk = cast<hsa::TopKOp>(op);
  // Lists may be longer than they are asked for.
  SmallVector<Value> best(states);
  for (auto [index, list] : llvm::enumerate(best))
    list = emitter.maskColumns(list, topk.getK(),
                               index == 1 ? -1
                               : isa<FloatType>(getElementTypeOrSelf(list))
                                   ? kNegInf
                                   : 0);
  SmallVector<Value> lists = emitInOrder(b, topk.getOrder(), best);
  emitter.set(topk.getResult(), head, lists[1]);
  SmallVector<Carried> carried = getCarried(emitter);
  for (hsa::TakeOp take : takes) {
    if (take.getStream() == input)
      emitter.taken[{take, head.key()}] = lists[0];
    for (auto [index, one] : llvm::enumerate(carried))
      if (take.getStream() == one.take.getStream())
        emitter.taken[{take, one.head.key()}] = lists[2 + index];
  }
}
