// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SlotParts.cpp - What each slot contributes, in memory --------------===//

#include "SlotParts.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// The arrays
//===----------------------------------------------------------------------===//

SlotParts::SlotParts(hsa::ProgramOp program, hsa::ReduceOp op,
                     Type queryElement, const TileLimits &limits)
    : op(op) {
  Type f32 = Float32Type::get(program.getContext());
  Type narrow = queryElement.isBF16() ? queryElement : f32;
  for (auto [index, result] : llvm::enumerate(op.getResults())) {
    Type type = result.getType();
    if (isa<hsa::SumsType>(type))
      continue;
    if (!limits.deterministic && op.getMonoid(index) == hsa::Monoid::Sum &&
        hasRows(type)) {
      bool isNarrow = limits.narrowSums && hasAxis(type, Axis::Dim);
      addPart(index, type, isNarrow ? narrow : f32, Kind::Total);
      continue;
    }
    auto state = dyn_cast<hsa::SoftmaxStateType>(type);
    if (state) {
      addPart(index, state.getRowType(), f32);
      addPart(index, state.getRowType(), f32);
      type = state.getValue();
    }
    addPart(index, type, hasAxis(type, Axis::Dim) ? narrow : f32);
  }
}

void SlotParts::addPart(unsigned accumulator, Type named, Type element,
                        Kind kind) {
  constexpr int64_t any = ShapedType::kDynamic;
  parts.push_back({named, !isa<RankedTensorType>(named), kind, accumulator});
  SmallVector<int64_t> sizes(4, any), strides(4, any);
  if (int64_t dim = getSize(named, Axis::Dim)) {
    sizes.push_back(dim);
    strides.push_back(any);
  }
  strides.back() = 1;
  types.push_back(MemRefType::get(
      sizes, element,
      StridedLayoutAttr::get(element.getContext(), /*offset=*/0, strides)));
}

void SlotParts::useResults(ArrayRef<Type> results) {
  for (auto [part, type] : llvm::zip_equal(parts, types)) {
    Value total = op.getResult(part.accumulator);
    Value start = op.getAccumulators()[part.accumulator];
    if (part.kind != Kind::Total || !total.hasOneUse() ||
        !start.getDefiningOp<hsa::IdentityOp>())
      continue;
    OpOperand &use = *total.use_begin();
    if (!isa<hsa::ReturnOp>(use.getOwner()))
      continue;
    auto memory = cast<MemRefType>(results[use.getOperandNumber()]);
    if (memory.getElementType() != type.getElementType() ||
        !hasAxis(part.named, Axis::Dim))
      continue;
    part.kind = Kind::Result;
    part.result = use.getOperandNumber();
    type = memory;
  }
}

bool SlotParts::addsToResult(unsigned number) const {
  return llvm::any_of(parts, [&](const Part &part) {
    return part.kind == Kind::Result && part.result == number;
  });
}

LogicalResult SlotParts::verify() {
  for (const Part &part : parts) {
    bool isRow = part.isScalar || hasRows(part.named);
    if (!isRow || hasAxis(part.named, Axis::Key))
      return op.emitOpError()
             << "accumulates " << part.named
             << ", which chunk_major cannot keep for each slot: it takes a "
                "number, or a value with pos or head and at most a dim axis";
  }
  return success();
}

int64_t SlotParts::countBytes(Kind kind) const {
  int64_t bytes = 0;
  for (auto [part, type] : llvm::zip_equal(parts, types)) {
    int64_t dim = std::max<int64_t>(getSize(part.named, Axis::Dim), 1);
    if (part.kind == kind)
      bytes += dim * type.getElementTypeBitWidth() / 8;
  }
  return bytes;
}

bool SlotParts::hasSlots() const {
  return llvm::any_of(parts,
                      [](const Part &part) { return part.kind == Kind::Slot; });
}

SmallVector<Value> SlotParts::createArrays(TileBuilder &b, ValueRange sizes,
                                           ValueRange results) const {
  SmallVector<Value> arrays;
  for (auto [part, type] : llvm::zip_equal(parts, types)) {
    if (part.kind == Kind::Result) {
      arrays.push_back(results[part.result]);
      continue;
    }
    SmallVector<Value> shape(sizes);
    if (part.kind == Kind::Total)
      shape[3] = b.index(1);
    if (type.getRank() == 5)
      shape.push_back(b.index(type.getDimSize(4)));
    arrays.push_back(b.create<tile::WorkspaceOp>(type, shape, /*zero=*/false));
  }
  return arrays;
}

void SlotParts::clearTotals(TileBuilder &b, ValueRange arrays) const {
  for (auto [part, array] : llvm::zip_equal(parts, arrays))
    if (part.kind == Kind::Total)
      b.create<tile::MemsetOp>(array, 0);
}

