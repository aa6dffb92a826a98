// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QueryMajor.cpp - A program owns one query block --------------------===//
//
// The grid is (query blocks, heads of a block, batch). A program holds the rows
// of its query block, visits the chunks of each domain one after the other and
// keeps the accumulators in registers:
//
//     %o = hsa.reduce (%slot, %c) in %selected into (sum %zero) {
//       ... yield %x
//     }
//
//     %o = scf.for %slot = 0 to K iter_args(%acc = zero) {
//       %c = memref.load %indices[b, block, head, %slot]
//       %next = scf.if %c <u C { ... yield %acc + %x } else { yield %acc }
//     }
//
// Short chunks are visited several at once, so that enough bytes are under way
// and products are wide; a turn is skipped if all of its slots are empty:
//
//     %o = scf.for %slot = 0 to K step 4 iter_args(%acc = zero) {
//       %c0, %c1, ... = memref.load %indices[b, block, head, %slot + 0, 1, ...]
//       %next = scf.if (%c0 <u C or %c1 <u C ...) { ... yield %acc + %x0 + %x1
//
// It suits few tokens and large groups: each query block reads its chunks from
// the cache anew. A block with more rows than a tile should have is cut into
// row blocks, neighbours in the grid, which read the same chunks.
//
//===----------------------------------------------------------------------===//

#include "QueryMajor.h"

#include "KeyPasses.h"
#include "QueryPlaces.h"

#include "ramify/Conversion/HSAToTile.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// Rows of a query block: their number in the block, from `firstRow`.
static void emitPlaces(TileBuilder &b, const TileShape &shape, Rows &rows,
                       Value rowBlock, Value queries) {
  Value number = b.iota(shape.rows);
  if (shape.rowBlocks > 1)
    number = b.add(number, b.mul(b.toI32(rowBlock), b.i32(shape.rows)));
  Value firstHead = b.toI32(rows.firstHead);
  if (shape.hasPaddedRows())
    rows.inside =
        b.compare(Predicate::slt, number, b.i32(shape.positions * shape.heads));
  if (shape.hasOnePosition()) {
    rows.query = rows.block;
    rows.head = b.add(number, firstHead);
    return;
  }
  Value position = b.div(number, shape.heads);
  rows.head = b.add(b.rem(number, shape.heads), firstHead);
  Value block = b.mul(b.toI32(rows.block), b.i32(shape.positions));
  rows.query = b.add(position, block);
  Value present = b.compare(Predicate::slt, rows.query, queries);
  rows.inside = b.both(rows.inside, present);
}

/// The bounds of where the rows stand among the keys.
static void emitTimes(TileBuilder &b, const TileShape &shape, Rows &rows,
                      Value rowBlock, Value queries,
                      const QueryPlaces &places) {
  if (shape.hasOnePosition()) {
    rows.firstTime = rows.lastTime = rows.time;
    return;
  }
  Value first = b.i32(0), last = b.i32(shape.positions - 1);
  if (shape.rowBlocks > 1) {
    Value row = b.mul(b.toI32(rowBlock), b.i32(shape.rows));
    first = b.div(row, shape.heads);
    last = b.min(b.div(b.add(row, b.i32(shape.rows - 1)), shape.heads), last);
  }
  Value block = b.mul(b.toI32(rows.block), b.i32(shape.positions));
  last = b.min(b.add(block, last), b.sub(queries, b.i32(1)));
  std::tie(rows.firstTime, rows.lastTime) =
      places.between(b.add(block, first), last);
}

/// Padding rows are read as zeros.
static void emitPadding(TileBuilder &b, const TileShape &shape, Rows &rows,
                        const QueryPlaces &places) {
  Value there = places.areThere(rows.query, rows.time, rows.inside);
  rows.padding = b.invert(there);
  rows.inside = b.both(rows.inside, b.splat(there, {shape.rows}));
}

