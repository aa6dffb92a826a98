// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OwnerSumsToGPU.cpp - What an owner adds to an array ----------------===//
//
// An owner's floats are added in order, without atomics. Where the indices may
// name an element twice, lanes add up what belongs together if all of that is
// in one warp; else the threads lay values and addresses side by side in shared
// memory, and the first of equal addresses adds them all.
//
//===----------------------------------------------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static bool isUniform(Value value) {
  return value.getDefiningOp<tensor::SplatOp>() ||
         matchPattern(value, m_Constant());
}

/// True if the elements are surely different.
static bool isDistinct(Value index) {
  if (index.getDefiningOp<IotaOp>())
    return true;
  auto add = index.getDefiningOp<arith::AddIOp>();
  return add && ((isDistinct(add.getLhs()) && isUniform(add.getRhs())) ||
                 (isUniform(add.getLhs()) && isDistinct(add.getRhs())));
}

void Expander::addOwnedRows(ReduceIntoOp op) {
  Type element =
      cast<RankedTensorType>(op.getValue().getType()).getElementType();
  forEachAccess(
      rowAccesses(op.getValue(), op.getTarget(), op.getIndices(), op.getMask()),
      [&](const RowAccess &access) {
        unsigned width = access.words.size();
        Type type = accessType(builder, element, width);
        unsigned alignment = width * bytesOf(element);
        Registers sums = split(
            builder, loc,
            builder.create<LLVM::LoadOp>(loc, type, access.pointer, alignment));
        for (auto [sum, word] : llvm::zip_equal(sums, access.words))
          sum = builder.create<arith::AddFOp>(loc, sum, word);
        builder.create<LLVM::StoreOp>(loc, join(builder, loc, sums, type),
                                      access.pointer, alignment);
      });
}

//===----------------------------------------------------------------------===//
// Elements that may meet anywhere
//===----------------------------------------------------------------------===//

/// Values and addresses of a vector in shared memory; no address where the mask
/// is false.
struct Expander::Deposit {
  Value addresses, values;
  int64_t length, run;
};

Expander::Deposit Expander::depositElements(ReduceIntoOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Layout layout = *Layout::of(type);
  int64_t length = type.getDimSize(0), bytes = bytesOf(type.getElementType());
  Value area = exchangeArea(length * (sizeof(int64_t) + bytes));
  int64_t run = op.getRun() ? op.getRun() : length;
  Deposit deposit = {area, advance(area, length * sizeof(int64_t)), length,
                     run};
  Registers pointers = rowPointers(arrays[op.getTarget()], op.getIndices(),
                                   layout.numRegisters(), bytes);
  Registers values = registers(op.getValue());
  Value place = toI64(laneCoordinate(layout, 0));
  meet();
  whereTrue(leads(layout), {}, [&] {
    for (unsigned r = 0; r < layout.numRegisters(); ++r) {
      Value address = builder.create<LLVM::PtrToIntOp>(
          loc, builder.getI64Type(), pointers[r]);
      if (op.getMask())
        address = select(registers(op.getMask())[r], address, constant64(0));
      Value at = add64(place, constant64(layout.offset(r)[0]));
      builder.create<LLVM::StoreOp>(
          loc, address,
          advance(deposit.addresses, mul64(at, constant64(sizeof(int64_t)))));
      builder.create<LLVM::StoreOp>(
          loc, values[r],
          advance(deposit.values, mul64(at, constant64(bytes))));
    }
    return Registers();
  });
  meet();
  return deposit;
}

