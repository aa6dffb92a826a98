// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Domains.cpp - Which keys a query may see ---------------------------===//

#include "Domains.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

Chunk ramify::getChunk(BodyEmitter &emitter, Value number, int64_t keys,
                       PartitionSize size, Value present) {
  TileBuilder &b = emitter.b;
  Chunk chunk;
  if (present)
    number = b.choose(present, number, b.i32(0));
  chunk.numbers = {number};
  chunk.first = b.mul(number, b.i32(keys));
  Value whole = b.add(chunk.first, b.i32(keys));
  int64_t tile = emitter.shape.getKeyTile(keys);
  int64_t parts = emitter.shape.getKeyTiles(keys);
  bool padded = tile * parts != keys;
  chunk.end = padded ? b.min(whole, size.keys) : size.keys;
  if (present)
    chunk.end = b.choose(present, chunk.end, b.i32(0));
  for (int64_t part = 0; part < parts; ++part) {
    Value first = part ? b.add(chunk.first, b.i32(part * tile)) : chunk.first;
    chunk.keys.push_back(b.add(b.splat(first, {tile}), b.iota(tile)));
    chunk.live.push_back(
        b.compare(Predicate::slt, chunk.keys.back(), chunk.end));
  }
  if (!padded)
    chunk.partial = b.compare(Predicate::sgt, whole, size.keys);
  if (!padded && present)
    chunk.partial = b.either(chunk.partial, b.invert(present));
  chunk.valid = [](TileBuilder &, Value, Value live) { return live; };
  chunk.end = b.min(whole, size.keys);
  return chunk;
}

Chunk ramify::getChunks(BodyEmitter &emitter, const Tiles &numbers,
                        const Tiles &present, int64_t keys,
                        PartitionSize size) {
  Chunk all = getChunk(emitter, numbers[0], keys, size, present[0]);
  for (unsigned part = 1; part < numbers.size(); ++part) {
    Chunk one = getChunk(emitter, numbers[part], keys, size, present[part]);
    all.numbers.push_back(one.numbers[0]);
    all.keys.push_back(one.keys[0]);
    all.live.push_back(one.live[0]);
    if (all.partial)
      all.partial = emitter.b.either(all.partial, one.partial);
  }
  all.present = present;
  int64_t rows = emitter.shape.rows;
  all.visited = [present, rows](TileBuilder &b, unsigned part) {
    return present[part] ? b.splat(present[part], {rows}) : Value();
  };
  return all;
}

Chunk ramify::getKeyTile(BodyEmitter &emitter, const Chunk &chunk, Value number,
                         int64_t keys) {
  TileBuilder &b = emitter.b;
  int64_t size = emitter.shape.getKeyTile(keys);
  Value first = b.add(chunk.first, b.mul(b.toI32(number), b.i32(size)));
  Value positions = b.add(b.splat(first, {size}), b.iota(size));
  Chunk tile = chunk;
  tile.keys = {positions};
  tile.live = {b.compare(Predicate::slt, positions, chunk.end)};
  return tile;
}

//===----------------------------------------------------------------------===//
// Range domains
//===----------------------------------------------------------------------===//

static Value getOutside(Operation *op) {
  return TypeSwitch<Operation *, Value>(op)
      .Case<hsa::WindowOp, hsa::OwnOp, hsa::FirstOp, hsa::EveryOp>(
          [](auto domain) { return domain.getOutside(); });
}

RangeDomain::RangeDomain(BodyEmitter &emitter, Operation *op,
                         PartitionSize size)
    : op(op), rows(emitter.rows), size(size), rowCount(emitter.shape.rows) {
  TileBuilder &b = emitter.b;
  auto domain = cast<hsa::DomainType>(op->getResult(0).getType());
  chunkSize = emitter.program.getChunkSize(domain.getPartition());
  if (auto window = dyn_cast<hsa::WindowOp>(op))
    bound = b.max(emitter.get(window.getLast()), b.i32(0));
  if (auto first = dyn_cast<hsa::FirstOp>(op))
    bound = b.max(emitter.get(first.getKeys()), b.i32(0));
  if (Value other = getOutside(op))
    outside =
        std::make_shared<RangeDomain>(emitter, other.getDefiningOp(), size);
}