void ramify::emitQueryRows(BodyEmitter &emitter, const Parameters &parameters,
                           tile::KernelOp kernel, Value firstBlock,
                           Value firstSequence, Value x) {
  TileBuilder &b = emitter.b;
  const TileShape &shape = emitter.shape;
  Rows &rows = emitter.rows;
  if (!x)
    x = b.create<tile::ProgramIdOp>(tile::GridAxis::X);
  Value heads = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  rows.batch = b.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  rows.block = b.div(x, shape.rowBlocks);
  if (firstBlock)
    rows.block = b.add(rows.block, b.toIndex(firstBlock));
  if (firstSequence)
    rows.batch = b.add(rows.batch, b.toIndex(firstSequence));
  Value rowBlock = b.rem(x, shape.rowBlocks);
  rows.firstHead = b.mul(heads, b.index(shape.heads));
  rows.keyHead = b.div(rows.firstHead, shape.group);
  if (shape.heads == shape.group)
    rows.keyHead = heads;
  Value query = emitter.get(parameters.getQuery());
  Value queries = b.toI32(countQueries(b, emitter.program, query));
  emitPlaces(b, shape, rows, rowBlock, queries);
  rows.stored = rows.inside;
  if (!parameters.asksForPositions() && !parameters.hasPadding())
    return;
  QueryPlaces places(emitter, parameters, kernel, rows.batch, queries);
  places.place(rows, parameters, shape);
  emitTimes(b, shape, rows, rowBlock, queries, places);
  if (places.havePadding())
    emitPadding(b, shape, rows, places);
}

//===----------------------------------------------------------------------===//
// Visits
//===----------------------------------------------------------------------===//

FailureOr<Tiles> ramify::emitQueryVisit(BodyEmitter &emitter, hsa::ReduceOp op,
                                        int64_t keys, Chunk &chunk,
                                        ValueRange before) {
  if (emitter.shape.getTilesAtOnce(keys) < emitter.shape.getKeyTiles(keys))
    return emitInPasses(emitter, op, keys, chunk, before);
  emitter.chunk = &chunk;
  if (failed(emitter.emitKeyedSums(op, nullptr)))
    return failure();
  for (Operation &inner : op.getBody().front().without_terminator())
    if (failed(emitter.emit(&inner)) ||
        failed(emitter.emitKeyedSums(op, &inner)))
      return failure();
  emitter.b.setLoc(op.getLoc());
  FailureOr<Tiles> after =
      emitter.emitAccumulation(op, before, BodyEmitter::Done::KeyedSums);
  emitter.chunk = nullptr;
  return after;
}

/// Whether a valid index is to be visited: rows of one position may be padding.
static Value unlessPadding(BodyEmitter &emitter, Value valid) {
  Value padding = emitter.rows.padding;
  if (!padding || isa<RankedTensorType>(padding.getType()))
    return valid;
  return emitter.b.both(valid, emitter.b.invert(padding));
}

Value ramify::getSelectionHead(BodyEmitter &emitter, hsa::SelectedOp selected) {
  auto type = cast<hsa::IndicesType>(selected.getIndices().getType());
  switch (type.getHeads()) {
  case hsa::Heads::One:
    return emitter.b.index(0);
  case hsa::Heads::Query:
    return emitter.rows.firstHead;
  case hsa::Heads::KV:
    return emitter.rows.keyHead;
  }
  llvm_unreachable("all cases are covered");
}

/// Index of the slot as it is stored, and whether it is a chunk's.
static std::pair<Value, Value> emitSlot(BodyEmitter &emitter,
                                        hsa::SelectedOp selected, Value slot,
                                        Value chunks) {
  TileBuilder &b = emitter.b;
  const Rows &rows = emitter.rows;
  Value head = getSelectionHead(emitter, selected);
  Value index =
      b.create<memref::LoadOp>(emitter.get(selected.getIndices()),
                               ValueRange{rows.batch, rows.block, head, slot});
  if (index.getType().isInteger(64)) {
    Value count = b.create<arith::ExtUIOp>(index.getType(), chunks);
    Value valid = b.compare(Predicate::ult, index, count);
    return {b.create<arith::TruncIOp>(b.getI32Type(), index), valid};
  }
  return {index, b.compare(Predicate::ult, index, chunks)};
}

/// Loops and branches without results have their yields already.
static void yield(TileBuilder &b, ValueRange values) {
  if (!values.empty())
    b.create<scf::YieldOp>(values);
}

/// The slice of the numbers from `low` to `high`, indices, in whole turns.
static std::pair<Value, Value> cut(TileBuilder &b, Value low, Value high,
                                   int64_t together, const Slice &slice) {
  if (!slice.number)
    return {low, high};
  Value visits = b.max(b.sub(high, low), b.index(0));
  Value turns = b.div(b.add(visits, b.index(together - 1)), together);
  Value most = b.add(turns, b.sub(slice.count, b.index(1)));
  Value own = b.create<arith::DivUIOp>(most, slice.count);
  own = b.mul(own, b.index(together));
  Value first = b.add(low, b.mul(slice.number, own));
  return {first, b.min(b.add(first, own), high)};
}

