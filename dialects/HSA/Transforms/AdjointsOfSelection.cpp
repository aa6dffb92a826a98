// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AdjointsOfSelection.cpp - Adjoints of streams and slots ------------===//
//
// Which chunks were picked is a constant to differentiation; what was taken of
// a stream is not. A stream is never stored and neither is its cotangent: the
// adjoint of
//
//     %t = hsa.take %s at %slots
//
// is a reduction that visits the picks. A visit computes the stream of its
// chunk, from the landmark's row, and sends back the cotangent of its slot:
//
//     hsa.reduce (%slot, %c) in %picks into (sum %dx, sum %dlandmarks) {
//       %l = hsa.chunk %landmarks[%c]
//       %s = hsa.dot %x, %l over dim
//       %ds = hsa.at %dt[%slot]
//       ... hsa.yield %part, %row
//     }
//
// An empty slot is not visited, so nothing is sent back from it.
//
// Where gradients come from all of a stream as well (from its log-sum-exp,
// say), the program walks over the stream anyway, and the adjoint is a stream:
//
//     %ds = hsa.put %dt at %slots
//
//===----------------------------------------------------------------------===//

#include "Adjoints.h"

#include <limits>

using namespace mlir;
using namespace ramify::hsa;

static bool hasAxis(Type type, Axis axis) {
  AxesAttr axes = getAxes(type);
  return axes && axes.contains(axis);
}

/// The type without one axis.
static Type withoutAxis(Type type, Axis axis) {
  if (!hasAxis(type, axis))
    return type;
  auto dropped = AxesAttr::get(type.getContext(), {axis});
  return getNamedType(dropAxes(getSizedAxes(type), dropped),
                      getElementTypeOrSelf(type));
}

//===----------------------------------------------------------------------===//
// A stream, at one chunk
//===----------------------------------------------------------------------===//

namespace {
class TakeAdjoint {
public:
  TakeAdjoint(TakeOp op, Sweep &outer)
      : op(op), outer(outer), b(outer.b), activity(outer.activity) {}
  LogicalResult emit();

private:
  FailureOr<Value> visit(Value value);
  Value visitOutside(Value value);
  Value visitInfo(ChunkInfoOp info);
  FailureOr<Value> visitOperation(Operation *source, Type type);
  FailureOr<SmallVector<Value>> emitVisit(Value slot);
  ReduceOp emitReduce(SlotType slot, ChunkIdType chunkId,
                      std::unique_ptr<Block> body, TypeRange yields);

  TakeOp op;
  Sweep &outer;
  ImplicitLocOpBuilder &b;
  Activity activity; ///< also of what the visit makes
  Value chunk;
  llvm::DenseMap<Value, Value> made;    ///< by value of the program
  llvm::MapVector<Value, Value> owners; ///< in the program, by primal
  SmallVector<Operation *> operations;  ///< of the visit, in order
  SmallVector<Value> yielded;           ///< whose cotangents
};
} // namespace

Value TakeAdjoint::visitOutside(Value value) {
  Value primal = outer.getPrimal(value);
  if (outer.wants(value)) {
    activity.add(primal);
    owners[primal] = value;
  }
  return primal;
}

Value TakeAdjoint::visitInfo(ChunkInfoOp info) {
  auto program = op->getParentOfType<ProgramOp>();
  Value size = b.create<arith::ConstantOp>(
      b.getI32IntegerAttr(program.getChunkSize(info.getPartition())));
  Value index = b.create<ChunkIndexOp>(b.getI32Type(), chunk);
  auto start = [&]() -> Value { return b.create<arith::MulIOp>(index, size); };
  auto end = [&]() -> Value {
    return b.create<ChunkEndOp>(b.getI32Type(), chunk);
  };
  switch (info.getInfo()) {
  case ChunkInfo::Index:
    return index;
  case ChunkInfo::Start:
    return start();
  case ChunkInfo::End:
    return end();
  case ChunkInfo::Length:
    return b.create<arith::SubIOp>(end(), start());
  }
  llvm_unreachable("all cases are covered");
}

