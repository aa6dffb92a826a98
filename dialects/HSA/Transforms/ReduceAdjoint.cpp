// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ReduceAdjoint.cpp - The adjoint of the hierarchical reduction ------===//
//
// Visits do not see each other, so the adjoint of a reduction is a reduction
// over the same domain: each visit computes its values again, gets the
// cotangents of what it had yielded, and yields what that adds to the
// cotangents of what it had read. For each monoid, with r the result and y what
// a visit yielded:
//
//     sum       dy = dr
//     max, min  dy = dr / n where y = r, else 0, where n visits have y = r: r
//     is
//               computed again, so that its bits are those of y, and a
//               reduction of its own counts the visits
//     softmax   see AdjointsOfStates.cpp
//
//===----------------------------------------------------------------------===//

#include "Adjoints.h"

using namespace mlir;
using namespace ramify::hsa;

namespace {
class ReduceAdjoint {
public:
  ReduceAdjoint(ReduceOp op, Sweep &outer) : op(op), outer(outer), b(outer.b) {}
  LogicalResult emit();

private:
  /// What a visit of the adjoint yields, from the sweep that is in it.
  using Visit = function_ref<FailureOr<SmallVector<Value>>(Sweep &)>;

  Value getInit(Value owner, Type part);
  bool takeCotangents();
  LogicalResult passToInits();
  FailureOr<ReduceOp> emitReduce(Visit visit);
  Value countVisits(unsigned index);
  void seed(Sweep &visit, unsigned index);
  FailureOr<SmallVector<Value>> differentiate(Sweep &visit);
  SmallVector<Value> collect(Sweep &visit);

  ReduceOp op;
  Sweep &outer;
  ImplicitLocOpBuilder &b;
  // For each accumulator: dr, over n for max and min; or what was read.
  SmallVector<Value> cotangents;
  SmallVector<SmallVector<Reading>> readings;
  SmallVector<Value> owners; ///< whose cotangent each yielded value is
};
} // namespace

//===----------------------------------------------------------------------===//
// A reduction of sums over the same domain
//===----------------------------------------------------------------------===//

/// Where visits begin to add up parts of the cotangent of `owner`, if it is any
/// value. What belongs to chunks or slots has an element for each visit:
/// `!hsa.sums`.
Value ReduceAdjoint::getInit(Value owner, Type part) {
  if (owner && belongsToVisits(owner.getType()))
    return outer.getSums(owner);
  AxesAttr axes = owner ? getAxes(owner.getType()) : AxesAttr();
  if (!axes || !axes.contains(Axis::Slot))
    return b.create<IdentityOp>(part, Monoid::Sum);
  auto slot = cast<SlotType>(op.getBody().getArgument(0).getType());
  auto selected = op.getDomain().getDefiningOp<SelectedOp>();
  StringRef picks =
      selected.isComputed() ? outer.picks.name : slot.getIndices();
  return b.create<ZerosOp>(
      SumsType::get(b.getContext(), getWeightsOf(owner.getType(), picks)));
}

/// The sums of what visits yield.
FailureOr<ReduceOp> ReduceAdjoint::emitReduce(Visit visit) {
  auto body = std::make_unique<Block>();
  IRMapping primals = outer.primals;
  for (BlockArgument argument : op.getBody().getArguments())
    primals.map(argument,
                body->addArgument(argument.getType(), argument.getLoc()));
  SmallVector<Value> yields;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(body.get());
    for (Operation &inner : op.getBody().front().without_terminator())
      b.clone(inner, primals);
    Sweep sweep(b, outer.activity, primals, body->getArguments().back());
    FailureOr<SmallVector<Value>> values = visit(sweep);
    if (failed(values))
      return failure();
    yields = *values;
    b.setLoc(op.getLoc());
    b.create<YieldOp>(ValueRange(yields));
  }
  SmallVector<Value> inits;
  for (auto [index, value] : llvm::enumerate(yields)) {
    Value owner = index < owners.size() ? owners[index] : Value();
    inits.push_back(getInit(owner, value.getType()));
  }
  SmallVector<Attribute> monoids(inits.size(),
                                 MonoidAttr::get(b.getContext(), Monoid::Sum));
  auto reduce = b.create<ReduceOp>(ValueRange(inits).getTypes(),
                                   outer.getPrimal(op.getDomain()), inits,
                                   b.getArrayAttr(monoids));
  reduce.getBody().push_back(body.release());
  return reduce;
}

/// 1 where what the visit yields is the result.
static Value isResult(Sweep &visit, Value yielded, Value result, Value yes) {
  Value y = visit.getPrimal(yielded), r = visit.getPrimal(result);
  return visit.choose(arith::CmpFPredicate::OEQ, y, r, yes,
                      visit.fill(0, r.getType()));
}

