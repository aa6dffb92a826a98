// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AddressSlice.cpp - Addresses of another iteration ------------------===//

#include "dialects/Tile/Transforms/AddressSlice.h"

#include "dialects/Tile/IR/ArrayAccess.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static bool isInside(Value value, Region &scope) {
  return scope.isAncestor(value.getParentRegion());
}

bool tile::collectSlice(Value value, function_ref<bool(Value)> isKnown,
                        Slice &slice) {
  if (isKnown(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions())
    return false;
  if (slice.contains(op))
    return true;
  if (!isMemoryEffectFree(op) && !isReadOfConstantArray(op))
    return false;
  for (Value operand : op->getOperands())
    if (!collectSlice(operand, isKnown, slice))
      return false;
  slice.insert(op);
  return true;
}

bool tile::collectSlice(Value value, scf::ForOp loop, Slice &slice) {
  return collectSlice(
      value,
      [&](Value known) {
        return !isInside(known, loop.getRegion()) ||
               known == loop.getInductionVar();
      },
      slice);
}

std::optional<SmallVector<Value>> tile::conditionsAround(Operation *op,
                                                         scf::ForOp loop) {
  SmallVector<Value> conditions;
  for (Region *region = op->getParentRegion(); region != &loop.getRegion();
       region = region->getParentRegion()) {
    auto branch = dyn_cast<scf::IfOp>(region->getParentOp());
    if (!branch || region != &branch.getThenRegion())
      return std::nullopt;
    conditions.insert(conditions.begin(), branch.getCondition());
  }
  return conditions;
}

Value IterationCloner::get(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  if (!isInside(value, loop.getRegion()))
    return value;
  Operation *op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    get(operand);
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

Value IterationCloner::isReached(ArrayRef<Value> conditions) {
  Value all = exists;
  for (Value condition : conditions) {
    Value there = get(condition);
    all = all ? builder.create<arith::AndIOp>(there.getLoc(), all, there)
                    .getResult()
              : there;
  }
  return all;
}

Value IterationCloner::load(memref::LoadOp op) {
  Value reached = isReached(*conditionsAround(op, loop));
  if (!reached) {
    Value result = get(op.getResult());
    return result;
  }
  Location loc = op.getLoc();
  auto branch = builder.create<scf::IfOp>(loc, op.getType(), reached,
                                          /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    Value there = nested().get(op.getResult());
    builder.create<scf::YieldOp>(loc, there);
    builder.setInsertionPointToStart(branch.elseBlock());
    Value zero = builder.create<arith::ConstantOp>(
        loc, builder.getZeroAttr(op.getType()));
    builder.create<scf::YieldOp>(loc, zero);
  }
  set(op.getResult(), branch.getResult(0));
  return branch.getResult(0);
}