/// The operation on values that have lost their chunk axis.
FailureOr<Value> TakeAdjoint::visitOperation(Operation *source, Type type) {
  if (auto stream = dyn_cast<StreamOp>(source))
    return b.create<ChunkOp>(type, visitOutside(stream.getSource()), chunk)
        .getResult();
  if (auto info = dyn_cast<ChunkInfoOp>(source))
    return visitInfo(info);
  SmallVector<Value> operands;
  for (Value operand : source->getOperands()) {
    FailureOr<Value> own = visit(operand);
    if (failed(own))
      return failure();
    operands.push_back(*own);
  }
  if (isa<BroadcastOp>(source) && operands[0].getType() == type)
    return operands[0];
  Operation *clone = b.clone(*source);
  clone->setOperands(operands);
  clone->getResult(0).setType(type);
  return clone->getResult(0);
}

/// The value of the program at the chunk of the visit.
FailureOr<Value> TakeAdjoint::visit(Value value) {
  if (!hasAxis(value.getType(), Axis::Chunk))
    return visitOutside(value);
  if (Value known = made.lookup(value))
    return known;
  Type type = withoutAxis(value.getType(), Axis::Chunk);
  FailureOr<Value> result = visitOperation(value.getDefiningOp(), type);
  if (failed(result))
    return failure();
  if (outer.wants(value)) {
    activity.add(*result);
    Operation *last = result->getDefiningOp();
    if (last && last->getBlock() == b.getInsertionBlock() &&
        !llvm::is_contained(operations, last))
      operations.push_back(last);
  }
  made[value] = *result;
  return *result;
}

//===----------------------------------------------------------------------===//
// take
//===----------------------------------------------------------------------===//

/// The body of the reduction; returns what it yields.
FailureOr<SmallVector<Value>> TakeAdjoint::emitVisit(Value slot) {
  FailureOr<Value> stream = visit(op.getStream());
  if (failed(stream))
    return failure();
  IRMapping same;
  Sweep sweep(b, activity, same, /*chunk=*/Value());
  Value all = outer.getCotangent(op.getResult());
  Value own = b.create<AtOp>(withoutAxis(all.getType(), Axis::Slot), all, slot);
  SmallVector<Axis> over;
  for (auto [axis, size] : getSizedAxes(own.getType()))
    if (!hasAxis(stream->getType(), axis))
      over.push_back(axis);
  sweep.add(*stream, sweep.sum(own, over));
  if (failed(sweep.run(operations)))
    return failure();
  SmallVector<Value> yields;
  for (auto [primal, owner] : owners)
    for (Value part :
         {sweep.getCotangent(primal), sweep.parameters.lookup(primal)})
      if (part) {
        yielded.push_back(owner);
        yields.push_back(part);
      }
  return yields;
}

ReduceOp TakeAdjoint::emitReduce(SlotType slot, ChunkIdType chunkId,
                                 std::unique_ptr<Block> body,
                                 TypeRange yields) {
  MLIRContext *context = b.getContext();
  SmallVector<Value> inits;
  for (auto [owner, type] : llvm::zip(yielded, yields))
    inits.push_back(belongsToVisits(owner.getType())
                        ? outer.getSums(owner)
                        : b.create<IdentityOp>(type, Monoid::Sum).getResult());
  SmallVector<Attribute> monoids(inits.size(),
                                 MonoidAttr::get(context, Monoid::Sum));
  auto domain =
      DomainType::get(context, chunkId.getPartition(), slot.getIndices());
  Value picks = b.create<SelectedOp>(domain, outer.picks.indices,
                                     /*partition=*/nullptr, /*as=*/nullptr);
  auto reduce = b.create<ReduceOp>(ValueRange(inits).getTypes(), picks, inits,
                                   b.getArrayAttr(monoids));
  reduce.getBody().push_back(body.release());
  return reduce;
}

