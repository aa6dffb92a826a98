// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitDot.cpp - Products from registers ------------------------------===//
//
// acc[n] += sum over k of rhs(n, k) * lhs[k], where lhs[k] and acc[n] are
// columns (vectors over rows) and rhs(n, k) is a scalar in memory, which the
// processor broadcasts as it multiplies. As many columns of the result as there
// are registers for, up to 24 of 32 or 12 of 16, are summed at once: a panel.
// The loop over k then does nothing but load lhs[k] once and multiply.
//
//   transposed rhs (Q K^T)   rhs(n, k) = rows[n][k]   n a key, k a dim
//   plain rhs      (P V)     rhs(n, k) = rows[k][n]   n a dim, k a key
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

struct KernelEmitter::Product {
  Value lhs, acc;
  RowView rhs;
  bool transposed;
  bool fromZero; // the accumulator is not read
  int64_t lanes; // of a whole column
  int64_t part;  // lanes that a panel treats
  int64_t width; // columns of a panel
  int64_t count; // columns of the result
  int64_t depth; // columns of lhs
};

/// A product takes its operands as they were before rounding to 16 bits: the
/// multiplication is in f32 here, and the rounding serves no purpose.
Value cpu::exactOperand(Value tile) {
  auto round = tile.getDefiningOp<arith::TruncFOp>();
  return round ? round.getIn() : tile;
}

static int64_t largestDivisor(int64_t number, int64_t limit) {
  for (int64_t divisor = std::min(number, std::max<int64_t>(limit, 1));;
       --divisor)
    if (number % divisor == 0)
      return divisor;
}

static bool isZero(Value tile) { return matchPattern(tile, m_AnyZeroFloat()); }

void KernelEmitter::emitDot(tile::DotOp op) {
  Value result = op.getResult(), acc = op.getAcc();
  Product product;
  product.lhs = materialize(exactOperand(op.getLhs()));
  product.rhs = rowsOf(op.getRhs());
  product.transposed = op.getTransposed();
  product.fromZero = isZero(acc);
  product.lanes = lanesOf(result);
  product.count = cast<RankedTensorType>(result.getType()).getDimSize(1);
  product.depth = cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1);
  product.part = largestDivisor(product.lanes, 4 * shape.lanes);
  int64_t registers = std::max<int64_t>(1, product.part / shape.lanes);
  product.width =
      largestDivisor(product.count, shape.registers * 3 / 4 / registers);

  product.acc = placeFor(result, acc, op, product.lhs);
  if (!product.fromZero && tiles.lookup(acc) != product.acc)
    evaluateInto(acc, product.acc);
  emitPanels(product);
  tiles[result] = product.acc;
  occupant[product.acc] = result;
}

void KernelEmitter::emitPanels(const Product &product) {
  auto columns = [&](Value firstRow) {
    loop(product.count, product.width, {}, [&](Value first, ValueRange) {
      emitPanel(product, firstRow, first);
      return SmallVector<Value>();
    });
  };
  if (product.part == product.lanes)
    return columns(Value());
  loop(product.lanes, product.part, {}, [&](Value firstRow, ValueRange) {
    columns(firstRow);
    return SmallVector<Value>();
  });
}

void KernelEmitter::emitPanel(const Product &product, Value firstRow,
                              Value firstColumn) {
  Type f32 = b.getF32Type();
  auto type = VectorType::get({product.part}, f32);
  int64_t alignment =
      std::min<int64_t>(64, 4 * llvm::bit_floor<uint64_t>(product.part));
  auto columnOf = [&](Value place, Value index) {
    Value start = b.create<arith::MulIOp>(index, i64(product.lanes));
    if (firstRow)
      start = b.create<arith::AddIOp>(start, firstRow);
    return address(f32, place, start);
  };

  Value target = columnOf(product.acc, firstColumn);
  Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(type));
  SmallVector<Value> sums, scalarRows;
  for (int64_t j = 0; j < product.width; ++j) {
    Value place = address(f32, target, j * product.lanes);
    sums.push_back(product.fromZero ? zero
                                    : loadVector(type, place, alignment));
    Value row = b.create<arith::AddIOp>(firstColumn, i64(j));
    if (product.transposed)
      scalarRows.push_back(
          address(f32, product.rhs.pointer,
                  b.create<arith::MulIOp>(row, product.rhs.stride)));
  }

  int64_t unroll = product.depth % 4 == 0 ? 4 : 1;
  sums = loop(product.depth, unroll, sums, [&](Value k, ValueRange carried) {
    SmallVector<Value> values(carried);
    for (int64_t u = 0; u < unroll; ++u) {
      Value index = u ? b.create<arith::AddIOp>(k, i64(u)) : k;
      Value left = loadVector(type, columnOf(product.lhs, index), alignment);
      Value row;
      if (!product.transposed)
        row = address(f32, product.rhs.pointer,
                      b.create<arith::AddIOp>(
                          b.create<arith::MulIOp>(index, product.rhs.stride),
                          firstColumn));
      for (int64_t j = 0; j < product.width; ++j) {
        Value place = product.transposed ? address(f32, scalarRows[j], index)
                                         : address(f32, row, j);
        Value right = splat(loadVector(f32, place, 0), product.part);
        values[j] = b.create<vector::FMAOp>(right, left, values[j]);
      }
    }
    return values;
  });
  for (int64_t j = 0; j < product.width; ++j)
    storeVector(sums[j], address(f32, target, j * product.lanes), alignment);
}
