// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedReads.cpp - When shared memory may be read -------------------===//

#include "dialects/Tile/Transforms/SharedReads.h"

using namespace mlir;
using namespace ramify::tile;

static bool writesTo(Operation *op, Value buffer) {
  if (auto copy = dyn_cast<CopyAsyncOp>(op))
    return copy.getTarget() == buffer;
  if (auto store = dyn_cast<StoreSharedOp>(op))
    return store.getTarget() == buffer;
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
