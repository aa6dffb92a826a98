// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkMajorPlan.cpp - Windows, sequences and turns of visits --------===//
//
// What chunk_major launches, in which order, and how much at once: windows as
// long as their parts and the index of a span have room for, as many sequences
// together as the cache holds what visits add to, and turns where programs
// would otherwise add to the same sums in any order.
//
//===----------------------------------------------------------------------===//

#include "ChunkMajor.h"
#include "QueryMajor.h"
#include "RangeVisits.h"

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

namespace {
class ChunkMajorPlan {
public:
  explicit ChunkMajorPlan(ChunkMajorProgram &whole)
      : whole(whole), program(whole.program), limits(whole.limits),
        parameters(whole.parameters), blockShape(whole.blockShape),
        visitShape(whole.visitShape), turns(whole.turns),
        reductions(whole.reductions), indices(whole.indices),
        rowValues(whole.rowValues), b(program.getLoc(), program) {}
  LogicalResult create();

private:
  SelectionSizes getSizes(VisitedReduction &reduction);
  Value getIndexBytes(Value number);
  void chooseWindows();
  void createItemParts(VisitedReduction &reduction);
  std::pair<Value, SmallVector<Value>> getLists(VisitedReduction &reduction);
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

  ChunkMajorProgram &whole;
  hsa::ProgramOp program;
  const TileLimits &limits;
  const Parameters &parameters;
  const TileShape &blockShape, &visitShape;
  const Turns &turns;
  std::vector<VisitedReduction> &reductions;
  std::vector<InverseIndex> &indices;
  RowValues &rowValues;
  TileBuilder b;

  SmallVector<Value> arguments, rowArrays;
  PlanResults results;
  Value batch, queries, headBlocks; ///< index
  Value rows, windowRows, windowCount, spanWindows, groupSize;
};
} // namespace

/// Of the indices that the plan makes, with so many rows in a window.
Value ChunkMajorPlan::getIndexBytes(Value number) {
  Value bytes = b.index(0);
  for (InverseIndex &index : indices)
    if (!index.isImported())
      bytes =
          b.add(bytes, index.getBytes(b, index.getSizes(b, arguments), number,
                                      /*exported=*/false));
  return bytes;
}

