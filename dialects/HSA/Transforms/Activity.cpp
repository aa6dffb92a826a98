// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Activity.cpp - What depends on what a gradient is taken by ---------===//

#include "Activity.h"

using namespace mlir;
using namespace ramify::hsa;

Activity::Activity(ProgramOp program, ArrayRef<BlockArgument> wrt) {
  active.insert(wrt.begin(), wrt.end());
  visit(program.getBody().front());
}

static bool carriesGradient(Value value) {
  return isa<SoftmaxStateType>(value.getType()) ||
         isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

void Activity::visit(Block &block) {
  auto isActive = [&](Value value) { return contains(value); };
  for (Operation &op : block) {
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      visit(reduce);
      continue;
    }
    if (isa<DetachOp>(op) || llvm::none_of(op.getOperands(), isActive))
      continue;
    for (Value result : op.getResults())
      if (carriesGradient(result))
        active.insert(result);
  }
}

void Activity::visit(ReduceOp op) {
  visit(op.getBody().front());
  auto isActive = [&](Value value) { return contains(value); };
  for (auto [index, result] : llvm::enumerate(op.getResults()))
    if (contains(op.getAccumulators()[index]) ||
        llvm::any_of(op.getYielded(index), isActive))
      active.insert(result);
}
