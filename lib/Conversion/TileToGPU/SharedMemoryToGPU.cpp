// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedMemoryToGPU.cpp - Buffers, and reading tiles from them -------===//

#include "Expander.h"

#include "dialects/Tile/Transforms/SharedReads.h"
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

/// An array like others, in shared memory.
void Expander::expandScratch(ScratchOp op) {
  auto type = cast<MemRefType>(op.getType());
  int64_t bytes = type.getElementTypeBitWidth() / 8 * type.getNumElements();
  ArrayDescriptor &array = arrays[op.getResult()];
  array.pointer = allocateShared(bytes);
  int64_t stride = 1;
  for (int64_t size : llvm::reverse(type.getShape())) {
    array.sizes.insert(array.sizes.begin(), constant64(size));
    array.strides.insert(array.strides.begin(), constant64(stride));
    stride *= size;
  }
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
  auto ofWarp = [&](unsigned axis, int64_t times) -> Value {
    return builder.create<arith::MulIOp>(
        loc, warpOf(layout), constant32(layout.atomShape()[axis] * times));
  };
  if (layout.getWarps()[0] > 1)
    row = add32(row, ofWarp(0, 1));
  if (layout.getWarps()[1] > 1)
    column = add32(column, ofWarp(1, bytes));
  for (auto [bit, step] : llvm::enumerate(steps)) {
    if (step[0])
      row = add32(row, field(3 + bit, step[0]));
    if (step[1])
      column = add32(column, field(3 + bit, step[1] * bytes));
  }
  return layout.getWarps()[1] > 1 ? sharedOffset(tile.layout, row, column)
                                  : laneOffset(tile.layout, row, column);
}

