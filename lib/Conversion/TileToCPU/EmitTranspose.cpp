// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitTranspose.cpp - Rows of arrays to columns of tiles and back ----===//
//
// A tile has its rows in the lanes of its columns, an array has them one after
// the other. Blocks of as many rows as a register has lanes, and 8 columns, are
// transposed in registers by interleaving:
//
//   rows a0 a1 ..., b0 b1 ..., c0 c1 ..., d0 d1 ...
//   a with c: a0 c0 a1 c1 ..., b with d: b0 d0 b1 d1 ...
//   both:     a0 b0 c0 d0 a1 b1 c1 d1 ...   which are columns
//
// Rows that are masked, and lanes without a row, read from and write to a spare
// row. Widths that are no multiple of 8 go element by element.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

static constexpr int64_t kBlockColumns = 8;

int64_t cpu::columnsIn(Value array, Value tile) {
  int64_t width = cast<MemRefType>(array.getType()).getShape().back();
  int64_t columns = cast<RankedTensorType>(tile.getType()).getDimSize(1);
  return ShapedType::isDynamic(width) ? columns : std::min(columns, width);
}

/// Rows of a block: a power of two that divides the lanes, 16 at most.
static int64_t blockRowsOf(int64_t lanes) {
  return std::min<int64_t>(16, lanes & -lanes);
}

/// Element j of vector i goes to place j * count + i.
Value KernelEmitter::interleave(ArrayRef<Value> vectors) {
  if (vectors.size() == 1)
    return vectors.front();
  SmallVector<Value> even, odd;
  for (auto [i, vector] : llvm::enumerate(vectors))
    (i % 2 ? odd : even).push_back(vector);
  Value lhs = interleave(even), rhs = interleave(odd);
  int64_t width = cast<VectorType>(lhs.getType()).getDimSize(0);
  return shuffle(lhs, rhs, 2 * width,
                 [&](int64_t lane) { return lane / 2 + lane % 2 * width; });
}

/// Where the rows of a block begin in the array `source`, or `spare` for those
/// that are masked or at `rows` and beyond.
SmallVector<Value> KernelEmitter::rowAddresses(MemRefType array,
                                               ValueRange indices, Value source,
                                               Value mask, Value firstRow,
                                               int64_t rows, int64_t blockRows,
                                               Value spare) {
  const ArrayDescriptor &descriptor = arguments.find(source)->second;
  SmallVector<Value> addresses;
  for (int64_t i = 0; i < blockRows; ++i) {
    Value row = b.create<arith::AddIOp>(firstRow, i64(i));
    Value start = addressOf(descriptor, array.getElementType(), indices, row);
    Value valid = mask ? element(mask, row) : Value();
    if (rows % blockRows != 0) {
      Value inside =
          b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, row, i64(rows));
      valid = valid ? b.create<arith::AndIOp>(inside, valid) : inside;
    }
    addresses.push_back(valid ? b.create<arith::SelectOp>(valid, start, spare)
                              : start);
  }
  return addresses;
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

void KernelEmitter::gatherColumns(tile::GatherOp op) {
  Value tile = op.getResult();
  Value place = allocateTile(tile);
  auto type = cast<RankedTensorType>(tile.getType());
  int64_t read = columnsIn(op.getSource(), tile);
  bool inBlocks = read % kBlockColumns == 0;
  if (!inBlocks || read != type.getDimSize(1)) {
    Step step = stepOf(tile);
    auto vector = VectorType::get({step.columns * lanesOf(tile)},
                                  computeType(type.getElementType()));
    Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(vector));
    forEachColumn(tile, step, {}, [&](int64_t, Value index, auto &) {
      storeColumns(tile, place, index, zero);
    });
  }
  if (inBlocks)
    gatherBlocks(op, place);
  else
    gatherElements(op, place);
  tiles[tile] = place;
}

