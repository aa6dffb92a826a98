// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageThroughShared.cpp - Rings of shared memory --------------------===//

#include "dialects/Tile/Transforms/StageThroughShared.h"

#include "dialects/Tile/Transforms/AddressSlice.h"
#include "dialects/Tile/Transforms/PipelineGathers.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

/// The loop in whose iterations `op` runs once or, under scf.if, not at all.
static scf::ForOp findLoop(Operation *op) {
  Operation *parent = op->getParentOp();
  while (isa<scf::IfOp>(parent))
    parent = parent->getParentOp();
  return dyn_cast<scf::ForOp>(parent);
}

/// Whether the rows of each iteration of the loop around `gather` are read from
/// a list before they are read themselves: two waits, one after the other.
static bool readsListedRows(GatherOp gather) {
  scf::ForOp loop = findLoop(gather);
  if (!loop || !canPipeline(loop, gather))
    return false;
  Slice slice;
  for (Value index : gather.getIndices())
    collectSlice(index, loop, slice);
  return llvm::any_of(slice, [](Operation *op) { return isa<LookupOp>(op); });
}

/// As a right operand, or transposed as any: what warps cannot have by rows.
/// Listed rows also as a left one, so that the next are under way.
static bool feedsProduct(GatherOp gather) {
  bool early = readsListedRows(gather);
  return llvm::any_of(gather->getUses(), [early](OpOperand &use) {
    if (isa<TransposeOp>(use.getOwner()))
      return true;
    auto dot = dyn_cast<DotOp>(use.getOwner());
    return dot && (early || &use == &dot.getRhsMutable());
  });
}

static int64_t countBytes(ArrayRef<GatherOp> gathers) {
  int64_t bytes = 0;
  for (GatherOp gather : gathers)
    bytes += SharedBuffers::getBytes(cast<RankedTensorType>(gather.getType()));
  return bytes;
}

/// Whether there is room to copy listed rows ahead: the addresses take
/// registers that wider tiles, or tiles of a single warp, have not.
static bool hasRoomAhead(ArrayRef<GatherOp> gathers) {
  constexpr int64_t mostBytes = 16 * 1024, side = 64;
  scf::ForOp loop = findLoop(gathers.front());
  WalkResult result = loop.walk([&](DotOp dot) -> WalkResult {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(dot.getType()).getShape();
    return failure(shape[0] != side || shape[1] != side);
  });
  return countBytes(gathers) <= mostBytes && !result.wasInterrupted();
}

/// Stages that the options ask for and allow; 0 if not even one fits.
static int64_t chooseStages(ArrayRef<GatherOp> gathers,
                            const StagingOptions &options) {
  int64_t bytes = countBytes(gathers);
  int64_t most = options.sharedBytes / bytes;
  int64_t wanted = options.stages;
  if (!wanted && llvm::any_of(gathers, readsListedRows) &&
      hasRoomAhead(gathers))
    wanted = 2;
  if (!wanted)
    wanted = std::clamp<int64_t>(options.ringBytes / bytes, 1, 2);
  return std::min(wanted, most);
}

namespace {
/// Gathers that are replaced together, and how. Memory is handed out before
/// anything is replaced.
struct Group {
  scf::ForOp loop; ///< a ring in it; null for copies in a block
  int64_t stages;  ///< 0: there is not room for all gathers at once
  SmallVector<GatherOp> gathers;
  SmallVector<Value> memory;

  void allocate(SharedBuffers &buffers) {
    if (!stages) {
      memory = getSparingly(gathers, buffers);
      return;
    }
    for (GatherOp gather : gathers)
      memory.push_back(
          buffers.get(cast<RankedTensorType>(gather.getType()), stages,
                      loop ? loop.getOperation() : gather->getParentOp()));
  }
  void replace() const {
    if (!stages)
      stageWhenUsed(gathers, memory);
    else if (loop)
      pipelineGathers(loop, gathers, stages, memory);
    else
      stageInBlock(gathers, memory);
  }
};
} // namespace

static SmallVector<Group> formGroups(KernelOp kernel,
                                     const StagingOptions &options) {
  llvm::MapVector<Operation *, SmallVector<GatherOp>> loops;
  kernel.walk([&](GatherOp gather) {
    if (feedsProduct(gather))
      loops[findLoop(gather)].push_back(gather);
  });
  SmallVector<Group> groups;
  for (auto &[op, gathers] : loops) {
    int64_t stages = chooseStages(gathers, options);
    auto loop = cast_or_null<scf::ForOp>(op);
    if (loop && stages && canPipeline(loop, gathers)) {
      groups.push_back({loop, stages, gathers, {}});
      continue;
    }
    llvm::MapVector<Block *, SmallVector<GatherOp>> blocks;
    for (GatherOp gather : gathers)
      blocks[gather->getBlock()].push_back(gather);
    for (auto &[block, members] : blocks)
      groups.push_back({nullptr, std::min<int64_t>(stages, 1), members, {}});
  }
  return groups;
}

static void stageKernel(KernelOp kernel, const StagingOptions &options) {
  SmallVector<Group> groups = formGroups(kernel, options);
  SharedBuffers buffers(kernel);
  int64_t most = 0;
  for (Group &group : groups) {
    group.allocate(buffers);
    most = std::max(most, group.stages);
  }
  for (const Group &group : groups)
    group.replace();
  if (most)
    kernel->setAttr(kStagesAttrName,
                    Builder(kernel.getContext()).getI64IntegerAttr(most));
}

namespace {
struct StageThroughSharedPass
    : PassWrapper<StageThroughSharedPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(StageThroughSharedPass)

  StageThroughSharedPass() = default;
  StageThroughSharedPass(const StageThroughSharedPass &other)
      : PassWrapper(other) {}
  explicit StageThroughSharedPass(const StagingOptions &options) {
    stages = options.stages;
    ringBytes = options.ringBytes;
    sharedBytes = options.sharedBytes;
  }

  StringRef getArgument() const override { return "tile-stage-through-shared"; }
  StringRef getDescription() const override {
    return "Copy the right operands of products through rings of shared memory";
  }
  void runOnOperation() override {
    stageKernel(getOperation(), {stages, ringBytes, sharedBytes});
  }

  Option<int64_t> stages{*this, "stages",
                         llvm::cl::desc("Stages of each ring; 0 to choose"),
                         llvm::cl::init(StagingOptions().stages)};
  Option<int64_t> ringBytes{
      *this, "ring-bytes",
      llvm::cl::desc("Bytes up to which two stages are chosen"),
      llvm::cl::init(StagingOptions().ringBytes)};
  Option<int64_t> sharedBytes{
      *this, "shared-bytes",
      llvm::cl::desc("Shared memory that a program may use"),
      llvm::cl::init(StagingOptions().sharedBytes)};
};
} // namespace

std::unique_ptr<Pass>
tile::createStageThroughSharedPass(const StagingOptions &options) {
  return std::make_unique<StageThroughSharedPass>(options);
}

void tile::registerStageThroughSharedPass() {
  PassRegistration<StageThroughSharedPass>();
}
