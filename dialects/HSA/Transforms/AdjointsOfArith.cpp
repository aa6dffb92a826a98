// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AdjointsOfArith.cpp - Adjoints of elementwise operations -----------===//
//
// Below, y is the result, dy its cotangent. Where a derivative is infinite and
// its factor 0, as in sigmoid far to the left or log of an empty sum, 0 is
// meant.
//
//===----------------------------------------------------------------------===//

#include "Adjoints.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace ramify::hsa;
using Predicate = arith::CmpFPredicate;

static Value getResultCotangent(Operation *op, Sweep &sweep) {
  return sweep.getCotangent(op->getResult(0));
}

/// dx += dy.
static LogicalResult adjointOfCast(Operation *op, Sweep &sweep) {
  sweep.add(op->getOperand(0), getResultCotangent(op, sweep));
  return success();
}

/// da += dy, db += dy.
static LogicalResult adjointOfAdd(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  sweep.add(op->getOperand(0), dy);
  sweep.add(op->getOperand(1), dy);
  return success();
}

/// dx += -dy.
static LogicalResult adjointOfNeg(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  sweep.add(op->getOperand(0), sweep.b.create<arith::NegFOp>(dy));
  return success();
}

/// da += dy, db += -dy.
static LogicalResult adjointOfSub(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  sweep.add(op->getOperand(0), dy);
  if (sweep.wants(op->getOperand(1)))
    sweep.add(op->getOperand(1), sweep.b.create<arith::NegFOp>(dy));
  return success();
}

/// da += dy * b, db += dy * a.
static LogicalResult adjointOfMul(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  for (unsigned side : {0, 1})
    if (sweep.wants(op->getOperand(side)))
      sweep.add(op->getOperand(side),
                sweep.mul(dy, sweep.getWide(op->getOperand(1 - side))));
  return success();
}

/// da += dy / b, db += -(dy / b) * y.
static LogicalResult adjointOfDiv(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value quotient =
      sweep.b.create<arith::DivFOp>(dy, sweep.getWide(op->getOperand(1)));
  sweep.add(op->getOperand(0), quotient);
  if (!sweep.wants(op->getOperand(1)))
    return success();
  Value product = sweep.mul(quotient, sweep.getPrimal(op->getResult(0)));
  sweep.add(op->getOperand(1), sweep.b.create<arith::NegFOp>(product));
  return success();
}

/// To the greater (smaller), to both by half where they are equal.
static LogicalResult adjointOfExtremum(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value half = sweep.mul(dy, sweep.fill(0.5, dy.getType()));
  Value zero = sweep.fill(0, dy.getType());
  bool isMax = isa<arith::MaximumFOp, arith::MaxNumFOp>(op);
  for (unsigned side : {0, 1}) {
    if (!sweep.wants(op->getOperand(side)))
      continue;
    Value own = sweep.getWide(op->getOperand(side));
    Value other = sweep.getWide(op->getOperand(1 - side));
    Value equal = sweep.choose(Predicate::OEQ, own, other, half, zero);
    sweep.add(op->getOperand(side),
              sweep.choose(isMax ? Predicate::OGT : Predicate::OLT, own, other,
                           dy, equal));
  }
  return success();
}

/// To the side that was chosen.
static LogicalResult adjointOfSelect(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value condition = sweep.getPrimal(op->getOperand(0));
  Value zero = sweep.fill(0, dy.getType());
  auto choose = [&](Value yes, Value no) -> Value {
    return sweep.b.create<arith::SelectOp>(condition, yes, no);
  };
  if (sweep.wants(op->getOperand(1)))
    sweep.add(op->getOperand(1), choose(dy, zero));
  if (sweep.wants(op->getOperand(2)))
    sweep.add(op->getOperand(2), choose(zero, dy));
  return success();
}

/// dx += dy * y, also for exp2, with ln 2 (0 where dy is, whatever y).
static LogicalResult adjointOfExp(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value zero = sweep.fill(0, dy.getType());
  Value dx = sweep.mul(dy, sweep.getPrimal(op->getResult(0)));
  if (isa<math::Exp2Op>(op))
    dx = sweep.mul(dx, sweep.fill(std::numbers::ln2, dx.getType()));
  sweep.add(op->getOperand(0),
            sweep.choose(Predicate::OEQ, dy, zero, zero, dx));
  return success();
}

/// dx += dy / x (0 where x is).
static LogicalResult adjointOfLog(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value x = sweep.getPrimal(op->getOperand(0));
  Value zero = sweep.fill(0, dy.getType());
  Value dx = sweep.b.create<arith::DivFOp>(dy, x);
  sweep.add(op->getOperand(0), sweep.choose(Predicate::OEQ, x, zero, zero, dx));
  return success();
}

/// dx += dy / (2 y) (0 where y is).
static LogicalResult adjointOfSqrt(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value y = sweep.getPrimal(op->getResult(0));
  Value zero = sweep.fill(0, dy.getType());
  Value dx = sweep.b.create<arith::DivFOp>(
      sweep.mul(dy, sweep.fill(0.5, dy.getType())), y);
  sweep.add(op->getOperand(0), sweep.choose(Predicate::OEQ, y, zero, zero, dx));
  return success();
}

/// dx += dy * (1 - y y).
static LogicalResult adjointOfTanh(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value y = sweep.getPrimal(op->getResult(0));
  Value slope = sweep.sub(sweep.fill(1, y.getType()), sweep.mul(y, y));
  sweep.add(op->getOperand(0), sweep.mul(dy, slope));
  return success();
}

/// dx += dy * sign x.
static LogicalResult adjointOfAbs(Operation *op, Sweep &sweep) {
  Value dy = getResultCotangent(op, sweep);
  Value x = sweep.getPrimal(op->getOperand(0));
  Value zero = sweep.fill(0, dy.getType());
  Value minus = sweep.b.create<arith::NegFOp>(dy);
  Value below = sweep.choose(Predicate::OLT, x, zero, minus, zero);
  sweep.add(op->getOperand(0),
            sweep.choose(Predicate::OGT, x, zero, dy, below));
  return success();
}

void ramify::hsa::addAdjointsOfArith(AdjointTable &table) {
  table.add<arith::ExtFOp>(adjointOfCast);
  table.add<arith::TruncFOp>(adjointOfCast);
  table.add<arith::AddFOp>(adjointOfAdd);
  table.add<arith::NegFOp>(adjointOfNeg);
  table.add<arith::SubFOp>(adjointOfSub);
  table.add<arith::MulFOp>(adjointOfMul);
  table.add<arith::DivFOp>(adjointOfDiv);
  table.add<arith::MaximumFOp>(adjointOfExtremum);
  table.add<arith::MinimumFOp>(adjointOfExtremum);
  table.add<arith::MaxNumFOp>(adjointOfExtremum);
  table.add<arith::MinNumFOp>(adjointOfExtremum);
  table.add<arith::SelectOp>(adjointOfSelect);
  table.add<math::ExpOp>(adjointOfExp);
  table.add<math::Exp2Op>(adjointOfExp);
  table.add<math::LogOp>(adjointOfLog);
  table.add<math::SqrtOp>(adjointOfSqrt);
  table.add<math::TanhOp>(adjointOfTanh);
  table.add<math::AbsFOp>(adjointOfAbs);
}
