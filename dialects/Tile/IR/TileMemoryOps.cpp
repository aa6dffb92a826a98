// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileMemoryOps.cpp - Gather, lookup, scatter ------------------------===//

#include "dialects/Tile/IR/OpVerify.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

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

LogicalResult ramify::tile::verifyAccess(Operation *op, MemRefType memory,
                                         RankedTensorType tile,
                                         OperandRange indices, Value mask) {
  if (failed(verifyArray(op, "the array", memory)))
    return failure();
  if (memory.getElementType() != tile.getElementType())
    return op->emitOpError("element type of the array, ")
           << memory.getElementType() << ", differs from the tile's, "
           << tile.getElementType();
  int64_t columns = tile.getRank() - 1;
  if (memory.getRank() < columns)
    return op->emitOpError("expected an array with a dimension for the tile's "
                           "columns, found ")
           << memory;
  int64_t expected = memory.getRank() - columns;
  if (static_cast<int64_t>(indices.size()) != expected)
    return op->emitOpError("expected ") << expected << " indices for " << memory
                                        << ", found " << indices.size();
  return verifyRows(op, indices, mask, tile.getDimSize(0));
}

/// The value of a mask that is a constant, the same for all rows.
static std::optional<bool> getConstantMask(Attribute mask) {
  auto splat = dyn_cast_or_null<SplatElementsAttr>(mask);
  if (!splat)
    return std::nullopt;
  return splat.getSplatValue<bool>();
}

/// What gather and lookup read through a constant mask: zeros without reading,
/// or everything, for which no mask is needed.
template <typename Op> static OpFoldResult foldMask(Op op, Attribute mask) {
  std::optional<bool> constant = getConstantMask(mask);
  if (!constant)
    return {};
  if (!*constant)
    return Builder(op.getContext()).getZeroAttr(op.getType());
  op.getMaskMutable().clear();
  return op.getResult();
}

LogicalResult GatherOp::verify() {
  if (failed(verifyTile(*this, "a result", getType(), {2})))
    return failure();
  return verifyAccess(*this, getSource().getType(), getType(), getIndices(),
                      getMask());
}

OpFoldResult GatherOp::fold(FoldAdaptor adaptor) {
  return foldMask(*this, adaptor.getMask());
}

LogicalResult LookupOp::verify() {
  if (failed(verifyTile(*this, "a result", getType(), {1})))
    return failure();
  return verifyAccess(*this, getSource().getType(), getType(), getIndices(),
                      getMask());
}

OpFoldResult LookupOp::fold(FoldAdaptor adaptor) {
  return foldMask(*this, adaptor.getMask());
}

LogicalResult ScatterOp::verify() {
  if (failed(verifyTile(*this, "a value", getValue().getType(), {1, 2})))
    return failure();
  return verifyAccess(*this, getTarget().getType(), getValue().getType(),
                      getIndices(), getMask());
}

/// Writes through a constant mask: nothing, or everything.
LogicalResult ScatterOp::canonicalize(ScatterOp op, PatternRewriter &rewriter) {
  Attribute mask;
  if (!op.getMask() || !matchPattern(op.getMask(), m_Constant(&mask)))
    return failure();
  std::optional<bool> constant = getConstantMask(mask);
  if (!constant)
    return failure();
  if (*constant)
    rewriter.modifyOpInPlace(op, [&] { op.getMaskMutable().clear(); });
  else
    rewriter.eraseOp(op);
  return success();
}
