// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageTransposes.cpp - Transposes through shared memory -------------===//

#include "dialects/Tile/Transforms/StageTransposes.h"

#include "dialects/Tile/Transforms/HomeLayouts.h"
#include "dialects/Tile/Transforms/SharedBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace ramify::tile;

/// a transpose(b) is a b^T, and a transpose(b)^T is a b.
static void foldIntoRightOperands(TransposeOp op) {
  for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
    auto dot = dyn_cast<DotOp>(use.getOwner());
    if (!dot || &use != &dot.getRhsMutable())
      continue;
    dot.setTransposed(!dot.getTransposed());
    use.set(op.getInput());
  }
}

/// Gives each use a read of its own, so that products read piece by piece.
static void replaceByLoads(TransposeOp op, Value buffer, Value stage) {
  for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
    OpBuilder builder(use.getOwner());
    use.set(builder.create<LoadSharedOp>(op.getLoc(), op.getType(), buffer,
                                         stage, /*transposed=*/true));
  }
  op.erase();
}

static void stage(TransposeOp op, int64_t warps, SharedBuffers &buffers) {
  foldIntoRightOperands(op);
  if (op->use_empty())
    return op.erase();
  if (auto load = op.getInput().getDefiningOp<LoadSharedOp>())
    return replaceByLoads(op, load.getSource(), load.getStage());
  RankedTensorType tile = op.getInput().getType();
  if (warps == 1 && tile.getElementTypeBitWidth() == 16)
    return;
  OpBuilder builder(op);
  Value buffer = buffers.getForTranspose(tile, op->getParentOp());
  Value zero = builder.create<arith::ConstantIndexOp>(op.getLoc(), 0);
  builder.create<StoreSharedOp>(op.getLoc(), op.getInput(), buffer, zero);
  replaceByLoads(op, buffer, zero);
}

/// Moves products of transposes behind the last transpose of their block where
/// nothing needs them earlier. Tiles are then written together, for one
/// barrier, and what they are made of is not kept beside the products. Products
/// of f32 have partial sums and split factors of their own, and stay where they
/// are.
static void delayProducts(ArrayRef<TransposeOp> transposes) {
  llvm::MapVector<Block *, TransposeOp> lasts;
  for (TransposeOp op : transposes)
    lasts[op->getBlock()] = op;
  for (auto [block, last] : lasts) {
    SmallVector<DotOp> early;
    for (auto dot : block->getOps<DotOp>()) {
      auto waits = [last = last](Operation *user) {
        return user->getBlock() == last->getBlock() &&
               last->isBeforeInBlock(user);
      };
      RankedTensorType lhs = dot.getLhs().getType();
      if (lhs.getElementTypeBitWidth() == 16 &&
          dot.getLhs().getDefiningOp<TransposeOp>() &&
          dot->isBeforeInBlock(last) && llvm::all_of(dot->getUsers(), waits))
        early.push_back(dot);
    }
    for (DotOp dot : llvm::reverse(early))
      dot->moveAfter(last);
  }
}

static LogicalResult stageKernel(KernelOp kernel) {
  SmallVector<TransposeOp> transposes;
  kernel.walk([&](TransposeOp op) { transposes.push_back(op); });
  if (transposes.empty())
    return success();
  FailureOr<int64_t> warps = chooseWarps(kernel);
  if (failed(warps))
    return failure();
  if (*warps > 1)
    delayProducts(transposes);
  SharedBuffers buffers(kernel);
  for (TransposeOp op : transposes)
    stage(op, *warps, buffers);
  return success();
}

namespace {
struct StageTransposesPass
    : PassWrapper<StageTransposesPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(StageTransposesPass)

  StringRef getArgument() const final { return "tile-stage-transposes"; }
  StringRef getDescription() const final {
    return "Move transposes between warps through shared memory";
  }
  void runOnOperation() final {
    if (failed(stageKernel(getOperation())))
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> ramify::tile::createStageTransposesPass() {
  return std::make_unique<StageTransposesPass>();
}

void ramify::tile::registerStageTransposesPass() {
  registerPass([] { return createStageTransposesPass(); });
}
