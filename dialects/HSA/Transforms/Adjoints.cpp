// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Adjoints.cpp - One block, backwards --------------------------------===//

#include "Adjoints.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace ramify::hsa;

AdjointTable::AdjointTable() {
  addAdjointsOfArith(*this);
  addAdjointsOfContractions(*this);
  addAdjointsOfSelection(*this);
  addAdjointsOfStates(*this);
  add<ReduceOp>(differentiateReduce);
}

bool ramify::hsa::belongsToVisits(Type role) {
  if (auto array = dyn_cast<ramify::hsa::ArrayType>(role))
    return !array.getPartition().empty();
  return isa<ChunksType, LandmarksType, WeightsType>(role);
}

WeightsType ramify::hsa::getWeightsOf(Type type, StringRef picks) {
  AxesAttr axes = getAxes(type);
  int64_t slots =
      cast<RankedTensorType>(type).getDimSize(axes.find(Axis::Slot));
  Heads heads = axes.contains(Axis::Head) ? Heads::Query : Heads::KV;
  return WeightsType::get(type.getContext(), picks,
                          Float32Type::get(type.getContext()), heads, slots);
}

Type ramify::hsa::toF32(Type type) {
  auto f32 = Float32Type::get(type.getContext());
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(tensor.clone(f32)) : f32;
}

//===----------------------------------------------------------------------===//
// The sweep
//===----------------------------------------------------------------------===//

LogicalResult Sweep::run(Block &block) {
  SmallVector<Operation *> operations;
  for (Operation &op : block.without_terminator())
    operations.push_back(&op);
  return run(operations);
}

LogicalResult Sweep::run(ArrayRef<Operation *> operations) {
  static const AdjointTable table;
  for (Operation *op : llvm::reverse(operations)) {
    b.setLoc(op->getLoc());
    bool needed = llvm::any_of(op->getResults(), [&](Value result) {
      return wants(result) &&
             (isa<SoftmaxStateType>(result.getType()) || getCotangent(result));
    });
    if (!needed)
      continue;
    Adjoint adjoint = table.find(op);
    if (!adjoint)
      return op->emitError()
             << "no gradient is known of " << op->getName()
             << "; rl.detach(x) makes a value a constant to differentiation";
    if (failed(adjoint(op, *this)))
      return failure();
  }
  return success();
}

static Value plus(ImplicitLocOpBuilder &b, Value sum, Value x) {
  return sum ? b.create<arith::AddFOp>(sum, x) : x;
}

void Sweep::add(Value value, Value cotangent) {
  if (!wants(value) || !cotangent)
    return;
  assert(cotangent.getType() == toF32(value.getType()));
  cotangents[value] = plus(b, cotangents.lookup(value), cotangent);
}

void Sweep::addToParameter(Value parameter, Value part) {
  if (wants(parameter))
    parameters[parameter] = plus(b, parameters.lookup(parameter), part);
}

void Sweep::addFromVisits(Value owner, Value result) {
  bool isParameter = isa<BlockArgument>(owner) && !owner.getType().isF32();
  if (isParameter && belongsToVisits(owner.getType()))
    sums[owner] = result;
  else if (isParameter)
    addToParameter(owner, result);
  else if (isa<SumsType>(result.getType()))
    add(owner, readBack(result, toF32(owner.getType())));
  else
    add(owner, result);
}

/// What visits have added to the elements of a value over slots.
Value Sweep::readBack(Value sums, Type type) {
  auto pos = AxesAttr::get(b.getContext(), {Axis::Pos});
  Type row = getNamedType(dropAxes(getSizedAxes(type), pos), b.getF32Type());
  return spread(b.create<LoadOp>(row, sums), type);
}

Value Sweep::getSums(Value parameter) {
  Value &sum = sums[parameter];
  if (!sum)
    sum = b.create<ZerosOp>(SumsType::get(b.getContext(), parameter.getType()));
  return sum;
}

Value Sweep::getWide(Value value) {
  Value primal = getPrimal(value);
  Type wide = toF32(primal.getType());
  return primal.getType() == wide ? primal
                                  : b.create<arith::ExtFOp>(wide, primal);
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

Value Sweep::fill(double number, Type type) {
  auto scalar = b.getF32FloatAttr(static_cast<float>(number));
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.hasStaticShape())
    return b.create<arith::ConstantOp>(DenseElementsAttr::get(tensor, scalar));
  // Nobody knows yet how long a stream is.
  return spread(b.create<arith::ConstantOp>(scalar), type);
}

Value Sweep::spread(Value x, Type type) {
  return x.getType() == type ? x : b.create<BroadcastOp>(type, x);
}

Value Sweep::mul(Value x, Value y) { return b.create<arith::MulFOp>(x, y); }
Value Sweep::sub(Value x, Value y) { return b.create<arith::SubFOp>(x, y); }
Value Sweep::exp(Value x) { return b.create<math::ExpOp>(x); }

Value Sweep::mask(Value x) {
  return chunk ? b.create<MaskOp>(x.getType(), x, chunk) : x;
}

Value Sweep::choose(arith::CmpFPredicate predicate, Value x, Value y, Value yes,
                    Value no) {
  Value condition = b.create<arith::CmpFOp>(predicate, x, y);
  return b.create<arith::SelectOp>(condition, yes, no);
}

Value Sweep::sum(Value x, ArrayRef<Axis> over) {
  if (over.empty())
    return x;
  auto axes = AxesAttr::get(b.getContext(), over);
  Type type = getNamedType(dropAxes(getSizedAxes(x.getType()), axes),
                           getElementTypeOrSelf(x.getType()));
  return b.create<FoldOp>(type, Monoid::Sum, x, axes,
                          axes.contains(Axis::Key) ? chunk : Value());
}

static bool hasAxis(Type type, Axis axis) {
  AxesAttr axes = getAxes(type);
  return axes && axes.contains(axis);
}

Value Sweep::contract(Value x, Value y, Type type) {
  SmallVector<Axis> both;
  for (Value *side : {&x, &y}) {
    SmallVector<Axis> alone;
    Type other = side == &x ? y.getType() : x.getType();
    for (auto [axis, size] : getSizedAxes(side->getType()))
      if (!hasAxis(type, axis))
        (hasAxis(other, axis) ? both : alone).push_back(axis);
    *side = sum(*side, alone);
  }
  both.resize(both.size() / 2); // each side had them, in the same order
  if (both.empty()) {
    auto wide = [&](Value side) {
      Type element = toF32(side.getType());
      if (side.getType() != element)
        side = b.create<arith::ExtFOp>(element, side);
      return spread(side, type);
    };
    Value left = wide(x);
    return mul(left, wide(y));
  }
  auto over = AxesAttr::get(b.getContext(), both);
  SmallVector<SizedAxis> kept = getSizedAxes(x.getType());
  llvm::append_range(kept, getSizedAxes(y.getType()));
  llvm::sort(kept);
  kept.erase(llvm::unique(kept), kept.end());
  Value dot =
      b.create<DotOp>(getNamedType(dropAxes(kept, over), b.getF32Type()), x, y,
                      over, over.contains(Axis::Key) ? chunk : Value());
  return spread(dot, type);
}
