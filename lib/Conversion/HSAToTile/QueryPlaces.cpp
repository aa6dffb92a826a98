// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QueryPlaces.cpp - Where queries stand among the keys ---------------===//

#include "QueryPlaces.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;

/// The partition of the first parameter that has one: its N is the default's.
static StringRef getFirstPartition(hsa::ProgramOp program) {
  for (Type type : program.getArgumentTypes()) {
    if (auto chunks = dyn_cast<hsa::ChunksType>(type))
      return chunks.getPartition();
    if (auto landmarks = dyn_cast<hsa::LandmarksType>(type))
      return landmarks.getPartition();
    if (auto array = dyn_cast<hsa::ArrayType>(type))
      if (!array.getPartition().empty())
        return array.getPartition();
  }
  return {};
}

QueryPlaces::QueryPlaces(BodyEmitter &emitter, const Parameters &parameters,
                         tile::KernelOp kernel, Value batch, Value queries)
    : b(emitter.b) {
  if (emitter.program.getBlockAttr())
    block = emitter.program.getBlockSize();
  auto memory = [&](Value value) { return emitter.get(value); };
  positions = queries;
  if (block > 1)
    positions = b.toI32(
        b.create<memref::DimOp>(memory(parameters.getQuery()), b.index(1)));
  if (BlockArgument places = parameters.getPlaces()) {
    if (auto type = dyn_cast<hsa::QPositionsType>(places.getType())) {
      table = memory(places);
      if (type.getBatch())
        row = batch;
    } else {
      start = b.create<memref::LoadOp>(memory(places), batch);
    }
  } else if (int64_t scalar = parameters.getStart();
             scalar >= 0 && !parameters.countsFromWindow()) {
    start = kernel.getBody().getArgument(scalar);
  } else {
    PartitionSize size = getPartitionSize(
        b, emitter.program, getFirstPartition(emitter.program), memory, batch);
    start = b.sub(size.keys, positions); // the default is that of all
  }
  if (parameters.countsFromWindow())
    start = b.add(start, kernel.getBody().getArgument(
                             static_cast<unsigned>(parameters.getStart())));
}

Value QueryPlaces::getPosition(Value query) const {
  Value number = query.getType().isIndex() ? b.toI32(query) : query;
  return block == 1 ? number : b.mul(number, b.i32(block));
}

Value QueryPlaces::atPosition(Value position, Value mask) const {
  if (!table)
    return b.add(position, start);
  auto vector = dyn_cast<RankedTensorType>(position.getType());
  SmallVector<Value> indices;
  if (row)
    indices.push_back(row);
  indices.push_back(vector ? position : b.toIndex(position));
  if (!vector)
    return b.create<memref::LoadOp>(table, indices);
  return b.create<tile::LookupOp>(vector, table, indices, mask);
}

Value QueryPlaces::at(Value query, Value mask) const {
  return atPosition(getPosition(query), mask);
}

void QueryPlaces::place(Rows &rows, const Parameters &parameters,
                        const TileShape &shape) const {
  rows.time = at(rows.query, rows.inside);
  if (parameters.asksForBlocks())
    rows.blockTime = ofBlock(rows.block, shape, rows.inside);
  if (havePadding() && !shape.hasOnePosition())
    rows.leader = [places = *this, number = rows.block, &shape](Value mask) {
      return places.getLeader(number, shape, mask);
    };
}

//===----------------------------------------------------------------------===//
// Blocks of several queries
//===----------------------------------------------------------------------===//

/// The number of the first query of a block.
static Value getFirst(TileBuilder &b, Value block, const TileShape &shape) {
  Value number = block.getType().isIndex() ? b.toI32(block) : block;
  return b.mul(number, b.i32(shape.positions));
}

Value QueryPlaces::ofBlock(Value number, const TileShape &shape,
                           Value mask) const {
  return atPosition(getFirst(b, number, shape), mask);
}

/// From the last to the first, so that the first one found stays.
Value QueryPlaces::findThere(Value first, int64_t count, Value mask) const {
  auto loop = b.create<scf::ForOp>(b.index(0), b.index(count), b.index(1),
                                   ValueRange{first});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value found = loop.getRegionIterArg(0);
  Value offset = b.sub(b.i32(count - 1), b.toI32(loop.getInductionVar()));
  Value position = b.add(first, offset);
  Value exists = b.compare(arith::CmpIPredicate::slt, position, positions);
  // A single number is never masked: it is read where it is harmless.
  bool isVector = isa<RankedTensorType>(first.getType());
  Value place = isVector ? atPosition(position, b.both(mask, exists))
                         : atPosition(b.choose(exists, position, first), {});
  Value there = b.compare(arith::CmpIPredicate::sge, place, b.i32(0));
  b.create<scf::YieldOp>(b.choose(b.both(exists, there), position, found));
  return loop.getResult(0);
}

Value QueryPlaces::getLeader(Value number, const TileShape &shape,
                             Value mask) const {
  Value first = getFirst(b, number, shape);
  return table ? findThere(first, shape.positions, mask) : first;
}

Value QueryPlaces::areThere(Value query, Value place, Value mask) const {
  if (block > 1) {
    Value first = getPosition(query);
    place = atPosition(findThere(first, block, mask), mask);
  }
  return b.compare(arith::CmpIPredicate::sge, place, b.i32(0));
}

std::pair<Value, Value> QueryPlaces::between(Value first, Value last) const {
  if (!table)
    return {at(first), at(last)};
  constexpr int64_t beyond = std::numeric_limits<int32_t>::max();
  Value end = b.add(last, b.i32(1));
  auto loop = b.create<scf::ForOp>(b.toIndex(first), b.toIndex(end), b.index(1),
                                   ValueRange{b.i32(beyond), b.i32(-1)});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value place = at(loop.getInductionVar());
    Value padding = b.compare(arith::CmpIPredicate::slt, place, b.i32(0));
    Value least = b.choose(padding, b.i32(beyond), place);
    b.create<scf::YieldOp>(ValueRange{b.min(loop.getRegionIterArg(0), least),
                                      b.max(loop.getRegionIterArg(1), place)});
  }
  // Without any, both are -1.
  return {b.min(loop.getResult(0), loop.getResult(1)), loop.getResult(1)};
}