/// The interval of a query at `time`, an i32 or a vector of them.
RangeDomain::Interval RangeDomain::getInterval(TileBuilder &b,
                                               Value time) const {
  Value zero = b.i32(0), one = b.i32(1), keys = b.i32(chunkSize);
  if (isa<hsa::FirstOp>(op))
    return {zero, bound};
  if (isa<hsa::EveryOp>(op))
    return {zero, size.keys};
  auto roundDown = [&](Value x) {
    return b.mul(b.div(x, chunkSize),
                 b.full(x.getType(), static_cast<double>(chunkSize)));
  };
  if (auto window = dyn_cast<hsa::WindowOp>(op)) {
    Value high = b.add(time, one);
    // max(high - W, 0) without overflow, whatever W.
    Value low = b.sub(b.max(high, bound), bound);
    return {window.getAlign() ? roundDown(low) : low, high};
  }
  Value low = roundDown(b.max(time, zero));
  Value before = b.compare(Predicate::slt, time, zero);
  return {low, b.choose(before, b.full(low.getType(), 0), b.add(low, keys))};
}

bool RangeDomain::isUniform() const {
  if (outside && !outside->isUniform())
    return false;
  return isa<hsa::FirstOp, hsa::EveryOp>(op) ||
         (rows.time && !isa<RankedTensorType>(rows.time.getType()));
}

std::pair<Value, Value> RangeDomain::getChunks(TileBuilder &b) const {
  Value low = getInterval(b, rows.firstTime).low;
  Value high = b.min(getInterval(b, rows.lastTime).high, size.keys);
  high = b.max(b.add(high, b.i32(chunkSize - 1)), b.i32(0));
  return {b.div(low, chunkSize), b.div(high, chunkSize)};
}

