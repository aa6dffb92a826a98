// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAToTilePass.cpp - Choosing a schedule and lowering with it -------===//

#include "ramify/Conversion/HSAToTile.h"

#include "OneLaunch.h"
#include "SumCopies.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ramify;

namespace ramify {
#define GEN_PASS_DEF_HSATOTILE
#include "lib/Conversion/HSAToTile/Passes.h.inc"
} // namespace ramify

/// Whether the program reduces streams and nothing else: one schedule does
/// that.
static bool isSelection(hsa::ProgramOp program) {
  bool hasStream = false, hasReduction = false;
  program.walk([&](Operation *op) {
    hasStream |= isa<hsa::StreamOp, hsa::ChunkInfoOp>(op) ||
                 llvm::any_of(op->getResultTypes(), [](Type type) {
                   return hasAxis(type, hsa::Axis::Slot) ||
                          hasAxis(type, hsa::Axis::Chunk);
                 });
    hasReduction |= isa<hsa::ReduceOp>(op);
  });
  return hasStream && !hasReduction;
}

/// Says on the plan of `program` what made it.
static void noteStep(hsa::ProgramOp program, StringRef schedule) {
  StringRef name = program.getSymName();
  auto plan = program->getParentOfType<ModuleOp>().lookupSymbol<tile::PlanOp>(
      (name + "_plan").str());
  std::string step = (name + "\t" + schedule).str();
  if (auto tiles = plan->getAttrOfType<StringAttr>(kTilesAttrName))
    step += ("\t" + tiles.getValue()).str();
  plan->setAttr(kStepsAttrName, StringAttr::get(program.getContext(), step));
}

/// Whether the program visits chunks that a parameter selects.
static bool visitsSelection(hsa::ProgramOp program) {
  return llvm::any_of(program.getBody().getOps<hsa::ReduceOp>(),
                      [](hsa::ReduceOp op) {
                        return op.getDomain().getDefiningOp<hsa::SelectedOp>();
                      });
}

/// Erases what a schedule has inserted before the program.
static void eraseInserted(hsa::ProgramOp program, Operation *before) {
  while (Operation *last = program->getPrevNode()) {
    if (last == before)
      return;
    last->erase();
  }
}

/// Lowers the program by the first of two schedules that does not refuse it,
/// and says which that is; null, with the errors of both, if there is none.
static const Schedule *lowerByEither(hsa::ProgramOp program,
                                     const Schedule *first,
                                     const Schedule *second,
                                     const TileLimits &limits) {
  Operation *before = program->getPrevNode();
  std::vector<std::pair<Location, std::string>> refusals;
  {
    ScopedDiagnosticHandler handler(
        program.getContext(), [&](Diagnostic &diagnostic) {
          refusals.emplace_back(diagnostic.getLocation(), diagnostic.str());
          return success();
        });
    if (succeeded(first->lower(program, limits)))
      return first;
  }
  eraseInserted(program, before);
  ScopedDiagnosticHandler handler(
      program.getContext(), [&](Diagnostic &diagnostic) {
        for (const auto &[place, why] : refusals)
          diagnostic.attachNote(place) << first->name << ": " << why;
        return failure(); // others report it
      });
  return succeeded(second->lower(program, limits)) ? second : nullptr;
}

namespace {
class HSAToTilePass : public ramify::impl::HSAToTileBase<HSAToTilePass> {
public:
  using HSAToTileBase::HSAToTileBase;

  void runOnOperation() override {
    const Schedule *chosen = find(schedule), *other = find(otherwise);
    if (!chosen)
      return refuse(schedule);
    if (!other && !otherwise.empty())
      return refuse(otherwise);
    TileLimits limits{rowsMultiple,     colsMultiple, maxRows,    maxKeyTile,
                      registers,        sharedBytes,  streamRows, /*blocks=*/0,
                      streamChunks,     chunkRows,    keysAtOnce, programsPerSM,
                      slices,           windowTokens, indexPicks, deterministic,
                      narrowSums,       inPlace,      keysPerRow, imported,
                      /*handedBytes=*/0};
    auto programs = llvm::to_vector(getOperation().getOps<hsa::ProgramOp>());
    bool areParts = llvm::any_of(programs, isComposed);
    SmallVector<LaunchedProgram> launched;
    for (hsa::ProgramOp program : programs)
      if (!isComposed(program))
        launched.push_back({program, getSchedule(program, chosen, areParts)});
    if (areParts) // their plans take what the whole one hands on, and no more
      limits.imported = "";
    std::string severalSince;
    bool isOne = areParts && oneLaunch;
    if (isOne) {
      severalSince = whyNotOneLaunch(launched, limits);
      isOne = severalSince.empty();
      if (isOne)
        limits = getLimitsOfOneLaunch(launched, limits);
    }
    if (areParts && !isOne)
      limits.handedBytes = handedBytes;
    for (auto [program, own] : launched) {
      if (own == chosen && other)
        own = lowerByEither(program, chosen, other, limits);
      else if (failed(own->lower(program, limits)))
        own = nullptr;
      if (!own)
        return signalPassFailure();
      noteStep(program, own->name);
    }
    for (hsa::ProgramOp program : programs)
      if (isComposed(program))
        compose(program, isOne, severalSince, limits);
    for (hsa::ProgramOp program : llvm::reverse(programs))
      program.erase();
    for (auto plan : getOperation().getOps<tile::PlanOp>()) {
      plan.walk([](Operation *op) { op->removeAttr(kOfAllQueriesAttrName); });
      if (deterministic)
        createSumCopies(plan, limits);
    }
  }

private:
  /// The schedule of a program, or of a part of one, where `chosen` is asked
  /// for.
  static const Schedule *getSchedule(hsa::ProgramOp program,
                                     const Schedule *chosen, bool isPart) {
    if (isSelection(program))
      return find("streamed");
    return isPart && !visitsSelection(program) ? find("query_major") : chosen;
  }

  /// The plan of a program that launches others.
  void compose(hsa::ProgramOp program, bool isOne, StringRef severalSince,
               const TileLimits &limits) {
    tile::PlanOp plan = composePlan(program, limits);
    if (isOne)
      makeOneLaunch(plan);
    if (oneLaunch)
      plan->setAttr(
          kLaunchesAttrName,
          StringAttr::get(&getContext(),
                          isOne ? "one" : "several\t" + severalSince));
  }

  /// There is no schedule of this name.
  void refuse(StringRef name) {
    emitError(getOperation().getLoc())
        << "there is no schedule \"" << name << "\"; there are "
        << llvm::join(llvm::map_range(schedules,
                                      [](const Schedule &candidate) {
                                        return candidate.name.str();
                                      }),
                      ", ");
    signalPassFailure();
  }

  static const Schedule *find(StringRef name) {
    const Schedule *found = llvm::find_if(
        schedules, [&](const Schedule &one) { return one.name == name; });
    return found == std::end(schedules) ? nullptr : found;
  }
};
} // namespace
