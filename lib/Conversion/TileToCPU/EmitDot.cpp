// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitDot.cpp - Products from registers ------------------------------===//
//
// acc[n] += sum over k of rhs(n, k) * lhs[k], where lhs[k] and acc[n] are
// columns (vectors over rows) and rhs(n, k) is a scalar in memory, which the
// processor broadcasts as it multiplies. As many columns of the result as there
// are registers for, up to 24 of 32 or 12 of 16, are summed at once: a panel.
// The loop over k then does nothing but load lhs[k] once and multiply.
//
// Few rows do not fill a register. Then `split` scalars that are neighbours in
// memory, of as many k in the first case and n in the second, are loaded at
// once and repeated over it:
//
//   4 rows, 16 lanes: lane 4 r + i is row r times the i-th of 4 scalars
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
  int64_t split; // scalars of rhs that share a register
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

bool cpu::startsFromZero(tile::DotOp op) {
  return matchPattern(op.getAcc(), m_AnyZeroFloat());
}

void KernelEmitter::emitDot(tile::DotOp op) {
  Value result = op.getResult(), acc = op.getAcc();
  Product product;
  product.lhs = materialize(exactOperand(op.getLhs()));
  product.rhs = rowsOf(op.getRhs());
  product.transposed = op.getTransposed();
  product.fromZero = startsFromZero(op);
  product.lanes = lanesOf(result);
  product.count = cast<RankedTensorType>(result.getType()).getDimSize(1);
  product.depth = cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1);
  product.part = largestDivisor(product.lanes, 4 * shape.lanes);
  product.split = std::max<int64_t>(1, shape.lanes / product.lanes);
  if (product.count % product.split != 0 ||
      (product.transposed && product.depth % product.split != 0))
    product.split = 1;
  int64_t registers = std::max<int64_t>(1, product.part / shape.lanes);
  int64_t sums = shape.registers * 3 / 4 / registers;
  if (product.transposed)
    sums /= product.split;
  product.width =
      product.split * largestDivisor(product.count / product.split, sums);

  product.acc = placeFor(result, acc, op, product.lhs);
  if (!product.fromZero && tiles.lookup(acc) != product.acc)
    evaluateInto(acc, product.acc);
  emitPanels(product);
  if (product.transposed && product.rhs.first)
    clearColumns(product);
  tiles[result] = product.acc;
  occupant[product.acc] = result;
}

void KernelEmitter::emitPanels(const Product &product) {
  auto panels = [&](Value firstRow) {
    loop(product.count, product.width, {}, [&](Value first, ValueRange) {
      if (product.transposed)
        emitTransposedPanel(product, firstRow, first);
      else
        emitPlainPanel(product, firstRow, first);
      return SmallVector<Value>();
    });
  };
  if (product.part == product.lanes)
    return panels(Value());
  loop(product.lanes, product.part, {}, [&](Value firstRow, ValueRange) {
    panels(firstRow);
    return SmallVector<Value>();
  });
}

/// Zero in the columns whose rows do not count.
void KernelEmitter::clearColumns(const Product &product) {
  auto type = VectorType::get({product.lanes}, b.getF32Type());
  Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(type));
  for (auto [from, to] : {std::pair(i64(0), product.rhs.first),
                          std::pair(product.rhs.last, i64(product.count))})
    loop(from, to, 1, {}, [&](Value column, ValueRange) {
      storeVector(zero, panelAddress(product, product.acc, column, Value()),
                  alignmentOf(product.lanes, 4));
      return SmallVector<Value>();
    });
}

/// Column `index` of a transposed tile, from row `firstRow` on.
Value KernelEmitter::panelAddress(const Product &product, Value place,
                                  Value index, Value firstRow) {
  Value start = b.create<arith::MulIOp>(index, i64(product.lanes));
  if (firstRow)
    start = b.create<arith::AddIOp>(start, firstRow);
  return address(b.getF32Type(), place, start);
}

/// `count` scalars one after the other, repeated over `width` lanes.
Value KernelEmitter::loadRepeated(Value pointer, int64_t count, int64_t width) {
  Type f32 = b.getF32Type();
  if (count == 1)
    return splat(loadVector(f32, pointer, 4), width);
  Value once = loadVector(VectorType::get({count}, f32), pointer, 4);
  return shuffle(once, width, [&](int64_t lane) { return lane % count; });
}

/// A loop over the depth, some steps of `step` at a time.
SmallVector<Value> KernelEmitter::accumulate(
    int64_t depth, int64_t step, ValueRange sums,
    llvm::function_ref<void(Value, SmallVector<Value> &)> body) {
  int64_t unroll = depth % (4 * step) == 0 ? 4 : 1;
  return loop(depth, unroll * step, sums, [&](Value k, ValueRange carried) {
    SmallVector<Value> values(carried);
    for (int64_t u = 0; u < unroll; ++u)
      body(u ? b.create<arith::AddIOp>(k, i64(u * step)) : k, values);
    return values;
  });
}

