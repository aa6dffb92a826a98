// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OpVerify.cpp - Checks that several operations share ----------------===//

#include "dialects/Tile/IR/OpVerify.h"

using namespace mlir;
using namespace ramify::tile;

LogicalResult ramify::tile::verifyTile(Operation *op, StringRef what, Type type,
                                       ArrayRef<int64_t> ranks) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.hasStaticShape() && tensor.getNumElements() > 0 &&
      llvm::is_contained(ranks, tensor.getRank()))
    return success();
  InFlightDiagnostic diag = op->emitOpError("expected ")
                            << what << " of a static shape of rank ";
  llvm::interleave(ranks, diag, " or ");
  return diag << ", found " << type;
}

static bool isScalar(Type type) {
  return isa<IndexType, IntegerType, FloatType>(type);
}

LogicalResult ramify::tile::verifyArray(Operation *op, StringRef what,
                                        Type type) {
  auto array = dyn_cast<MemRefType>(type);
  if (!array || array.getMemorySpace() ||
      !isa<IntegerType, FloatType>(array.getElementType()))
    return op->emitOpError("expected ")
           << what << " to be an array of integers or floats in the default "
           << "memory space, found " << type;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(getStridesAndOffset(array, strides, offset)) ||
      (!strides.empty() && strides.back() != 1))
    return op->emitOpError("expected the last dimension of ")
           << what << " to be contiguous, found " << type;
  return success();
}

LogicalResult ramify::tile::verifyWholeArray(Operation *op, StringRef what,
                                             Type type) {
  if (failed(verifyArray(op, what, type)))
    return failure();
  if (getStridesAndOffset(cast<MemRefType>(type)).second != 0)
    return op->emitOpError("expected ")
           << what << " to start at offset 0, found " << type;
  return success();
}

LogicalResult ramify::tile::verifySignature(FunctionOpInterface function,
                                            bool allowTiles) {
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes())) {
    std::string what = ("argument " + Twine(index)).str();
    if (isa<BaseMemRefType>(type)) {
      if (failed(verifyWholeArray(function, what, type)))
        return failure();
    } else if (isa<TensorType>(type) && allowTiles) {
      if (failed(verifyTile(function, what, type, {1, 2})))
        return failure();
    } else if (!isScalar(type) && !isa<TensorMapType>(type)) {
      return function->emitOpError("expected ")
             << what << " to be an array or a scalar, found " << type;
    }
  }
  if (!function.getResultTypes().empty())
    return function->emitOpError("expected no results in its type, found ")
           << function.getResultTypes().size();
  return success();
}

LogicalResult ramify::tile::verifyBuffer(Operation *op, MemRefType buffer) {
  auto shared = dyn_cast_or_null<SharedAttr>(buffer.getMemorySpace());
  if (!shared || buffer.getRank() != 3 || !buffer.hasStaticShape() ||
      !buffer.getLayout().isIdentity())
    return op->emitOpError("expected a memref<STAGESxROWSxCOLSxT, "
                           "#tile.shared<...>>, found ")
           << buffer;
  int64_t rowBytes = buffer.getDimSize(2) * buffer.getElementTypeBitWidth() / 8;
  int64_t unit = shared.getSwizzle() ? shared.getSwizzle() : 16;
  if (rowBytes % unit)
    return op->emitOpError("expected rows of a multiple of ")
           << unit << " bytes, found " << rowBytes;
  return success();
}
