// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Expander.cpp - Control flow and scalars ----------------------------===//

#include "Expander.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

LogicalResult Expander::run() {
  loc = kernel.getLoc();
  kernel.walk([&](WgmmaOp) { usesWgmma = true; });
  Block *entry = &function.getBody().front();
  builder.setInsertionPointToStart(entry);
  describeArguments(builder, kernel, function, arrays, scalars);
  // The lane first; what depends on it only goes between it and the body.
  PTX ptx(builder, loc);
  laneValue = ptx.laneId();
  warpValue = constant32(0);
  if (numWarps() > 1)
    warpValue = ptx.warpId();
  entryEnd = builder.create<LLVM::ConstantOp>(loc, builder.getI32Type(), 0);
  if (failed(expandBlock(kernel.getBody().front())))
    return failure();
  entryEnd->erase();
  builder.setInsertionPointToEnd(entry);
  builder.create<LLVM::ReturnOp>(loc, ValueRange());
  return success();
}

LogicalResult Expander::expandBlock(Block &block) {
  for (Operation &op : block.without_terminator()) {
    loc = op.getLoc();
    if (failed(expand(&op)))
      return failure();
  }
  return success();
}

static bool onTensors(Operation *op) {
  auto isTensor = [](Type type) { return isa<RankedTensorType>(type); };
  return llvm::any_of(op->getOperandTypes(), isTensor) ||
         llvm::any_of(op->getResultTypes(), isTensor);
}

LogicalResult Expander::expand(Operation *op) {
  for (Value result : op->getResults())
    if (auto type = dyn_cast<RankedTensorType>(result.getType());
        type && type.getRank() && !Layout::of(type))
      return op->emitOpError("expected a result with a layout");
  PTX ptx(builder, loc);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](scf::ForOp op) { return expandFor(op); })
      .Case([&](scf::IfOp op) { return expandIf(op); })
      .Case([&](IotaOp op) { return expandIota(op); })
      .Case([&](BroadcastOp op) { return expandBroadcast(op); })
      .Case([&](ReduceOp op) { return expandReduce(op); })
      .Case([&](ConvertLayoutOp op) { return expandConvertLayout(op); })
      .Case([&](TopKOp op) { return expandTopK(op); })
      .Case([&](KeepBestOp op) { return expandKeepBest(op); })
      .Case([&](SortListsOp op) { return expandSortLists(op), success(); })
      .Case([&](DotOp op) { return expandDot(op); })
      .Case([&](GatherOp op) { return expandGather(op); })
      .Case([&](LookupOp op) { return expandLookup(op); })
      .Case([&](ScatterOp op) { return expandScatter(op); })
      .Case([&](CopyAsyncOp op) { return expandCopy(op); })
      .Case([&](LoadSharedOp op) { return expandLoadShared(op); })
      .Case([&](StoreSharedOp op) { return expandStoreShared(op); })
      .Case([&](TransposeOp op) { return expandTranspose(op); })
      .Case([&](ScanOp op) {
        return op.getType().getRank() == 1 ? scanVector(op) : expandScan(op);
      })
      .Case([&](SortOp op) {
        bool rows = cast<RankedTensorType>(op.getType(0)).getRank() == 2;
        return rows ? expandSort(op) : sortVectors(op);
      })
      .Case([&](RankOp op) { return expandRank(op); })
      .Case([&](TallyOp op) { return expandTally(op); })
      .Case([&](FetchAddOp op) { return expandFetchAdd(op), success(); })
      .Case([&](DrainOp op) { return expandDrain(op); })
      .Case([&](ReduceIntoOp op) { return expandReduceInto(op); })
      .Case<AllocMBarriersOp, MBarrierArriveOp, MBarrierWaitOp, ElectOp,
            TmaLoadOp, WgmmaOp, WgmmaWaitOp>(
          [&](Operation *op) { return expandHopper(op); })
      .Case([&](AllocSharedOp op) { return expandAlloc(op), success(); })
      .Case([&](ScratchOp op) { return expandScratch(op), success(); })
      .Case([&](SignalOp op) { return expandSignal(op), success(); })
      .Case([&](AwaitOp op) { return expandAwait(op), success(); })
      .Case([&](CommitGroupOp) { return ptx.cpAsyncCommit(), success(); })
      .Case([&](WaitGroupOp op) {
        ptx.cpAsyncWait(op.getPending());
        return success();
      })
      .Case([&](BarrierOp) { return meet(), success(); })
      .Case([&](tensor::SplatOp op) {
        splat(op.getResult(), scalar(op.getInput()));
        return success();
      })
      .Case([&](tensor::ExtractOp op) { return expandExtract(op); })
      .Default([&](Operation *op) -> LogicalResult {
        if (!onTensors(op))
          return expandScalar(op);
        if (op->hasTrait<OpTrait::ConstantLike>())
          return expandConstant(op);
        if (op->hasTrait<OpTrait::Elementwise>())
          return expandElementwise(op);
        return op->emitOpError("has no lowering to the GPU");
      });
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

