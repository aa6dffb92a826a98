// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- RowScales.cpp - Factors that the rows of a tile have ---------------===//

#include "RowScales.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace ramify;

Value ramify::getRowScale(Value tile) {
  if (auto splat = tile.getDefiningOp<tensor::SplatOp>())
    return splat.getInput();
  auto broadcast = tile.getDefiningOp<tile::BroadcastOp>();
  return broadcast && broadcast.getAxis() == 1 ? broadcast.getInput() : nullptr;
}

std::pair<Value, Value> ramify::splitRowScale(Value product) {
  auto mul = product.getDefiningOp<arith::MulFOp>();
  if (!mul)
    return {};
  if (Value scale = getRowScale(mul.getRhs()))
    return {mul.getLhs(), scale};
  if (Value scale = getRowScale(mul.getLhs()))
    return {mul.getRhs(), scale};
  return {};
}

Value ramify::toRowVector(OpBuilder &b, Location loc, Value scale,
                          int64_t rows) {
  if (isa<RankedTensorType>(scale.getType()))
    return scale;
  auto type = RankedTensorType::get({rows}, scale.getType());
  return b.create<tensor::SplatOp>(loc, type, scale);
}
