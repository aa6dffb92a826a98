// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QueuesToGPU.cpp - Units of work, and waiting for others ------------===//
//
// One thread speaks for its program: it takes the next unit from the queue, it
// counts a signal, it waits. The barrier before a signal makes what all threads
// have written part of what the release shows, and the one after a wait lets
// all see what the acquire has seen.
//
//===----------------------------------------------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

void Expander::byOneThread(llvm::function_ref<void()> body) {
  Value first = isEqual(PTX(builder, loc).threadId(), constant32(0));
  whereTrue(first, {}, [&] {
    body();
    return Registers();
  });
}

/// The next unit's number, the same in all threads. All have left the unit
/// before, whose shared memory may be used again.
Value Expander::takeUnit(DrainOp op) {
  Value place = exchangeArea(sizeof(int32_t));
  meet();
  byOneThread([&] {
    Value unit = PTX(builder, loc)
                     .fetchAdd(arrays[op.getQueue()].pointer, constant32(1));
    builder.create<LLVM::StoreOp>(loc, unit, place);
  });
  meet();
  Value unit = builder.create<LLVM::LoadOp>(loc, builder.getI32Type(), place);
  return builder.create<arith::ExtUIOp>(loc, builder.getI64Type(), unit);
}

LogicalResult Expander::expandDrain(DrainOp op) {
  Type i64 = builder.getI64Type();
  auto loop = builder.create<scf::WhileOp>(loc, TypeRange(i64), ValueRange());
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&loop.getBefore());
  Value unit = takeUnit(op);
  Value exists = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt,
                                               unit, scalar(op.getCount()));
  builder.create<scf::ConditionOp>(loc, exists, unit);
  Block *body = builder.createBlock(&loop.getAfter(), {}, i64, loc);
  scalars.map(op.getBody().getArgument(0), body->getArgument(0));
  if (failed(expandBlock(op.getBody().front())))
    return failure();
  builder.create<scf::YieldOp>(loc);
  return success();
}

void Expander::expandSignal(SignalOp op) {
  Value pointer = rowPointers(arrays[op.getTarget()], op.getIndices(), 1, 4)[0];
  meet();
  byOneThread([&] { PTX(builder, loc).signal(pointer); });
}

void Expander::expandAwait(AwaitOp op) {
  Value pointer = rowPointers(arrays[op.getTarget()], op.getIndices(), 1, 4)[0];
  byOneThread([&] { PTX(builder, loc).await(pointer, scalar(op.getCount())); });
  meet();
}