/// The sum of the values at the address of element `number` of the deposit, and
/// whether that is the first of them. They stand in one run.
std::pair<Value, Value> Expander::sumOfEqual(const Deposit &deposit,
                                             Value number, Value address) {
  Type f32 = builder.getF32Type(), i64 = builder.getI64Type();
  Value zero =
      builder.create<arith::ConstantOp>(loc, builder.getF32FloatAttr(0.0f));
  Value yes = builder.create<arith::ConstantIntOp>(loc, 1, 1);
  Value first = constant64(0);
  if (deposit.run != deposit.length)
    first = mul64(
        builder.create<arith::DivUIOp>(loc, number, constant64(deposit.run)),
        constant64(deposit.run));
  auto loop = builder.create<scf::ForOp>(loc, first,
                                         add64(first, constant64(deposit.run)),
                                         constant64(1), ValueRange{zero, yes});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value j = loop.getInductionVar();
  Value other = builder.create<LLVM::LoadOp>(
      loc, i64, advance(deposit.addresses, mul64(j, constant64(8))));
  Value value = builder.create<LLVM::LoadOp>(
      loc, f32, advance(deposit.values, mul64(j, constant64(4))));
  Value same = isEqual(address, other);
  Value sum = loop.getRegionIterArg(0);
  Value more = builder.create<arith::AddFOp>(loc, sum, value);
  Value earlier =
      builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, j, number);
  earlier = builder.create<arith::AndIOp>(loc, same, earlier);
  Value no = builder.create<arith::ConstantIntOp>(loc, 0, 1);
  Value isFirst = select(earlier, no, loop.getRegionIterArg(1));
  builder.create<scf::YieldOp>(loc,
                               ValueRange{select(same, more, sum), isFirst});
  return {loop.getResult(0), loop.getResult(1)};
}

void Expander::addAtAddress(ReduceIntoOp op, Value address, Value term) {
  Value pointer = builder.create<LLVM::IntToPtrOp>(
      loc, arrays[op.getTarget()].pointer.getType(), address);
  Value old = builder.create<LLVM::LoadOp>(loc, builder.getF32Type(), pointer);
  builder.create<LLVM::StoreOp>(
      loc, builder.create<arith::AddFOp>(loc, old, term), pointer);
}

