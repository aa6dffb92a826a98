// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageInBlock.cpp - Copies that are waited for where they are used --===//

#include "dialects/Tile/Transforms/PipelineGathers.h"

#include "dialects/Tile/IR/ArrayAccess.h"
#include "dialects/Tile/Transforms/AddressSlice.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// Parts of both ways
//===----------------------------------------------------------------------===//

ArrayRef<GatherOp> tile::takeGroup(ArrayRef<GatherOp> gathers) {
  GatherOp first = gathers.front();
  return gathers.take_while([&](GatherOp gather) {
    return gather.getSource() == first.getSource() &&
           gather->getBlock() == first->getBlock();
  });
}

SmallVector<ArrayRef<GatherOp>> tile::splitGroups(ArrayRef<GatherOp> gathers) {
  SmallVector<ArrayRef<GatherOp>> groups;
  while (!gathers.empty()) {
    groups.push_back(takeGroup(gathers));
    gathers = gathers.drop_front(groups.back().size());
  }
  return groups;
}

void tile::createCopies(OpBuilder &builder, const StagedGroup &group,
                        function_ref<Value(Value)> at) {
  Location loc = GatherOp(group.gathers.front()).getLoc();
  for (auto [each, buffer] : llvm::zip(group.gathers, group.buffers)) {
    GatherOp gather = each;
    SmallVector<Value> indices;
    for (Value value : gather.getIndices())
      indices.push_back(at(value));
    Value mask = gather.getMask() ? at(gather.getMask()) : Value();
    builder.create<CopyAsyncOp>(gather.getLoc(), gather.getSource(), indices,
                                mask, buffer, group.stage, LayoutAttr());
  }
  builder.create<CommitGroupOp>(loc);
}

/// Moves what `value` needs inside the block of `place` before it. False, and
/// nothing is moved, if that is not allowed.
static bool moveUp(Value value, Operation *place) {
  Block *block = place->getBlock();
  Slice slice;
  auto isKnown = [&](Value known) {
    Operation *op = known.getDefiningOp();
    return !op || op->getBlock() != block || op->isBeforeInBlock(place);
  };
  if (!collectSlice(value, isKnown, slice))
    return false;
  for (Operation *op : slice)
    op->moveBefore(place);
  return true;
}

/// The first operation of the gather's block that uses it, itself or inside.
static Operation *findFirstUse(GatherOp gather) {
  Operation *first = nullptr;
  for (Operation *user : gather->getUsers()) {
    Operation *here = gather->getBlock()->findAncestorOpInBlock(*user);
    if (!first || here->isBeforeInBlock(first))
      first = here;
  }
  return first;
}

static Operation *findLastUse(GatherOp gather) {
  Operation *last = gather;
  for (Operation *user : gather->getUsers()) {
    Operation *here = gather->getBlock()->findAncestorOpInBlock(*user);
    if (last->isBeforeInBlock(here))
      last = here;
  }
  return last;
}

/// The wait for the copies before `first`, which needs them.
static void createWait(Location loc, Operation *first, int64_t pending) {
  OpBuilder builder(first);
  auto wait = builder.create<WaitGroupOp>(loc, pending);
  builder.create<BarrierOp>(loc);
  SmallVector<Operation *> reads;
  for (Operation &op :
       llvm::make_range(Block::iterator(first), first->getBlock()->end()))
    if (isReadOfConstantArray(&op))
      reads.push_back(&op);
  for (Operation *read : reads)
    moveUp(read->getResult(0), wait);
}

void tile::replaceByLoads(const StagedGroup &group) {
  Operation *first = nullptr;
  for (GatherOp gather : group.gathers) {
    Operation *use = findFirstUse(gather);
    if (use && (!first || use->isBeforeInBlock(first)))
      first = use;
  }
  if (first)
    createWait(GatherOp(group.gathers.front()).getLoc(), first, group.pending);
  for (auto [each, buffer] : llvm::zip(group.gathers, group.buffers)) {
    GatherOp gather = each;
    for (OpOperand &use : llvm::make_early_inc_range(gather->getUses())) {
      OpBuilder builder(use.getOwner());
      use.set(builder.create<LoadSharedOp>(gather.getLoc(), gather.getType(),
                                           buffer, group.stage));
    }
    gather.erase();
  }
}

//===----------------------------------------------------------------------===//
// In a block
//===----------------------------------------------------------------------===//

/// Starts the copies of `batch` before `place`, after a barrier that ends the
/// reads of what was in the buffers, and waits at their uses.
static void stageBatch(ArrayRef<GatherOp> batch, Operation *place,
                       ArrayRef<Value> memory) {
  OpBuilder builder(place);
  Location loc = place->getLoc();
  Value stage = builder.create<arith::ConstantIndexOp>(loc, 0);
  builder.create<BarrierOp>(loc);
  SmallVector<ArrayRef<GatherOp>> groups = splitGroups(batch);
  int64_t pending = groups.size();
  SmallVector<StagedGroup> staged;
  for (ArrayRef<GatherOp> gathers : groups) {
    staged.push_back({gathers,
                      SmallVector<Value>(memory.take_front(gathers.size())),
                      stage, --pending});
    memory = memory.drop_front(gathers.size());
    createCopies(builder, staged.back(), [](Value value) { return value; });
  }
  for (const StagedGroup &group : staged)
    replaceByLoads(group);
}

/// Moves the addresses of `gather` up to `place`.
static bool moveAddressUp(GatherOp gather, Operation *place) {
  SmallVector<Value> values(gather.getIndices());
  if (gather.getMask())
    values.push_back(gather.getMask());
  return llvm::all_of(values,
                      [&](Value value) { return moveUp(value, place); });
}

void tile::stageInBlock(ArrayRef<GatherOp> gathers, ArrayRef<Value> memory) {
  while (!gathers.empty()) {
    GatherOp first = gathers.front();
    ArrayRef<GatherOp> batch = gathers.take_while([&](GatherOp gather) {
      return gather == first || moveAddressUp(gather, first);
    });
    stageBatch(batch, first, memory.take_front(batch.size()));
    gathers = gathers.drop_front(batch.size());
    memory = memory.drop_front(batch.size());
  }
}

//===----------------------------------------------------------------------===//
// In a block, with little memory
//===----------------------------------------------------------------------===//

SmallVector<Value> tile::getSparingly(ArrayRef<GatherOp> gathers,
                                      SharedBuffers &buffers) {
  struct Used {
    Value memory;
    Type type;
    Operation *until;
  };
  SmallVector<Used> used;
  SmallVector<Value> memory;
  for (GatherOp gather : gathers) {
    Operation *first = findFirstUse(gather);
    auto type = cast<RankedTensorType>(gather.getType());
    auto *free = llvm::find_if(used, [&](const Used &other) {
      return other.type == type && other.until->isBeforeInBlock(first);
    });
    if (free == used.end()) {
      used.push_back(
          {buffers.get(type, 1, gather->getParentOp()), type, nullptr});
      free = &used.back();
    }
    free->until = findLastUse(gather);
    memory.push_back(free->memory);
  }
  return memory;
}

void tile::stageWhenUsed(ArrayRef<GatherOp> gathers, ArrayRef<Value> memory) {
  for (auto [gather, buffer] : llvm::zip(gathers, memory))
    stageBatch(gather, findFirstUse(gather), buffer);
}
