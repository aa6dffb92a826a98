// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamEmitter.cpp - Values on demand, elementwise operations -------===//

#include "StreamEmitter.h"

#include "StreamPasses.h"
#include "StreamReductions.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numbers>

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Type StreamEmitter::getTile(Type type) const {
  if (!hsa::isNamedTensor(type))
    return type;
  bool isOfRows = tile && tile->isOfRows;
  SmallVector<int64_t> sizes;
  // Slots belong to a query block, and so to a row.
  if (hasAxis(type, Axis::Pos) || hasAxis(type, Axis::Slot) ||
      (isOfRows && hasAxis(type, Axis::Chunk)))
    sizes.push_back(shape.rows);
  for (auto [axis, size] : hsa::getSizedAxes(type)) {
    if (axis == Axis::Chunk && !isOfRows)
      sizes.push_back(shape.chunks);
    else if (axis == Axis::Slot)
      sizes.push_back(llvm::alignTo(size, shape.slotMultiple));
    else if (axis == Axis::Dim)
      sizes.push_back(llvm::alignTo(size, shape.colsMultiple));
    else if (axis == Axis::Key)
      return nullptr;
  }
  if (sizes.size() > 2)
    return nullptr;
  Type element = getElementTypeOrSelf(type);
  return sizes.empty() ? element : Type(RankedTensorType::get(sizes, element));
}

SmallVector<StreamHead> StreamEmitter::headsOf(Type type) const {
  SmallVector<StreamHead> heads;
  int64_t count = hasAxis(type, Axis::Head) ? shape.heads : 1;
  for (int64_t number = 0; number < count; ++number)
    heads.push_back({number});
  return heads;
}

//===----------------------------------------------------------------------===//
// Values on demand
//===----------------------------------------------------------------------===//

void StreamEmitter::set(Value value, StreamHead head, Value tile) {
  int64_t key = hasAxis(value.getType(), Axis::Head) ? head.key() : 0;
  frames.back()[{value, key}] = tile;
}

bool StreamEmitter::isKnown(Value value, StreamHead head) const {
  llvm::DenseSet<Key> known;
  return isKnown(value, head, known);
}

/// `known` has what was found to be known before: the search ends at the first
/// value that is not.
bool StreamEmitter::isKnown(Value value, StreamHead head,
                            llvm::DenseSet<Key> &known) const {
  Operation *op = value.getDefiningOp();
  Key key{value, hasAxis(value.getType(), Axis::Head) ? head.key() : 0};
  if (!op || !known.insert(key).second ||
      llvm::any_of(frames,
                   [&](const Frame &frame) { return frame.contains(key); }))
    return true;
  auto take = dyn_cast<hsa::TakeOp>(op);
  if (isStreamReduction(op) || (take && findTopK(take.getSlots())))
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    if (hasAxis(value.getType(), Axis::Head))
      return isKnown(operand, head, known);
    return llvm::all_of(headsOf(operand.getType()), [&](StreamHead one) {
      return isKnown(operand, one, known);
    });
  });
}

void StreamEmitter::forgetRows() {
  for (Frame &frame : frames)
    for (auto [key, tile] : llvm::to_vector(frame)) {
      Value value = key.first;
      auto dot = value.getDefiningOp<hsa::DotOp>();
      bool isWalked = dot && dot.getOver().contains(Axis::Chunk);
      if (hasAxis(value.getType(), Axis::Dim) && !isWalked)
        frame.erase(key);
    }
}

FailureOr<Value> StreamEmitter::get(Value value, StreamHead head) {
  if (isa<BlockArgument>(value))
    return body.get(value);
  if (!hasAxis(value.getType(), Axis::Head))
    head = StreamHead();
  int64_t key = head.key();
  for (const Frame &frame : llvm::reverse(frames))
    if (Value tile = frame.lookup({value, key}))
      return tile;
  Operation *op = value.getDefiningOp();
  Location before = b.getLoc();
  b.setLoc(op->getLoc());
  Result tile = emit(op, head);
  b.setLoc(before);
  if (succeeded(tile))
    frames.back()[{value, key}] = *tile;
  return tile;
}

