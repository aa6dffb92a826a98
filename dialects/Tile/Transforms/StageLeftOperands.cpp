// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageLeftOperands.cpp - Queries in shared memory -------------------===//

#include "dialects/Tile/Transforms/StageLeftOperands.h"

#include "dialects/Tile/IR/Layout.h"
#include "dialects/Tile/Transforms/SharedBuffers.h"
#include "dialects/Tile/Transforms/StageThroughShared.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ramify::tile;

/// Registers of a thread from which on an operand is left in shared memory.
static constexpr int64_t kManyRegisters16 = 48;
static constexpr int64_t kManyRegisters32 = 32;

bool ramify::tile::takesManyRegisters(RankedTensorType type) {
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  int64_t registers = 16 * type.getDimSize(1) * bytes / (32 * 4);
  return registers >= (bytes == 4 ? kManyRegisters32 : kManyRegisters16);
}

/// Whether all groups are waited for behind `copy`, where it stands.
static bool isWaitedForAtOnce(CopyAsyncOp copy) {
  for (Operation *op = copy->getNextNode(); op; op = op->getNextNode())
    if (auto wait = dyn_cast<WaitGroupOp>(op))
      return wait.getPending() == 0;
  return false;
}

/// True if a copy in the place of `gather` is committed before all that are
/// waited for behind it: none of those before it is under way still.
static bool isFirstUnderWay(GatherOp gather) {
  WalkResult result =
      gather->getParentOfType<KernelOp>().walk([&](CopyAsyncOp copy) {
        Operation *other = gather->getBlock()->findAncestorOpInBlock(*copy);
        bool isBehind = other && gather->isBeforeInBlock(other);
        return WalkResult(success(isBehind || isWaitedForAtOnce(copy)));
      });
  return !result.wasInterrupted();
}

static bool isWorthStaging(GatherOp gather) {
  if (!takesManyRegisters(cast<RankedTensorType>(gather.getType())) ||
      !isa<KernelOp>(gather->getParentOp()) || !isFirstUnderWay(gather))
    return false;
  return llvm::all_of(gather->getUses(), [&](OpOperand &use) {
    auto dot = dyn_cast<DotOp>(use.getOwner());
    return dot && dot->getBlock() != gather->getBlock() &&
           use.getOperandNumber() == dot.getLhsMutable().getOperandNumber() &&
           dot.getRhs().getDefiningOp<LoadSharedOp>();
  });
}

static Value allocate(OpBuilder &builder, KernelOp kernel, Location loc,
                      RankedTensorType type) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&kernel.getBody().front());
  auto buffer = MemRefType::get(
      {1, type.getDimSize(0), type.getDimSize(1)}, type.getElementType(),
      MemRefLayoutAttrInterface(), chooseShared(type));
  return builder.create<AllocSharedOp>(loc, buffer);
}

static void stage(GatherOp gather) {
  OpBuilder builder(gather);
  Location loc = gather.getLoc();
  auto type = cast<RankedTensorType>(gather.getType());
  Value buffer =
      allocate(builder, gather->getParentOfType<KernelOp>(), loc, type);
  Value zero = builder.create<arith::ConstantIndexOp>(loc, 0);
  builder.create<CopyAsyncOp>(loc, gather.getSource(), gather.getIndices(),
                              gather.getMask(), buffer, zero, LayoutAttr());
  builder.create<CommitGroupOp>(loc);
  for (OpOperand &use : llvm::make_early_inc_range(gather->getUses())) {
    builder.setInsertionPoint(use.getOwner());
    use.set(builder.create<LoadSharedOp>(loc, type, buffer, zero));
  }
  gather.erase();
}

namespace {
struct StageLeftOperandsPass
    : PassWrapper<StageLeftOperandsPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(StageLeftOperandsPass)

  StageLeftOperandsPass() = default;
  StageLeftOperandsPass(const StageLeftOperandsPass &other)
      : PassWrapper(other) {}
  explicit StageLeftOperandsPass(int64_t bytes) { sharedBytes = bytes; }

  StringRef getArgument() const final { return "tile-stage-left-operands"; }
  StringRef getDescription() const final {
    return "Leave large left operands of products in shared memory";
  }
  void runOnOperation() final {
    SmallVector<GatherOp> gathers;
    getOperation().walk([&](GatherOp gather) {
      if (isWorthStaging(gather))
        gathers.push_back(gather);
    });
    for (GatherOp gather : gathers)
      if (SharedBuffers::hasRoom(getOperation(),
                                 cast<RankedTensorType>(gather.getType()),
                                 sharedBytes))
        stage(gather);
  }

  Option<int64_t> sharedBytes{
      *this, "shared-bytes",
      llvm::cl::desc("Shared memory that a program may use"),
      llvm::cl::init(StagingOptions().sharedBytes)};
};
} // namespace

std::unique_ptr<Pass>
ramify::tile::createStageLeftOperandsPass(int64_t sharedBytes) {
  return std::make_unique<StageLeftOperandsPass>(sharedBytes);
}

void ramify::tile::registerStageLeftOperandsPass() {
  PassRegistration<StageLeftOperandsPass>();
}
