// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitStreamSums.cpp - Gradients of what streams were read from ------===//
//
// The gradient of landmarks, and of anything else that query blocks share, is a
// sum over all of them. A program adds up what its own rows say, in registers,
// and adds that to memory: for a tile of chunks once, while it walks over them.
//
//     %dl = hsa.dot %ds, %r over pos, head       C x D: the rows are contracted
//     hsa.add %dl into %sums                     rows of C landmarks, by red
//
// A value that has lost the axis pos is thus a part, of one program's rows. It
// must not meet rows again: it may only end in sums, to which it is linear.
// Where heads are programs of their own, the same holds for the axis head.
//
//===----------------------------------------------------------------------===//

#include "StreamEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// `seen` has what was found to end so.
static bool endsInStreamSums(Value value, ArrayRef<Axis> without,
                             llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second)
    return true;
  for (Axis axis : without)
    if (hasAxis(value.getType(), axis))
      return false;
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<hsa::AddOp>(user))
      return use.getOperandNumber() == 0;
    return user->getNumRegions() == 0 && user->getNumResults() == 1 &&
           endsInStreamSums(user->getResult(0), without, seen);
  });
}

bool ramify::endsInStreamSums(Value value, ArrayRef<Axis> without) {
  llvm::DenseSet<Value> seen;
  return ::endsInStreamSums(value, without, seen);
}

/// Whether the operation sums over the axis.
static bool sumsOver(Operation *op, Axis axis) {
  if (auto dot = dyn_cast<hsa::DotOp>(op))
    return dot.getOver().contains(axis);
  auto fold = dyn_cast<hsa::FoldOp>(op);
  return fold && fold.getMonoid() == hsa::Monoid::Sum &&
         fold.getOver().contains(axis);
}

using Answers = llvm::DenseMap<Value, bool>;

static bool isSumOfHeads(Value value, Answers &known);

/// Without looking it up.
static bool computeSumOfHeads(Value value, Answers &known) {
  Operation *op = value.getDefiningOp();
  if (!op || hasAxis(value.getType(), Axis::Head))
    return false;
  if (sumsOver(op, Axis::Head) || matchPattern(value, m_AnyZeroFloat()))
    return true;
  auto is = [&](Value operand) { return isSumOfHeads(operand, known); };
  if (isa<hsa::DotOp, arith::MulFOp>(op))
    return llvm::any_of(op->getOperands(), is);
  if (isa<hsa::FoldOp, hsa::BroadcastOp, arith::ExtFOp, arith::TruncFOp,
          arith::NegFOp, arith::DivFOp>(op))
    return is(op->getOperand(0));
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return is(select.getTrueValue()) && is(select.getFalseValue());
  return isa<arith::AddFOp, arith::SubFOp>(op) &&
         llvm::all_of(op->getOperands(), is);
}

static bool isSumOfHeads(Value value, Answers &known) {
  if (auto found = known.find(value); found != known.end())
    return found->second;
  bool is = computeSumOfHeads(value, known);
  known[value] = is;
  return is;
}

bool ramify::isSumOfHeads(Value value) {
  Answers known;
  return ::isSumOfHeads(value, known);
}

/// Zero in rows that stand for no query.
static Value maskRows(const StreamEmitter &emitter, Value tile) {
  Value inside = emitter.body.rows.inside;
  if (!inside)
    return tile;
  TileBuilder &b = emitter.b;
  auto type = cast<RankedTensorType>(tile.getType());
  Value mask = type.getRank() == 1 ? inside : b.repeat(inside, 1, type);
  return b.choose(mask, tile, b.full(type, 0));
}

static Value toScalar(TileBuilder &b, Value tile) {
  auto type = dyn_cast<RankedTensorType>(tile.getType());
  return type && type.getRank() == 0
             ? b.create<tensor::ExtractOp>(tile, ValueRange()).getResult()
             : tile;
}

Value StreamEmitter::sumDown(Value tile) {
  return toScalar(b, b.reduce(tile::Combine::Sum, tile, 0));
}

/// The sum of the rows that stand for a query.
Value StreamEmitter::sumRows(Value tile) {
  return sumDown(maskRows(*this, tile));
}

static LogicalResult checkIsPart(Operation *op) {
  if (endsInStreamSums(op->getResult(0), {Axis::Pos}))
    return success();
  return op->emitOpError("sums over the positions of a query block, which a "
                         "schedule over streams does for gradients of what "
                         "query blocks share only");
}

