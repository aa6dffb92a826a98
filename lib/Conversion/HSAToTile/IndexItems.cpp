// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- IndexItems.cpp - Items of a sorted list ----------------------------===//
//
// A head is an entry whose chunk is not that of the one before. An entry opens
// an item if its distance from its chunk's head is a multiple of kItemEntries.
// Programs look at a piece of the list each:
//
//     heads   the first and the last head of the piece
//     opens   how many entries of the piece open an item, which needs the last
//             head before it
//     items   what the items are: their number is that of those that opened
//             before, and their chunk ends at the next head
//
// What is before and behind a piece each program finds by itself among what the
// others have written, 512 pieces at once.
//
//===----------------------------------------------------------------------===//

#include "IndexKernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;
using tile::Combine;

Value IndexKernel::combineAll(Combine combine, Value vector) {
  return b.create<tensor::ExtractOp>(b.reduce(combine, vector, 0),
                                     ValueRange());
}

IndexKernel::Listed IndexKernel::getListed() {
  Listed listed;
  listed.number = b.add(b.iota(kListed), b.mul(x, b.i32(kListed)));
  Value length = load(kCounts, b.i32(1));
  Value inside = b.compare(Predicate::slt, listed.number, length);
  Value before = b.sub(listed.number, b.i32(1));
  Value hasBefore = b.both(inside, b.compare(Predicate::sge, before, b.i32(0)));
  Value entry = lookUp(kEntries, listed.number, inside);
  Value earlier = lookUp(kEntries, before, hasBefore);
  std::tie(listed.chunk, listed.valid) = getChunk(entry, inside);
  auto [chunkBefore, isThere] = getChunk(earlier, hasBefore);
  Value same =
      b.both(isThere, b.compare(Predicate::eq, listed.chunk, chunkBefore));
  listed.isHead = b.both(listed.valid, b.invert(same));
  return listed;
}

/// What the pieces from `from` to `to`, i32, have written to a part of
/// `kRuns`, combined; `none` for nothing.
Value IndexKernel::reduceRuns(unsigned part, Value from, Value to, Value none,
                              Combine combine) {
  Value pieces = b.div(getLength(kRuns), kRunParts);
  Value base = b.mul(pieces, b.i32(part));
  Value start = b.splat(none, {kListed});
  auto loop = b.create<scf::ForOp>(b.toIndex(from), b.toIndex(to),
                                   b.index(kListed), ValueRange{start});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value piece = b.add(b.iota(kListed), b.toI32(loop.getInductionVar()));
    Value mask = b.compare(Predicate::slt, piece, to);
    Value found = lookUp(kRuns, b.add(piece, base), mask);
    found = b.choose(mask, found, start);
    Value old = loop.getRegionIterArg(0);
    Value both = combine == Combine::Sum   ? b.add(old, found)
                 : combine == Combine::Max ? b.max(old, found)
                                           : b.min(old, found);
    b.create<scf::YieldOp>(ValueRange{both});
  }
  return combineAll(combine, loop.getResult(0));
}

/// Heads as their numbers, `none` elsewhere.
static Value numberHeads(TileBuilder &b, Value number, Value isHead,
                         int64_t none) {
  return b.choose(isHead, number, b.full(number.getType(), none));
}

void IndexKernel::heads() {
  Listed listed = getListed();
  Value pieces = b.div(getLength(kRuns), kRunParts);
  Value last = numberHeads(b, listed.number, listed.isHead, -1);
  store(combineAll(Combine::Max, last), kRuns, x);
  Value first = numberHeads(b, listed.number, listed.isHead, INT32_MAX);
  store(combineAll(Combine::Min, first), kRuns, b.add(x, pieces));
  b.create<tile::EndOp>();
}

void IndexKernel::findFirsts(Listed &listed) {
  Value before = reduceRuns(kLastHead, b.i32(0), x, b.i32(-1), Combine::Max);
  Value own = numberHeads(b, listed.number, listed.isHead, -1);
  own = scan(own, Combine::Max, /*exclusive=*/false);
  listed.first = b.max(own, before);
}

Value IndexKernel::getOpens(const Listed &listed) {
  Value distance = b.sub(listed.number, listed.first);
  return b.both(
      listed.valid,
      b.compare(Predicate::eq, b.rem(distance, kItemEntries), b.i32(0)));
}

void IndexKernel::opens() {
  Listed listed = getListed();
  findFirsts(listed);
  Value one =
      b.create<arith::ExtUIOp>(listed.number.getType(), getOpens(listed));
  Value pieces = b.div(getLength(kRuns), kRunParts);
  store(combineAll(Combine::Sum, one), kRuns,
        b.add(x, b.mul(pieces, b.i32(kOpens))));
  b.create<tile::EndOp>();
}

void IndexKernel::items() {
  Listed listed = getListed();
  findFirsts(listed);
  Value opens = getOpens(listed);
  Value one = b.create<arith::ExtUIOp>(listed.number.getType(), opens);
  Value earlier = reduceRuns(kOpens, b.i32(0), x, b.i32(0), Combine::Sum);
  Value sums = scan(one, Combine::Sum, /*exclusive=*/true);
  Value pieces = b.div(getLength(kRuns), kRunParts);
  Value after = b.add(x, b.i32(1));
  Value length = load(kCounts, b.i32(1));
  Value behind = reduceRuns(kFirstHead, after, pieces, length, Combine::Min);
  Value own = numberHeads(b, listed.number, listed.isHead, INT32_MAX);
  own = scan(own, Combine::Min, /*exclusive=*/true, /*reverse=*/true);
  Value number = b.add(sums, earlier);
  writeItems({listed.chunk, listed.number, listed.first, b.min(own, behind)},
             number, opens);
  Value isEnd =
      b.both(b.compare(Predicate::eq, b.iota(kListed), b.i32(kListed - 1)),
             b.splat(b.compare(Predicate::eq, after, pieces), {kListed}));
  scatter(b.add(number, one), kCounts, b.full(number.getType(), 0), isEnd);
  b.create<tile::EndOp>();
}
