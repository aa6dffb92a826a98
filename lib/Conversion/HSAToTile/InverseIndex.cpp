// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InverseIndex.cpp - The queries of each chunk -----------------------===//

#include "InverseIndex.h"

#include "ramify/Conversion/KernelABI.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

/// Picks, or chunks, that a program takes at once.
static constexpr int64_t kBlock = 512;

/// Counters of a block of picks, of which each chunk has one; bins that a
/// program of `columns` goes down, and blocks whose counters it reads at once.
static constexpr int64_t kBins = 1024, kColumns = 32, kBlocksAtOnce = 16;
/// Picks that a program of `place` moves: it also sums up all bins.
static constexpr int64_t kMostPlaced = 1024;

/// The arguments of each kernel, behind the program's parameters.
static constexpr StringLiteral kArrayNames[] = {
    "starts",   "item_starts", "item_chunks", "entries",
    "unsorted", "table",       "totals",      "counters"};

/// Counters of chunks that stand in one sector of memory are added to one after
/// the other, so they stand apart, as long as they are not many.
static constexpr int64_t kMostApart = 8, kCounters = int64_t(1) << 20;

MemRefType InverseIndex::getArrayType(MLIRContext *context) {
  constexpr int64_t any = ShapedType::kDynamic;
  return MemRefType::get(
      {any, any, any, any}, IntegerType::get(context, 32),
      StridedLayoutAttr::get(context, /*offset=*/0, {any, any, any, 1}));
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

/// The exponent of K - 1 as a float says how many bits it has.
Value ramify::getSlotBits(TileBuilder &b, Value indices) {
  constexpr int64_t mantissaBits = 23, bias = 126;
  Value slots = b.toI32(b.create<memref::DimOp>(indices, b.index(3)));
  Value last = b.max(b.sub(slots, b.i32(1)), b.i32(0));
  Value number = b.create<arith::SIToFPOp>(b.getF32Type(), last);
  number = b.create<arith::BitcastOp>(b.getI32Type(), number);
  Value exponent = b.create<arith::ShRUIOp>(number, b.i32(mantissaBits));
  return b.max(b.sub(exponent, b.i32(bias)), b.i32(0));
}

/// A scalar as a vector where `like` is one.
static Value spread(TileBuilder &b, Value scalar, Value like) {
  auto type = dyn_cast<RankedTensorType>(like.getType());
  return type ? b.splat(scalar, type.getShape()) : scalar;
}

Value ramify::packEntry(TileBuilder &b, Pick pick, Value bits) {
  Value row =
      b.create<arith::ShLIOp>(pick.row, spread(b, bits, pick.row)).getResult();
  return b.create<arith::OrIOp>(row, pick.slot);
}

Pick ramify::unpackEntry(TileBuilder &b, Value entry, Value bits) {
  Value ones = b.create<arith::ShLIOp>(b.i32(1), bits);
  Value mask = b.sub(ones, b.i32(1));
  Value row = b.create<arith::ShRUIOp>(entry, spread(b, bits, entry));
  return {row, b.create<arith::AndIOp>(entry, spread(b, mask, entry))};
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

namespace {
/// One of the kernels. Program (x, y, z) works on the region of window
/// y / heads, head y % heads and sequence z.
struct IndexKernel {
  IndexKernel(hsa::ProgramOp program, const Parameters &parameters,
              const TileShape &shape, hsa::SelectedOp selected, StringRef name,
              bool sorted, int64_t block);

  void rank();
  void columns();
  void place();

  void count();
  void scan();
  void fetch();
  void sort();

private:
  /// The picks of a program of `count` and `place`.
  struct Picks {
    Value number, entry, chunk, valid; ///< vectors
  };
  Picks getPicks(int64_t block);
  void writeStarts(ArrayRef<Value> numbers, ArrayRef<Value> sums);
  void placePicks(Picks picks, Value ticket, Value start, Value item);
  void scanBlock(Value at, Value carry);
  Value getRanks(Value entry, Value begin, Value end);

  /// Indices of the element `place` of the region's part of an array.
  SmallVector<Value> at(Value place) { return {batch, window, head, place}; }
  Value load(Value array, Value place) {
    return b.create<memref::LoadOp>(array, at(b.toIndex(place)));
  }
  Value lookUp(Value array, Value places, Value mask) {
    return b.create<tile::LookupOp>(places.getType(), array, at(places), mask);
  }
  void scatter(Value value, Value array, Value places, Value mask) {
    b.create<tile::ScatterOp>(value, array, at(places), mask);
  }

  TileBuilder b;
  BodyEmitter emitter;
  int64_t blockPicks; ///< of a program of `rank`
  Value indices, starts, itemStarts, itemChunks, entries, unsorted;
  Value table, totals, counters;
  Value tickets, placed; ///< arrays of `count`: what comes before the entries
  Value firstWindow, windowRows; ///< i32
  Value batch, window, head;     ///< index
  Value x;                       ///< index
  Value chunks;                  ///< i32
  Value apart;                   ///< i32: the distance of counters
};
} // namespace

/// Names and types of the arguments behind the program's parameters.
static SmallVector<KernelArgument> getIndexArguments(MLIRContext *context) {
  SmallVector<KernelArgument> arguments;
  for (StringRef name : kArrayNames)
    arguments.push_back({name.str(), InverseIndex::getArrayType(context)});
  Type i32 = IntegerType::get(context, 32);
  arguments.push_back({"first_window", i32});
  arguments.push_back({"window_rows", i32});
  return arguments;
}

IndexKernel::IndexKernel(hsa::ProgramOp program, const Parameters &parameters,
                         const TileShape &shape, hsa::SelectedOp selected,
                         StringRef name, bool sorted, int64_t block)
    : b(selected.getLoc(), program), emitter(b, program, shape),
      blockPicks(block) {
  tile::KernelOp kernel = createKernel(emitter, parameters, name,
                                       getIndexArguments(b.getContext()));
  kernel->setAttr(kLoadsStayAttrName, b.getUnitAttr());
  auto arguments = kernel.getBody().getArguments().take_back(10);
  starts = arguments[0], itemStarts = arguments[1], itemChunks = arguments[2];
  entries = arguments[3], unsorted = arguments[4];
  tickets = sorted ? entries : unsorted;
  placed = sorted ? unsorted : entries;
  table = arguments[5], totals = arguments[6], counters = arguments[7];
  firstWindow = arguments[8], windowRows = arguments[9];
  indices = emitter.get(selected.getIndices());
  x = b.create<tile::ProgramIdOp>(tile::GridAxis::X);
  Value y = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  batch = b.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  Value heads = b.create<memref::DimOp>(indices, b.index(2));
  window = b.create<arith::DivUIOp>(y, heads);
  head = b.create<arith::RemUIOp>(y, heads);
  StringRef partition = selected.getType().getPartition();
  auto memory = [&](Value value) { return emitter.get(value); };
  chunks = getPartitionSize(b, program, partition, memory, batch).chunks;
  auto length = [&](Value array) {
    return b.toI32(b.create<memref::DimOp>(array, b.index(3)));
  };
  Value all = b.max(b.sub(length(starts), b.i32(1)), b.i32(1));
  apart = b.create<arith::DivUIOp>(length(counters), all);
}

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

IndexKernel::Picks IndexKernel::getPicks(int64_t block) {
  Value slots = b.toI32(b.create<memref::DimOp>(indices, b.index(3)));
  Value rows = b.toI32(b.create<memref::DimOp>(indices, b.index(1)));
  Value divisor = b.splat(b.max(slots, b.i32(1)), {block});
  Picks picks;
  picks.number = b.add(b.iota(block), b.mul(b.toI32(x), b.i32(block)));
  Value inWindow = b.create<arith::DivUIOp>(picks.number, divisor);
  Value slot = b.create<arith::RemUIOp>(picks.number, divisor);
  picks.entry = packEntry(b, {inWindow, slot}, getSlotBits(b, indices));
  Value number = b.add(firstWindow, b.toI32(window));
  Value row = b.add(inWindow, b.mul(number, windowRows));
  Value inside =
      b.both(b.compare(Predicate::ult, picks.number, b.mul(windowRows, slots)),
             b.compare(Predicate::ult, row, rows));
  Type element = getElementTypeOrSelf(indices.getType());
  Value index =
      b.create<tile::LookupOp>(withElement(row.getType(), element), indices,
                               ValueRange{batch, row, head, slot}, inside);
  Value valid;
  std::tie(picks.chunk, valid) = getValidChunk(b, index, chunks);
  picks.valid = b.both(inside, valid);
  return picks;
}

//===----------------------------------------------------------------------===//
// Few chunks: each has a bin
//===----------------------------------------------------------------------===//

/// How many picks of the block went to the same chunk before each, and, a row
/// of the table, how many each chunk has.
void IndexKernel::rank() {
  Picks picks = getPicks(blockPicks);
  Value none = b.full(picks.chunk.getType(), -1);
  Value bins = b.choose(picks.valid, picks.chunk, none);
  auto row = RankedTensorType::get({kBins}, b.getI32Type());
  auto tally = b.create<tile::TallyOp>(bins.getType(), row, bins);
  scatter(tally.getBefore(), unsorted, picks.number, picks.valid);
  Value first = b.mul(b.toI32(x), b.i32(kBins));
  scatter(tally.getCounts(), table, b.add(b.iota(kBins), first), Value());
  b.create<tile::EndOp>();
}

/// Down the table, counts become sums of what earlier blocks have. Loads that
/// wait for nothing are under way together.
void IndexKernel::columns() {
  Value first = b.mul(b.toI32(x), b.i32(kColumns));
  Value bin = b.add(b.iota(kColumns), first);
  Value blocks =
      b.div(b.toI32(b.create<memref::DimOp>(table, b.index(3))), kBins);
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
      counts.push_back(lookUp(table, places.back(), masks.back()));
    }
    Value sum = loop.getRegionIterArg(0);
    for (auto [place, mask, count] : llvm::zip_equal(places, masks, counts)) {
      scatter(sum, table, place, mask);
      sum = b.add(sum, count);
    }
    b.create<scf::YieldOp>(ValueRange{sum});
  }
  scatter(loop.getResult(0), totals, bin, Value());
  b.create<tile::EndOp>();
}

