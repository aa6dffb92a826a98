// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ReduceIntoToGPU.cpp - Reductions into arrays -----------------------===//
//
// Where the order is free, red adds in the second-level cache. A thread has two
// neighbours of a row; targets that add more at once get 16 bytes, put together
// from neighbouring lanes:
//
//            row 0          row 8                       row 0    row 8
//   lane 0   a b            e f       lane 0 has   a b c d
//   lane 1       c d            g h   lane 1 has            e f g h
//
// An owner's floats are added in order, without atomics. Where the indices may
// name an element twice, lanes add up what belongs together if all of that is
// in one warp; else the threads lay values and addresses side by side in shared
// memory, and the first of equal addresses adds them all.
//
// Threads that hold the same elements must add them once only: one leads.
//
//===----------------------------------------------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static constexpr int64_t kMostBytes = 16; ///< of one red

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

/// In the order of columns, then rows.
SmallVector<RowAccess> Expander::rowAccesses(Value tile, Value array,
                                             ValueRange indices, Value mask) {
  auto type = cast<RankedTensorType>(tile.getType());
  auto memory = cast<MemRefType>(array.getType());
  Layout layout = *Layout::of(type), rows = layout.slice(1);
  Type element = type.getElementType();
  int64_t bytes = bytesOf(element);
  unsigned width = accessWidth(layout, memory, alignment(array));
  Registers words = registers(tile);
  bool packed = isPacked(element) && width > 1;
  if (isPacked(element) && !packed)
    words = unpackWords(words, element, layout.numRegisters());
  unsigned perWord = packed ? 2 : 1;
  Registers pointers =
      rowPointers(arrays[array], indices, rows.numRegisters(), bytes);
  Value column = mul64(toI64(laneCoordinate(layout, 1)), constant64(bytes));
  Value leader = leads(layout);
  std::map<std::pair<int64_t, unsigned>, RowAccess> sorted;
  for (auto [row, accesses] :
       llvm::enumerate(accessesByRow(layout, rows, width))) {
    Value pointer = advance(pointers[row], column);
    Value wanted = conjunction(leader, mask ? registers(mask)[row] : Value());
    for (unsigned r : accesses) {
      int64_t at = layout.offset(r)[1];
      Presence there = presence(layout, at, width, memory.getShape().back());
      if (there == Presence::None)
        continue;
      Value exists = there == Presence::Some
                         ? columnExists(layout, at, arrays[array])
                         : Value();
      sorted[{at, row}] = {
          Registers(ArrayRef(words).slice(r / perWord, width / perWord)),
          advance(pointer, at * bytes), conjunction(wanted, exists)};
    }
  }
  SmallVector<RowAccess> result;
  for (auto &[place, access] : sorted)
    result.push_back(access);
  return result;
}

/// Lanes whose bit `laneBit` is 0 take the first of two accesses whole, the
/// others the second; `bytes` is how many the lower lane's part has.
bool Expander::widen(SmallVector<RowAccess> &accesses, unsigned laneBit,
                     int64_t bytes) {
  if (accesses.size() % 2)
    return false;
  PTX ptx(builder, loc);
  Value mask = constant32(1 << laneBit);
  Value upper = isEqual(builder.create<arith::AndIOp>(loc, lane(), mask), mask);
  std::map<std::pair<void *, void *>, Value> masks;
  SmallVector<RowAccess> wide;
  for (size_t i = 0; i < accesses.size(); i += 2) {
    const RowAccess &first = accesses[i], &second = accesses[i + 1];
    Registers low, high;
    for (auto [a, b] : llvm::zip_equal(first.words, second.words)) {
      Value own = select(upper, b, a);
      Value other = ptx.shuffleXor(select(upper, a, b), 1u << laneBit);
      low.push_back(select(upper, other, own));
      high.push_back(select(upper, own, other));
    }
    low.append(high);
    Value &wanted = masks[{first.wanted.getAsOpaquePointer(),
                           second.wanted.getAsOpaquePointer()}];
    if (first.wanted && !wanted)
      wanted = select(upper, second.wanted, first.wanted);
    wide.push_back(
        {low, select(upper, advance(second.pointer, -bytes), first.pointer),
         wanted});
  }
  accesses = wide;
  return true;
}

/// Consecutive accesses with one condition stand under one branch.
void Expander::forEachAccess(ArrayRef<RowAccess> accesses,
                             llvm::function_ref<void(const RowAccess &)> body) {
  llvm::MapVector<Value, SmallVector<const RowAccess *>> groups;
  for (const RowAccess &access : accesses)
    groups[access.wanted].push_back(&access);
  for (auto &[wanted, members] : groups)
    whereTrue(wanted, {}, [&, &members = members] {
      for (const RowAccess *access : members)
        body(*access);
      return Registers();
    });
}

//===----------------------------------------------------------------------===//
// In any order
//===----------------------------------------------------------------------===//

