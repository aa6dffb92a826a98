// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitStream.cpp - Reading streams, products and folds ---------------===//

#include "StreamEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

FailureOr<Value> StreamEmitter::emitOp(hsa::LoadOp op, StreamHead head) {
  if (isa<hsa::ArrayType>(op.getSource().getType()))
    return emitArray(op, op.getSource(), head);
  if (!isa<hsa::QueryType>(op.getSource().getType()))
    return emitSelection(op, head);
  Access access = getAccess(op, head);
  return b
      .create<tile::GatherOp>(getTile(op.getType()), access.array,
                              access.indices, access.mask)
      .getResult();
}

/// The slots of each query block, or what belongs to them.
FailureOr<Value> StreamEmitter::emitSelection(hsa::LoadOp op, StreamHead head) {
  Type source = op.getSource().getType();
  auto indices = dyn_cast<hsa::IndicesType>(source);
  hsa::Heads heads =
      indices ? indices.getHeads() : cast<hsa::WeightsType>(source).getHeads();
  Value row = getLandmarkRow(heads, head);
  Type type = getTile(op.getType());
  if (indices && !indices.getElementType().isInteger(32))
    return op.emitOpError("reads indices of ")
           << indices.getElementType()
           << "; a schedule over streams reads those of i32";
  return b
      .create<tile::GatherOp>(type, body.get(op.getSource()),
                              ValueRange{body.rows.batch, body.rows.query, row},
                              body.rows.inside)
      .getResult();
}

StreamEmitter::Access StreamEmitter::getAccess(hsa::LoadOp op,
                                               StreamHead head) {
  const Rows &rows = body.rows;
  return {body.get(op.getSource()),
          {rows.batch, rows.query, headIndex(head)},
          rows.inside};
}

/// Which of the rows that an array has for heads.
Value StreamEmitter::getLandmarkRow(hsa::Heads heads, StreamHead head) {
  return heads == hsa::Heads::One     ? b.index(0)
         : heads == hsa::Heads::Query ? headIndex(head)
                                      : body.rows.keyHead;
}

StreamEmitter::Access StreamEmitter::getAccess(hsa::StreamOp op,
                                               StreamHead head) {
  auto landmarks = cast<hsa::LandmarksType>(op.getSource().getType());
  Value row = getLandmarkRow(landmarks.getHeads(), head);
  return {
      body.get(op.getSource()), {body.rows.batch, tile->ids, row}, tile->live};
}

FailureOr<Value> StreamEmitter::emitOp(hsa::StreamOp op, StreamHead head) {
  if (!isa<hsa::LandmarksType>(op.getSource().getType()))
    return emitArray(op, op.getSource(), head);
  Access access = getAccess(op, head);
  return b
      .create<tile::GatherOp>(getTile(op.getType()), access.array,
                              access.indices, access.mask)
      .getResult();
}

/// An array with the axes of a block, or of the chunks that the loop is at.
FailureOr<Value> StreamEmitter::emitArray(Operation *op, Value source,
                                          StreamHead head) {
  auto type = cast<hsa::ArrayType>(source.getType());
  Type result = getTile(op->getResult(0).getType());
  SmallVector<Value> indices;
  if (type.getBatch())
    indices.push_back(body.rows.batch);
  Value mask;
  bool hasDim = false;
  for (auto [axis, size] : hsa::getSizedAxes(type)) {
    if (hasDim || (mask && axis != Axis::Head && axis != Axis::Dim))
      return op->emitOpError("reads an array whose axes do not fit a tile of "
                             "query blocks");
    if (axis == Axis::Head)
      indices.push_back(headIndex(head));
    else if (axis == Axis::Pos)
      indices.push_back(body.rows.query), mask = body.rows.inside;
    else if (axis == Axis::Chunk)
      indices.push_back(tile->ids), mask = tile->live;
    hasDim |= axis == Axis::Dim;
  }
  Value memory = body.get(source);
  auto tensor = dyn_cast<RankedTensorType>(result);
  if (!tensor)
    return b.create<memref::LoadOp>(memory, indices).getResult();
  if (tensor.getRank() == 2)
    return b.create<tile::GatherOp>(tensor, memory, indices, mask).getResult();
  if (hasDim) {
    Value columns = b.iota(tensor.getDimSize(0));
    int64_t dim = getSize(op->getResult(0).getType(), Axis::Dim);
    mask = b.compare(Predicate::slt, columns, b.i32(dim));
    indices.push_back(columns);
  }
  return b.create<tile::LookupOp>(tensor, memory, indices, mask).getResult();
}