/// A range has a part for all chunks that a query sees, and none for a slot.
SelectionSizes ChunkMajorPlan::getSizes(VisitedReduction &reduction) {
  if (reduction.selected)
    return indices[reduction.index].getSizes(b, arguments);
  auto memory = [&](Value value) {
    return arguments[cast<BlockArgument>(value).getArgNumber()];
  };
  StringRef partition =
      cast<hsa::DomainType>(reduction.op.getDomain().getType()).getPartition();
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
void ChunkMajorPlan::chooseWindows() {
  Value partBytes, cachedBytes;
  // Chunks of lists need picks enough in a window, those of ranges do not.
  bool hasLists = llvm::any_of(reductions, [](VisitedReduction &reduction) {
    return reduction.selected;
  });
  Value queryHeads = b.mul(headBlocks, b.index(blockShape.heads));
  for (VisitedReduction &reduction : reductions) {
    SelectionSizes sizes = getSizes(reduction);
    if (reduction.selected || !hasLists) {
      Value wanted =
          chooseWindowRows(b, sizes, blockShape.positions, limits.windowTokens);
      windowRows = windowRows ? limit(windowRows, wanted) : wanted;
    }
    rows = sizes.rows;
    const SlotParts &parts = reduction.parts;
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
  Value most = divideDown(b.index(kPartBytes - limits.handedBytes), partBytes);
  windowRows = atLeastOne(limit(windowRows, most));
  windowRows = fitRows(b, windowRows, b.index(kIndexBytes),
                       [&](Value number) { return getIndexBytes(number); });
  for (VisitedReduction &reduction : reductions)
    if (!reduction.selected)
      windowRows =
          limit(windowRows, getMostRangeRows(b, getSizes(reduction).chunks));
  // An index that the call brings along has its windows; if there are several,
  // they have the same.
  for (InverseIndex &index : indices)
    if (index.isImported())
      windowRows = atLeastOne(index.getWindows().rows);
  groupSize = divideDown(b.index(kPartBytes - limits.handedBytes),
                         b.mul(partBytes, windowRows));
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
void ChunkMajorPlan::createItemParts(VisitedReduction &reduction) {
  const ItemParts &items = reduction.items;
  SelectionSizes sizes = indices[reduction.index].getSizes(b, arguments);
  Value picks = b.mul(windowRows, sizes.slots);
  Value bytes = b.mul(items.getBytes(b, results.targets), groupSize);
  int64_t share = kItemPartBytes / reductions.size();
  Value room = atLeastOne(divideDown(b.index(share), atLeastOne(bytes)));
  Value whole = b.add(b.div(picks, kItemEntries), b.index(1));
  Value most = b.mul(divideUp(whole, room), b.index(kItemEntries));
  most = b.create<arith::MaxUIOp>(most, b.index(items.getLeastEntries()));
  reduction.itemArrays = items.createArrays(b, results.targets, groupSize,
                                            divideDown(picks, most));
  reduction.itemArrays.push_back(b.toI32(most));
}

/// The items of a reduction at most, an index, and what its kernels read them
/// from.
std::pair<Value, SmallVector<Value>>
ChunkMajorPlan::getLists(VisitedReduction &reduction) {
  if (reduction.selected) {
    InverseIndex &index = indices[reduction.index];
    return {index.getItems(), llvm::to_vector(index.getArrays())};
  }
  RangeItems items =
      countRangeItems(b, reduction.op, arguments, windowRows,
                      blockShape.positions, getSizes(reduction).chunks);
  return {items.count, {b.toI32(windowRows), b.toI32(items.pieces)}};
}

/// The visits of a reduction; what long lists have to add follows at once.
void ChunkMajorPlan::createTurns(unsigned number, SmallVector<Value> numbers,
                                 Value sequences) {
  VisitedReduction &reduction = reductions[number];
  auto [items, lists] = getLists(reduction);
  Value programs = b.mul(headBlocks, b.index(visitShape.rowBlocks));
  Value y = turns.countPrograms(b, programs);
  auto take = [&](Value turn) {
    numbers.back() = b.toI32(turn);
    auto launch = [&](StringRef kernel, Value height, bool hasParts) {
      SmallVector<Value> operands(arguments);
      llvm::append_range(operands, lists);
      if (hasParts) {
        llvm::append_range(operands, reduction.partArrays);
        llvm::append_range(operands, rowArrays);
      }
      llvm::append_range(operands, reduction.itemArrays);
      llvm::append_range(operands, numbers);
      if (hasSums(program))
        llvm::append_range(operands, results.targets);
      b.create<tile::LaunchOp>(whole.getName(kernel, number), items, height,
                               sequences, operands);
    };
    launch("visits", y, /*hasParts=*/true);
    if (whole.ownsItems(reduction))
      launch("items", b.mul(y, b.index(reduction.items.countPieces())),
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
void ChunkMajorPlan::createSequences(Value window, Value number, Value group) {
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
    b.create<tile::LaunchOp>(whole.getRowsName(), blocks, headBlocks, sequences,
                             operands);
  }
  SmallVector<Value> rest(arguments);
  for (VisitedReduction &reduction : reductions)
    reduction.parts.clearTotals(b, reduction.partArrays);
  for (auto [place, reduction] : llvm::enumerate(reductions)) {
    bool isWhole = reduction.selected && indices[reduction.index].isImported();
    numbers[0] = b.toI32(isWhole ? number : window);
    createTurns(place, SmallVector<Value>(numbers, numbers + 4), sequences);
    llvm::append_range(rest, reduction.partArrays);
  }
  if (!whole.hasRest())
    return;
  llvm::append_range(rest, numbers);
  llvm::append_range(rest, results.targets);
  b.create<tile::LaunchOp>(whole.getRestName(), blocks, headBlocks, sequences,
                           rest);
}

/// The windows whose index is made at once.
void ChunkMajorPlan::createSpan(Value span) {
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

LogicalResult ChunkMajorPlan::create() {
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
  for (VisitedReduction &reduction : reductions) {
    Value slots = getSizes(reduction).slots;
    reduction.partArrays = reduction.parts.createArrays(
        b, {groupSize, tokens, heads, slots}, results.targets);
    reduction.parts.clearResults(b, reduction.partArrays);
    if (whole.ownsItems(reduction))
      createItemParts(reduction);
  }
  createPlanLoop(b, divideUp(windowCount, spanWindows),
                 [&](Value span) { createSpan(span); });
  roundResults(b, plan, results);
  b.create<tile::EndOp>();
  return success();
}

LogicalResult ramify::createChunkMajorPlan(ChunkMajorProgram &whole) {
  return ChunkMajorPlan(whole).create();
}
