// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Builders.cpp - What the emitter writes most ------------------------===//

#include "KernelEmitter.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

Value KernelEmitter::i64(int64_t value) {
  return b.create<arith::ConstantIntOp>(value, 64);
}

Value KernelEmitter::address(Type element, Value base, Value offset) {
  return b.create<LLVM::GEPOp>(base.getType(), element, base,
                               ArrayRef<LLVM::GEPArg>{offset});
}

Value KernelEmitter::address(Type element, Value base, int64_t offset) {
  if (offset == 0)
    return base;
  return b.create<LLVM::GEPOp>(
      base.getType(), element, base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}

/// `alignment` in bytes; 0 is the type's own.
Value KernelEmitter::loadVector(Type type, Value pointer, int64_t alignment) {
  return b.create<LLVM::LoadOp>(type, pointer, alignment);
}

void KernelEmitter::storeVector(Value value, Value pointer, int64_t alignment) {
  b.create<LLVM::StoreOp>(value, pointer, alignment);
}

/// Memory for the whole kernel, in the function's entry block.
Value KernelEmitter::allocate(Type element, int64_t count) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return b.create<LLVM::AllocaOp>(pointer, element, i64(count),
                                  /*alignment=*/64);
}

Value KernelEmitter::splat(Value scalar, int64_t width) {
  return b.create<vector::BroadcastOp>(
      VectorType::get({width}, scalar.getType()), scalar);
}

Value KernelEmitter::shuffle(Value lhs, Value rhs, int64_t width,
                             llvm::function_ref<int64_t(int64_t)> source) {
  auto mask =
      llvm::to_vector(llvm::map_range(llvm::seq<int64_t>(0, width), source));
  return b.create<vector::ShuffleOp>(lhs, rhs, mask);
}

SmallVector<Value> KernelEmitter::loop(
    int64_t count, int64_t step, ValueRange carried,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  if (count <= step) {
    return count > 0 ? body(i64(0), carried) : SmallVector<Value>(carried);
  }
  return loop(i64(0), i64(count), step, carried, body);
}

SmallVector<Value> KernelEmitter::loop(
    Value first, Value last, int64_t step, ValueRange carried,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto forOp = b.create<scf::ForOp>(
      first, last, i64(step), carried,
      [&](OpBuilder &, Location, Value index, ValueRange values) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(cast<BlockArgument>(index).getOwner());
        SmallVector<Value> next = body(index, values);
        b.create<scf::YieldOp>(next);
      });
  return SmallVector<Value>(forOp.getResults());
}
