// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InverseIndex.cpp - The queries of each chunk -----------------------===//

#include "InverseIndex.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

/// Picks, or chunks, that a program takes at once.
static constexpr int64_t kBlock = 512;

/// The arguments of each kernel, behind the program's parameters.
static constexpr StringLiteral kArrayNames[] = {
    "starts", "item_starts", "item_chunks", "entries", "unsorted", "counters"};

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
              bool sorted);

  void count();
  void scan();
  void place();
  void sort();

private:
  /// The picks of a program of `count` and `place`.
  struct Picks {
    Value number, entry, chunk, valid; ///< vectors
  };
  Picks getPicks();
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
  Value indices, starts, itemStarts, itemChunks, entries, counters;
  Value tickets, placed;         ///< arrays: what comes before the entries
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
                         StringRef name, bool sorted)
    : b(selected.getLoc(), program), emitter(b, program, shape) {
  tile::KernelOp kernel = createKernel(emitter, parameters, name,
                                       getIndexArguments(b.getContext()));
  auto arguments = kernel.getBody().getArguments().take_back(8);
  starts = arguments[0], itemStarts = arguments[1], itemChunks = arguments[2];
  entries = arguments[3];
  tickets = sorted ? arguments[3] : arguments[4];
  placed = sorted ? arguments[4] : arguments[3];
  counters = arguments[5];
  firstWindow = arguments[6], windowRows = arguments[7];
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

IndexKernel::Picks IndexKernel::getPicks() {
  Value slots = b.toI32(b.create<memref::DimOp>(indices, b.index(3)));
  Value rows = b.toI32(b.create<memref::DimOp>(indices, b.index(1)));
  Value divisor = b.splat(slots, {kBlock});
  Picks picks;
  picks.number = b.add(b.iota(kBlock), b.mul(b.toI32(x), b.i32(kBlock)));
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

void IndexKernel::count() {
  Picks picks = getPicks();
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
  Value exists = b.compare(Predicate::sle, id, chunks);
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
  Value end = b.toIndex(b.add(chunks, b.i32(1)));
  auto loop = b.create<scf::ForOp>(b.index(0), end, b.index(kBlock));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scanBlock(loop.getInductionVar(), carry);
  }
  b.create<tile::EndOp>();
}

/// The ticket that opens an item writes down its chunk.
void IndexKernel::place() {
  Picks picks = getPicks();
  Value ticket = lookUp(tickets, picks.number, picks.valid);
  Value start = lookUp(starts, picks.chunk, picks.valid);
  scatter(picks.entry, placed, b.add(start, ticket), picks.valid);
  Value opens =
      b.both(picks.valid,
             b.compare(Predicate::eq, b.rem(ticket, kItemEntries), b.i32(0)));
  Value item = lookUp(itemStarts, picks.chunk, opens);
  scatter(picks.chunk, itemChunks, b.add(item, b.div(ticket, kItemEntries)),
          opens);
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
                           StringRef importedNames)
    : program(program), parameters(parameters), shape(shape),
      selected(selected) {
  SmallVector<StringRef> names;
  importedNames.split(names, ',');
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
                       sorted);
    (kernel.*write)();
  };
  create("count", &IndexKernel::count);
  create("scan", &IndexKernel::scan);
  create("place", &IndexKernel::place);
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
  Value used = b.create<arith::MaxUIOp>(b.mul(b.mul(sizes.batch, windows.count),
                                              b.mul(sizes.heads, sizes.chunks)),
                                        one);
  Value apart = b.create<arith::DivUIOp>(b.index(kCounters), used);
  apart = b.create<arith::MinUIOp>(apart, b.index(kMostApart));
  apart = b.create<arith::MaxUIOp>(apart, one);
  Value counters = b.mul(b.create<arith::MaxUIOp>(sizes.chunks, one), apart);
  Value lengths[] = {places, places, items, picks, picks, counters};
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
  Value blocks = b.create<arith::CeilDivUIOp>(picks, b.index(kBlock));
  auto launch = [&](StringRef name, Value x) {
    b.create<tile::LaunchOp>(getName(name), x, regions, sizes.batch, operands);
  };
  b.create<tile::MemsetOp>(arrays[5], 0);
  if (sorted) // what others may look at is the same each time
    b.create<tile::MemsetOp>(arrays[0], 0);
  launch("count", blocks);
  launch("scan", b.index(1));
  launch("place", blocks);
  if (sorted)
    launch("sort", items);
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
  InverseIndex index(program, parameters, shape, selected);
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