std::pair<Value, Value> RangeDomain::getTimes(TileBuilder &b,
                                              Value number) const {
  Value from = b.max(rows.firstTime, b.i32(0));
  Value to = b.max(b.add(rows.lastTime, b.i32(1)), b.i32(0));
  if (isa<hsa::FirstOp, hsa::EveryOp>(op))
    return {rows.firstTime, b.add(rows.lastTime, b.i32(1))};
  Value first = b.mul(number, b.i32(chunkSize));
  Value end = b.add(first, b.i32(chunkSize));
  from = b.max(from, first);
  if (isa<hsa::OwnOp>(op))
    return {from, b.min(to, end)};
  // t - W + 1 < end, without overflow, whatever W.
  Value before = b.sub(bound, b.i32(1));
  Value reachesAll = b.compare(Predicate::sge, before, b.sub(to, end));
  return {from, b.choose(reachesAll, to, b.add(end, before))};
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

/// lhs < rhs for a value of each row (or all rows) and one of each key: a tile,
/// or a vector over keys if `rowValue` is shared by all rows.
static Value compareRowsWithKeys(TileBuilder &b, Predicate predicate,
                                 Value rowValue, Value keys) {
  auto vector = dyn_cast<RankedTensorType>(rowValue.getType());
  if (!vector)
    return b.compare(predicate, rowValue, keys);
  auto type = RankedTensorType::get(
      {vector.getDimSize(0),
       cast<RankedTensorType>(keys.getType()).getDimSize(0)},
      b.getI32Type());
  return b.compare(predicate, b.repeat(rowValue, 1, type),
                   b.repeat(keys, 0, type));
}

/// Both masks, where one may be over keys and the other over rows and keys.
static Value intersect(TileBuilder &b, Value lhs, Value rhs) {
  auto left = cast<RankedTensorType>(lhs.getType());
  auto right = cast<RankedTensorType>(rhs.getType());
  if (left.getRank() < right.getRank())
    lhs = b.repeat(lhs, 0, right);
  else if (right.getRank() < left.getRank())
    rhs = b.repeat(rhs, 0, left);
  return b.both(lhs, rhs);
}

Value RangeDomain::getMask(TileBuilder &b, Value keys) const {
  Interval interval = getInterval(b, rows.time);
  Value mask = compareRowsWithKeys(b, Predicate::sgt, interval.high, keys);
  if (isa<hsa::WindowOp, hsa::OwnOp>(op))
    mask = intersect(
        b, mask, compareRowsWithKeys(b, Predicate::sle, interval.low, keys));
  if (outside)
    mask = intersect(b, mask, b.invert(outside->getMask(b, keys)));
  return mask;
}

Value RangeDomain::getReach(TileBuilder &b, Value keys) const {
  if (isUniform())
    return getMask(b, keys);
  Value high = getInterval(b, rows.lastTime).high;
  Value reach = b.compare(Predicate::sgt, high, keys);
  if (!isa<hsa::WindowOp, hsa::OwnOp>(op))
    return reach;
  Value low = getInterval(b, rows.firstTime).low;
  return b.both(reach, b.compare(Predicate::sle, low, keys));
}

/// Rows with a valid key in the chunk, or in that of the given part.
static Value getVisited(TileBuilder &b, const Chunk &chunk, int64_t rows,
                        unsigned only) {
  Value visited;
  for (unsigned part = 0; part < chunk.keys.size(); ++part) {
    if (chunk.isGathered() && part != only)
      continue;
    Value mask = chunk.valid(b, chunk.keys[part], chunk.live[part]);
    int64_t keys = cast<RankedTensorType>(mask.getType()).getShape().back();
    auto type = RankedTensorType::get({rows, keys}, b.getF32Type());
    mask = b.repeat(mask, 0, type);
    Value count = b.reduce(tile::Combine::Max,
                           b.choose(mask, b.full(type, 1), b.full(type, 0)), 1);
    Value some = b.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, count,
                                         b.full(count.getType(), 0));
    visited = b.either(visited, some);
  }
  return visited;
}

/// Whether some row does not have all keys of the chunk, or of the chunks.
Value RangeDomain::needsMask(TileBuilder &b, const Chunk &chunk) const {
  int64_t count = chunk.numbers.size();
  Value end = b.add(chunk.first, b.i32(count * chunkSize));
  Value high = getInterval(b, rows.firstTime).high;
  Value needs = b.compare(Predicate::sgt, end, high);
  Value low = getInterval(b, rows.lastTime).low;
  needs = b.either(needs, b.compare(Predicate::slt, chunk.first, low));
  if (outside) {
    Value from = outside->getInterval(b, rows.firstTime).low;
    Value to = outside->getInterval(b, rows.lastTime).high;
    Value meets = b.both(b.compare(Predicate::slt, chunk.first, to),
                         b.compare(Predicate::sgt, end, from));
    needs = b.either(needs, meets);
  }
  return needs;
}

void RangeDomain::restrict(TileBuilder &b, Chunk &chunk) const {
  if (isa<hsa::EveryOp>(op) && !outside)
    return;
  if (chunk.partial)
    chunk.partial = b.either(chunk.partial, needsMask(b, chunk));
  chunk.valid = [this](TileBuilder &inner, Value keys, Value live) {
    return intersect(inner, live, getMask(inner, keys));
  };
  chunk.reached = [this](TileBuilder &inner, Value keys, Value live) {
    return inner.both(live, getReach(inner, keys));
  };
  if (outside || !isUniform())
    chunk.visited = [count = rowCount, &chunk](TileBuilder &inner,
                                               unsigned part) {
      return getVisited(inner, chunk, count, part);
    };
}

void RangeDomain::restrictReads(TileBuilder &b, Chunk &chunk) const {
  if (isa<hsa::EveryOp>(op) && !outside)
    return;
  for (auto [live, keys] : llvm::zip(chunk.live, chunk.keys))
    live = b.both(live, getReach(b, keys));
}
