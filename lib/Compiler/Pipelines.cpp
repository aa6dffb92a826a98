// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Pipelines.cpp - The compiler's table of contents -------------------===//

#include "ramify/Compiler/Pipelines.h"

#include "dialects/HSA/IR/HSA.h"
#include "dialects/HSA/Transforms/Differentiate.h"
#include "dialects/Tile/IR/Tile.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/InsertBarriers.h"
#include "dialects/Tile/Transforms/KeepLists.h"
#include "dialects/Tile/Transforms/StageComputedOperands.h"
#include "dialects/Tile/Transforms/StageLeftOperands.h"
#include "dialects/Tile/Transforms/StageThroughShared.h"
#include "dialects/Tile/Transforms/StageTransposes.h"
#include "dialects/Tile/Transforms/UseWgmma.h"
#include "dialects/Tile/Transforms/VerifyStage.h"
#include "ramify/Conversion/ChooseResidency.h"
#include "ramify/Conversion/HSAToTile.h"
#include "ramify/Conversion/TileToCPU.h"
#include "ramify/Conversion/TileToGPU.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace ramify;

//===----------------------------------------------------------------------===//
// hsa
//===----------------------------------------------------------------------===//

void ramify::buildDerivativePipeline(OpPassManager &passes, StringRef mode,
                                     StringRef wrt) {
  // First of all: hsa.detach is still there, and what gradients repeat is
  // simplified with the rest.
  hsa::DifferentiateOptions options;
  options.mode = mode.str();
  options.wrt = wrt.str();
  passes.addPass(hsa::createDifferentiate(options));
}

void ramify::buildHSAPipeline(OpPassManager &passes) {
  // The front end writes one operation for each of the user's, with constants
  // and broadcasts in between: fold them, drop accumulators that nobody reads.
  passes.addPass(createCanonicalizerPass());
  // The same chunk read twice, or one constant in many places, becomes one.
  passes.addPass(createCSEPass());
  // What does not depend on the chunk is computed once, before the reduction.
  passes.addPass(createLoopInvariantCodeMotionPass());
}

//===----------------------------------------------------------------------===//
// hsa to portable tile
//===----------------------------------------------------------------------===//

/// `options` are the target's; what `choices` say counts more.
static void buildSchedulePipeline(OpPassManager &passes,
                                  HSASplitLaunchesOptions splitting,
                                  HSAToTileOptions options,
                                  const CompileOptions &choices) {
  options.schedule = choices.schedule;
  options.otherwise = choices.otherwise;
  options.deterministic = choices.deterministic;
  options.inPlace = choices.inPlace;
  options.keysPerRow = choices.keysPerRow;
  options.imported = choices.imported;
  options.oneLaunch = choices.oneLaunch;
  if (choices.windowTokens)
    options.windowTokens = choices.windowTokens;
  if (choices.handedBytes)
    options.handedBytes = choices.handedBytes;
  if (choices.keyTile)
    options.maxKeyTile = options.keysAtOnce = choices.keyTile;
  if (choices.registers)
    options.registers = choices.registers;
  options.slices = choices.slices;
  // Selecting and attending have schedules of their own: programs that hand
  // their results on in memory. What is handed on is loaded only where it is
  // read.
  passes.addPass(createHSASplitLaunches(splitting));
  passes.addPass(createCanonicalizerPass());
  // Here it is decided which program of the grid computes what.
  passes.addPass(createHSAToTile(options));
  // Weights and 1 / l go to the smaller side of a product, and the product adds
  // to its accumulator itself. Before CSE, which would give scales more users.
  passes.addPass(createFoldRowScales());
  // What gradients multiply by weights, 1 / l and the scale, they multiply
  // once.
  passes.addPass(createMergeRowScales());
  // Schedules write index arithmetic plainly: fold it.
  passes.addPass(createCanonicalizerPass());
  // Masks and positions that several operations asked for become one.
  passes.addPass(createCSEPass());
  // Scales, row numbers and sizes leave the loops over chunks.
  passes.addPass(createLoopInvariantCodeMotionPass());
  // Every target starts here: what it cannot know is refused by name.
  passes.addPass(tile::createVerifyStagePass(tile::Stage::Portable));
}

