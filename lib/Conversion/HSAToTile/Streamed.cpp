// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Streamed.cpp - A program owns query blocks and walks over chunks ---===//
//
// For programs that select: streams over chunks are reduced, and nothing of the
// length of a stream is stored. The grid is (blocks of M query blocks, heads,
// batch). A program holds M consecutive query blocks of one position as rows,
// and walks over tiles of chunks as often as reductions depend on each other:
//
//     %s = hsa.dot %r, %landmarks over dim
//     %i = hsa.topk %s k 8 order nearest
//
//     %b, %w = scf.for %at = 0 to C step 64 iter_args(%best, %which) {
//       %l = tile.gather %landmarks[b, %at + iota, h]
//       %s = tile.dot %r, transposed %l, %zero
//       %b, %w = tile.topk %s, %at + iota into %best, %which
//     }
//     %i = tile.sort descending %w
//
// Where heads meet (a sum over the group, say) a program has the group's heads,
// and takes them in one by one for each tile; else each head has a program of
// its own, or a turn of its own in the program of a query block (OneLaunch.h).
//
//===----------------------------------------------------------------------===//

#include "QueryPlaces.h"
#include "Schedule.h"
#include "StreamPasses.h"

#include "ramify/Conversion/HSAToTile.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// `turn` is null where there is one only.
static void emitRows(BodyEmitter &emitter, const StreamShape &shape,
                     const Parameters &parameters, tile::KernelOp kernel,
                     Value turn) {
  TileBuilder &b = emitter.b;
  Rows &rows = emitter.rows;
  Value x = b.create<tile::ProgramIdOp>(tile::GridAxis::X);
  Value y = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  rows.batch = b.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  rows.block = x;
  rows.firstHead = b.mul(y, b.index(shape.heads * shape.turns));
  int64_t group = emitter.program.getGroup();
  rows.keyHead =
      shape.heads * shape.turns == group ? y : b.div(rows.firstHead, group);
  if (turn)
    rows.firstHead = b.createOrFold<arith::AddIOp>(rows.firstHead, turn);
  Value query = emitter.get(parameters.getQuery());
  Value queries = b.toI32(countQueries(b, emitter.program, query));
  Value first = b.mul(b.toI32(x), b.i32(shape.blocks));
  Value number = b.iota(shape.rows);
  rows.query = b.add(number, first);
  rows.inside = b.compare(Predicate::slt, rows.query, queries);
  if (shape.blocks < shape.rows) // the other rows stand for nothing
    rows.inside = b.both(
        rows.inside, b.compare(Predicate::slt, number, b.i32(shape.blocks)));
  rows.stored = rows.inside;
  if (!parameters.asksForPositions() && !parameters.hasPadding())
    return;
  QueryPlaces places(emitter, parameters, kernel, rows.batch, queries);
  places.place(rows, parameters, emitter.shape);
  Value last =
      b.min(b.add(first, b.i32(shape.blocks - 1)), b.sub(queries, b.i32(1)));
  std::tie(rows.firstTime, rows.lastTime) = places.between(first, last);
  if (places.havePadding()) {
    Value there = places.areThere(rows.query, rows.time, rows.inside);
    rows.padding = b.invert(there);
    rows.inside = b.both(rows.inside, there);
  }
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// What padding rows get: no pick, no weight, the lse of nothing.
static Value clearPadding(StreamEmitter &emitter, Value tile, Type result) {
  TileBuilder &b = emitter.b;
  Value padding = emitter.body.rows.padding;
  if (!padding)
    return tile;
  Type type = tile.getType();
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(type));
  bool isRow = !hasAxis(result, Axis::Dim) && !hasAxis(result, Axis::Slot);
  Value nothing = !isFloat ? b.full(type, -1)
                  : isRow  ? b.negInf(type)
                           : b.full(type, 0);
  return b.choose(b.repeat(padding, 1, type), nothing, tile);
}

