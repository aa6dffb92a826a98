// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ComposePlans.cpp - One plan from those of several programs ---------===//
//
// A program of launches has no kernel of its own: its plan is made of the plans
// of the programs that it launches, one behind the other. What they return is a
// result of the whole, if the whole returns it, or else a workspace. All of
// them run for a window of queries before the next one (QueryWindows.h), and
// the workspaces of each end with it:
//
//     %o = tile.result
//     %sums = tile.workspace zero             sums over all queries
//     tile.plan_for windows {
//       %w = tile.workspace                   what f_0 returns
//       tile.plan_do { ... launch @f_0 ... }
//       tile.plan_do { ... launch @f_1 ... }  to a view of %o, adding to %sums
//     }
//     launch @f_1_round                       of %sums
//
//===----------------------------------------------------------------------===//

#include "QueryWindows.h"

#include "ramify/Conversion/HSAToTile.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

#include <numeric>

using namespace mlir;
using namespace ramify;

namespace {
/// One of the launched programs.
struct LaunchedPlan {
  hsa::LaunchOp launch;
  hsa::ProgramOp program;
  tile::PlanOp plan;
  IRMapping whole; ///< of all queries: from its values to those of the plan

  /// What the program returns as the array.
  Value getOutput(tile::ResultOp result) {
    auto results = plan.getBody().getOps<tile::ResultOp>();
    return launch.getResult(
        std::distance(results.begin(), llvm::find(results, result)));
  }
  Type getType(tile::ResultOp result) {
    Value output = getOutput(result);
    return program.getResultTypes()[cast<OpResult>(output).getResultNumber()];
  }
};

class PlanComposer {
public:
  PlanComposer(TileBuilder &b, hsa::ProgramOp program, const TileLimits &limits)
      : b(b), program(program), limits(limits), parameters(program),
        returned(cast<hsa::ReturnOp>(program.getBody().front().getTerminator())
                     .getOperands()) {}

  tile::PlanOp compose();

private:
  void collectPlans();
  void mapArguments(const LaunchedPlan &step, IRMapping &mapping,
                    function_ref<Value(Value)> getArray);
  Value getStart(const LaunchedPlan &step);
  bool isReturned(Value output) const {
    return llvm::is_contained(returned, output);
  }
  Value makeArray(LaunchedPlan &step, tile::ResultOp result,
                  IRMapping &mapping);
  void appendWhole(LaunchedPlan &step);
  void composeWindows();
  Value countHandedBytes(const PlanSizes &sizes);
  Value makeWhole(Value value, IRMapping &mapping);
  void makeArraysOfAll(LaunchedPlan &step);
  void appendWindow(LaunchedPlan &step);
  void appendBehind(LaunchedPlan &step);
  void orderResults();
  void moveToFront(Operation *op);

  TileBuilder &b;
  hsa::ProgramOp program;
  const TileLimits &limits;
  Parameters parameters;
  ValueRange returned;
  Block *body = nullptr;
  std::vector<LaunchedPlan> steps;
  std::optional<QueryWindows> windows;
  llvm::DenseMap<Value, Value> arrays; ///< of the program's values
  llvm::DenseMap<Value, Value> parts;  ///< what the window has of them
  llvm::SetVector<Operation *> moved;
};
} // namespace

//===----------------------------------------------------------------------===//
// The programs
//===----------------------------------------------------------------------===//

void PlanComposer::collectPlans() {
  auto module = program->getParentOfType<ModuleOp>();
  for (auto launch : program.getBody().getOps<hsa::LaunchOp>()) {
    StringRef name = launch.getCallee();
    LaunchedPlan step;
    step.launch = launch;
    for (auto callee : module.getOps<hsa::ProgramOp>())
      if (callee.getSymName() == name)
        step.program = callee;
    step.plan = module.lookupSymbol<tile::PlanOp>((name + "_plan").str());
    steps.push_back(std::move(step));
  }
}

