// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ItemParts.cpp - What long lists add to their chunk -----------------===//

#include "ItemParts.h"

#include "InverseIndex.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using llvm::divideCeil;
using Predicate = arith::CmpIPredicate;

/// Rows that a program visits before another goes on with the list.
static constexpr int64_t kLeastRows = 2048;
/// Elements of a program that adds parts, and how many parts it reads at once.
static constexpr int64_t kLeast = 32, kElements = 4096, kAtOnce = 4;

//===----------------------------------------------------------------------===//
// Which sums
//===----------------------------------------------------------------------===//

/// Where an array has the chunk, if it has.
std::optional<ItemParts::Sum> ItemParts::getSum(Type role) {
  Sum sum{};
  sum.role = role, sum.axis = 1, sum.hasBatch = true;
  if (isa<hsa::ChunksType>(role)) {
    sum.isKeyed = true;
    return sum;
  }
  if (auto landmarks = dyn_cast<hsa::LandmarksType>(role))
    return landmarks.getHeads() == hsa::Heads::KV ? std::optional(sum)
                                                  : std::nullopt;
  auto array = dyn_cast<hsa::ArrayType>(role);
  if (!array || array.getPartition().empty())
    return std::nullopt;
  ArrayRef<Axis> axes = array.getAxes();
  sum.isKeyed = llvm::is_contained(axes, Axis::Key);
  sum.hasHeads = llvm::is_contained(axes, Axis::Head);
  const Axis *own = llvm::find(axes, sum.isKeyed ? Axis::Key : Axis::Chunk);
  sum.hasBatch = array.getBatch();
  sum.axis = std::distance(axes.begin(), own) + sum.hasBatch;
  return sum;
}

/// Whether the last axis of an array is dim.
static bool hasColumns(Type role) {
  auto array = dyn_cast<hsa::ArrayType>(role);
  return !array || llvm::is_contained(array.getAxes(), Axis::Dim);
}

/// The result of `op` that a result of the program is made from, if one is.
static std::optional<unsigned> findSum(hsa::ReduceOp op, Value result) {
  while (true) {
    if (auto add = result.getDefiningOp<hsa::AddOp>()) {
      result = add.getSums();
      continue;
    }
    auto reduce = result.getDefiningOp<hsa::ReduceOp>();
    if (!reduce)
      return std::nullopt;
    unsigned number = cast<OpResult>(result).getResultNumber();
    if (reduce == op)
      return number;
    result = reduce.getAccumulators()[number];
  }
}

ItemParts::ItemParts(hsa::ProgramOp program, const Parameters &parameters,
                     const TileShape &shape, hsa::ReduceOp op)
    : shape(shape), results(program.getNumResults()) {
  auto domain = cast<hsa::DomainType>(op.getDomain().getType());
  keys = program.getChunkSize(domain.getPartition());
  Operation *terminator = program.getBody().front().getTerminator();
  bool inPasses = shape.getTilesAtOnce(keys) < shape.getKeyTiles(keys);
  for (auto [number, result] : llvm::enumerate(terminator->getOperands())) {
    auto type = dyn_cast<hsa::SumsType>(result.getType());
    if (!type || !findSum(op, result))
      continue;
    std::optional<Sum> sum = getSum(type.getRole());
    if (!sum)
      continue;
    sum->result = number;
    sum->type = cast<MemRefType>(parameters.getResultTypes()[number]);
    if (hasColumns(sum->role))
      sum->columns = sum->type.getShape().back();
    sum->isWrittenOnce = isa<hsa::ChunksType>(sum->role) && !inPasses;
    sums.push_back(*sum);
  }
}

int64_t ItemParts::getLeastEntries() const {
  int64_t ofEntry = shape.positions * shape.heads;
  return llvm::alignTo(divideCeil(kLeastRows, ofEntry), kItemEntries);
}