/// What the program adds to sums that do not belong to chunks.
static LogicalResult emitSums(StreamEmitter &emitter, hsa::ProgramOp program) {
  for (auto add : program.getBody().front().getOps<hsa::AddOp>())
    if (!hasAxis(add.getValue().getType(), Axis::Chunk) &&
        failed(emitter.emitAdd(add)))
      return failure();
  return success();
}

namespace {
/// Writes the results, each as soon as it is known where walks are many: no
/// later walk has to keep it.
class StreamResults {
public:
  StreamResults(StreamEmitter &emitter, tile::KernelOp kernel,
                hsa::ReturnOp results)
      : emitter(emitter), results(results),
        arrays(kernel.getBody().front().getArguments().take_back(
            results.getNumOperands())) {}

  /// Those that no reduction is lacking for, or all.
  LogicalResult emitKnown(bool all);

private:
  LogicalResult emit(Value result, Value array, StreamHead head);

  StreamEmitter &emitter;
  hsa::ReturnOp results;
  ArrayRef<BlockArgument> arrays;
  llvm::DenseSet<std::pair<unsigned, int64_t>> written;
};
} // namespace

LogicalResult StreamResults::emitKnown(bool all) {
  for (auto [index, result] : llvm::enumerate(results.getOperands())) {
    if (isa<hsa::SumsType>(result.getType()))
      continue; // in memory already
    for (StreamHead head : emitter.headsOf(result.getType()))
      if ((all || emitter.isKnown(result, head)) &&
          written.insert({index, head.number}).second &&
          failed(emit(result, arrays[index], head)))
        return failure();
  }
  return success();
}

LogicalResult StreamResults::emit(Value result, Value array, StreamHead head) {
  TileBuilder &b = emitter.b;
  const Rows &rows = emitter.body.rows;
  FailureOr<Value> tile = emitter.get(result, head);
  if (failed(tile))
    return failure();
  b.setLoc(results.getLoc());
  Type element = cast<MemRefType>(array.getType()).getElementType();
  Value value = clearPadding(emitter, *tile, result.getType());
  if (element != getElementTypeOrSelf(value))
    value =
        b.create<arith::TruncFOp>(withElement(value.getType(), element), value);
  Value row =
      hasAxis(result.getType(), Axis::Head)
          ? b.createOrFold<arith::AddIOp>(rows.firstHead, b.index(head.number))
          : rows.keyHead;
  b.create<tile::ScatterOp>(
      value, array, ValueRange{rows.batch, rows.query, row}, rows.stored);
  return success();
}

//===----------------------------------------------------------------------===//
// The schedule
//===----------------------------------------------------------------------===//

