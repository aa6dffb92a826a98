// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileMemoryOps.cpp - Gather, lookup, scatter ------------------------===//

#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace ramify::tile;

/// Each tensor among `indices`, and the mask, has one element for each of
/// `rows`.
static LogicalResult verifyRows(Operation *op, OperandRange indices, Value mask,
                                int64_t rows) {
  auto check = [&](Value value, StringRef what) -> LogicalResult {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (type && (type.getRank() != 1 || type.getDimSize(0) != rows))
      return op->emitOpError("expected ")
             << what << " with " << rows << " elements, found " << type;
    return success();
  };
  for (Value index : indices)
    if (failed(check(index, "an index")))
      return failure();
  return mask ? check(mask, "a mask") : success();
}

static LogicalResult verifyAccess(Operation *op, MemRefType memory,
                                  RankedTensorType tile, OperandRange indices,
                                  Value mask) {
  if (memory.getElementType() != tile.getElementType())
    return op->emitOpError("element type of the array, ")
           << memory.getElementType() << ", differs from the tile's, "
           << tile.getElementType();
  if (tile.getRank() != 1 && tile.getRank() != 2)
    return op->emitOpError("expected a tile of rank 1 or 2, found ") << tile;
  int64_t expected = memory.getRank() - (tile.getRank() == 2 ? 1 : 0);
  if (static_cast<int64_t>(indices.size()) != expected)
    return op->emitOpError("expected ") << expected << " indices for " << memory
                                        << ", found " << indices.size();
  return verifyRows(op, indices, mask, tile.getDimSize(0));
}

LogicalResult GatherOp::verify() {
  auto tile = cast<RankedTensorType>(getResult().getType());
  if (tile.getRank() != 2)
    return emitOpError("expected a result of rank 2, found ") << tile;
  return verifyAccess(*this, getSource().getType(), tile, getIndices(),
                      getMask());
}

LogicalResult LookupOp::verify() {
  auto tile = cast<RankedTensorType>(getResult().getType());
  if (tile.getRank() != 1)
    return emitOpError("expected a result of rank 1, found ") << tile;
  return verifyAccess(*this, getSource().getType(), tile, getIndices(),
                      getMask());
}

LogicalResult ScatterOp::verify() {
  return verifyAccess(*this, getTarget().getType(),
                      cast<RankedTensorType>(getValue().getType()),
                      getIndices(), getMask());
}