void KernelEmitter::gatherBlocks(tile::GatherOp op, Value place) {
  Value tile = op.getResult();
  auto type = cast<RankedTensorType>(tile.getType());
  MemRefType array = op.getSource().getType();
  Type memory = array.getElementType(), held = computeType(memory);
  int64_t lanes = lanesOf(tile), blockRows = blockRowsOf(lanes);
  int64_t read = columnsIn(op.getSource(), tile);
  Value spare = spill(b.create<arith::ConstantOp>(
      b.getZeroAttr(VectorType::get({read}, memory))));
  loop(lanes, blockRows, {}, [&](Value firstRow, ValueRange) {
    SmallVector<Value> starts =
        rowAddresses(array, op.getIndices(), op.getSource(), op.getMask(),
                     firstRow, type.getDimSize(0), blockRows, spare);
    loop(read, kBlockColumns, {}, [&](Value first, ValueRange) {
      SmallVector<Value> loaded;
      for (Value start : starts)
        loaded.push_back(
            loadElement(memory, address(memory, start, first), kBlockColumns));
      Value block = interleave(loaded);
      Value target = address(held, columnAddress(tile, place, first), firstRow);
      for (int64_t j = 0; j < kBlockColumns; ++j)
        storeVector(shuffle(block, blockRows,
                            [&](int64_t lane) { return j * blockRows + lane; }),
                    address(held, target, j * lanes),
                    alignmentOf(blockRows, 4));
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

void KernelEmitter::gatherElements(tile::GatherOp op, Value place) {
  Value tile = op.getResult();
  auto type = cast<RankedTensorType>(tile.getType());
  Type memory = type.getElementType(), held = computeType(memory);
  const ArrayDescriptor &array = arguments.find(op.getSource())->second;
  loop(type.getDimSize(0), 1, {}, [&](Value row, ValueRange) {
    whereTrue(op.getMask(), row, [&] {
      Value from = addressOf(array, memory, op.getIndices(), row);
      loop(columnsIn(op.getSource(), tile), 1, {},
           [&](Value index, ValueRange) {
             Value one = loadElement(memory, address(memory, from, index));
             Value lane = address(held, columnAddress(tile, place, index), row);
             storeVector(one, lane, 0);
             return SmallVector<Value>();
           });
    });
    return SmallVector<Value>();
  });
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

void KernelEmitter::scatterColumns(tile::ScatterOp op) {
  Value place = materialize(op.getValue());
  if (columnsIn(op.getTarget(), op.getValue()) % kBlockColumns == 0)
    scatterBlocks(op, place);
  else
    scatterElements(op, place);
}

void KernelEmitter::scatterBlocks(tile::ScatterOp op, Value place) {
  Value tile = op.getValue();
  auto type = cast<RankedTensorType>(tile.getType());
  MemRefType array = op.getTarget().getType();
  Type memory = array.getElementType(), held = computeType(memory);
  int64_t lanes = lanesOf(tile), blockRows = blockRowsOf(lanes);
  int64_t written = columnsIn(op.getTarget(), tile);
  auto column = VectorType::get({blockRows}, held);
  Value spare = allocate(memory, written);
  loop(lanes, blockRows, {}, [&](Value firstRow, ValueRange) {
    SmallVector<Value> starts =
        rowAddresses(array, op.getIndices(), op.getTarget(), op.getMask(),
                     firstRow, type.getDimSize(0), blockRows, spare);
    loop(written, kBlockColumns, {}, [&](Value first, ValueRange) {
      Value source = address(held, columnAddress(tile, place, first), firstRow);
      SmallVector<Value> columns;
      for (int64_t j = 0; j < kBlockColumns; ++j)
        columns.push_back(loadVector(column, address(held, source, j * lanes),
                                     alignmentOf(blockRows, 4)));
      Value block = interleave(columns);
      for (auto [i, start] : llvm::enumerate(starts)) {
        auto firstLane = static_cast<int64_t>(i) * kBlockColumns;
        Value row = shuffle(block, kBlockColumns,
                            [&](int64_t lane) { return firstLane + lane; });
        storeElement(memory, row, address(memory, start, first));
      }
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

void KernelEmitter::scatterElements(tile::ScatterOp op, Value place) {
  Value tile = op.getValue();
  auto type = cast<RankedTensorType>(tile.getType());
  Type memory = type.getElementType(), held = computeType(memory);
  const ArrayDescriptor &array = arguments.find(op.getTarget())->second;
  loop(type.getDimSize(0), 1, {}, [&](Value row, ValueRange) {
    whereTrue(op.getMask(), row, [&] {
      Value to = addressOf(array, memory, op.getIndices(), row);
      loop(columnsIn(op.getTarget(), tile), 1, {},
           [&](Value index, ValueRange) {
             Value lane = address(held, columnAddress(tile, place, index), row);
             storeElement(memory, loadVector(held, lane, 0),
                          address(memory, to, index));
             return SmallVector<Value>();
           });
    });
    return SmallVector<Value>();
  });
}
