// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedBuffers.cpp - Buffers of a kernel, shared in time ------------===//

#include "dialects/Tile/Transforms/SharedBuffers.h"

#include "dialects/Tile/IR/Layout.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

int64_t SharedBuffers::getBytes(RankedTensorType tile) {
  return tile.getNumElements() * tile.getElementTypeBitWidth() / 8;
}

static MemRefType getBufferType(RankedTensorType tile, int64_t stages) {
  int64_t rowBytes = tile.getDimSize(1) * tile.getElementTypeBitWidth() / 8;
  auto space = SharedAttr::get(tile.getContext(), bestSwizzle(rowBytes), 0);
  return MemRefType::get({stages, tile.getDimSize(0), tile.getDimSize(1)},
                         tile.getElementType(), AffineMap(), space);
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
