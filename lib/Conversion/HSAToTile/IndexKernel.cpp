// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- IndexKernel.cpp - A pass of the sort by chunk ----------------------===//

#include "IndexKernel.h"

#include "ramify/Conversion/KernelABI.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;
using tile::Combine;

/// Names and types of the arguments behind the program's parameters.
static SmallVector<KernelArgument> getIndexArguments(MLIRContext *context) {
  SmallVector<KernelArgument> arguments;
  for (StringRef name : {"counts", "items", "entries", "moved", "ranks",
                         "table", "totals", "runs"})
    arguments.push_back({name.str(), InverseIndex::getArrayType(context)});
  Type i32 = IntegerType::get(context, 32);
  for (StringRef name :
       {"first_window", "first_result", "window_rows", "pass", "passes"})
    arguments.push_back({name.str(), i32});
  return arguments;
}

IndexKernel::IndexKernel(hsa::ProgramOp program, const Parameters &parameters,
                         const TileShape &shape, hsa::SelectedOp selected,
                         StringRef name, int64_t block)
    : b(selected.getLoc(), program), emitter(b, program, shape),
      blockPicks(block) {
  tile::KernelOp kernel = createKernel(emitter, parameters, name,
                                       getIndexArguments(b.getContext()));
  kernel->setAttr(kLoadsStayAttrName, b.getUnitAttr());
  ValueRange own = kernel.getBody().getArguments();
  own = own.take_back(kIndexArrays + kIndexNumbers);
  llvm::append_range(arrays, own.take_front(kIndexArrays));
  own = own.take_back(kIndexNumbers);
  firstWindow = own[0], firstResult = own[1], windowRows = own[2];
  pass = own[3], passes = own[4];
  indices = emitter.get(selected.getIndices());
  x = b.toI32(b.create<tile::ProgramIdOp>(tile::GridAxis::X));
  Value y = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  batch = b.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  Value heads = b.create<memref::DimOp>(indices, b.index(2));
  window = b.create<arith::DivUIOp>(y, heads);
  head = b.create<arith::RemUIOp>(y, heads);
  StringRef partition = selected.getType().getPartition();
  auto memory = [&](Value value) { return emitter.get(value); };
  chunks = getPartitionSize(b, program, partition, memory, batch).chunks;
  slotBits = getSlotBits(b, indices);
  picks = getLength(kRanks);
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

SmallVector<Value> IndexKernel::at(IndexArray array, Value place) {
  Value own =
      array <= kEntries ? b.add(window, b.toIndex(firstResult)) : window;
  return {batch, own, head, place};
}

Value IndexKernel::load(IndexArray array, Value place) {
  return b.create<memref::LoadOp>(arrays[array], at(array, b.toIndex(place)));
}

void IndexKernel::store(Value value, IndexArray array, Value place) {
  b.create<memref::StoreOp>(value, arrays[array], at(array, b.toIndex(place)));
}

Value IndexKernel::lookUp(IndexArray array, Value places, Value mask) {
  return b.create<tile::LookupOp>(places.getType(), arrays[array],
                                  at(array, places), mask);
}

void IndexKernel::scatter(Value value, IndexArray array, Value places,
                          Value mask) {
  b.create<tile::ScatterOp>(value, arrays[array], at(array, places), mask);
}

Value IndexKernel::getLength(IndexArray array) {
  return b.toI32(b.create<memref::DimOp>(arrays[array], b.index(3)));
}

Value IndexKernel::scan(Value vector, Combine combine, bool exclusive,
                        bool reverse) {
  return b.create<tile::ScanOp>(vector.getType(), combine, exclusive, reverse,
                                vector, 0);
}

Value IndexKernel::ceilItems(Value counts) {
  return b.div(b.add(counts, b.i32(kItemEntries - 1)), kItemEntries);
}

void IndexKernel::writeItems(const ItemWords &words, Value number, Value mask) {
  Value place = b.mul(number, b.i32(kItemWords));
  Value all[kItemWords] = {words.chunk, words.begin, words.first, words.behind};
  for (auto [word, value] : llvm::enumerate(all))
    scatter(value, kItems, b.add(place, b.i32(word)), mask);
}

//===----------------------------------------------------------------------===//
// Picks
//===----------------------------------------------------------------------===//

std::pair<Value, Value> ramify::getValidChunk(TileBuilder &b, Value index,
                                              Value chunks) {
  auto type = cast<RankedTensorType>(index.getType());
  if (type.getElementType().isInteger(32))
    return {index, b.compare(Predicate::ult, index, chunks)};
  Value limit = b.create<arith::ExtUIOp>(type.getElementType(), chunks);
  Type narrow = withElement(type, b.getI32Type());
  return {b.create<arith::TruncIOp>(narrow, index),
          b.compare(Predicate::ult, index, limit)};
}

/// The entry of a pick as it stands among the indices.
Value IndexKernel::getFirstEntry(Value number) {
  auto type = cast<RankedTensorType>(number.getType());
  Value slots = b.toI32(b.create<memref::DimOp>(indices, b.index(3)));
  Value divisor = b.splat(b.max(slots, b.i32(1)), type.getShape());
  Value row = b.create<arith::DivUIOp>(number, divisor);
  Value slot = b.create<arith::RemUIOp>(number, divisor);
  return packEntry(b, {row, slot}, slotBits);
}

std::pair<Value, Value> IndexKernel::getChunk(Value entry, Value mask) {
  Pick pick = unpackEntry(b, entry, slotBits);
  Value rows = b.toI32(b.create<memref::DimOp>(indices, b.index(1)));
  Value number = b.add(firstWindow, b.toI32(window));
  Value row = b.add(pick.row, b.mul(number, windowRows));
  Value inside = b.both(mask, b.compare(Predicate::ult, row, rows));
  Type element = getElementTypeOrSelf(indices.getType());
  Value index =
      b.create<tile::LookupOp>(withElement(row.getType(), element), indices,
                               ValueRange{batch, row, head, pick.slot}, inside);
  auto [chunk, isChunk] = getValidChunk(b, index, chunks);
  return {chunk, b.both(inside, isChunk)};
}

/// Of the region; the passes behind the first have no empty slots among them.
Value IndexKernel::countPicks(Value isFirst) {
  auto branch = b.create<scf::IfOp>(TypeRange{b.getI32Type()}, isFirst,
                                    /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  b.create<scf::YieldOp>(ValueRange{picks});
  b.setInsertionPointToStart(branch.elseBlock());
  b.create<scf::YieldOp>(ValueRange{load(kCounts, b.i32(1))});
  return branch.getResult(0);
}

IndexKernel::Picks IndexKernel::getPicks(int64_t size) {
  Picks found;
  found.number = b.add(b.iota(size), b.mul(x, b.i32(size)));
  Value isFirst = b.compare(Predicate::eq, pass, b.i32(0));
  Value limit = countPicks(isFirst);
  Value inside = b.compare(Predicate::ult, found.number, limit);
  Value isMoved = b.both(inside, b.splat(b.invert(isFirst), {size}));
  Value half = b.create<arith::AndIOp>(b.sub(pass, b.i32(1)), b.i32(1));
  Value moved =
      lookUp(kMoved, b.add(found.number, b.mul(half, picks)), isMoved);
  found.entry =
      b.choose(b.splat(isFirst, {size}), getFirstEntry(found.number), moved);
  std::tie(found.chunk, found.valid) = getChunk(found.entry, inside);
  Value shift = b.mul(pass, b.i32(kDigitBits));
  found.digit = b.create<arith::ShRUIOp>(found.chunk, b.splat(shift, {size}));
  found.digit = b.create<arith::AndIOp>(
      found.digit, b.full(found.digit.getType(), kBins - 1));
  return found;
}

//===----------------------------------------------------------------------===//
// A pass
//===----------------------------------------------------------------------===//

/// How many picks of the block have the same digit and came before each, and, a
/// row of the table, how many there are of each digit.
void IndexKernel::rank() {
  Picks own = getPicks(blockPicks);
  Value none = b.full(own.digit.getType(), -1);
  Value bins = b.choose(own.valid, own.digit, none);
  auto row = RankedTensorType::get({kBins}, b.getI32Type());
  auto tally = b.create<tile::TallyOp>(bins.getType(), row, bins);
  scatter(tally.getBefore(), kRanks, own.number, own.valid);
  Value first = b.mul(x, b.i32(kBins));
  scatter(tally.getCounts(), kTable, b.add(b.iota(kBins), first));
  b.create<tile::EndOp>();
}

/// Down the table, counts become sums of what earlier blocks have. Loads that
/// wait for nothing are under way together. (Threads of one warp need not wait
/// for each other.)
void IndexKernel::columns() {
  Value bin = b.add(b.iota(kColumns), b.mul(x, b.i32(kColumns)));
  Value blocks = b.div(getLength(kTable), kBins);
  auto loop = b.create<scf::ForOp>(b.index(0), b.toIndex(blocks),
                                   b.index(kBlocksAtOnce),
                                   ValueRange{b.full(bin.getType(), 0)});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> places, masks, counts;
    for (int64_t i = 0; i < kBlocksAtOnce; ++i) {
      Value block = b.add(b.toI32(loop.getInductionVar()), b.i32(i));
      places.push_back(b.add(bin, b.mul(block, b.i32(kBins))));
      masks.push_back(
          b.splat(b.compare(Predicate::slt, block, blocks), {kColumns}));
      counts.push_back(lookUp(kTable, places.back(), masks.back()));
    }
    Value sum = loop.getRegionIterArg(0);
    for (auto [place, mask, count] : llvm::zip_equal(places, masks, counts)) {
      scatter(sum, kTable, place, mask);
      sum = b.add(sum, count);
    }
    b.create<scf::YieldOp>(ValueRange{sum});
  }
  scatter(loop.getResult(0), kTotals, bin);
  b.create<tile::EndOp>();
}

/// To the list that the next pass reads, or the last one.
void IndexKernel::writeEntries(const Picks &own, Value place) {
  int64_t size = cast<RankedTensorType>(place.getType()).getDimSize(0);
  Value isLast = b.compare(Predicate::eq, b.add(pass, b.i32(1)), passes);
  auto where = [&](Value condition) {
    return b.both(own.valid, b.splat(condition, {size}));
  };
  scatter(own.entry, kEntries, place, where(isLast));
  Value half = b.create<arith::AndIOp>(pass, b.i32(1));
  scatter(own.entry, kMoved, b.add(place, b.mul(half, picks)),
          where(b.invert(isLast)));
}

static Value createScratch(TileBuilder &b) {
  return b.create<tile::ScratchOp>(MemRefType::get({kBins}, b.getI32Type()));
}

/// A pick's place is the number of those with smaller digits, of those in
/// earlier blocks, and of those before it in its block.
void IndexKernel::place() {
  int64_t size = std::min(blockPicks, kMostPlaced);
  Value firsts = createScratch(b), ofBins = createScratch(b),
        itemsOfBins = createScratch(b);
  Picks own = getPicks(size);
  Value rank = lookUp(kRanks, own.number, own.valid);
  Value row = b.mul(b.div(own.number, blockPicks), b.i32(kBins));
  Value earlier = lookUp(kTable, b.add(row, own.digit), own.valid);
  Value bin = b.iota(kBins);
  Value counts = lookUp(kTotals, bin);
  Value sums = scan(counts, Combine::Sum, /*exclusive=*/true);
  auto keep = [&](Value vector, Value scratch) {
    b.create<tile::ScatterOp>(vector, scratch, ValueRange{bin}, Value());
  };
  auto find = [&](Value scratch) -> Value {
    return b.create<tile::LookupOp>(own.digit.getType(), scratch,
                                    ValueRange{own.digit}, own.valid);
  };
  keep(sums, firsts);
  Value first = find(firsts), ordinal = b.add(earlier, rank);
  writeEntries(own, b.add(first, ordinal));
  // One program says how many there are, before others read it.
  Value isLast =
      b.both(b.compare(Predicate::eq, bin, b.i32(kBins - 1)),
             b.splat(b.compare(Predicate::eq, x, b.i32(0)), {kBins}));
  Value isFirst = b.splat(b.compare(Predicate::eq, pass, b.i32(0)), {kBins});
  scatter(b.add(sums, counts), kCounts, b.full(bin.getType(), 1),
          b.both(isLast, isFirst));

  // Where a digit is a chunk the items are known.
  auto only = b.create<scf::IfOp>(b.compare(Predicate::eq, passes, b.i32(1)),
                                  /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(only.thenBlock());
    Value items = ceilItems(counts);
    Value itemSums = scan(items, Combine::Sum, /*exclusive=*/true);
    keep(counts, ofBins);
    keep(itemSums, itemsOfBins);
    scatter(b.add(itemSums, items), kCounts, b.full(bin.getType(), 0), isLast);
    Value begins =
        b.compare(Predicate::eq, b.rem(ordinal, kItemEntries), b.i32(0));
    Value number = b.add(find(itemsOfBins), b.div(ordinal, kItemEntries));
    writeItems(
        {own.digit, b.add(first, ordinal), first, b.add(first, find(ofBins))},
        number, b.both(own.valid, begins));
  }
  b.create<tile::EndOp>();
}