/// What the language supplies itself stands behind the parameters.
Value PlanComposer::getStart(const LaunchedPlan &step) {
  Parameters own(step.program);
  assert((own.countsFromWindow() || parameters.getStart() >= 0) &&
         "what the whole program is told, each step is told");
  Value start = own.countsFromWindow()
                    ? Value()
                    : body->getArgument(parameters.getStart());
  if (!windows)
    return start ? start : b.i32(0);
  if (start)
    return b.add(start, b.toI32(windows->getFirst()));
  // Counted from the end, the place of the last query is known.
  return isa_and_nonnull<hsa::QStartType>(
             own.getPlaces() ? own.getPlaces().getType() : Type())
             ? b.toI32(windows->getFirst())
             : b.sub(b.i32(0), b.toI32(windows->getRest()));
}

void PlanComposer::mapArguments(const LaunchedPlan &step, IRMapping &mapping,
                                function_ref<Value(Value)> getArray) {
  hsa::LaunchOp launch = step.launch;
  tile::PlanOp plan = step.plan;
  for (auto [input, argument] :
       llvm::zip(launch.getInputs(), plan.getBody().getArguments()))
    if (Value array = getArray(input))
      mapping.map(argument, array);
}

/// The array for what a program returns.
Value PlanComposer::makeArray(LaunchedPlan &step, tile::ResultOp result,
                              IRMapping &mapping) {
  SmallVector<Value> shape;
  for (Value size : result.getShape())
    shape.push_back(mapping.lookup(size));
  if (isReturned(step.getOutput(result)))
    return b.create<tile::ResultOp>(result.getType(), shape);
  return b.create<tile::WorkspaceOp>(result.getType(), shape, /*zero=*/false);
}

//===----------------------------------------------------------------------===//
// All queries at once
//===----------------------------------------------------------------------===//

/// The steps of a program, for one launch of all.
void PlanComposer::appendWhole(LaunchedPlan &step) {
  IRMapping &mapping = step.whole;
  mapArguments(step, mapping, [&](Value input) { return arrays.at(input); });
  ValueRange arguments = step.plan.getBody().getArguments();
  if (arguments.size() > step.launch.getInputs().size())
    mapping.map(arguments.back(), getStart(step));
  for (Operation &op : step.plan.getBody().front().without_terminator()) {
    auto result = dyn_cast<tile::ResultOp>(op);
    if (!result) {
      b.clone(op, mapping);
      continue;
    }
    Value array = makeArray(step, result, mapping);
    arrays[step.getOutput(result)] = array;
    mapping.map(result.getResult(), array);
  }
}

//===----------------------------------------------------------------------===//
// Windows of queries
//===----------------------------------------------------------------------===//

/// Whether the heads that share keys share the row of a result, too.
static bool isOfGroups(Type type) {
  if (auto sums = dyn_cast<hsa::SumsType>(type))
    type = sums.getRole();
  if (auto weights = dyn_cast<hsa::WeightsType>(type))
    return weights.getHeads() != hsa::Heads::Query;
  return hasAxis(type, hsa::Axis::Slot) && !hasAxis(type, hsa::Axis::Head);
}

/// Bytes of the rows of all queries that programs hand on.
Value PlanComposer::countHandedBytes(const PlanSizes &sizes) {
  Value bytes = b.index(0);
  for (LaunchedPlan &step : steps)
    for (auto result : step.plan.getBody().getOps<tile::ResultOp>()) {
      Type type = step.getType(result);
      QueryRows rows = findQueryRows(step.program, type);
      if (isReturned(step.getOutput(result)) || rows.rows < 0)
        continue;
      auto memory = cast<MemRefType>(result.getType());
      int64_t columns = memory.getShape().back();
      int64_t ofRow = memory.getElementTypeBitWidth() / 8 *
                      (ShapedType::isDynamic(columns) ? 1 : columns);
      Value heads = sizes.queryHeads;
      if (isOfGroups(type))
        heads = b.div(heads, step.program.getGroup());
      Value count =
          b.create<arith::CeilDivUIOp>(sizes.queries, b.index(rows.positions));
      Value all = b.mul(b.mul(sizes.batch, count), heads);
      bytes = b.add(bytes, b.mul(all, b.index(ofRow)));
    }
  return bytes;
}

