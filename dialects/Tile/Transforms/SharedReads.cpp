// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedReads.cpp - When shared memory may be read -------------------===//

#include "dialects/Tile/Transforms/SharedReads.h"

#include "dialects/Tile/IR/Layout.h"

using namespace mlir;
using namespace ramify::tile;

static bool writesTo(Operation *op, Value buffer) {
  if (auto copy = dyn_cast<CopyAsyncOp>(op))
    return copy.getTarget() == buffer;
  if (auto store = dyn_cast<StoreSharedOp>(op))
    return store.getTarget() == buffer;
  if (isa<KeepBestOp, SortListsOp>(op))
    return llvm::is_contained(op->getOperands(), buffer);
  return op->getNumRegions() != 0;
}

bool ramify::tile::canReadLater(LoadSharedOp load, Operation *user) {
  if (user->getBlock() != load->getBlock())
    return false;
  for (Operation *op = load->getNextNode(); op != user; op = op->getNextNode())
    if (writesTo(op, load.getSource()))
      return false;
  return true;
}

bool ramify::tile::isList(Value buffer) {
  return llvm::any_of(buffer.getUsers(), [](Operation *user) {
    return isa<KeepBestOp, SortListsOp>(user);
  });
}

bool ramify::tile::readsPairs(LoadSharedOp load) {
  auto type = cast<RankedTensorType>(load.getType());
  std::optional<Layout> layout = Layout::of(type);
  if (!layout || !isList(load.getSource()) || load.getTransposed() ||
      type.getElementTypeBitWidth() != 32 || type.getDimSize(0) % 16 ||
      type.getDimSize(1) % 8)
    return false;
  return *layout == mmaAccumulator(type.getDimSize(0), type.getDimSize(1),
                                   layout->getWarps()[0]);
}
