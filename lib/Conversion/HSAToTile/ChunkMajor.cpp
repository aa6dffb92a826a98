// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkMajor.cpp - Chunks visit the queries that selected them -------===//
//
// Keys and values are read about once, whatever the group is, and queries and
// parts of results travel instead. Work goes window by window of tokens, so
// that what a window writes stays in the cache and the workspace is bounded:
//
//     for each span of windows                 ChunkMajorPlan.cpp
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

#include "ChunkMajor.h"
#include "QueryMajor.h"
#include "RangeVisits.h"

using namespace mlir;
using namespace ramify;

/// Keys for each row from which on parts cost less than reading the keys of
/// each visit. With 16, joint softmaxes took 0.45 to 0.55 of the time, with 8
/// 0.9 to 1.0.
static constexpr int64_t kKeysPerRowOfParts = 16;

//===----------------------------------------------------------------------===//
// The reductions
//===----------------------------------------------------------------------===//

namespace {
class ChunkMajor : ChunkMajorProgram {
public:
  using ChunkMajorProgram::ChunkMajorProgram;
  LogicalResult lower();

private:
  LogicalResult collect();
  void collectRange(hsa::ReduceOp op, Type element);
  VisitedChunks getVisited(VisitedReduction &reduction);
  LogicalResult checkPays();
  LogicalResult createRestKernel();
  LogicalResult emitParts(BodyEmitter &emitter, VisitedReduction &reduction,
                          ValueRange arrays, const WindowArguments &window);
};
} // namespace

void ChunkMajor::collectRange(hsa::ReduceOp op, Type element) {
  if (!canVisitRange(op, parameters, limits))
    return;
  SlotParts parts(program, op, element, limits);
  ItemParts items(program, parameters, visitShape, op);
  reductions.push_back(
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
    VisitedReduction reduction{
        op, selected, std::move(parts), std::move(items), 0, {}, {}};
    if (failed(reduction.parts.verify()))
      return failure();
    auto [place, isNew] =
        known.try_emplace(selected.getIndices(), indices.size());
    if (isNew)
      indices.emplace_back(program, parameters, visitShape, selected, limits);
    reduction.index = place->second;
    reductions.push_back(std::move(reduction));
  }
  if (reductions.empty())
    return program.emitOpError(
        "visits no selected chunks, which chunk_major is made for, and adds "
        "to no sums of the chunks of a range");
  SmallVector<hsa::ReduceOp> visited;
  for (VisitedReduction &reduction : reductions)
    visited.push_back(reduction.op);
  rowValues = RowValues(visited);
  return checkHeads(program, visitShape);
}

std::string ChunkMajorProgram::getName(StringRef kernel, unsigned number) {
  std::string name = (program.getSymName() + "_" + kernel).str();
  return number ? name + std::to_string(number) : name;
}

VisitedChunks ChunkMajor::getVisited(VisitedReduction &reduction) {
  bool imported = reduction.selected && indices[reduction.index].isImported();
  return {reduction.op, reduction.selected, reduction.parts,
          rowValues,    reduction.items,    imported};
}

//===----------------------------------------------------------------------===//
// The rest of the program
//===----------------------------------------------------------------------===//

/// A reduction whose visits have been made: their parts, slot by slot.
LogicalResult ChunkMajor::emitParts(BodyEmitter &emitter,
                                    VisitedReduction &reduction,
                                    ValueRange arrays,
                                    const WindowArguments &window) {
  TileBuilder &inner = emitter.b;
  const Rows &rows = emitter.rows;
  inner.setLoc(reduction.op.getLoc());
  auto memory = [&](Value value) { return emitter.get(value); };
  PartPlace place = getPlaceOfRows(emitter, window);
  auto visit = [&](const SlotChunks &visited,
                   ValueRange before) -> FailureOr<Tiles> {
    place.slot = visited.slots[0];
    return reduction.parts.combine(emitter, before, arrays, place);
  };
  Tiles states = getStates(emitter, reduction.op);
  if (reduction.parts.hasSlots()) {
    StringRef partition = reduction.selected.getType().getPartition();
    Value chunks =
        getPartitionSize(inner, program, partition, memory, rows.batch).chunks;
    if (failed(emitSlots(emitter, reduction.selected, chunks, states, visit,
                         /*together=*/1)))
      return failure();
  }
  reduction.parts.addTotals(emitter, states, arrays, place);
  setResults(emitter, reduction.op, states);
  return success();
}

bool ChunkMajorProgram::isAddedTo(unsigned result) const {
  return llvm::any_of(reductions, [&](const VisitedReduction &reduction) {
    return reduction.parts.addsToResult(result);
  });
}

/// Whether something is left to do when all chunks have been visited.
bool ChunkMajorProgram::hasRest() {
  for (auto [number, type] : llvm::enumerate(program.getResultTypes()))
    if (!isa<hsa::SumsType>(type) && !isAddedTo(number))
      return true;
  return llvm::any_of(program.getBody().getOps(), [&](Operation &op) {
    bool isVisited =
        llvm::any_of(reductions, [&](const VisitedReduction &reduction) {
          return reduction.op == &op;
        });
    return isa<hsa::AddOp>(op) || (isa<hsa::ReduceOp>(op) && !isVisited);
  });
}

LogicalResult ChunkMajor::createRestKernel() {
  TileBuilder inner(program.getLoc(), program);
  BodyEmitter emitter(inner, program, blockShape);
  emitter.deterministic = limits.deterministic;
  SmallVector<KernelArgument> extra;
  for (VisitedReduction &reduction : reductions)
    for (MemRefType type : reduction.parts.getTypes())
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
    for (VisitedReduction &reduction : reductions) {
      size_t count = reduction.parts.getTypes().size();
      if (reduction.op == op)
        return emitParts(emitter, reduction, rest.take_front(count), window);
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

/// Whether chunks have enough keys for each row that is read for them, and more
/// for those of which parts are written.
LogicalResult ChunkMajor::checkPays() {
  int64_t rows = visitShape.positions * visitShape.heads;
  int64_t keys = std::numeric_limits<int64_t>::max();
  for (VisitedReduction &reduction : reductions) {
    auto domain = cast<hsa::DomainType>(reduction.op.getDomain().getType());
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
  for (auto [number, reduction] : llvm::enumerate(reductions)) {
    VisitedChunks visited = getVisited(reduction);
    if (failed(createVisitKernel(program, parameters, visitShape, visited,
                                 getName("visits", number),
                                 limits.deterministic)))
      return failure();
    if (ownsItems(reduction))
      createItemSumsKernel(program, parameters, visitShape, visited,
                           getName("items", number));
  }
  if (!rowValues.empty() &&
      failed(createRowsKernel(program, parameters, blockShape, rowValues,
                              getRowsName())))
    return failure();
  if (hasRest() && failed(createRestKernel()))
    return failure();
  return createChunkMajorPlan(*this);
}

LogicalResult ramify::lowerChunkMajor(hsa::ProgramOp program,
                                      const TileLimits &limits) {
  TileLimits own = limits;
  own.keysAtOnce = 0; // a visit has one chunk
  return ChunkMajor(program, own).lower();
}
