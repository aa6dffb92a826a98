// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedMemoryToGPU.cpp - Buffers, and reading tiles from them -------===//

#include "Expander.h"

#include "ramify/Conversion/TileToGPU.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

Value Expander::allocateShared(int64_t bytes) {
  Value start = builder.create<LLVM::AddressOfOp>(
      loc, LLVM::LLVMPointerType::get(builder.getContext(), 3), kSharedSymbol);
  Value place = advance(start, sharedBytes);
  sharedBytes += llvm::alignTo(bytes, kSharedAlignment);
  return place;
}

void Expander::expandAlloc(AllocSharedOp op) {
  buffers[op.getResult()] =
      allocateShared(getAllocatedBytes(cast<MemRefType>(op.getType())));
}

SharedTile Expander::sharedTile(Value buffer, Value stage) {
  auto type = cast<MemRefType>(buffer.getType());
  SharedLayout layout(type);
  Value base = buffers[buffer];
  if (type.getDimSize(0) > 1) {
    Value number = builder.create<arith::TruncIOp>(loc, builder.getI32Type(),
                                                   scalar(stage));
    base = advance(base, builder.create<arith::MulIOp>(
                             loc, number, constant32(layout.bytes())));
  }
  return {base, layout, type.getElementType()};
}

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

Value Expander::laneOffset(const SharedLayout &layout, Value row,
                           Value byteColumn) {
  Value offset =
      builder.create<arith::MulIOp>(loc, row, constant32(layout.pitch()));
  offset = add32(offset, byteColumn);
  if (!layout.swizzle)
    return offset;
  // The turn is smaller than the block, so XOR after the sum is the same as
  // before it.
  Value turn = builder.create<arith::ShRUIOp>(
      loc, row, constant32(layout.swizzleShift()));
  turn = builder.create<arith::AndIOp>(loc, turn,
                                       constant32(layout.swizzleMask()));
  turn = builder.create<arith::MulIOp>(loc, turn,
                                       constant32(SharedLayout::chunkBytes));
  return builder.create<arith::XOrIOp>(loc, offset, turn);
}

Value Expander::sharedOffset(const SharedLayout &layout, Value row,
                             Value byteColumn) {
  if (!layout.swizzle)
    return laneOffset(layout, row, byteColumn);
  Value width = constant32(layout.swizzle);
  Value block = builder.create<arith::DivUIOp>(loc, byteColumn, width);
  Value inside = builder.create<arith::RemUIOp>(loc, byteColumn, width);
  Value start = builder.create<arith::MulIOp>(
      loc, block, constant32(layout.rows * layout.swizzle));
  return add32(start, laneOffset(layout, row, inside));
}

