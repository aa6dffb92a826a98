// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VectorsToGPU.cpp - Vectors that all threads look at ----------------===//
//
// Threads lay a vector side by side in shared memory and read what others have:
// to hold it in other threads, to count equal keys (tile.rank), to find each
// key's place (tile.sort), to learn what one of them has fetched
// (tile.fetch_add). A thread goes through all keys for its own, which for the
// hundreds of a program is a few microseconds and the same order each time.
//
//===----------------------------------------------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static constexpr int64_t kWordBytes = 4;

static int64_t lengthOf(Value vector) {
  return cast<RankedTensorType>(vector.getType()).getDimSize(0);
}

//===----------------------------------------------------------------------===//
// Words in shared memory
//===----------------------------------------------------------------------===//

Value Expander::wordPlace(Value area, Value number) {
  return advance(
      area, builder.create<arith::MulIOp>(loc, number, constant32(kWordBytes)));
}

/// Elements of 32 bits or fewer, a word each, at `places` (element numbers).
void Expander::layWords(Value area, Value vector, ArrayRef<Value> places) {
  auto type = cast<RankedTensorType>(vector.getType());
  Layout layout = *Layout::of(type);
  Registers values = registers(vector);
  if (isPacked(type.getElementType()))
    values = unpackWords(values, type.getElementType(), layout.numRegisters());
  whereTrue(leads(layout), {}, [&] {
    for (auto [value, place] : llvm::zip_equal(values, places)) {
      Value word = value;
      if (word.getType().isInteger(1))
        word = builder.create<arith::ExtUIOp>(loc, builder.getI32Type(), word);
      builder.create<LLVM::StoreOp>(loc, word, wordPlace(area, place));
    }
    return Registers();
  });
}

/// The number of each register's element.
Registers Expander::elementNumbers(const Layout &layout) {
  Registers numbers;
  Value first = laneCoordinate(layout, 0);
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    numbers.push_back(add32(first, constant32(layout.offset(r)[0])));
  return numbers;
}

/// The inverse of layWords.
Registers Expander::takeWords(Value area, RankedTensorType type) {
  Type element = type.getElementType();
  bool isMask = element.isInteger(1);
  Registers values;
  for (Value number : elementNumbers(*Layout::of(type))) {
    Value word = builder.create<LLVM::LoadOp>(
        loc, isMask ? builder.getI32Type() : element, wordPlace(area, number));
    if (isMask)
      word = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, word,
                                           constant32(0));
    values.push_back(word);
  }
  return isPacked(element) ? packElements(values, element) : values;
}

LogicalResult Expander::moveThroughShared(ConvertLayoutOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  if (type.getRank() != 1 || type.getElementTypeBitWidth() > 8 * kWordBytes)
    return op.emitOpError("cannot move elements between warps");
  Value area = exchangeArea(lengthOf(op.getInput()) * kWordBytes);
  meet();
  layWords(area, op.getInput(),
           elementNumbers(*Layout::of(op.getInput().getType())));
  meet();
  tiles[op.getResult()] = takeWords(area, type);
  return success();
}

//===----------------------------------------------------------------------===//
// Rank and sort
//===----------------------------------------------------------------------===//

/// For each register's element, how many keys j of those laid in `area` count:
/// what `counts` says of (key j, j < own number, own key).
Registers
Expander::countKeys(Value area, Value vector,
                    llvm::function_ref<Value(Value, Value, Value)> counts) {
  auto type = cast<RankedTensorType>(vector.getType());
  Registers own = registers(vector);
  Registers numbers = elementNumbers(*Layout::of(type));
  Registers zeros(own.size(), constant32(0));
  auto loop = builder.create<scf::ForOp>(loc, constant32(0),
                                         constant32(type.getDimSize(0)),
                                         constant32(1), ValueRange(zeros));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  Value j = loop.getInductionVar();
  Value key = builder.create<LLVM::LoadOp>(loc, type.getElementType(),
                                           wordPlace(area, j));
  Registers sums;
  for (auto [mine, number, sum] :
       llvm::zip_equal(own, numbers, loop.getRegionIterArgs())) {
    Value earlier = builder.create<arith::CmpIOp>(
        loc, arith::CmpIPredicate::slt, j, number);
    Value one = builder.create<arith::ExtUIOp>(loc, builder.getI32Type(),
                                               counts(key, earlier, mine));
    sums.push_back(builder.create<arith::AddIOp>(loc, sum, one));
  }
  builder.create<scf::YieldOp>(loc, sums);
  return Registers(loop.getResults());
}

