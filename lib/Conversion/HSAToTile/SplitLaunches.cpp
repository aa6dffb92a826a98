// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SplitLaunches.cpp - Selecting and attending become programs --------===//
//
// A schedule walks over streams, or it visits chunks. A function that does both
// is cut into programs that run one after the other, each over all query
// blocks:
//
//   hsa.program @f(%r, %lm, %q, %k) {
//     %s = ...
//     %slots = hsa.topk %s k 8
//     %w = ...
//     %d = hsa.selected %slots
//     %o = hsa.reduce in %d ...
//     return %o
//   }
// becomes
//   hsa.program @f_0(%r, %lm) {
//     %slots = hsa.topk ...
//     return %w, %slots
//   }
//   hsa.program @f_1(%q, %k, %w, %slots) {
//     %o = hsa.reduce in hsa.selected %slots
//     return %o
//   }
//   hsa.program @f(%r, %lm, %q, %k) {
//     %w, %slots = hsa.launch @f_0(%r, %lm)
//     %o = hsa.launch @f_1(%q, %k, %w, %slots)
//   }
//
// On request, or for single query blocks, the programs become one kernel again
// (OneLaunch.h), each still by its own schedule.
//
// What the positions of a block share is computed once for each block: programs
// of that alone are ones in which each query is a block (BlockProgram.h).
//
// It runs last on hsa, so that differentiation sees one program, and each of
// the programs is scheduled on its own. Stages alternate: even ones hold what
// is made of streams and slots, odd ones the reductions over chunks. What is
// made of parameters only, and streams, are made again in each stage that wants
// them, and so is what even stages compute of numbers for each head and slot.
//
// Picks that the heads of a group make together are read by each of them. A
// walk would carry a value for each head along with each candidate; with
// `heads-apart` a stage of its own evaluates the streams at the picks again,
// for each head in a program of its own:
//
//     %i = hsa.topk (fold max %s over head)    one program for all heads
//     %t = hsa.take %s at %i                   a program for each head
//
//===----------------------------------------------------------------------===//

#include "ramify/Conversion/HSAToTile.h"

#include "BlockProgram.h"
#include "StageProgram.h"
#include "TileShape.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

namespace ramify {
#define GEN_PASS_DEF_HSASPLITLAUNCHES
#include "lib/Conversion/HSAToTile/Passes.h.inc"
} // namespace ramify

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

/// Whether the operation is made of streams or slots.
static bool isOfStreams(Operation *op) {
  auto hasStream = [](Type type) {
    return hasAxis(type, Axis::Chunk) || hasAxis(type, Axis::Slot);
  };
  return !isa<hsa::SelectedOp, hsa::ReduceOp>(op) &&
         (llvm::any_of(op->getOperandTypes(), hasStream) ||
          llvm::any_of(op->getResultTypes(), hasStream));
}

/// Whether the operation visits chunks, or adds to a softmax that such a visit
/// may go on with. Sums that nothing is added to are returned with
/// those of the visits.
static bool isReduction(Operation *op) {
  auto isState = [](Type type) { return isa<hsa::SoftmaxStateType>(type); };
  auto isReturned = [](Operation *user) { return isa<hsa::ReturnOp>(user); };
  return isa<hsa::ReduceOp>(op) ||
         (isa<hsa::ZerosOp>(op) && llvm::any_of(op->getUsers(), isReturned)) ||
         (op->getNumOperands() > 0 &&
          llvm::any_of(op->getResultTypes(), isState));
}

/// The picks of all heads at which the operation reads a stream of single
/// heads; null if it does no such thing.
static Value getPicksOfAllHeads(Operation *op) {
  auto take = dyn_cast<hsa::TakeOp>(op);
  bool isApart = take && !hasAxis(take.getSlots().getType(), Axis::Head) &&
                 getSize(take.getType(), Axis::Head) > 1;
  return isApart ? take.getSlots() : Value();
}

Stages::Stages(hsa::ProgramOp program, bool headsApart) {
  for (Operation &op : program.getBody().front()) {
    int stage = kFree;
    op.walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (!operand.getDefiningOp<hsa::ZerosOp>()) // any stage can begin
          stage = std::max(stage, of(operand));
    });
    // Streams, and constants over slots, are made again where they are wanted.
    bool isAgain = stage == kFree && isMadeAgain(&op);
    if (isOfStreams(&op) && !isAgain)
      stage = stage <= 0 ? 0 : stage + stage % 2;
    if (Value picks = headsApart ? getPicksOfAllHeads(&op) : Value();
        picks && of(picks) != kFree)
      stage = std::max(stage, of(picks) + 2);
    // Both kinds of stages add to sums: what is there when all is known, or, of
    // parameters only, what visits chunks.
    bool isFreeSum = isa<hsa::AddOp>(op) && stage == kFree;
    if (isReduction(&op) || isFreeSum)
      stage = stage <= 0 ? 1 : stage + 1 - stage % 2;
    for (Value result : op.getResults())
      stages[result] = stage;
    count = std::max(count, stage + 1);
  }
}

bool Stages::isMadeAgain(Operation *op) const {
  if (isa<hsa::TopKOp, hsa::TakeOp>(op))
    return false;
  // Whole rows of a selection are read where slots are computed with.
  if (isa<hsa::LoadOp>(op) && hasAxis(op->getResult(0).getType(), Axis::Slot))
    return false;
  if (llvm::any_of(op->getResultTypes(),
                   [](Type type) { return hasAxis(type, Axis::Chunk); }))
    return true;
  return llvm::none_of(op->getOperandTypes(),
                       [](Type type) { return hasAxis(type, Axis::Chunk); });
}