/// One element, a packed word, or what a vector instruction takes.
void Expander::reduceOne(Combine combine, Type element, Value pointer,
                         ArrayRef<Value> words) {
  PTX ptx(builder, loc);
  if (combine != Combine::Sum)
    return ptx.reduceExtreme(pointer, words[0], combine == Combine::Max);
  bool pair = isPacked(element) && words[0].getType().isInteger(32);
  if (element.isBF16() && !target.reduceBF16)
    return ptx.addBF16(pointer, words[0], pair);
  ptx.reduceAdd(pointer, words, element);
}

void Expander::reduceElements(ReduceIntoOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Layout layout = *Layout::of(type);
  Type element = type.getElementType();
  Registers pointers = rowPointers(arrays[op.getTarget()], op.getIndices(),
                                   layout.numRegisters(), bytesOf(element));
  Registers values = registers(op.getValue());
  if (isPacked(element))
    values = unpackWords(values, element, layout.numRegisters());
  Value leader = leads(layout);
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    whereTrue(conjunction(leader,
                          op.getMask() ? registers(op.getMask())[r] : Value()),
              {}, [&] {
                reduceOne(op.getCombine(), element, pointers[r], values[r]);
                return Registers();
              });
}

/// The bit of the lane number that moves `columns` columns on.
static std::optional<unsigned> laneBitOf(const Layout &layout,
                                         int64_t columns) {
  for (auto [bit, basis] : llvm::enumerate(layout.laneBases()))
    if (basis == Coords{0, columns})
      return bit;
  return std::nullopt;
}

void Expander::reduceRows(ReduceIntoOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  auto memory = cast<MemRefType>(op.getTarget().getType());
  Layout layout = *Layout::of(type);
  int64_t bytes = bytesOf(type.getElementType());
  SmallVector<RowAccess> accesses =
      rowAccesses(op.getValue(), op.getTarget(), op.getIndices(), op.getMask());
  int64_t columns = memory.getShape().back();
  bool vectors = target.reduceVectors && op.getCombine() == Combine::Sum &&
                 isa<FloatType>(type.getElementType()) &&
                 !op.getTarget().getDefiningOp<ScratchOp>();
  int64_t alignedTo = alignment(op.getTarget());
  int64_t width = vectors ? accessWidth(layout, memory, alignedTo) : 1;
  bool whole = columns >= type.getDimSize(1);
  while (vectors && whole && width > 1 && 2 * width * bytes <= alignedTo &&
         2 * width * bytes <= kMostBytes && columns % (2 * width) == 0) {
    std::optional<unsigned> bit = laneBitOf(layout, width);
    if (!bit || !widen(accesses, *bit, width * bytes))
      break;
    width *= 2;
  }
  forEachAccess(accesses, [&](const RowAccess &access) {
    size_t each = vectors ? access.words.size() : 1;
    int64_t wordBytes = bytesOf(access.words[0].getType());
    for (size_t i = 0; i < access.words.size(); i += each)
      reduceOne(op.getCombine(), type.getElementType(),
                advance(access.pointer, i * wordBytes),
                ArrayRef(access.words).slice(i, each));
  });
}

//===----------------------------------------------------------------------===//
// By an owner
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

LogicalResult Expander::reduceOwned(ReduceIntoOp op) {
  RankedTensorType type = op.getValue().getType();
  if (op.getCombine() != Combine::Sum || !type.getElementType().isF32())
    return op.emitOpError("of an owner: expected sums of f32 or integers");
  if (llvm::any_of(op.getIndices(), isDistinct) && type.getRank() == 2)
    addOwnedRows(op);
  else if (auto lanes = lanesOfRun(*Layout::of(type), op.getRun()))
    addOwnedRuns(op, *lanes);
  else if (type.getRank() == 1)
    addOwnedElements(op);
  else
    return op.emitOpError("of an owner: expected rows that are surely "
                          "different (tile.iota, plus the same for all)");
  return success();
}

//===----------------------------------------------------------------------===//
// The operation
//===----------------------------------------------------------------------===//

LogicalResult Expander::expandReduceInto(ReduceIntoOp op) {
  RankedTensorType type = op.getValue().getType();
  Type element = type.getElementType();
  bool isInteger = isa<IntegerType>(element);
  if (op.getOrder() == Order::Slots)
    return op.emitOpError("in the order of slots has no lowering to the GPU");
  if (!isInteger && !element.isF32() && !isPacked(element))
    return op.emitOpError("expected f32, bf16, f16 or integers, found ")
           << element;
  // Integers may be added in any order.
  if (op.getOrder() == Order::Owner && !isInteger)
    return reduceOwned(op);
  if (op.getCombine() != Combine::Sum && !element.isInteger(32))
    return op.emitOpError("expected i32 for max and min, found ") << element;
  if (type.getRank() == 1)
    reduceElements(op);
  else
    reduceRows(op);
  return success();
}
