// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitReduceInto.cpp - Sums in memory, transposed tiles --------------===//
//
// Programs run on several threads. With the order `free` they may add to the
// same element at the same time: a vector's elements are added one by one,
// atomically; a tile's rows are added as vectors, each under a lock that its
// address chooses out of a table. An `owner` adds as if it were alone.
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

//===----------------------------------------------------------------------===//
// Rows under locks
//===----------------------------------------------------------------------===//

static constexpr unsigned kLockBits = 10;

/// The table of locks of the kernel's object; 0 is open.
static Value getLocks(ImplicitLocOpBuilder &b, LLVM::LLVMFuncOp function) {
  auto module = function->getParentOfType<ModuleOp>();
  auto type = LLVM::LLVMArrayType::get(b.getI32Type(), 1 << kLockBits);
  auto table = module.lookupSymbol<LLVM::GlobalOp>("row_locks");
  if (!table) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto zeros = DenseElementsAttr::get(
        RankedTensorType::get({1 << kLockBits}, b.getI32Type()),
        b.getI32IntegerAttr(0));
    table =
        b.create<LLVM::GlobalOp>(type, /*isConstant=*/false,
                                 LLVM::Linkage::Internal, "row_locks", zeros);
  }
  return b.create<LLVM::AddressOfOp>(table);
}

/// Runs `body` while no other thread runs one for the same row.
void KernelEmitter::lockRow(Value row, llvm::function_ref<void()> body) {
  Type i32 = b.getI32Type();
  Value number = b.create<LLVM::PtrToIntOp>(b.getI64Type(), row);
  // Fibonacci hashing: the highest bits of the product are mixed best.
  number = b.create<arith::MulIOp>(number, i64(0x9E3779B97F4A7C15));
  number = b.create<arith::ShRUIOp>(number, i64(64 - kLockBits));
  Value lock = address(i32, getLocks(b, function), number);
  Value open = b.create<arith::ConstantOp>(b.getI32IntegerAttr(0));
  Value taken = b.create<arith::ConstantOp>(b.getI32IntegerAttr(1));
  b.create<scf::WhileOp>(
      TypeRange{}, ValueRange{},
      [&](OpBuilder &inner, Location loc, ValueRange) {
        Value before = inner.create<LLVM::AtomicRMWOp>(
            loc, LLVM::AtomicBinOp::xchg, lock, taken,
            LLVM::AtomicOrdering::acquire);
        Value again = inner.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne,
                                                  before, open);
        inner.create<scf::ConditionOp>(loc, again, ValueRange{});
      },
      [&](OpBuilder &inner, Location loc, ValueRange) {
        inner.create<scf::YieldOp>(loc);
      });
  body();
  auto store = b.create<LLVM::StoreOp>(open, lock, /*alignment=*/4);
  store.setOrdering(LLVM::AtomicOrdering::release);
}

/// Whether rows may be added as vectors: all that adds to the array does so.
static bool addsRows(tile::ReduceIntoOp op) {
  return llvm::all_of(op.getTarget().getUsers(), [](Operation *user) {
    auto other = dyn_cast<tile::ReduceIntoOp>(user);
    return !other ||
           (other.getOrder() == tile::Order::Free &&
            cast<RankedTensorType>(other.getValue().getType()).getRank() == 2);
  });
}

/// Adds a row of f32 or i32, as many columns at once as fit.
void KernelEmitter::addRow(tile::ReduceIntoOp op, Value from, Value to,
                           int64_t columns) {
  Type element = cast<MemRefType>(op.getTarget().getType()).getElementType();
  auto add = [&](int64_t first, int64_t count, int64_t width) {
    Type type = width > 1 ? Type(VectorType::get({width}, element)) : element;
    loop(count, width, {}, [&](Value index, ValueRange) {
      Value column = b.create<arith::AddIOp>(index, i64(first));
      Value place = address(element, to, column);
      Value one = loadVector(type, address(element, from, column), 4);
      Value sum = combine(op.getCombine(), loadVector(type, place, 4), one);
      storeVector(sum, place, 4);
      return SmallVector<Value>();
    });
  };
  constexpr int64_t width = 16;
  int64_t whole = columns / width * width;
  lockRow(to, [&] {
    add(0, whole, width);
    add(whole, columns - whole, 1);
  });
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
      if (isTile && op.getOrder() == tile::Order::Free && addsRows(op))
        return addRow(op, from, to, columns);
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
