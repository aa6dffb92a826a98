// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileToGPU.cpp - From placed tiles to one thread's program ----------===//

#include "ramify/Conversion/TileToGPU.h"

#include "Expander.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace ramify;

/// The dynamic shared memory: its size is an argument of the launch.
static void declareShared(ModuleOp module) {
  if (module.lookupSymbol(kSharedSymbol))
    return;
  OpBuilder builder(module.getBodyRegion());
  Type bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  builder.create<LLVM::GlobalOp>(module.getLoc(), bytes, /*isConstant=*/false,
                                 LLVM::Linkage::External, kSharedSymbol,
                                 Attribute(), /*alignment=*/1024,
                                 /*addrSpace=*/3);
}

/// Moves arithmetic on what a product has made up to where it is made: a scaled
/// sum `acc + w (a b)` then needs its accumulators twice for one block of
/// columns only, not for all.
static void followProducts(LLVM::LLVMFuncOp function) {
  function.walk([](Block *block) {
    llvm::DenseSet<Operation *> made;
    for (Operation &op : llvm::make_early_inc_range(*block)) {
      if (isa<LLVM::CallIntrinsicOp>(op)) {
        auto name = cast<LLVM::CallIntrinsicOp>(op).getIntrin();
        if (name.starts_with("llvm.nvvm.mma."))
          made.insert(&op);
        continue;
      }
      bool follows =
          isa<LLVM::ExtractValueOp, arith::MulFOp, arith::AddFOp>(op);
      Operation *last = nullptr;
      for (Value operand : op.getOperands()) {
        Operation *def = operand.getDefiningOp();
        if (!def || def->getBlock() != block)
          continue;
        if (!last || last->isBeforeInBlock(def))
          last = def;
      }
      if (!follows || !last || !made.contains(last))
        continue;
      made.insert(&op);
      if (!isa<LLVM::ExtractValueOp>(op))
        op.moveAfter(last);
    }
  });
}

/// arith, scf and cf, all on scalars.
static LogicalResult lowerScalars(LLVM::LLVMFuncOp function) {
  MLIRContext *context = function.getContext();
  {
    RewritePatternSet patterns(context);
    populateSCFToControlFlowConversionPatterns(patterns);
    ConversionTarget target(*context);
    target.addIllegalDialect<scf::SCFDialect>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(function, target, std::move(patterns))))
      return failure();
  }
  LLVMTypeConverter converter(context);
  RewritePatternSet patterns(context);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  LLVMConversionTarget target(*context);
  return applyPartialConversion(function, target, std::move(patterns));
}

namespace {
struct TileToGPUPass : PassWrapper<TileToGPUPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToGPUPass)

  TileToGPUPass() = default;
  TileToGPUPass(const TileToGPUPass &other) : PassWrapper(other) {}
  explicit TileToGPUPass(const GPUTarget &known) {
    target = std::string(known.name);
  }

  StringRef getArgument() const final { return "convert-tile-to-gpu"; }
  StringRef getDescription() const final {
    return "lower placed tiles to the program of one GPU thread";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, cf::ControlFlowDialect,
                    LLVM::LLVMDialect, NVVM::NVVMDialect, scf::SCFDialect>();
  }
  void runOnOperation() final {
    ModuleOp module = getOperation();
    const GPUTarget *known = findTarget(target);
    if (!known) {
      module.emitError("expected the name of a GPU, found ") << target;
      return signalPassFailure();
    }
    for (auto kernel :
         llvm::make_early_inc_range(module.getOps<tile::KernelOp>())) {
      OpBuilder builder(kernel);
      LLVM::LLVMFuncOp function =
          createKernelFunction(builder, kernel, KernelABI::forGPU());
      Expander expander(kernel, function, *known);
      if (failed(expander.run()))
        return signalPassFailure();
      if (int64_t bytes = expander.getSharedBytes()) {
        function->setAttr(kSharedBytesAttrName,
                          builder.getI32IntegerAttr(bytes));
        declareShared(module);
      }
      kernel.erase();
      followProducts(function);
      if (failed(lowerScalars(function)))
        return signalPassFailure();
    }
  }

  Option<std::string> target{
      *this, "target", llvm::cl::desc("The GPU that the code is for"),
      llvm::cl::init(std::string(knownTargets()[0].name))};
};
} // namespace

std::unique_ptr<Pass> ramify::createTileToGPUPass(const GPUTarget &target) {
  return std::make_unique<TileToGPUPass>(target);
}

void ramify::registerTileToGPUPass() { PassRegistration<TileToGPUPass>(); }