/// A number or array of all queries, with what it is made of.
Value PlanComposer::makeWhole(Value value, IRMapping &mapping) {
  if (Value made = mapping.lookupOrNull(value))
    return made;
  Operation *op = value.getDefiningOp();
  assert(op && "shapes of results and sums are those of parameters");
  for (Value operand : op->getOperands())
    makeWhole(operand, mapping);
  return b.clone(*op, mapping)
      ->getResult(cast<OpResult>(value).getResultNumber());
}

static bool isOfAllQueries(Operation *op) {
  return op->hasAttr(kOfAllQueriesAttrName);
}

static QueryRows getRowsOfAll(Operation *op) {
  auto sequences = op->getAttrOfType<IntegerAttr>(kOfAllQueriesAttrName);
  return {sequences.getInt(), -1, 1};
}

/// Results, and the sums of all windows, which begin with zeros.
void PlanComposer::makeArraysOfAll(LaunchedPlan &step) {
  b.setLoc(step.launch.getLoc());
  mapArguments(step, step.whole,
               [&](Value input) { return arrays.lookup(input); });
  for (Operation &op : step.plan.getBody().front().without_terminator()) {
    if (auto result = dyn_cast<tile::ResultOp>(op)) {
      Value output = step.getOutput(result);
      if (!isReturned(output) && !isOfAllQueries(result))
        continue;
      for (Value size : result.getShape())
        makeWhole(size, step.whole);
      arrays[output] = makeArray(step, result, step.whole);
      step.whole.map(result.getResult(), arrays[output]);
    } else if (isa<tile::WorkspaceOp>(op) && isOfAllQueries(&op)) {
      makeWhole(op.getResult(0), step.whole);
    } else if (auto memset = dyn_cast<tile::MemsetOp>(op)) {
      if (step.whole.contains(memset.getTarget()))
        b.clone(op, step.whole);
    }
  }
}

/// The steps of a program, for one window.
void PlanComposer::appendWindow(LaunchedPlan &step) {
  b.setLoc(step.launch.getLoc());
  IRMapping mapping;
  mapArguments(step, mapping, [&](Value input) {
    Value &part = parts[input];
    if (!part)
      part = windows->view(arrays.at(input),
                           findQueryRows(program, input.getType()));
    return part;
  });
  ValueRange arguments = step.plan.getBody().getArguments();
  if (arguments.size() > step.launch.getInputs().size())
    mapping.map(arguments.back(), getStart(step));
  auto block = b.create<tile::PlanDoOp>();
  block.getBody().emplaceBlock();
  for (Operation &op : step.plan.getBody().front().without_terminator()) {
    b.setInsertionPoint(block);
    if (auto result = dyn_cast<tile::ResultOp>(op)) {
      Value output = step.getOutput(result);
      Value array = step.whole.lookupOrNull(result.getResult());
      parts[output] =
          array ? windows->view(
                      array, findQueryRows(step.program, step.getType(result)))
                : makeArray(step, result, mapping);
      mapping.map(result.getResult(), parts[output]);
    } else if (isOfAllQueries(&op)) {
      if (auto sums = dyn_cast<tile::WorkspaceOp>(op))
        mapping.map(sums.getResult(),
                    windows->view(step.whole.lookup(sums.getResult()),
                                  getRowsOfAll(sums)));
    } else if (isMemoryEffectFree(&op)) {
      b.clone(op, mapping);
    } else if (auto memset = dyn_cast<tile::MemsetOp>(op);
               !memset || !step.whole.contains(memset.getTarget())) {
      b.setInsertionPointToEnd(&block.getBody().front());
      b.clone(op, mapping);
    }
  }
  b.setInsertionPointToEnd(&block.getBody().front());
  b.create<tile::EndOp>();
  b.setInsertionPointAfter(block);
}