/// The type of a register: packed words and indices change.
Type Expander::registerType(Type element) {
  if (isPacked(element))
    return builder.getI32Type();
  if (element.isIndex())
    return builder.getI64Type();
  return element;
}

SmallVector<Type> Expander::flatTypes(TypeRange types) {
  SmallVector<Type> flat;
  for (Type type : types) {
    std::optional<Layout> layout = Layout::of(type);
    if (!layout) {
      flat.push_back(type.isIndex() ? builder.getI64Type() : type);
      continue;
    }
    Type element = cast<RankedTensorType>(type).getElementType();
    unsigned count = layout->numRegisters();
    flat.append(isPacked(element) ? (count + 1) / 2 : count,
                registerType(element));
  }
  return flat;
}

Registers Expander::flatten(ValueRange values) {
  Registers flat;
  for (Value value : values) {
    if (isa<RankedTensorType>(value.getType()))
      llvm::append_range(flat, registers(value));
    else
      flat.push_back(scalar(value));
  }
  return flat;
}

void Expander::unflatten(ValueRange values, ValueRange flat) {
  for (Value value : values) {
    size_t count = flatTypes(value.getType()).size();
    if (isa<RankedTensorType>(value.getType()))
      tiles[value] = Registers(flat.take_front(count));
    else
      scalars.map(value, flat.front());
    flat = flat.drop_front(count);
  }
}

LogicalResult Expander::expandFor(scf::ForOp op) {
  auto loop = builder.create<scf::ForOp>(
      loc, scalar(op.getLowerBound()), scalar(op.getUpperBound()),
      scalar(op.getStep()), flatten(op.getInitArgs()));
  OpBuilder::InsertionGuard guard(builder);
  Block *body = loop.getBody();
  if (!body->empty())
    body->getTerminator()->erase();
  builder.setInsertionPointToEnd(body);
  scalars.map(op.getInductionVar(), loop.getInductionVar());
  unflatten(op.getRegionIterArgs(), loop.getRegionIterArgs());
  if (failed(expandBlock(*op.getBody())))
    return failure();
  builder.create<scf::YieldOp>(loc, flatten(op.getYieldedValues()));
  unflatten(op.getResults(), loop.getResults());
  return success();
}

LogicalResult Expander::expandIf(scf::IfOp op) {
  auto branch = builder.create<scf::IfOp>(
      loc, flatTypes(op.getResultTypes()), scalar(op.getCondition()),
      /*addThenBlock=*/true, /*addElseBlock=*/!op.getElseRegion().empty());
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), branch->getRegions())) {
    if (from.empty())
      continue;
    OpBuilder::InsertionGuard guard(builder);
    Block *block = &to.front();
    if (!block->empty())
      block->getTerminator()->erase();
    builder.setInsertionPointToEnd(block);
    if (failed(expandBlock(from.front())))
      return failure();
    builder.create<scf::YieldOp>(
        loc, flatten(from.front().getTerminator()->getOperands()));
  }
  unflatten(op.getResults(), branch.getResults());
  return success();
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

/// An index_cast once index is i64: an extension, a truncation or nothing.
static Value castIndex(OpBuilder &builder, Location loc, Value value,
                       Type target, bool isSigned) {
  unsigned from = value.getType().getIntOrFloatBitWidth();
  unsigned to = target.getIntOrFloatBitWidth();
  if (from == to)
    return value;
  if (from > to)
    return builder.create<arith::TruncIOp>(loc, target, value);
  if (isSigned)
    return builder.create<arith::ExtSIOp>(loc, target, value);
  return builder.create<arith::ExtUIOp>(loc, target, value);
}