/// A loop over numbers, some in a turn, with the accumulators carried along.
static LogicalResult
emitLoop(TileBuilder &b, Value low, Value high, int64_t together, Tiles &states,
         function_ref<FailureOr<Tiles>(Value, ValueRange)> turn) {
  auto loop = b.create<scf::ForOp>(low, high, b.index(together), states);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  FailureOr<Tiles> after =
      turn(loop.getInductionVar(), loop.getRegionIterArgs());
  if (failed(after))
    return failure();
  yield(b, *after);
  states.assign(loop.getResults().begin(), loop.getResults().end());
  return success();
}

/// The slots from `slot` on, as far as they are before `count`, and whether
/// some hold a chunk.
static std::pair<SlotChunks, Value> emitTurn(BodyEmitter &emitter,
                                             hsa::SelectedOp selected,
                                             Value slot, Value count,
                                             Value chunks, int64_t together) {
  TileBuilder &b = emitter.b;
  SlotChunks turn;
  Value some;
  for (int64_t part = 0; part < together; ++part) {
    Value inside, own = slot;
    if (part) {
      own = b.add(slot, b.index(part));
      inside = b.compare(Predicate::slt, own, count);
      own = b.min(own, b.sub(count, b.index(1)));
    }
    auto [number, valid] = emitSlot(emitter, selected, own, chunks);
    turn.slots.push_back(own);
    turn.numbers.push_back(number);
    turn.present.push_back(b.both(inside, valid));
    some = b.either(some, turn.present.back());
  }
  return {turn, some};
}

LogicalResult ramify::emitSlots(BodyEmitter &emitter, hsa::SelectedOp selected,
                                Value chunks, Tiles &states, SlotVisit visit,
                                int64_t together, const Slice &slice) {
  TileBuilder &b = emitter.b;
  Value indices = emitter.get(selected.getIndices());
  Value count = b.create<memref::DimOp>(indices, b.index(3));
  auto [first, end] = cut(b, b.index(0), count, together, slice);
  auto turn = [&](Value slot, ValueRange before) -> FailureOr<Tiles> {
    auto [visited, some] =
        emitTurn(emitter, selected, slot, count, chunks, together);
    auto branch =
        b.create<scf::IfOp>(before.getTypes(), unlessPadding(emitter, some),
                            /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.elseBlock());
    yield(b, before);
    b.setInsertionPointToStart(branch.thenBlock());
    FailureOr<Tiles> after = visit(visited, before);
    if (failed(after))
      return failure();
    yield(b, *after);
    return Tiles(branch.getResults().begin(), branch.getResults().end());
  };
  return emitLoop(b, first, end, together, states, turn);
}

/// The chunks from `first` on, as far as they are before `high`.
static Chunk emitConsecutive(BodyEmitter &emitter, Value first, Value high,
                             int64_t together, int64_t keys,
                             PartitionSize size) {
  TileBuilder &b = emitter.b;
  if (together == 1)
    return getChunk(emitter, first, keys, size);
  Tiles numbers{first}, present{Value()};
  for (int64_t part = 1; part < together; ++part) {
    numbers.push_back(b.add(first, b.i32(part)));
    present.push_back(b.compare(Predicate::slt, numbers.back(), high));
  }
  return getChunks(emitter, numbers, present, keys, size);
}

static LogicalResult emitRange(BodyEmitter &emitter, hsa::ReduceOp op,
                               int64_t keys, PartitionSize size,
                               int64_t together, Tiles &states,
                               const Slice &slice) {
  TileBuilder &b = emitter.b;
  RangeDomain range(emitter, op.getDomain().getDefiningOp(), size);
  auto [low, high] = range.getChunks(b);
  auto [first, end] = cut(b, b.toIndex(low), b.toIndex(high), together, slice);
  auto turn = [&](Value number, ValueRange before) -> FailureOr<Tiles> {
    Chunk chunk =
        emitConsecutive(emitter, b.toI32(number), high, together, keys, size);
    range.restrict(b, chunk);
    return emitQueryVisit(emitter, op, keys, chunk, before);
  };
  return emitLoop(b, first, end, together, states, turn);
}

Tiles ramify::getStates(BodyEmitter &emitter, hsa::ReduceOp op) {
  Tiles states;
  for (Value init : op.getAccumulators())
    llvm::append_range(states, emitter.getTiles(init));
  return states;
}

void ramify::setResults(BodyEmitter &emitter, hsa::ReduceOp op,
                        ArrayRef<Value> states) {
  for (Value result : op.getResults()) {
    unsigned count = BodyEmitter::countStates(result.getType());
    emitter.set(result, Tiles(states.take_front(count)));
    states = states.drop_front(count);
  }
}