void ItemParts::addArguments(SmallVectorImpl<KernelArgument> &arguments) const {
  for (const Sum &sum : sums)
    arguments.push_back(
        {"parts_of_result" + std::to_string(sum.result), sum.type});
  MLIRContext *context = sums.front().type.getContext();
  arguments.push_back({"most_entries", IntegerType::get(context, 32)});
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

Value ItemParts::getBytes(TileBuilder &b, ValueRange targets) const {
  Value all = b.index(0);
  for (const Sum &sum : sums) {
    Value bytes = b.index((sum.isKeyed ? keys : 1) * sizeof(float));
    for (int64_t axis = sum.hasBatch; axis < sum.type.getRank(); ++axis)
      if (axis != sum.axis)
        bytes = b.mul(
            bytes, b.create<memref::DimOp>(targets[sum.result], b.index(axis)));
    all = b.add(all, bytes);
  }
  return all;
}

SmallVector<Value> ItemParts::createArrays(TileBuilder &b, ValueRange targets,
                                           Value sequences, Value parts) const {
  SmallVector<Value> arrays;
  for (const Sum &sum : sums) {
    SmallVector<Value> sizes;
    for (int64_t axis = 0; axis < sum.type.getRank(); ++axis)
      sizes.push_back(
          b.create<memref::DimOp>(targets[sum.result], b.index(axis)));
    if (sum.hasBatch)
      sizes[0] = sequences;
    sizes[sum.axis] = b.mul(parts, b.index(sum.isKeyed ? keys : 1));
    arrays.push_back(b.create<tile::WorkspaceOp>(sum.type, sizes,
                                                 /*zero=*/!sum.isWrittenOnce));
  }
  return arrays;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

Value ItemParts::getOwn(tile::KernelOp kernel, const Sum &sum) const {
  return kernel.getBody().getArguments().take_back(results)[sum.result];
}

void ItemParts::setArrays(BodyEmitter &emitter, tile::KernelOp kernel,
                          ValueRange arrays) const {
  for (auto [sum, array] : llvm::zip(sums, arrays))
    emitter.parts.arrays[getOwn(kernel, sum)] = array;
}

/// What a chunk has of an array.
int64_t ItemParts::countElements(const Sum &sum) const {
  return (sum.isKeyed ? keys : 1) * (sum.hasHeads ? shape.heads : 1) *
         sum.columns;
}

int64_t ItemParts::getSize() const {
  int64_t most = 1;
  for (const Sum &sum : sums)
    most = std::max(most, countElements(sum));
  return std::clamp<int64_t>(llvm::PowerOf2Ceil(most), kLeast, kElements);
}

int64_t ItemParts::countPieces(const Sum &sum) const {
  return divideCeil(countElements(sum), getSize());
}

int64_t ItemParts::countPieces() const {
  int64_t pieces = 0;
  for (const Sum &sum : sums)
    pieces += countPieces(sum);
  return pieces;
}

SmallVector<Value> ItemParts::getIndices(TileBuilder &b, const Sum &sum,
                                         const Elements &elements, Value batch,
                                         Value first) const {
  Value place = b.add(elements.key, first);
  auto array = dyn_cast<hsa::ArrayType>(sum.role);
  if (!array)
    return {batch, place, elements.head, elements.column};
  SmallVector<Value> indices;
  if (array.getBatch())
    indices.push_back(batch);
  for (Axis axis : array.getAxes())
    indices.push_back(axis == Axis::Head  ? elements.head
                      : axis == Axis::Dim ? elements.column
                                          : place);
  return indices;
}

ItemParts::Elements ItemParts::emitElements(TileBuilder &b, const Sum &sum,
                                            const Chunk &chunk,
                                            Value piece) const {
  int64_t size = getSize(), heads = sum.hasHeads ? shape.heads : 1;
  Value number = b.add(b.iota(size), b.mul(b.toI32(piece), b.i32(size)));
  Value row = b.div(number, sum.columns);
  Elements elements;
  elements.column = b.rem(number, sum.columns);
  elements.head = chunk.keyHead;
  if (sum.hasHeads)
    elements.head = b.add(b.rem(row, heads), b.toI32(chunk.firstHead));
  elements.key = b.div(row, heads);
  elements.inside =
      b.compare(Predicate::slt, number, b.i32(countElements(sum)));
  if (sum.isKeyed) {
    Value key = b.add(elements.key, chunk.firstKey);
    elements.inside =
        b.both(elements.inside, b.compare(Predicate::slt, key, chunk.end));
  }
  return elements;
}

/// The next parts, in their order, some of which are read at once.
Value ItemParts::addParts(TileBuilder &b, const Sum &sum, Value total,
                          Value array, const Chunk &chunk,
                          const Elements &elements, Value first) const {
  SmallVector<Value> loaded;
  for (int64_t next = 0; next < kAtOnce; ++next) {
    Value part = b.add(b.toI32(first), b.i32(next));
    Value place = b.mul(part, b.i32(sum.isKeyed ? keys : 1));
    Value exists = b.compare(Predicate::slt, part, chunk.behind);
    Value mask = b.both(elements.inside, b.splat(exists, {getSize()}));
    SmallVector<Value> indices =
        getIndices(b, sum, elements, chunk.sequence, place);
    loaded.push_back(
        b.create<tile::LookupOp>(total.getType(), array, indices, mask));
    if (!sum.isWrittenOnce)
      b.create<tile::ScatterOp>(b.full(total.getType(), 0), array, indices,
                                mask);
  }
  for (Value one : loaded)
    total = b.addf(total, one);
  return total;
}

/// Its own sum, and all parts.
void ItemParts::emitSum(TileBuilder &b, const Sum &sum, Value own, Value array,
                        const Chunk &chunk, Value piece) const {
  Elements elements = emitElements(b, sum, chunk, piece);
  SmallVector<Value> indices =
      getIndices(b, sum, elements, chunk.batch,
                 sum.isKeyed ? chunk.firstKey : chunk.number);
  Type type = RankedTensorType::get({getSize()}, sum.type.getElementType());
  Value before = b.create<tile::LookupOp>(type, own, indices, elements.inside);
  auto loop =
      b.create<scf::ForOp>(b.toIndex(chunk.firstPart), b.toIndex(chunk.behind),
                           b.index(kAtOnce), ValueRange{before});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value after = addParts(b, sum, loop.getRegionIterArg(0), array, chunk,
                           elements, loop.getInductionVar());
    b.create<scf::YieldOp>(after);
  }
  b.create<tile::ScatterOp>(loop.getResult(0), own, indices, elements.inside);
}

void ItemParts::emitPiece(TileBuilder &b, tile::KernelOp kernel,
                          ValueRange arrays, const Chunk &chunk,
                          Value piece) const {
  int64_t first = 0;
  for (auto [sum, array] : llvm::zip(sums, arrays)) {
    int64_t behind = first + countPieces(sum);
    Value isOwn = b.both(b.compare(Predicate::uge, piece, b.index(first)),
                         b.compare(Predicate::ult, piece, b.index(behind)));
    auto branch = b.create<scf::IfOp>(isOwn, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    emitSum(b, sum, getOwn(kernel, sum), array, chunk,
            b.sub(piece, b.index(first)));
    first = behind;
  }
}
