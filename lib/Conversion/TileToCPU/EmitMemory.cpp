// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitMemory.cpp - Reading and writing arrays ------------------------===//

#include "KernelEmitter.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

static Type like(Type type, Type element) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(vector.cloneWith({}, element)) : element;
}

/// Loads one element of an array, or `width` neighbours, as they are computed
/// with.
Value KernelEmitter::loadElement(Type elementType, Value pointer,
                                 int64_t width) {
  auto typed = [&](Type element) -> Type {
    return width ? VectorType::get({width}, element) : element;
  };
  int64_t bytes = elementType.getIntOrFloatBitWidth() / 8;
  if (elementType.isBF16()) {
    Value bits = loadVector(typed(b.getI16Type()), pointer, bytes);
    Value wide = b.create<arith::ExtUIOp>(typed(b.getI32Type()), bits);
    TypedAttr sixteen = b.getI32IntegerAttr(16);
    if (width)
      sixteen = DenseElementsAttr::get(cast<VectorType>(wide.getType()),
                                       Attribute(sixteen));
    wide = b.create<arith::ShLIOp>(wide, b.create<arith::ConstantOp>(sixteen));
    return b.create<arith::BitcastOp>(typed(b.getF32Type()), wide);
  }
  Value loaded = loadVector(typed(elementType), pointer, bytes);
  return elementType.isF16()
             ? b.create<arith::ExtFOp>(typed(b.getF32Type()), loaded)
             : loaded;
}

/// Stores what `loadElement` gives. A 16-bit float has been rounded before.
void KernelEmitter::storeElement(Type elementType, Value value, Value pointer) {
  Type type = value.getType();
  if (elementType.isBF16()) {
    Value bits = b.create<arith::BitcastOp>(like(type, b.getI32Type()), value);
    TypedAttr sixteen = b.getI32IntegerAttr(16);
    if (auto vector = dyn_cast<VectorType>(bits.getType()))
      sixteen = DenseElementsAttr::get(vector, Attribute(sixteen));
    bits = b.create<arith::ShRUIOp>(bits, b.create<arith::ConstantOp>(sixteen));
    value = b.create<arith::TruncIOp>(like(type, b.getI16Type()), bits);
  } else if (elementType.isF16()) {
    value = b.create<arith::TruncFOp>(like(type, b.getF16Type()), value);
  }
  storeVector(value, pointer, elementType.getIntOrFloatBitWidth() / 8);
}

/// The address of array[indices..., 0]; indices that are tensors are taken at
/// `row`.
Value KernelEmitter::addressOf(const ArrayDescriptor &array, Type elementType,
                               ValueRange indices, Value row) {
  Value offset;
  for (auto [index, stride] :
       llvm::zip(indices, ArrayRef<Value>(array.strides))) {
    bool isTensor = isa<RankedTensorType>(index.getType());
    Value number = isTensor                  ? element(index, row)
                   : scalars.contains(index) ? scalars.lookup(index)
                                             : index;
    number = castInteger(number, b.getI64Type(), true);
    Value term = b.create<arith::MulIOp>(number, stride);
    offset = offset ? b.create<arith::AddIOp>(offset, term) : term;
  }
  return offset ? address(elementType, array.pointer, offset) : array.pointer;
}

Value KernelEmitter::emitLoad(memref::LoadOp op) {
  const ArrayDescriptor &array = arguments.find(op.getMemRef())->second;
  Type element = op.getMemRefType().getElementType();
  return loadElement(element, addressOf(array, element, op.getIndices()));
}