bool Stages::isOfNumbers(Operation *op) {
  auto isNumbers = [](Type type) {
    if (isa<hsa::WeightsType>(type))
      return true;
    if (auto array = dyn_cast<hsa::ArrayType>(type))
      return llvm::is_contained(array.getAxes(), Axis::Pos) &&
             !llvm::is_contained(array.getAxes(), Axis::Dim);
    return type.isF32() ||
           (hsa::isNamedTensor(type) &&
            llvm::none_of(ArrayRef{Axis::Chunk, Axis::Key, Axis::Dim},
                          [&](Axis axis) { return hasAxis(type, axis); }));
  };
  auto isFloat = [](Type type) { return getElementTypeOrSelf(type).isF32(); };
  return isMemoryEffectFree(op) && op->getNumRegions() == 0 &&
         llvm::all_of(op->getOperandTypes(), isNumbers) &&
         llvm::all_of(op->getResultTypes(), isNumbers) &&
         llvm::all_of(op->getResultTypes(), isFloat);
}

int Stages::of(Value value) const {
  auto found = stages.find(value);
  return found == stages.end() ? kFree : found->second;
}

//===----------------------------------------------------------------------===//
// The programs
//===----------------------------------------------------------------------===//

/// Values of `program` that are made in `stage`: those that later stages want,
/// and those that it returns.
static SmallVector<Value> findOutputs(hsa::ProgramOp program,
                                      const Stages &stages, int stage,
                                      ArrayRef<StageProgram> all) {
  llvm::SetVector<Value> outputs;
  for (const StageProgram &later : all)
    for (Value value : later.getCrossing())
      if (stages.of(value) == stage)
        outputs.insert(value);
  auto results = cast<hsa::ReturnOp>(program.getBody().front().getTerminator());
  for (Value value : results.getOperands())
    if (std::max(stages.of(value), 0) == stage)
      outputs.insert(value);
  return outputs.takeVector();
}

/// Replaces the body by launches of the stages' programs.
static void replaceBody(hsa::ProgramOp program, ArrayRef<StageProgram> stages) {
  Block &body = program.getBody().front();
  auto results = cast<hsa::ReturnOp>(body.getTerminator());
  OpBuilder b(results);
  IRMapping made;
  for (const StageProgram &stage : stages) {
    SmallVector<Value> inputs;
    for (Value input : stage.getInputs())
      inputs.push_back(made.lookupOrDefault(input));
    hsa::ProgramOp callee = stage.program;
    auto launch = b.create<hsa::LaunchOp>(
        program.getLoc(), callee.getResultTypes(),
        FlatSymbolRefAttr::get(callee.getSymNameAttr()), inputs);
    made.map(stage.outputs, launch.getResults());
  }
  for (OpOperand &operand : results->getOpOperands())
    operand.set(made.lookupOrDefault(operand.get()));
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (!isa<hsa::LaunchOp, hsa::ReturnOp>(op))
      op.erase();
}

/// Each query of a launched program may have become a block, and its results
/// have the axis pos then.
static void updateTypes(hsa::ProgramOp program, ArrayRef<StageProgram> stages) {
  for (auto [launch, stage] :
       llvm::zip_equal(program.getBody().getOps<hsa::LaunchOp>(), stages)) {
    hsa::ProgramOp callee = stage.program;
    if (makeBlocksQueries(callee))
      for (auto [result, type] :
           llvm::zip_equal(launch.getResults(), callee.getResultTypes()))
        result.setType(type);
  }
  Operation *results = program.getBody().front().getTerminator();
  program.setFunctionTypeAttr(TypeAttr::get(
      FunctionType::get(program.getContext(), program.getArgumentTypes(),
                        results->getOperandTypes())));
}

static LogicalResult split(hsa::ProgramOp program, bool headsApart) {
  Stages stages(program, headsApart);
  SmallVector<int> numbers;
  for (int number = 0; number < stages.count; ++number)
    if (stages.contains(number))
      numbers.push_back(number);
  if (numbers.size() < 2) {
    makeBlocksQueries(program);
    return success();
  }
  // From the last: what a stage wants from outside, earlier ones return.
  std::vector<StageProgram> programs;
  for (int number : llvm::reverse(numbers)) {
    SmallVector<Value> outputs = findOutputs(program, stages, number, programs);
    if (outputs.empty())
      continue;
    StageProgram stage(program, stages, number, outputs);
    if (failed(stage.build()))
      return failure();
    programs.push_back(std::move(stage));
  }
  std::reverse(programs.begin(), programs.end());
  for (auto [index, stage] : llvm::enumerate(programs)) {
    stage.program.setSymName((program.getSymName() + "_" + Twine(index)).str());
    stage.program->moveBefore(program);
  }
  replaceBody(program, programs);
  updateTypes(program, programs);
  return success();
}

namespace {
class HSASplitLaunchesPass
    : public ramify::impl::HSASplitLaunchesBase<HSASplitLaunchesPass> {
public:
  using HSASplitLaunchesBase::HSASplitLaunchesBase;

  void runOnOperation() override {
    for (auto program :
         llvm::make_early_inc_range(getOperation().getOps<hsa::ProgramOp>()))
      if (failed(split(program, headsApart)))
        return signalPassFailure();
  }
};
} // namespace
