// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileHopperOps.cpp - TMA, mbarriers, wgmma --------------------------===//

#include "dialects/Tile/IR/Layout.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

LogicalResult
TensorMapType::verify(function_ref<InFlightDiagnostic()> emitError,
                      RankedTensorType box, int64_t swizzle) {
  if (swizzle != 32 && swizzle != 64 && swizzle != 128)
    return emitError() << "expected a swizzle of 32, 64 or 128 bytes, "
                          "found "
                       << swizzle;
  int64_t rowBytes = box.getShape().back() * box.getElementTypeBitWidth() / 8;
  if (rowBytes != swizzle)
    return emitError() << "expected rows of " << swizzle << " bytes, found "
                       << rowBytes;
  if (llvm::any_of(box.getShape(), [](int64_t side) { return side > 256; }))
    return emitError() << "expected sides of at most 256, found " << box;
  return success();
}

LogicalResult
MBarriersType::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t count) {
  if (count < 1)
    return emitError() << "expected at least one barrier, found " << count;
  return success();
}

//===----------------------------------------------------------------------===//
// Barriers and TMA
//===----------------------------------------------------------------------===//

LogicalResult AllocMBarriersOp::verify() {
  if (getArrivals() < 1)
    return emitOpError("expected at least one arrival, found ")
           << getArrivals();
  return success();
}

LogicalResult ElectOp::verify() {
  auto result = getBody().walk([&](Operation *op) {
    auto isTensor = [](Type type) { return isa<TensorType>(type); };
    if (llvm::none_of(op->getOperandTypes(), isTensor) &&
        llvm::none_of(op->getResultTypes(), isTensor))
      return WalkResult::advance();
    op->emitOpError("has a tensor, which one thread alone does not hold");
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// The swizzle of a buffer `memref<STAGESxROWSxCOLSxT, #tile.shared<...>>`.
static FailureOr<int64_t> getSwizzle(Operation *op, MemRefType buffer) {
  auto shared = dyn_cast_or_null<SharedAttr>(buffer.getMemorySpace());
  if (!shared || buffer.getRank() != 3)
    return op->emitOpError("expected a memref<STAGESxROWSxCOLSxT, "
                           "#tile.shared<...>>, found ")
           << buffer;
  return shared.getSwizzle();
}

LogicalResult TmaLoadOp::verify() {
  TensorMapType map = getMap().getType();
  RankedTensorType box = map.getBox();
  if (static_cast<int64_t>(getCoordinates().size()) != box.getRank())
    return emitOpError("expected ")
           << box.getRank() << " coordinates for " << map << ", found "
           << getCoordinates().size();
  auto target = cast<MemRefType>(getTarget().getType());
  FailureOr<int64_t> swizzle = getSwizzle(*this, target);
  if (failed(swizzle))
    return failure();
  SmallVector<int64_t> sides;
  for (int64_t side : box.getShape())
    if (side != 1)
      sides.push_back(side);
  int64_t block = getBlock().value_or(0);
  if (sides.size() != 2 || sides[0] != target.getDimSize(1) || block < 0 ||
      target.getDimSize(2) % sides[1] ||
      block >= target.getDimSize(2) / sides[1] ||
      (!getBlock() && sides[1] != target.getDimSize(2)) ||
      box.getElementType() != target.getElementType() ||
      *swizzle != map.getSwizzle())
    return emitOpError("expected stages that hold a box of ")
           << map << ", found " << target;
  return success();
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

static bool isNarrow(Type element) {
  return element.isBF16() || element.isF16();
}

/// (C5) of a left operand in registers.
static LogicalResult verifyRegisters(WgmmaOp op, RankedTensorType lhs) {
  std::optional<Layout> layout = Layout::of(lhs);
  if (op.getLhsStage() || op.getLhsTransposed() || lhs.getRank() != 2 ||
      lhs.getDimSize(0) % 64 || lhs.getDimSize(1) % 16 || !layout ||
      *layout != wgmmaAccumulator(lhs.getDimSize(0), lhs.getDimSize(1)))
    return op.emitOpError("expected an lhs that warpgroups hold as wgmma does, "
                          "64 rows each, not transposed and without a stage, "
                          "found ")
           << lhs;
  return success();
}

LogicalResult WgmmaOp::verify() {
  auto lhs = cast<ShapedType>(getLhs().getType());
  auto rhs = cast<MemRefType>(getRhs().getType());
  auto acc = cast<RankedTensorType>(getAcc().getType());
  auto inRegisters = dyn_cast<RankedTensorType>(getLhs().getType());
  if (inRegisters && failed(verifyRegisters(*this, inRegisters)))
    return failure();
  for (ShapedType operand : {lhs, cast<ShapedType>(rhs)}) {
    if (auto buffer = dyn_cast<MemRefType>(operand)) {
      FailureOr<int64_t> swizzle = getSwizzle(*this, buffer);
      if (failed(swizzle))
        return failure();
      if (*swizzle != 128)
        return emitOpError("expected 16-bit elements of one type with a "
                           "128-byte swizzle, found ")
               << operand;
    }
    if (!isNarrow(operand.getElementType()) ||
        operand.getElementType() != lhs.getElementType())
      return emitOpError("expected 16-bit elements of one type with a "
                         "128-byte swizzle, found ")
             << operand;
  }
  if (!inRegisters && !getLhsStage())
    return emitOpError("expected a stage of an lhs in shared memory");
  ArrayRef<int64_t> sides = lhs.getShape().take_back(2);
  int64_t rows = sides[getLhsTransposed() ? 1 : 0];
  int64_t depth = sides[getLhsTransposed() ? 0 : 1];
  if (!rows || rows % 64)
    return emitOpError("expected an lhs of 64 rows for each warpgroup, found ")
           << lhs;
  int64_t inner = rhs.getDimSize(getTransposed() ? 2 : 1);
  int64_t cols = rhs.getDimSize(getTransposed() ? 1 : 2);
  if (!acc.getElementType().isF32() || acc.getRank() != 2 ||
      acc.getDimSize(0) != rows || acc.getDimSize(1) != cols ||
      inner != depth || inner % 16 || cols % 8 || cols > 256)
    return emitOpError("expected the shapes of a product, found ")
           << lhs << ", " << rhs << " and " << acc;
  for (Operation *user : getResult().getUsers())
    if (!isa<WgmmaOp, WgmmaWaitOp>(user))
      return emitOpError("its result is under way and may not go to ")
             << user->getName();
  return success();
}
