// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileListOps.cpp - Lists of rows in shared memory -------------------===//

#include "dialects/Tile/IR/OpVerify.h"

using namespace mlir;
using namespace ramify::tile;

/// Fails unless `list` is a buffer of one stage and plain rows of 32 bits.
static LogicalResult verifyList(Operation *op, Type list) {
  auto buffer = cast<MemRefType>(list);
  if (failed(verifyBuffer(op, buffer)))
    return failure();
  auto shared = cast<SharedAttr>(buffer.getMemorySpace());
  if (buffer.getDimSize(0) != 1 || shared.getSwizzle() != 0 ||
      buffer.getElementTypeBitWidth() != 32 || buffer.getDimSize(1) % 16 ||
      buffer.getDimSize(2) % 8)
    return op->emitOpError("expected lists of one stage, a multiple of 16 rows "
                           "and of 8 columns of 32 bits without a swizzle, "
                           "found ")
           << buffer;
  return success();
}

/// The lists of `scores`, in a row.
static LogicalResult verifyLists(KeepBestOp op, RankedTensorType scores) {
  auto best = cast<MemRefType>(op.getBest().getType());
  SmallVector<Type> elements{Float32Type::get(op.getContext()),
                             IntegerType::get(op.getContext(), 32)};
  for (Value value : op.getCarried())
    elements.push_back(getElementTypeOrSelf(value.getType()));
  SmallVector<Value> lists{op.getBest(), op.getWhich()};
  llvm::append_range(lists, op.getHeld());
  if (lists.size() != elements.size())
    return op.emitOpError("holds ")
           << op.getHeld().size() << " values for " << op.getCarried().size()
           << " that are carried";
  for (auto [list, element] : llvm::zip_equal(lists, elements)) {
    auto type = cast<MemRefType>(list.getType());
    if (failed(verifyList(op, type)))
      return failure();
    if (type.getElementType() != element ||
        type.getShape() != best.getShape() ||
        type.getDimSize(1) != scores.getDimSize(0))
      return op.emitOpError("expected a list of ")
             << scores.getDimSize(0) << " rows of " << element << " like "
             << best << ", found " << type;
  }
  return success();
}

LogicalResult KeepBestOp::verify() {
  RankedTensorType scores = getScores().getType();
  if (failed(verifyTile(*this, "scores", scores, {2})))
    return failure();
  auto ids = cast<RankedTensorType>(getIds().getType());
  if (!scores.getElementType().isF32() || ids.getRank() != 1 ||
      ids.getDimSize(0) != scores.getDimSize(1))
    return emitOpError("expected scores of f32 and an id for each column, "
                       "found ")
           << scores << " and " << ids;
  for (Value value : getCarried())
    if (cast<RankedTensorType>(value.getType()).getShape() != scores.getShape())
      return emitOpError("expected carried values like ")
             << scores << ", found " << value.getType();
  for (Value value : {getWorst(), getWorstId(), getPlace()}) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() != 1 || type.getDimSize(0) != scores.getDimSize(0))
      return emitOpError("expected a last one for each row of ")
             << scores << ", found " << type;
  }
  if (!getElementTypeOrSelf(getWorst()).isF32())
    return emitOpError("expected worst scores of f32, found ")
           << getWorst().getType();
  for (auto [before, after] :
       llvm::zip_equal(getOperands().take_back(3), getResults()))
    if (before.getType() != after.getType())
      return emitOpError("expected a result of type ")
             << before.getType() << ", found " << after.getType();
  return verifyLists(*this, scores);
}

LogicalResult SortListsOp::verify() {
  if (getKeys() < 1 || getKeys() > getLists().size())
    return emitOpError("expected 1 to ")
           << getLists().size() << " keys, found " << getKeys();
  auto first = cast<MemRefType>(getLists().front().getType());
  for (Value list : getLists()) {
    if (failed(verifyList(*this, list.getType())))
      return failure();
    if (cast<MemRefType>(list.getType()).getShape() != first.getShape())
      return emitOpError("expected lists of one shape, found ")
             << first << " and " << list.getType();
  }
  return success();
}
