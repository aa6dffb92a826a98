// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileScheduleOps.cpp - What schedules build from --------------------===//

#include "dialects/Tile/IR/OpVerify.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// Shapes and order inside a tile
//===----------------------------------------------------------------------===//

static LogicalResult verifyNumbers(Operation *op, RankedTensorType tile) {
  Type element = tile.getElementType();
  if (isa<FloatType>(element) || element.isInteger(32) || element.isInteger(64))
    return success();
  return op->emitOpError(
             "expected floats, or integers of 32 or 64 bits, found ")
         << tile;
}

LogicalResult TransposeOp::verify() {
  if (failed(verifyTile(*this, "an input", getInput().getType(), {2})))
    return failure();
  RankedTensorType from = getInput().getType();
  auto to = cast<RankedTensorType>(getType());
  if (to.getRank() != 2 || to.getDimSize(0) != from.getDimSize(1) ||
      to.getDimSize(1) != from.getDimSize(0) ||
      to.getElementType() != from.getElementType())
    return emitOpError("expected a result with the sides of ")
           << from << " exchanged, found " << to;
  return success();
}

LogicalResult ScanOp::verify() {
  auto tile = cast<RankedTensorType>(getType());
  if (failed(verifyTile(*this, "an input", tile, {1, 2})))
    return failure();
  if (getAxis() >= static_cast<uint64_t>(tile.getRank()))
    return emitOpError("expected an axis of ")
           << tile << ", found " << getAxis();
  return verifyNumbers(*this, tile);
}

LogicalResult RankOp::verify() {
  return verifyTile(*this, "an input", getInput().getType(), {1});
}

LogicalResult TallyOp::verify() {
  if (failed(verifyTile(*this, "bins", getBins().getType(), {1})))
    return failure();
  return verifyTile(*this, "counts", getCounts().getType(), {1});
}

LogicalResult SortOp::verify() {
  if (getInputs().empty())
    return emitOpError("expected an input to sort by");
  auto keys = cast<RankedTensorType>(getInputs().front().getType());
  for (Type type : getInputs().getTypes()) {
    if (failed(verifyTile(*this, "an input", type, {1, 2})))
      return failure();
    if (cast<RankedTensorType>(type).getShape() != keys.getShape())
      return emitOpError("expected inputs of one shape, found ")
             << keys << " and " << type;
  }
  if (getInputs().getTypes() != getOutputs().getTypes())
    return emitOpError("expected results of the inputs' types");
  return success();
}

/// What a topk carries along with its candidates.
static LogicalResult verifyCarried(TopKOp op) {
  if (op.getCarried().size() != op.getHeld().size() ||
      op.getHeld().getTypes() != op.getNewHeld().getTypes())
    return op.emitOpError(
        "expected one held tile for each that is carried, and "
        "results of their types");
  for (auto [carried, held] :
       llvm::zip_equal(op.getCarried().getTypes(), op.getHeld().getTypes())) {
    auto from = cast<RankedTensorType>(carried);
    auto to = cast<RankedTensorType>(held);
    Type element = from.getElementType();
    if (from.getShape() != op.getScores().getType().getShape() ||
        to.getShape() != op.getBest().getType().getShape() ||
        element != to.getElementType() ||
        !(element.isF32() || element.isInteger(32)))
      return op.emitOpError("expected 32-bit elements carried like ")
             << op.getScores().getType() << " and held like "
             << op.getBest().getType() << ", found " << from << " and " << to;
  }
  return success();
}

