// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- MathOps.cpp - Mathematics over named axes --------------------------===//

#include "dialects/HSA/IR/OpVerify.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ramify::hsa;

//===----------------------------------------------------------------------===//
// broadcast
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  Type input = getInput().getType();
  RankedTensorType result = getType();
  if (getElementTypeOrSelf(input) != result.getElementType())
    return emitOpError() << "input has elements of "
                         << getElementTypeOrSelf(input)
                         << ", but those of the result are "
                         << result.getElementType();
  for (auto [axis, size] : getSizedAxes(input)) {
    int64_t at = getAxes(result).find(axis);
    if (at < 0)
      return emitOpError() << "input has the axis " << stringifyAxis(axis)
                           << ", but the result " << result << " has not";
    if (result.getDimSize(at) != size)
      return emitOpError() << "input has " << stringifyAxis(axis) << " = "
                           << size << ", but the result has "
                           << result.getDimSize(at);
  }
  return success();
}

/// Same type: the input. A constant: a splat of the result's type. A broadcast
/// of a broadcast: one broadcast.
OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  if (isa_and_nonnull<FloatAttr, IntegerAttr>(adaptor.getInput()) &&
      getType().hasStaticShape())
    return DenseElementsAttr::get(getType(), adaptor.getInput());
  if (auto inner = getInput().getDefiningOp<BroadcastOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  return {};
}

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

static LogicalResult verifyDotElements(DotOp op) {
  Type lhs = op.getLhs().getType().getElementType();
  Type rhs = op.getRhs().getType().getElementType();
  for (Type element : {lhs, rhs})
    if (!isa<FloatType>(element))
      return op.emitOpError() << "has elements of " << element
                              << ", but f32, bf16 or f16 was expected";
  if (lhs != rhs && !lhs.isF32() && !rhs.isF32())
    return op.emitOpError() << "has elements of " << lhs << " and " << rhs
                            << ", but one 16-bit type was expected";
  return success();
}

/// The axes of both sides; fails where they do not match.
static FailureOr<SmallVector<SizedAxis>> getBothAxes(DotOp op) {
  SmallVector<SizedAxis> axes = getSizedAxes(op.getLhs().getType());
  llvm::append_range(axes, getSizedAxes(op.getRhs().getType()));
  llvm::sort(axes);
  axes.erase(llvm::unique(axes), axes.end());
  for (auto [one, next] : llvm::zip(axes, llvm::drop_begin(axes)))
    if (one.first == next.first)
      return op.emitOpError()
             << "has an axis " << stringifyAxis(one.first) << " of "
             << one.second << " and of " << next.second
             << ", but equal sizes were expected";
  return axes;
}

LogicalResult DotOp::verify() {
  if (failed(verifyDotElements(*this)))
    return failure();
  for (Axis axis : getOver().getAxes())
    if (axis == Axis::Slot)
      return emitOpError() << "goes over " << stringifyAxis(axis)
                           << ", but pos, head, chunk, key or dim was expected";
  for (Type side : {getLhs().getType(), getRhs().getType()})
    if (failed(verifyAlong(*this, side, getOver().getAxes(), getChunk())))
      return failure();
  FailureOr<SmallVector<SizedAxis>> axes = getBothAxes(*this);
  if (failed(axes))
    return failure();
  return verifyType(
      *this, "result", getResult().getType(),
      getNamedType(dropAxes(*axes, getOver()), Float32Type::get(getContext())));
}

/// Takes the operand of a widening from a 16-bit type, or null.
static Value getNarrow(Value value) {
  auto widen = value.getDefiningOp<arith::ExtFOp>();
  return widen ? widen.getIn() : nullptr;
}

/// A product accumulates in f32 whatever its operands are: a widened operand is
/// as good as the narrow one, if the other side is as narrow (or was).
LogicalResult DotOp::canonicalize(DotOp op, PatternRewriter &rewriter) {
  Value lhs = getNarrow(op.getLhs()), rhs = getNarrow(op.getRhs());
  if (!lhs && !rhs)
    return failure();
  lhs = lhs ? lhs : op.getLhs();
  rhs = rhs ? rhs : op.getRhs();
  if (getElementTypeOrSelf(lhs) != getElementTypeOrSelf(rhs))
    return failure();
  rewriter.modifyOpInPlace(op, [&] {
    op.getLhsMutable().assign(lhs);
    op.getRhsMutable().assign(rhs);
  });
  return success();
}

//===----------------------------------------------------------------------===//
// softmax, fold
//===----------------------------------------------------------------------===//

LogicalResult SoftmaxOp::verify() {
  if (failed(verifyF32(*this, getInput().getType())) ||
      failed(verifyAlong(*this, getInput().getType(), {getOver()}, getChunk())))
    return failure();
  if (!getN().isFinite() || (getN().isNegative() && !getN().isZero()))
    return emitOpError() << "n is " << getN().convertToDouble()
                         << ", but a finite number that is not negative was "
                            "expected";
  return success();
}

LogicalResult FoldOp::verify() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyPlainMonoid(*this, getMonoid())) ||
      failed(verifyF32(*this, input)) ||
      failed(verifyAlong(*this, input, getOver().getAxes(), getChunk())))
    return failure();
  return verifyType(*this, "result", getResult().getType(),
                    getNamedType(dropAxes(getSizedAxes(input), getOver()),
                                 input.getElementType()));
}
