// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitBlock.cpp - Scalars, loops and branches of a kernel ------------===//

#include "KernelEmitter.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

static bool isMatrix(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 2;
}
static bool isVector(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 1;
}

LogicalResult KernelEmitter::emit(tile::KernelOp kernel, ValueRange ids) {
  programId.assign(ids.begin(), ids.end());
  planStores(kernel);
  return emitBlock(kernel.getBody().front());
}

LogicalResult KernelEmitter::emitBlock(Block &block) {
  Block *outer = currentBlock;
  currentBlock = &block;
  auto restore = llvm::make_scope_exit([&] { currentBlock = outer; });
  for (Operation &op : block)
    if (failed(emitOp(&op)))
      return failure();
  return success();
}

LogicalResult KernelEmitter::emitOp(Operation *op) {
  if (isLazy(op)) {
    emitLazy(op);
    return success();
  }
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](scf::ForOp loop) { return emitFor(loop); })
      .Case([&](scf::IfOp branch) { return emitIf(branch); })
      // A program is one thread here.
      .Case<tile::BarrierOp, tile::EndOp, scf::YieldOp>(
          [](auto) { return success(); })
      .Case([&](tile::ReduceOp reduce) {
        emitReduce(reduce);
        return success();
      })
      .Case([&](tile::DotOp dot) {
        emitDot(dot);
        return success();
      })
      .Case([&](tile::GatherOp gather) {
        emitGather(gather);
        return success();
      })
      .Case([&](tile::LookupOp lookup) {
        emitLookup(lookup);
        return success();
      })
      .Case([&](tile::ScatterOp scatter) {
        emitScatter(scatter);
        return success();
      })
      .Case([&](tile::ScanOp scan) {
        emitScan(scan);
        return success();
      })
      .Case([&](tile::SortOp sort) { return emitSort(sort); })
      .Case([&](tile::TopKOp topk) {
        emitTopK(topk);
        return success();
      })
      .Case([&](tile::TallyOp tally) {
        emitTally(tally);
        return success();
      })
      .Case([&](tile::FetchAddOp add) {
        emitFetchAdd(add);
        return success();
      })
      .Case([&](tile::ScratchOp scratch) {
        emitScratch(scratch);
        return success();
      })
      .Case([&](memref::StoreOp store) {
        emitStore(store);
        return success();
      })
      .Case([&](tile::TransposeOp transpose) {
        emitTranspose(transpose);
        return success();
      })
      .Case([&](tile::ReduceIntoOp reduce) { return emitReduceInto(reduce); })
      .Default([&](Operation *other) { return emitScalarOp(other); });
}

/// Vectors are computed where they are defined; tiles wait for their consumer.
void KernelEmitter::emitLazy(Operation *op) {
  if (auto branch = dyn_cast<scf::IfOp>(op))
    for (Region *region : {&branch.getThenRegion(), &branch.getElseRegion()})
      for (Operation &inner : region->front().without_terminator())
        if (!isLazy(&inner))
          (void)emitScalarOp(&inner);
  for (Value result : op->getResults())
    if (isVector(result.getType()))
      vectors[result] = vectorOf(result);
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value KernelEmitter::castInteger(Value value, Type type, bool isSigned) {
  unsigned from = value.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from == to)
    return value;
  if (from > to)
    return b.create<arith::TruncIOp>(type, value);
  if (isSigned)
    return b.create<arith::ExtSIOp>(type, value);
  return b.create<arith::ExtUIOp>(type, value);
}

/// A scalar op, or a constant, on the types that scalars are held in.
Value KernelEmitter::cloneScalar(Operation *op) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(scalars.lookup(operand));
  Type type = computeType(getElementTypeOrSelf(op->getResult(0)));
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    Attribute value = constant.getValue();
    if (auto dense = dyn_cast<DenseElementsAttr>(value))
      value = dense.getSplatValue<Attribute>();
    if (auto number = dyn_cast<FloatAttr>(value))
      return b.create<arith::ConstantOp>(
          b.getFloatAttr(type, number.getValueAsDouble()));
    return b.create<arith::ConstantOp>(
        b.getIntegerAttr(type, cast<IntegerAttr>(value).getValue()));
  }
  return cloneElementwise(op, operands, type);
}

