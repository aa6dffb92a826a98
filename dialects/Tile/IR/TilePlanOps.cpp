// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TilePlanOps.cpp - Plans, results, launches -------------------------===//

#include "dialects/Tile/IR/OpVerify.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
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
  return verifySignature(*this, /*allowTiles=*/false);
}

//===----------------------------------------------------------------------===//
// result
//===----------------------------------------------------------------------===//

LogicalResult ResultOp::verify() {
  MemRefType type = getType();
  if (failed(verifyWholeArray(*this, "a result", type)))
    return failure();
  if (type.getRank() != static_cast<int64_t>(getShape().size()))
    return emitOpError("expected ") << type.getRank() << " sizes for " << type
                                    << ", found " << getShape().size();
  return success();
}

namespace {
/// The size of a result is what it was made with.
struct DimOfResult : OpRewritePattern<memref::DimOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(memref::DimOp dim,
                                PatternRewriter &rewriter) const final {
    auto result = dim.getSource().getDefiningOp<ResultOp>();
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!result || !axis || *axis < 0 ||
        *axis >= static_cast<int64_t>(result.getShape().size()))
      return failure();
    rewriter.replaceOp(dim, result.getShape()[*axis]);
    return success();
  }
};
} // namespace

void ResultOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DimOfResult>(context);
}

//===----------------------------------------------------------------------===//
// launch
//===----------------------------------------------------------------------===//

LogicalResult LaunchOp::verify() {
  if (!(*this)->getParentOfType<PlanOp>())
    return emitOpError("expected to stand in a tile.plan");
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *callee = symbols.lookupNearestSymbolFrom(*this, getKernelAttr());
  // Once lowered, a kernel's arguments follow from those of the launch.
  if (isa_and_nonnull<LLVM::LLVMFuncOp>(callee))
    return success();
  auto kernel = dyn_cast_or_null<KernelOp>(callee);
  if (!kernel)
    return emitOpError("no tile.kernel is named ") << getKernelAttr();
  ArrayRef<Type> expected = kernel.getArgumentTypes();
  if (expected.size() != getInputs().size())
    return emitOpError("expected ")
           << expected.size() << " operands for " << getKernelAttr()
           << ", found " << getInputs().size();
  for (auto [index, pair] :
       llvm::enumerate(llvm::zip(expected, getInputs().getTypes()))) {
    auto [argument, operand] = pair;
    if (argument != operand)
      return emitOpError("expected ")
             << argument << " for argument " << index << " of "
             << getKernelAttr() << ", found " << operand;
  }
  return success();
}
