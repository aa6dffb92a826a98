// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PipelineGathers.cpp - Rings for the gathers of a loop --------------===//

#include "dialects/Tile/Transforms/PipelineGathers.h"

#include "dialects/Tile/Transforms/AddressSlice.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

/// Everything that decides where `gather` reads, and whether it does.
static bool collectAddress(GatherOp gather, scf::ForOp loop, Slice &slice) {
  auto conditions = conditionsAround(gather, loop);
  if (!conditions)
    return false;
  SmallVector<Value> values(*conditions);
  llvm::append_range(values, gather.getIndices());
  if (Value mask = gather.getMask())
    values.push_back(mask);
  return llvm::all_of(
      values, [&](Value value) { return collectSlice(value, loop, slice); });
}

bool tile::canPipeline(scf::ForOp loop, ArrayRef<GatherOp> gathers) {
  Slice slice;
  for (GatherOp gather : gathers)
    if (!collectAddress(gather, loop, slice))
      return false;
  // Loads are done where their iteration reaches them, which must be known.
  return llvm::all_of(slice, [&](Operation *op) {
    auto conditions = conditionsAround(op, loop);
    return conditions && llvm::all_of(*conditions, [&](Value condition) {
             return collectSlice(condition, loop, slice);
           });
  });
}

namespace {
class Pipeline {
public:
  Pipeline(scf::ForOp loop, ArrayRef<GatherOp> gathers, int64_t stages,
           ArrayRef<Value> memory);
  void run();

private:
  void fillPrologue();
  void replaceLoop();
  void fillBody();
  void advance(Value next);
  void copyIteration(IterationCloner &cloner, Value stage);
  void copyBatch(IterationCloner &cloner, ArrayRef<GatherOp> batch,
                 Value stage);
  SmallVector<Value> loadIteration(Value iteration, Value exists);
  Value iterationAfter(Value iteration, int64_t distance);
  Value isBelowEnd(Value iteration);
  StagedGroup getStaged(ArrayRef<GatherOp> group, Value stage,
                        int64_t pending = 0);
  Value index(int64_t value);

  scf::ForOp loop;
  SmallVector<GatherOp> gathers;
  int64_t stages;
  IRRewriter builder;
  Location loc;

  SmallVector<memref::LoadOp> loads; ///< whose results are carried
  llvm::DenseMap<Operation *, Value> rings;
  /// For each load its results in iterations i ... i + stages - 1, then the
  /// stage of iteration i.
  SmallVector<Value> carried;
};
} // namespace

Pipeline::Pipeline(scf::ForOp loop, ArrayRef<GatherOp> gathers, int64_t stages,
                   ArrayRef<Value> memory)
    : loop(loop), gathers(gathers), stages(stages), builder(loop),
      loc(loop.getLoc()) {
  Slice slice;
  for (auto [gather, ring] : llvm::zip(gathers, memory)) {
    collectAddress(gather, loop, slice);
    rings[gather] = ring;
  }
  loop.walk([&](memref::LoadOp load) {
    if (slice.contains(load))
      loads.push_back(load);
  });
}

Value Pipeline::index(int64_t value) {
  return builder.create<arith::ConstantIndexOp>(loc, value);
}

Value Pipeline::iterationAfter(Value iteration, int64_t distance) {
  if (distance == 0)
    return iteration;
  Value step =
      builder.create<arith::MulIOp>(loc, loop.getStep(), index(distance));
  return builder.create<arith::AddIOp>(loc, iteration, step);
}

Value Pipeline::isBelowEnd(Value iteration) {
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt,
                                       iteration, loop.getUpperBound());
}

//===----------------------------------------------------------------------===//
// Copies and loads of one iteration
//===----------------------------------------------------------------------===//

StagedGroup Pipeline::getStaged(ArrayRef<GatherOp> group, Value stage,
                                int64_t pending) {
  StagedGroup staged{group, {}, stage, pending};
  for (GatherOp gather : group)
    staged.buffers.push_back(rings[gather]);
  return staged;
}

