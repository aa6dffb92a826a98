// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkMajor.cpp - Chunks visit the queries that selected them -------===//
//
// Keys and values are read about once, whatever the group is, and queries and
// parts of results travel instead. Work goes window by window of tokens, so
// that what a window writes stays in the cache and the workspace is bounded:
//
//     for each span of windows
//       the inverse index of the span            InverseIndex.h
//       for each window, some sequences at a time
//         what is computed of its queries        RowValues.h
//         visits: a program owns some of the     ChunkVisits.h
//           entries of one chunk and writes what
//           each contributes to its slot's part  SlotParts.h
//         the parts of long lists are added      ItemParts.h
//         the rest of the program: one program
//           for each query block combines the
//           parts in the order of the slots
//
// The parts make it the same bits each time. Unless that is asked for, visits
// add what a sum needs no slots for to one total of each row, in any order, or
// to the result itself, and sums over all queries to those of their chunk. The
// chunks of a window of keys, or of another range, are visited without an
// index, if sums of theirs are wanted (RangeVisits.h). What else the program
// does is done by the last launch as query_major does it; often that is
// nothing.
//
//===----------------------------------------------------------------------===//

#include "ChunkVisits.h"
#include "QueryMajor.h"
#include "RangeVisits.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ramify;

/// Bytes that the parts of a window, the index of a span, and the parts of long
/// lists may take: less together than the 256 MiB of the contract.
static constexpr int64_t kPartBytes = int64_t(160) << 20;
static constexpr int64_t kIndexBytes = int64_t(64) << 20;
static constexpr int64_t kItemPartBytes = int64_t(24) << 20;
/// Bytes of totals and results that visits add to at once: less than the last
/// cache has.
static constexpr int64_t kCachedBytes = int64_t(32) << 20;

/// Keys for each row from which on parts cost less than reading the keys of
/// each visit. With 16, joint softmaxes took 0.45 to 0.55 of the time, with 8
/// 0.9 to 1.0.
static constexpr int64_t kKeysPerRowOfParts = 16;

//===----------------------------------------------------------------------===//
// The reductions
//===----------------------------------------------------------------------===//

namespace {
/// A reduction over selected chunks, or over a range of chunks, whose visits
/// are launches of their own.
struct Selection {
  hsa::ReduceOp op;
  hsa::SelectedOp selected; ///< null if it is over a range
  SlotParts parts;
  ItemParts items;               ///< of an owner
  unsigned index;                ///< its inverse index
  SmallVector<Value> partArrays; ///< in the plan
  SmallVector<Value> itemArrays; ///< and how many entries a program takes
};

class ChunkMajor {
public:
  ChunkMajor(hsa::ProgramOp program, const TileLimits &limits)
      : program(program), limits(limits), parameters(program),
        blockShape(program, limits),
        visitShape(TileShape::ofChunk(program, limits)),
        turns(program, visitShape, limits.deterministic),
        b(program.getLoc(), program) {}
  LogicalResult lower();

private:
  LogicalResult collect();
  void collectRange(hsa::ReduceOp op, Type element);
  std::string getName(StringRef kernel, unsigned number);
  VisitedChunks getVisited(Selection &selection);
  bool ownsItems(const Selection &selection) const {
    return limits.deterministic && !selection.items.empty();
  }
  std::string getRestName() { return (program.getSymName() + "_rest").str(); }
  bool isAddedTo(unsigned result) const;
  bool hasRest();
  LogicalResult checkPays();
  std::string getRowsName() { return (program.getSymName() + "_rows").str(); }
  LogicalResult createRestKernel();
  LogicalResult emitParts(BodyEmitter &emitter, Selection &selection,
                          ValueRange arrays, const WindowArguments &window);