Value Expander::sharedAddress(const SharedTile &tile, Value lane, int64_t row,
                              int64_t byteColumn) {
  SharedLayout::Step step = tile.layout.step(row, byteColumn);
  if (step.flip)
    lane = builder.create<arith::XOrIOp>(loc, lane, constant32(step.flip));
  return advance(advance(tile.base, lane), step.add);
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

/// Lane i has the address of row i % 8 of matrix i / 8; matrix 1 and matrix 2
/// are `steps` away from matrix 0. Each warp starts at its own rows.
Value Expander::ldmatrixPlace(const SharedTile &tile, const Layout &layout,
                              ArrayRef<Coords> steps) {
  int64_t bytes = tile.element.getIntOrFloatBitWidth() / 8;
  auto field = [&](unsigned bit, int64_t times) -> Value {
    Value shifted =
        builder.create<arith::ShRUIOp>(loc, lane(), constant32(bit));
    Value one = builder.create<arith::AndIOp>(loc, shifted, constant32(1));
    return builder.create<arith::MulIOp>(loc, one, constant32(times));
  };
  Value row = builder.create<arith::AndIOp>(loc, lane(), constant32(7));
  Value column = constant32(0);
  if (layout.getWarps()[0] > 1)
    row = add32(row, builder.create<arith::MulIOp>(
                         loc, warp(), constant32(layout.atomShape()[0])));
  if (layout.getWarps()[1] > 1)
    column = builder.create<arith::MulIOp>(
        loc, warp(), constant32(layout.atomShape()[1] * bytes));
  for (auto [bit, step] : llvm::enumerate(steps)) {
    if (step[0])
      row = add32(row, field(3 + bit, step[0]));
    if (step[1])
      column = add32(column, field(3 + bit, step[1] * bytes));
  }
  return laneOffset(tile.layout, row, column);
}

/// Up to four matrices at once. `offsets` are their first elements, and the
/// second and third differ from the first in bits that the first lacks.
Registers Expander::ldmatrixWords(SharedTile &tile, const Layout &layout,
                                  bool transposed, ArrayRef<Coords> offsets) {
  int64_t bytes = tile.element.getIntOrFloatBitWidth() / 8;
  const Coords &first = offsets[0];
  SmallVector<Coords> steps;
  for (unsigned bit = 0; (2u << bit) <= offsets.size(); ++bit) {
    const Coords &other = offsets[1u << bit];
    steps.push_back({other[0] - first[0], other[1] - first[1]});
  }
  PTX ptx(builder, loc);
  Value &place = tile.places[steps];
  if (!place)
    place = ldmatrixPlace(tile, layout, steps);
  return ptx.ldmatrix(sharedAddress(tile, place, first[0], first[1] * bytes),
                      offsets.size(), transposed);
}

/// The word at `offset`, by plain loads: one if its elements are neighbours in
/// a row.
Value Expander::loadWord(SharedTile &tile, const Layout &layout,
                         const Coords &offset) {
  int64_t bytes = tile.element.getIntOrFloatBitWidth() / 8;
  Value &place = tile.places[{}];
  if (!place) {
    Value byteColumn = builder.create<arith::MulIOp>(
        loc, laneCoordinate(layout, 1), constant32(bytes));
    place = laneOffset(tile.layout, laneCoordinate(layout, 0), byteColumn);
  }
  auto load = [&](Type type, int64_t row, int64_t column,
                  unsigned size) -> Value {
    return builder.create<LLVM::LoadOp>(
        loc, type, sharedAddress(tile, place, row, column * bytes), size);
  };
  if (!isPacked(tile.element))
    return load(tile.element, offset[0], offset[1], bytes);
  Coords step = layout.offset(1);
  bool even = llvm::all_of(layout.laneBases(), [](const Coords &basis) {
    return basis[1] % 2 == 0;
  });
  if (step == Coords{0, 1} && offset[1] % 2 == 0 && even)
    return load(builder.getI32Type(), offset[0], offset[1], 2 * bytes);
  Value low = load(tile.element, offset[0], offset[1], bytes);
  Value high =
      load(tile.element, offset[0] + step[0], offset[1] + step[1], bytes);
  return packElements({low, high}, tile.element)[0];
}

Registers Expander::loadWords(SharedTile &tile, const Layout &layout,
                              ArrayRef<Coords> offsets) {
  if (std::optional<bool> transposed = ldmatrixForm(layout, tile.element))
    return ldmatrixWords(tile, layout, *transposed, offsets);
  Registers words;
  for (const Coords &offset : offsets)
    words.push_back(loadWord(tile, layout, offset));
  return words;
}

//===----------------------------------------------------------------------===//
// LoadSharedOp
//===----------------------------------------------------------------------===//

/// True if the only user is a dot behind `op` in its block, with nothing
/// between that could change the buffer.
static bool canWaitForDot(LoadSharedOp op) {
  if (!op->hasOneUse())
    return false;
  Operation *user = *op->user_begin();
  if (!isa<DotOp>(user) || user->getBlock() != op->getBlock())
    return false;
  for (Operation *next = op->getNextNode(); next != user;
       next = next->getNextNode())
    if (isa<BarrierOp, CopyAsyncOp>(next) || next->getNumRegions())
      return false;
  return true;
}

LogicalResult Expander::expandLoadShared(LoadSharedOp op) {
  SharedTile tile = sharedTile(op.getSource(), op.getStage());
  if (canWaitForDot(op)) {
    postponed.try_emplace(op.getResult(), tile);
    return success();
  }
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = *Layout::of(type);
  unsigned step = isPacked(type.getElementType()) ? 2 : 1;
  Registers words;
  for (unsigned r = 0; r < layout.numRegisters(); r += step)
    llvm::append_range(words, loadWords(tile, layout, layout.offset(r)));
  if (ldmatrixForm(layout, tile.element) && step == 1)
    for (Value &word : words)
      word = builder.create<LLVM::BitcastOp>(loc, type.getElementType(), word);
  tiles[op.getResult()] = words;
  return success();
}