LogicalResult TopKOp::verify() {
  RankedTensorType scores = getScores().getType(), best = getBest().getType();
  for (RankedTensorType tile : {scores, best}) {
    if (failed(verifyTile(*this, "scores", tile, {2})))
      return failure();
    if (!tile.getElementType().isF32() ||
        tile.getDimSize(0) != scores.getDimSize(0))
      return emitOpError("expected scores and best of f32 with the same rows, "
                         "found ")
             << scores << " and " << best;
  }
  auto ids = cast<RankedTensorType>(getIds().getType());
  auto which = cast<RankedTensorType>(getWhich().getType());
  if (ids.getRank() != 1 || ids.getDimSize(0) != scores.getDimSize(1) ||
      which.getShape() != best.getShape())
    return emitOpError("expected an id for each column of ")
           << scores << " and each element of " << best << ", found " << ids
           << " and " << which;
  return verifyCarried(*this);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

LogicalResult ReduceIntoOp::verify() {
  RankedTensorType tile = getValue().getType();
  if (failed(verifyTile(*this, "a value", tile, {1, 2})) ||
      failed(verifyAccess(*this, getTarget().getType(), tile, getIndices(),
                          getMask())))
    return failure();
  int64_t run = getRun();
  if (run && (run < 0 || tile.getRank() != 1 || tile.getDimSize(0) % run))
    return emitOpError("expected runs that divide a vector, found runs of ")
           << run << " elements of " << tile;
  return verifyNumbers(*this, tile);
}

LogicalResult FetchAddOp::verify() {
  auto vector = cast<RankedTensorType>(getValue().getType());
  if (failed(verifyTile(*this, "a value", vector, {1})))
    return failure();
  return verifyAccess(*this, cast<MemRefType>(getTarget().getType()), vector,
                      getIndices(), getMask());
}

LogicalResult ScratchOp::verify() {
  auto type = dyn_cast<MemRefType>(getType());
  if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity() ||
      type.getMemorySpace())
    return emitOpError("expected a memref of static shape and plain layout, "
                       "found ")
           << getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Queues
//===----------------------------------------------------------------------===//

/// tile.drain %unit of %queue below %count : memref<1xi32> { ... }
ParseResult DrainOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::Argument unit;
  OpAsmParser::UnresolvedOperand queue, count;
  Type type;
  unit.type = parser.getBuilder().getIndexType();
  if (parser.parseArgument(unit) || parser.parseKeyword("of") ||
      parser.parseOperand(queue) || parser.parseKeyword("below") ||
      parser.parseOperand(count) ||
      parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseColonType(type) ||
      parser.resolveOperand(queue, type, result.operands) ||
      parser.resolveOperand(count, unit.type, result.operands) ||
      parser.parseRegion(*result.addRegion(), unit))
    return failure();
  DrainOp::ensureTerminator(*result.regions.front(), parser.getBuilder(),
                            result.location);
  return success();
}

void DrainOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getBody().getArgument(0) << " of " << getQueue()
          << " below " << getCount();
  printer.printOptionalAttrDict((*this)->getAttrs());
  printer << " : " << getQueue().getType() << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false,
                      /*printBlockTerminators=*/false);
}

LogicalResult DrainOp::verify() {
  auto queue = dyn_cast<MemRefType>(getQueue().getType());
  if (!queue || queue.getShape() != ArrayRef<int64_t>{1} ||
      !queue.getElementType().isInteger(32))
    return emitOpError("expected a queue of one i32, found ")
           << getQueue().getType();
  if (getBody().getNumArguments() != 1 ||
      !getBody().getArgument(0).getType().isIndex())
    return emitOpError("expected a region with one argument, an index");
  return success();
}

static LogicalResult verifyCounter(Operation *op, Type type, size_t indices) {
  auto array = dyn_cast<MemRefType>(type);
  if (array && array.getElementType().isInteger(32) &&
      static_cast<size_t>(array.getRank()) == indices)
    return success();
  return op->emitOpError("expected an array of i32 with ")
         << indices << " dimensions, found " << type;
}

LogicalResult SignalOp::verify() {
  return verifyCounter(*this, getTarget().getType(), getIndices().size());
}

LogicalResult AwaitOp::verify() {
  return verifyCounter(*this, getTarget().getType(), getIndices().size());
}