  // The plan.
  LogicalResult createPlan();
  SelectionSizes getSizes(Selection &selection);
  Value getIndexBytes(Value number);
  void chooseWindows();
  void createItemParts(Selection &selection);
  std::pair<Value, SmallVector<Value>> getLists(Selection &selection);
  void createSpan(Value span);
  void createSequences(Value window, Value number, Value group);
  void createTurns(unsigned number, SmallVector<Value> numbers,
                   Value sequences);
  Value limit(Value value, Value most) {
    return b.create<arith::MinUIOp>(value, most);
  }
  Value atLeastOne(Value value) {
    return b.create<arith::MaxUIOp>(value, b.index(1));
  }
  Value divideUp(Value value, Value divisor) {
    return b.create<arith::CeilDivUIOp>(value, divisor);
  }
  Value divideDown(Value value, Value divisor) {
    return b.create<arith::DivUIOp>(value, divisor);
  }

  hsa::ProgramOp program;
  const TileLimits &limits;
  Parameters parameters;
  TileShape blockShape, visitShape;
  Turns turns;
  TileBuilder b;
  std::vector<Selection> selections;
  std::vector<InverseIndex> indices;
  RowValues rowValues;

  SmallVector<Value> arguments, rowArrays;
  PlanResults results;
  Value batch, queries, headBlocks; ///< index
  Value rows, windowRows, windowCount, spanWindows, groupSize;
};
} // namespace

void ChunkMajor::collectRange(hsa::ReduceOp op, Type element) {
  if (!canVisitRange(op, parameters, limits))
    return;
  SlotParts parts(program, op, element, limits);
  ItemParts items(program, parameters, visitShape, op);
  selections.push_back(
      {op, nullptr, std::move(parts), std::move(items), 0, {}, {}});
}

LogicalResult ChunkMajor::collect() {
  BlockArgument query = parameters.getQuery();
  if (!query)
    return program.emitOpError("has no query, which chunk_major needs");
  Type element = cast<hsa::QueryType>(query.getType()).getElementType();
  llvm::DenseMap<Value, unsigned> known;
  for (auto op : program.getBody().getOps<hsa::ReduceOp>()) {
    auto selected = op.getDomain().getDefiningOp<hsa::SelectedOp>();
    if (!selected) {
      collectRange(op, element);
      continue;
    }
    if (selected.isComputed())
      return op.emitOpError("visits slots that the program computes, which "
                            "chunk_major cannot index");
    SlotParts parts(program, op, element, limits);
    parts.useResults(parameters.getResultTypes());
    ItemParts items(program, parameters, visitShape, op);
    Selection selection{op, selected, std::move(parts), std::move(items), 0,
                        {}, {}};
    if (failed(selection.parts.verify()))
      return failure();
    auto [place, isNew] =
        known.try_emplace(selected.getIndices(), indices.size());
    if (isNew)
      indices.emplace_back(program, parameters, visitShape, selected, limits);
    selection.index = place->second;
    selections.push_back(std::move(selection));
  }
  if (selections.empty())
    return program.emitOpError(
        "visits no selected chunks, which chunk_major is made for, and adds "
        "to no sums of the chunks of a range");
  SmallVector<hsa::ReduceOp> visited;
  for (Selection &selection : selections)
    visited.push_back(selection.op);
  rowValues = RowValues(visited);
  return checkHeads(program, visitShape);
}

std::string ChunkMajor::getName(StringRef kernel, unsigned number) {
  std::string name = (program.getSymName() + "_" + kernel).str();
  return number ? name + std::to_string(number) : name;
}

VisitedChunks ChunkMajor::getVisited(Selection &selection) {
  bool imported = selection.selected && indices[selection.index].isImported();
  return {selection.op, selection.selected, selection.parts,
          rowValues,    selection.items,    imported};
}

//===----------------------------------------------------------------------===//
// The rest of the program
//===----------------------------------------------------------------------===//

