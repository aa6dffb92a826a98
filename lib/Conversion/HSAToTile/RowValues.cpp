// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- RowValues.cpp - What visits want of rows, computed once ------------===//

#include "ChunkVisits.h"
#include "QueryMajor.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// Which values
//===----------------------------------------------------------------------===//

/// What `value` is made from, in the order of the program; nothing if a
/// reduction over chunks is part of it.
static SmallVector<Operation *> collectSources(Value value) {
  llvm::SetVector<Operation *> found;
  SmallVector<Value> pending = {value};
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op || found.contains(op))
      continue;
    if (op->getNumRegions())
      return {};
    found.insert(op);
    llvm::append_range(pending, op->getOperands());
  }
  SmallVector<Operation *> sources = found.takeVector();
  llvm::sort(sources, [](Operation *lhs, Operation *rhs) {
    return lhs->isBeforeInBlock(rhs);
  });
  return sources;
}

static bool isCast(Operation *op) {
  return isa<arith::ExtFOp, arith::TruncFOp>(op);
}

/// Whether `value` is a number of each row or a row, and computed of rows.
static bool isComputedOfRows(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !isa<FloatType>(type.getElementType()) ||
      !hasAxis(type, Axis::Pos) || !hasAxis(type, Axis::Head))
    return false;
  for (auto [axis, size] : hsa::getSizedAxes(type))
    if (axis != Axis::Pos && axis != Axis::Head && axis != Axis::Dim)
      return false;
  SmallVector<Operation *> sources = collectSources(value);
  auto isRow = [](Operation *op) {
    return isa<hsa::LoadOp>(op) &&
           hasAxis(op->getResult(0).getType(), Axis::Dim);
  };
  return llvm::any_of(sources, isRow) &&
         !llvm::all_of(sources, [](Operation *op) {
           return isa<hsa::LoadOp>(op) || isCast(op);
         });
}

/// An operand of the body of `op` that is made outside, without its repetition
/// along other axes; null for any other.
static Value getOuter(hsa::ReduceOp op, Value operand) {
  while (auto repeated = operand.getDefiningOp<hsa::BroadcastOp>())
    operand = repeated.getInput();
  Operation *definition = operand.getDefiningOp();
  return definition && definition->getBlock() == op->getBlock() ? operand
                                                                : Value();
}

/// `value` rounded to `element`, made before `op`.
static Value getRounded(hsa::ReduceOp op, Value value, Type element) {
  auto type = cast<RankedTensorType>(value.getType()).clone(element);
  for (Operation *user : value.getUsers())
    if (auto cast = dyn_cast<arith::TruncFOp>(user);
        cast && cast.getType() == type && cast->getBlock() == op->getBlock() &&
        cast->isBeforeInBlock(op))
      return cast;
  OpBuilder b(op->getContext());
  b.setInsertionPointAfterValue(value);
  return b.create<arith::TruncFOp>(value.getLoc(), type, value);
}

/// Rounds what the products in the body of `op` would round in each visit.
static void roundOperands(hsa::ReduceOp op) {
  op.getBody().walk([&](hsa::DotOp dot) {
    for (unsigned index : {0, 1}) {
      Value side = dot->getOperand(index);
      Type other = getElementTypeOrSelf(dot->getOperand(1 - index));
      bool isRounded = getElementTypeOrSelf(side).isF32() && !other.isF32();
      if (isRounded && getOuter(op, side) == side && isComputedOfRows(side))
        dot->setOperand(index, getRounded(op, side, other));
    }
  });
}

RowValues::RowValues(ArrayRef<hsa::ReduceOp> visited) {
  for (hsa::ReduceOp op : visited) {
    roundOperands(op);
    op.getBody().walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Value outer = getOuter(op, operand))
          if (isComputedOfRows(outer))
            values.insert(outer);
    });
  }
}

//===----------------------------------------------------------------------===//
// The arrays
//===----------------------------------------------------------------------===//

static MemRefType getArrayType(Value value) {
  constexpr int64_t any = ShapedType::kDynamic;
  SmallVector<int64_t> sizes(3, any), strides(3, any);
  if (int64_t dim = getSize(value.getType(), Axis::Dim)) {
    sizes.push_back(dim);
    strides.push_back(any);
  }
  strides.back() = 1;
  return MemRefType::get(
      sizes, getElementTypeOrSelf(value),
      StridedLayoutAttr::get(value.getContext(), /*offset=*/0, strides));
}

