// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ComposePlans.cpp - One plan from those of several programs ---------===//
//
// A program of launches has no kernel of its own: its plan is made of the plans
// of the programs that it launches, one behind the other. What they return is a
// result of the whole, if the whole returns it, or else a workspace.
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include "ramify/Conversion/HSAToTile.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ramify;

namespace {
class PlanComposer {
public:
  PlanComposer(TileBuilder &b, hsa::ProgramOp program)
      : b(b), program(program), parameters(program),
        returned(cast<hsa::ReturnOp>(program.getBody().front().getTerminator())
                     .getOperands()) {}

  tile::PlanOp compose();

private:
  void append(hsa::LaunchOp launch);
  Value makeArray(tile::ResultOp result, IRMapping &mapping, Value output);
  void orderResults();
  void moveToFront(Operation *op);

  TileBuilder &b;
  hsa::ProgramOp program;
  Parameters parameters;
  ValueRange returned;
  Block *body = nullptr;
  llvm::DenseMap<Value, Value> arrays; ///< of the program's values
  llvm::SetVector<Operation *> moved;
  SmallVector<StringRef> steps;
};
} // namespace

Value PlanComposer::makeArray(tile::ResultOp result, IRMapping &mapping,
                              Value output) {
  SmallVector<Value> shape;
  for (Value size : result.getShape())
    shape.push_back(mapping.lookup(size));
  if (llvm::is_contained(returned, output))
    return b.create<tile::ResultOp>(result.getType(), shape);
  return b.create<tile::WorkspaceOp>(result.getType(), shape,
                                     /*zero=*/false);
}

void PlanComposer::append(hsa::LaunchOp launch) {
  auto module = program->getParentOfType<ModuleOp>();
  auto plan =
      module.lookupSymbol<tile::PlanOp>((launch.getCallee() + "_plan").str());
  b.setLoc(launch.getLoc());
  IRMapping mapping;
  ValueRange arguments = plan.getBody().getArguments();
  for (auto [input, argument] : llvm::zip(launch.getInputs(), arguments))
    mapping.map(argument, arrays.lookup(input));
  // What the language supplies itself stands behind the parameters.
  if (arguments.size() > launch.getInputs().size())
    mapping.map(arguments.back(), body->getArgument(parameters.getStart()));
  unsigned next = 0;
  for (Operation &op : plan.getBody().front().without_terminator()) {
    auto result = dyn_cast<tile::ResultOp>(op);
    if (!result) {
      b.clone(op, mapping);
      continue;
    }
    Value output = launch.getResult(next++);
    arrays[output] = makeArray(result, mapping, output);
    mapping.map(result.getResult(), arrays[output]);
  }
  if (auto step = plan->getAttrOfType<StringAttr>(kStepsAttrName))
    steps.push_back(step);
  plan.erase();
}

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
  for (auto launch : program.getBody().getOps<hsa::LaunchOp>())
    append(launch);
  plan->setAttr(kStepsAttrName, b.getStringAttr(llvm::join(steps, "\n")));
  orderResults();
  b.setInsertionPointToEnd(body);
  b.create<tile::EndOp>();
  return plan;
}

bool ramify::isComposed(hsa::ProgramOp program) {
  return !program.getBody().getOps<hsa::LaunchOp>().empty();
}

tile::PlanOp ramify::composePlan(hsa::ProgramOp program) {
  TileBuilder b(program.getLoc(), program);
  return PlanComposer(b, program).compose();
}
