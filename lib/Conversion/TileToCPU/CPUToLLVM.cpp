// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPUToLLVM.cpp - Loops and vectors to the LLVM dialect --------------===//
//
// The last step before LLVM IR: scf, arith, math and vector, all at once.
//
//   %r = vector.fma %a, %b, %c : vector<16xf32>
// becomes
//   %r = llvm.intr.fmuladd(%a, %b, %c) : (vector<16xf32>, ...)
//
//===----------------------------------------------------------------------===//

#include "ramify/Conversion/TileToCPU.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace ramify;

namespace {
struct CPUToLLVMPass : PassWrapper<CPUToLLVMPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CPUToLLVMPass)

  StringRef getArgument() const final { return "cpu-to-llvm"; }
  StringRef getDescription() const final {
    return "loops and vectors to the LLVM dialect";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<cf::ControlFlowDialect, LLVM::LLVMDialect>();
  }
  void runOnOperation() final {
    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    populateSCFToControlFlowConversionPatterns(patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    vector::populateVectorBroadcastLoweringPatterns(patterns);
    vector::populateVectorInsertExtractStridedSliceTransforms(patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns,
                                           /*reassociateFPReductions=*/false);

    LLVMConversionTarget target(getContext());
    target.addLegalOp<ModuleOp>();
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> ramify::createCPUToLLVMPass() {
  return std::make_unique<CPUToLLVMPass>();
}

void ramify::buildTileToCPUPipeline(OpPassManager &passes,
                                    CPUVectorShape shape) {
  passes.addPass(createTileToCPUPass(shape));
  passes.addPass(createExpandCPUMathPass());
  passes.addPass(createCPUToLLVMPass());
}

namespace {
struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  Option<int64_t> lanes{*this, "lanes", llvm::cl::init(16),
                        llvm::cl::desc("f32 in a vector register")};
  Option<int64_t> registers{*this, "registers", llvm::cl::init(32),
                            llvm::cl::desc("vector registers")};
};
} // namespace

void ramify::registerTileToCPUPasses() {
  registerPass([] { return createTileToCPUPass(); });
  registerPass([] { return createExpandCPUMathPass(); });
  registerPass([] { return createCPUToLLVMPass(); });
  PassPipelineRegistration<PipelineOptions>(
      "tile-to-cpu-pipeline", "portable tile to the LLVM dialect for the CPU",
      [](OpPassManager &passes, const PipelineOptions &options) {
        buildTileToCPUPipeline(passes, {options.lanes, options.registers});
      });
}