/// A query that is wanted for several heads is read where it is used.
static bool isReadWhereUsed(Value value, int64_t heads) {
  while (auto wide = value.getDefiningOp<arith::ExtFOp>())
    value = wide.getIn();
  return heads > 1 && value.getDefiningOp<hsa::LoadOp>() &&
         hasAxis(value.getType(), Axis::Head) &&
         hasAxis(value.getType(), Axis::Dim);
}

void StreamEmitter::forgetRowsOfHeads() {
  for (Frame &frame : frames)
    for (auto [key, tile] : llvm::to_vector(frame))
      if (isReadWhereUsed(key.first, shape.heads))
        frame.erase(key);
}

LogicalResult StreamEmitter::prepare(Value value, Axis loop) {
  llvm::DenseSet<Value> seen;
  return prepare(value, loop, seen);
}

LogicalResult StreamEmitter::prepare(Value value, Axis loop,
                                     llvm::DenseSet<Value> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op || isReadWhereUsed(value, shape.heads) || !seen.insert(value).second)
    return success();
  if (!hasAxis(value.getType(), loop)) {
    // What both loops change is prepared by the inner one.
    for (StreamHead head : headsOf(value.getType()))
      if (failed(get(value, head)))
        return failure();
    return success();
  }
  for (const Frame &frame : frames)
    if (frame.contains({value, 0}))
      return success();
  for (Value operand : op->getOperands())
    if (failed(prepare(operand, loop, seen)))
      return failure();
  return success();
}

Value StreamEmitter::headIndex(StreamHead head) {
  Value number = head.counter ? head.counter : b.index(head.number);
  return b.createOrFold<arith::AddIOp>(body.rows.firstHead, number);
}

//===----------------------------------------------------------------------===//
// The table of operations
//===----------------------------------------------------------------------===//

FailureOr<Value> StreamEmitter::emit(Operation *op, StreamHead head) {
  for (Type type : op->getResultTypes())
    if (!getTile(type))
      return op->emitOpError()
             << "makes " << type
             << ", which has too many axes for a tile of query blocks: one of "
                "chunk, slot and dim may stand beside pos and head";
  return TypeSwitch<Operation *, Result>(op)
      .Case<hsa::LoadOp, hsa::StreamOp, hsa::DotOp, hsa::FoldOp,
            hsa::BroadcastOp, hsa::SoftmaxOp, hsa::LogSumExpOp, hsa::ScanOp,
            hsa::TakeOp, hsa::PutOp>(
          [&](auto typed) { return emitOp(typed, head); })
      .Case([&](hsa::ChunkInfoOp info) { return emitOp(info); })
      .Case<hsa::QueryPositionsOp, hsa::BlockPositionOp>(
          [&](auto) -> Result { return body.rows.time; })
      .Case([&](hsa::SameOp same) { return emitOp(same, head); })
      .Case([&](hsa::IdentityOp identity) -> Result {
        return b.full(getTile(identity.getType()),
                      getNeutral(identity.getMonoid()));
      })
      .Default([&](Operation *other) { return emitElementwise(other, head); });
}

Value ramify::toBase2(TileBuilder &b, Value x) {
  return b.mulf(x, b.full(x.getType(), std::numbers::log2e));
}

Value ramify::fromBase2(TileBuilder &b, Value x) {
  return b.mulf(x, b.full(x.getType(), std::numbers::ln2));
}

Value ramify::finiteOrZero(TileBuilder &b, Value x) {
  Value dead = b.equals(x, getNeutral(hsa::Monoid::Max));
  return b.choose(dead, b.full(x.getType(), 0), x);
}

