// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedBuffers.cpp - Buffers of a kernel, shared in time ------------===//

#include "dialects/Tile/Transforms/SharedBuffers.h"

#include "dialects/Tile/IR/Layout.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static MemRefType getBufferType(RankedTensorType tile, int64_t stages,
                                SharedAttr space) {
  return MemRefType::get({stages, tile.getDimSize(0), tile.getDimSize(1)},
                         tile.getElementType(), AffineMap(), space);
}

int64_t SharedBuffers::getBytes(RankedTensorType tile) {
  return SharedLayout(getBufferType(tile, 1, chooseShared(tile))).bytes();
}

/// For vectors that warps exchange, and rows of f32 that are padded.
static constexpr int64_t kSmallBytes = 8 * 1024;

bool SharedBuffers::hasRoom(KernelOp kernel, RankedTensorType tile,
                            int64_t sharedBytes) {
  return hasRoom(kernel, getBytes(tile), sharedBytes);
}

bool SharedBuffers::hasRoom(KernelOp kernel, int64_t bytes,
                            int64_t sharedBytes) {
  bytes += kSmallBytes;
  kernel.walk([&](AllocSharedOp op) {
    auto type = cast<MemRefType>(op.getType());
    bytes += type.getDimSize(0) * SharedLayout(type).bytes();
  });
  kernel.walk([&](TransposeOp op) {
    if (!op.getInput().getDefiningOp<LoadSharedOp>())
      bytes += getBytes(op.getInput().getType());
  });
  return bytes <= sharedBytes;
}

Value SharedBuffers::get(RankedTensorType tile, int64_t stages,
                         Operation *owner) {
  return get(getBufferType(tile, stages, chooseShared(tile)), owner);
}

/// A swizzle keeps 16 bytes together, which are four f32 only. Where rows begin
/// 32 bytes further in the banks, four rows of 8 columns lie in all of them.
Value SharedBuffers::getForTranspose(RankedTensorType tile, Operation *owner) {
  constexpr int64_t allBanks = 128, step = 32;
  if (tile.getElementTypeBitWidth() == 16)
    return get(tile, 1, owner);
  int64_t rowBytes = tile.getDimSize(1) * tile.getElementTypeBitWidth() / 8;
  int64_t pad = llvm::alignTo(rowBytes, allBanks) + step - rowBytes;
  if (pad >= allBanks)
    pad -= allBanks;
  auto space = SharedAttr::get(tile.getContext(), /*swizzle=*/0, pad);
  return get(getBufferType(tile, 1, space), owner);
}

Value SharedBuffers::get(MemRefType type, Operation *owner) {
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
