// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OrderToGPU.cpp - Scans and sorts along rows ------------------------===//
//
// Rows are held by quads, as in the accumulator of an mma: of eight columns in
// a row, lane q of the quad has 2 q and 2 q + 1, for each of the thread's rows.
// Whatever happens to a row happens inside its quad, by shuffles.
//
//   scan   sums of neighbours, a prefix over the quad, and a carry from block
//   to
//          block of eight columns
//   sort   each element counts those that stand before it, which is its place;
//          then each place takes the element whose count it is
//
//===----------------------------------------------------------------------===//

#include "QuadTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;
using Predicate = arith::CmpIPredicate;

static constexpr int64_t kQuad = 4;

std::optional<QuadTile> QuadTile::of(Type type) {
  std::optional<Layout> layout = Layout::of(type);
  if (!layout || layout->rank() != 2)
    return std::nullopt;
  Coords shape = layout->shape();
  if (shape[0] % 16 || shape[1] % 8 ||
      !(*layout == mmaAccumulator(shape[0], shape[1], layout->getWarps()[0])))
    return std::nullopt;
  std::map<int64_t, std::map<int64_t, unsigned>> found;
  for (unsigned r = 0; r < layout->numRegisters(); ++r) {
    Coords offset = layout->offset(r);
    found[offset[0]][offset[1]] = r;
  }
  QuadTile tile;
  for (auto &[row, columns] : found) {
    tile.rows.emplace_back();
    for (auto &[column, number] : columns)
      tile.rows.back().push_back(number);
  }
  return tile;
}

//===----------------------------------------------------------------------===//
// Small things
//===----------------------------------------------------------------------===//

QuadEmitter::QuadEmitter(ImplicitLocOpBuilder &b, Value lane) : b(b) {
  place = b.create<arith::AndIOp>(lane, i32(kQuad - 1));
  first = b.create<arith::SubIOp>(lane, place);
}

Value QuadEmitter::i32(int64_t value) {
  return b.create<arith::ConstantIntOp>(value, 32);
}

Value QuadEmitter::lowest(Type type) {
  if (type.isF32())
    return b.create<arith::ConstantOp>(
        b.getF32FloatAttr(-std::numeric_limits<float>::infinity()));
  return i32(std::numeric_limits<int32_t>::min());
}

Value QuadEmitter::highest(Type type) {
  if (type.isF32())
    return b.create<arith::ConstantOp>(
        b.getF32FloatAttr(std::numeric_limits<float>::infinity()));
  return i32(std::numeric_limits<int32_t>::max());
}

Value QuadEmitter::zero(Type type) {
  return b.create<arith::ConstantOp>(b.getZeroAttr(type));
}

Value QuadEmitter::equals(Value lhs, Value rhs) {
  return b.create<arith::CmpIOp>(Predicate::eq, lhs, rhs);
}

Value QuadEmitter::choose(Value condition, Value yes, Value no) {
  return b.create<arith::SelectOp>(condition, yes, no);
}

Value QuadEmitter::fromLane(Value value, Value source) {
  return PTX(b, b.getLoc()).shuffleFrom(value, source);
}

/// Lane `number` of the quad.
Value QuadEmitter::laneOfQuad(int64_t number) {
  return b.create<arith::OrIOp>(first, i32(number));
}

Value QuadEmitter::before(Value lhs, Value rhs, bool orEqual) {
  if (isa<FloatType>(lhs.getType()))
    return b.create<arith::CmpFOp>(orEqual ? arith::CmpFPredicate::OGE
                                           : arith::CmpFPredicate::OGT,
                                   lhs, rhs);
  return b.create<arith::CmpIOp>(orEqual ? Predicate::sge : Predicate::sgt, lhs,
                                 rhs);
}

