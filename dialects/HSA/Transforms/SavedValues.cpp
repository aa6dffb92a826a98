// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SavedValues.cpp - What a gradient may find saved -------------------===//

#include "SavedValues.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace ramify::hsa;

static AxesAttr getRows(MLIRContext *context, bool withDim) {
  SmallVector<Axis> axes = {Axis::Pos, Axis::Head};
  if (withDim)
    axes.push_back(Axis::Dim);
  return AxesAttr::get(context, axes);
}

bool ramify::hsa::isResultType(Type type) {
  AxesAttr axes = getAxes(type);
  MLIRContext *context = type.getContext();
  return axes && getElementTypeOrSelf(type).isF32() &&
         (axes == getRows(context, false) || axes == getRows(context, true));
}

bool ramify::hsa::isOfSlots(Type type) {
  AxesAttr axes = getAxes(type);
  return axes && axes.contains(Axis::Slot);
}

/// Whether a value is slots that the program computed.
static bool isSlots(Value value) {
  return isOfSlots(value.getType()) &&
         getElementTypeOrSelf(value).isInteger(32);
}

/// The slots that an operation takes values at or visits; null if it does not.
static Value getSlotsOf(Operation &op) {
  if (auto take = dyn_cast<TakeOp>(op))
    return take.getSlots();
  auto selected = dyn_cast<SelectedOp>(op);
  return selected && isSlots(selected.getIndices()) ? selected.getIndices()
                                                    : Value();
}

FailureOr<Value> ramify::hsa::findSlots(ProgramOp program) {
  Value found;
  for (Operation &op : program.getBody().front()) {
    Value slots = getSlotsOf(op);
    if (!slots)
      continue;
    if (found && slots != found)
      return op.emitError("no gradient is known of a function that takes "
                          "values at two different selections, or visits them: "
                          "a gradient visits again what one selection picked");
    found = slots;
  }
  if (found)
    return found;
  // Picks that are only returned are constants, whatever else is.
  Operation *results = program.getBody().front().getTerminator();
  auto returned = llvm::find_if(results->getOperands(), isSlots);
  return returned == results->operand_end() ? Value() : *returned;
}

/// The first reader of a kind that a state has in a block; later ones of the
/// block become it.
template <typename Op> static Op mergeReaders(Value state, Block *block) {
  Op first;
  SmallVector<Op> readers;
  for (Operation *user : state.getUsers())
    if (auto reader = dyn_cast<Op>(user); reader && user->getBlock() == block) {
      readers.push_back(reader);
      if (!first || reader->isBeforeInBlock(first))
        first = reader;
    }
  for (Op reader : readers)
    if (reader != first) {
      reader.replaceAllUsesWith(first.getResult());
      reader.erase();
    }
  return first;
}

void ramify::hsa::completeReaders(ProgramOp program) {
  llvm::SetVector<std::pair<Value, Block *>> read;
  program.walk([&](Operation *op) {
    if (isa<ValueOp, LseOp>(op))
      read.insert({op->getOperand(0), op->getBlock()});
  });
  for (auto [state, block] : read) {
    auto value = mergeReaders<ValueOp>(state, block);
    auto lse = mergeReaders<LseOp>(state, block);
    Operation *reader = value ? value.getOperation() : lse.getOperation();
    ImplicitLocOpBuilder b(reader->getLoc(), reader->getContext());
    b.setInsertionPointAfter(reader);
    auto type = cast<SoftmaxStateType>(state.getType());
    if (!value)
      b.create<ValueOp>(type.getValue(), state);
    if (!lse)
      b.create<LseOp>(type.getRowType(), state);
  }
}

/// Whether the operation is a walk over all chunks, which leaves a number for
/// each row.
static bool isOfAllChunks(Operation &op) {
  if (auto lse = dyn_cast<LogSumExpOp>(op))
    return lse.getOver() == Axis::Chunk;
  auto fold = dyn_cast<FoldOp>(op);
  return fold && fold.getMonoid() == Monoid::Sum &&
         fold.getOver().contains(Axis::Chunk);
}

SmallVector<Value> ramify::hsa::findCandidates(ProgramOp program, Value slots) {
  SmallVector<Value> candidates;
  if (slots)
    candidates.push_back(slots);
  for (Operation &op : program.getBody().front()) {
    if (auto take = dyn_cast<TakeOp>(op);
        take && getElementTypeOrSelf(take.getType()).isF32())
      candidates.push_back(take.getResult());
    auto reduce = dyn_cast<ReduceOp>(op);
    if (!reduce && !isa<ValueOp, LseOp>(op) && !isOfAllChunks(op))
      continue;
    for (auto [index, result] : llvm::enumerate(op.getResults()))
      if (isResultType(result.getType()) &&
          (!reduce || reduce.getMonoid(index) == Monoid::Sum))
        candidates.push_back(result);
  }
  return candidates;
}