/// A sum over pos, or over several axes: heads, then columns, then rows.
FailureOr<Value> StreamEmitter::foldSeveral(hsa::FoldOp op, StreamHead head) {
  hsa::AxesAttr over = op.getOver();
  Type input = op.getInput().getType();
  if (op.getMonoid() != hsa::Monoid::Sum || over.contains(Axis::Chunk) ||
      over.contains(Axis::Key))
    return op.emitOpError()
           << "reduces " << input << ", which no schedule over streams lowers";
  if (over.contains(Axis::Pos) && failed(checkIsPart(op)))
    return failure();
  Result tile = over.contains(Axis::Head)
                    ? foldHeads(hsa::Monoid::Sum, op.getInput())
                    : get(op.getInput(), head);
  if (failed(tile))
    return failure();
  for (Axis axis : {Axis::Slot, Axis::Dim})
    if (over.contains(axis))
      tile = toScalar(
          b, b.reduce(tile::Combine::Sum,
                      maskColumns(*tile, getSize(input, axis), 0),
                      cast<RankedTensorType>((*tile).getType()).getRank() - 1));
  return over.contains(Axis::Pos) ? sumRows(*tile) : *tile;
}

//===----------------------------------------------------------------------===//
// Products of rows
//===----------------------------------------------------------------------===//

/// The sides of a product over pos, and maybe head, whose columns are chunks
/// and a dim axis.
static std::optional<std::pair<Value, Value>> asProductOfRows(hsa::DotOp op) {
  auto fits = [](Value left, Value right) {
    return hasAxis(left.getType(), Axis::Pos) &&
           hasAxis(right.getType(), Axis::Pos) &&
           hasAxis(left.getType(), Axis::Chunk) &&
           hasAxis(right.getType(), Axis::Dim);
  };
  for (Axis axis : op.getOver().getAxes())
    if (axis != Axis::Pos && axis != Axis::Head)
      return std::nullopt;
  if (fits(op.getLhs(), op.getRhs()))
    return std::pair<Value, Value>(op.getLhs(), op.getRhs());
  if (fits(op.getRhs(), op.getLhs()))
    return std::pair<Value, Value>(op.getRhs(), op.getLhs());
  return std::nullopt;
}

/// before + left^T right, for one head.
FailureOr<Value> StreamEmitter::addProductOfRows(hsa::DotOp op, StreamHead head,
                                                 Value before) {
  auto [left, right] = *asProductOfRows(op);
  Result first = get(left, head), second = get(right, head);
  if (failed(first) || failed(second))
    return failure();
  Value lhs = maskRows(*this, *first), rhs = *second;
  if (!isStreamRead(right))
    rhs = maskRows(*this, rhs);
  Type element = getElementTypeOrSelf(lhs);
  if (element.isF32())
    element = getElementTypeOrSelf(rhs);
  lhs = toElement(b, lhs, element), rhs = toElement(b, rhs, element);
  auto type = cast<RankedTensorType>(lhs.getType());
  auto turned =
      RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, element);
  Value transposed = b.create<tile::TransposeOp>(turned, lhs);
  return b
      .create<tile::DotOp>(before.getType(), transposed, /*transposed=*/false,
                           rhs, before)
      .getResult();
}

/// before + the sum of left * right, for one head, where no tile has both of
/// the axes that are left: element by element.
FailureOr<Value> StreamEmitter::addSumOfProducts(hsa::DotOp op, StreamHead head,
                                                 Value before) {
  Value wide = op.getLhs(), narrow = op.getRhs();
  if (getFootprintSize(wide.getType()) < getFootprintSize(narrow.getType()))
    std::swap(wide, narrow);
  Result first = get(wide, head), second = get(narrow, head);
  if (failed(first) || failed(second))
    return failure();
  Value x = toElement(b, *first, b.getF32Type());
  Value y = emitBroadcast(toElement(b, *second, b.getF32Type()),
                          narrow.getType(), wide.getType());
  if (y.getType() != x.getType() || !hasAxis(wide.getType(), Axis::Pos) ||
      op.getOver().contains(Axis::Chunk))
    return op.emitOpError("multiplies what no tile of query blocks holds");
  Value product = b.mulf(x, y);
  if (op.getOver().contains(Axis::Dim))
    product = b.reduce(
        tile::Combine::Sum,
        maskColumns(product, getSize(wide.getType(), Axis::Dim), 0), 1);
  return b.addf(before, sumRows(product));
}

FailureOr<Value> StreamEmitter::emitProductOfRows(hsa::DotOp op,
                                                  StreamHead head) {
  if (failed(checkIsPart(op)))
    return failure();
  auto add = [&](StreamHead one, Value before) {
    return asProductOfRows(op) ? addProductOfRows(op, one, before)
                               : addSumOfProducts(op, one, before);
  };
  Value zero = b.full(getTile(op.getResult().getType()), 0);
  if (!op.getOver().contains(Axis::Head))
    return add(head, zero);
  return forEachHead({op.getLhs(), op.getRhs()}, zero, add);
}

//===----------------------------------------------------------------------===//
// Adding
//===----------------------------------------------------------------------===//

/// The axes of sums, in the order of memory behind the batch.
static SmallVector<Axis> getAxesOfSums(Type role) {
  if (isa<hsa::LandmarksType>(role))
    return {Axis::Chunk, Axis::Head, Axis::Dim};
  return SmallVector<Axis>(cast<hsa::ArrayType>(role).getAxes());
}