/// The copies of gathers that stand in one block, in their groups; only commits
/// where the iteration does not come there.
void Pipeline::copyBatch(IterationCloner &cloner, ArrayRef<GatherOp> batch,
                         Value stage) {
  auto copyAll = [&](IterationCloner inside) {
    for (ArrayRef<GatherOp> group : splitGroups(batch))
      createCopies(builder, getStaged(group, stage),
                   [&](Value value) { return inside.get(value); });
  };
  Value reached = cloner.isReached(*conditionsAround(batch.front(), loop));
  if (!reached)
    return copyAll(cloner.nested());
  auto branch = builder.create<scf::IfOp>(loc, TypeRange(), reached,
                                          /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  copyAll(cloner.nested());
  builder.setInsertionPointToStart(branch.elseBlock());
  for (size_t i = 0; i < splitGroups(batch).size(); ++i)
    builder.create<CommitGroupOp>(loc);
}

void Pipeline::copyIteration(IterationCloner &cloner, Value stage) {
  ArrayRef<GatherOp> rest = gathers;
  while (!rest.empty()) {
    Block *block = rest.front()->getBlock();
    ArrayRef<GatherOp> batch = rest.take_while(
        [&](GatherOp gather) { return gather->getBlock() == block; });
    copyBatch(cloner, batch, stage);
    rest = rest.drop_front(batch.size());
  }
}

SmallVector<Value> Pipeline::loadIteration(Value iteration, Value exists) {
  IterationCloner cloner(builder, loop, iteration, exists);
  SmallVector<Value> values;
  for (memref::LoadOp load : loads)
    values.push_back(cloner.load(load));
  return values;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

/// Before the loop: the first indices, all at once, then the copies of all but
/// the last of the first `stages` iterations.
void Pipeline::fillPrologue() {
  carried.resize(loads.size() * stages);
  SmallVector<IterationCloner> cloners;
  for (int64_t s = 0; s < stages; ++s) {
    Value iteration = iterationAfter(loop.getLowerBound(), s);
    Value exists = isBelowEnd(iteration);
    cloners.emplace_back(builder, loop, iteration, exists);
    SmallVector<Value> values = loadIteration(iteration, exists);
    for (auto [i, load] : llvm::enumerate(loads)) {
      carried[i * stages + s] = values[i];
      cloners[s].set(load.getResult(), values[i]);
    }
  }
  if (stages == 1)
    return;
  builder.create<BarrierOp>(loc);
  for (int64_t s = 0; s + 1 < stages; ++s)
    copyIteration(cloners[s], index(s));
  carried.push_back(index(0));
}

void Pipeline::replaceLoop() {
  auto yieldPlaceholders = [](OpBuilder &, Location,
                              ArrayRef<BlockArgument> arguments) {
    return SmallVector<Value>(arguments.begin(), arguments.end());
  };
  size_t before = loop.getRegionIterArgs().size();
  loop = cast<scf::ForOp>(*loop.replaceWithAdditionalYields(
      builder, carried, /*replaceInitOperandUsesInLoop=*/false,
      yieldPlaceholders));
  auto arguments = loop.getRegionIterArgs().drop_front(before);
  carried.assign(arguments.begin(), arguments.end());
}

/// Yields the values of the next iteration; `next` is its stage.
void Pipeline::advance(Value next) {
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  size_t first = yield.getNumOperands() - carried.size();
  for (size_t i = 0; i < loads.size() * stages; ++i)
    if ((i + 1) % stages)
      yield.setOperand(first + i, carried[i + 1]);
  if (next)
    yield.setOperand(yield.getNumOperands() - 1, next);
}

void Pipeline::fillBody() {
  builder.setInsertionPointToStart(loop.getBody());
  Value stage = stages > 1 ? carried.back() : index(0), fill = stage, next;
  if (stages == 2) {
    fill = next = builder.create<arith::SubIOp>(loc, index(1), stage);
  } else if (stages > 2) {
    auto isAt = [&](int64_t value) {
      return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, stage,
                                           index(value));
    };
    auto turn = [&](int64_t end, int64_t begin, int64_t by) -> Value {
      Value other = builder.create<arith::AddIOp>(loc, stage, index(by));
      return builder.create<arith::SelectOp>(loc, isAt(end), index(begin),
                                             other);
    };
    fill = turn(0, stages - 1, -1);
    next = turn(stages - 1, 0, 1);
  }
  builder.create<BarrierOp>(loc);
  Value filled = iterationAfter(loop.getInductionVar(), stages - 1);
  Value exists = stages > 1 ? isBelowEnd(filled) : Value();
  IterationCloner cloner(builder, loop, filled, exists);
  for (auto [i, load] : llvm::enumerate(loads))
    cloner.set(load.getResult(), carried[i * stages + stages - 1]);
  copyIteration(cloner, fill);

  advance(next);
  Value coming = iterationAfter(loop.getInductionVar(), stages);
  SmallVector<Value> values = loadIteration(coming, isBelowEnd(coming));
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  size_t first = yield.getNumOperands() - carried.size();
  for (auto [i, value] : llvm::enumerate(values))
    yield.setOperand(first + i * stages + stages - 1, value);

  for (auto [i, load] : llvm::enumerate(loads)) {
    load.getResult().replaceAllUsesWith(carried[i * stages]);
    load.erase();
  }
  SmallVector<ArrayRef<GatherOp>> groups = splitGroups(gathers);
  int64_t pending = static_cast<int64_t>(groups.size()) * stages;
  for (ArrayRef<GatherOp> group : groups)
    replaceByLoads(getStaged(group, stage, --pending));
}

void Pipeline::run() {
  fillPrologue();
  replaceLoop();
  fillBody();
}

void tile::pipelineGathers(scf::ForOp loop, ArrayRef<GatherOp> gathers,
                           int64_t stages, ArrayRef<Value> memory) {
  Pipeline(loop, gathers, stages, memory).run();
}