/// Where the entries and items of each chunk begin, by one of the programs.
/// Chunks that the sequence has not have none.
void IndexKernel::writeStarts(ArrayRef<Value> numbers, ArrayRef<Value> sums) {
  Value isFirst = b.compare(Predicate::eq, b.toI32(x), b.i32(0));
  auto branch = b.create<scf::IfOp>(isFirst, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value behind = b.add(b.iota(kBins), b.i32(1));
  Value places = b.toI32(b.create<memref::DimOp>(starts, b.index(3)));
  Value exists = b.compare(Predicate::slt, behind, places);
  Value targets[] = {starts, itemStarts};
  for (unsigned k = 0; k < 2; ++k) {
    b.create<memref::StoreOp>(b.i32(0), targets[k], at(b.index(0)));
    scatter(b.add(sums[k], numbers[k]), targets[k], behind, exists);
  }
}

/// The pick of number `ticket` among those of its chunk, which begins at
/// `start` and has the items from `item` on: one that opens an item writes down
/// its chunk.
void IndexKernel::placePicks(Picks picks, Value ticket, Value start,
                             Value item) {
  scatter(picks.entry, placed, b.add(start, ticket), picks.valid);
  Value opens =
      b.both(picks.valid,
             b.compare(Predicate::eq, b.rem(ticket, kItemEntries), b.i32(0)));
  scatter(picks.chunk, itemChunks, b.add(item, b.div(ticket, kItemEntries)),
          opens);
}

/// A pick's place is the number of those of smaller chunks, of earlier blocks,
/// and of those before it in its block.
void IndexKernel::place() {
  int64_t block = std::min(blockPicks, kMostPlaced);
  placed = entries;
  auto type = MemRefType::get({kBins}, b.getI32Type());
  Value firsts[] = {b.create<tile::ScratchOp>(type),
                    b.create<tile::ScratchOp>(type)};
  Picks picks = getPicks(block);
  Value rank = lookUp(unsorted, picks.number, picks.valid);
  Value ofBlock = b.div(picks.number, blockPicks);
  Value earlier = lookUp(
      table, b.add(b.mul(ofBlock, b.i32(kBins)), picks.chunk), picks.valid);
  Value bin = b.iota(kBins);
  Value counts = lookUp(totals, bin, Value());
  Value numbers[] = {
      counts, b.div(b.add(counts, b.i32(kItemEntries - 1)), kItemEntries)};
  SmallVector<Value> sums;
  for (unsigned k = 0; k < 2; ++k) {
    sums.push_back(b.create<tile::ScanOp>(bin.getType(), tile::Combine::Sum,
                                          /*exclusive=*/true, /*reverse=*/false,
                                          numbers[k], 0));
    b.create<tile::ScatterOp>(sums[k], firsts[k], ValueRange{bin}, Value());
  }
  writeStarts(numbers, sums);
  auto first = [&](unsigned k) -> Value {
    return b.create<tile::LookupOp>(picks.chunk.getType(), firsts[k],
                                    ValueRange{picks.chunk}, picks.valid);
  };
  placePicks(picks, b.add(earlier, rank), first(0), first(1));
  b.create<tile::EndOp>();
}

//===----------------------------------------------------------------------===//
// Many chunks: tickets
//===----------------------------------------------------------------------===//

void IndexKernel::count() {
  Picks picks = getPicks(kBlock);
  Value one = b.full(picks.number.getType(), 1);
  Value ticket = b.create<tile::FetchAddOp>(
      one.getType(), one, counters, at(b.mul(picks.chunk, apart)), picks.valid);
  scatter(ticket, tickets, picks.number, picks.valid);
  b.create<tile::EndOp>();
}

void IndexKernel::scanBlock(Value block, Value carry) {
  Value i = b.iota(kBlock);
  Value id = b.add(i, b.toI32(block));
  Value none = b.full(i.getType(), 0);
  Value counts =
      lookUp(counters, b.mul(id, apart), b.compare(Predicate::slt, id, chunks));
  Value itemCounts =
      b.div(b.add(counts, b.i32(kItemEntries - 1)), kItemEntries);
  Value places = b.toI32(b.create<memref::DimOp>(starts, b.index(3)));
  Value exists = b.compare(Predicate::slt, id, places);
  Value last = b.compare(Predicate::eq, i, b.i32(kBlock - 1));
  Value numbers[] = {counts, itemCounts}, targets[] = {starts, itemStarts};
  for (unsigned k = 0; k < 2; ++k) {
    Value sum = b.create<tile::ScanOp>(i.getType(), tile::Combine::Sum,
                                       /*exclusive=*/false, /*reverse=*/false,
                                       numbers[k], 0);
    Value base = b.create<memref::LoadOp>(carry, ValueRange{b.index(k)});
    Value behind = b.add(sum, base);
    scatter(b.sub(behind, numbers[k]), targets[k], id, exists);
    Value place = b.add(none, b.i32(k));
    b.create<tile::ScatterOp>(behind, carry, ValueRange{place}, last);
  }
}

/// One program for each region: what earlier chunks have is carried along.
void IndexKernel::scan() {
  auto type = MemRefType::get({2}, b.getI32Type());
  Value carry = b.create<tile::ScratchOp>(type);
  for (int64_t k = 0; k < 2; ++k)
    b.create<memref::StoreOp>(b.i32(0), carry, ValueRange{b.index(k)});
  Value end = b.create<memref::DimOp>(starts, b.index(3));
  auto loop = b.create<scf::ForOp>(b.index(0), end, b.index(kBlock));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scanBlock(loop.getInductionVar(), carry);
  }
  b.create<tile::EndOp>();
}

