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
// Threads that hold the same elements must add them once only: one leads. What
// an owner adds in order is in OwnerSumsToGPU.cpp.
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