void KernelEmitter::emitStore(memref::StoreOp op) {
  const ArrayDescriptor &array = arguments.find(op.getMemRef())->second;
  Type element = op.getMemRefType().getElementType();
  Value value = scalars.lookup(op.getValueToStore());
  storeElement(element, value, addressOf(array, element, op.getIndices()));
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// Whether some product or loop reads the tile, or what is computed from it,
/// by rows or by columns. `seen` has the values that were looked at.
static bool isWantedAs(Value tile, bool asRows, llvm::DenseSet<Value> &seen) {
  if (!seen.insert(tile).second)
    return false;
  return llvm::any_of(tile.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto dot = dyn_cast<tile::DotOp>(user))
      return (&use == &dot.getRhsMutable()) == asRows;
    if (isa<tile::TransposeOp, tile::ReduceIntoOp>(user))
      return asRows;
    if (isLazy(user))
      return isWantedAs(user->getResult(0), asRows, seen);
    if (isa<scf::YieldOp>(user) && isLazy(user->getParentOp()))
      return isWantedAs(user->getParentOp()->getResult(use.getOperandNumber()),
                        asRows, seen);
    return !asRows;
  });
}

void KernelEmitter::emitGather(tile::GatherOp op) {
  llvm::DenseSet<Value> seen;
  if (isWantedAs(op.getResult(), /*asRows=*/true, seen))
    rows[op.getResult()] = gatherRows(op);
  seen.clear();
  if (isWantedAs(op.getResult(), /*asRows=*/false, seen))
    gatherColumns(op);
}

/// Emits `body` where the mask is true at `row`, else `otherwise` if given.
void KernelEmitter::whereTrue(Value mask, Value row,
                              llvm::function_ref<void()> body,
                              llvm::function_ref<void()> otherwise) {
  if (!mask)
    return body();
  auto branch = b.create<scf::IfOp>(element(mask, row), bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
  if (!otherwise)
    return;
  b.setInsertionPoint(branch.elseBlock()->getTerminator());
  otherwise();
}

/// How much an index grows from row to row, where that is known.
static std::optional<int64_t> slope(Value index) {
  if (!isa<RankedTensorType>(index.getType()))
    return 0;
  Operation *op = index.getDefiningOp();
  if (isa_and_nonnull<tensor::SplatOp>(op))
    return 0;
  if (isa_and_nonnull<tile::IotaOp>(op))
    return 1;
  DenseElementsAttr attr;
  if (matchPattern(index, m_Constant(&attr)) && attr.isSplat())
    return 0;
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
    return std::nullopt;
  auto lhs = slope(op->getOperand(0)), rhs = slope(op->getOperand(1));
  if (!lhs || !rhs)
    return std::nullopt;
  return isa<arith::AddIOp>(op) ? *lhs + *rhs : *lhs - *rhs;
}

/// The stride between rows of the gather in the array, if all are one apart.
std::optional<Value> KernelEmitter::rowStride(tile::GatherOp op) {
  const ArrayDescriptor &array = arguments.find(op.getSource())->second;
  std::optional<Value> stride;
  for (auto [index, step] :
       llvm::zip(op.getIndices(), ArrayRef<Value>(array.strides))) {
    std::optional<int64_t> growth = slope(index);
    if (!growth || *growth < 0 || *growth > 1 || (*growth == 1 && stride))
      return std::nullopt;
    if (*growth == 1)
      stride = step;
  }
  return stride;
}

/// Whether the first `count` elements of the mask are true.
Value KernelEmitter::allTrue(Value mask, int64_t count) {
  Value whole = vectorOf(mask, count);
  return b.create<vector::ReductionOp>(vector::CombiningKind::AND, whole);
}

/// Where those elements of the mask that are true stand: from view.first to
/// view.last. Returns whether they are neighbours.
Value KernelEmitter::boundRows(Value mask, int64_t height, RowView &view) {
  Type bits = b.getIntegerType(height), one = VectorType::get({1}, bits);
  Value all = b.create<vector::ExtractOp>(
      b.create<vector::BitCastOp>(one, vectorOf(mask, height)), 0);
  auto toI64 = [&](Value count) {
    return castInteger(count, b.getI64Type(), /*isSigned=*/false);
  };
  view.first = toI64(b.create<math::CountTrailingZerosOp>(all));
  view.last = b.create<arith::SubIOp>(
      i64(height), toI64(b.create<math::CountLeadingZerosOp>(all)));
  Value count = toI64(b.create<math::CtPopOp>(all));
  return b.create<arith::CmpIOp>(
      arith::CmpIPredicate::eq, count,
      b.create<arith::SubIOp>(view.last, view.first));
}

/// Whether the array has all rows that a gather of rows one apart names, those
/// that the mask leaves out, too.
Value KernelEmitter::isWithin(tile::GatherOp op) {
  const ArrayDescriptor &array = arguments.find(op.getSource())->second;
  int64_t height = cast<RankedTensorType>(op.getType()).getDimSize(0);
  Value within = b.create<arith::ConstantIntOp>(1, 1);
  auto require = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    within = b.create<arith::AndIOp>(
        within, b.create<arith::CmpIOp>(predicate, lhs, rhs));
  };
  for (auto [index, size] :
       llvm::zip(op.getIndices(), ArrayRef<Value>(array.sizes))) {
    if (slope(index) != 1)
      continue;
    auto at = [&](int64_t row) {
      return castInteger(element(index, i64(row)), b.getI64Type(), true);
    };
    require(arith::CmpIPredicate::sge, at(0), i64(0));
    require(arith::CmpIPredicate::slt, at(height - 1), size);
  }
  return within;
}