void Expander::addOwnedElements(ReduceIntoOp op) {
  Deposit deposit = depositElements(op);
  Type i64 = builder.getI64Type();
  Value thread =
      builder.create<arith::ExtUIOp>(loc, i64, PTX(builder, loc).threadId());
  auto loop =
      builder.create<scf::ForOp>(loc, thread, constant64(deposit.length),
                                 constant64(kWarpSize * numWarps()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar();
  Value address = builder.create<LLVM::LoadOp>(
      loc, i64, advance(deposit.addresses, mul64(number, constant64(8))));
  Value wanted = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne,
                                               address, constant64(0));
  whereTrue(wanted, {}, [&] {
    auto [sum, first] = sumOfEqual(deposit, number, address);
    whereTrue(first, {}, [&, sum = sum] {
      addAtAddress(op, address, sum);
      return Registers();
    });
    return Registers();
  });
}

//===----------------------------------------------------------------------===//
// Elements that meet in runs within a warp
//===----------------------------------------------------------------------===//

/// The lanes of a warp that have the other elements of a run, as the bits of
/// their numbers; none if some of them are in another warp.
static std::optional<SmallVector<unsigned>> lanesOfRun(const Layout &layout,
                                                       int64_t run) {
  if (!run || !llvm::isPowerOf2_64(run))
    return std::nullopt;
  for (unsigned warp = 0; warp < layout.numWarps(); ++warp)
    if (layout.element(0, 0, warp)[0] % run)
      return std::nullopt;
  SmallVector<unsigned> bits;
  int64_t inRun = 0;
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    inRun += layout.offset(r)[0] < run;
  for (auto [bit, basis] : llvm::enumerate(layout.laneBases()))
    if (basis[0] && basis[0] < run) {
      bits.push_back(bit);
      inRun *= 2;
    } else if (basis[0] % run) {
      return std::nullopt;
    }
  return inRun == run ? std::optional(bits) : std::nullopt;
}

/// The sum of a run, and its address, 0 if there is none.
std::pair<Value, Value> Expander::sumOfRun(ReduceIntoOp op,
                                           ArrayRef<unsigned> registersOfRun,
                                           ArrayRef<unsigned> lanes,
                                           const Registers &pointers) {
  PTX ptx(builder, loc);
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  Value zero =
      builder.create<arith::ConstantOp>(loc, builder.getF32FloatAttr(0.0f));
  Value sum, address;
  for (unsigned r : registersOfRun) {
    Value value = registers(op.getValue())[r];
    Value own = builder.create<LLVM::PtrToIntOp>(loc, i64, pointers[r]);
    if (op.getMask()) {
      value = select(registers(op.getMask())[r], value, zero);
      own = select(registers(op.getMask())[r], own, constant64(0));
    }
    sum = sum ? builder.create<arith::AddFOp>(loc, sum, value) : value;
    address = address ? builder.create<arith::OrIOp>(loc, address, own) : own;
  }
  Value low = builder.create<arith::TruncIOp>(loc, i32, address);
  Value high = builder.create<arith::TruncIOp>(
      loc, i32, builder.create<arith::ShRUIOp>(loc, address, constant64(32)));
  for (unsigned bit : lanes) {
    auto other = [&](Value own) { return ptx.shuffleXor(own, 1u << bit); };
    sum = builder.create<arith::AddFOp>(loc, sum, other(sum));
    low = builder.create<arith::OrIOp>(loc, low, other(low));
    high = builder.create<arith::OrIOp>(loc, high, other(high));
  }
  low = builder.create<arith::ExtUIOp>(loc, i64, low);
  high = builder.create<arith::ExtUIOp>(loc, i64, high);
  high = builder.create<arith::ShLIOp>(loc, high, constant64(32));
  return {sum, builder.create<arith::OrIOp>(loc, high, low)};
}

/// What belongs together is in one warp: its first lane adds.
void Expander::addOwnedRuns(ReduceIntoOp op, ArrayRef<unsigned> lanes) {
  Layout layout = *Layout::of(cast<RankedTensorType>(op.getValue().getType()));
  Registers pointers =
      rowPointers(arrays[op.getTarget()], op.getIndices(),
                  layout.numRegisters(), bytesOf(builder.getF32Type()));
  std::map<int64_t, SmallVector<unsigned>> runs;
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    runs[layout.offset(r)[0] / static_cast<int64_t>(op.getRun())].push_back(r);
  int64_t others = 0;
  for (unsigned bit : lanes)
    others |= int64_t(1) << bit;
  Value isFirst =
      isEqual(builder.create<arith::AndIOp>(loc, lane(), constant32(others)),
              constant32(0));
  Value adds = conjunction(leads(layout), isFirst);
  for (auto &[run, members] : runs) {
    auto [sum, address] = sumOfRun(op, members, lanes, pointers);
    Value exists = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne,
                                                 address, constant64(0));
    whereTrue(conjunction(adds, exists), {}, [&, sum = sum, address = address] {
      addAtAddress(op, address, sum);
      return Registers();
    });
  }
}

//===----------------------------------------------------------------------===//
// The choice between them
//===----------------------------------------------------------------------===//

LogicalResult Expander::reduceOwned(ReduceIntoOp op) {
  RankedTensorType type = op.getValue().getType();
  if (op.getCombine() != Combine::Sum || !type.getElementType().isF32())
    return op.emitOpError("of an owner: expected sums of f32 or integers");
  bool distinct = op.getDistinct() || llvm::any_of(op.getIndices(), isDistinct);
  if (distinct && type.getRank() == 2)
    addOwnedRows(op);
  else if (auto lanes = lanesOfRun(*Layout::of(type), op.getRun()))
    addOwnedRuns(op, *lanes);
  else if (type.getRank() == 1)
    addOwnedElements(op);
  else
    return op.emitOpError(
        "of an owner: expected rows that are surely "
        "different (tile.iota, plus the same for all; or said to "
        "be distinct)");
  return success();
}
