// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedBuffers.cpp - Buffers of a kernel, shared in time ------------===//

#include "dialects/Tile/Transforms/SharedBuffers.h"

#include "dialects/Tile/IR/Layout.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static MemRefType getBufferType(RankedTensorType tile, int64_t stages) {
  return MemRefType::get({stages, tile.getDimSize(0), tile.getDimSize(1)},
                         tile.getElementType(), AffineMap(),
                         chooseShared(tile));
}

int64_t SharedBuffers::getBytes(RankedTensorType tile) {
  return SharedLayout(getBufferType(tile, 1)).bytes();
}

Value SharedBuffers::get(RankedTensorType tile, int64_t stages,
                         Operation *owner) {
  MemRefType type = getBufferType(tile, stages);
  for (Buffer &buffer : buffers) {
    bool busy = llvm::any_of(buffer.owners, [&](Operation *other) {
      return other->isAncestor(owner) || owner->isAncestor(other);
    });
    if (buffer.memory.getType() != type || busy)
      continue;
    buffer.owners.push_back(owner);
    return buffer.memory;
  }
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Value memory = builder.create<AllocSharedOp>(owner->getLoc(), type);
  buffers.push_back({memory, {owner}});
  return memory;
}