/// The last dimension of an array in parts of equal size.
void Expander::expandView(memref::ExpandShapeOp op) {
  ArrayDescriptor array = arrays[op.getSrc()];
  ArrayRef<int64_t> shape = op.getResultType().getShape();
  array.sizes.pop_back();
  array.strides.pop_back();
  for (int64_t size : shape.take_back(2))
    array.sizes.push_back(constant64(size));
  array.strides.append({constant64(shape.back()), constant64(1)});
  arrays[op.getResult()] = array;
}

LogicalResult Expander::expandScalar(Operation *op) {
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    expandScalarLoad(load);
    return success();
  }
  if (auto store = dyn_cast<memref::StoreOp>(op)) {
    expandScalarStore(store);
    return success();
  }
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    if (!index)
      return op->emitOpError("expected a constant dimension");
    scalars.map(dim.getResult(), arrays[dim.getSource()].sizes[*index]);
    return success();
  }
  if (auto view = dyn_cast<memref::ExpandShapeOp>(op)) {
    expandView(view);
    return success();
  }
  if (auto id = dyn_cast<ProgramIdOp>(op)) {
    Value block =
        PTX(builder, loc).blockId(static_cast<unsigned>(id.getAxis()));
    scalars.map(id.getResult(), builder.create<arith::ExtUIOp>(
                                    loc, builder.getI64Type(), block));
    return success();
  }
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
    scalars.map(op->getResult(0),
                castIndex(builder, loc, scalar(op->getOperand(0)),
                          registerType(op->getResult(0).getType()),
                          isa<arith::IndexCastOp>(op)));
    return success();
  }
  if (op->getNumRegions() || op->getNumResults() != 1)
    return op->emitOpError("has no lowering to the GPU");
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    if (constant.getType().isIndex()) {
      scalars.map(constant.getResult(),
                  constant64(cast<IntegerAttr>(constant.getValue()).getInt()));
      return success();
    }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(scalar(operand));
  Type type = op->getResult(0).getType();
  sums.clear();
  Value result = computeElement(op, operands,
                                type.isIndex() ? builder.getI64Type() : type);
  if (!result)
    return op->emitOpError("has no lowering to the GPU");
  scalars.map(op->getResult(0), result);
  return success();
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

Value Expander::constant32(int64_t value) {
  return builder.create<arith::ConstantIntOp>(loc, value, 32);
}

Value Expander::constant64(int64_t value) {
  return builder.create<arith::ConstantIntOp>(loc, value, 64);
}

/// True if `value` is the constant `expected`.
static bool isConstant(Value value, int64_t expected) {
  auto constant = value.getDefiningOp<arith::ConstantIntOp>();
  return constant && constant.value() == expected;
}

Value Expander::add32(Value a, Value b) {
  if (isConstant(a, 0))
    return b;
  if (isConstant(b, 0))
    return a;
  return builder.create<arith::AddIOp>(loc, a, b);
}

Value Expander::add64(Value a, Value b) { return add32(a, b); }

Value Expander::mul64(Value a, Value b) {
  if (isConstant(a, 1))
    return b;
  if (isConstant(b, 1))
    return a;
  return builder.create<arith::MulIOp>(loc, a, b);
}

Value Expander::toI64(Value value) {
  return castIndex(builder, loc, value, builder.getI64Type(), true);
}

Value Expander::advance(Value pointer, Value bytes) {
  return builder.create<LLVM::GEPOp>(loc, pointer.getType(),
                                     builder.getI8Type(), pointer, bytes);
}

