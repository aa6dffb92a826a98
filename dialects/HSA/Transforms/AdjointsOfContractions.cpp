// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AdjointsOfContractions.cpp - Adjoints over named axes --------------===//

#include "Adjoints.h"

using namespace mlir;
using namespace ramify::hsa;

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

/// What is read of a parameter goes to that parameter's gradient.
static LogicalResult adjointOfAccess(Operation *op, Sweep &sweep) {
  if (isa<LoadOp>(op) && isa<WeightsType>(op->getOperand(0).getType()))
    return op->emitError("no gradient is known of all weights of a row at "
                         "once; read them at slots: weights[slot]");
  sweep.addToParameter(op->getOperand(0), sweep.getCotangent(op->getResult(0)));
  return success();
}

/// What is read at a slot goes to the element of the slot: in a parameter, or
/// in a value that the function computes.
static LogicalResult adjointOfAt(Operation *op, Sweep &sweep) {
  auto at = cast<AtOp>(op);
  if (!isNamedTensor(at.getSource().getType()))
    return adjointOfAccess(op, sweep);
  for (auto [axis, size] : getSizedAxes(at.getSource().getType()))
    if (axis == Axis::Pos && size != 1)
      return op->emitError(
          "no gradient is known of a slot's element of a value "
          "that differs between the positions of a block");
  Value part = sweep.getCotangent(at.getResult());
  if (AxesAttr axes = getAxes(part.getType()); axes && axes.contains(Axis::Pos))
    part = sweep.sum(part, {Axis::Pos});
  sweep.addToParameter(at.getSource(), part);
  return success();
}

/// dx += the sum of dy over the axes that x lacks.
static LogicalResult adjointOfBroadcast(Operation *op, Sweep &sweep) {
  auto broadcast = cast<BroadcastOp>(op);
  AxesAttr own = getAxes(broadcast.getInput().getType());
  SmallVector<Axis> over;
  for (Axis axis : getAxes(broadcast.getType()).getAxes())
    if (!own || !own.contains(axis))
      over.push_back(axis);
  sweep.add(broadcast.getInput(),
            sweep.sum(sweep.getCotangent(broadcast), over));
  return success();
}

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

/// The 16-bit type in which a product is formed, or null.
static Type getNarrowElement(DotOp op) {
  for (Value side : {op.getLhs(), op.getRhs()})
    if (Type element = getElementTypeOrSelf(side); !element.isF32())
      return element;
  return {};
}

/// The cotangent as a side of a product that is formed as the product itself.
static Value matchElement(Sweep &sweep, DotOp op, Value dy, Value other) {
  Type element = getNarrowElement(op);
  auto type = dyn_cast<RankedTensorType>(dy.getType());
  if (!element || !type || !getElementTypeOrSelf(other).isF32())
    return dy;
  return sweep.b.create<arith::TruncFOp>(type.clone(element), dy);
}

static bool hasAnyOf(Type type, ArrayRef<Axis> axes) {
  AxesAttr own = getAxes(type);
  return own &&
         llvm::any_of(axes, [&](Axis axis) { return own.contains(axis); });
}

/// dx += the sum of dy * other over the axes that x lacks. Where keys were
/// contracted, with the valid ones only: which they are may depend on the row,
/// so they are masked while there still are rows.
static LogicalResult adjointOfDot(Operation *op, Sweep &sweep) {
  auto dot = cast<DotOp>(op);
  Value dy = sweep.getCotangent(dot.getResult());
  bool overKey = dot.getOver().contains(Axis::Key);
  for (unsigned side : {0, 1}) {
    Value x = op->getOperand(side);
    if (!sweep.wants(x))
      continue;
    Value other = sweep.getPrimal(op->getOperand(1 - side));
    bool early = overKey && !hasAnyOf(x.getType(), {Axis::Pos, Axis::Head}) &&
                 getElementTypeOrSelf(other).isF32();
    if (early)
      other = sweep.mask(other);
    Value factor = matchElement(sweep, dot, dy, other);
    Value dx = sweep.contract(factor, other, toF32(x.getType()));
    sweep.add(x, overKey && !early ? sweep.mask(dx) : dx);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// fold, softmax
//===----------------------------------------------------------------------===//

/// A sum sends dy to all; a maximum or minimum y to the x that are equal to it,
/// in equal parts.
static LogicalResult adjointOfFold(Operation *op, Sweep &sweep) {
  auto fold = cast<FoldOp>(op);
  Type type = fold.getInput().getType();
  Value dy = sweep.getCotangent(fold.getResult());
  bool overKey = fold.getOver().contains(Axis::Key);
  Value dx;
  if (fold.getMonoid() == Monoid::Sum) {
    dx = sweep.spread(dy, type);
  } else {
    Value x = sweep.getPrimal(fold.getInput());
    Value y = sweep.spread(sweep.getPrimal(fold.getResult()), type);
    Value zero = sweep.fill(0, type), one = sweep.fill(1, type);
    Value equal = sweep.choose(arith::CmpFPredicate::OEQ, x, y, one, zero);
    Value count = sweep.sum(equal, fold.getOver().getAxes());
    Value part = sweep.b.create<arith::DivFOp>(dy, count);
    dx = sweep.choose(arith::CmpFPredicate::OEQ, x, y, sweep.spread(part, type),
                      zero);
  }
  sweep.add(fold.getInput(), overKey ? sweep.mask(dx) : dx);
  return success();
}

/// dx += y (dy - sum y dy), for every n. It masks dy: y is 0 where that does.
static LogicalResult adjointOfSoftmax(Operation *op, Sweep &sweep) {
  auto softmax = cast<SoftmaxOp>(op);
  Value y = sweep.getPrimal(softmax), dy = sweep.getCotangent(softmax);
  if (auto mask = dy.getDefiningOp<MaskOp>(); mask && softmax.getChunk())
    dy = mask.getInput();
  Value mean = sweep.sum(sweep.mul(y, dy), {softmax.getOver()});
  Value centred = sweep.sub(dy, sweep.spread(mean, dy.getType()));
  sweep.add(softmax.getInput(), sweep.mul(y, centred));
  return success();
}

void ramify::hsa::addAdjointsOfContractions(AdjointTable &table) {
  table.add<LoadOp>(adjointOfAccess);
  table.add<ChunkOp>(adjointOfAccess);
  table.add<StreamOp>(adjointOfAccess);
  table.add<AtOp>(adjointOfAt);
  table.add<BroadcastOp>(adjointOfBroadcast);
  table.add<DotOp>(adjointOfDot);
  table.add<FoldOp>(adjointOfFold);
  table.add<SoftmaxOp>(adjointOfSoftmax);
}
