// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkVisits.cpp - A program owns one chunk -------------------------===//

#include "ChunkVisits.h"

#include "KeyPasses.h"
#include "QueryMajor.h"
#include "QueryPlaces.h"
#include "RangeVisits.h"
#include "VisitOps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

void ramify::addWindowArguments(SmallVectorImpl<KernelArgument> &arguments,
                                MLIRContext *context) {
  Type i32 = IntegerType::get(context, 32);
  for (StringRef name :
       {"window", "window_first_row", "first_sequence", "turn"})
    arguments.push_back({name.str(), i32});
}

WindowArguments ramify::takeWindowArguments(ValueRange &arguments) {
  ValueRange own = arguments.take_back(4);
  arguments = arguments.drop_back(4);
  return {own[0], own[1], own[2], own[3]};
}

bool ramify::hasSums(hsa::ProgramOp program) {
  return llvm::any_of(program.getResultTypes(),
                      [](Type type) { return isa<hsa::SumsType>(type); });
}

//===----------------------------------------------------------------------===//
// Which program has what
//===----------------------------------------------------------------------===//

Turns::Turns(hsa::ProgramOp program, const TileShape &shape,
             bool deterministic) {
  if (!deterministic || !hasSums(program))
    return;
  ofKeyHead = shape.group / shape.heads * shape.rowBlocks;
  for (Type type : program.getResultTypes()) {
    auto sums = dyn_cast<hsa::SumsType>(type);
    auto array = sums ? dyn_cast<hsa::ArrayType>(sums.getRole()) : nullptr;
    if (!array || array.getPartition().empty())
      continue;
    ofHeads |= !llvm::is_contained(array.getAxes(), hsa::Axis::Head);
    ofSequences |= !array.getBatch();
  }
}

Value Turns::countPrograms(TileBuilder &b, Value programs) const {
  return ofHeads ? b.index(1) : b.div(programs, ofKeyHead);
}

Value Turns::getProgram(TileBuilder &b, Value y, Value turn) const {
  if (ofHeads)
    return b.add(y, turn);
  return ofKeyHead == 1 ? y : b.add(b.mul(y, b.index(ofKeyHead)), turn);
}

ItemProgram ramify::emitItemProgram(BodyEmitter &emitter,
                                    hsa::SelectedOp selected,
                                    const WindowArguments &window, Value y) {
  TileBuilder &b = emitter.b;
  Rows &rows = emitter.rows;
  ItemProgram program;
  program.item = b.create<tile::ProgramIdOp>(tile::GridAxis::X);
  program.sequence = b.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  rows.batch = b.add(program.sequence, b.toIndex(window.sequence));
  Value heads = b.div(y, emitter.shape.rowBlocks);
  program.rowBlock = b.rem(y, emitter.shape.rowBlocks);
  rows.firstHead = b.mul(heads, b.index(emitter.shape.heads));
  rows.keyHead = b.div(rows.firstHead, emitter.shape.group);
  if (selected)
    program.region = {rows.batch, b.toIndex(window.number),
                      getSelectionHead(emitter, selected)};
  return program;
}