/// The addresses of a product's operand are the same in each iteration of a
/// loop, a handful for each of them. Two products can keep theirs in registers;
/// where more have operands in shared memory, they are cheap to make again.
bool Expander::recomputesAddresses() {
  constexpr int64_t kept = 2;
  int64_t products = 0;
  kernel.walk([&](DotOp) { ++products; });
  return products > kept;
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
  if (!place) {
    place = ldmatrixPlace(tile, layout, steps);
    if (recomputesAddresses())
      place = ptx.opaque(place);
  }
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
    place =
        layout.getWarps()[1] > 1
            ? sharedOffset(tile.layout, laneCoordinate(layout, 0), byteColumn)
            : laneOffset(tile.layout, laneCoordinate(layout, 0), byteColumn);
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

Registers Expander::loadWords(SharedTile &tile, const Layout &of,
                              ArrayRef<Coords> wanted) {
  Layout layout = tile.transposed ? of.transposed() : of;
  SmallVector<Coords> offsets(wanted);
  if (tile.transposed)
    for (Coords &offset : offsets)
      std::swap(offset[0], offset[1]);
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
    if (isa<BarrierOp, CopyAsyncOp, StoreSharedOp>(next) ||
        next->getNumRegions())
      return false;
  return true;
}

/// Elements of 32 bits, of which a thread has two neighbours in a row each.
Registers Expander::loadPairs(SharedTile &tile, const Layout &layout) {
  constexpr int64_t bytes = 4;
  Value byteColumn = builder.create<arith::MulIOp>(
      loc, laneCoordinate(layout, 1), constant32(bytes));
  Value place = laneOffset(tile.layout, laneCoordinate(layout, 0), byteColumn);
  Type pair = VectorType::get(2, tile.element);
  Registers words;
  for (unsigned r = 0; r < layout.numRegisters(); r += 2) {
    Coords at = layout.offset(r);
    Value both = builder.create<LLVM::LoadOp>(
        loc, pair, sharedAddress(tile, place, at[0], at[1] * bytes), 2 * bytes);
    for (int64_t half : {0, 1})
      words.push_back(
          builder.create<LLVM::ExtractElementOp>(loc, both, constant32(half)));
  }
  return words;
}

LogicalResult Expander::expandLoadShared(LoadSharedOp op) {
  SharedTile tile = sharedTile(op.getSource(), op.getStage());
  tile.transposed = op.getTransposed();
  if (canWaitForDot(op)) {
    postponed.try_emplace(op.getResult(), tile);
    return success();
  }
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = *Layout::of(type);
  if (readsPairs(op)) {
    tiles[op.getResult()] = loadPairs(tile, layout);
    return success();
  }
  unsigned step = isPacked(type.getElementType()) ? 2 : 1;
  Registers words;
  for (unsigned r = 0; r < layout.numRegisters(); r += step)
    llvm::append_range(words, loadWords(tile, layout, layout.offset(r)));
  if (!words.empty() && words[0].getType().isInteger(32) && step == 1)
    for (Value &word : words)
      word = builder.create<LLVM::BitcastOp>(loc, type.getElementType(), word);
  tiles[op.getResult()] = words;
  return success();
}

//===----------------------------------------------------------------------===//
// StoreSharedOp
//===----------------------------------------------------------------------===//

/// How many words at a time stmatrix can store: their matrices lie as the bits
/// of a lane's number say.
static unsigned matricesAtOnce(const Layout &layout) {
  unsigned words = layout.numRegisters() / 2;
  auto fits = [&](unsigned count) {
    if (words % count)
      return false;
    for (unsigned w = 0; w < words; ++w) {
      Coords base = layout.offset(2 * (w - w % count));
      for (unsigned bit = 1; bit < count; bit *= 2)
        if (w % count & bit) {
          Coords step = layout.offset(2 * bit);
          base[0] += step[0];
          base[1] += step[1];
        }
      if (layout.offset(2 * w) != base)
        return false;
    }
    return true;
  };
  return fits(4) ? 4 : fits(2) ? 2 : 1;
}

void Expander::storeMatrices(SharedTile &tile, const Layout &layout,
                             ArrayRef<Value> words) {
  unsigned count = matricesAtOnce(layout);
  SmallVector<Coords> steps;
  for (unsigned bit = 1; bit < count; bit *= 2)
    steps.push_back(layout.offset(2 * bit));
  Value place = ldmatrixPlace(tile, layout, steps);
  PTX ptx(builder, loc);
  for (unsigned w = 0; w < words.size(); w += count) {
    Coords first = layout.offset(2 * w);
    ptx.stmatrix(sharedAddress(tile, place, first[0], 2 * first[1]),
                 words.slice(w, count), /*transposed=*/false);
  }
}

/// Two neighbours in a row at once.
void Expander::storeElements(SharedTile &tile, const Layout &layout,
                             ArrayRef<Value> words) {
  int64_t bytes = tile.element.getIntOrFloatBitWidth() / 8;
  Value byteColumn = builder.create<arith::MulIOp>(
      loc, laneCoordinate(layout, 1), constant32(bytes));
  Value row = laneCoordinate(layout, 0);
  Value place = layout.getWarps()[1] > 1
                    ? sharedOffset(tile.layout, row, byteColumn)
                    : laneOffset(tile.layout, row, byteColumn);
  auto store = [&](Value value, const Coords &at, int64_t alignment) {
    builder.create<LLVM::StoreOp>(
        loc, value, sharedAddress(tile, place, at[0], at[1] * bytes),
        alignment);
  };
  for (unsigned r = 0; r < layout.numRegisters(); r += 2) {
    Coords at = layout.offset(r);
    if (isPacked(tile.element)) {
      store(words[r / 2], at, 2 * bytes);
      continue;
    }
    Value pair =
        builder.create<LLVM::UndefOp>(loc, VectorType::get(2, tile.element));
    for (unsigned half : {0, 1})
      pair = builder.create<LLVM::InsertElementOp>(loc, pair, words[r + half],
                                                   constant32(half));
    store(pair, at, 2 * bytes);
  }
}

LogicalResult Expander::expandStoreShared(StoreSharedOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Layout layout = *Layout::of(type);
  if (layout.laneBases() != ldmatrixFragment(false).laneBases() ||
      layout.offset(1) != Coords{0, 1})
    return op.emitOpError("expected a value in the layout of a product's "
                          "result, found ")
           << type;
  SharedTile tile = sharedTile(op.getTarget(), op.getStage());
  Registers words = registers(op.getValue());
  Value among;
  if (layout.numWarps() < numWarps())
    among = builder.create<arith::CmpIOp>(
        loc, arith::CmpIPredicate::ult, warp(), constant32(layout.numWarps()));
  whereTrue(among, {}, [&] {
    if (isPacked(tile.element) && target.stmatrix)
      storeMatrices(tile, layout, words);
    else
      storeElements(tile, layout, words);
    return Registers();
  });
  return success();
}

//===----------------------------------------------------------------------===//
// Exchanges
//===----------------------------------------------------------------------===//

Value Expander::exchangeArea(int64_t bytes) {
  if (bytes > exchangeBytes) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(entryEnd);
    exchange = allocateShared(bytes);
    exchangeBytes = bytes;
  }
  return exchange;
}
