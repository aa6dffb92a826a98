// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TilePlanOps.cpp - Plans, their arrays and steps --------------------===//

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
// result, workspace
//===----------------------------------------------------------------------===//

/// Checks an array that a plan makes, of `sizes` sizes.
static LogicalResult verifyMade(Operation *op, StringRef what, MemRefType type,
                                size_t sizes) {
  if (failed(verifyWholeArray(op, what, type)))
    return failure();
  if (type.getRank() != static_cast<int64_t>(sizes))
    return op->emitOpError("expected ")
           << type.getRank() << " sizes for " << type << ", found " << sizes;
  return success();
}

LogicalResult ResultOp::verify() {
  return verifyMade(*this, "a result", getType(), getShape().size());
}

LogicalResult WorkspaceOp::verify() {
  return verifyMade(*this, "a workspace", getType(), getShape().size());
}

namespace {
/// The size of an array that a plan makes is what it was made with.
template <typename ArrayOp> struct DimOfMade : OpRewritePattern<memref::DimOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(memref::DimOp dim,
                                PatternRewriter &rewriter) const final {
    auto made = dim.getSource().getDefiningOp<ArrayOp>();
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!made || !axis || *axis < 0 ||
        *axis >= static_cast<int64_t>(made.getShape().size()))
      return failure();
    rewriter.replaceOp(dim, made.getShape()[*axis]);
    return success();
  }
};
} // namespace

void ResultOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DimOfMade<ResultOp>>(context);
}

void WorkspaceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<DimOfMade<WorkspaceOp>>(context);
}

//===----------------------------------------------------------------------===//
// view
//===----------------------------------------------------------------------===//

static LogicalResult verifyInPlan(Operation *op) {
  if (!op->getParentOfType<PlanOp>())
    return op->emitOpError("expected to stand in a tile.plan");
  return success();
}

LogicalResult ViewOp::verify() {
  if (failed(verifyInPlan(*this)))
    return failure();
  auto type = cast<MemRefType>(getType());
  auto axis = static_cast<int64_t>(getAxis());
  if (axis < 0 || axis >= type.getRank() || !type.isDynamicDim(axis))
    return emitOpError("expected a dimension of unknown size, found ")
           << axis << " of " << type;
  return success();
}

namespace {
/// The size of a view is what it was made with, along its axis, else that of
/// the array.
struct DimOfView : OpRewritePattern<memref::DimOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(memref::DimOp dim,
                                PatternRewriter &rewriter) const final {
    auto view = dim.getSource().getDefiningOp<ViewOp>();
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!view || !axis)
      return failure();
    if (*axis == static_cast<int64_t>(view.getAxis()))
      rewriter.replaceOp(dim, view.getSize());
    else
      rewriter.modifyOpInPlace(
          dim, [&] { dim.getSourceMutable().assign(view.getArray()); });
    return success();
  }
};
} // namespace

void ViewOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<DimOfView>(context);
}

//===----------------------------------------------------------------------===//
// memset, plan_for, plan_do, sms
//===----------------------------------------------------------------------===//

LogicalResult MemsetOp::verify() {
  if (failed(verifyInPlan(*this)))
    return failure();
  if (!isa_and_nonnull<ResultOp, WorkspaceOp>(getTarget().getDefiningOp()))
    return emitOpError("expected a tile.result or a tile.workspace to fill");
  if (getByte() < 0 || getByte() > 255)
    return emitOpError("expected a byte from 0 to 255, found ") << getByte();
  return success();
}

LogicalResult SmsOp::verify() { return verifyInPlan(*this); }

/// tile.plan_for %w below %count { ... }
ParseResult PlanForOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::Argument variable;
  OpAsmParser::UnresolvedOperand count;
  variable.type = parser.getBuilder().getIndexType();
  if (parser.parseArgument(variable) || parser.parseKeyword("below") ||
      parser.parseOperand(count) ||
      parser.resolveOperand(count, variable.type, result.operands) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseRegion(*result.addRegion(), variable))
    return failure();
  PlanForOp::ensureTerminator(*result.regions.front(), parser.getBuilder(),
                              result.location);
  return success();
}

void PlanForOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getBody().getArgument(0) << " below " << getCount();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false,
                      /*printBlockTerminators=*/false);
}

LogicalResult PlanDoOp::verify() {
  if (failed(verifyInPlan(*this)))
    return failure();
  if (getBody().getNumArguments())
    return emitOpError("expected a region without arguments");
  return success();
}

LogicalResult PlanForOp::verify() {
  if (failed(verifyInPlan(*this)))
    return failure();
  if (getBody().getNumArguments() != 1 ||
      !getBody().getArgument(0).getType().isIndex())
    return emitOpError("expected a region with one argument, an index");
  return success();
}

//===----------------------------------------------------------------------===//
// launch
//===----------------------------------------------------------------------===//

LogicalResult LaunchOp::verify() { return verifyInPlan(*this); }

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
