// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- GradientOps.cpp - What gradients are written with ------------------===//

#include "dialects/HSA/IR/OpVerify.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ramify::hsa;

LogicalResult DetachOp::canonicalize(DetachOp op, PatternRewriter &rewriter) {
  rewriter.replaceOp(op, op.getInput());
  return success();
}

//===----------------------------------------------------------------------===//
// mask
//===----------------------------------------------------------------------===//

LogicalResult MaskOp::verify() {
  return verifyF32(*this, getInput().getType());
}

/// Whether `value` is 0 already where a mask by the keys of `chunk` makes it 0.
static bool isMasked(Value value, Value chunk) {
  Operation *op = value.getDefiningOp();
  if (auto mask = dyn_cast_or_null<MaskOp>(op))
    return mask.getChunk() == chunk;
  if (auto softmax = dyn_cast_or_null<SoftmaxOp>(op))
    return softmax.getChunk() == chunk;
  if (isa_and_nonnull<arith::MulFOp>(op))
    return isMasked(op->getOperand(0), chunk) ||
           isMasked(op->getOperand(1), chunk);
  return false;
}

/// Nothing to mask: zero already, or the visit of a slot, which is one for all
/// rows, and a value without keys.
OpFoldResult MaskOp::fold(FoldAdaptor) {
  if (isMasked(getInput(), getChunk()))
    return getInput();
  auto reduce = dyn_cast<ReduceOp>(getChunk().getParentBlock()->getParentOp());
  AxesAttr axes = getAxes(getInput().getType());
  if (reduce && reduce.getSlot() && !(axes && axes.contains(Axis::Key)))
    return getInput();
  return {};
}

//===----------------------------------------------------------------------===//
// add
//===----------------------------------------------------------------------===//

/// The axes that a value has which is added to sums of `role`; none where
/// nothing can be added. How many heads have landmarks the program checks.
static std::optional<SmallVector<SizedAxis>> getAddedAxes(Type role,
                                                          Type value) {
  if (auto landmarks = dyn_cast<LandmarksType>(role)) {
    SmallVector<SizedAxis> axes = {{Axis::Chunk, ShapedType::kDynamic},
                                   {Axis::Dim, landmarks.getDim()}};
    if (landmarks.getHeads() == Heads::Query) {
      SizedAxis head{Axis::Head, 1};
      for (SizedAxis own : getSizedAxes(value))
        head = own.first == Axis::Head ? own : head;
      axes.push_back(head);
    }
    return axes;
  }
  auto array = dyn_cast<ramify::hsa::ArrayType>(role);
  if (!array || llvm::is_contained(array.getAxes(), Axis::Key))
    return std::nullopt;
  return getSizedAxes(array);
}

LogicalResult AddOp::verify() {
  Type value = getValue().getType();
  auto expected = getAddedAxes(getSums().getType().getRole(), value);
  if (!expected)
    return emitOpError() << "adds to " << getSums().getType()
                         << ", but sums of landmarks or of an array without a "
                            "key axis were expected";
  if (failed(verifyF32(*this, value)))
    return failure();
  SmallVector<SizedAxis> axes = getSizedAxes(value);
  for (SizedAxis one : *expected)
    if (!llvm::is_contained(axes, one)) {
      InFlightDiagnostic diag = emitOpError()
                                << "adds " << value << ", but "
                                << stringifyAxis(one.first) << " = ";
      if (ShapedType::isDynamic(one.second))
        diag << "?";
      else
        diag << one.second;
      return diag << " was expected";
    }
  return success();
}