/// The same from `first` to `last`: four steps at once, then one by one.
SmallVector<Value> KernelEmitter::accumulateBetween(
    Value first, Value last, ValueRange sums,
    llvm::function_ref<void(Value, SmallVector<Value> &)> body) {
  auto steps = [&](int64_t count) {
    return [&, count](Value k, ValueRange carried) {
      SmallVector<Value> values(carried);
      for (int64_t u = 0; u < count; ++u)
        body(u ? b.create<arith::AddIOp>(k, i64(u)) : k, values);
      return values;
    };
  };
  Value length = b.create<arith::SubIOp>(last, first);
  Value rest = b.create<arith::AndIOp>(length, i64(3));
  Value between = b.create<arith::SubIOp>(last, rest);
  SmallVector<Value> most = loop(first, between, 4, sums, steps(4));
  return loop(between, last, 1, most, steps(1));
}

/// One sum for each column of the result. Split, a sum has each row `split`
/// times, for as many consecutive k.
void KernelEmitter::emitTransposedPanel(const Product &product, Value firstRow,
                                        Value firstColumn) {
  Type f32 = b.getF32Type();
  int64_t split = product.split, part = product.part, width = split * part;
  auto type = VectorType::get({width}, f32);
  int64_t alignment = alignmentOf(split * part, 4);
  SmallVector<Value> rowsAt;
  for (int64_t j = 0; j < product.width; ++j) {
    Value row = b.create<arith::AddIOp>(firstColumn, i64(j));
    rowsAt.push_back(address(f32, product.rhs.pointer,
                             b.create<arith::MulIOp>(row, product.rhs.stride)));
  }
  Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(type));
  SmallVector<Value> sums(product.width, zero);
  sums = accumulate(product.depth, split, sums, [&](Value k, auto &values) {
    Value left = loadVector(
        type, panelAddress(product, product.lhs, k, firstRow), alignment);
    if (split > 1)
      left = shuffle(left, width, [&](int64_t lane) {
        return lane % split * part + lane / split;
      });
    for (int64_t j = 0; j < product.width; ++j)
      values[j] = b.create<vector::FMAOp>(
          loadRepeated(address(f32, rowsAt[j], k), split, width), left,
          values[j]);
  });
  // Adding neighbours halves a sum: two become one vector, until the columns
  // stand one after the other.
  for (int64_t copies = split; copies > 1; copies /= 2) {
    for (size_t i = 0; i < sums.size() / 2; ++i) {
      auto lanesFrom = [&](int64_t first) {
        return shuffle(sums[2 * i], sums[2 * i + 1], width,
                       [&](int64_t lane) { return 2 * lane + first; });
      };
      sums[i] = b.create<arith::AddFOp>(lanesFrom(0), lanesFrom(1));
    }
    sums.resize(sums.size() / 2);
  }
  Value target = panelAddress(product, product.acc, firstColumn, firstRow);
  for (auto [j, sum] : llvm::enumerate(sums)) {
    Value place = address(f32, target, j * split * product.lanes);
    if (!product.fromZero)
      sum = b.create<arith::AddFOp>(loadVector(type, place, alignment), sum);
    storeVector(sum, place, alignment);
  }
}

/// One sum for `split` columns of the result, which alternate in its lanes.
void KernelEmitter::emitPlainPanel(const Product &product, Value firstRow,
                                   Value firstColumn) {
  Type f32 = b.getF32Type();
  int64_t split = product.split, part = product.part, width = split * part;
  auto type = VectorType::get({width}, f32);
  auto column = VectorType::get({part}, f32);
  int64_t alignment = alignmentOf(width, 4);
  Value target = panelAddress(product, product.acc, firstColumn, firstRow);
  Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(type));
  SmallVector<Value> places, sums;
  for (int64_t j = 0; j < product.width; j += split) {
    places.push_back(address(f32, target, j * product.lanes));
    Value sum =
        product.fromZero ? zero : loadVector(type, places.back(), alignment);
    if (split > 1 && !product.fromZero)
      sum = shuffle(sum, width, [&](int64_t lane) {
        return lane % split * part + lane / split;
      });
    sums.push_back(sum);
  }
  auto step = [&](Value k, SmallVector<Value> &values) {
    Value left =
        loadVector(column, panelAddress(product, product.lhs, k, firstRow),
                   alignmentOf(part, 4));
    if (split > 1)
      left = shuffle(left, width, [&](int64_t lane) { return lane / split; });
    Value row = address(
        f32, product.rhs.pointer,
        b.create<arith::AddIOp>(b.create<arith::MulIOp>(k, product.rhs.stride),
                                firstColumn));
    for (auto [j, sum] : llvm::enumerate(values))
      sum = b.create<vector::FMAOp>(
          loadRepeated(address(f32, row, j * split), split, width), left, sum);
  };
  sums = product.rhs.first ? accumulateBetween(product.rhs.first,
                                               product.rhs.last, sums, step)
                           : accumulate(product.depth, 1, sums, step);
  for (auto [place, sum] : llvm::zip_equal(places, sums)) {
    if (split > 1)
      sum = shuffle(sum, width, [&](int64_t lane) {
        return lane % part * split + lane / part;
      });
    storeVector(sum, place, alignment);
  }
}
