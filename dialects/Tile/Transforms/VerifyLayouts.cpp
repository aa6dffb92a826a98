// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VerifyLayouts.cpp - Layouts that fit their tiles and uses ----------===//

#include "dialects/Tile/Transforms/VerifyLayouts.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify::tile;

SmallVector<Type> ramify::tile::getMadeTypes(Operation *op) {
  SmallVector<Type> types(op->getResultTypes());
  for (Region &region : op->getRegions())
    for (Block &block : region)
      llvm::append_range(types, block.getArgumentTypes());
  return types;
}

/// (S9)
LogicalResult LayoutVerifier::verifyLayout(Operation *op,
                                           RankedTensorType tile) {
  if (!tile.getRank() && isa<ReduceOp>(op))
    return success();
  auto attr = dyn_cast_or_null<LayoutAttr>(tile.getEncoding());
  if (!attr)
    return op->emitOpError("expected a tile with a layout, found ") << tile;
  Layout layout(attr);
  if (tile.getShape() != ArrayRef<int64_t>(layout.shape())) {
    InFlightDiagnostic diag = op->emitOpError("expected a layout of ");
    llvm::interleave(tile.getShape(), diag, "x");
    diag << ", found one of ";
    llvm::interleave(layout.shape(), diag, "x");
    return diag;
  }
  if (layout.numWarps() > warps)
    return op->emitOpError("expected a layout of at most ")
           << warps << " warps, found " << layout.numWarps();
  if (valid.insert(attr).second && !layout.isValid())
    return op->emitOpError("expected a layout that holds each element equally "
                           "often, found ")
           << attr;
  return success();
}

/// (S10)
static LogicalResult verifyElementwise(Operation *op) {
  RankedTensorType first;
  for (Type type : llvm::concat<const Type>(to_vector(op->getOperandTypes()),
                                            to_vector(op->getResultTypes()))) {
    auto tile = dyn_cast<RankedTensorType>(type);
    if (tile && first && tile.getEncoding() != first.getEncoding())
      return op->emitOpError("expected one layout, found ")
             << first.getEncoding() << " and " << tile.getEncoding();
    first = tile ? tile : first;
  }
  return success();
}

/// (S11) for what goes along the rows of a tile, or along its columns.
static LogicalResult verifySlice(Operation *op, StringRef what, Value vector,
                                 const Layout &tile, unsigned dropped) {
  std::optional<Layout> found = Layout::of(vector.getType());
  if (!found)
    return success();
  Layout expected = tile.rank() == 2 ? tile.slice(dropped) : tile;
  if (*found == expected)
    return success();
  MLIRContext *context = op->getContext();
  return op->emitOpError("expected ")
         << what << " with the layout " << expected.toAttr(context)
         << ", found " << found->toAttr(context);
}

/// (S11) for an access to the array by the threads that `tile` says.
template <typename Op>
static LogicalResult verifyAccess(Op op, const Layout &tile) {
  for (Value index : op.getIndices())
    if (failed(verifySlice(op, "an index", index, tile, 1)))
      return failure();
  return op.getMask() ? verifySlice(op, "a mask", op.getMask(), tile, 1)
                      : success();
}

/// (S11) and (S12)
static LogicalResult verifyUse(Operation *op) {
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([](BroadcastOp op) {
        return verifySlice(op, "an input", op.getInput(),
                           *Layout::of(op.getType()), op.getAxis());
      })
      .Case([](ReduceOp op) {
        return verifySlice(op, "a result", op.getResult(),
                           *Layout::of(op.getInput().getType()), op.getAxis());
      })
      .Case<GatherOp, LookupOp>(
          [](auto op) { return verifyAccess(op, *Layout::of(op.getType())); })
      .Case([](ScatterOp op) {
        return verifyAccess(op, *Layout::of(op.getValue().getType()));
      })
      .Case([](CopyAsyncOp op) -> LogicalResult {
        if (!op.getLayout())
          return op.emitOpError("expected a layout, found none");
        return verifyAccess(op, Layout(*op.getLayout()));
      })
      .Default(success());
}

LogicalResult LayoutVerifier::verify(Operation *op) {
  for (Type type : getMadeTypes(op))
    if (auto tile = dyn_cast<RankedTensorType>(type))
      if (failed(verifyLayout(op, tile)))
        return failure();
  if (op->hasTrait<OpTrait::Elementwise>() && failed(verifyElementwise(op)))
    return failure();
  return verifyUse(op);
}
