// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Union.cpp - Neighbours visit the union of their chunks -------------===//
//
// A program owns M neighbouring query blocks, so many that their rows fill a
// tile, and visits each chunk that some of them picked once. That reads less
// the more picks neighbours share:
//
//     for each window of groups, some sequences at a time
//       the visits of each group                     ChunkUnion.h
//       the program: of each visit its rows take
//         part that have a slot with the chunk
//
//     %o = scf.for %n = 0 to M * K iter_args(%acc = zero) {
//       %c = memref.load %chunks[b, group, head, %n]
//       %next = scf.if %c >= 0 {
//         %slot = tile.lookup %slots[b, group, head, %n * M + block of the row]
//         %has = %slot >= 0
//         the body of the reduction, with a slot for each row
//         yield where %has: what it makes of %acc, else: %acc
//       } else { yield %acc }
//     }
//
// A row without a slot there keeps what it has, whatever the chunk holds. Where
// a thread has no room for what it has beside what is made of it M is 1. The
// rest of the program is query_major's, with the rows of several blocks.
//
//===----------------------------------------------------------------------===//

#include "ChunkUnion.h"
#include "InverseIndex.h"
#include "QueryMajor.h"
#include "QueryPlaces.h"
#include "Registers.h"

#include "ramify/Conversion/HSAToTile.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;
using hsa::Axis;

/// Bytes that the unions of a window may take: they stay in the cache until
/// they are read, and are far less than the 256 MiB of the contract.
static constexpr int64_t kUnionBytes = int64_t(32) << 20;

namespace {
/// What a kernel has of the unions of one selection.
struct UnionArrays {
  Value chunks, slots;
};

class UnionSchedule {
public:
  UnionSchedule(hsa::ProgramOp program, const TileLimits &limits)
      : program(program), parameters(program),
        shape(TileShape::ofChunk(program, limits)),
        b(program.getLoc(), program) {}
  LogicalResult lower();

private:
  LogicalResult collect();
  LogicalResult checkRows();
  ChunkUnion *findUnion(hsa::ReduceOp op);

  // The kernel.
  LogicalResult createKernel();
  void emitRows(tile::KernelOp kernel, Value firstGroup, Value firstSequence);
  void emitTimes(tile::KernelOp kernel, Value firstBlock, Value queries);
  LogicalResult emitReduce(hsa::ReduceOp op);
  LogicalResult emitVisits(hsa::ReduceOp op, Tiles &states);
  Value emitSlots(const UnionArrays &arrays, Value head, Value number);
  FailureOr<Tiles> emitVisit(hsa::ReduceOp op, Value slots, Value chunk,
                             ValueRange before);

  // The plan.
  void createPlan();
  void createWindow(const GroupWindow &window);
  Value divideUp(Value value, Value divisor) {
    return b.create<arith::CeilDivUIOp>(value, divisor);
  }
  Value divideDown(Value value, Value divisor) {
    return b.create<arith::DivUIOp>(value, divisor);
  }
  Value limit(Value value, Value most) {
    return b.create<arith::MinUIOp>(value, most);
  }
  Value atLeastOne(Value value) {
    return b.create<arith::MaxUIOp>(value, b.index(1));
  }

  hsa::ProgramOp program;
  Parameters parameters;
  TileShape shape;
  TileBuilder b;
  std::vector<ChunkUnion> unions;

  // The kernel.
  BodyEmitter *emitter = nullptr;
  SmallVector<UnionArrays> unionArrays;
  Value group, sequence; ///< index: in the launch
  Value ofGroup;         ///< i32 vector: the block of each row in its group

  SmallVector<Value> arguments, results;
  Value headBlocks; ///< index
};
} // namespace

//===----------------------------------------------------------------------===//
// What can be lowered
//===----------------------------------------------------------------------===//