LogicalResult KernelEmitter::emitScalarOp(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() != 0)
    return op->emitOpError("has no lowering to the CPU");
  Value result = op->getResult(0);
  Type type = computeType(getElementTypeOrSelf(result));
  auto operand = [&](unsigned i) { return scalars.lookup(op->getOperand(i)); };
  Value value =
      llvm::TypeSwitch<Operation *, Value>(op)
          .Case([&](tile::ProgramIdOp id) {
            return programId[static_cast<unsigned>(id.getAxis())];
          })
          .Case([&](memref::DimOp dim) {
            auto index = getConstantIntValue(dim.getDimension());
            return index ? arguments.find(dim.getSource())->second.sizes[*index]
                         : Value();
          })
          .Case([&](memref::LoadOp load) { return emitLoad(load); })
          .Case([&](tensor::ExtractOp extract) {
            return extract.getIndices().empty()
                       ? operand(0)
                       : element(extract.getTensor(), operand(1));
          })
          .Case([&](tensor::FromElementsOp) { return operand(0); })
          .Case([&](arith::IndexCastOp) {
            return castInteger(operand(0), type, true);
          })
          .Case([&](arith::IndexCastUIOp) {
            return castInteger(operand(0), type, false);
          })
          .Case([&](arith::ExtFOp) { return operand(0); })
          .Case([&](arith::TruncFOp) {
            return roundTo(getElementTypeOrSelf(result), operand(0));
          })
          .Case<tensor::SplatOp>([&](auto) { return operand(0); })
          .Default([&](Operation *) {
            return llvm::is_contained({"arith", "math"},
                                      op->getName().getDialectNamespace())
                       ? cloneScalar(op)
                       : Value();
          });
  if (!value)
    return op->emitOpError("has no lowering to the CPU");
  scalars[result] = value;
  return success();
}

//===----------------------------------------------------------------------===//
// Loops and branches
//===----------------------------------------------------------------------===//

/// The place in memory for `result` of `op`, which replaces the tile `old` if
/// there is one: where the result is wanted, else where `old` stands, provided
/// that nobody reads what is there any more. Not one of `taken`.
Value KernelEmitter::placeFor(Value result, Value old, Operation *op,
                              ArrayRef<Value> taken) {
  auto isFree = [&](Value place) {
    Value held = occupant.lookup(place);
    return !llvm::is_contained(taken, place) &&
           (!held || !isReadAfter(held, op));
  };
  Value place = wanted.lookup(result);
  if (!place || !isFree(place)) {
    place = old ? tiles.lookup(old) : Value();
    if (!place || occupant.lookup(place) != old || !isFree(place))
      place = allocateTile(result);
  }
  return place;
}

/// Evaluates what a block yields: vectors and scalars become values, tiles go
/// to their places.
SmallVector<Value> KernelEmitter::yieldInto(ValueRange operands,
                                            ArrayRef<Value> places) {
  SmallVector<Value> yielded;
  SmallVector<std::pair<Value, Value>> pending;
  for (auto [operand, place] : llvm::zip_equal(operands, places)) {
    if (isVector(operand.getType()))
      yielded.push_back(vectorOf(operand));
    else if (!isMatrix(operand.getType()))
      yielded.push_back(scalars.lookup(operand));
    else if (tiles.lookup(operand) != place)
      pending.emplace_back(operand, place);
  }
  // A tile that another one still needs is evaluated elsewhere first.
  for (auto [operand, place] : pending)
    for (auto [other, otherPlace] : pending)
      if (place != otherPlace && readsPlace(operand, otherPlace))
        tiles[operand] = copyOf(operand);
  for (auto [operand, place] : pending)
    evaluateInto(operand, place);
  return yielded;
}

bool KernelEmitter::readsPlace(Value value, Value place) {
  for (auto &[tile, where] : tiles)
    if (where == place && dependsOn(value, tile))
      return true;
  return false;
}

Value KernelEmitter::copyOf(Value tile) {
  Value place = allocateTile(tile);
  evaluateInto(tile, place);
  return place;
}

/// Stores lazy tiles from outside of `op` that its regions read more than once,
/// or need in memory.
void KernelEmitter::storeCaptured(Operation *op) {
  llvm::DenseSet<Value> seen;
  std::function<void(Value)> storeKept = [&](Value value) {
    Operation *lazy = lazyDefinition(value);
    if (!lazy || !seen.insert(value).second || tiles.contains(value) ||
        !isMatrix(value.getType()) || op->isProperAncestor(lazy))
      return;
    if (keep.contains(value))
      return (void)materialize(value);
    for (Value operand : lazy->getOperands())
      storeKept(operand);
  };
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands()) {
      if (op->isProperAncestor(operand.getParentBlock()->getParentOp()) ||
          operand.getParentBlock()->getParentOp() == op)
        continue;
      auto dot = dyn_cast<tile::DotOp>(inner);
      if (dot && operand == dot.getLhs())
        materialize(exactOperand(operand));
      else if (dot && operand == dot.getRhs())
        rowsOf(operand);
      else
        storeKept(operand);
    }
  });
}

