// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- DomainOps.cpp - Which chunks a reduction visits --------------------===//

#include "dialects/HSA/IR/OpVerify.h"

using namespace mlir;
using namespace ramify::hsa;

/// The rules of slots that the program computes.
static LogicalResult verifyComputed(SelectedOp op) {
  if (!op.getPartition() || !op.getAs())
    return op.emitOpError() << "visits computed slots, but gives them no "
                               "partition and name (`in` and `as`)";
  RankedTensorType type = cast<RankedTensorType>(op.getIndices().getType());
  bool fits =
      type.getElementType().isInteger(32) && getAxes(type).contains(Axis::Slot);
  for (auto [axis, size] : getSizedAxes(type))
    fits &= axis == Axis::Slot ||
            ((axis == Axis::Pos || axis == Axis::Head) && size == 1);
  if (!fits)
    return op.emitOpError() << "slots are " << type
                            << ", but i32 over slot, with pos and head of size "
                               "1 if at all, was expected";
  auto program = op->getParentOfType<ProgramOp>();
  if (program && program.getParameter(*op.getAs()))
    return op.emitOpError() << "names its slots \"" << *op.getAs()
                            << "\", but a parameter has that name";
  return verifyType(
      op, "result", op.getType(),
      DomainType::get(op.getContext(), *op.getPartition(), *op.getAs()));
}

LogicalResult SelectedOp::verify() {
  if (isComputed())
    return verifyComputed(*this);
  if (getPartition() || getAs())
    return emitOpError() << "gives a parameter a partition and a name, as only "
                            "computed slots have";
  auto argument = dyn_cast<BlockArgument>(getIndices());
  auto program = argument
                     ? dyn_cast<ProgramOp>(argument.getOwner()->getParentOp())
                     : nullptr;
  if (!program)
    return emitOpError() << "indices are not a parameter of the program";
  StringRef name = program.getParameterName(argument.getArgNumber());
  return verifyType(
      *this, "result", getType(),
      DomainType::get(getContext(),
                      cast<IndicesType>(getIndices().getType()).getPartition(),
                      name));
}

/// The rules of window, own, first and every.
static LogicalResult verifyRange(Operation *op, ChunksType source,
                                 Value outside, DomainType result) {
  auto expected =
      DomainType::get(op->getContext(), source.getPartition(), StringRef());
  if (failed(verifyType(op, "result", result, expected)))
    return failure();
  if (!outside)
    return success();
  if (failed(verifyType(op, "outside", outside.getType(), expected)))
    return failure();
  if (outside.getDefiningOp<EveryOp>())
    return op->emitOpError() << "is outside of hsa.every, but a window, own or "
                                "first was expected";
  return success();
}

LogicalResult WindowOp::verify() {
  return verifyRange(*this, getSource().getType(), getOutside(), getType());
}

LogicalResult OwnOp::verify() {
  return verifyRange(*this, getSource().getType(), getOutside(), getType());
}

LogicalResult FirstOp::verify() {
  return verifyRange(*this, getSource().getType(), getOutside(), getType());
}

LogicalResult EveryOp::verify() {
  return verifyRange(*this, getSource().getType(), getOutside(), getType());
}