/// The partition that the program's streams are of; empty if there are none.
static FailureOr<StringRef> findPartition(hsa::ProgramOp program) {
  StringRef found;
  auto getPartition = [](Type role) -> StringRef {
    if (auto landmarks = dyn_cast<hsa::LandmarksType>(role))
      return landmarks.getPartition();
    auto array = dyn_cast<hsa::ArrayType>(role);
    return array ? array.getPartition() : StringRef();
  };
  auto result = program.walk([&](Operation *op) {
    StringRef own;
    if (auto info = dyn_cast<hsa::ChunkInfoOp>(op))
      own = info.getPartition();
    if (auto stream = dyn_cast<hsa::StreamOp>(op))
      own = getPartition(stream.getSource().getType());
    if (auto add = dyn_cast<hsa::AddOp>(op))
      own = getPartition(add.getType().getRole());
    if (!own.empty() && !found.empty() && own != found) {
      op->emitOpError() << "is a stream of \"" << own << "\" beside one of \""
                        << found << "\": a function walks over one partition";
      return WalkResult::interrupt();
    }
    found = own.empty() ? found : own;
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  return found;
}

/// The partition's keys, and its chunks, of which there are no more than any
/// stream has.
static PartitionSize emitSize(BodyEmitter &body, StringRef partition) {
  TileBuilder &b = body.b;
  PartitionSize size = getPartitionSize(
      b, body.program, partition, [&](Value value) { return body.get(value); },
      body.rows.batch);
  for (BlockArgument argument : body.program.getBody().getArguments()) {
    auto landmarks = dyn_cast<hsa::LandmarksType>(argument.getType());
    if (!landmarks || landmarks.getPartition() != partition)
      continue;
    Value rows =
        b.toI32(b.create<memref::DimOp>(body.get(argument), b.index(1)));
    size.chunks = b.min(size.chunks, rows);
  }
  return size;
}

/// Rows of slots are as long as they are: what accesses may count on is the
/// alignment that they leave. All accesses, unless it is said for `each` array:
/// wider copies of landmarks take registers that three programs of 64 rows on
/// an SM do not have.
static void setAlignment(tile::KernelOp kernel, bool each) {
  Builder b(kernel.getContext());
  int64_t least = 16;
  for (auto [index, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    auto array = dyn_cast<MemRefType>(type);
    if (!array || array.getRank() == 0 ||
        array.isDynamicDim(array.getRank() - 1))
      continue;
    int64_t bytes =
        array.getShape().back() * array.getElementTypeBitWidth() / 8;
    int64_t alignment = bytes & -bytes;
    least = std::min(least, alignment);
    if (each && alignment < 16)
      kernel.setArgAttr(index, tile::kAlignmentAttrName,
                        b.getI64IntegerAttr(alignment));
  }
  if (!each && least < 16)
    kernel->setAttr(tile::kAlignmentAttrName, b.getI64IntegerAttr(least));
}

/// Begins the loop in which a program makes everything for one of its heads
/// after the other; returns its counter, or null where there is one turn.
static Value startTurn(TileBuilder &b, const StreamShape &shape) {
  if (shape.turns == 1)
    return nullptr;
  auto loop =
      b.create<scf::ForOp>(b.index(0), b.index(shape.turns), b.index(1));
  b.setInsertionPointToStart(loop.getBody());
  return loop.getInductionVar();
}

LogicalResult ramify::lowerStreamed(hsa::ProgramOp program,
                                    const TileLimits &limits) {
  Parameters parameters(program);
  if (!parameters.getQuery())
    return program.emitOpError("has no query, which streamed needs");
  FailureOr<StringRef> partition = findPartition(program);
  FailureOr<StreamShape> shape = StreamShape::choose(program, limits);
  if (failed(partition) || failed(shape))
    return failure();
  TileBuilder b(program.getLoc(), program);
  TileShape blockShape(program, limits);
  BodyEmitter body(b, program, blockShape);
  tile::KernelOp kernel = createKernel(body, parameters, program.getSymName());
  Value turn = startTurn(b, *shape);
  emitRows(body, *shape, parameters, kernel, turn);
  StreamEmitter emitter(body, *shape);
  emitter.chunkSize = program.getChunkSize(*partition);
  if (!partition->empty())
    emitter.size = emitSize(body, *partition);
  auto results = cast<hsa::ReturnOp>(program.getBody().front().getTerminator());
  body.deterministic = limits.deterministic;
  StreamResults written(emitter, kernel, results);
  FailureOr<unsigned> passes = emitStreamPasses(
      emitter, program, [&] { return written.emitKnown(/*all=*/false); });
  if (failed(passes) || failed(emitSums(emitter, program)) ||
      failed(written.emitKnown(/*all=*/true)))
    return failure();
  if (turn)
    b.setInsertionPointAfter(turn.getParentBlock()->getParentOp());
  b.create<tile::EndOp>();
  setAlignment(kernel, /*each=*/limits.streamBlocks != 0);
  FailureOr<tile::PlanOp> made = createPlan(
      b, program, parameters, kernel, [&](TileBuilder &plan, PlanSizes sizes) {
        Value last = plan.index(shape->blocks - 1);
        Value blocks =
            plan.div(plan.createOrFold<arith::AddIOp>(sizes.queries, last),
                     shape->blocks);
        return std::array<Value, 3>{
            blocks, plan.div(sizes.queryHeads, shape->heads * shape->turns),
            sizes.batch};
      });
  if (succeeded(made))
    (*made)->setAttr(kTilesAttrName, b.getStringAttr(shape->describe(*passes)));
  return made;
}