LogicalResult ramify::emitQueryVisits(BodyEmitter &emitter, hsa::ReduceOp op,
                                      Tiles &states, const Slice &slice) {
  TileBuilder &b = emitter.b;
  b.setLoc(op.getLoc());
  StringRef partition =
      cast<hsa::DomainType>(op.getDomain().getType()).getPartition();
  int64_t keys = emitter.program.getChunkSize(partition);
  if (!keys)
    return op.emitOpError() << "visits the partition \"" << partition
                            << "\", whose chunk size no parameter tells";
  auto size = getPartitionSize(
      b, emitter.program, partition,
      [&](Value value) { return emitter.get(value); }, emitter.rows.batch);
  int64_t together = emitter.shape.getChunksAtOnce(op, keys);
  auto visit = [&](const SlotChunks &visited,
                   ValueRange before) -> FailureOr<Tiles> {
    Chunk chunk =
        together > 1
            ? getChunks(emitter, visited.numbers, visited.present, keys, size)
            : getChunk(emitter, visited.numbers[0], keys, size);
    chunk.slots = visited.slots;
    return emitQueryVisit(emitter, op, keys, chunk, before);
  };
  auto selected = op.getDomain().getDefiningOp<hsa::SelectedOp>();
  if (selected && selected.isComputed())
    return op.emitOpError(
        "visits slots that the program computes, which has no "
        "lowering here");
  return selected ? emitSlots(emitter, selected, size.chunks, states, visit,
                              together, slice)
                  : emitRange(emitter, op, keys, size, together, states, slice);
}

LogicalResult ramify::emitQueryReduce(BodyEmitter &emitter, hsa::ReduceOp op) {
  Tiles states = getStates(emitter, op);
  if (failed(emitQueryVisits(emitter, op, states)))
    return failure();
  setResults(emitter, op, states);
  return success();
}

//===----------------------------------------------------------------------===//
// The schedule
//===----------------------------------------------------------------------===//

LogicalResult ramify::checkHeads(hsa::ProgramOp program,
                                 const TileShape &shape) {
  for (Type type : program.getArgumentTypes())
    if (auto indices = dyn_cast<hsa::IndicesType>(type))
      if (indices.getHeads() == hsa::Heads::Query && shape.heads != 1)
        return program.emitOpError()
               << "selects for each query head, so its head axis must be 1, "
                  "but it is "
               << shape.heads;
  return success();
}

std::string ramify::describeTiles(hsa::ProgramOp program,
                                  const TileShape &shape) {
  SmallVector<std::string> kinds;
  program.walk([&](hsa::ReduceOp op) {
    auto domain = cast<hsa::DomainType>(op.getDomain().getType());
    std::string kind =
        shape.describeTiles(op, program.getChunkSize(domain.getPartition()));
    if (!llvm::is_contained(kinds, kind))
      kinds.push_back(std::move(kind));
  });
  return llvm::join(kinds, "; ");
}

LogicalResult ramify::lowerQueryMajor(hsa::ProgramOp program,
                                      const TileLimits &limits) {
  Parameters parameters(program);
  if (!parameters.getQuery())
    return program.emitOpError("has no query, which query_major needs");
  TileShape shape(program, limits);
  if (failed(checkHeads(program, shape)))
    return failure();
  TileBuilder b(program.getLoc(), program);
  BodyEmitter emitter(b, program, shape);
  emitter.deterministic = limits.deterministic;
  tile::KernelOp kernel =
      createKernel(emitter, parameters, program.getSymName());
  emitQueryRows(emitter, parameters, kernel);
  if (failed(emitProgram(emitter, [&](hsa::ReduceOp op) {
        return emitQueryReduce(emitter, op);
      })))
    return failure();
  emitResults(emitter, kernel,
              cast<hsa::ReturnOp>(program.getBody().front().getTerminator()));
  FailureOr<tile::PlanOp> plan = createPlan(
      b, program, parameters, kernel, [&](TileBuilder &plan, PlanSizes sizes) {
        Value last = plan.index(shape.positions - 1);
        Value blocks =
            plan.div(plan.createOrFold<arith::AddIOp>(sizes.queries, last),
                     shape.positions);
        blocks = plan.createOrFold<arith::MulIOp>(blocks,
                                                  plan.index(shape.rowBlocks));
        return std::array<Value, 3>{
            blocks, plan.div(sizes.queryHeads, shape.heads), sizes.batch};
      });
  if (failed(plan))
    return failure();
  (*plan)->setAttr(kTilesAttrName,
                   b.getStringAttr(describeTiles(program, shape)));
  return success();
}