LogicalResult KernelEmitter::emitFor(scf::ForOp op) {
  storeCaptured(op);
  SmallVector<Value> places, initial;
  for (auto [init, argument, result] : llvm::zip_equal(
           op.getInitArgs(), op.getRegionIterArgs(), op.getResults()))
    places.push_back(isMatrix(init.getType())
                         ? placeFor(result, init, op, places)
                         : Value());
  initial = yieldInto(op.getInitArgs(), places);
  auto forOp = b.create<scf::ForOp>(scalars.lookup(op.getLowerBound()),
                                    scalars.lookup(op.getUpperBound()),
                                    scalars.lookup(op.getStep()), initial);
  scalars[op.getInductionVar()] = forOp.getInductionVar();
  bindResults(op.getRegionIterArgs(), places, forOp.getRegionIterArgs());

  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forOp.getBody());
  auto yield = cast<scf::YieldOp>(op.getBody()->getTerminator());
  for (auto [operand, place] : llvm::zip_equal(yield.getOperands(), places))
    if (place)
      wanted[operand] = place;
  if (failed(emitBlock(*op.getBody())))
    return failure();
  currentBlock = op.getBody();
  SmallVector<Value> yielded = yieldInto(yield.getOperands(), places);
  currentBlock = op->getBlock();
  if (!forOp.getBody()->empty() &&
      forOp.getBody()->back().hasTrait<OpTrait::IsTerminator>())
    forOp.getBody()->back().erase();
  b.setInsertionPointToEnd(forOp.getBody());
  b.create<scf::YieldOp>(yielded);
  bindResults(op.getResults(), places, forOp.getResults());
  return success();
}

/// Gives the results of a loop or branch their places and values.
void KernelEmitter::bindResults(ValueRange results, ArrayRef<Value> places,
                                ValueRange values) {
  unsigned next = 0;
  for (auto [result, place] : llvm::zip_equal(results, places)) {
    if (place) {
      tiles[result] = place;
      occupant[place] = result;
    } else if (isVector(result.getType())) {
      vectors[result] = values[next++];
    } else {
      scalars[result] = values[next++];
    }
  }
}

LogicalResult KernelEmitter::emitIf(scf::IfOp op) {
  storeCaptured(op);
  SmallVector<Value> places;
  SmallVector<Type> types;
  for (Value result : op.getResults()) {
    Type type = result.getType();
    places.push_back(isMatrix(type) ? placeFor(result, Value(), op, places)
                                    : Value());
    if (isVector(type))
      types.push_back(vectorType(result));
    else if (!isMatrix(type))
      types.push_back(computeType(getElementTypeOrSelf(type)));
  }
  auto branch = b.create<scf::IfOp>(types, scalars.lookup(op.getCondition()),
                                    /*withElse=*/!op.getElseRegion().empty());
  for (auto [from, to] : llvm::zip_equal(op.getRegions(), branch.getRegions()))
    if (!from->empty() &&
        failed(emitBranch(from->front(), to->front(), places)))
      return failure();
  bindResults(op.getResults(), places, branch.getResults());
  return success();
}

LogicalResult KernelEmitter::emitBranch(Block &from, Block &to,
                                        ArrayRef<Value> places) {
  OpBuilder::InsertionGuard guard(b);
  if (!to.empty())
    to.back().erase();
  b.setInsertionPointToEnd(&to);
  auto before = occupant;
  auto yield = cast<scf::YieldOp>(from.getTerminator());
  for (auto [operand, place] : llvm::zip_equal(yield.getOperands(), places))
    if (place)
      wanted[operand] = place;
  if (failed(emitBlock(from)))
    return failure();
  Block *outer = currentBlock;
  currentBlock = &from;
  SmallVector<Value> yielded = yieldInto(yield.getOperands(), places);
  currentBlock = outer;
  b.create<scf::YieldOp>(yielded);
  occupant = before;
  return success();
}
