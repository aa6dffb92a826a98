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
                     Type queryElement)
    : op(op) {
  Type f32 = Float32Type::get(program.getContext());
  Type narrow = queryElement.isBF16() ? queryElement : f32;
  for (Value result : op.getResults()) {
    Type type = result.getType();
    auto state = dyn_cast<hsa::SoftmaxStateType>(type);
    if (state) {
      addPart(state.getRowType(), f32);
      addPart(state.getRowType(), f32);
      type = state.getValue();
    }
    addPart(type, hasAxis(type, Axis::Dim) ? narrow : f32);
  }
}

void SlotParts::addPart(Type named, Type element) {
  constexpr int64_t any = ShapedType::kDynamic;
  parts.push_back({named, !isa<RankedTensorType>(named)});
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

LogicalResult SlotParts::verify() {
  for (const Part &part : parts) {
    if (isa<hsa::SumsType>(part.named))
      return op.emitOpError()
             << "adds to " << part.named
             << ", sums over all queries, which chunk_major does not do yet: "
                "query_major does";
    bool isRow = part.isScalar || hasRows(part.named);
    if (!isRow || hasAxis(part.named, Axis::Key))
      return op.emitOpError()
             << "accumulates " << part.named
             << ", which chunk_major cannot keep for each slot: it takes a "
                "number, or a value with pos or head and at most a dim axis";
  }
  return success();
}

int64_t SlotParts::getBytes() const {
  int64_t bytes = 0;
  for (MemRefType type : types) {
    int64_t dim = type.getRank() == 5 ? type.getDimSize(4) : 1;
    bytes += dim * type.getElementTypeBitWidth() / 8;
  }
  return bytes;
}

SmallVector<Value> SlotParts::createWorkspaces(TileBuilder &b,
                                               ValueRange sizes) const {
  SmallVector<Value> arrays;
  for (MemRefType type : types) {
    SmallVector<Value> shape(sizes);
    if (type.getRank() == 5)
      shape.push_back(b.index(type.getDimSize(4)));
    arrays.push_back(b.create<tile::WorkspaceOp>(type, shape, /*zero=*/false));
  }
  return arrays;
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
  for (auto [state, array] : llvm::zip_equal(states, arrays)) {
    Value value = b.splat(state, {emitter.shape.rows});
    Type element = cast<MemRefType>(array.getType()).getElementType();
    if (element != getElementTypeOrSelf(value))
      value = b.create<arith::TruncFOp>(withElement(value.getType(), element),
                                        value);
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
  Tiles loaded, after;
  for (auto [part, array] : llvm::zip_equal(parts, arrays))
    loaded.push_back(load(emitter, part, array, place));
  ArrayRef<Value> rest = loaded;
  for (unsigned index = 0; index < op.getNumResults(); ++index) {
    unsigned count = BodyEmitter::countStates(op.getResult(index).getType());
    auto held = before.slice(after.size(), count);
    if (count == 3)
      llvm::append_range(after,
                         combineStates(emitter.b, held, rest.take_front(3)));
    else
      after.push_back(
          emitCombine(emitter.b, op.getMonoid(index), held[0], rest[0]));
    rest = rest.drop_front(count);
  }
  return after;
}
