// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InverseIndex.cpp - The queries of each chunk -----------------------===//

#include "InverseIndex.h"

#include "IndexKernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ramify;

/// Bytes of the workspaces of a plan that makes an index alone.
static constexpr int64_t kWorkspaceBytes = int64_t(192) << 20;

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

ItemEntries ramify::emitItem(TileBuilder &b, Value number, ValueRange region,
                             Value items) {
  Value place = b.mul(b.toI32(number), b.i32(kItemWords));
  auto load = [&](int64_t word) -> Value {
    SmallVector<Value> indices(region);
    indices.push_back(b.toIndex(b.add(place, b.i32(word))));
    return b.create<memref::LoadOp>(items, indices);
  };
  ItemEntries item;
  item.chunk = load(0), item.begin = load(1);
  item.first = load(2), item.behind = load(3);
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

void InverseIndex::createKernels() {
  auto create = [&](StringRef name, void (IndexKernel::*write)()) {
    IndexKernel kernel(program, parameters, shape, selected, getName(name),
                       block);
    (kernel.*write)();
  };
  create("rank", &IndexKernel::rank);
  create("columns", &IndexKernel::columns);
  create("place", &IndexKernel::place);
  create("heads", &IndexKernel::heads);
  create("opens", &IndexKernel::opens);
  create("items", &IndexKernel::items);
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

Value InverseIndex::getBytes(TileBuilder &b, const SelectionSizes &all,
                             Value rows, bool isExported) {
  // For each pick its rank, up to two lists, and what tables and runs have; a
  // table's last row, and the totals.
  constexpr int64_t word = 4;
  int64_t ofPick = word * (3 + llvm::divideCeil(kBins, block)) + 1;
  Value number = b.mul(rows, all.slots);
  if (!isExported) // an entry, and items: no more than picks
    ofPick += word + word * kItemWords + word * kItemWords / kItemEntries;
  Value bytes =
      b.add(b.mul(number, b.index(ofPick)), b.index(2 * word * kBins));
  return b.mul(bytes, b.mul(all.batch, all.heads));
}

/// The passes that chunks need, one for ten bits each.
static Value countPasses(TileBuilder &b, Value chunks) {
  Value one = b.index(1);
  Value last = b.sub(b.create<arith::MaxUIOp>(chunks, one), one);
  Value passes = one;
  for (int64_t bits = kDigitBits; bits < 31; bits += kDigitBits) {
    Value higher = b.div(last, int64_t(1) << bits);
    passes = b.add(passes, b.create<arith::MinUIOp>(higher, one));
  }
  return passes;
}

/// As many as the bytes allow.
Value ramify::fitRows(TileBuilder &b, Value rows, Value most,
                      llvm::function_ref<Value(Value)> getBytes) {
  Value bytes = b.create<arith::MaxUIOp>(getBytes(rows), most);
  Value fitting = b.create<arith::DivUIOp>(b.mul(rows, most), bytes);
  return b.create<arith::MaxUIOp>(fitting, b.index(1));
}

void InverseIndex::createArrays(TileBuilder &b, ValueRange planArguments,
                                const SelectionSizes &all, const Windows &those,
                                Value span, bool isExported) {
  arguments.assign(planArguments.begin(), planArguments.end());
  sizes = all, windows = those, exported = isExported;
  Value one = b.index(1);
  picks = b.mul(windows.rows, sizes.slots);
  blocks = b.create<arith::CeilDivUIOp>(picks, b.index(block));
  passes = countPasses(b, sizes.chunks);
  Value others = b.sub(passes, one),
        lists = b.create<arith::MinUIOp>(others, b.index(2));
  // Where there are more passes than one the list is looked at in pieces.
  pieces = b.create<arith::CeilDivUIOp>(picks, b.index(kListed));
  pieces = b.mul(b.create<arith::MaxUIOp>(pieces, one),
                 b.create<arith::MinUIOp>(others, one));
  items = b.add(b.create<arith::MinUIOp>(sizes.chunks, picks),
                b.div(picks, kItemEntries));
  Value lengths[kIndexArrays] = {
      b.index(2),     b.mul(items, b.index(kItemWords)),
      picks,          b.mul(picks, lists),
      picks,          b.mul(blocks, b.index(kBins)),
      b.index(kBins), b.mul(pieces, b.index(kRunParts))};
  Type type = getArrayType(b.getContext());
  for (auto [number, length] : llvm::enumerate(lengths)) {
    bool isResult = exported && number <= kEntries;
    Value shape[] = {sizes.batch, isResult ? windows.count : span, sizes.heads,
                     length};
    if (isResult)
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
  StringRef lengths[] = {"sizes", "words", "picks"};
  for (unsigned array = 0; array <= kEntries; ++array) {
    SmallVector<Attribute> dims = {own[0], b.getStringAttr(name + "windows"),
                                   own[2],
                                   b.getStringAttr(name + lengths[array])};
    NamedAttrList attributes;
    attributes.set("ramify.name",
                   b.getStringAttr(name + kIndexArrayNames[array]));
    attributes.set("ramify.dims", b.getArrayAttr(dims));
    plan.insertArgument(plan.getNumArguments(), getArrayType(b.getContext()),
                        attributes.getDictionary(b.getContext()),
                        plan.getLoc());
  }
  llvm::append_range(arrays, plan.getArguments().take_back(3));
  auto dim = [&](Value array, int64_t axis) -> Value {
    return b.create<memref::DimOp>(array, b.index(axis));
  };
  Value slots = dim(plan.getArgument(number), 3);
  slots = b.create<arith::MaxUIOp>(slots, b.index(1));
  items = b.div(dim(arrays[kItems], 3), kItemWords);
  windows.rows = b.create<arith::DivUIOp>(dim(arrays[kEntries], 3), slots);
  windows.count = dim(arrays[kCounts], 1);
}

void InverseIndex::launch(TileBuilder &b, Value window, Value count) {
  Value regions = b.mul(count, sizes.heads);
  auto launch = [&](StringRef name, Value x, Value pass) {
    SmallVector<Value> operands(arguments);
    llvm::append_range(operands, arrays);
    operands.push_back(b.toI32(window));
    operands.push_back(exported ? b.toI32(window) : b.i32(0));
    for (Value number : {windows.rows, pass, passes})
      operands.push_back(b.toI32(number));
    b.create<tile::LaunchOp>(getName(name), x, regions, sizes.batch, operands);
  };
  int64_t placed = std::min(block, kMostPlaced);
  // One of the programs says how many there are, even if there is none.
  Value programs = b.create<arith::CeilDivUIOp>(picks, b.index(placed));
  programs = b.create<arith::MaxUIOp>(programs, b.index(1));
  createPlanLoop(b, passes, [&](Value pass) {
    launch("rank", blocks, pass);
    launch("columns", b.index(kBins / kColumns), pass);
    launch("place", programs, pass);
  });
  for (StringRef name : {"heads", "opens", "items"})
    launch(name, pieces, passes);
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
  index.createKernels();
  TileBuilder b(program.getLoc(), program);
  tile::PlanOp plan = createEmptyPlan(b, program, parameters);
  ValueRange arguments = plan.getBody().getArguments();
  SelectionSizes sizes = index.getSizes(b, arguments);
  Value one = b.index(1), most = b.index(kWorkspaceBytes);
  Windows windows;
  windows.rows = fitRows(
      b, chooseWindowRows(b, sizes, shape.positions, limits.windowTokens), most,
      [&](Value rows) { return index.getBytes(b, sizes, rows, true); });
  windows.count = b.create<arith::CeilDivUIOp>(sizes.rows, windows.rows);
  Value bytes = index.getBytes(b, sizes, windows.rows, true);
  Value span =
      b.create<arith::DivUIOp>(most, b.create<arith::MaxUIOp>(bytes, one));
  span = b.create<arith::MinUIOp>(span, windows.count);
  span = b.create<arith::MaxUIOp>(span, one);
  index.createArrays(b, arguments, sizes, windows, span, /*exported=*/true);
  Value spans = b.create<arith::CeilDivUIOp>(windows.count, span);
  createPlanLoop(b, spans, [&](Value number) {
    Value first = b.mul(number, span);
    Value count = b.create<arith::MinUIOp>(span, b.sub(windows.count, first));
    index.launch(b, first, count);
  });
  b.create<tile::EndOp>();
  return success();
}
