// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QueryWindows.cpp - Steps for some queries at a time ----------------===//

#include "QueryWindows.h"

#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace ramify;
using hsa::Axis;

/// Windows are whole tiles, but for the last.
static constexpr int64_t kTileQueries = 64;

//===----------------------------------------------------------------------===//
// Rows of queries
//===----------------------------------------------------------------------===//

/// Of an array with any axes.
static QueryRows findRowsOfArray(hsa::ProgramOp program, hsa::ArrayType type) {
  QueryRows rows;
  rows.sequences = type.getBatch() ? 0 : -1;
  for (auto [index, axis] : llvm::enumerate(type.getAxes()))
    if (axis == Axis::Pos)
      rows.rows = static_cast<int64_t>(index) + (type.getBatch() ? 1 : 0);
  rows.positions = program.isOfBlocks(type) ? program.getBlockSize() : 1;
  return rows;
}

/// Of a value that the program returns.
static QueryRows findRowsOfValue(hsa::ProgramOp program, Type type) {
  bool isOfBlocks = program.getBlockAttr() || hasAxis(type, Axis::Slot) ||
                    !hasAxis(type, Axis::Pos);
  return {0, 1, isOfBlocks ? program.getBlockSize() : 1};
}

QueryRows ramify::findQueryRows(hsa::ProgramOp program, Type type) {
  if (auto sums = dyn_cast<hsa::SumsType>(type))
    return findQueryRows(program, sums.getRole());
  return TypeSwitch<Type, QueryRows>(type)
      .Case([&](hsa::QueryType query) -> QueryRows {
        return {0, 1, program.isOfBlocks(query) ? program.getBlockSize() : 1};
      })
      .Case<hsa::IndicesType, hsa::WeightsType>(
          [&](auto) -> QueryRows { return {0, 1, program.getBlockSize()}; })
      .Case<hsa::ChunksType, hsa::LandmarksType, hsa::NumKeysType,
            hsa::QStartType>([](auto) -> QueryRows { return {0, -1, 1}; })
      .Case(
          [&](hsa::ArrayType array) { return findRowsOfArray(program, array); })
      .Case([](hsa::QPositionsType places) -> QueryRows {
        return places.getBatch() ? QueryRows{0, 1, 1} : QueryRows{-1, 0, 1};
      })
      .Case<hsa::SoftmaxStateType, RankedTensorType>(
          [&](auto) { return findRowsOfValue(program, type); })
      .Default([&](Type) {
        return type.isF32() ? findRowsOfValue(program, type) : QueryRows();
      });
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

static Value most(TileBuilder &b, Value left, Value right) {
  return b.create<arith::MaxUIOp>(left, right);
}

static Value least(TileBuilder &b, Value left, Value right) {
  return b.create<arith::MinUIOp>(left, right);
}

static Value divideDown(TileBuilder &b, Value left, Value right) {
  return b.create<arith::DivUIOp>(left, right);
}

static Value divideUp(TileBuilder &b, Value left, Value right) {
  return b.create<arith::CeilDivUIOp>(left, right);
}

QueryWindows::QueryWindows(TileBuilder &b, const PlanSizes &sizes, Value bytes,
                           int64_t mostBytes, int64_t multiple)
    : b(b), batch(sizes.batch), length(sizes.queries) {
  Value one = b.index(1);
  Value unit = b.index(std::lcm(multiple, kTileQueries));
  Value all = most(b, b.mul(batch, length), one);
  Value ofQuery = most(b, divideUp(b, bytes, all), one);
  // Queries of all sequences together.
  Value fit = most(b, divideDown(b, b.index(mostBytes), ofQuery), unit);
  Value whole = b.mul(divideUp(b, most(b, length, one), unit), unit);
  queries = least(b, whole, b.mul(divideDown(b, fit, unit), unit));
  // The last is about as long as the others.
  Value even = divideUp(b, most(b, length, one), divideUp(b, whole, queries));
  queries = b.mul(divideUp(b, even, unit), unit);
  sequences = most(b, least(b, divideDown(b, fit, queries), batch), one);
}

void QueryWindows::loop(function_ref<void()> body) {
  createPlanLoop(b, divideUp(b, batch, sequences), [&](Value group) {
    firstSequence = b.mul(group, sequences);
    someSequences = least(b, sequences, b.sub(batch, firstSequence));
    createPlanLoop(b, divideUp(b, length, queries), [&](Value window) {
      firstQuery = b.mul(window, queries);
      someQueries = least(b, queries, b.sub(length, firstQuery));
      rest = b.sub(length, b.add(firstQuery, someQueries));
      body();
    });
  });
}

Value QueryWindows::view(Value array, const QueryRows &rows) {
  if (!isa<MemRefType>(array.getType()))
    return array;
  if (rows.sequences >= 0)
    array = b.create<tile::ViewOp>(array, b.getI64IntegerAttr(rows.sequences),
                                   firstSequence, someSequences);
  if (rows.rows < 0)
    return array;
  Value first = firstQuery, size = someQueries;
  if (rows.positions > 1) {
    first = b.div(first, rows.positions);
    size = divideUp(b, size, b.index(rows.positions));
  }
  return b.create<tile::ViewOp>(array, b.getI64IntegerAttr(rows.rows), first,
                                size);
}
