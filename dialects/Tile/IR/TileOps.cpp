// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileOps.cpp - Kernels, and making and shaping tiles ----------------===//

#include "dialects/Tile/IR/OpVerify.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace ramify::tile;

#define GET_OP_CLASSES
#include "dialects/Tile/IR/TileOps.cpp.inc"

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
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
  KernelOp::ensureTerminator(*result.regions.front(), parser.getBuilder(),
                             result.location);
  return success();
}

void KernelOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(
      printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
      getArgAttrsAttrName(), getResAttrsAttrName());
}

/// Arguments are printed with the names that they carry.
static void nameArguments(FunctionOpInterface op, Region &region,
                          OpAsmSetValueNameFn setName) {
  for (BlockArgument argument : region.getArguments())
    if (auto name = op.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                    "ramify.name"))
      setName(argument, name);
}

void KernelOp::getAsmBlockArgumentNames(Region &region,
                                        OpAsmSetValueNameFn setName) {
  nameArguments(*this, region, setName);
}

void PlanOp::getAsmBlockArgumentNames(Region &region,
                                      OpAsmSetValueNameFn setName) {
  nameArguments(*this, region, setName);
}

LogicalResult KernelOp::verify() {
  return verifySignature(*this, /*allowTiles=*/true);
}

//===----------------------------------------------------------------------===//
// iota
//===----------------------------------------------------------------------===//

LogicalResult IotaOp::verify() {
  return verifyTile(*this, "a result", getType(), {1});
}

/// One element: 0.
OpFoldResult IotaOp::fold(FoldAdaptor) {
  if (getType().getDimSize(0) != 1)
    return {};
  return Builder(getContext()).getZeroAttr(getType());
}

//===----------------------------------------------------------------------===//
// broadcast, reduce
//===----------------------------------------------------------------------===//

/// `wide` must be a tile, and `narrow` the same without axis `axis`.
static LogicalResult verifyAxis(Operation *op, RankedTensorType narrow,
                                StringRef wideName, RankedTensorType wide,
                                int64_t axis) {
  if (failed(verifyTile(op, wideName, wide, {1, 2})))
    return failure();
  if (axis < 0 || axis >= wide.getRank())
    return op->emitOpError("axis ") << axis << " is not an axis of " << wide;
  SmallVector<int64_t> expected(wide.getShape());
  expected.erase(expected.begin() + axis);
  if (narrow.getShape() != ArrayRef<int64_t>(expected) ||
      narrow.getElementType() != wide.getElementType())
    return op->emitOpError("expected ")
           << wide << " without axis " << axis << ", found " << narrow;
  return success();
}

LogicalResult BroadcastOp::verify() {
  return verifyAxis(*this, getInput().getType(), "a result", getType(),
                    getAxis());
}

/// A constant with one value: the same, larger.
OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  return {};
}

/// A scalar that is repeated twice is repeated once, to the larger shape.
LogicalResult BroadcastOp::canonicalize(BroadcastOp op,
                                        PatternRewriter &rewriter) {
  auto splat = op.getInput().getDefiningOp<tensor::SplatOp>();
  if (!splat)
    return failure();
  rewriter.replaceOpWithNewOp<tensor::SplatOp>(op, splat.getInput(),
                                               op.getType());
  return success();
}

LogicalResult ReduceOp::verify() {
  if (failed(verifyAxis(*this, getType(), "an input", getInput().getType(),
                        getAxis())))
    return failure();
  Type element = getType().getElementType();
  if (!isa<FloatType>(element) && !element.isInteger(32) &&
      !element.isInteger(64))
    return emitOpError("expected elements of float, i32 or i64, found ")
           << element;
  return success();
}

/// The max or min of equal values is that value.
OpFoldResult ReduceOp::fold(FoldAdaptor adaptor) {
  if (getCombine() == Combine::Sum)
    return {};
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  auto broadcast = getInput().getDefiningOp<BroadcastOp>();
  if (broadcast && broadcast.getAxis() == getAxis() &&
      broadcast.getInput().getType() == getType())
    return broadcast.getInput();
  return {};
}

/// The same for a scalar that was repeated.
LogicalResult ReduceOp::canonicalize(ReduceOp op, PatternRewriter &rewriter) {
  auto splat = op.getInput().getDefiningOp<tensor::SplatOp>();
  if (!splat || op.getCombine() == Combine::Sum)
    return failure();
  rewriter.replaceOpWithNewOp<tensor::SplatOp>(op, splat.getInput(),
                                               op.getType());
  return success();
}

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

static LogicalResult verifyDotElements(DotOp op) {
  Type lhs = op.getLhs().getType().getElementType();
  Type rhs = op.getRhs().getType().getElementType();
  if (lhs != rhs || !(lhs.isF32() || lhs.isBF16() || lhs.isF16()))
    return op.emitOpError("expected operands of one element type, f32, bf16 or "
                          "f16, found ")
           << lhs << " and " << rhs;
  if (!op.getAcc().getType().getElementType().isF32())
    return op.emitOpError("expected an f32 accumulator, found ")
           << op.getAcc().getType();
  return success();
}

LogicalResult DotOp::verify() {
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType();
  RankedTensorType acc = getAcc().getType();
  for (RankedTensorType type : {lhs, rhs, acc})
    if (failed(verifyTile(*this, "operands", type, {2})))
      return failure();
  if (failed(verifyDotElements(*this)))
    return failure();
  int64_t inner = rhs.getDimSize(getTransposed() ? 1 : 0);
  int64_t cols = rhs.getDimSize(getTransposed() ? 0 : 1);
  if (lhs.getDimSize(1) != inner)
    return emitOpError("contracts ")
           << lhs.getDimSize(1) << " elements of lhs with " << inner
           << " of rhs";
  if (acc.getDimSize(0) != lhs.getDimSize(0) || acc.getDimSize(1) != cols)
    return emitOpError("expected an accumulator of ")
           << lhs.getDimSize(0) << "x" << cols << ", found " << acc;
  if (getType() != acc)
    return emitOpError("expected a result of the accumulator's type ")
           << acc << ", found " << getType();
  return success();
}

/// A product with zero adds nothing.
OpFoldResult DotOp::fold(FoldAdaptor adaptor) {
  if (matchPattern(adaptor.getLhs(), m_AnyZeroFloat()) ||
      matchPattern(adaptor.getRhs(), m_AnyZeroFloat()))
    return getAcc();
  return {};
}
