// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SplitKV.cpp - A program owns a slice of a query's chunks -----------===//
//
// A decoding step has fewer query blocks than the device has room for, and each
// of them many chunks to visit. So the visits of a block are cut into slices,
// neighbours in the grid, and the second launch puts the slices together:
//
//     for each window of query blocks, some sequences at a time
//       slices: a program visits every slice'th    QueryMajor.h
//         part of the slots, or of the chunks of a
//         range, from empty accumulators, and
//         writes what they are then                SlotParts.h
//       the rest of the program: one program for
//         each query block combines the slices in
//         their order, then does what is left
//
// The same bits each time: nothing depends on which program ends first. How
// many slices there are is computed for each call, from the blocks, the size of
// the device and the number of visits; with many query blocks it is one. Parts
// are f32. Windows bound the workspace.
//
// A reduction whose visits need the result of another one is left to the second
// launch, which does it as query_major does.
//
//===----------------------------------------------------------------------===//

#include "QueryMajor.h"
#include "SlotParts.h"

#include "ramify/Conversion/HSAToTile.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

/// Bytes that the parts of a window may take: they stay in the cache, or nearly
/// so, and are far less than the 256 MiB of the contract.
static constexpr int64_t kPartBytes = int64_t(64) << 20;

//===----------------------------------------------------------------------===//
// The reductions
//===----------------------------------------------------------------------===//

namespace {
/// A reduction whose visits are cut into slices.
struct Cut {
  hsa::ReduceOp op;
  SlotParts parts;
  SmallVector<Value> partArrays; ///< in the plan
};

/// What the kernels have behind the program's parameters and the parts: i32.
struct WindowStart {
  Value block;    ///< the first query block
  Value sequence; ///< the first one
};

class SplitKV {
public:
  SplitKV(hsa::ProgramOp program, const TileLimits &limits)
      : program(program), parameters(program), limits(limits),
        shape(program, limits), b(program.getLoc(), program) {}
  LogicalResult lower();

private:
  LogicalResult collect();
  bool need(Operation *inner);
  Cut *findCut(Operation *op);

  // Kernels.
  std::string getName(StringRef part) {
    return (program.getSymName() + "_" + part).str();
  }
  SmallVector<KernelArgument> getPartArguments();
  LogicalResult createSliceKernel();
  LogicalResult createRestKernel();
  void emitCombine(BodyEmitter &emitter, Cut &cut, ValueRange arrays,
                   const WindowStart &start);
  PartPlace getPlace(BodyEmitter &emitter, const WindowStart &start);

  // The plan.
  void createPlan();
  Value countTurns(hsa::ReduceOp op);
  void chooseSlices();
  void chooseWindows();
  void createWindow(Value firstBlock, Value firstSequence);
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
  TileLimits limits;
  TileShape shape;
  TileBuilder b;
  std::vector<Cut> cuts;
  llvm::SetVector<Operation *> needed; ///< by the visits, from outside

  SmallVector<Value> arguments, results;
  Value batch, blocks, headBlocks; ///< index
  Value slices, windowBlocks, groupSize;
};
} // namespace

/// Whether `inner`, and what it needs, can stand before all reductions; notes
/// what that is.
bool SplitKV::need(Operation *inner) {
  if (isa<hsa::ReduceOp>(inner))
    return false;
  for (Value operand : inner->getOperands()) {
    Operation *definition = operand.getDefiningOp();
    if (!definition || definition->getBlock() != &program.getBody().front())
      continue;
    if (!needed.contains(definition) && !need(definition))
      return false;
    needed.insert(definition);
  }
  return true;
}

/// Whether rows of the accumulator, or numbers, can be kept in memory.
static bool isKept(Type type) {
  if (auto state = dyn_cast<hsa::SoftmaxStateType>(type))
    type = state.getValue();
  if (!isa<RankedTensorType>(type))
    return type.isF32();
  return hasRows(type) && !hasAxis(type, Axis::Key);
}

