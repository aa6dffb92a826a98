// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileOps.cpp - Kernels, and making and shaping tiles ----------------===//

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/Builders.h"
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

LogicalResult KernelOp::verify() {
  if (!getResultTypes().empty())
    return emitOpError("expected no results, found ")
           << getResultTypes().size();
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

LogicalResult IotaOp::verify() {
  if (cast<RankedTensorType>(getResult().getType()).getRank() != 1)
    return emitOpError("expected a result of rank 1, found ")
           << getResult().getType();
  return success();
}

/// `narrow` must be `wide` without axis `axis`.
static LogicalResult verifyAxis(Operation *op, Type narrow, Type wide,
                                int64_t axis) {
  auto from = cast<RankedTensorType>(narrow), to = cast<RankedTensorType>(wide);
  if (axis < 0 || axis >= to.getRank())
    return op->emitOpError("axis ") << axis << " is not an axis of " << to;
  SmallVector<int64_t> expected(to.getShape());
  expected.erase(expected.begin() + axis);
  if (from.getShape() != ArrayRef<int64_t>(expected) ||
      from.getElementType() != to.getElementType())
    return op->emitOpError("expected ")
           << to << " without axis " << axis << ", found " << from;
  return success();
}

LogicalResult BroadcastOp::verify() {
  return verifyAxis(*this, getInput().getType(), getResult().getType(),
                    getAxis());
}

LogicalResult ReduceOp::verify() {
  return verifyAxis(*this, getResult().getType(), getInput().getType(),
                    getAxis());
}

LogicalResult DotOp::verify() {
  auto lhs = cast<RankedTensorType>(getLhs().getType());
  auto rhs = cast<RankedTensorType>(getRhs().getType());
  auto acc = cast<RankedTensorType>(getAcc().getType());
  if (lhs.getRank() != 2 || rhs.getRank() != 2 || acc.getRank() != 2)
    return emitOpError("expected tiles of rank 2");
  if (lhs.getElementType() != rhs.getElementType())
    return emitOpError("expected operands of one element type, found ")
           << lhs.getElementType() << " and " << rhs.getElementType();
  if (!acc.getElementType().isF32())
    return emitOpError("expected an f32 accumulator, found ") << acc;
  int64_t inner = rhs.getDimSize(getTransposed() ? 1 : 0);
  int64_t cols = rhs.getDimSize(getTransposed() ? 0 : 1);
  if (lhs.getDimSize(1) != inner)
    return emitOpError("contracts ")
           << lhs.getDimSize(1) << " elements of lhs with " << inner
           << " of rhs";
  if (acc.getDimSize(0) != lhs.getDimSize(0) || acc.getDimSize(1) != cols)
    return emitOpError("expected an accumulator of ")
           << lhs.getDimSize(0) << "x" << cols << ", found " << acc;
  if (getResult().getType() != acc)
    return emitOpError("expected a result of the accumulator's type ")
           << acc << ", found " << getResult().getType();
  return success();
}
