// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VerifyStage.cpp - What each stage may hold -------------------------===//

#include "dialects/Tile/Transforms/VerifyStage.h"

#include "dialects/Tile/IR/Tile.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/VerifyLayouts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// The sets of operations
//===----------------------------------------------------------------------===//

static bool isArithmetic(Operation *op) {
  return isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
      op->getDialect());
}

static bool isPortable(Operation *op) {
  return isArithmetic(op) ||
         isa<scf::ForOp, scf::IfOp, scf::YieldOp, memref::DimOp,
             memref::ExpandShapeOp, memref::LoadOp, memref::StoreOp,
             tensor::SplatOp, tensor::ExtractOp, ProgramIdOp, IotaOp,
             BroadcastOp, ReduceOp, DotOp, GatherOp, LookupOp, ScatterOp,
             TransposeOp, ScanOp, RankOp, TallyOp, SortOp, TopKOp, ReduceIntoOp,
             FetchAddOp, ScratchOp, BarrierOp, DrainOp, SignalOp, AwaitOp,
             EndOp>(op);
}

static bool isPlaced(Operation *op) {
  return isPortable(op) || isa_and_nonnull<TileDialect>(op->getDialect());
}

static bool isOfPlan(Operation *op) {
  return isa_and_nonnull<arith::ArithDialect>(op->getDialect()) ||
         isa<memref::DimOp, ResultOp, WorkspaceOp, ViewOp, MemsetOp, PlanForOp,
             PlanDoOp, SmsOp, LaunchOp, EndOp>(op);
}

//===----------------------------------------------------------------------===//
// Checks of one operation
//===----------------------------------------------------------------------===//

static LogicalResult verifyPlan(PlanOp plan) {
  WalkResult result = plan.getBody().walk([](Operation *op) -> WalkResult {
    if (!isOfPlan(op))
      return op->emitOpError("is no operation of a plan");
    for (Type type : op->getResultTypes())
      if (isa<TensorType>(type))
        return op->emitOpError("makes a tile in a plan: ") << type;
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

static LogicalResult verifyConstant(Operation *op) {
  auto constant = dyn_cast<arith::ConstantOp>(op);
  if (!constant || !isa<TensorType>(constant.getType()) ||
      isa<SplatElementsAttr>(constant.getValue()))
    return success();
  return op->emitOpError("expected a tile that is the same everywhere, found ")
         << constant.getValue();
}

static LogicalResult verifyPortable(Operation *op) {
  if (!isPortable(op))
    return op->emitOpError("is no operation of the portable stage");
  for (Type type : getMadeTypes(op))
    if (auto tile = dyn_cast<RankedTensorType>(type))
      if (tile.getEncoding())
        return op->emitOpError("expected a tile without an encoding, found ")
               << tile;
  return success();
}

static LogicalResult verifyPlaced(Operation *op, LayoutVerifier &layouts) {
  if (!isPlaced(op))
    return op->emitOpError("is no operation of the placed stage");
  if (isa<AllocSharedOp>(op) && !isa<KernelOp>(op->getParentOp()))
    return op->emitOpError("expected to stand at the top of its kernel");
  return layouts.verify(op);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static LogicalResult verifyKernel(KernelOp kernel, Stage stage) {
  for (auto [index, type] : llvm::enumerate(kernel.getArgumentTypes()))
    if (isa<TensorType>(type))
      return kernel.emitOpError("expected argument ")
             << index << " to be an array or a scalar, found " << type;
  auto attr = kernel->getAttrOfType<IntegerAttr>(kWarpsAttrName);
  int64_t warps = attr ? attr.getInt() : 0;
  if (stage == Stage::Placed && warps <= 0)
    return kernel.emitOpError("expected an attribute ")
           << kWarpsAttrName << " with the number of its warps";
  LayoutVerifier layouts(warps);
  WalkResult result = kernel.getBody().walk([&](Operation *op) -> WalkResult {
    if (failed(verifyConstant(op)))
      return failure();
    return stage == Stage::Portable ? verifyPortable(op)
                                    : verifyPlaced(op, layouts);
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct VerifyStagePass : PassWrapper<VerifyStagePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(VerifyStagePass)

  VerifyStagePass() = default;
  VerifyStagePass(const VerifyStagePass &other) : PassWrapper(other) {}
  explicit VerifyStagePass(Stage stage) { this->stage = stage; }

  StringRef getArgument() const override { return "tile-verify-stage"; }
  StringRef getDescription() const override {
    return "Check that kernels and plans hold what their stage may hold";
  }

  LogicalResult verify(Operation *op) {
    if (auto kernel = dyn_cast<KernelOp>(op))
      return verifyKernel(kernel, stage);
    if (auto plan = dyn_cast<PlanOp>(op))
      return verifyPlan(plan);
    return op->emitOpError("expected tile.kernel and tile.plan only");
  }

  void runOnOperation() override {
    for (Operation &op : *getOperation().getBody())
      if (failed(verify(&op)))
        return signalPassFailure();
    markAllAnalysesPreserved();
  }

  Option<Stage> stage{
      *this, "stage", llvm::cl::desc("The stage that the module is in"),
      llvm::cl::init(Stage::Portable),
      llvm::cl::values(
          clEnumValN(Stage::Portable, "portable",
                     "what every target starts from"),
          clEnumValN(Stage::Placed, "placed", "each tile has a layout"))};
};
} // namespace

std::unique_ptr<Pass> ramify::tile::createVerifyStagePass(Stage stage) {
  return std::make_unique<VerifyStagePass>(stage);
}

void ramify::tile::registerVerifyStagePass() {
  PassRegistration<VerifyStagePass>();
}