/// Whether no other program adds to the same elements: there is a program for
/// each sequence, query block and key head at least.
static bool isOwned(Type role) {
  auto array = dyn_cast<hsa::ArrayType>(role);
  return array && array.getBatch() &&
         llvm::is_contained(array.getAxes(), Axis::Pos) &&
         llvm::is_contained(array.getAxes(), Axis::Head);
}

tile::Order StreamEmitter::getOrder(Type role) const {
  if (!body.deterministic)
    return tile::Order::Free;
  return isOwned(role) ? tile::Order::Owner : tile::Order::Slots;
}

/// Adds a tile, a vector or a scalar, of one head where there are several, to
/// the elements of sums.
LogicalResult StreamEmitter::addTile(hsa::AddOp op, Value tile, StreamHead head,
                                     bool hasRows, bool hasChunks) {
  const Rows &rows = body.rows;
  Type role = op.getType().getRole();
  Value memory = body.getSums(op.getResult());
  auto landmarks = dyn_cast<hsa::LandmarksType>(role);
  SmallVector<Value> indices;
  if (landmarks || cast<hsa::ArrayType>(role).getBatch())
    indices.push_back(rows.batch);
  bool hasDim = false;
  for (Axis axis : getAxesOfSums(role)) {
    if (axis == Axis::Head && landmarks)
      indices.push_back(getLandmarkRow(landmarks.getHeads(), head));
    else if (axis == Axis::Head)
      indices.push_back(headIndex(head));
    else if (axis == Axis::Chunk)
      indices.push_back(this->tile->ids);
    else if (axis == Axis::Pos)
      indices.push_back(rows.query);
    hasDim |= axis == Axis::Dim;
  }
  Value mask = hasChunks ? this->tile->live : hasRows ? rows.inside : Value();
  auto type = dyn_cast<RankedTensorType>(tile.getType());
  if (!type) { // one element of a vector
    tile = b.splat(tile, {shape.rows});
    mask = b.compare(Predicate::eq, b.iota(shape.rows), b.i32(0));
  } else if (type.getRank() == 1 && hasDim) {
    Value columns = b.iota(type.getDimSize(0));
    int64_t dim = getSize(op.getValue().getType(), Axis::Dim);
    mask = b.compare(Predicate::slt, columns, b.i32(dim));
    indices.push_back(columns);
  }
  b.create<tile::ReduceIntoOp>(tile::Combine::Sum, tile, memory, indices, mask,
                               getOrder(role));
  return success();
}

LogicalResult StreamEmitter::emitAdd(hsa::AddOp op) {
  if (!body.getSums(op.getResult()))
    return success(); // nobody reads them
  b.setLoc(op.getLoc());
  Value value = op.getValue();
  Type type = value.getType();
  SmallVector<Axis> kept = getAxesOfSums(op.getType().getRole());
  auto keeps = [&](Axis axis) { return llvm::is_contained(kept, axis); };
  for (Axis axis : {Axis::Chunk, Axis::Key})
    if (hasAxis(type, axis) && !keeps(axis))
      return op.emitOpError()
             << "adds " << type << ", which no schedule over streams lowers";
  bool overHeads = hasAxis(type, Axis::Head) && !keeps(Axis::Head);
  if (auto landmarks = dyn_cast<hsa::LandmarksType>(op.getType().getRole()))
    overHeads =
        hasAxis(type, Axis::Head) && landmarks.getHeads() != hsa::Heads::Query;
  bool hasRows = hasAxis(type, Axis::Pos) && keeps(Axis::Pos);
  for (StreamHead head :
       overHeads ? SmallVector<StreamHead>{{}} : headsOf(type)) {
    Result tile =
        overHeads ? foldHeads(hsa::Monoid::Sum, value) : get(value, head);
    if (failed(tile))
      return failure();
    for (Axis axis : {Axis::Slot, Axis::Dim}) {
      if (!hasAxis(type, axis) || keeps(axis))
        continue;
      Value masked = axis == Axis::Dim
                         ? maskDim(value, *tile, 0)
                         : maskColumns(*tile, getSize(type, axis), 0);
      auto tileType = cast<RankedTensorType>(masked.getType());
      tile = toScalar(b, b.reduce(tile::Combine::Sum, masked,
                                  tileType.getRank() == 2 ? 1 : 0));
    }
    // Numbers that threads hold meet in memory.
    bool staysRows = hasRows;
    if (hasAxis(type, Axis::Pos) && !hasRows) {
      auto tileType = cast<RankedTensorType>((*tile).getType());
      staysRows = shape.depth && tileType.getRank() == 1;
      if (!staysRows)
        tile = sumRows(*tile);
    }
    if (failed(addTile(op, *tile, head, staysRows, hasAxis(type, Axis::Chunk))))
      return failure();
  }
  return success();
}