/// For each element of a maximum or minimum, how many visits yield it.
Value ReduceAdjoint::countVisits(unsigned index) {
  Value result = op.getResult(index);
  FailureOr<ReduceOp> count =
      emitReduce([&](Sweep &visit) -> FailureOr<SmallVector<Value>> {
        Value one = visit.fill(1, result.getType());
        Value yielded = op.getYielded(index)[0];
        return SmallVector<Value>{
            visit.mask(isResult(visit, yielded, result, one))};
      });
  return count->getResult(0);
}

//===----------------------------------------------------------------------===//
// Cotangents into and out of a visit
//===----------------------------------------------------------------------===//

/// Returns whether there is anything to send back.
bool ReduceAdjoint::takeCotangents() {
  bool any = false;
  for (unsigned index = 0; index < op.getNumResults(); ++index) {
    Value result = op.getResult(index), cotangent;
    readings.emplace_back();
    if (op.getMonoid(index) == Monoid::Softmax)
      readings.back() = outer.takeReadings(result);
    else
      cotangent = outer.getCotangent(result);
    cotangents.push_back(cotangent);
    any |= cotangent || !readings.back().empty();
  }
  return any;
}

LogicalResult ReduceAdjoint::passToInits() {
  for (unsigned index = 0; index < op.getNumResults(); ++index) {
    Value init = op.getAccumulators()[index];
    Monoid monoid = op.getMonoid(index);
    if (monoid == Monoid::Softmax)
      outer.passReadings(init, readings[index]);
    else if (monoid == Monoid::Sum)
      outer.add(init, cotangents[index]);
    else if (cotangents[index] && outer.wants(init))
      return op.emitError()
             << "no gradient is known of a " << stringifyMonoid(monoid)
             << " over chunks that begins with a value that "
                "needs one; begin with rl.zeros(..., init="
             << (monoid == Monoid::Max ? "-" : "") << "rl.inf)";
  }
  return success();
}

void ReduceAdjoint::seed(Sweep &visit, unsigned index) {
  Value cotangent = cotangents[index];
  auto yielded = op.getYielded(index);
  if (op.getMonoid(index) == Monoid::Softmax)
    return visit.addScores(yielded[0], yielded[1], readings[index]);
  if (!cotangent || !visit.wants(yielded[0]))
    return;
  if (op.getMonoid(index) != Monoid::Sum)
    cotangent = isResult(visit, yielded[0], op.getResult(index), cotangent);
  visit.add(yielded[0], visit.mask(cotangent));
}

FailureOr<SmallVector<Value>> ReduceAdjoint::differentiate(Sweep &visit) {
  for (unsigned index = 0; index < op.getNumResults(); ++index)
    seed(visit, index);
  if (failed(visit.run(op.getBody().front())))
    return failure();
  return collect(visit);
}

/// What the visit adds to values from outside and to parameters.
SmallVector<Value> ReduceAdjoint::collect(Sweep &visit) {
  SmallVector<Value> yields;
  for (auto &map : {visit.cotangents, visit.parameters})
    for (auto [value, cotangent] : map) {
      if (value.getParentRegion() == &op.getBody())
        continue;
      owners.push_back(value);
      yields.push_back(cotangent);
    }
  return yields;
}

//===----------------------------------------------------------------------===//
// The adjoint
//===----------------------------------------------------------------------===//

LogicalResult ReduceAdjoint::emit() {
  if (!takeCotangents())
    return success();
  if (failed(passToInits()))
    return failure();
  for (auto [index, cotangent] : llvm::enumerate(cotangents)) {
    Monoid monoid = op.getMonoid(index);
    if (!cotangent || (monoid != Monoid::Max && monoid != Monoid::Min))
      continue;
    Value count = countVisits(index);
    Value one = outer.fill(1, count.getType());
    cotangent = b.create<arith::DivFOp>(
        cotangent, b.create<arith::MaximumFOp>(count, one));
  }
  FailureOr<ReduceOp> adjoint =
      emitReduce([&](Sweep &visit) { return differentiate(visit); });
  if (failed(adjoint))
    return failure();
  if (owners.empty()) {
    adjoint->erase();
    return success();
  }
  for (auto [owner, result] : llvm::zip(owners, adjoint->getResults()))
    outer.addFromVisits(owner, result);
  return success();
}

LogicalResult ramify::hsa::differentiateReduce(Operation *op, Sweep &sweep) {
  return ReduceAdjoint(cast<ReduceOp>(op), sweep).emit();
}
