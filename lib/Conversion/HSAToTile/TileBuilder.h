// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileBuilder.h - Short names for building tile IR ---------*- C++ -*-===//
//
// What the schedules write most, each as one call. Positions among the keys are
// i32 and never overflow, so arithmetic on them carries `nsw`: addresses that
// are computed from them then need no sign extension of their own.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_TILEBUILDER_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_TILEBUILDER_H

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ramify {

class TileBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  using Value = mlir::Value;
  using Type = mlir::Type;

  // Constants.
  Value index(int64_t value);
  Value i32(int64_t value);
  /// `value` everywhere in a scalar or tensor of floats or integers.
  Value full(Type type, double value);
  Value negInf(Type type);

  // Shapes. A scalar, a vector over rows (axis 0) or columns (axis 1), or a
  // whole tile becomes a tile of `type`'s shape with its own element type.
  Value splat(Value scalar, llvm::ArrayRef<int64_t> shape);
  Value iota(int64_t size);
  /// Repeats a vector along `axis` into the shape of `like`.
  Value repeat(Value vector, int64_t axis, Type like);
  Value reduce(tile::Combine combine, Value tile, int64_t axis);

  // Integers: scalars and vectors mix, a scalar is repeated.
  Value add(Value lhs, Value rhs);
  Value sub(Value lhs, Value rhs);
  Value mul(Value lhs, Value rhs);
  /// Quotient and remainder of a number that is not negative by a constant.
  Value div(Value lhs, int64_t rhs);
  Value rem(Value lhs, int64_t rhs);
  Value min(Value lhs, Value rhs);
  Value max(Value lhs, Value rhs);
  Value compare(mlir::arith::CmpIPredicate predicate, Value lhs, Value rhs);
  Value both(Value lhs, Value rhs);
  Value either(Value lhs, Value rhs);
  Value invert(Value condition);
  Value choose(Value condition, Value yes, Value no);
  Value toI32(Value index);
  Value toIndex(Value integer);

  // Floats.
  Value mulf(Value lhs, Value rhs);
  Value addf(Value lhs, Value rhs);
  Value subf(Value lhs, Value rhs);
  /// Of a NaN and a number the number: for what is taken out of exponents,
  /// since a NaN among these makes the sum one.
  Value maxf(Value lhs, Value rhs);
  Value exp2(Value x);
  /// Whether x is exactly `value`.
  Value equals(Value x, double value);

private:
  /// Repeats the scalar of two operands to the other's shape.
  void match(Value &lhs, Value &rhs);
};

/// The type of `type`'s shape with elements `element`.
mlir::Type withElement(mlir::Type type, mlir::Type element);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_TILEBUILDER_H
