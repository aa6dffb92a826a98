// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitElements.cpp - Elementwise ops at one column, row or element ---===//

#include "KernelEmitter.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

/// Scalars, and tensors of rank 0, are held as scalars.
static bool isTile(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() > 0;
}

static Type shaped(Type element, int64_t width) {
  return width ? VectorType::get({width}, element) : element;
}

Value KernelEmitter::columns(Value tile, Value index, int64_t count) {
  Scope scope{Form::Column, index, lanesOf(tile) * count, count};
  return evaluate(tile, scope);
}

Value KernelEmitter::element(Value vector, Value index) {
  Scope scope{Form::Element, index, 0};
  return evaluate(vector, scope);
}

Value KernelEmitter::vectorOf(Value vector) {
  int64_t size = cast<RankedTensorType>(vector.getType()).getDimSize(0);
  Scope scope{Form::Vector, Value(), paddedRows(size, shape)};
  return evaluate(vector, scope);
}

Value KernelEmitter::vectorOf(Value vector, int64_t width) {
  Value whole = vectorOf(vector);
  if (cast<VectorType>(whole.getType()).getDimSize(0) == width)
    return whole;
  return b.create<vector::ExtractStridedSliceOp>(whole, ArrayRef<int64_t>{0},
                                                 ArrayRef<int64_t>{width},
                                                 ArrayRef<int64_t>{1});
}

Value KernelEmitter::evaluate(Value value, Scope &scope) {
  if (!isTile(value))
    return scope.width ? splat(scalars.lookup(value), scope.width)
                       : scalars.lookup(value);
  if (Value known = scope.cache.lookup(value))
    return known;
  Value result = evaluateLeaf(value, scope);
  if (!result)
    result = evaluateOp(cast<OpResult>(value).getOwner(), value, scope);
  if (scope.form == Form::Column && keep.contains(value) &&
      !tiles.contains(value) && value.getParentBlock() == currentBlock) {
    Value &place = storing[value];
    if (!place)
      place = allocateTile(value);
    storeColumns(value, place, scope.index, result);
  }
  scope.cache[value] = result;
  return result;
}

/// A value that has been computed before, or null.
Value KernelEmitter::evaluateLeaf(Value value, Scope &scope) {
  switch (scope.form) {
  case Form::Column:
    if (Value place = tiles.lookup(value))
      return loadColumns(value, place, scope.index, scope.count);
    return Value();
  case Form::Row: {
    if (lazyDefinition(value))
      return Value();
    RowView view = rowsOf(value);
    Value start = b.create<arith::MulIOp>(scope.index, view.stride);
    return loadVector(shaped(b.getF32Type(), scope.width),
                      address(b.getF32Type(), view.pointer, start), 4);
  }
  case Form::Vector:
    return vectors.lookup(value);
  case Form::Element:
    break;
  }
  if (lazyDefinition(value))
    return Value();
  Type element = computeType(getElementTypeOrSelf(value));
  Type type = shaped(element, scope.width);
  Type memoryElement = element.isInteger(1) ? b.getI8Type() : element;
  Type memory = shaped(memoryElement, scope.width);
  Value loaded =
      loadVector(memory, address(memoryElement, elementsOf(value), scope.index),
                 memoryElement.getIntOrFloatBitWidth() / 8);
  return memory == type ? loaded : b.create<arith::TruncIOp>(type, loaded);
}

Value KernelEmitter::evaluateOp(Operation *op, Value value, Scope &scope) {
  if (auto constantOp = dyn_cast<arith::ConstantOp>(op))
    return constant(cast<DenseElementsAttr>(constantOp.getValue()), scope);
  if (auto broadcast = dyn_cast<tile::BroadcastOp>(op))
    return evaluateBroadcast(broadcast, scope);
  if (auto splatOp = dyn_cast<tensor::SplatOp>(op))
    return evaluate(splatOp.getInput(), scope);
  if (isa<tile::IotaOp>(op))
    return iota(scope);
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    unsigned i = cast<OpResult>(value).getResultNumber();
    Value yes = evaluate(branch.thenYield().getOperand(i), scope);
    Value no = evaluate(branch.elseYield().getOperand(i), scope);
    Value condition = scalars.lookup(branch.getCondition());
    return b.create<arith::SelectOp>(condition, yes, no);
  }
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    Value input = evaluate(op->getOperand(0), scope);
    return isa<arith::ExtFOp>(op)
               ? input
               : roundTo(getElementTypeOrSelf(op->getResult(0)), input);
  }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    operands.push_back(isTile(operand) ? evaluate(operand, scope)
                                       : scalars.lookup(operand));
  }
  Type element = computeType(getElementTypeOrSelf(value));
  return cloneElementwise(op, operands, shaped(element, scope.width));
}

