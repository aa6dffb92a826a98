// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SortListsToGPU.cpp - Sorting rows of shared memory -----------------===//
//
// Rows are sorted as in registers (OrderToGPU.cpp), one row of each quad after
// the other: each lane counts what stands before its elements of the row, which
// all lanes of the quad read together, and writes these where they belong.
//
//===----------------------------------------------------------------------===//

#include "QuadTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static constexpr int64_t kWordBytes = 4, kBlock = 8;
/// Elements that a lane reads at once to compare its own with them.
static constexpr int64_t kAtOnce = 4;

namespace {
/// One row of a quad in all lists.
class RowSort {
public:
  RowSort(ArrayRef<Value> lists, ArrayRef<Type> elements, int64_t length,
          QuadEmitter &quads, ImplicitLocOpBuilder &b)
      : lists(lists), elements(elements), length(length), quads(quads), b(b) {
    column = mul(quads.getPlace(), 2);
    for (Value list : lists)
      own.push_back(advance(list, mul(column, kWordBytes)));
  }

  void run(bool descending, int64_t keys);

private:
  using Elements = SmallVector<Value>;

  Value mul(Value value, int64_t times) {
    return b.create<arith::MulIOp>(value, quads.i32(times));
  }
  Value advance(Value pointer, Value bytes) {
    return b.create<LLVM::GEPOp>(pointer.getType(), b.getI8Type(), pointer,
                                 bytes);
  }
  Elements read(Value pointer, Type element, int64_t count);
  Elements readOwn(unsigned list);
  Value belongsBefore(ArrayRef<Value> keys, ArrayRef<Value> mine, Value earlier,
                      bool descending);
  Elements countBefore(bool descending, int64_t keys);

  ArrayRef<Value> lists;
  ArrayRef<Type> elements;
  int64_t length;
  QuadEmitter &quads;
  ImplicitLocOpBuilder &b;
  Value column; ///< of the lane's first element
  SmallVector<Value> own;
};
} // namespace

RowSort::Elements RowSort::read(Value pointer, Type element, int64_t count) {
  Value words = b.create<LLVM::LoadOp>(VectorType::get(count, element), pointer,
                                       count * kWordBytes);
  Elements values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(b.create<LLVM::ExtractElementOp>(words, quads.i32(i)));
  return values;
}

RowSort::Elements RowSort::readOwn(unsigned list) {
  Elements values;
  for (int64_t block = 0; block < length; block += kBlock) {
    Value place = b.create<LLVM::GEPOp>(
        own[list].getType(), b.getI8Type(), own[list],
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(block * kWordBytes)});
    llvm::append_range(values, read(place, elements[list], 2));
  }
  return values;
}

/// Whether what has `keys` belongs before what has `mine`: the first keys that
/// differ decide, else what came `earlier`.
Value RowSort::belongsBefore(ArrayRef<Value> keys, ArrayRef<Value> mine,
                             Value earlier, bool descending) {
  Value result = earlier;
  for (size_t key = keys.size(); key-- > 0;) {
    Value x = descending ? keys[key] : mine[key];
    Value y = descending ? mine[key] : keys[key];
    Value differs = quads.before(x, y, /*orEqual=*/false);
    Value reaches = quads.before(x, y, /*orEqual=*/true);
    result = b.create<arith::OrIOp>(differs,
                                    b.create<arith::AndIOp>(reaches, result));
  }
  return result;
}

/// How many stand before each of the lane's own elements.
RowSort::Elements RowSort::countBefore(bool descending, int64_t keys) {
  SmallVector<Elements> mine;
  for (int64_t key = 0; key < keys; ++key)
    mine.push_back(readOwn(key));
  size_t count = mine[0].size();
  Elements zeros(count, quads.i32(0));
  auto loop = b.create<scf::ForOp>(quads.i32(0), quads.i32(length),
                                   quads.i32(kAtOnce), ValueRange(zeros));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value start = loop.getInductionVar();
  SmallVector<Elements> others;
  for (int64_t key = 0; key < keys; ++key)
    others.push_back(read(advance(lists[key], mul(start, kWordBytes)),
                          elements[key], kAtOnce));
  Elements counts(loop.getRegionIterArgs().begin(),
                  loop.getRegionIterArgs().end());
  for (int64_t other = 0; other < kAtOnce; ++other) {
    Value number = b.create<arith::AddIOp>(start, quads.i32(other));
    // How far the lane's first column lies behind it.
    Value distance = b.create<arith::SubIOp>(column, number);
    for (size_t element = 0; element < count; ++element) {
      int64_t offset = element / 2 * kBlock + element % 2;
      Value earlier = b.create<arith::CmpIOp>(arith::CmpIPredicate::sgt,
                                              distance, quads.i32(-offset));
      Elements theirs, ours;
      for (int64_t key = 0; key < keys; ++key) {
        theirs.push_back(others[key][other]);
        ours.push_back(mine[key][element]);
      }
      Value is = belongsBefore(theirs, ours, earlier, descending);
      counts[element] = b.create<arith::AddIOp>(
          counts[element], b.create<arith::ExtUIOp>(b.getI32Type(), is));
    }
  }
  b.create<scf::YieldOp>(counts);
  return Elements(loop.getResults());
}

void RowSort::run(bool descending, int64_t keys) {
  Elements places = countBefore(descending, keys);
  PTX ptx(b, b.getLoc());
  for (unsigned list = 0; list < lists.size(); ++list) {
    Elements values = readOwn(list);
    ptx.syncWarp();
    for (auto [value, place] : llvm::zip_equal(values, places))
      b.create<LLVM::StoreOp>(
          value, advance(lists[list], mul(place, kWordBytes)), kWordBytes);
  }
  ptx.syncWarp();
}

void Expander::expandSortLists(SortListsOp op) {
  auto type = cast<MemRefType>(op.getLists().front().getType());
  int64_t length = type.getDimSize(2);
  Layout layout = mmaAccumulator(type.getDimSize(1), length, numWarps());
  ImplicitLocOpBuilder b(loc, builder);
  QuadEmitter quads(b, lane());
  PTX(builder, loc).syncWarp(); // what other lanes of the warp have written
  for (auto [offset, number] : registersByOffset(layout.slice(1))) {
    SmallVector<Value> rows;
    SmallVector<Type> elements;
    for (Value list : op.getLists()) {
      rows.push_back(listRow(list, layout, offset[0]));
      elements.push_back(cast<MemRefType>(list.getType()).getElementType());
    }
    RowSort(rows, elements, length, quads, b)
        .run(op.getDescending(), op.getKeys());
  }
}