void SlotParts::clearResults(TileBuilder &b, ValueRange arrays) const {
  for (auto [part, array] : llvm::zip_equal(parts, arrays))
    if (part.kind == Kind::Result)
      b.create<tile::MemsetOp>(array, 0);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Tiles SlotParts::getEmpty(BodyEmitter &emitter) {
  TileBuilder &b = emitter.b;
  Tiles empty;
  unsigned next = 0;
  for (unsigned index = 0; index < op.getNumResults(); ++index) {
    unsigned count = BodyEmitter::countStates(op.getResult(index).getType());
    for (unsigned state = 0; state < count; ++state) {
      const Part &part = parts[next++];
      // A number of a query block is one of each row in a tile of many.
      Type tile = emitter.shape.getTile(part.named);
      if (part.isScalar)
        tile = RankedTensorType::get({emitter.shape.rows}, tile);
      bool isMaximum = count == 3 && state == 0;
      double neutral = count == 3 ? 0 : getNeutral(op.getMonoid(index));
      empty.push_back(isMaximum ? b.negInf(tile) : b.full(tile, neutral));
    }
  }
  return empty;
}

static SmallVector<Value> getIndices(const PartPlace &place) {
  return {place.sequence, place.query, place.head, place.slot};
}

void SlotParts::store(BodyEmitter &emitter, ValueRange states,
                      ValueRange arrays, const PartPlace &place) {
  TileBuilder &b = emitter.b;
  for (auto [part, state, array] : llvm::zip_equal(parts, states, arrays)) {
    Value value = b.splat(state, {emitter.shape.rows});
    Type element = cast<MemRefType>(array.getType()).getElementType();
    if (element != getElementTypeOrSelf(value))
      value = b.create<arith::TruncFOp>(withElement(value.getType(), element),
                                        value);
    if (part.kind != Kind::Slot) {
      PartPlace total = place;
      total.slot = b.index(0);
      SmallVector<Value> indices = getIndices(total);
      if (part.kind == Kind::Result)
        indices = {emitter.rows.batch, emitter.rows.query, place.head};
      b.create<tile::ReduceIntoOp>(tile::Combine::Sum, value, array, indices,
                                   place.mask, tile::Order::Free);
      continue;
    }
    b.create<tile::ScatterOp>(value, array, getIndices(place), place.mask);
  }
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Value SlotParts::load(BodyEmitter &emitter, const Part &part, Value array,
                      const PartPlace &place) {
  TileBuilder &b = emitter.b;
  Type element = cast<MemRefType>(array.getType()).getElementType();
  if (part.isScalar) {
    SmallVector<Value> indices = {place.sequence, place.firstQuery,
                                  emitter.rows.firstHead, place.slot};
    return b.create<memref::LoadOp>(array, indices);
  }
  Type tile = withElement(emitter.shape.getTile(part.named), element);
  Value value;
  if (cast<RankedTensorType>(tile).getRank() == 2)
    value =
        b.create<tile::GatherOp>(tile, array, getIndices(place), place.mask);
  else
    value =
        b.create<tile::LookupOp>(tile, array, getIndices(place), place.mask);
  if (element.isF32())
    return value;
  return b.create<arith::ExtFOp>(withElement(tile, b.getF32Type()), value);
}

Tiles SlotParts::combine(BodyEmitter &emitter, ValueRange before,
                         ValueRange arrays, const PartPlace &place) {
  Tiles after(before.begin(), before.end());
  unsigned next = 0;
  for (unsigned index = 0; index < op.getNumResults(); ++index) {
    unsigned count = BodyEmitter::countStates(op.getResult(index).getType());
    if (!count || parts[next].kind != Kind::Slot) {
      next += count;
      continue;
    }
    Tiles loaded;
    for (unsigned state = next; state < next + count; ++state)
      loaded.push_back(load(emitter, parts[state], arrays[state], place));
    if (count == 3)
      llvm::copy(combineStates(emitter.b, before.slice(next, count), loaded),
                 after.begin() + next);
    else
      after[next] =
          emitCombine(emitter.b, op.getMonoid(index), before[next], loaded[0]);
    next += count;
  }
  return after;
}

void SlotParts::addTotals(BodyEmitter &emitter, MutableArrayRef<Value> states,
                          ValueRange arrays, PartPlace place) {
  place.slot = emitter.b.index(0);
  for (auto [part, state, array] : llvm::zip_equal(parts, states, arrays))
    if (part.kind == Kind::Total)
      state = emitter.b.addf(state, load(emitter, part, array, place));
}