/// The same op on other types. Products and sums may be contracted to fused
/// multiply-adds; nothing else is relaxed.
Value KernelEmitter::cloneElementwise(Operation *op, ValueRange operands,
                                      Type type) {
  OperationState state(b.getLoc(), op->getName(), operands, type,
                       op->getAttrs());
  Operation *clone = b.create(state);
  if (auto fast = dyn_cast<arith::ArithFastMathInterface>(op)) {
    auto flags = arith::FastMathFlags::contract;
    if (auto old = fast.getFastMathFlagsAttr())
      flags = flags | old.getValue();
    clone->setAttr(fast.getFastMathAttrName(),
                   arith::FastMathFlagsAttr::get(b.getContext(), flags));
  }
  return clone->getResult(0);
}

Value KernelEmitter::evaluateBroadcast(tile::BroadcastOp op, Scope &scope) {
  bool alongLanes = (scope.form == Form::Column) == (op.getAxis() == 0);
  int64_t lanes = scope.width / scope.count;
  if (!alongLanes) {
    Value once = vectorOf(op.getInput(), lanes);
    return scope.count == 1 ? once
                            : shuffle(once, scope.width, [&](int64_t lane) {
                                return lane % lanes;
                              });
  }
  int64_t width = scope.count == 1 ? 0 : scope.count;
  if (!scope.elements)
    scope.elements.reset(
        new Scope{Form::Element, scope.index, width, scope.count});
  Value each = evaluate(op.getInput(), *scope.elements);
  return width ? shuffle(each, scope.width,
                         [&](int64_t lane) { return lane / lanes; })
               : splat(each, scope.width);
}

Value KernelEmitter::constant(DenseElementsAttr attr, const Scope &scope) {
  Type element = computeType(attr.getElementType());
  TypedAttr one;
  if (isa<FloatType>(element))
    one = b.getF32FloatAttr(attr.getSplatValue<APFloat>().convertToDouble());
  else
    one = b.getIntegerAttr(element, attr.getSplatValue<APInt>());
  if (!scope.width)
    return b.create<arith::ConstantOp>(one);
  TypedAttr all = DenseElementsAttr::get(
      VectorType::get({scope.width}, element), Attribute(one));
  return b.create<arith::ConstantOp>(all);
}

Value KernelEmitter::iota(const Scope &scope) {
  Value first;
  if (scope.form == Form::Element)
    first = b.create<arith::TruncIOp>(b.getI32Type(), scope.index);
  if (!scope.width)
    return first;
  auto numbers = llvm::to_vector(llvm::seq<int32_t>(0, scope.width));
  TypedAttr attr = b.getI32VectorAttr(numbers);
  Value sequence = b.create<arith::ConstantOp>(attr);
  return first ? b.create<arith::AddIOp>(splat(first, scope.width), sequence)
                     .getResult()
               : sequence;
}

/// The f32 value nearest to `value` that the 16-bit type has, ties to even.
Value KernelEmitter::roundTo(Type type, Value value) {
  Type same = value.getType();
  auto like = [&](Type element) -> Type {
    auto vector = dyn_cast<VectorType>(same);
    return vector ? Type(vector.cloneWith({}, element)) : element;
  };
  if (type.isF16()) {
    Value half = b.create<arith::TruncFOp>(like(b.getF16Type()), value);
    return b.create<arith::ExtFOp>(same, half);
  }
  if (!type.isBF16())
    return value;
  Type bitsType = like(b.getI32Type());
  auto number = [&](int32_t n) -> Value {
    TypedAttr attr = b.getI32IntegerAttr(n);
    if (auto vector = dyn_cast<VectorType>(bitsType))
      attr = DenseElementsAttr::get(vector, Attribute(attr));
    return b.create<arith::ConstantOp>(attr);
  };
  Value bits = b.create<arith::BitcastOp>(bitsType, value);
  Value odd = b.create<arith::AndIOp>(
      b.create<arith::ShRUIOp>(bits, number(16)), number(1));
  Value up = b.create<arith::AddIOp>(
      b.create<arith::AddIOp>(bits, number(0x7fff)), odd);
  Value isNaN =
      b.create<arith::CmpFOp>(arith::CmpFPredicate::UNO, value, value);
  Value quiet = b.create<arith::OrIOp>(bits, number(0x400000));
  Value rounded = b.create<arith::SelectOp>(isNaN, quiet, up);
  rounded = b.create<arith::AndIOp>(rounded, number(~0xffff));
  return b.create<arith::BitcastOp>(same, rounded);
}