LogicalResult SplitKV::collect() {
  if (!parameters.getQuery())
    return program.emitOpError("has no query, which split_kv needs");
  for (Type type : program.getResultTypes())
    if (isa<hsa::SumsType>(type))
      return program.emitOpError()
             << "returns gradients that are sums over all queries, those of "
                "keys, values or landmarks say, which split_kv does not do: "
                "query_major does";
  for (auto op : program.getBody().getOps<hsa::ReduceOp>()) {
    auto selected = op.getDomain().getDefiningOp<hsa::SelectedOp>();
    if (selected && selected.isComputed())
      return op.emitOpError("visits slots that the program computes, which "
                            "split_kv cannot cut");
    if (!llvm::all_of(op.getResultTypes(), isKept))
      continue;
    llvm::SetVector<Operation *> before = needed;
    Operation *domain = op.getDomain().getDefiningOp();
    bool first = need(domain);
    for (Operation &inner : op.getBody().front())
      first = first && need(&inner);
    if (!first) {
      needed = before;
      continue;
    }
    needed.insert(domain);
    // A slice has a part where a selection has a slot: none adds to totals.
    TileLimits ordered;
    ordered.deterministic = true;
    cuts.push_back({op, SlotParts(program, op, b.getF32Type(), ordered), {}});
  }
  if (cuts.empty())
    return program.emitOpError(
        "has no reduction over chunks whose visits split_kv could cut");
  return checkHeads(program, shape);
}

