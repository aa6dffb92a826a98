// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- DomainOps.cpp - Which chunks a reduction visits --------------------===//

#include "dialects/HSA/IR/OpVerify.h"

using namespace mlir;
using namespace ramify::hsa;

LogicalResult SelectedOp::verify() {
  auto argument = dyn_cast<BlockArgument>(getIndices());
  auto program = argument
                     ? dyn_cast<ProgramOp>(argument.getOwner()->getParentOp())
                     : nullptr;
  if (!program)
    return emitOpError() << "indices are not a parameter of the program";
  StringRef name = program.getParameterName(argument.getArgNumber());
  return verifyType(*this, "result", getType(),
                    DomainType::get(getContext(),
                                    getIndices().getType().getPartition(),
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