/// Whether only products that can leave out rows read the tile: those over the
/// rows, and those whose columns the rows are, if they add to nothing.
static bool isReadByProducts(Value tile) {
  return llvm::all_of(tile.getUses(), [](OpOperand &use) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    return dot && &use == &dot.getRhsMutable() &&
           (!dot.getTransposed() || startsFromZero(dot));
  });
}

/// Rows of f32 that are equally far apart and all there, or all that count, are
/// read in place; others are copied, converted and completed with zeros.
RowView KernelEmitter::gatherRows(tile::GatherOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  int64_t height = type.getDimSize(0);
  const ArrayDescriptor &array = arguments.find(op.getSource())->second;
  std::optional<Value> stride = rowStride(op);
  bool inPlace =
      stride && type.getElementType().isF32() &&
      columnsIn(op.getSource(), op.getResult()) == type.getDimSize(1);
  if (!inPlace)
    return copyRows(op);
  Value first =
      addressOf(array, type.getElementType(), op.getIndices(), i64(0));
  RowView view{first, *stride};
  if (!op.getMask())
    return view;
  bool isBounded = isReadByProducts(op.getResult());
  Value isInPlace;
  if (isBounded)
    isInPlace = b.create<arith::AndIOp>(isWithin(op),
                                        boundRows(op.getMask(), height, view));
  else
    isInPlace = allTrue(op.getMask(), height);
  auto listed = [&](const RowView &of) {
    SmallVector<Value> values{of.pointer, of.stride};
    if (isBounded)
      values.append({of.first, of.last});
    return values;
  };
  auto branch =
      b.create<scf::IfOp>(ValueRange(listed(view)).getTypes(), isInPlace,
                          /*withElse=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(branch.thenBlock());
  b.create<scf::YieldOp>(listed(view));
  b.setInsertionPointToEnd(branch.elseBlock());
  RowView copy = copyRows(op);
  copy.first = i64(0), copy.last = i64(height);
  b.create<scf::YieldOp>(listed(copy));
  ValueRange chosen = branch.getResults();
  view = {chosen[0], chosen[1]};
  if (isBounded)
    view.first = chosen[2], view.last = chosen[3];
  return view;
}

RowView KernelEmitter::copyRows(tile::GatherOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  int64_t height = type.getDimSize(0), width = type.getDimSize(1);
  int64_t read = columnsIn(op.getSource(), op.getResult());
  Type memory = type.getElementType(), f32 = b.getF32Type();
  const ArrayDescriptor &array = arguments.find(op.getSource())->second;
  RowView view{allocate(f32, height * width), i64(width)};
  int64_t alignment = alignmentOf(width, 4);
  loop(height, 1, {}, [&](Value row, ValueRange) {
    Value to =
        address(f32, view.pointer, b.create<arith::MulIOp>(row, view.stride));
    auto fill = [&] {
      TypedAttr zero = b.getZeroAttr(VectorType::get({width}, f32));
      storeVector(b.create<arith::ConstantOp>(zero), to, alignment);
    };
    auto copy = [&] {
      if (read != width)
        fill();
      Value from = addressOf(array, memory, op.getIndices(), row);
      storeVector(loadElement(memory, from, read), to, alignment);
    };
    whereTrue(op.getMask(), row, copy, fill);
    return SmallVector<Value>();
  });
  return view;
}

//===----------------------------------------------------------------------===//
// Lookup and scatter
//===----------------------------------------------------------------------===//

void KernelEmitter::emitLookup(tile::LookupOp op) {
  auto type = cast<RankedTensorType>(op.getResult().getType());
  Type memory = type.getElementType(), held = computeType(memory);
  int64_t lanes = paddedRows(type.getDimSize(0), shape);
  auto vector = VectorType::get({lanes}, held);
  Value place = allocate(held, lanes);
  storeVector(b.create<arith::ConstantOp>(b.getZeroAttr(vector)), place, 4);
  const ArrayDescriptor &array = arguments.find(op.getSource())->second;
  loop(type.getDimSize(0), 1, {}, [&](Value row, ValueRange) {
    whereTrue(op.getMask(), row, [&] {
      Value from = addressOf(array, memory, op.getIndices(), row);
      storeVector(loadElement(memory, from), address(held, place, row), 0);
    });
    return SmallVector<Value>();
  });
  elements[op.getResult()] = place;
  vectors[op.getResult()] = loadVector(vector, place, 4);
}

/// Tiles are written row by row, vectors element by element.
void KernelEmitter::emitScatter(tile::ScatterOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  if (type.getRank() == 2)
    return scatterColumns(op);
  Type memory = type.getElementType(), held = computeType(memory);
  const ArrayDescriptor &array = arguments.find(op.getTarget())->second;
  Value place = spill(vectorOf(op.getValue()));
  loop(type.getDimSize(0), 1, {}, [&](Value row, ValueRange) {
    whereTrue(op.getMask(), row, [&] {
      Value to = addressOf(array, memory, op.getIndices(), row);
      storeElement(memory, loadVector(held, address(held, place, row), 0), to);
    });
    return SmallVector<Value>();
  });
}

//===----------------------------------------------------------------------===//
// Counters and scratch memory
//===----------------------------------------------------------------------===//

/// Other threads count too, so each addition is atomic.
void KernelEmitter::emitFetchAdd(tile::FetchAddOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Type i32 = type.getElementType();
  int64_t lanes = paddedRows(type.getDimSize(0), shape);
  auto vector = VectorType::get({lanes}, i32);
  const ArrayDescriptor &array = arguments.find(op.getTarget())->second;
  Value added = spill(vectorOf(op.getValue()));
  Value place = allocate(i32, lanes);
  storeVector(b.create<arith::ConstantOp>(b.getZeroAttr(vector)), place, 4);
  loop(type.getDimSize(0), 1, {}, [&](Value row, ValueRange) {
    whereTrue(op.getMask(), row, [&] {
      Value counter = addressOf(array, i32, op.getIndices(), row);
      Value value = loadVector(i32, address(i32, added, row), 0);
      Value before =
          b.create<LLVM::AtomicRMWOp>(LLVM::AtomicBinOp::add, counter, value,
                                      LLVM::AtomicOrdering::monotonic);
      storeVector(before, address(i32, place, row), 0);
    });
    return SmallVector<Value>();
  });
  elements[op.getResult()] = place;
  vectors[op.getResult()] = loadVector(vector, place, 4);
}

/// Memory of the function, which runs its programs one after the other.
void KernelEmitter::emitScratch(tile::ScratchOp op) {
  auto type = cast<MemRefType>(op.getType());
  ArrayDescriptor array;
  array.pointer = allocate(type.getElementType(), type.getNumElements());
  int64_t stride = type.getNumElements();
  for (int64_t size : type.getShape()) {
    stride /= size;
    array.sizes.push_back(i64(size));
    array.strides.push_back(i64(stride));
  }
  arguments[op.getResult()] = std::move(array);
}
