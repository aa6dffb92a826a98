// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Streamed.cpp - A program owns query blocks and walks over chunks
//----===//
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
// its own.
//
//===----------------------------------------------------------------------===//

#include "QueryPlaces.h"
#include "Schedule.h"
#include "StreamPasses.h"

#include "ramify/Conversion/HSAToTile.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static void emitRows(BodyEmitter &emitter, const StreamShape &shape,
                     const Parameters &parameters, tile::KernelOp kernel) {
  TileBuilder &b = emitter.b;
  Rows &rows = emitter.rows;
  Value x = b.create<tile::ProgramIdOp>(tile::GridAxis::X);
  Value y = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  rows.batch = b.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  rows.block = x;
  rows.firstHead = b.mul(y, b.index(shape.heads));
  int64_t group = emitter.program.getGroup();
  rows.keyHead = shape.heads == group ? y : b.div(rows.firstHead, group);
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

/// Whether there are products of f32, which take twice the registers.
static bool hasProductsOfF32(hsa::ProgramOp program) {
  WalkResult result = program.walk([](hsa::DotOp dot) -> WalkResult {
    return failure(llvm::all_of(dot->getOperandTypes(), [](Type type) {
      return getFootprintSize(type) == 2 && getElementTypeOrSelf(type).isF32();
    }));
  });
  return result.wasInterrupted();
}

/// Whether products have a side that is computed of landmarks.
static bool computesLandmarks(hsa::ProgramOp program) {
  WalkResult result = program.walk([](hsa::DotOp dot) -> WalkResult {
    return failure(llvm::any_of(dot->getOperands(), [](Value side) {
      return hasAxis(side.getType(), Axis::Chunk) &&
             hasAxis(side.getType(), Axis::Dim) && !isStreamRead(side);
    }));
  });
  return result.wasInterrupted();
}

/// Fewer chunks, and rows of several heads, where registers are counted and the
/// rows of chunks that are added up beside those of queries are long or many.
static void fitSums(StreamShape &shape, hsa::ProgramOp program,
                    const TileLimits &limits) {
  int64_t dim = 0, numbers = 0;
  for (auto add : program.getBody().front().getOps<hsa::AddOp>()) {
    Type type = add.getValue().getType();
    if (!hasAxis(type, Axis::Chunk))
      continue;
    dim = std::max(dim, getSize(type, Axis::Dim));
    numbers += !hasAxis(type, Axis::Dim);
  }
  if (!limits.registers || !dim)
    return;
  bool isF32 = hasProductsOfF32(program);
  if (dim <= 64) {
    bool isMuch = isF32 && (shape.heads > 1 || computesLandmarks(program));
    bool isCut = countSumsOfWalk(program, shape.chunks, dim) < shape.heads;
    // Each thread has a number of each of its columns' chunks.
    if (isMuch || isCut || numbers > 1)
      shape.chunks = std::min<int64_t>(shape.chunks, 32);
    return;
  }
  shape.chunks = std::min<int64_t>(shape.chunks, isF32 || dim > 128 ? 16 : 32);
  // Shared memory has not room for 64 such rows of a query and for as many that
  // are computed.
  bool isOwn = !limits.streamBlocks;
  if (isF32 && dim > 128 && shape.heads > 1 && isOwn)
    shape.rows = shape.blocks = std::min<int64_t>(shape.rows, 32);
}

/// Streams of single heads that are read at what `topk` picks for all heads
/// together: a tile of chunks has the scores of each beside those it picks by.
static int64_t countCarried(hsa::ProgramOp program, hsa::TopKOp topk,
                            int64_t heads) {
  llvm::DenseSet<Value> seen{topk.getScores()};
  int64_t carried = 0;
  program.walk([&](hsa::TakeOp take) {
    if (findTopK(take.getSlots()) != topk ||
        !seen.insert(take.getStream()).second)
      return;
    bool each = !hasAxis(topk.getScores().getType(), Axis::Head) &&
                hasAxis(take.getStream().getType(), Axis::Head);
    carried += each ? heads : 1;
  });
  return carried;
}

/// Narrower tiles of chunks if there are scores of so many heads at once.
static void fitScores(int64_t heads, StreamShape &shape) {
  constexpr int64_t mostScores = 128, leastChunks = 16;
  while (heads > 1 && shape.chunks > leastChunks &&
         heads * shape.chunks > mostScores)
    shape.chunks /= 2;
}

/// Where registers are counted: narrower tiles if picks carry many scores
/// along, and fewer queries if long lists of them are to lie in shared memory
/// (KeepLists.h), of which a program shall leave half to others.
static void fitLists(hsa::ProgramOp program, const TileLimits &limits,
                     StreamShape &shape) {
  constexpr int64_t wordBytes = 4;
  // Steps of one launch share the memory of tiles that are alike.
  if (limits.streamBlocks)
    program.walk([&](hsa::LogSumExpOp op) {
      if (op.getOver() == Axis::Chunk &&
          hasAxis(op.getInput().getType(), Axis::Head))
        fitScores(shape.heads, shape);
    });
  program.walk([&](hsa::TopKOp topk) {
    int64_t carried = countCarried(program, topk, shape.heads);
    fitScores(carried, shape);
    int64_t places = llvm::alignTo(topk.getK(), shape.slotMultiple);
    auto fits = [&] {
      return 2 * shape.rows * places * (2 + carried) * wordBytes <=
             limits.sharedBytes;
    };
    while (shape.rows > limits.rowsMultiple && !fits()) {
      shape.rows /= 2;
      shape.blocks = std::min(shape.blocks, shape.rows);
    }
  });
}

/// Positions of a block walk as one: says what differs between them.
static LogicalResult refusePositions(hsa::ProgramOp program,
                                     int64_t positions) {
  Operation *first = nullptr, *ofChunks = nullptr;
  program.walk([&](Operation *op) {
    for (Type type : op->getResultTypes()) {
      if (!hasAxis(type, Axis::Pos) || isa<arith::ConstantOp>(op))
        continue;
      first = first ? first : op;
      if (hasAxis(type, Axis::Chunk) || hasAxis(type, Axis::Slot))
        ofChunks = ofChunks ? ofChunks : op;
    }
  });
  Operation *op = ofChunks ? ofChunks : first ? first : program.getOperation();
  return op->emitError()
         << "what is made of all chunks, or of slots, is one for the "
         << positions << " positions of a query block (q_block=" << positions
         << "), but this differs between them: score chunks by an "
            "rl.Query[\"block\"], and use what differs where slots are "
            "visited, as in `weights[slot] * gate`";
}

static FailureOr<StreamShape> chooseShape(hsa::ProgramOp program,
                                          const TileLimits &limits) {
  int64_t positions = program.getAxisSize(Axis::Pos);
  if (positions > 1)
    return refusePositions(program, positions);
  StreamShape shape;
  shape.rows = limits.streamRows;
  shape.blocks = limits.streamBlocks ? limits.streamBlocks : shape.rows;
  shape.colsMultiple = limits.colsMultiple;
  // A quad holds eight slots. Products of rows with many dims are cut where
  // registers are counted.
  shape.slotMultiple = std::min<int64_t>(limits.colsMultiple, 8);
  shape.depth = limits.registers ? 64 : 0;
  // One query block for each program is for the programs that attend as well,
  // which have the group's heads.
  shape.heads = hasIndependentHeads(program) && !limits.streamBlocks
                    ? 1
                    : std::max<int64_t>(program.getAxisSize(Axis::Head), 1);
  shape.chunks = limits.streamChunks;
  fitSums(shape, program, limits);
  if (limits.registers && limits.sharedBytes)
    fitLists(program, limits, shape);
  return shape;
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

/// The walks of a program, in words.
static std::string describe(const StreamShape &shape, unsigned passes) {
  std::string queries = std::to_string(shape.blocks) +
                        (shape.blocks == 1 ? " query" : " queries");
  if (passes == 0)
    return queries + " at a time";
  std::string times = passes == 1 ? "once" : std::to_string(passes) + " times";
  return queries + (shape.blocks == 1 ? " walks" : " walk") +
         " over the chunks " + times + ", " + std::to_string(shape.chunks) +
         " at a time";
}

LogicalResult ramify::lowerStreamed(hsa::ProgramOp program,
                                    const TileLimits &limits) {
  Parameters parameters(program);
  if (!parameters.getQuery())
    return program.emitOpError("has no query, which streamed needs");
  FailureOr<StringRef> partition = findPartition(program);
  FailureOr<StreamShape> shape = chooseShape(program, limits);
  if (failed(partition) || failed(shape))
    return failure();
  TileBuilder b(program.getLoc(), program);
  TileShape blockShape(program, limits);
  BodyEmitter body(b, program, blockShape);
  tile::KernelOp kernel = createKernel(body, parameters, program.getSymName());
  emitRows(body, *shape, parameters, kernel);
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
  b.create<tile::EndOp>();
  setAlignment(kernel, /*each=*/limits.streamBlocks != 0);
  FailureOr<tile::PlanOp> made = createPlan(
      b, program, parameters, kernel, [&](TileBuilder &plan, PlanSizes sizes) {
        Value last = plan.index(shape->blocks - 1);
        Value blocks =
            plan.div(plan.createOrFold<arith::AddIOp>(sizes.queries, last),
                     shape->blocks);
        return std::array<Value, 3>{
            blocks, plan.div(sizes.queryHeads, shape->heads), sizes.batch};
      });
  if (succeeded(made))
    (*made)->setAttr(kTilesAttrName,
                     b.getStringAttr(describe(*shape, *passes)));
  return made;
}