LogicalResult Expander::expandRank(RankOp op) {
  Value keys = op.getInput(), area = exchangeArea(lengthOf(keys) * kWordBytes);
  meet();
  layWords(area, keys, elementNumbers(*Layout::of(keys.getType())));
  meet();
  tiles[op.getResult()] =
      countKeys(area, keys, [&](Value key, Value earlier, Value own) {
        return conjunction(isEqual(key, own), earlier);
      });
  return success();
}

/// True if `key`, which is `earlier` or not, belongs before `own`.
Value Expander::belongsBefore(Value key, Value earlier, Value own,
                              bool descending) {
  Value before, same;
  if (isa<FloatType>(key.getType())) {
    before = builder.create<arith::CmpFOp>(
        loc, descending ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT,
        key, own);
    same =
        builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, key, own);
  } else {
    before = builder.create<arith::CmpIOp>(
        loc, descending ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt,
        key, own);
    same = isEqual(key, own);
  }
  return builder.create<arith::OrIOp>(loc, before, conjunction(same, earlier));
}

LogicalResult Expander::sortVectors(SortOp op) {
  for (Value input : op.getInputs()) {
    Type element = cast<RankedTensorType>(input.getType()).getElementType();
    if (!element.isF32() && !element.isInteger(32))
      return op.emitOpError("expected f32 or i32, found ") << element;
  }
  Value keys = op.getInputs()[0];
  int64_t bytes = lengthOf(keys) * kWordBytes, count = op.getInputs().size();
  Value area = exchangeArea(bytes * (1 + count));
  meet();
  layWords(area, keys, elementNumbers(*Layout::of(keys.getType())));
  meet();
  Registers places =
      countKeys(area, keys, [&](Value key, Value earlier, Value own) {
        return belongsBefore(key, earlier, own, op.getDescending());
      });
  for (auto [i, input] : llvm::enumerate(op.getInputs()))
    layWords(advance(area, bytes * (1 + static_cast<int64_t>(i))), input,
             places);
  meet();
  for (auto [i, output] : llvm::enumerate(op.getOutputs()))
    tiles[output] =
        takeWords(advance(area, bytes * (1 + static_cast<int64_t>(i))),
                  cast<RankedTensorType>(output.getType()));
  return success();
}

//===----------------------------------------------------------------------===//
// Tickets
//===----------------------------------------------------------------------===//

/// One of the threads that hold an element fetches; if there are others, they
/// hear of it.
void Expander::expandFetchAdd(FetchAddOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = *Layout::of(type);
  Registers pointers = rowPointers(arrays[op.getTarget()], op.getIndices(),
                                   layout.numRegisters(), kWordBytes);
  const Registers &values = registers(op.getValue());
  Value leader = leads(layout);
  Registers fetched;
  for (unsigned r = 0; r < layout.numRegisters(); ++r) {
    Value mask = op.getMask() ? registers(op.getMask())[r] : Value();
    fetched.push_back(
        whereTrue(conjunction(leader, mask), type.getElementType(), [&] {
          return Registers{PTX(builder, loc).fetchAdd(pointers[r], values[r])};
        })[0]);
  }
  tiles[op.getBefore()] = fetched;
  if (!leader)
    return;
  Value area = exchangeArea(lengthOf(op.getBefore()) * kWordBytes);
  meet();
  layWords(area, op.getBefore(), elementNumbers(layout));
  meet();
  tiles[op.getBefore()] = takeWords(area, type);
}