/// What follows when the sums of all windows are there.
void PlanComposer::appendBehind(LaunchedPlan &step) {
  b.setLoc(step.launch.getLoc());
  for (auto launch : step.plan.getBody().getOps<tile::LaunchOp>()) {
    if (!isOfAllQueries(launch))
      continue;
    for (Value operand : launch->getOperands())
      makeWhole(operand, step.whole);
    b.clone(*launch, step.whole);
  }
}

void PlanComposer::composeWindows() {
  int64_t positions = program.getBlockSize();
  for (LaunchedPlan &step : steps) {
    makeArraysOfAll(step);
    positions = std::lcm(positions, step.program.getBlockSize());
  }
  Value query = body->getArgument(parameters.getQuery().getArgNumber());
  PlanSizes sizes = getPlanSizes(b, program, query);
  windows.emplace(b, sizes, countHandedBytes(sizes), limits.handedBytes,
                  positions);
  windows->loop([&] {
    for (LaunchedPlan &step : steps)
      appendWindow(step);
  });
  for (LaunchedPlan &step : steps)
    appendBehind(step);
}

//===----------------------------------------------------------------------===//
// The whole plan
//===----------------------------------------------------------------------===//

void PlanComposer::moveToFront(Operation *op) {
  if (!moved.insert(op))
    return;
  for (Value operand : op->getOperands())
    if (Operation *needed = operand.getDefiningOp())
      moveToFront(needed);
  b.setInsertionPointToEnd(body);
  op->moveBefore(body, body->end());
}

/// Arrays are returned in the order in which the plan makes them.
void PlanComposer::orderResults() {
  SmallVector<Operation *> others;
  for (Operation &op : *body)
    others.push_back(&op);
  for (Value value : returned)
    moveToFront(arrays.lookup(value).getDefiningOp());
  for (Operation *op : others)
    if (!moved.contains(op))
      op->moveBefore(body, body->end());
}

tile::PlanOp PlanComposer::compose() {
  collectPlans();
  b.setLoc(program.getLoc());
  b.setInsertionPoint(program);
  auto type = b.getFunctionType(parameters.getPlanTypes(), {});
  auto plan = b.create<tile::PlanOp>(
      (program.getSymName() + "_plan").str(), type,
      b.getArrayAttr(parameters.getAttributes()), /*res_attrs=*/nullptr);
  body = &plan.getBody().emplaceBlock();
  for (Type argument : type.getInputs())
    body->addArgument(argument, plan.getLoc());
  for (BlockArgument parameter : program.getBody().getArguments())
    arrays[parameter] = body->getArgument(parameter.getArgNumber());
  b.setInsertionPointToStart(body);
  if (!limits.handedBytes || !parameters.getQuery())
    llvm::for_each(steps, [&](LaunchedPlan &step) { appendWhole(step); });
  else
    composeWindows();
  SmallVector<StringRef> notes;
  for (LaunchedPlan &step : steps)
    if (auto note = step.plan->getAttrOfType<StringAttr>(kStepsAttrName))
      notes.push_back(note);
  plan->setAttr(kStepsAttrName, b.getStringAttr(llvm::join(notes, "\n")));
  orderResults();
  b.setInsertionPointToEnd(body);
  b.create<tile::EndOp>();
  for (LaunchedPlan &step : steps)
    step.plan.erase();
  return plan;
}

bool ramify::isComposed(hsa::ProgramOp program) {
  return !program.getBody().getOps<hsa::LaunchOp>().empty();
}

tile::PlanOp ramify::composePlan(hsa::ProgramOp program,
                                 const TileLimits &limits) {
  TileBuilder b(program.getLoc(), program);
  return PlanComposer(b, program, limits).compose();
}
