// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AdjointsOfStates.cpp - Adjoints of the running softmax -------------===//
//
// Whoever reads a state's value and lse sees the softmax of everything that was
// merged and pushed before. With p = exp(s - lse) the share of one score s with
// value v,
//
//     dv += p dvalue        ds += p (dvalue . v - delta)
//     delta = dvalue . value - dlse
//
// so a score needs nothing but the lse and delta of its row, which are the same
// for all visits. Readings go backwards from state to state.
//
//===----------------------------------------------------------------------===//

#include "Adjoints.h"

#include <limits>

using namespace mlir;
using namespace ramify::hsa;

//===----------------------------------------------------------------------===//
// Readings
//===----------------------------------------------------------------------===//

template <typename Op> static Value findReader(Value state) {
  for (Operation *user : state.getUsers())
    if (auto reader = dyn_cast<Op>(user))
      return reader;
  return {};
}

void Sweep::addValue(Value state, Value dvalue) {
  Value &sum = dvalues[state];
  sum = sum ? Value(b.create<arith::AddFOp>(sum, dvalue)) : dvalue;
}

void Sweep::addLse(Value state, Value dlse) {
  Value &sum = dlses[state];
  sum = sum ? Value(b.create<arith::AddFOp>(sum, dlse)) : dlse;
}

void Sweep::passReadings(Value state, ArrayRef<Reading> readings) {
  llvm::append_range(passed[state], readings);
}

SmallVector<Reading> Sweep::takeReadings(Value state) {
  SmallVector<Reading> readings = passed.lookup(state);
  Value dvalue = dvalues.lookup(state), dlse = dlses.lookup(state);
  if (!dvalue && !dlse)
    return readings;
  Value lse = getPrimal(findReader<LseOp>(state));
  Type rows = lse.getType();
  Reading reading;
  Value nothing = fill(-std::numeric_limits<double>::infinity(), rows);
  reading.lse =
      choose(arith::CmpFPredicate::OEQ, lse, nothing, fill(0, rows), lse);
  reading.dvalue = dvalue;
  reading.delta =
      dvalue ? contract(dvalue, getPrimal(findReader<ValueOp>(state)), rows)
             : fill(0, rows);
  if (dlse)
    reading.delta = sub(reading.delta, dlse);
  readings.push_back(reading);
  return readings;
}

void Sweep::addScores(Value scores, Value values, ArrayRef<Reading> readings) {
  Value s = getPrimal(scores), v = getPrimal(values);
  Type type = s.getType();
  Type element = getElementTypeOrSelf(v);
  for (const Reading &reading : readings) {
    Value p = mask(exp(sub(s, spread(reading.lse, type))));
    Value gain = fill(0, type);
    if (reading.dvalue) {
      gain = contract(reading.dvalue, v, type);
      Value dvalue = reading.dvalue;
      if (!element.isF32())
        dvalue = b.create<arith::TruncFOp>(
            cast<RankedTensorType>(dvalue.getType()).clone(element), dvalue);
      if (wants(values))
        add(values, contract(p, dvalue, toF32(v.getType())));
    }
    if (wants(scores))
      add(scores, mul(p, sub(gain, spread(reading.delta, type))));
  }
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

static LogicalResult adjointOfValue(Operation *op, Sweep &sweep) {
  sweep.addValue(op->getOperand(0), sweep.getCotangent(op->getResult(0)));
  return success();
}

static LogicalResult adjointOfLse(Operation *op, Sweep &sweep) {
  sweep.addLse(op->getOperand(0), sweep.getCotangent(op->getResult(0)));
  return success();
}

static LogicalResult adjointOfPush(Operation *op, Sweep &sweep) {
  auto push = cast<PushOp>(op);
  SmallVector<Reading> readings = sweep.takeReadings(push);
  sweep.addScores(push.getLogit(), push.getValue(), readings);
  sweep.passReadings(push.getState(), readings);
  return success();
}

void ramify::hsa::addAdjointsOfStates(AdjointTable &table) {
  table.add<ValueOp>(adjointOfValue);
  table.add<LseOp>(adjointOfLse);
  table.add<PushOp>(adjointOfPush);
}
