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
  if (BlockArgument places = parameters.getPlaces()) {
    if (auto type = dyn_cast<hsa::QPositionsType>(places.getType())) {
      table = memory(places);
      if (type.getBatch())
        row = batch;
    } else {
      start = b.create<memref::LoadOp>(memory(places), batch);
    }
  } else if (int64_t scalar = parameters.getStart(); scalar >= 0) {
    start = kernel.getBody().getArgument(scalar);
  } else {
    PartitionSize size = getPartitionSize(
        b, emitter.program, getFirstPartition(emitter.program), memory, batch);
    if (block > 1) // the default is that of all positions
      queries = b.toI32(
          b.create<memref::DimOp>(memory(parameters.getQuery()), b.index(1)));
    start = b.sub(size.keys, queries);
  }
}

Value QueryPlaces::getPosition(Value query) const {
  Value number = query.getType().isIndex() ? b.toI32(query) : query;
  return block == 1 ? number : b.mul(number, b.i32(block));
}

Value QueryPlaces::at(Value query, Value mask) const {
  auto vector = dyn_cast<RankedTensorType>(query.getType());
  query = getPosition(query);
  if (!table)
    return b.add(query, start);
  SmallVector<Value> indices;
  if (row)
    indices.push_back(row);
  indices.push_back(vector ? query : b.toIndex(query));
  if (!vector)
    return b.create<memref::LoadOp>(table, indices);
  return b.create<tile::LookupOp>(vector, table, indices, mask);
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