ItemEntries ramify::emitIfItem(BodyEmitter &emitter, const ItemProgram &program,
                               ValueRange arrays, PartitionSize size,
                               bool imported) {
  TileBuilder &b = emitter.b;
  SmallVector<Value> counted(program.region);
  counted.push_back(b.index(0));
  Value count = b.create<memref::LoadOp>(arrays[0], counted);
  auto onlyIf = [&](Value condition) {
    auto branch = b.create<scf::IfOp>(condition, /*withElseRegion=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
  };
  onlyIf(b.compare(Predicate::slt, b.toI32(program.item), count));
  ItemEntries entries = emitItem(b, program.item, program.region, arrays[1]);
  if (imported) // it may be for more chunks than the sequence has
    onlyIf(b.compare(Predicate::slt, entries.chunk, size.chunks));
  return entries;
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

namespace {
class VisitKernel {
public:
  VisitKernel(hsa::ProgramOp program, const Parameters &parameters,
              const TileShape &shape, VisitedChunks visited, StringRef name,
              bool deterministic);
  LogicalResult emit();

private:
  bool isRange() const { return !selected; }
  void emitProgramPlace();
  LogicalResult emitBounds(Operation *domain);
  LogicalResult emitRangeEntries();
  void emitOwner();
  Value emitPicks(Value listed);
  void emitTimes(Value begin, Value end);
  void restrictTile(Value at);
  LogicalResult emitItemWalk(VisitOps &ops);
  LogicalResult emitTile(VisitOps &ops, Value at);
  Value getOnlyBlock(Value at);
  void emitRows(Value at);
  FailureOr<Tiles> emitBody(VisitOps &ops);
  void findCarried();
  void setCarried(ValueRange tiles);
  bool inPasses() const {
    return shape.getTilesAtOnce(keys) < shape.getKeyTiles(keys);
  }

  TileBuilder b;
  BodyEmitter emitter;
  const Parameters &parameters;
  const TileShape &shape;
  hsa::ReduceOp op;
  hsa::SelectedOp selected;
  SlotParts &parts;
  const RowValues &rowValues;
  const ItemParts &items;
  bool imported; ///< the index
  Turns turns;
  tile::KernelOp kernel;

  SmallVector<Value> lists; ///< the index, or what a range has instead
  SmallVector<Value> partArrays, rowArrays;
  Value mostEntries; ///< i32: that an owner takes
  WindowArguments window;
  ItemProgram place;
  Value slotBits, queries; ///< i32
  std::optional<QueryPlaces> places;
  std::optional<RangeDomain> range;
  PartitionSize size;
  ItemEntries entries;
  Chunk whole, chunk; ///< with all of its keys, and as a tile's rows see it
  Value localQuery;   ///< i32 vector, from the window's first
  int64_t keys = 0;
  SmallVector<unsigned> carried; ///< results of `op`
};
} // namespace

VisitKernel::VisitKernel(hsa::ProgramOp program, const Parameters &parameters,
                         const TileShape &shape, VisitedChunks visited,
                         StringRef name, bool deterministic)
    : b(visited.op.getLoc(), program), emitter(b, program, shape),
      parameters(parameters), shape(shape), op(visited.op),
      selected(visited.selected), parts(visited.parts),
      rowValues(visited.rowValues), items(visited.items),
      imported(visited.imported), turns(program, shape, deterministic) {
  MLIRContext *context = b.getContext();
  emitter.deterministic = deterministic;
  emitter.ownsChunk = deterministic && hasSums(program);
  bool hasItems = emitter.ownsChunk && !items.empty();
  SmallVector<KernelArgument> arguments;
  if (isRange())
    addRangeArguments(arguments, context);
  else
    for (StringRef array : kIndexArrayNames)
      arguments.push_back({array.str(), InverseIndex::getArrayType(context)});
  size_t listCount = arguments.size();
  for (auto [number, type] : llvm::enumerate(parts.getTypes()))
    arguments.push_back({"part" + std::to_string(number), type});
  size_t withParts = arguments.size();
  rowValues.addArguments(arguments);
  size_t rowCount = arguments.size() - withParts;
  if (hasItems)
    items.addArguments(arguments);
  addWindowArguments(arguments, context);
  size_t ownArguments = arguments.size();
  if (hasSums(program))
    for (auto [number, type] : llvm::enumerate(parameters.getResultTypes()))
      arguments.push_back({"result" + std::to_string(number), type});
  kernel = createKernel(emitter, parameters, name, arguments);
  ValueRange own = kernel.getBody().getArguments().take_back(arguments.size());
  own = own.take_front(ownArguments);
  window = takeWindowArguments(own);
  llvm::append_range(lists, own.take_front(listCount));
  own = own.drop_front(listCount);
  llvm::append_range(partArrays, own.take_front(parts.getTypes().size()));
  own = own.drop_front(partArrays.size());
  llvm::append_range(rowArrays, own.take_front(rowCount));
  if (hasItems) {
    items.setArrays(emitter, kernel, own.drop_front(rowCount));
    mostEntries = own.back();
  }
}

/// Which item of which region the program has, and which of its rows.
void VisitKernel::emitProgramPlace() {
  Rows &rows = emitter.rows;
  Value y = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  place = emitItemProgram(emitter, selected, window,
                          turns.getProgram(b, y, b.toIndex(window.turn)));
  if (selected)
    slotBits = getSlotBits(b, emitter.get(selected.getIndices()));
  Value query = emitter.get(parameters.getQuery());
  queries = b.toI32(countQueries(b, emitter.program, query));
  if (isRange() || parameters.asksForPositions() || parameters.hasPadding())
    places.emplace(emitter, parameters, kernel, rows.batch, queries);
}

/// The numbers that say how long a domain is, and the one that it leaves out.
LogicalResult VisitKernel::emitBounds(Operation *domain) {
  for (Value operand : domain->getOperands()) {
    Operation *definition = operand.getDefiningOp();
    if (!definition || emitter.has(operand))
      continue;
    if (failed(emitBounds(definition)))
      return failure();
    if (!isa<hsa::DomainType>(operand.getType()) &&
        failed(emitter.emit(definition)))
      return failure();
  }
  return success();
}

/// The item of a range; what is emitted then is done if it has entries.
LogicalResult VisitKernel::emitRangeEntries() {
  emitTimes(b.i32(0), RangeWindow(lists).rows);
  if (failed(emitBounds(op.getDomain().getDefiningOp())))
    return failure();
  range.emplace(emitter, op.getDomain().getDefiningOp(), size);
  entries = emitRangeItem(emitter, *range, place.item, RangeWindow(lists));
  Value some = b.compare(Predicate::slt, entries.begin, entries.end);
  auto branch = b.create<scf::IfOp>(some, /*withElseRegion=*/false);
  b.setInsertionPointToStart(branch.thenBlock());
  return success();
}

/// An owner's item is the first of as many as it takes, and the others have
/// nothing to do.
void VisitKernel::emitOwner() {
  Value distance = b.sub(entries.begin, entries.first);
  Value isOwner = b.compare(
      Predicate::eq, b.create<arith::RemUIOp>(distance, mostEntries), b.i32(0));
  entries.end = b.min(b.add(entries.begin, mostEntries), entries.behind);
  auto branch = b.create<scf::IfOp>(isOwner, /*withElseRegion=*/false);
  b.setInsertionPointToStart(branch.thenBlock());
  ChunkParts &own = emitter.parts;
  own.isPart = b.compare(Predicate::ne, entries.begin, entries.first);
  own.sequence = place.sequence;
  Value number = b.create<arith::DivUIOp>(entries.begin, mostEntries);
  own.number = b.sub(number, b.i32(1));
  own.key = b.mul(b.sub(own.number, entries.chunk), b.i32(keys));
}

/// The block of a tile of one entry, an index.
Value VisitKernel::getOnlyBlock(Value at) {
  Value localRow = at;
  if (!isRange()) {
    SmallVector<Value> indices(place.region);
    indices.push_back(b.toIndex(at));
    Value entry = b.create<memref::LoadOp>(lists[2], indices);
    localRow = unpackEntry(b, entry, slotBits).row;
  }
  return b.toIndex(b.add(localRow, window.firstRow));
}

/// The rows of the entries `listed`, counted from the window's first.
Value VisitKernel::emitPicks(Value listed) {
  if (isRange())
    return listed;
  SmallVector<Value> indices(place.region);
  indices.push_back(listed);
  Value entry = b.create<tile::LookupOp>(listed.getType(), lists[2], indices,
                                         emitter.rows.inside);
  auto [row, slot] = unpackEntry(b, entry, slotBits);
  chunk.slots = {slot};
  return row;
}

/// Where the first and the last query of those entries of a range stand.
void VisitKernel::emitTimes(Value begin, Value end) {
  Value positions = b.i32(shape.positions);
  Value first = b.mul(b.add(window.firstRow, begin), positions);
  Value behind = b.mul(b.add(window.firstRow, end), positions);
  emitter.rows.firstTime = places->at(first);
  emitter.rows.lastTime = places->at(b.sub(b.min(behind, queries), b.i32(1)));
}

/// Which keys of the chunk the tile's rows see, if it is one of a range.
void VisitKernel::restrictTile(Value at) {
  if (!isRange())
    return;
  emitTimes(at, b.min(b.add(at, b.i32(shape.entries)), entries.end));
  range->restrict(b, chunk);
  // Where registers are counted there are none left for more than the masks of
  // scores.
  if (!chunk.reached || shape.countsRegisters())
    return;
  chunk.hasUnseen = true;
  // Rows that stand for nothing see nothing, either.
  chunk.valid = [this, valid = chunk.valid](TileBuilder &inner, Value of,
                                            Value live) -> Value {
    Value mask = valid(inner, of, live);
    int64_t count = cast<RankedTensorType>(of.getType()).getDimSize(0);
    auto type = RankedTensorType::get({shape.rows, count}, inner.getI1Type());
    return inner.both(inner.repeat(mask, 0, type),
                      inner.repeat(emitter.rows.inside, 1, type));
  };
}

/// The rows of the tile whose first entry is `at`, an i32.
void VisitKernel::emitRows(Value at) {
  Rows &rows = emitter.rows;
  int64_t ofEntry = shape.positions * shape.heads;
  Value number = b.iota(shape.rows);
  Value within = number, listed = b.splat(at, {shape.rows});
  if (shape.entries > 1) {
    within = b.rem(number, ofEntry);
    listed = b.add(listed, b.div(number, ofEntry));
  } else if (shape.rowBlocks > 1) {
    within = b.add(number, b.mul(b.toI32(place.rowBlock), b.i32(shape.rows)));
  }
  rows.inside = b.compare(Predicate::slt, listed, entries.end);
  if (shape.hasPaddedRows())
    rows.inside = b.both(
        rows.inside,
        shape.entries > 1
            ? b.compare(Predicate::slt, number, b.i32(shape.entries * ofEntry))
            : b.compare(Predicate::slt, within, b.i32(ofEntry)));
  chunk = whole;
  Value localRow = emitPicks(listed);
  rows.block = b.add(localRow, window.firstRow);
  rows.head = b.add(b.rem(within, shape.heads), b.toI32(rows.firstHead));
  rows.query = rows.block;
  localQuery = localRow;
  if (!shape.hasOnePosition()) {
    Value position = b.div(within, shape.heads);
    Value positions = b.i32(shape.positions);
    rows.query = b.add(b.mul(rows.block, positions), position);
    localQuery = b.add(b.mul(localRow, positions), position);
    rows.inside =
        b.both(rows.inside, b.compare(Predicate::slt, rows.query, queries));
  }
  if (!places)
    return;
  places->place(rows, parameters, shape);
  if (parameters.asksForBlocks() && shape.entries == 1)
    rows.blockTime = places->ofBlock(getOnlyBlock(at), shape);
  // Padding rows visit nothing.
  if (places->havePadding())
    rows.inside = b.both(rows.inside,
                         places->areThere(rows.query, rows.time, rows.inside));
  restrictTile(at);
}

FailureOr<Tiles> VisitKernel::emitBody(VisitOps &ops) {
  Tiles empty = parts.getEmpty(emitter);
  emitter.chunk = &chunk;
  for (Operation *inner : ops.ofRows)
    if ((!inPasses() || inner->getParentOp() != op) &&
        failed(emitter.emit(inner)))
      return failure();
  b.setLoc(op.getLoc());
  if (inPasses())
    return emitInPasses(emitter, op, keys, chunk, empty);
  return emitter.emitAccumulation(op, empty);
}

LogicalResult VisitKernel::emitTile(VisitOps &ops, Value at) {
  emitRows(at);
  Value number = isRange() ? b.index(0) : chunk.slots[0];
  PartPlace slot{place.sequence, localQuery,          emitter.rows.head,
                 number,         emitter.rows.inside, Value()};
  rowValues.load(emitter, ops.loaded, rowArrays, slot);
  FailureOr<Tiles> after = emitBody(ops);
  if (failed(after))
    return failure();
  parts.store(emitter, *after, partArrays, slot);
  return success();
}

/// A chunk that is visited in passes adds each tile's sums where they arise.
void VisitKernel::findCarried() {
  for (unsigned index = 0; index < op.getNumResults() && !inPasses(); ++index)
    if (emitter.canCarry(op, index))
      carried.push_back(index);
}

void VisitKernel::setCarried(ValueRange tiles) {
  for (unsigned index : carried) {
    size_t count = emitter.getCarried(op, index).size();
    Tiles own(tiles.take_front(count));
    emitter.setCarried(op.getResult(index), own);
    tiles = tiles.drop_front(count);
  }
}

/// The chunk's own values once, then tile after tile of its entries.
LogicalResult VisitKernel::emitItemWalk(VisitOps &ops) {
  chunk = whole = getChunk(emitter, entries.chunk, keys, size);
  emitter.chunk = &chunk;
  if (isRange()) { // a key that nobody sees is not read: it may be infinite
    emitTimes(entries.begin, entries.end);
    range->restrictReads(b, chunk);
  }
  for (Operation *inner : ops.shared)
    if ((!inPasses() || inner->getParentOp() != op) &&
        failed(emitter.emit(inner)))
      return failure();
  b.setLoc(op.getLoc());
  findCarried();
  Tiles starts;
  for (unsigned index : carried)
    llvm::append_range(starts, emitter.getCarried(op, index));
  auto loop =
      b.create<scf::ForOp>(b.toIndex(entries.begin), b.toIndex(entries.end),
                           b.index(shape.entries), starts);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    setCarried(loop.getRegionIterArgs());
    if (failed(emitTile(ops, b.toI32(loop.getInductionVar()))))
      return failure();
    Tiles after;
    for (unsigned index : carried)
      llvm::append_range(after, emitter.takeCarried(op.getResult(index)));
    if (!after.empty())
      b.create<scf::YieldOp>(after);
  }
  chunk = whole;
  setCarried(loop.getResults());
  for (unsigned index : carried) {
    Value sums = op.getResult(index);
    emitter.addChunks(emitter.getSums(sums), emitter.takeCarried(sums),
                      /*once=*/true);
  }
  return success();
}