int64_t RowValues::getBytes() const {
  int64_t bytes = 0;
  for (Value value : values)
    bytes += std::max<int64_t>(getSize(value.getType(), Axis::Dim), 1) *
             getElementTypeOrSelf(value).getIntOrFloatBitWidth() / 8;
  return bytes;
}

void RowValues::addArguments(SmallVectorImpl<KernelArgument> &arguments) const {
  for (auto [number, value] : llvm::enumerate(values))
    arguments.push_back({"row" + std::to_string(number), getArrayType(value)});
}

SmallVector<Value> RowValues::createArrays(TileBuilder &b,
                                           ValueRange sizes) const {
  SmallVector<Value> arrays;
  for (Value value : values) {
    MemRefType type = getArrayType(value);
    SmallVector<Value> shape(sizes);
    if (type.getRank() == 4)
      shape.push_back(b.index(type.getDimSize(3)));
    arrays.push_back(b.create<tile::WorkspaceOp>(type, shape, /*zero=*/false));
  }
  return arrays;
}

//===----------------------------------------------------------------------===//
// Writing and reading
//===----------------------------------------------------------------------===//

static SmallVector<Value> getIndices(const PartPlace &place) {
  return {place.sequence, place.query, place.head};
}

LogicalResult RowValues::store(BodyEmitter &emitter, ValueRange arrays,
                               const PartPlace &place) const {
  llvm::DenseSet<Operation *> wanted;
  for (Value value : values)
    for (Operation *source : collectSources(value))
      wanted.insert(source);
  for (Operation &op : emitter.program.getBody().front())
    if (wanted.contains(&op) && failed(emitter.emit(&op)))
      return failure();
  for (auto [value, array] : llvm::zip_equal(values, arrays))
    emitter.b.create<tile::ScatterOp>(emitter.get(value), array,
                                      getIndices(place), place.mask);
  return success();
}

void RowValues::load(BodyEmitter &emitter, const llvm::DenseSet<Value> &wanted,
                     ValueRange arrays, const PartPlace &place) const {
  TileBuilder &b = emitter.b;
  for (auto [value, array] : llvm::zip_equal(values, arrays)) {
    if (!wanted.contains(value))
      continue;
    Type tile = emitter.shape.getTile(value.getType());
    Value loaded;
    if (cast<RankedTensorType>(tile).getRank() == 2)
      loaded =
          b.create<tile::GatherOp>(tile, array, getIndices(place), place.mask);
    else
      loaded =
          b.create<tile::LookupOp>(tile, array, getIndices(place), place.mask);
    emitter.setLoaded(value, loaded);
  }
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

PartPlace ramify::getPlaceOfRows(BodyEmitter &emitter,
                                 const WindowArguments &window) {
  TileBuilder &b = emitter.b;
  const TileShape &shape = emitter.shape;
  const Rows &rows = emitter.rows;
  Value firstQuery = b.mul(window.firstRow, b.i32(shape.positions));
  Value block = b.sub(rows.block, b.toIndex(window.firstRow));
  PartPlace place;
  place.sequence = b.sub(rows.batch, b.toIndex(window.sequence));
  place.firstQuery = b.mul(block, b.index(shape.positions));
  if (rows.leader) // padding rows have left nothing there
    place.firstQuery = b.toIndex(b.sub(rows.leader(rows.stored), firstQuery));
  place.query = shape.hasOnePosition() ? block : b.sub(rows.query, firstQuery);
  place.head = rows.head;
  place.mask = rows.inside;
  return place;
}

LogicalResult ramify::createRowsKernel(hsa::ProgramOp program,
                                       const Parameters &parameters,
                                       const TileShape &shape,
                                       const RowValues &rowValues,
                                       StringRef name) {
  TileBuilder b(program.getLoc(), program);
  BodyEmitter emitter(b, program, shape);
  SmallVector<KernelArgument> extra;
  rowValues.addArguments(extra);
  addWindowArguments(extra, b.getContext());
  size_t own = extra.size();
  if (hasSums(program))
    for (auto [number, type] : llvm::enumerate(parameters.getResultTypes()))
      extra.push_back({"result" + std::to_string(number), type});
  tile::KernelOp kernel = createKernel(emitter, parameters, name, extra);
  ValueRange arrays = kernel.getBody().getArguments();
  arrays = arrays.take_back(extra.size()).take_front(own);
  WindowArguments window = takeWindowArguments(arrays);
  emitQueryRows(emitter, parameters, kernel, window.firstRow, window.sequence);
  if (failed(rowValues.store(emitter, arrays, getPlaceOfRows(emitter, window))))
    return failure();
  b.create<tile::EndOp>();
  return success();
}