Value QuadEmitter::combine(Combine kind, Value lhs, Value rhs) {
  return combineTwo(b, b.getLoc(), kind, lhs, rhs);
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

/// The combination of what the lanes of the quad before this one have, or, in
/// `reverse`, those behind it; and of all of them.
std::pair<Value, Value> QuadEmitter::scanQuad(Combine kind, Value value,
                                              Value identity, bool reverse) {
  Value before = identity, all = identity;
  for (int64_t step = 0; step < kQuad; ++step) {
    int64_t number = reverse ? kQuad - 1 - step : step;
    Value other = fromLane(value, laneOfQuad(number));
    Value counts = b.create<arith::CmpIOp>(
        reverse ? Predicate::sgt : Predicate::slt, i32(number), place);
    Value with = combine(kind, before, other);
    before = choose(counts, with, before);
    all = combine(kind, all, other);
  }
  return {before, all};
}

void QuadEmitter::scanRow(ScanOp op, ArrayRef<unsigned> columns, Value identity,
                          Registers &values) {
  bool reverse = op.getReverse(), exclusive = op.getExclusive();
  Combine kind = op.getCombine();
  Value carry = identity;
  for (size_t block = 0; block < columns.size() / 2; ++block) {
    size_t at = reverse ? columns.size() - 2 - 2 * block : 2 * block;
    unsigned near = columns[reverse ? at + 1 : at];
    unsigned far = columns[reverse ? at : at + 1];
    Value x = values[near], y = values[far];
    auto [before, all] = scanQuad(kind, combine(kind, x, y), identity, reverse);
    Value start = combine(kind, carry, before);
    Value upToX = combine(kind, start, x);
    values[near] = exclusive ? start : upToX;
    values[far] = exclusive ? upToX : combine(kind, upToX, y);
    carry = combine(kind, carry, all);
  }
}

//===----------------------------------------------------------------------===//
// Sort
//===----------------------------------------------------------------------===//

/// Every element of the row, in order: each lane's, from the first column on.
Registers QuadEmitter::wholeRow(ArrayRef<unsigned> columns,
                                const Registers &values) {
  Registers all;
  for (size_t block = 0; block < columns.size(); block += 2)
    for (int64_t number = 0; number < kQuad; ++number)
      for (size_t half = 0; half < 2; ++half)
        all.push_back(
            fromLane(values[columns[block + half]], laneOfQuad(number)));
  return all;
}

/// The column of this lane's element number `element`.
Value QuadEmitter::columnOf(size_t element) {
  Value own = b.create<arith::ShLIOp>(place, i32(1));
  return b.create<arith::AddIOp>(
      own, i32(static_cast<int64_t>(element / 2 * 8 + element % 2)));
}

void QuadEmitter::sortRow(bool descending, ArrayRef<unsigned> columns,
                          MutableArrayRef<Registers> tiles) {
  Registers keys = wholeRow(columns, tiles[0]);
  // How many stand before each own element; equal ones keep their order.
  Registers counts(columns.size());
  for (auto [element, number] : llvm::enumerate(columns)) {
    Value own = tiles[0][number], column = columnOf(element);
    Value count = i32(0);
    for (auto [other, key] : llvm::enumerate(keys)) {
      Value earlier = b.create<arith::CmpIOp>(
          Predicate::slt, i32(static_cast<int64_t>(other)), column);
      auto stands = [&](bool orEqual) {
        return descending ? before(key, own, orEqual)
                          : before(own, key, orEqual);
      };
      Value is = choose(earlier, stands(true), stands(false));
      count = b.create<arith::AddIOp>(
          count, b.create<arith::ExtUIOp>(b.getI32Type(), is));
    }
    counts[element] = count;
  }
  SmallVector<unsigned> plain =
      llvm::to_vector(llvm::seq<unsigned>(0, columns.size()));
  Registers places = wholeRow(plain, counts);
  for (Registers &tile : tiles) {
    Registers all = wholeRow(columns, tile);
    for (auto [element, number] : llvm::enumerate(columns)) {
      Value column = columnOf(element), found = all[0];
      for (size_t other = 1; other < all.size(); ++other)
        found = choose(equals(places[other], column), all[other], found);
      tile[number] = found;
    }
  }
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

static FailureOr<QuadTile> expectQuads(Operation *op, Type type) {
  if (auto tile = QuadTile::of(type))
    return *tile;
  return op->emitOpError("expected rows in quads, found ") << type;
}

LogicalResult Expander::expandScan(ScanOp op) {
  Type type = op.getType();
  FailureOr<QuadTile> tile = expectQuads(op, type);
  if (failed(tile))
    return failure();
  if (op.getAxis() != 1 || op.getInput().getType() != type)
    return op.emitOpError("goes along rows on the GPU, in one layout");
  ImplicitLocOpBuilder b(loc, builder);
  QuadEmitter quads(b, lane());
  Registers values = registers(op.getInput());
  Type element = values[0].getType();
  Value identity = op.getCombine() == Combine::Max   ? quads.lowest(element)
                   : op.getCombine() == Combine::Min ? quads.highest(element)
                                                     : quads.zero(element);
  for (ArrayRef<unsigned> columns : tile->rows)
    quads.scanRow(op, columns, identity, values);
  tiles[op.getResult()] = values;
  return success();
}

LogicalResult Expander::expandSort(SortOp op) {
  FailureOr<QuadTile> tile = expectQuads(op, op.getInputs().front().getType());
  if (failed(tile))
    return failure();
  ImplicitLocOpBuilder b(loc, builder);
  QuadEmitter quads(b, lane());
  SmallVector<Registers> all;
  for (Value input : op.getInputs()) {
    if (QuadTile::of(input.getType()) != *tile)
      return op.emitOpError("expected inputs of one layout");
    all.push_back(registers(input));
  }
  for (ArrayRef<unsigned> columns : tile->rows)
    quads.sortRow(op.getDescending(), columns, all);
  for (auto [output, sorted] : llvm::zip_equal(op.getOutputs(), all))
    tiles[output] = sorted;
  return success();
}
