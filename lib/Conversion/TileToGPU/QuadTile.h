// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QuadTile.h - Rows that are held by quads -----------------*- C++ -*-===//
//
// Order along rows whose columns are spread over the four lanes of a quad. See
// OrderToGPU.cpp and TopKToGPU.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_TILETOGPU_QUADTILE_H
#define RAMIFY_LIB_CONVERSION_TILETOGPU_QUADTILE_H

#include "Expander.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ramify {

/// The registers of a tile in the layout of an accumulator: for each of the
/// thread's rows those of its columns, in order.
struct QuadTile {
  llvm::SmallVector<llvm::SmallVector<unsigned>> rows;

  bool operator==(const QuadTile &other) const = default;

  /// None if the tile has another layout.
  static std::optional<QuadTile> of(mlir::Type type);
};

/// A candidate, or a place of a list.
struct Pick {
  mlir::Value score, id;
};

class QuadEmitter {
public:
  using Value = mlir::Value;

  QuadEmitter(mlir::ImplicitLocOpBuilder &b, Value lane);

  void scanRow(tile::ScanOp op, mlir::ArrayRef<unsigned> columns,
               Value identity, Registers &values);
  /// Sorts a row of all tiles by the first.
  void sortRow(bool descending, mlir::ArrayRef<unsigned> columns,
               mlir::MutableArrayRef<Registers> tiles);

  Pick bestOfRow(mlir::ArrayRef<unsigned> columns, const Registers &scores,
                 const Registers &ids, const Pick &last);
  void insert(mlir::ArrayRef<unsigned> columns, const Pick &pick,
              mlir::ValueRange carried, mlir::MutableArrayRef<Registers> lists);
  Value carriedBy(mlir::ArrayRef<unsigned> columns, const Registers &values,
                  const Registers &ids, Value id);

  // Small things.
  Value i32(int64_t value);
  Value lowest(mlir::Type type);
  Value highest(mlir::Type type);
  Value zero(mlir::Type type);
  Value equals(Value lhs, Value rhs);
  Value choose(Value condition, Value yes, Value no);
  Value fromLane(Value value, Value source);
  Value laneOfQuad(int64_t number);
  Value standsBefore(const Pick &x, const Pick &y);
  Pick better(const Pick &x, const Pick &y);
  /// The number of this lane in its quad.
  Value getPlace() const { return place; }
  /// lhs > rhs, or >= rhs.
  Value before(Value lhs, Value rhs, bool orEqual);

private:
  Value combine(tile::Combine kind, Value lhs, Value rhs);
  std::pair<Value, Value> scanQuad(tile::Combine kind, Value value,
                                   Value identity, bool reverse);
  Registers wholeRow(mlir::ArrayRef<unsigned> columns, const Registers &values);
  Value columnOf(size_t element);
  Registers shifted(mlir::ArrayRef<unsigned> columns, const Registers &values,
                    Value top);

  mlir::ImplicitLocOpBuilder &b;
  Value place; ///< of this lane in its quad
  Value first; ///< lane of the quad
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_TILETOGPU_QUADTILE_H
