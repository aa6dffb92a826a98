// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageComputedOperands.cpp - What warps compute for all -------------===//

#include "dialects/Tile/Transforms/StageComputedOperands.h"

#include "dialects/Tile/Transforms/SharedBuffers.h"
#include "dialects/Tile/Transforms/StageLeftOperands.h"
#include "dialects/Tile/Transforms/StageThroughShared.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace ramify::tile;

/// The rows of a warp.
static constexpr int64_t kRowsPerWarp = 16;

/// The rows of the product that has most.
static int64_t countRows(KernelOp kernel) {
  int64_t rows = 0;
  kernel.walk([&](DotOp dot) {
    rows = std::max(rows, cast<RankedTensorType>(dot.getType()).getDimSize(0));
  });
  return rows;
}

/// Constants are the same everywhere; transposes are folded into the product.
static bool isComputed(Value operand) {
  Operation *op = operand.getDefiningOp();
  return op && !isa<GatherOp, LoadSharedOp, TransposeOp>(op) &&
         !op->hasTrait<OpTrait::ConstantLike>();
}

/// A left operand that a loop would keep in registers.
static bool isKept(DotOp dot) {
  Value operand = dot.getLhs();
  return isComputed(operand) && operand.getParentBlock() != dot->getBlock() &&
         takesManyRegisters(cast<RankedTensorType>(operand.getType()));
}

static void stage(Value value, ArrayRef<OpOperand *> uses,
                  SharedBuffers &buffers) {
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Location loc = value.getLoc();
  auto type = cast<RankedTensorType>(value.getType());
  Value buffer =
      buffers.get(type, /*stages=*/1, value.getDefiningOp()->getParentOp());
  Value zero = builder.create<arith::ConstantIndexOp>(loc, 0);
  builder.create<StoreSharedOp>(loc, value, buffer, zero);
  for (OpOperand *use : uses) {
    builder.setInsertionPoint(use->getOwner());
    use->set(builder.create<LoadSharedOp>(loc, type, buffer, zero));
  }
}

static void stageKernel(KernelOp kernel, int64_t sharedBytes) {
  if (countRows(kernel) <= kRowsPerWarp)
    return;
  llvm::MapVector<Value, SmallVector<OpOperand *>> operands;
  kernel.walk([&](DotOp dot) {
    if (isComputed(dot.getRhs()))
      operands[dot.getRhs()].push_back(&dot.getRhsMutable());
  });
  kernel.walk([&](DotOp dot) {
    if (isKept(dot))
      operands[dot.getLhs()].push_back(&dot.getLhsMutable());
  });
  SharedBuffers buffers(kernel);
  for (auto &[value, uses] : operands)
    if (SharedBuffers::hasRoom(kernel, cast<RankedTensorType>(value.getType()),
                               sharedBytes))
      stage(value, uses, buffers);
}

namespace {
struct StageComputedOperandsPass
    : PassWrapper<StageComputedOperandsPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(StageComputedOperandsPass)

  StageComputedOperandsPass() = default;
  StageComputedOperandsPass(const StageComputedOperandsPass &other)
      : PassWrapper(other) {}
  explicit StageComputedOperandsPass(int64_t bytes) { sharedBytes = bytes; }

  StringRef getArgument() const final { return "tile-stage-computed-operands"; }
  StringRef getDescription() const final {
    return "Compute operands of products once for all warps";
  }
  void runOnOperation() final { stageKernel(getOperation(), sharedBytes); }

  Option<int64_t> sharedBytes{
      *this, "shared-bytes",
      llvm::cl::desc("Shared memory that a program may use"),
      llvm::cl::init(StagingOptions().sharedBytes)};
};
} // namespace

std::unique_ptr<Pass>
ramify::tile::createStageComputedOperandsPass(int64_t sharedBytes) {
  return std::make_unique<StageComputedOperandsPass>(sharedBytes);
}

void ramify::tile::registerStageComputedOperandsPass() {
  PassRegistration<StageComputedOperandsPass>();
}
