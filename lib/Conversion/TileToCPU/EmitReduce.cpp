// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitReduce.cpp - Reductions of tiles and vectors -------------------===//

#include "KernelEmitter.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

static bool isMatrix(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2;
}

Value KernelEmitter::combine(tile::Combine kind, Value lhs, Value rhs) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(lhs));
  auto fast = arith::FastMathFlags::nsz;
  switch (kind) {
  case tile::Combine::Sum:
    return isFloat ? b.create<arith::AddFOp>(lhs, rhs,
                                             arith::FastMathFlags::contract)
                         .getResult()
                   : b.create<arith::AddIOp>(lhs, rhs);
  case tile::Combine::Max:
    return isFloat ? b.create<arith::MaximumFOp>(lhs, rhs, fast).getResult()
                   : b.create<arith::MaxSIOp>(lhs, rhs);
  case tile::Combine::Min:
    return isFloat ? b.create<arith::MinimumFOp>(lhs, rhs, fast).getResult()
                   : b.create<arith::MinSIOp>(lhs, rhs);
  }
  llvm_unreachable("a combine kind");
}

/// What changes nothing when combined.
TypedAttr KernelEmitter::identity(tile::Combine kind, Type element) {
  bool isMax = kind == tile::Combine::Max;
  if (auto type = dyn_cast<FloatType>(element))
    return kind == tile::Combine::Sum
               ? b.getFloatAttr(type, 0.0)
               : b.getFloatAttr(
                     type, APFloat::getInf(type.getFloatSemantics(), isMax));
  unsigned bits = element.getIntOrFloatBitWidth();
  if (kind == tile::Combine::Sum)
    return b.getIntegerAttr(element, 0);
  return b.getIntegerAttr(element, isMax ? APInt::getSignedMinValue(bits)
                                         : APInt::getSignedMaxValue(bits));
}

void KernelEmitter::emitReduce(tile::ReduceOp op) {
  if (!isMatrix(op.getInput()))
    return reduceVector(op);
  if (op.getAxis() == 1)
    vectors[op.getResult()] = reduceColumns(op);
  else
    reduceRows(op);
}

/// Vertical: several partial results, so that no chain of additions is long.
Value KernelEmitter::reduceColumns(tile::ReduceOp op) {
  Value tile = op.getInput();
  Step step = stepOf(tile);
  int64_t lanes = lanesOf(tile), width = lanes * step.columns;
  Type element = computeType(getElementTypeOrSelf(tile));
  TypedAttr start = identity(op.getCombine(), element);
  TypedAttr starts = DenseElementsAttr::get(VectorType::get({width}, element),
                                            Attribute(start));
  Value initial = b.create<arith::ConstantOp>(starts);
  SmallVector<Value> partial =
      forEachColumn(tile, step, SmallVector<Value>(step.unroll, initial),
                    [&](int64_t u, Value index, SmallVector<Value> &values) {
                      values[u] = combine(op.getCombine(), values[u],
                                          columns(tile, index, step.columns));
                    });
  for (int64_t half = step.unroll / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i)
      partial[i] = combine(op.getCombine(), partial[i], partial[i + half]);
  Value result = partial[0];
  for (width /= 2; width >= lanes; width /= 2)
    result = combine(
        op.getCombine(),
        shuffle(result, width, [](int64_t lane) { return lane; }),
        shuffle(result, width, [&](int64_t lane) { return lane + width; }));
  return result;
}

/// The first `size` lanes of a vector as one scalar.
Value KernelEmitter::reduceLanes(tile::Combine kind, Value vector,
                                 int64_t size) {
  auto type = cast<VectorType>(vector.getType());
  if (size != type.getDimSize(0))
    vector = b.create<vector::ExtractStridedSliceOp>(
        vector, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{size},
        ArrayRef<int64_t>{1});
  bool isFloat = isa<FloatType>(type.getElementType());
  vector::CombiningKind combining = vector::CombiningKind::ADD;
  if (kind == tile::Combine::Max)
    combining = isFloat ? vector::CombiningKind::MAXIMUMF
                        : vector::CombiningKind::MAXSI;
  if (kind == tile::Combine::Min)
    combining = isFloat ? vector::CombiningKind::MINIMUMF
                        : vector::CombiningKind::MINSI;
  auto flags = kind == tile::Combine::Sum ? arith::FastMathFlags::reassoc
                                          : arith::FastMathFlags::nsz;
  return b.create<vector::ReductionOp>(
      combining, vector, isFloat ? flags : arith::FastMathFlags::none);
}

/// Horizontal: each column gives one element.
void KernelEmitter::reduceRows(tile::ReduceOp op) {
  Value tile = op.getInput();
  auto type = cast<RankedTensorType>(tile.getType());
  Type element = computeType(type.getElementType());
  int64_t size = paddedRows(type.getDimSize(1), shape);
  Value place = allocate(element, size);
  forEachColumn(tile, {1, 1}, {}, [&](int64_t, Value index, auto &) {
    Value one = reduceLanes(op.getCombine(), columns(tile, index, 1),
                            type.getDimSize(0));
    storeVector(one, address(element, place, index), 0);
  });
  elements[op.getResult()] = place;
  vectors[op.getResult()] =
      loadVector(VectorType::get({size}, element), place, 4);
}

void KernelEmitter::reduceVector(tile::ReduceOp op) {
  int64_t size = cast<RankedTensorType>(op.getInput().getType()).getDimSize(0);
  scalars[op.getResult()] =
      reduceLanes(op.getCombine(), vectorOf(op.getInput()), size);
}