/// A reduction whose visits have been made: their parts, slot by slot.
LogicalResult ChunkMajor::emitParts(BodyEmitter &emitter, Selection &selection,
                                    ValueRange arrays,
                                    const WindowArguments &window) {
  TileBuilder &inner = emitter.b;
  const Rows &rows = emitter.rows;
  inner.setLoc(selection.op.getLoc());
  auto memory = [&](Value value) { return emitter.get(value); };
  PartPlace place = getPlaceOfRows(emitter, window);
  auto visit = [&](const SlotChunks &visited,
                   ValueRange before) -> FailureOr<Tiles> {
    place.slot = visited.slots[0];
    return selection.parts.combine(emitter, before, arrays, place);
  };
  Tiles states = getStates(emitter, selection.op);
  if (selection.parts.hasSlots()) {
    StringRef partition = selection.selected.getType().getPartition();
    Value chunks =
        getPartitionSize(inner, program, partition, memory, rows.batch).chunks;
    if (failed(emitSlots(emitter, selection.selected, chunks, states, visit,
                         /*together=*/1)))
      return failure();
  }
  selection.parts.addTotals(emitter, states, arrays, place);
  setResults(emitter, selection.op, states);
  return success();
}

bool ChunkMajor::isAddedTo(unsigned result) const {
  return llvm::any_of(selections, [&](const Selection &selection) {
    return selection.parts.addsToResult(result);
  });
}

/// Whether something is left to do when all chunks have been visited.
bool ChunkMajor::hasRest() {
  for (auto [number, type] : llvm::enumerate(program.getResultTypes()))
    if (!isa<hsa::SumsType>(type) && !isAddedTo(number))
      return true;
  return llvm::any_of(program.getBody().getOps(), [&](Operation &op) {
    bool isVisited = llvm::any_of(
        selections, [&](Selection &selection) { return selection.op == &op; });
    return isa<hsa::AddOp>(op) || (isa<hsa::ReduceOp>(op) && !isVisited);
  });
}