LogicalResult VisitKernel::emit() {
  VisitOps ops(op, rowValues);
  if (failed(ops.collect()))
    return failure();
  StringRef partition =
      cast<hsa::DomainType>(op.getDomain().getType()).getPartition();
  keys = emitter.program.getChunkSize(partition);
  if (!keys)
    return op.emitOpError() << "visits the partition \"" << partition
                            << "\", whose chunk size no parameter tells";
  emitProgramPlace();
  size = getPartitionSize(
      b, emitter.program, partition,
      [&](Value value) { return emitter.get(value); }, emitter.rows.batch);
  {
    OpBuilder::InsertionGuard guard(b);
    if (!isRange())
      entries = emitIfItem(emitter, place, lists, size, imported);
    else if (failed(emitRangeEntries()))
      return failure();
    if (mostEntries)
      emitOwner();
    if (failed(emitItemWalk(ops)))
      return failure();
  }
  b.setLoc(op.getLoc());
  b.create<tile::EndOp>();
  return success();
}

LogicalResult ramify::createVisitKernel(hsa::ProgramOp program,
                                        const Parameters &parameters,
                                        const TileShape &shape,
                                        VisitedChunks visited, StringRef name,
                                        bool deterministic) {
  return VisitKernel(program, parameters, shape, visited, name, deterministic)
      .emit();
}
