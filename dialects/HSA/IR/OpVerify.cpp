// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OpVerify.cpp - Checks that several operations share ----------------===//

#include "dialects/HSA/IR/OpVerify.h"

using namespace mlir;
using namespace ramify::hsa;

LogicalResult ramify::hsa::verifyType(Operation *op, StringRef what, Type found,
                                      Type expected) {
  if (found == expected)
    return success();
  return op->emitOpError() << what << " is " << found << ", but " << expected
                           << " was expected";
}

LogicalResult ramify::hsa::verifyOver(Operation *op, StringRef what, Type type,
                                      ArrayRef<Axis> axes, Type element) {
  AxesAttr found = getAxes(type);
  if (found && found.getAxes() == axes && getElementTypeOrSelf(type) == element)
    return success();
  InFlightDiagnostic diag = op->emitOpError()
                            << what << " is " << type << ", but a tensor of "
                            << element << " over ";
  llvm::interleaveComma(axes, diag,
                        [&](Axis axis) { diag << stringifyAxis(axis); });
  return diag << " was expected";
}

LogicalResult ramify::hsa::verifyF32(Operation *op, Type type) {
  Type element = getElementTypeOrSelf(type);
  if (element.isF32())
    return success();
  return op->emitOpError() << "works on f32, but its elements are " << element;
}

LogicalResult ramify::hsa::verifyAlong(Operation *op, Type type,
                                       ArrayRef<Axis> over, Value chunk) {
  if (over.empty())
    return op->emitOpError("goes over no axis, but at least one was expected");
  for (Axis axis : over)
    if (!getAxes(type).contains(axis))
      return op->emitOpError() << "goes over " << stringifyAxis(axis)
                               << ", but " << type << " has no such axis";
  bool overKey = llvm::is_contained(over, Axis::Key);
  if (overKey && !chunk)
    return op->emitOpError() << "goes over key, but names no chunk";
  if (!overKey && chunk)
    return op->emitOpError() << "goes over " << stringifyAxis(over[0])
                             << ", but names a chunk, as only key may";
  return success();
}

LogicalResult ramify::hsa::verifyPlainMonoid(Operation *op, Monoid monoid) {
  if (monoid != Monoid::Softmax)
    return success();
  return op->emitOpError()
         << "monoid is softmax, but sum, max or min was expected";
}

LogicalResult ramify::hsa::verifyPush(Operation *op, Type logit, Type value,
                                      SoftmaxStateType state) {
  RankedTensorType whole = state.getValue();
  if (failed(verifyType(op, "the logit", logit, state.getRowType())))
    return failure();
  Type row = getNamedType({getSizedAxes(whole).back()}, whole.getElementType());
  if (value == whole || value == row)
    return success();
  return op->emitOpError() << "the value is " << value << ", but " << row
                           << " or " << whole << " was expected";
}
