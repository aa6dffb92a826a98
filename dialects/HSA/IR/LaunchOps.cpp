// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- LaunchOps.cpp - Programs that run one after the other --------------===//

#include "dialects/HSA/IR/OpVerify.h"

#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace ramify::hsa;

LogicalResult LaunchOp::verify() {
  auto program = dyn_cast_or_null<ProgramOp>((*this)->getParentOp());
  if (!program)
    return emitOpError("expected to stand in an hsa.program");
  for (Operation &other : program.getBody().front())
    if (!isa<LaunchOp, ReturnOp>(other))
      return emitOpError(
                 "expected nothing but launches and a return beside it, "
                 "found ")
             << other.getName();
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto callee =
      symbols.lookupNearestSymbolFrom<ProgramOp>(*this, getCalleeAttr());
  if (!callee)
    return emitOpError("expected an hsa.program ")
           << getCallee() << " in the module";
  if (callee.getArgumentTypes().size() != getInputs().size())
    return emitOpError("expected ") << callee.getArgumentTypes().size()
                                    << " inputs, found " << getInputs().size();
  for (auto [input, type] :
       llvm::zip_equal(getInputs(), callee.getArgumentTypes()))
    if (input.getType() != type && !input.getDefiningOp<LaunchOp>())
      return emitOpError("expected an input of ")
             << type << " or the result of a launch, found " << input.getType();
  if (callee.getResultTypes() != getOutputs().getTypes())
    return emitOpError("expected the results of ") << getCallee();
  return success();
}

LogicalResult SameOp::verify() {
  SmallVector<SizedAxis> axes = getSizedAxes(getInput().getType());
  SmallVector<SizedAxis> kept = getSizedAxes(getResult().getType());
  llvm::erase_if(axes, [&](SizedAxis own) {
    bool isRow = own.first == Axis::Pos || own.first == Axis::Head;
    return isRow && !llvm::is_contained(kept, own);
  });
  return verifyType(*this, "result", getResult().getType(),
                    getNamedType(axes, getElementTypeOrSelf(getInput())));
}