Cut *SplitKV::findCut(Operation *op) {
  auto found = llvm::find_if(cuts, [&](Cut &cut) { return cut.op == op; });
  return found == cuts.end() ? nullptr : &*found;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

SmallVector<KernelArgument> SplitKV::getPartArguments() {
  SmallVector<KernelArgument> arguments;
  for (Cut &cut : cuts)
    for (MemRefType type : cut.parts.getTypes())
      arguments.push_back({"part" + std::to_string(arguments.size()), type});
  for (StringRef name : {"first_block", "first_sequence"})
    arguments.push_back({name.str(), b.getI32Type()});
  return arguments;
}

static WindowStart takeWindowStart(ValueRange &arguments) {
  ValueRange own = arguments.take_back(2);
  arguments = arguments.drop_back(2);
  return {own[0], own[1]};
}

/// Where the program's rows have their parts, but for the slice.
PartPlace SplitKV::getPlace(BodyEmitter &emitter, const WindowStart &start) {
  TileBuilder &inner = emitter.b;
  const Rows &rows = emitter.rows;
  Value block = inner.sub(rows.block, inner.toIndex(start.block));
  PartPlace place;
  place.sequence = inner.sub(rows.batch, inner.toIndex(start.sequence));
  place.firstQuery = inner.mul(block, inner.index(shape.positions));
  place.query = place.firstQuery;
  if (!shape.hasOnePosition())
    place.query = inner.sub(rows.query,
                            inner.mul(start.block, inner.i32(shape.positions)));
  place.head = rows.head;
  // Rows of padding too: numbers of a block are read from its first row.
  place.mask = rows.stored;
  return place;
}

/// The slices of a block are neighbours: they may share its chunks' cache lines
/// and certainly its queries'.
LogicalResult SplitKV::createSliceKernel() {
  TileBuilder inner(program.getLoc(), program);
  BodyEmitter emitter(inner, program, shape);
  SmallVector<KernelArgument> own = getPartArguments();
  tile::KernelOp kernel =
      createKernel(emitter, parameters, getName("slices"), own);
  ValueRange arrays = kernel.getBody().getArguments().take_back(own.size());
  WindowStart start = takeWindowStart(arrays);
  Slice slice;
  slice.count = inner.create<memref::DimOp>(arrays[0], inner.index(3));
  Value x = inner.create<tile::ProgramIdOp>(tile::GridAxis::X);
  slice.number = inner.create<arith::RemUIOp>(x, slice.count);
  x = inner.create<arith::DivUIOp>(x, slice.count);
  emitQueryRows(emitter, parameters, kernel, start.block, start.sequence, x);
  PartPlace place = getPlace(emitter, start);
  place.slot = slice.number;
  for (Operation &op : program.getBody().front().without_terminator()) {
    if (Cut *cut = findCut(&op)) {
      Tiles states = cut->parts.getEmpty(emitter);
      if (failed(emitQueryVisits(emitter, cut->op, states, slice)))
        return failure();
      size_t count = cut->parts.getTypes().size();
      cut->parts.store(emitter, states, arrays.take_front(count), place);
      arrays = arrays.drop_front(count);
    } else if (needed.contains(&op) && failed(emitter.emit(&op))) {
      return failure();
    }
  }
  inner.setLoc(program.getLoc());
  inner.create<tile::EndOp>();
  return success();
}

/// The accumulators after all slices, in their order.
void SplitKV::emitCombine(BodyEmitter &emitter, Cut &cut, ValueRange arrays,
                          const WindowStart &start) {
  TileBuilder &inner = emitter.b;
  inner.setLoc(cut.op.getLoc());
  Value count = inner.create<memref::DimOp>(arrays[0], inner.index(3));
  PartPlace place = getPlace(emitter, start);
  auto slice = inner.create<scf::ForOp>(inner.index(0), count, inner.index(1),
                                        getStates(emitter, cut.op));
  {
    OpBuilder::InsertionGuard guard(inner);
    inner.setInsertionPointToStart(slice.getBody());
    place.slot = slice.getInductionVar();
    Tiles after =
        cut.parts.combine(emitter, slice.getRegionIterArgs(), arrays, place);
    inner.create<scf::YieldOp>(after);
  }
  setResults(emitter, cut.op, Tiles(slice.getResults()));
}

LogicalResult SplitKV::createRestKernel() {
  TileBuilder inner(program.getLoc(), program);
  BodyEmitter emitter(inner, program, shape);
  SmallVector<KernelArgument> own = getPartArguments();
  for (auto [number, type] : llvm::enumerate(parameters.getResultTypes()))
    own.push_back({"result" + std::to_string(number), type});
  tile::KernelOp kernel =
      createKernel(emitter, parameters, getName("rest"), own);
  ValueRange arrays = kernel.getBody().getArguments().take_back(own.size());
  arrays = arrays.drop_back(parameters.getResultTypes().size());
  WindowStart start = takeWindowStart(arrays);
  emitQueryRows(emitter, parameters, kernel, start.block, start.sequence);
  auto reduce = [&](hsa::ReduceOp op) -> LogicalResult {
    Cut *cut = findCut(op);
    if (!cut)
      return emitQueryReduce(emitter, op);
    size_t count = cut->parts.getTypes().size();
    emitCombine(emitter, *cut, arrays.take_front(count), start);
    arrays = arrays.drop_front(count);
    return success();
  };
  if (failed(emitProgram(emitter, reduce)))
    return failure();
  emitResults(emitter, kernel,
              cast<hsa::ReturnOp>(program.getBody().front().getTerminator()));
  return success();
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

/// The keys that a range has at most, if the program says so.
static std::optional<int64_t> getMostKeys(Operation *domain, int64_t chunk) {
  APInt keys;
  if (auto window = dyn_cast<hsa::WindowOp>(domain))
    if (matchPattern(window.getLast(), m_ConstantInt(&keys)))
      return keys.getSExtValue() + chunk; // of a chunk more, where it begins
  if (auto first = dyn_cast<hsa::FirstOp>(domain))
    if (matchPattern(first.getKeys(), m_ConstantInt(&keys)))
      return keys.getSExtValue();
  if (isa<hsa::OwnOp>(domain))
    return chunk;
  return std::nullopt;
}

/// The turns of the visits of one query block, at most.
Value SplitKV::countTurns(hsa::ReduceOp op) {
  auto memory = [&](Value value) {
    return arguments[cast<BlockArgument>(value).getArgNumber()];
  };
  Operation *domain = op.getDomain().getDefiningOp();
  StringRef partition =
      cast<hsa::DomainType>(op.getDomain().getType()).getPartition();
  int64_t chunk = std::max<int64_t>(program.getChunkSize(partition), 1);
  Value visits;
  if (auto selected = dyn_cast<hsa::SelectedOp>(domain))
    visits = b.create<memref::DimOp>(memory(selected.getIndices()), b.index(3));
  else
    visits = b.toIndex(getWholeSize(b, program, partition, memory).chunks);
  if (std::optional<int64_t> keys = getMostKeys(domain, chunk))
    visits = limit(
        visits, b.index(llvm::divideCeil(std::max<int64_t>(*keys, 0), chunk)));
  return divideUp(visits, b.index(shape.getChunksAtOnce(op, chunk)));
}

/// As many slices as give the device enough programs, each with some visits.
void SplitKV::chooseSlices() {
  Value turns;
  for (Cut &cut : cuts) {
    Value own = countTurns(cut.op);
    turns = turns ? b.create<arith::MaxUIOp>(turns, own) : own;
  }
  if (limits.slices) {
    slices = b.index(limits.slices);
    return;
  }
  Value programs =
      b.mul(b.mul(blocks, b.index(shape.rowBlocks)), b.mul(headBlocks, batch));
  Value wanted = b.mul(b.create<tile::SmsOp>(), b.index(limits.programsPerSM));
  slices = limit(divideDown(wanted, atLeastOne(programs)), turns);
  slices = atLeastOne(slices);
}

/// As many query blocks, and sequences, at a time as the parts have room for.
void SplitKV::chooseWindows() {
  int64_t bytes = 0;
  for (Cut &cut : cuts)
    bytes += cut.parts.getSlotBytes();
  Value queryHeads = b.mul(headBlocks, b.index(shape.heads));
  Value ofBlock =
      b.mul(b.mul(queryHeads, slices), b.index(bytes * shape.positions));
  Value most = divideDown(b.index(kPartBytes), atLeastOne(ofBlock));
  windowBlocks = atLeastOne(limit(blocks, most));
  groupSize = atLeastOne(limit(divideDown(most, windowBlocks), batch));
}

void SplitKV::createWindow(Value firstBlock, Value firstSequence) {
  SmallVector<Value> operands(arguments);
  for (Cut &cut : cuts)
    llvm::append_range(operands, cut.partArrays);
  operands.push_back(b.toI32(firstBlock));
  operands.push_back(b.toI32(firstSequence));
  Value x = b.mul(limit(windowBlocks, b.sub(blocks, firstBlock)),
                  b.index(shape.rowBlocks));
  Value z = limit(groupSize, b.sub(batch, firstSequence));
  b.create<tile::LaunchOp>(getName("slices"), b.mul(x, slices), headBlocks, z,
                           operands);
  llvm::append_range(operands, results);
  b.create<tile::LaunchOp>(getName("rest"), x, headBlocks, z, operands);
}

void SplitKV::createPlan() {
  tile::PlanOp plan = createEmptyPlan(b, program, parameters);
  llvm::append_range(arguments, plan.getBody().getArguments());
  Value query = arguments[parameters.getQuery().getArgNumber()];
  PlanSizes sizes = getPlanSizes(b, program, query);
  // No sums over all blocks, which alone may fail.
  results =
      createResults(b, program, &plan.getBody().front(), parameters, sizes)
          ->results;
  batch = sizes.batch;
  blocks = divideUp(sizes.queries, b.index(shape.positions));
  headBlocks = b.div(sizes.queryHeads, shape.heads);
  chooseSlices();
  chooseWindows();
  Value queries = b.mul(windowBlocks, b.index(shape.positions));
  for (Cut &cut : cuts)
    cut.partArrays = cut.parts.createArrays(
        b, {groupSize, queries, sizes.queryHeads, slices});
  createPlanLoop(b, divideUp(blocks, windowBlocks), [&](Value window) {
    createPlanLoop(b, divideUp(batch, groupSize), [&](Value group) {
      createWindow(b.mul(window, windowBlocks), b.mul(group, groupSize));
    });
  });
  b.create<tile::EndOp>();
  plan->setAttr(kTilesAttrName, b.getStringAttr(describeTiles(program, shape)));
}

LogicalResult SplitKV::lower() {
  if (failed(collect()) || failed(createSliceKernel()) ||
      failed(createRestKernel()))
    return failure();
  createPlan();
  return success();
}

LogicalResult ramify::lowerSplitKV(hsa::ProgramOp program,
                                   const TileLimits &limits) {
  // Where the slice ends, and where its parts go, stand beside the tiles.
  constexpr int64_t ofSlice = 8;
  TileLimits own = limits;
  if (own.registers > ofSlice)
    own.registers -= ofSlice;
  return SplitKV(program, own).lower();
}