FailureOr<Value> StreamEmitter::emitElementwise(Operation *op,
                                                StreamHead head) {
  Type type = getTile(op->getResult(0).getType());
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!elements)
      return b.clone(*op)->getResult(0);
    if (!elements.isSplat())
      return op->emitOpError("is not the same everywhere");
    auto element = elements.getSplatValue<TypedAttr>();
    auto tensor = dyn_cast<RankedTensorType>(type);
    TypedAttr all =
        tensor ? DenseElementsAttr::get(tensor, Attribute(element)) : element;
    return b.create<arith::ConstantOp>(all).getResult();
  }
  if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
    return op->emitOpError("is not an operation that a schedule over streams "
                           "can lower");
  // What all heads share stands there for the others as well: what is of one
  // head should not wait for it.
  for (Value operand : op->getOperands())
    if (shape.heads > 1 && isOfAnyHead(operand) && failed(get(operand, head)))
      return failure();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    Result tile = get(operand, head);
    if (failed(tile))
      return failure();
    operands.push_back(*tile);
  }
  // A number of all queries, a stream's sum say, may stand in every row.
  auto *inRows = llvm::find_if(operands, [](Value operand) {
    return isa<RankedTensorType>(operand.getType());
  });
  if (!isa<RankedTensorType>(type) && inRows != operands.end()) {
    auto rows = cast<RankedTensorType>(inRows->getType());
    for (Value &operand : operands)
      operand = b.splat(operand, rows.getShape());
    type = withElement(rows, type);
  }
  if (isa<math::ExpOp>(op))
    return b.exp2(toBase2(b, operands[0]));
  if (isa<math::AbsIOp>(op))
    return b.max(operands[0], b.sub(b.full(type, 0), operands[0]));
  if (isa<arith::FloorDivSIOp>(op))
    return emitFloorDiv(b, operands[0], operands[1]);
  Operation *copy = b.clone(*op);
  copy->setOperands(operands);
  copy->getResult(0).setType(type);
  return copy->getResult(0);
}

/// Any head tells it, and any query that is there where all queries share it;
/// 0 where there is none.
FailureOr<Value> StreamEmitter::emitOp(hsa::SameOp op, StreamHead head) {
  bool ofHead = hasAxis(op.getType(), Axis::Head);
  Result input = get(op.getInput(), ofHead ? head : StreamHead{0});
  if (failed(input) || hasAxis(op.getType(), Axis::Pos))
    return input;
  Type type = (*input).getType();
  auto reduce = [&](Value there, Value other) -> Value {
    Value all = b.choose(body.rows.inside, there, other);
    Value most = b.reduce(tile::Combine::Max, all, 0);
    return b.create<tensor::ExtractOp>(most, ValueRange());
  };
  Value any = reduce(*input, b.negInf(type));
  Value some = reduce(b.full(type, 1), b.full(type, 0));
  Value zero = b.full(any.getType(), 0);
  return b.choose(b.equals(some, 0), zero, any);
}

//===----------------------------------------------------------------------===//
// Broadcasts
//===----------------------------------------------------------------------===//

/// Which of rows (0) and columns (1) a type has, where chunks are columns.
static SmallVector<int, 2> getFootprintByColumns(Type type) {
  SmallVector<int, 2> footprint;
  if (hasAxis(type, Axis::Pos) || hasAxis(type, Axis::Slot))
    footprint.push_back(0);
  for (Axis axis : {Axis::Chunk, Axis::Slot, Axis::Dim})
    if (hasAxis(type, axis))
      footprint.push_back(1);
  return footprint;
}

size_t ramify::getFootprintSize(Type type) {
  return getFootprintByColumns(type).size();
}

/// The same where the loop is at.
SmallVector<int, 2> StreamEmitter::getFootprint(Type type) const {
  if (!tile || !tile->isOfRows || !hasAxis(type, Axis::Chunk))
    return getFootprintByColumns(type);
  SmallVector<int, 2> footprint{0};
  for (Axis axis : {Axis::Slot, Axis::Dim})
    if (hasAxis(type, axis))
      footprint.push_back(1);
  return footprint;
}

Value StreamEmitter::emitBroadcast(Value tile, Type from, Type to) {
  auto type = dyn_cast<RankedTensorType>(getTile(to));
  SmallVector<int, 2> narrow = getFootprint(from), wide = getFootprint(to);
  if (narrow.size() == wide.size())
    return tile;
  if (narrow.empty() && !isa<RankedTensorType>(tile.getType()))
    return b.splat(tile, type.getShape());
  if (narrow.empty()) // a number in every row
    narrow.push_back(0);
  if (narrow.size() == wide.size())
    return tile;
  // Chunks are the rows of a tile by chunks and dim.
  bool isOfRows =
      narrow[0] == 0 || (wide[0] != 0 && hasAxis(from, Axis::Chunk));
  return b.repeat(tile, isOfRows ? 1 : 0, type);
}

FailureOr<Value> StreamEmitter::emitOp(hsa::BroadcastOp op, StreamHead head) {
  Result input = get(op.getInput(), head);
  if (failed(input))
    return failure();
  return emitBroadcast(*input, op.getInput().getType(), op.getType());
}