void IndexKernel::fetch() {
  Picks picks = getPicks(kBlock);
  Value ticket = lookUp(tickets, picks.number, picks.valid);
  Value start = lookUp(starts, picks.chunk, picks.valid);
  Value item = lookUp(itemStarts, picks.chunk, picks.valid);
  placePicks(picks, ticket, start, item);
  b.create<tile::EndOp>();
}

/// How many entries of the chunk, from `begin` to `end`, are smaller. (Eight of
/// them in a turn took longer.)
Value IndexKernel::getRanks(Value entry, Value begin, Value end) {
  auto loop = b.create<scf::ForOp>(b.toIndex(begin), b.toIndex(end), b.index(1),
                                   ValueRange{b.full(entry.getType(), 0)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value other = load(placed, loop.getInductionVar());
  Value less = b.compare(Predicate::sgt, entry, other);
  Value one = b.create<arith::ExtUIOp>(entry.getType(), less);
  b.create<scf::YieldOp>(ValueRange{b.add(loop.getRegionIterArg(0), one)});
  return loop.getResult(0);
}

/// One program for each item.
void IndexKernel::sort() {
  Value exists =
      b.compare(Predicate::slt, b.toI32(x), load(itemStarts, chunks));
  auto branch = b.create<scf::IfOp>(exists, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    ItemEntries item =
        emitItem(b, x, {batch, window, head}, {starts, itemStarts, itemChunks});
    Value place = b.add(b.iota(kItemEntries), item.begin);
    Value own = b.compare(Predicate::slt, place, item.end);
    Value entry = lookUp(placed, place, own);
    Value rank = getRanks(entry, item.first, item.behind);
    scatter(entry, entries, b.add(rank, item.first), own);
  }
  b.create<tile::EndOp>();
}

ItemEntries ramify::emitItem(TileBuilder &b, Value number, ValueRange region,
                             ValueRange arrays) {
  auto load = [&](Value array, Value place) -> Value {
    SmallVector<Value> indices(region);
    indices.push_back(b.toIndex(place));
    return b.create<memref::LoadOp>(array, indices);
  };
  ItemEntries item;
  item.chunk = load(arrays[2], number);
  item.first = load(arrays[0], item.chunk);
  item.behind = load(arrays[0], b.add(item.chunk, b.i32(1)));
  Value before = b.sub(b.toI32(number), load(arrays[1], item.chunk));
  item.begin = b.add(item.first, b.mul(before, b.i32(kItemEntries)));
  item.end = b.min(b.add(item.begin, b.i32(kItemEntries)), item.behind);
  return item;
}

//===----------------------------------------------------------------------===//
// The index in a plan
//===----------------------------------------------------------------------===//

InverseIndex::InverseIndex(hsa::ProgramOp program, const Parameters &parameters,
                           const TileShape &shape, hsa::SelectedOp selected,
                           const TileLimits &limits)
    : program(program), parameters(parameters), shape(shape),
      selected(selected), block(limits.indexPicks) {
  SmallVector<StringRef> names;
  limits.imported.split(names, ',');
  imported = llvm::is_contained(names, getIndicesName());
}

StringRef InverseIndex::getIndicesName() {
  auto argument = cast<BlockArgument>(selected.getIndices());
  return program.getParameterName(argument.getArgNumber());
}

std::string InverseIndex::getName(StringRef kernel) {
  return (program.getSymName() + "_" + getIndicesName() + "_" + kernel).str();
}

void InverseIndex::createKernels(bool inOrder) {
  sorted = inOrder;
  auto create = [&](StringRef name, void (IndexKernel::*write)()) {
    IndexKernel kernel(program, parameters, shape, selected, getName(name),
                       sorted, block);
    (kernel.*write)();
  };
  create("rank", &IndexKernel::rank);
  create("columns", &IndexKernel::columns);
  create("place", &IndexKernel::place);
  create("count", &IndexKernel::count);
  create("scan", &IndexKernel::scan);
  create("fetch", &IndexKernel::fetch);
  if (sorted)
    create("sort", &IndexKernel::sort);
}

SelectionSizes InverseIndex::getSizes(TileBuilder &b,
                                      ValueRange planArguments) {
  auto memory = [&](Value value) {
    return planArguments[cast<BlockArgument>(value).getArgNumber()];
  };
  Value indices = memory(selected.getIndices());
  auto dim = [&](int64_t axis) -> Value {
    return b.create<memref::DimOp>(indices, b.index(axis));
  };
  StringRef partition = selected.getType().getPartition();
  Value chunks = getWholeSize(b, program, partition, memory).chunks;
  return {dim(0), dim(1), dim(2), dim(3), b.toIndex(chunks)};
}

Value ramify::chooseWindowRows(TileBuilder &b, const SelectionSizes &sizes,
                               int64_t positions, int64_t tokens) {
  // Four tiles of four tokens: what a chunk's keys and values are loaded for.
  constexpr int64_t picksOfChunk = 16;
  Value slots = b.create<arith::MaxUIOp>(sizes.slots, b.index(1));
  Value wanted = b.create<arith::CeilDivUIOp>(
      b.mul(sizes.chunks, b.index(picksOfChunk)), slots);
  Value least = b.index(std::max<int64_t>(tokens / positions, 1));
  Value rows = b.create<arith::MaxUIOp>(wanted, least);
  return b.create<arith::MaxUIOp>(b.create<arith::MinUIOp>(rows, sizes.rows),
                                  b.index(1));
}

Value InverseIndex::getBytes(TileBuilder &b, const SelectionSizes &sizes,
                             Value rows) {
  // Two numbers for each pick, three for each chunk, the table of a block.
  // (Counters that stand apart are at most 4 MiB.)
  Value picks = b.mul(rows, sizes.slots);
  Value tables = b.create<arith::CeilDivUIOp>(picks, b.index(block));
  Value bytes = b.mul(tables, b.index(kBins * 4));
  bytes = b.add(bytes, b.mul(picks, b.index(8)));
  bytes = b.add(bytes, b.mul(sizes.chunks, b.index(12)));
  return b.mul(bytes, b.mul(sizes.batch, sizes.heads));
}

void InverseIndex::createArrays(TileBuilder &b, ValueRange planArguments,
                                const SelectionSizes &all, const Windows &those,
                                bool exported) {
  arguments.assign(planArguments.begin(), planArguments.end());
  sizes = all, windows = those;
  picks = b.mul(windows.rows, sizes.slots);
  Value whole = b.div(picks, kItemEntries);
  items = b.add(b.create<arith::MinUIOp>(sizes.chunks, picks), whole);
  Value places = b.add(sizes.chunks, b.index(1));
  Value one = b.index(1);
  // 1 if there are more chunks than bins, else 0, and 1 less that.
  many = b.sub(b.create<arith::MaxUIOp>(sizes.chunks, one), one);
  many = b.create<arith::MinUIOp>(b.div(many, kBins), one);
  few = b.sub(one, many);
  blocks = b.create<arith::CeilDivUIOp>(picks, b.index(block));
  Value used = b.create<arith::MaxUIOp>(b.mul(b.mul(sizes.batch, windows.count),
                                              b.mul(sizes.heads, sizes.chunks)),
                                        one);
  Value apart = b.create<arith::DivUIOp>(b.index(kCounters), used);
  apart = b.create<arith::MinUIOp>(apart, b.index(kMostApart));
  apart = b.create<arith::MaxUIOp>(apart, one);
  Value counters = b.mul(b.create<arith::MaxUIOp>(sizes.chunks, one), apart);
  counters = b.mul(counters, many);
  Value table = b.mul(b.mul(blocks, few), b.index(kBins));
  Value totals = b.mul(few, b.index(kBins));
  Value lengths[] = {places, places, items,  picks,
                     picks,  table,  totals, counters};
  for (auto [number, length] : llvm::enumerate(lengths)) {
    Value shape[] = {sizes.batch, windows.count, sizes.heads, length};
    Type type = getArrayType(b.getContext());
    if (exported && number < 4)
      arrays.push_back(b.create<tile::ResultOp>(type, shape));
    else
      arrays.push_back(
          b.create<tile::WorkspaceOp>(type, shape, /*zero=*/false));
  }
}

void InverseIndex::importArrays(TileBuilder &b, tile::PlanOp plan) {
  auto argument = cast<BlockArgument>(selected.getIndices());
  unsigned number = argument.getArgNumber();
  std::string name = program.getParameterName(number).str() + "__";
  auto own = plan.getArgAttrOfType<ArrayAttr>(number, "ramify.dims");
  StringRef lengths[] = {"places", "places", "items", "picks"};
  for (unsigned array = 0; array < 4; ++array) {
    SmallVector<Attribute> dims = {own[0], b.getStringAttr(name + "windows"),
                                   own[2],
                                   b.getStringAttr(name + lengths[array])};
    NamedAttrList attributes;
    attributes.set("ramify.name", b.getStringAttr(name + kArrayNames[array]));
    attributes.set("ramify.dims", b.getArrayAttr(dims));
    plan.insertArgument(plan.getNumArguments(), getArrayType(b.getContext()),
                        attributes.getDictionary(b.getContext()),
                        plan.getLoc());
  }
  llvm::append_range(arrays, plan.getArguments().take_back(4));
  auto dim = [&](Value array, int64_t axis) -> Value {
    return b.create<memref::DimOp>(array, b.index(axis));
  };
  Value slots = dim(plan.getArgument(number), 3);
  slots = b.create<arith::MaxUIOp>(slots, b.index(1));
  items = dim(arrays[2], 3);
  windows.rows = b.create<arith::DivUIOp>(dim(arrays[3], 3), slots);
  windows.count = dim(arrays[0], 1);
}

void InverseIndex::launch(TileBuilder &b, Value window) {
  SmallVector<Value> operands(arguments);
  llvm::append_range(operands, arrays);
  operands.push_back(b.toI32(window));
  operands.push_back(b.toI32(windows.rows));
  Value regions = b.mul(windows.count, sizes.heads);
  // One of two ways: what has no programs is not launched.
  auto launch = [&](StringRef name, Value x, Value condition) {
    b.create<tile::LaunchOp>(getName(name), b.mul(x, condition), regions,
                             sizes.batch, operands);
  };
  auto divide = [&](int64_t number) {
    Value parts = b.create<arith::CeilDivUIOp>(picks, b.index(number));
    return b.create<arith::MaxUIOp>(parts, b.index(1)); // some write starts
  };
  launch("rank", blocks, few);
  launch("columns", b.index(kBins / kColumns), few);
  launch("place", divide(std::min(block, kMostPlaced)), few);
  b.create<tile::MemsetOp>(arrays[7], 0);
  launch("count", divide(kBlock), many);
  launch("scan", b.index(1), many);
  launch("fetch", divide(kBlock), many);
  if (sorted)
    launch("sort", items, many);
}

//===----------------------------------------------------------------------===//
// The index alone
//===----------------------------------------------------------------------===//

hsa::SelectedOp ramify::findSelection(hsa::ProgramOp program) {
  hsa::SelectedOp found;
  program.walk([&](hsa::SelectedOp selected) {
    found = selected;
    return WalkResult::interrupt();
  });
  return found;
}

LogicalResult ramify::lowerInverseIndex(hsa::ProgramOp program,
                                        const TileLimits &limits) {
  hsa::SelectedOp selected = findSelection(program);
  if (!selected || selected.isComputed())
    return program.emitOpError("visits no selected chunks, so there is nothing "
                               "to index");
  Parameters parameters(program);
  TileShape shape(program, limits);
  TileLimits own = limits;
  own.imported = "";
  InverseIndex index(program, parameters, shape, selected, own);
  index.createKernels(/*sorted=*/true);
  TileBuilder b(program.getLoc(), program);
  tile::PlanOp plan = createEmptyPlan(b, program, parameters);
  ValueRange arguments = plan.getBody().getArguments();
  SelectionSizes sizes = index.getSizes(b, arguments);
  Windows windows;
  windows.rows =
      chooseWindowRows(b, sizes, shape.positions, limits.windowTokens);
  windows.count = b.create<arith::CeilDivUIOp>(sizes.rows, windows.rows);
  index.createArrays(b, arguments, sizes, windows, /*exported=*/true);
  index.launch(b, b.index(0));
  b.create<tile::EndOp>();
  return success();
}
