// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileBuilder.cpp - Short names for building tile IR -----------------===//

#include "TileBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace ramify;

static constexpr auto nsw = arith::IntegerOverflowFlags::nsw;

Type ramify::withElement(Type type, Type element) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return RankedTensorType::get(tensor.getShape(), element);
  return element;
}

Value TileBuilder::index(int64_t value) {
  return create<arith::ConstantIndexOp>(value);
}

Value TileBuilder::i32(int64_t value) {
  return create<arith::ConstantIntOp>(value, 32);
}

Value TileBuilder::full(Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  TypedAttr attr;
  if (isa<FloatType>(element))
    attr = getFloatAttr(element, value);
  else
    attr = getIntegerAttr(element, static_cast<int64_t>(value));
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    attr = DenseElementsAttr::get(tensor, Attribute(attr));
  return create<arith::ConstantOp>(attr);
}

Value TileBuilder::negInf(Type type) {
  return full(type, -std::numeric_limits<double>::infinity());
}

Value TileBuilder::splat(Value scalar, ArrayRef<int64_t> shape) {
  if (isa<RankedTensorType>(scalar.getType()))
    return scalar;
  return create<tensor::SplatOp>(
      scalar, RankedTensorType::get(shape, scalar.getType()));
}

Value TileBuilder::iota(int64_t size) {
  return create<tile::IotaOp>(RankedTensorType::get({size}, getI32Type()));
}

Value TileBuilder::repeat(Value vector, int64_t axis, Type like) {
  Type type = withElement(like, getElementTypeOrSelf(vector.getType()));
  if (vector.getType() == type)
    return vector;
  if (!isa<RankedTensorType>(vector.getType()))
    return splat(vector, cast<RankedTensorType>(like).getShape());
  return create<tile::BroadcastOp>(type, vector, axis);
}

Value TileBuilder::reduce(tile::Combine combine, Value tile, int64_t axis) {
  auto type = cast<RankedTensorType>(tile.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + axis);
  return create<tile::ReduceOp>(
      RankedTensorType::get(shape, type.getElementType()), combine, tile, axis);
}

void TileBuilder::match(Value &lhs, Value &rhs) {
  auto left = dyn_cast<RankedTensorType>(lhs.getType());
  auto right = dyn_cast<RankedTensorType>(rhs.getType());
  if (left && !right)
    rhs = splat(rhs, left.getShape());
  else if (right && !left)
    lhs = splat(lhs, right.getShape());
}

Value TileBuilder::add(Value lhs, Value rhs) {
  match(lhs, rhs);
  return createOrFold<arith::AddIOp>(lhs, rhs, nsw);
}

Value TileBuilder::sub(Value lhs, Value rhs) {
  match(lhs, rhs);
  return createOrFold<arith::SubIOp>(lhs, rhs, nsw);
}

Value TileBuilder::mul(Value lhs, Value rhs) {
  match(lhs, rhs);
  return createOrFold<arith::MulIOp>(lhs, rhs, nsw);
}

Value TileBuilder::div(Value lhs, int64_t rhs) {
  return createOrFold<arith::DivUIOp>(
      lhs, full(lhs.getType(), static_cast<double>(rhs)));
}

Value TileBuilder::rem(Value lhs, int64_t rhs) {
  return createOrFold<arith::RemUIOp>(
      lhs, full(lhs.getType(), static_cast<double>(rhs)));
}

Value TileBuilder::min(Value lhs, Value rhs) {
  match(lhs, rhs);
  return createOrFold<arith::MinSIOp>(lhs, rhs);
}

Value TileBuilder::max(Value lhs, Value rhs) {
  match(lhs, rhs);
  return createOrFold<arith::MaxSIOp>(lhs, rhs);
}

Value TileBuilder::compare(arith::CmpIPredicate predicate, Value lhs,
                           Value rhs) {
  match(lhs, rhs);
  return create<arith::CmpIOp>(predicate, lhs, rhs);
}

Value TileBuilder::both(Value lhs, Value rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  match(lhs, rhs);
  return create<arith::AndIOp>(lhs, rhs);
}

Value TileBuilder::either(Value lhs, Value rhs) {
  if (!lhs || !rhs)
    return lhs ? lhs : rhs;
  match(lhs, rhs);
  return create<arith::OrIOp>(lhs, rhs);
}

Value TileBuilder::invert(Value condition) {
  return create<arith::XOrIOp>(condition, full(condition.getType(), 1));
}

Value TileBuilder::choose(Value condition, Value yes, Value no) {
  match(yes, no);
  return create<arith::SelectOp>(condition, yes, no);
}

Value TileBuilder::toI32(Value index) {
  return create<arith::IndexCastOp>(getI32Type(), index);
}

Value TileBuilder::toIndex(Value integer) {
  if (integer.getType().isIndex())
    return integer;
  return create<arith::IndexCastOp>(getIndexType(), integer);
}

Value TileBuilder::mulf(Value lhs, Value rhs) {
  match(lhs, rhs);
  return create<arith::MulFOp>(lhs, rhs);
}

Value TileBuilder::addf(Value lhs, Value rhs) {
  match(lhs, rhs);
  return create<arith::AddFOp>(lhs, rhs);
}

Value TileBuilder::subf(Value lhs, Value rhs) {
  match(lhs, rhs);
  return create<arith::SubFOp>(lhs, rhs);
}

Value TileBuilder::maxf(Value lhs, Value rhs) {
  match(lhs, rhs);
  return create<arith::MaxNumFOp>(lhs, rhs);
}

Value TileBuilder::exp2(Value x) { return create<math::Exp2Op>(x); }

Value TileBuilder::equals(Value x, double value) {
  return create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, x,
                               full(x.getType(), value));
}