void ramify::buildSchedulePipeline(OpPassManager &passes,
                                   const CompileOptions &choices,
                                   const CPUTarget &target) {
  HSAToTileOptions options;
  // Rows lie in the lanes of vectors or are looped over: none is padded. A
  // whole chunk is one tile, since tiles live in the first-level cache.
  options.rowsMultiple = 1;
  options.colsMultiple = 1;
  options.maxKeyTile = 256;
  // Two registers of rows: each landmark's element is used twice when loaded.
  options.streamRows = 2 * target.vectorShape().lanes;
  // Two or four vectors of rows against the keys of a chunk.
  options.chunkRows = 32;
  // All of a CPU counts as one SM: enough programs for the cores of most.
  options.programsPerSM = 16;
  // Rows are multiplied one by one: one product instead of one for each head.
  passes.addPass(hsa::createSumHeadsFirst());
  // Code for a head is written once, rather than once for each head.
  HSASplitLaunchesOptions splitting;
  splitting.headsApart = true;
  ::buildSchedulePipeline(passes, splitting, options, choices);
}

void ramify::buildSchedulePipeline(OpPassManager &passes,
                                   const CompileOptions &choices,
                                   const GPUTarget &target) {
  HSAToTileOptions options;
  // An mma has 16 rows and a depth of 16; the defaults are made for it.
  // What so many tokens of 16 heads and 64 dims of bf16 add to stays in an L2
  // cache of 50 MB or little of it does not; more tokens read a chunk's keys
  // for fewer visits each. Gradients read more for each token.
  bool isForward = choices.derivative != "backward";
  bool isIndex = choices.schedule == "inverse_index"; // of both
  options.windowTokens = isForward && !isIndex ? 32768 : 16384;
  // Eight of each thread: more take longer to compile than they save.
  options.indexPicks = 2048;
  // Half the traffic of sums in memory, where red can do it.
  options.narrowSums = choices.narrowSums && target.reduceBF16;
  // Scores of a long chunk are computed twice rather than spilled.
  options.registers = kRegistersPerThread;
  options.sharedBytes = target.sharedPerCTA;
  // Chunks are gathered only on request (CompileOptions::keyTile): for some
  // programs ptxas then picks so few registers that it spills a few bytes.
  // Walks have no registers for what each head has at each candidate.
  HSASplitLaunchesOptions splitting;
  splitting.headsApart = true;
  ::buildSchedulePipeline(passes, splitting, options, choices);
}

//===----------------------------------------------------------------------===//
// Portable tile to the CPU
//===----------------------------------------------------------------------===//

void ramify::buildCPUPipeline(OpPassManager &passes, const CPUTarget &target) {
  // Tiles to vectors in loops, math to polynomials, all of it to LLVM.
  buildTileToCPUPipeline(passes, target.vectorShape());
}

//===----------------------------------------------------------------------===//
// Portable tile to placed tile to the GPU
//===----------------------------------------------------------------------===//

void ramify::buildPlacementPipeline(OpPassManager &passes,
                                    const GPUTarget &target, int stages) {
  tile::StagingOptions staging;
  staging.stages = stages;
  staging.sharedBytes = target.sharedPerCTA;
  // Keys and values of the next chunk are under way while this one is computed.
  // Before layouts: the copies it makes want layouts of their own.
  passes.addNestedPass<tile::KernelOp>(
      tile::createStageThroughSharedPass(staging));
  // What is computed of keys and landmarks is computed once for all warps.
  passes.addNestedPass<tile::KernelOp>(
      tile::createStageComputedOperandsPass(target.sharedPerCTA));
  // What warps transpose between them goes there too; what is there already is
  // only read the other way.
  passes.addNestedPass<tile::KernelOp>(tile::createStageTransposesPass());
  // Large queries are read again from shared memory rather than kept.
  passes.addNestedPass<tile::KernelOp>(
      tile::createStageLeftOperandsPass(target.sharedPerCTA));
  // Rings bring conditions and indices that are often constant or the same.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  // Which thread holds which element of which tile.
  passes.addPass(tile::createAssignLayoutsPass());
  // Index vectors that were made once for each layout, but with one layout.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  // Lists of the best that threads have no registers for.
  passes.addNestedPass<tile::KernelOp>(
      tile::createKeepListsPass(target.sharedPerCTA));
  // Four warps multiply together what they have in shared memory.
  if (target.wgmma)
    passes.addNestedPass<tile::KernelOp>(tile::createUseWgmmaPass());
  // Threads wait before they read what others write.
  passes.addNestedPass<tile::KernelOp>(tile::createInsertBarriersPass());
  // From here on every tile has a layout, or the pass that forgot it is named.
  passes.addPass(tile::createVerifyStagePass(tile::Stage::Placed));
}

void ramify::buildGPUPipeline(OpPassManager &passes, const GPUTarget &target) {
  // How many programs an SM should hold at once, so that ptxas neither spills
  // for more nor takes the registers of others. Needs layouts and buffers.
  passes.addNestedPass<tile::KernelOp>(createChooseResidencyPass(target));
  // One thread's program: registers, shuffles, mma, cp.async, in LLVM.
  passes.addPass(createTileToGPUPass(target));
}