FailureOr<Value> StreamEmitter::emitOp(hsa::ChunkInfoOp op) {
  Value start = b.mul(tile->ids, b.i32(chunkSize));
  Value end = b.min(b.add(start, b.i32(chunkSize)), size.keys);
  switch (op.getInfo()) {
  case hsa::ChunkInfo::Start:
    return start;
  case hsa::ChunkInfo::End:
    return end;
  case hsa::ChunkInfo::Length:
    return b.sub(end, start);
  case hsa::ChunkInfo::Index:
    return tile->ids;
  }
  llvm_unreachable("all cases are covered");
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

bool ramify::isStreamRead(Value value) {
  while (value.getDefiningOp<arith::ExtFOp>())
    value = value.getDefiningOp()->getOperand(0);
  return value.getDefiningOp<hsa::LoadOp>() ||
         value.getDefiningOp<hsa::StreamOp>();
}

Value StreamEmitter::maskColumns(Value tile, int64_t count, double neutral) {
  auto type = cast<RankedTensorType>(tile.getType());
  if (type.getShape().back() == count)
    return tile;
  Value inside =
      b.compare(Predicate::slt, b.iota(type.getShape().back()), b.i32(count));
  if (type.getRank() == 2)
    inside = b.repeat(inside, 0, type);
  return b.choose(inside, tile, b.full(type, neutral));
}

/// Puts `neutral` where a dim axis is padded, unless memory gave zero there.
Value StreamEmitter::maskDim(Value value, Value tile, double neutral) {
  if (neutral == 0 && isStreamRead(value))
    return tile;
  return maskColumns(tile, getSize(value.getType(), Axis::Dim), neutral);
}

Value ramify::toElement(TileBuilder &b, Value tile, Type element) {
  Type type = withElement(tile.getType(), element);
  if (tile.getType() == type)
    return tile;
  if (element.isF32())
    return b.create<arith::ExtFOp>(type, tile);
  return b.create<arith::TruncFOp>(type, tile);
}

/// The sides of a product of rows with the rows of a stream, if it is one.
static std::optional<std::pair<Value, Value>> asMatrixProduct(hsa::DotOp op) {
  auto fits = [](Value left, Value right) {
    return hasAxis(left.getType(), Axis::Pos) &&
           !hasAxis(left.getType(), Axis::Chunk) &&
           !hasAxis(right.getType(), Axis::Pos) &&
           hasAxis(right.getType(), Axis::Chunk);
  };
  if (getOneAxis(op.getOver()) != Axis::Dim)
    return std::nullopt;
  if (fits(op.getLhs(), op.getRhs()))
    return std::pair<Value, Value>(op.getLhs(), op.getRhs());
  if (fits(op.getRhs(), op.getLhs()))
    return std::pair<Value, Value>(op.getRhs(), op.getLhs());
  return std::nullopt;
}

/// Dims from which on not even tiles of a few rows fit as a whole.
static constexpr int64_t kManyDims = 512;

/// The dims of a part of so many, at most `depth`, so that all parts are alike;
/// 0 if they are not cut: if they are few, or few enough where no parts of
/// `depth` make up all.
static int64_t getPart(int64_t dim, int64_t depth) {
  if (!depth || dim <= depth)
    return 0;
  if (dim % depth == 0 || dim <= kManyDims)
    return dim % depth == 0 ? depth : 0;
  int64_t part = depth;
  while (part && dim % part)
    part -= 8; // dims are multiples of 8
  return part;
}

/// Part `number` of the dim axis of rows in memory.
Value StreamEmitter::gatherPart(const Access &access, Value number,
                                int64_t rows) {
  auto type = cast<MemRefType>(access.array.getType());
  SmallVector<int64_t> shape(type.getShape());
  int64_t dim = shape.pop_back_val(), rank = shape.size();
  int64_t part = getPart(dim, this->shape.depth);
  shape.append({dim / part, part});
  SmallVector<int64_t> strides(rank, ShapedType::kDynamic);
  strides.append({part, 1});
  auto parts = MemRefType::get(
      shape, type.getElementType(),
      StridedLayoutAttr::get(b.getContext(), /*offset=*/0, strides));
  SmallVector<ReassociationIndices> groups;
  SmallVector<OpFoldResult> sizes;
  for (int64_t axis = 0; axis < rank; ++axis) {
    groups.push_back({axis});
    sizes.push_back(
        b.create<memref::DimOp>(access.array, b.index(axis)).getResult());
  }
  groups.push_back({rank, rank + 1});
  sizes.append({b.getIndexAttr(dim / part), b.getIndexAttr(part)});
  Value view =
      b.create<memref::ExpandShapeOp>(parts, access.array, groups, sizes);
  SmallVector<Value> indices(access.indices);
  indices.push_back(number);
  int64_t padded = llvm::alignTo(part, this->shape.colsMultiple);
  auto tile = RankedTensorType::get({rows, padded}, type.getElementType());
  return b.create<tile::GatherOp>(tile, view, indices, access.mask);
}

/// A product over many dims, part by part: neither side is held as a whole.
FailureOr<Value> StreamEmitter::emitDotInParts(hsa::DotOp op, StreamHead head,
                                               Value start) {
  auto sides = asMatrixProduct(op);
  Access left = getAccess(sides->first.getDefiningOp<hsa::LoadOp>(), head);
  Access right = getAccess(sides->second.getDefiningOp<hsa::StreamOp>(), head);
  int64_t dim = getSize(sides->first.getType(), Axis::Dim);
  auto loop =
      b.create<scf::ForOp>(b.index(0), b.index(dim / getPart(dim, shape.depth)),
                           b.index(1), ValueRange{start});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value part = loop.getInductionVar();
  Value lhs = gatherPart(left, part, shape.rows);
  Value rhs = gatherPart(right, part, shape.chunks);
  Value sum = b.create<tile::DotOp>(start.getType(), lhs, /*transposed=*/true,
                                    rhs, loop.getRegionIterArg(0));
  b.create<scf::YieldOp>(sum);
  return loop.getResult(0);
}

/// Whether a product is better cut: both sides come from memory as they are.
static bool isCut(hsa::DotOp op, int64_t depth) {
  auto sides = asMatrixProduct(op);
  int64_t dim = getSize(sides->first.getType(), Axis::Dim);
  auto stream = sides->second.getDefiningOp<hsa::StreamOp>();
  return getPart(dim, depth) && sides->first.getDefiningOp<hsa::LoadOp>() &&
         stream && isa<hsa::LandmarksType>(stream.getSource().getType());
}

/// `start` + the product, for one head.
FailureOr<Value> StreamEmitter::emitDot(hsa::DotOp op, StreamHead head,
                                        Value start) {
  if (isCut(op, shape.depth))
    return emitDotInParts(op, head, start);
  auto sides = asMatrixProduct(op);
  Result left = get(sides->first, head), right = get(sides->second, head);
  if (failed(left) || failed(right))
    return failure();
  Value lhs = maskDim(sides->first, *left, 0);
  Value rhs = maskDim(sides->second, *right, 0);
  // Both have one type: the narrower.
  Type element = getElementTypeOrSelf(lhs);
  if (element.isF32())
    element = getElementTypeOrSelf(rhs);
  return b
      .create<tile::DotOp>(start.getType(), toElement(b, lhs, element),
                           /*transposed=*/true, toElement(b, rhs, element),
                           start)
      .getResult();
}

/// Whether a matrix instruction makes it; a product with one chunk for each row
/// is made element by element.
bool StreamEmitter::isMatrixProduct(hsa::DotOp op) const {
  return !(tile && tile->isOfRows) && asMatrixProduct(op);
}

FailureOr<Value> StreamEmitter::emitOp(hsa::DotOp op, StreamHead head) {
  if (isMatrixProduct(op))
    return emitDot(op, head, b.full(getTile(op.getType()), 0));
  if (op.getOver().contains(Axis::Pos))
    return emitProductOfRows(op, head);
  if (getOneAxis(op.getOver()) != Axis::Dim)
    return op.emitOpError()
           << "goes over " << hsa::stringifyAxis(getOneAxis(op.getOver()))
           << ", but products in streams go over dim";
  // The side with all the axes tells the shape.
  Value wide = op.getLhs(), narrow = op.getRhs();
  if (getFootprint(wide.getType()).size() <
      getFootprint(narrow.getType()).size())
    std::swap(wide, narrow);
  Result first = get(wide, head), second = get(narrow, head);
  if (failed(first) || failed(second))
    return failure();
  Value x = toElement(b, maskDim(wide, *first, 0), b.getF32Type());
  Value y = toElement(b, maskDim(narrow, *second, 0), b.getF32Type());
  y = emitBroadcast(y, narrow.getType(), wide.getType());
  auto type = cast<RankedTensorType>(x.getType());
  if (type.getRank() != 2 || y.getType() != type)
    return op.emitOpError("multiplies what no tile of query blocks holds");
  return b.reduce(tile::Combine::Sum, b.mulf(x, y), 1);
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

FailureOr<Value> StreamEmitter::emitOp(hsa::FoldOp op, StreamHead head) {
  if (getOneAxis(op.getOver()) == Axis::Head)
    return foldHeads(op.getMonoid(), op.getInput());
  if (getOneAxis(op.getOver()) == Axis::Pos)
    return foldSeveral(op, head);
  Result input = get(op.getInput(), head);
  if (failed(input))
    return failure();
  auto type = cast<RankedTensorType>((*input).getType());
  if (type.getRank() != 2 || (getOneAxis(op.getOver()) != Axis::Dim &&
                              getOneAxis(op.getOver()) != Axis::Slot))
    return op.emitOpError() << "reduces " << op.getInput().getType() << " over "
                            << hsa::stringifyAxis(getOneAxis(op.getOver()))
                            << ", which no schedule over streams lowers";
  Axis over = getOneAxis(op.getOver());
  Value tile = maskColumns(*input, getSize(op.getInput().getType(), over),
                           getNeutral(op.getMonoid()));
  return b.reduce(getCombine(op.getMonoid()), tile, 1);
}

/// Whether the value is the same for all heads, though it may have the axis.
bool StreamEmitter::isOfAnyHead(Value value) const {
  if (!hasAxis(value.getType(), Axis::Head))
    return true;
  Operation *op = value.getDefiningOp();
  if (auto broadcast = dyn_cast_or_null<hsa::BroadcastOp>(op))
    return isOfAnyHead(broadcast.getInput());
  return isa_and_nonnull<arith::ConstantOp>(op);
}

/// Whether every value that has heads can be made for a head that a loop
/// counts: none is the result of a reduction that was made for each head
/// before. `seen` has what was found so.
static bool isForAnyCounter(Value value, llvm::DenseSet<Value> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op || !hasAxis(value.getType(), Axis::Head) ||
      !seen.insert(value).second)
    return true;
  if (isa<hsa::TopKOp, hsa::TakeOp, hsa::LogSumExpOp, hsa::SoftmaxOp,
          hsa::ScanOp>(op))
    return false;
  if (auto fold = dyn_cast<hsa::FoldOp>(op);
      fold && getOneAxis(fold.getOver()) != Axis::Dim)
    return false;
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return isForAnyCounter(operand, seen);
  });
}

