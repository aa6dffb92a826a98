// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TilePlanOps.cpp - Plans, results, launches -------------------------===//

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace ramify::tile;

ParseResult PlanOp::parse(OpAsmParser &parser, OperationState &result) {
  auto buildType = [](Builder &builder, ArrayRef<Type> inputs,
                      ArrayRef<Type> results,
                      function_interface_impl::VariadicFlag, std::string &) {
    return builder.getFunctionType(inputs, results);
  };
  if (function_interface_impl::parseFunctionOp(
          parser, result, /*allowVariadic=*/false,
          getFunctionTypeAttrName(result.name), buildType,
          getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name)))
    return failure();
  PlanOp::ensureTerminator(*result.regions.front(), parser.getBuilder(),
                           result.location);
  return success();
}

void PlanOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

LogicalResult PlanOp::verify() {
  if (!getResultTypes().empty())
    return emitOpError("expected no results in its type, found ")
           << getResultTypes().size() << "; use tile.result";
  return success();
}

LogicalResult ResultOp::verify() {
  auto type = cast<MemRefType>(getResult().getType());
  if (type.getRank() != static_cast<int64_t>(getShape().size()))
    return emitOpError("expected ") << type.getRank() << " sizes for " << type
                                    << ", found " << getShape().size();
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel =
      symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("no tile.kernel is named ") << getKernelAttr();
  SmallVector<Type> inputs(getInputs().getTypes());
  if (kernel.getArgumentTypes() != ArrayRef<Type>(inputs))
    return emitOpError("operand types differ from the arguments of ")
           << getKernelAttr();
  return success();
}
