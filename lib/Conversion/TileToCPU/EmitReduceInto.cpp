// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitReduceInto.cpp - Sums in memory, transposed tiles --------------===//
//
// Programs run on several threads. With the order `free` they may add to the
// same element at the same time, so each addition is atomic; an `owner` adds
// as if it were alone.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

/// A tile as rows is the transposed tile as columns.
void KernelEmitter::emitTranspose(tile::TransposeOp op) {
  Value input = op.getInput(), result = op.getResult();
  RowView view = rowsOf(input);
  auto type = cast<RankedTensorType>(input.getType());
  int64_t height = type.getDimSize(0), width = type.getDimSize(1);
  Value place = allocateTile(result);
  Type f32 = b.getF32Type();
  auto row = VectorType::get({width}, f32);
  loop(height, 1, {}, [&](Value index, ValueRange) -> SmallVector<Value> {
    Value from =
        address(f32, view.pointer, b.create<arith::MulIOp>(index, view.stride));
    storeVector(loadVector(row, from, 4), columnAddress(result, place, index),
                4);
    return {};
  });
  tiles[result] = place;
}

static LLVM::AtomicBinOp getAtomic(tile::Combine combine, bool isFloat) {
  using Op = LLVM::AtomicBinOp;
  switch (combine) {
  case tile::Combine::Sum:
    return isFloat ? Op::fadd : Op::add;
  case tile::Combine::Max:
    return isFloat ? Op::fmax : Op::max;
  case tile::Combine::Min:
    return isFloat ? Op::fmin : Op::min;
  }
  llvm_unreachable("a combine kind");
}

/// One element, as it is computed with.
void KernelEmitter::combineInto(tile::ReduceIntoOp op, Value value,
                                Value pointer) {
  Type element = cast<MemRefType>(op.getTarget().getType()).getElementType();
  if (op.getOrder() == tile::Order::Free) {
    b.create<LLVM::AtomicRMWOp>(
        getAtomic(op.getCombine(), isa<FloatType>(element)), pointer, value,
        LLVM::AtomicOrdering::monotonic);
    return;
  }
  Value sum = combine(op.getCombine(), loadElement(element, pointer), value);
  if (isa<FloatType>(element))
    sum = roundTo(element, sum);
  storeElement(element, sum, pointer);
}

LogicalResult KernelEmitter::emitReduceInto(tile::ReduceIntoOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Type memory = cast<MemRefType>(op.getTarget().getType()).getElementType();
  Type held = computeType(memory);
  if (op.getOrder() == tile::Order::Slots ||
      (op.getOrder() == tile::Order::Free && memory != held))
    return op.emitOpError() << "adds to " << memory << " in the order "
                            << tile::stringifyOrder(op.getOrder())
                            << ", which has no lowering to the CPU";
  const ArrayDescriptor &array = arguments.find(op.getTarget())->second;
  bool isTile = type.getRank() == 2;
  RowView view = isTile ? rowsOf(op.getValue())
                        : RowView{spill(vectorOf(op.getValue())), i64(1)};
  int64_t columns = isTile ? columnsIn(op.getTarget(), op.getValue()) : 1;
  loop(type.getDimSize(0), 1, {}, [&](Value row, ValueRange) {
    whereTrue(op.getMask(), row, [&] {
      Value to = addressOf(array, memory, op.getIndices(), row);
      Value from = address(held, view.pointer,
                           b.create<arith::MulIOp>(row, view.stride));
      loop(columns, 1, {}, [&](Value column, ValueRange) {
        Value one = loadVector(held, address(held, from, column), 0);
        combineInto(op, one, address(memory, to, column));
        return SmallVector<Value>();
      });
    });
    return SmallVector<Value>();
  });
  return success();
}