static bool areForAnyCounter(ValueRange values) {
  llvm::DenseSet<Value> seen;
  return llvm::all_of(
      values, [&](Value value) { return isForAnyCounter(value, seen); });
}

/// before o input, for one head; a product adds to what is there itself.
FailureOr<Value> StreamEmitter::combineHead(hsa::Monoid monoid, Value input,
                                            StreamHead head, Value before) {
  auto dot = input.getDefiningOp<hsa::DotOp>();
  if (monoid == hsa::Monoid::Sum && dot && isMatrixProduct(dot))
    return emitDot(dot, head, before);
  Result tile = get(input, head);
  if (failed(tile))
    return failure();
  return emitCombine(b, monoid, before, *tile);
}

/// Columns of the rows of all heads that are read at once where something is
/// made once for a program.
static constexpr int64_t kColumnsAtOnce = 256;

/// What `next` makes of `start`, head by head: in a loop if it can be, and if
/// it is for tiles of chunks, or if the rows of all heads are many.
FailureOr<Value> StreamEmitter::forEachHead(ValueRange inputs, Value start,
                                            NextHead next) {
  bool isOnce = llvm::none_of(inputs, [&](Value input) {
    return hasAxis(input.getType(), Axis::Chunk) ||
           (shape.depth &&
            shape.heads * getSize(input.getType(), Axis::Dim) > kColumnsAtOnce);
  });
  if (shape.heads == 1 || isOnce || !areForAnyCounter(inputs)) {
    Result result = start;
    for (int64_t number = 0; number < shape.heads && succeeded(result);
         ++number)
      result = next({number}, *result);
    return result;
  }
  for (Value input : inputs)
    if (failed(prepare(input, Axis::Head)))
      return failure();
  auto loop = b.create<scf::ForOp>(b.index(0), b.index(shape.heads), b.index(1),
                                   ValueRange{start});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  enter();
  StreamHead head{0, loop.getInductionVar()};
  Result after = next(head, loop.getRegionIterArg(0));
  leave();
  if (failed(after))
    return failure();
  b.create<scf::YieldOp>(*after);
  return loop.getResult(0);
}

FailureOr<Value> StreamEmitter::foldHeads(hsa::Monoid monoid, Value input) {
  Type type = hsa::getNamedType(
      hsa::dropAxes(hsa::getSizedAxes(input.getType()),
                    hsa::AxesAttr::get(b.getContext(), {Axis::Head})),
      getElementTypeOrSelf(input));
  Value factor;
  // A factor that all heads share goes behind the sum.
  auto product = input.getDefiningOp<arith::MulFOp>();
  if (product && monoid == hsa::Monoid::Sum) {
    if (isOfAnyHead(product.getRhs()))
      input = product.getLhs(), factor = product.getRhs();
    else if (isOfAnyHead(product.getLhs()))
      input = product.getRhs(), factor = product.getLhs();
  }
  Value start = b.full(getTile(type), getNeutral(monoid));
  Result result = forEachHead(input, start, [&](StreamHead head, Value before) {
    return combineHead(monoid, input, head, before);
  });
  if (failed(result) || !factor)
    return result;
  Result scale = get(factor, {});
  if (failed(scale))
    return failure();
  return b.mulf(*result, *scale);
}