LogicalResult ChunkMajor::createRestKernel() {
  TileBuilder inner(program.getLoc(), program);
  BodyEmitter emitter(inner, program, blockShape);
  emitter.deterministic = limits.deterministic;
  SmallVector<KernelArgument> extra;
  for (Selection &selection : selections)
    for (MemRefType type : selection.parts.getTypes())
      extra.push_back({"part" + std::to_string(extra.size()), type});
  addWindowArguments(extra, inner.getContext());
  for (auto [number, type] : llvm::enumerate(parameters.getResultTypes()))
    extra.push_back({"result" + std::to_string(number), type});
  tile::KernelOp kernel =
      createKernel(emitter, parameters, getRestName(), extra);
  ValueRange arrays = kernel.getBody().getArguments();
  arrays = arrays.take_back(extra.size())
               .drop_back(parameters.getResultTypes().size());
  WindowArguments window = takeWindowArguments(arrays);
  emitQueryRows(emitter, parameters, kernel, window.firstRow, window.sequence);
  auto reduce = [&](hsa::ReduceOp op) -> LogicalResult {
    ValueRange rest = arrays;
    for (Selection &selection : selections) {
      size_t count = selection.parts.getTypes().size();
      if (selection.op == op)
        return emitParts(emitter, selection, rest.take_front(count), window);
      rest = rest.drop_front(count);
    }
    return emitQueryReduce(emitter, op);
  };
  if (failed(emitProgram(emitter, reduce)))
    return failure();
  emitResults(emitter, kernel,
              cast<hsa::ReturnOp>(program.getBody().front().getTerminator()),
              [&](unsigned result) { return isAddedTo(result); });
  return success();
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

/// Of the indices that the plan makes, with so many rows in a window.
Value ChunkMajor::getIndexBytes(Value number) {
  Value bytes = b.index(0);
  for (InverseIndex &index : indices)
    if (!index.isImported())
      bytes =
          b.add(bytes, index.getBytes(b, index.getSizes(b, arguments), number,
                                      /*exported=*/false));
  return bytes;
}

/// A range has a part for all chunks that a query sees, and none for a slot.
SelectionSizes ChunkMajor::getSizes(Selection &selection) {
  if (selection.selected)
    return indices[selection.index].getSizes(b, arguments);
  auto memory = [&](Value value) {
    return arguments[cast<BlockArgument>(value).getArgNumber()];
  };
  StringRef partition =
      cast<hsa::DomainType>(selection.op.getDomain().getType()).getPartition();
  SelectionSizes sizes;
  sizes.batch = batch;
  sizes.rows = divideUp(queries, b.index(blockShape.positions));
  sizes.heads = b.index(1);
  sizes.chunks = b.toIndex(getWholeSize(b, program, partition, memory).chunks);
  // Windows are long enough for it, however many chunks there are.
  sizes.slots = atLeastOne(sizes.chunks);
  return sizes;
}

/// Windows of as many tokens as the parts have room for, as many sequences at
/// a time, and as many windows in an index.
void ChunkMajor::chooseWindows() {
  Value partBytes, cachedBytes;
  // Chunks of lists need picks enough in a window, those of ranges do not.
  bool hasLists =
      llvm::any_of(selections, [](Selection &s) { return s.selected; });
  Value queryHeads = b.mul(headBlocks, b.index(blockShape.heads));
  for (Selection &selection : selections) {
    SelectionSizes sizes = getSizes(selection);
    if (selection.selected || !hasLists) {
      Value wanted =
          chooseWindowRows(b, sizes, blockShape.positions, limits.windowTokens);
      windowRows = windowRows ? limit(windowRows, wanted) : wanted;
    }
    rows = sizes.rows;
    const SlotParts &parts = selection.parts;
    Value bytes = b.index(0);
    if (parts.hasSlots())
      bytes = b.mul(sizes.slots, b.index(parts.getSlotBytes()));
    bytes = b.mul(b.add(bytes, b.index(parts.getTotalBytes())),
                  b.index(blockShape.positions));
    partBytes = partBytes ? b.add(partBytes, bytes) : bytes;
    Value cached = b.index((parts.getTotalBytes() + parts.getResultBytes()) *
                           blockShape.positions);
    cachedBytes = cachedBytes ? b.add(cachedBytes, cached) : cached;
  }
  Value ofRows = b.index(rowValues.getBytes() * blockShape.positions);
  partBytes = b.add(partBytes, ofRows);
  cachedBytes = b.add(cachedBytes, ofRows);
  partBytes = atLeastOne(b.mul(partBytes, queryHeads));
  cachedBytes = atLeastOne(b.mul(cachedBytes, queryHeads));
  Value most = divideDown(b.index(kPartBytes), partBytes);
  windowRows = atLeastOne(limit(windowRows, most));
  windowRows = fitRows(b, windowRows, b.index(kIndexBytes),
                       [&](Value number) { return getIndexBytes(number); });
  for (Selection &selection : selections)
    if (!selection.selected)
      windowRows =
          limit(windowRows, getMostRangeRows(b, getSizes(selection).chunks));
  // An index that the call brings along has its windows; if there are several,
  // they have the same.
  for (InverseIndex &index : indices)
    if (index.isImported())
      windowRows = atLeastOne(index.getWindows().rows);
  groupSize = divideDown(b.index(kPartBytes), b.mul(partBytes, windowRows));
  groupSize = limit(groupSize, divideDown(b.index(kCachedBytes),
                                          b.mul(cachedBytes, windowRows)));
  groupSize = atLeastOne(limit(groupSize, batch));
  if (turns.ofSequences)
    groupSize = b.index(1);
  windowCount = divideUp(rows, windowRows);
  Value indexBytes = atLeastOne(getIndexBytes(windowRows));
  spanWindows =
      limit(divideDown(b.index(kIndexBytes), indexBytes), windowCount);
  spanWindows = atLeastOne(spanWindows);
}

/// As many entries for a program that all parts have room.
void ChunkMajor::createItemParts(Selection &selection) {
  const ItemParts &items = selection.items;
  SelectionSizes sizes = indices[selection.index].getSizes(b, arguments);
  Value picks = b.mul(windowRows, sizes.slots);
  Value bytes = b.mul(items.getBytes(b, results.targets), groupSize);
  int64_t share = kItemPartBytes / selections.size();
  Value room = atLeastOne(divideDown(b.index(share), atLeastOne(bytes)));
  Value whole = b.add(b.div(picks, kItemEntries), b.index(1));
  Value most = b.mul(divideUp(whole, room), b.index(kItemEntries));
  most = b.create<arith::MaxUIOp>(most, b.index(items.getLeastEntries()));
  selection.itemArrays = items.createArrays(b, results.targets, groupSize,
                                            divideDown(picks, most));
  selection.itemArrays.push_back(b.toI32(most));
}

/// The items of a reduction at most, an index, and what its kernels read them
/// from.
std::pair<Value, SmallVector<Value>>
ChunkMajor::getLists(Selection &selection) {
  if (selection.selected) {
    InverseIndex &index = indices[selection.index];
    return {index.getItems(), llvm::to_vector(index.getArrays())};
  }
  RangeItems items =
      countRangeItems(b, selection.op, arguments, windowRows,
                      blockShape.positions, getSizes(selection).chunks);
  return {items.count, {b.toI32(windowRows), b.toI32(items.pieces)}};
}

/// The visits of a reduction; what long lists have to add follows at once.
void ChunkMajor::createTurns(unsigned number, SmallVector<Value> numbers,
                             Value sequences) {
  Selection &selection = selections[number];
  auto [items, lists] = getLists(selection);
  Value programs = b.mul(headBlocks, b.index(visitShape.rowBlocks));
  Value y = turns.countPrograms(b, programs);
  auto take = [&](Value turn) {
    numbers.back() = b.toI32(turn);
    auto launch = [&](StringRef kernel, Value height, bool hasParts) {
      SmallVector<Value> operands(arguments);
      llvm::append_range(operands, lists);
      if (hasParts) {
        llvm::append_range(operands, selection.partArrays);
        llvm::append_range(operands, rowArrays);
      }
      llvm::append_range(operands, selection.itemArrays);
      llvm::append_range(operands, numbers);
      if (hasSums(program))
        llvm::append_range(operands, results.targets);
      b.create<tile::LaunchOp>(getName(kernel, number), items, height,
                               sequences, operands);
    };
    launch("visits", y, /*hasParts=*/true);
    if (ownsItems(selection))
      launch("items", b.mul(y, b.index(selection.items.countPieces())),
             /*hasParts=*/false);
  };
  if (turns.ofHeads)
    createPlanLoop(b, programs, take);
  else
    for (int64_t turn = 0; turn < turns.ofKeyHead; ++turn)
      take(b.index(turn));
}

/// The launches for some sequences of a window, `window` of the span and
/// `number` of all.
void ChunkMajor::createSequences(Value window, Value number, Value group) {
  Value firstRow = b.mul(number, windowRows);
  Value first = b.mul(group, groupSize);
  Value sequences = limit(groupSize, b.sub(batch, first));
  Value numbers[] = {b.toI32(window), b.toI32(firstRow), b.toI32(first),
                     b.i32(0)};
  Value blocks = limit(windowRows, b.sub(rows, firstRow));
  blocks = b.mul(blocks, b.index(blockShape.rowBlocks));
  if (!rowValues.empty()) {
    SmallVector<Value> operands(arguments);
    llvm::append_range(operands, rowArrays);
    llvm::append_range(operands, numbers);
    if (hasSums(program))
      llvm::append_range(operands, results.targets);
    b.create<tile::LaunchOp>(getRowsName(), blocks, headBlocks, sequences,
                             operands);
  }
  SmallVector<Value> rest(arguments);
  for (Selection &selection : selections)
    selection.parts.clearTotals(b, selection.partArrays);
  for (auto [place, selection] : llvm::enumerate(selections)) {
    bool isWhole = selection.selected && indices[selection.index].isImported();
    numbers[0] = b.toI32(isWhole ? number : window);
    createTurns(place, SmallVector<Value>(numbers, numbers + 4), sequences);
    llvm::append_range(rest, selection.partArrays);
  }
  if (!hasRest())
    return;
  llvm::append_range(rest, numbers);
  llvm::append_range(rest, results.targets);
  b.create<tile::LaunchOp>(getRestName(), blocks, headBlocks, sequences, rest);
}

/// The windows whose index is made at once.
void ChunkMajor::createSpan(Value span) {
  Value first = b.mul(span, spanWindows);
  Value count = limit(spanWindows, b.sub(windowCount, first));
  for (InverseIndex &index : indices)
    if (!index.isImported())
      index.launch(b, first, count);
  createPlanLoop(b, count, [&](Value window) {
    Value number = b.add(first, window);
    createPlanLoop(b, divideUp(batch, groupSize), [&](Value group) {
      createSequences(window, number, group);
    });
  });
}

LogicalResult ChunkMajor::createPlan() {
  tile::PlanOp plan = createEmptyPlan(b, program, parameters);
  llvm::append_range(arguments, plan.getBody().getArguments());
  Value query = arguments[parameters.getQuery().getArgNumber()];
  PlanSizes sizes = getPlanSizes(b, program, query);
  batch = sizes.batch, queries = sizes.queries;
  headBlocks = b.div(sizes.queryHeads, blockShape.heads);
  FailureOr<PlanResults> made =
      createResults(b, program, &plan.getBody().front(), parameters, sizes);
  if (failed(made))
    return failure();
  results = *made;
  for (InverseIndex &index : indices)
    if (index.isImported())
      index.importArrays(b, plan);
  chooseWindows();
  for (InverseIndex &index : indices)
    if (!index.isImported())
      index.createArrays(b, arguments, index.getSizes(b, arguments),
                         {windowRows, windowCount}, spanWindows,
                         /*exported=*/false);
  Value tokens = b.mul(windowRows, b.index(blockShape.positions));
  Value heads = b.mul(headBlocks, b.index(blockShape.heads));
  rowArrays = rowValues.createArrays(b, {groupSize, tokens, heads});
  for (Selection &selection : selections) {
    Value slots = getSizes(selection).slots;
    selection.partArrays = selection.parts.createArrays(
        b, {groupSize, tokens, heads, slots}, results.targets);
    selection.parts.clearResults(b, selection.partArrays);
    if (ownsItems(selection))
      createItemParts(selection);
  }
  createPlanLoop(b, divideUp(windowCount, spanWindows),
                 [&](Value span) { createSpan(span); });
  roundResults(b, plan, results);
  b.create<tile::EndOp>();
  return success();
}

/// Whether chunks have enough keys for each row that is read for them, and more
/// for those of which parts are written.
LogicalResult ChunkMajor::checkPays() {
  int64_t rows = visitShape.positions * visitShape.heads;
  int64_t keys = std::numeric_limits<int64_t>::max();
  for (Selection &selection : selections) {
    auto domain = cast<hsa::DomainType>(selection.op.getDomain().getType());
    keys = std::min(keys, program.getChunkSize(domain.getPartition()));
  }
  if (keys < limits.keysPerRow * rows)
    return program.emitOpError()
           << "has chunks of " << keys << " keys for query blocks of " << rows
           << " rows, of which chunk_major is asked to have "
           << limits.keysPerRow << " each";
  if (limits.inPlace && hasRest() && keys < kKeysPerRowOfParts * rows)
    return program.emitOpError("is asked for visits that add to results, but "
                               "needs a launch to finish them");
  return success();
}

LogicalResult ChunkMajor::lower() {
  if (failed(collect()))
    return failure();
  if (failed(checkPays()))
    return failure();
  for (InverseIndex &index : indices)
    if (!index.isImported())
      index.createKernels();
  for (auto [number, selection] : llvm::enumerate(selections)) {
    VisitedChunks visited = getVisited(selection);
    if (failed(createVisitKernel(program, parameters, visitShape, visited,
                                 getName("visits", number),
                                 limits.deterministic)))
      return failure();
    if (ownsItems(selection))
      createItemSumsKernel(program, parameters, visitShape, visited,
                           getName("items", number));
  }
  if (!rowValues.empty() &&
      failed(createRowsKernel(program, parameters, blockShape, rowValues,
                              getRowsName())))
    return failure();
  if (hasRest() && failed(createRestKernel()))
    return failure();
  return createPlan();
}

LogicalResult ramify::lowerChunkMajor(hsa::ProgramOp program,
                                      const TileLimits &limits) {
  TileLimits own = limits;
  own.keysAtOnce = 0; // a visit has one chunk
  return ChunkMajor(program, own).lower();
}
