// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads IR of any level, runs the passes named on the command line and prints
// the result: the tool for lit tests and for trying a pass by hand.

#include "dialects/HSA/IR/HSA.h"
#include "dialects/HSA/Transforms/Passes.h"
#include "dialects/Tile/IR/Tile.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/InsertBarriers.h"
#include "dialects/Tile/Transforms/KeepLists.h"
#include "dialects/Tile/Transforms/StageComputedOperands.h"
#include "dialects/Tile/Transforms/StageLeftOperands.h"
#include "dialects/Tile/Transforms/StageThroughShared.h"
#include "dialects/Tile/Transforms/StageTransposes.h"
#include "dialects/Tile/Transforms/UseWgmma.h"
#include "dialects/Tile/Transforms/VerifyBankConflicts.h"
#include "dialects/Tile/Transforms/VerifyStage.h"
#include "ramify/Conversion/ChooseResidency.h"
#include "ramify/Conversion/HSAToTile.h"
#include "ramify/Conversion/TileToCPU.h"
#include "ramify/Conversion/TileToGPU.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                  mlir::LLVM::LLVMDialect, mlir::NVVM::NVVMDialect,
                  mlir::math::MathDialect, mlir::memref::MemRefDialect,
                  mlir::scf::SCFDialect, mlir::tensor::TensorDialect,
                  mlir::vector::VectorDialect, ramify::hsa::HSADialect,
                  ramify::tile::TileDialect>();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  ramify::registerTileToCPUPasses();
  mlir::registerLoopInvariantCodeMotionPass();
  ramify::hsa::registerDifferentiatePass();
  ramify::hsa::registerSumHeadsFirstPass();
  ramify::registerFoldRowScalesPass();
  ramify::registerMergeRowScalesPass();
  ramify::registerHSASplitLaunchesPass();
  ramify::registerHSAToTilePass();
  ramify::tile::registerStageThroughSharedPass();
  ramify::tile::registerStageComputedOperandsPass();
  ramify::tile::registerStageTransposesPass();
  ramify::tile::registerStageLeftOperandsPass();
  ramify::tile::registerInsertBarriersPass();
  ramify::tile::registerKeepListsPass();
  ramify::tile::registerUseWgmmaPass();
  ramify::registerChooseResidencyPass();
  ramify::registerTileToGPUPass();
  ramify::tile::registerAssignLayoutsPass();
  ramify::tile::registerVerifyBankConflictsPass();
  ramify::tile::registerVerifyStagePass();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Ramify optimizer driver\n", registry));
}