Value Expander::advance(Value pointer, int64_t bytes) {
  if (!bytes)
    return pointer;
  return builder.create<LLVM::GEPOp>(
      loc, pointer.getType(), builder.getI8Type(), pointer,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}

const Registers &Expander::registers(Value value) {
  auto entry = tiles.find(value);
  assert(entry != tiles.end() && "used before it was expanded");
  return entry->second;
}

Value Expander::lane() { return laneValue; }
Value Expander::warp() { return warpValue; }

unsigned Expander::numWarps() {
  auto warps = kernel->getAttrOfType<IntegerAttr>(kWarpsAttrName);
  return warps ? std::max<int64_t>(1, warps.getInt()) : 1;
}

Value Expander::warpOf(const Layout &layout) {
  if (layout.numWarps() == numWarps())
    return warp();
  return builder.create<arith::RemUIOp>(loc, warp(),
                                        constant32(layout.numWarps()));
}

Value Expander::leads(const Layout &layout) {
  int64_t same = 0;
  for (auto [bit, basis] : llvm::enumerate(layout.laneBases()))
    if (llvm::all_of(basis, [](int64_t step) { return step == 0; }))
      same |= int64_t(1) << bit;
  Value first;
  if (same)
    first =
        isEqual(builder.create<arith::AndIOp>(loc, lane(), constant32(same)),
                constant32(0));
  if (layout.numWarps() == numWarps())
    return first;
  Value among = builder.create<arith::CmpIOp>(
      loc, arith::CmpIPredicate::ult, warp(), constant32(layout.numWarps()));
  return conjunction(first, among);
}

void Expander::meet() {
  PTX ptx(builder, loc);
  // wgmma reads what threads have written through another path to memory.
  if (usesWgmma)
    ptx.fenceAsyncShared();
  if (numWarps() > 1)
    ptx.barrier();
  else
    ptx.syncWarp();
}

Value Expander::isEqual(Value a, Value b) {
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, a, b);
}

Value Expander::conjunction(Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return builder.create<arith::AndIOp>(loc, a, b);
}

Value Expander::select(Value condition, Value a, Value b) {
  return a == b ? a : builder.create<arith::SelectOp>(loc, condition, a, b);
}

Value Expander::laneCoordinate(const Layout &layout, unsigned axis) {
  auto key = std::make_pair(
      layout.toAttr(builder.getContext()).getAsOpaquePointer(), axis);
  auto [entry, isNew] = laneCoordinates.try_emplace(key);
  if (!isNew)
    return entry->second;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(entryEnd);
  // Lane bits with doubling bases are one field of the lane number.
  Value sum = constant32(0);
  ArrayRef<Coords> bases = layout.laneBases();
  for (unsigned begin = 0; begin < bases.size();) {
    int64_t basis = bases[begin][axis];
    unsigned end = begin + 1;
    if (!basis) {
      begin = end;
      continue;
    }
    while (end < bases.size() && bases[end][axis] == basis << (end - begin))
      ++end;
    int64_t mask = (1 << (end - begin)) - 1;
    Value field =
        builder.create<arith::ShRUIOp>(loc, lane(), constant32(begin));
    field = builder.create<arith::AndIOp>(loc, field, constant32(mask));
    field = builder.create<arith::MulIOp>(loc, field, constant32(basis));
    sum = add32(sum, field);
    begin = end;
  }
  if (layout.getWarps()[axis] > 1) {
    Value atom = constant32(layout.atomShape()[axis]);
    sum = add32(sum, builder.create<arith::MulIOp>(loc, warpOf(layout), atom));
  }
  return laneCoordinates[key] = sum;
}

Registers Expander::unpackWords(ArrayRef<Value> words, Type element,
                                size_t count) {
  Registers elements;
  auto pair = VectorType::get(2, element);
  for (size_t i = 0; i < count; ++i) {
    Value vector = builder.create<LLVM::BitcastOp>(loc, pair, words[i / 2]);
    elements.push_back(
        builder.create<LLVM::ExtractElementOp>(loc, vector, constant32(i % 2)));
  }
  return elements;
}

Registers Expander::packElements(ArrayRef<Value> elements, Type element) {
  Registers words;
  auto pair = VectorType::get(2, element);
  for (size_t i = 0; i < elements.size(); i += 2) {
    Value vector = builder.create<LLVM::UndefOp>(loc, pair);
    for (size_t half = 0; half < 2 && i + half < elements.size(); ++half)
      vector = builder.create<LLVM::InsertElementOp>(
          loc, vector, elements[i + half], constant32(half));
    words.push_back(
        builder.create<LLVM::BitcastOp>(loc, builder.getI32Type(), vector));
  }
  return words;
}