/// Rows of several blocks are not told apart by sums over them, or by numbers
/// of a block that depend on its position.
LogicalResult UnionSchedule::checkRows() {
  if (shape.entries == 1)
    return success();
  auto overRows = [](hsa::AxesAttr over) {
    return over.contains(Axis::Pos) || over.contains(Axis::Head);
  };
  WalkResult result = program.walk([&](Operation *op) {
    bool sums = isa<hsa::DotOp>(op) ? overRows(cast<hsa::DotOp>(op).getOver())
                : isa<hsa::FoldOp>(op)
                    ? overRows(cast<hsa::FoldOp>(op).getOver())
                    : false;
    if (sums) {
      op->emitOpError("goes over the rows of a query block, which union has "
                      "several of in a tile: query_major can do it");
      return WalkResult::interrupt();
    }
    auto reduce = dyn_cast<hsa::ReduceOp>(op);
    if (!reduce || shape.hasOnePosition() || findUnion(reduce))
      return WalkResult::advance();
    for (Type type : reduce.getResultTypes())
      if (type.isF32()) {
        op->emitOpError("accumulates a number over a range of several "
                        "positions, which union does not do: query_major does");
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

ChunkUnion *UnionSchedule::findUnion(hsa::ReduceOp op) {
  auto selected = op.getDomain().getDefiningOp<hsa::SelectedOp>();
  auto found = llvm::find_if(unions, [&](ChunkUnion &one) {
    return selected && one.getIndices() == selected.getIndices();
  });
  return found == unions.end() ? nullptr : &*found;
}

LogicalResult UnionSchedule::collect() {
  if (!parameters.getQuery())
    return program.emitOpError("has no query, which union needs");
  for (Type type : program.getResultTypes())
    if (isa<hsa::SumsType>(type))
      return program.emitOpError()
             << "returns gradients that are sums over all queries, those of "
                "keys, values or landmarks say, which union does not do: "
                "query_major does";
  for (auto op : program.getBody().getOps<hsa::ReduceOp>()) {
    auto selected = op.getDomain().getDefiningOp<hsa::SelectedOp>();
    if (!selected)
      continue;
    if (selected.isComputed())
      return op.emitOpError("visits slots that the program computes, which "
                            "union cannot unite");
    if (findUnion(op))
      continue;
    std::string name = (program.getSymName() + "_unions").str();
    if (!unions.empty())
      name += std::to_string(unions.size());
    unions.emplace_back(program, parameters, shape, selected, name);
  }
  if (unions.empty())
    return program.emitOpError(
        "visits no selected chunks, which union is made for");
  if (failed(checkRows()))
    return failure();
  return checkHeads(program, shape);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

void UnionSchedule::emitTimes(tile::KernelOp kernel, Value firstBlock,
                              Value queries) {
  if (!parameters.asksForPositions() && !parameters.hasPadding())
    return;
  TileBuilder &inner = emitter->b;
  Rows &rows = emitter->rows;
  QueryPlaces places(*emitter, parameters, kernel, rows.batch, queries);
  places.place(rows, parameters, shape);
  Value first = inner.mul(firstBlock, inner.i32(shape.positions));
  Value last = inner.add(first, inner.i32(shape.entries * shape.positions - 1));
  last = inner.min(last, inner.sub(queries, inner.i32(1)));
  std::tie(rows.firstTime, rows.lastTime) = places.between(first, last);
  if (!places.havePadding())
    return;
  Value there = places.areThere(rows.query, rows.time, rows.inside);
  rows.padding = inner.invert(there);
  rows.inside = inner.both(rows.inside, there);
}

/// Program (x, y, z) has group x / rowBlocks of the launch, heads y and
/// sequence z.
void UnionSchedule::emitRows(tile::KernelOp kernel, Value firstGroup,
                             Value firstSequence) {
  TileBuilder &inner = emitter->b;
  Rows &rows = emitter->rows;
  Value x = inner.create<tile::ProgramIdOp>(tile::GridAxis::X);
  Value heads = inner.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  sequence = inner.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  group = inner.div(x, shape.rowBlocks);
  if (shape.entries == 1)
    return emitQueryRows(*emitter, parameters, kernel, firstGroup,
                         firstSequence);
  rows.batch = inner.add(sequence, inner.toIndex(firstSequence));
  rows.firstHead = inner.mul(heads, inner.index(shape.heads));
  rows.keyHead = inner.div(rows.firstHead, shape.group);
  int64_t ofBlock = shape.positions * shape.heads;
  Value number = inner.iota(shape.rows);
  Value within = inner.rem(number, ofBlock);
  ofGroup = inner.div(number, ofBlock);
  if (shape.hasPaddedRows())
    rows.inside = inner.compare(Predicate::slt, number,
                                inner.i32(shape.entries * ofBlock));
  Value firstBlock = inner.mul(inner.add(inner.toI32(group), firstGroup),
                               inner.i32(shape.entries));
  rows.block = inner.add(ofGroup, firstBlock);
  rows.head =
      inner.add(inner.rem(within, shape.heads), inner.toI32(rows.firstHead));
  Value position = inner.div(within, shape.heads);
  rows.query =
      inner.add(inner.mul(rows.block, inner.i32(shape.positions)), position);
  Value query = emitter->get(parameters.getQuery());
  Value queries = inner.toI32(countQueries(inner, program, query));
  Value present = inner.compare(Predicate::slt, rows.query, queries);
  rows.inside = rows.stored = inner.both(rows.inside, present);
  emitTimes(kernel, firstBlock, queries);
}

//===----------------------------------------------------------------------===//
// Visits
//===----------------------------------------------------------------------===//

/// The slots of the rows at visit `number`, an index: -1 where a row has none.
/// A block by itself leads all of its visits.
Value UnionSchedule::emitSlots(const UnionArrays &arrays, Value head,
                               Value number) {
  if (shape.entries == 1)
    return number;
  TileBuilder &inner = emitter->b;
  Value place = inner.add(
      ofGroup, inner.mul(inner.toI32(number), inner.i32(shape.entries)));
  return inner.create<tile::LookupOp>(place.getType(), arrays.slots,
                                      ValueRange{sequence, group, head, place},
                                      /*mask=*/Value());
}

/// The accumulators after a visit of `chunk`, by the rows that have a slot.
FailureOr<Tiles> UnionSchedule::emitVisit(hsa::ReduceOp op, Value slots,
                                          Value chunk, ValueRange before) {
  TileBuilder &inner = emitter->b;
  StringRef partition =
      cast<hsa::DomainType>(op.getDomain().getType()).getPartition();
  int64_t keys = program.getChunkSize(partition);
  Value &inside = emitter->rows.inside;
  auto memory = [&](Value value) { return emitter->get(value); };
  auto size =
      getPartitionSize(inner, program, partition, memory, emitter->rows.batch);
  Chunk visited = getChunk(*emitter, chunk, keys, size);
  visited.slots = {slots};
  if (shape.entries == 1)
    return emitQueryVisit(*emitter, op, keys, visited, before);
  Value all = inside;
  Value has = inner.compare(Predicate::sge, slots, inner.i32(0));
  has = inside = inner.both(has, all);
  FailureOr<Tiles> after = emitQueryVisit(*emitter, op, keys, visited, before);
  inside = all;
  if (failed(after))
    return failure();
  for (auto [made, held] : llvm::zip_equal(*after, before))
    made = inner.choose(inner.repeat(has, 1, made.getType()), made, held);
  return after;
}

LogicalResult UnionSchedule::emitVisits(hsa::ReduceOp op, Tiles &states) {
  TileBuilder &inner = emitter->b;
  auto selected = op.getDomain().getDefiningOp<hsa::SelectedOp>();
  if (!program.getChunkSize(selected.getType().getPartition()))
    return op.emitOpError()
           << "visits the partition \"" << selected.getType().getPartition()
           << "\", whose chunk size no parameter tells";
  UnionArrays arrays = unionArrays[findUnion(op) - unions.data()];
  Value count = inner.create<memref::DimOp>(arrays.chunks, inner.index(3));
  Value head = getSelectionHead(*emitter, selected);
  auto visits =
      inner.create<scf::ForOp>(inner.index(0), count, inner.index(1), states);
  OpBuilder::InsertionGuard guard(inner);
  inner.setInsertionPointToStart(visits.getBody());
  Value number = visits.getInductionVar();
  ValueRange before = visits.getRegionIterArgs();
  Value chunk = inner.create<memref::LoadOp>(
      arrays.chunks, ValueRange{sequence, group, head, number});
  Value leads = inner.compare(Predicate::sge, chunk, inner.i32(0));
  auto branch = inner.create<scf::IfOp>(before.getTypes(), leads,
                                        /*withElseRegion=*/true);
  inner.create<scf::YieldOp>(branch.getResults());
  inner.setInsertionPointToStart(branch.elseBlock());
  inner.create<scf::YieldOp>(before);
  inner.setInsertionPointToStart(branch.thenBlock());
  Value slots = emitSlots(arrays, head, number);
  FailureOr<Tiles> after = emitVisit(op, slots, chunk, before);
  if (failed(after))
    return failure();
  inner.create<scf::YieldOp>(*after);
  states.assign(visits.getResults().begin(), visits.getResults().end());
  return success();
}

/// Numbers of a block are vectors where rows are of several.
LogicalResult UnionSchedule::emitReduce(hsa::ReduceOp op) {
  emitter->b.setLoc(op.getLoc());
  Tiles states = getStates(*emitter, op);
  if (shape.entries > 1)
    for (Value &state : states)
      state = emitter->b.splat(state, {shape.rows});
  if (failed(findUnion(op) ? emitVisits(op, states)
                           : emitQueryVisits(*emitter, op, states)))
    return failure();
  setResults(*emitter, op, states);
  return success();
}

LogicalResult UnionSchedule::createKernel() {
  TileBuilder inner(program.getLoc(), program);
  BodyEmitter own(inner, program, shape);
  emitter = &own;
  SmallVector<KernelArgument> more;
  Type array = InverseIndex::getArrayType(inner.getContext());
  for (unsigned number = 0; number < unions.size(); ++number) {
    more.push_back({"chunks" + std::to_string(number), array});
    more.push_back({"slots" + std::to_string(number), array});
  }
  for (StringRef name : {"first_group", "first_sequence"})
    more.push_back({name.str(), inner.getI32Type()});
  for (auto [number, type] : llvm::enumerate(parameters.getResultTypes()))
    more.push_back({"result" + std::to_string(number), type});
  tile::KernelOp kernel =
      ramify::createKernel(own, parameters, program.getSymName(), more);
  ValueRange given = kernel.getBody().getArguments().take_back(more.size());
  for (unsigned number = 0; number < unions.size(); ++number)
    unionArrays.push_back({given[2 * number], given[2 * number + 1]});
  given = given.drop_front(2 * unions.size());
  emitRows(kernel, given[0], given[1]);
  if (failed(
          emitProgram(own, [&](hsa::ReduceOp op) { return emitReduce(op); })))
    return failure();
  emitResults(own, kernel,
              cast<hsa::ReturnOp>(program.getBody().front().getTerminator()));
  return success();
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

void UnionSchedule::createWindow(const GroupWindow &window) {
  SmallVector<Value> operands(arguments);
  for (ChunkUnion &one : unions) {
    one.launch(b, window);
    llvm::append_range(operands, one.getArrays());
  }
  operands.push_back(b.toI32(window.firstGroup));
  operands.push_back(b.toI32(window.firstSequence));
  llvm::append_range(operands, results);
  b.create<tile::LaunchOp>(program.getSymName(),
                           b.mul(window.groups, b.index(shape.rowBlocks)),
                           headBlocks, window.sequences, operands);
}

void UnionSchedule::createPlan() {
  tile::PlanOp plan = createEmptyPlan(b, program, parameters);
  llvm::append_range(arguments, plan.getBody().getArguments());
  Value query = arguments[parameters.getQuery().getArgNumber()];
  PlanSizes sizes = getPlanSizes(b, program, query);
  // No sums over all blocks, which alone may fail.
  results =
      createResults(b, program, &plan.getBody().front(), parameters, sizes)
          ->results;
  headBlocks = b.div(sizes.queryHeads, shape.heads);
  int64_t ofGroup = shape.positions * shape.entries;
  Value groups = divideUp(sizes.queries, b.index(ofGroup));
  Value bytes = b.index(0);
  for (ChunkUnion &one : unions)
    bytes = b.add(bytes, one.getBytes(b, arguments));
  Value most = divideDown(b.index(kUnionBytes), atLeastOne(bytes));
  Value windowGroups = atLeastOne(limit(groups, most));
  Value sequences =
      atLeastOne(limit(divideDown(most, windowGroups), sizes.batch));
  for (ChunkUnion &one : unions)
    one.createArrays(b, windowGroups, sequences);
  createPlanLoop(b, divideUp(groups, windowGroups), [&](Value window) {
    createPlanLoop(b, divideUp(sizes.batch, sequences), [&](Value some) {
      Value first = b.mul(window, windowGroups);
      Value firstSequence = b.mul(some, sequences);
      createWindow({first, limit(windowGroups, b.sub(groups, first)),
                    firstSequence,
                    limit(sequences, b.sub(sizes.batch, firstSequence))});
    });
  });
  b.create<tile::EndOp>();
  plan->setAttr(kTilesAttrName, b.getStringAttr(describeTiles(program, shape)));
}

LogicalResult UnionSchedule::lower() {
  if (failed(collect()))
    return failure();
  for (ChunkUnion &one : unions)
    one.createKernel();
  if (failed(createKernel()))
    return failure();
  createPlan();
  return success();
}

LogicalResult ramify::lowerUnion(hsa::ProgramOp program,
                                 const TileLimits &limits) {
  TileLimits own = limits;
  own.keysAtOnce = 0; // a visit has one chunk
  bool isAlone = limits.registers && fillsRegisters(program);
  if (isAlone)
    own.chunkRows = 1;
  // What stands beside the tiles: the slots of the rows, and what rows without
  // one keep.
  int64_t ofSlots = isAlone ? 8 : 32;
  if (own.registers > ofSlots)
    own.registers -= ofSlots;
  return UnionSchedule(program, own).lower();
}