LogicalResult TakeAdjoint::emit() {
  MLIRContext *context = b.getContext();
  auto indices = cast<IndicesType>(outer.picks.indices.getType());
  auto slot = SlotType::get(context, outer.picks.name);
  auto chunkId = ChunkIdType::get(context, indices.getPartition());
  auto body = std::make_unique<Block>();
  body->addArgument(slot, op.getLoc());
  chunk = body->addArgument(chunkId, op.getLoc());
  SmallVector<Type> types;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(body.get());
    FailureOr<SmallVector<Value>> yields = emitVisit(body->getArgument(0));
    if (failed(yields))
      return failure();
    b.setLoc(op.getLoc());
    b.create<YieldOp>(ValueRange(*yields));
    llvm::append_range(types, ValueRange(*yields).getTypes());
  }
  if (yielded.empty())
    return success();
  ReduceOp reduce = emitReduce(slot, chunkId, std::move(body), types);
  for (auto [owner, result] : llvm::zip(yielded, reduce.getResults()))
    outer.addFromVisits(owner, result);
  return success();
}

static LogicalResult adjointOfTake(Operation *op, Sweep &sweep) {
  auto take = cast<TakeOp>(op);
  if (!sweep.walksBack)
    return TakeAdjoint(take, sweep).emit();
  Value dt = sweep.getCotangent(take.getResult());
  SmallVector<SizedAxis> axes;
  SmallVector<Axis> over;
  for (auto [axis, size] : getSizedAxes(dt.getType())) {
    if (axis == Axis::Slot)
      continue;
    axes.push_back({axis, size});
    if (!hasAxis(take.getStream().getType(), axis))
      over.push_back(axis);
  }
  axes.push_back({Axis::Chunk, ShapedType::kDynamic});
  Value put = sweep.b.create<PutOp>(getNamedType(axes, sweep.b.getF32Type()),
                                    dt, sweep.getPrimal(take.getSlots()));
  sweep.add(take.getStream(), sweep.sum(put, over));
  return success();
}

//===----------------------------------------------------------------------===//
// scan, logsumexp
//===----------------------------------------------------------------------===//

/// dx += the running sum of dy from the other end.
static LogicalResult adjointOfScan(Operation *op, Sweep &sweep) {
  auto scan = cast<ScanOp>(sweep.b.clone(*op));
  scan.getInputMutable().assign(sweep.getCotangent(op->getResult(0)));
  scan.setReverse(!scan.getReverse());
  sweep.add(op->getOperand(0), scan.getResult());
  return success();
}

/// dx += dy exp(x - y); nothing where y is -inf.
static LogicalResult adjointOfLogSumExp(Operation *op, Sweep &sweep) {
  auto lse = cast<LogSumExpOp>(op);
  Value x = sweep.getPrimal(lse.getInput());
  Value y = sweep.getPrimal(lse.getResult());
  Type type = y.getType();
  Value nothing = sweep.fill(-std::numeric_limits<double>::infinity(), type);
  Value reference = sweep.choose(arith::CmpFPredicate::OEQ, y, nothing,
                                 sweep.fill(0, type), y);
  Value share = sweep.exp(sweep.sub(x, sweep.spread(reference, x.getType())));
  Value dy = sweep.spread(sweep.getCotangent(lse.getResult()), x.getType());
  Value dx = sweep.mul(dy, share);
  sweep.add(lse.getInput(), lse.getOver() == Axis::Key ? sweep.mask(dx) : dx);
  return success();
}

void ramify::hsa::addAdjointsOfSelection(AdjointTable &table) {
  table.add<TakeOp>(adjointOfTake);
  table.add<ScanOp>(adjointOfScan);
  table.add<LogSumExpOp>(adjointOfLogSumExp);
}
