// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TilesToGPU.cpp - Making, shaping and reducing tiles ----------------===//

#include "QuadTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

std::map<Coords, unsigned> ramify::registersByOffset(const Layout &layout) {
  std::map<Coords, unsigned> numbers;
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    numbers.try_emplace(layout.offset(r), r);
  return numbers;
}

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

void Expander::splat(Value result, Value scalar) {
  auto type = cast<RankedTensorType>(result.getType());
  unsigned count = Layout::of(type)->numRegisters();
  Type element = type.getElementType();
  if (isPacked(element)) {
    scalar = packElements({scalar, scalar}, element)[0];
    count = (count + 1) / 2;
  }
  tiles[result] = Registers(count, scalar);
}

LogicalResult Expander::expandConstant(Operation *op) {
  auto constant = dyn_cast<arith::ConstantOp>(op);
  auto dense = constant ? dyn_cast<SplatElementsAttr>(constant.getValue())
                        : SplatElementsAttr();
  if (!dense)
    return op->emitOpError("expected one value in all elements");
  Value scalar = builder.create<arith::ConstantOp>(
      loc, cast<TypedAttr>(dense.getSplatValue<Attribute>()));
  splat(op->getResult(0), scalar);
  return success();
}

LogicalResult Expander::expandIota(IotaOp op) {
  Layout layout = *Layout::of(op.getType());
  Value base = laneCoordinate(layout, 0);
  Registers &result = tiles[op.getResult()];
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    result.push_back(add32(base, constant32(layout.offset(r)[0])));
  return success();
}

//===----------------------------------------------------------------------===//
// Shaping
//===----------------------------------------------------------------------===//

/// The register of `vector` that has the element which register `r` of `tile`
/// needs; `axis` is the axis that the vector lacks.
static unsigned sourceRegister(const std::map<Coords, unsigned> &vector,
                               const Layout &tile, unsigned r, unsigned axis) {
  return vector.at(Coords{tile.offset(r)[1 - axis]});
}

LogicalResult Expander::expandBroadcast(BroadcastOp op) {
  Layout layout = *Layout::of(op.getType());
  std::optional<Layout> from = Layout::of(op.getInput().getType());
  if (!from || !(*from == layout.slice(op.getAxis())))
    return op.emitOpError("expected the input in the slice of the result's "
                          "layout");
  Type element = op.getType().getElementType();
  auto numbers = registersByOffset(*from);
  Registers input = registers(op.getInput());
  bool packed = isPacked(element);
  if (packed)
    input = unpackWords(input, element, from->numRegisters());
  Registers result;
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    result.push_back(input[sourceRegister(numbers, layout, r, op.getAxis())]);
  tiles[op.getResult()] = packed ? packElements(result, element) : result;
  return success();
}

//===----------------------------------------------------------------------===//
// Reducing
//===----------------------------------------------------------------------===//

Value ramify::combineTwo(OpBuilder &builder, Location loc, Combine kind,
                         Value a, Value b) {
  bool real = isa<FloatType>(a.getType());
  switch (kind) {
  case Combine::Sum:
    if (real)
      return builder.create<arith::AddFOp>(loc, a, b);
    return builder.create<arith::AddIOp>(loc, a, b);
  case Combine::Max:
    if (real)
      return builder.create<arith::MaximumFOp>(loc, a, b);
    return builder.create<arith::MaxSIOp>(loc, a, b);
  case Combine::Min:
    if (real)
      return builder.create<arith::MinimumFOp>(loc, a, b);
    return builder.create<arith::MinSIOp>(loc, a, b);
  }
  llvm_unreachable("no such combination");
}

/// Pairwise, so that the chain is short.
static Value combineAll(OpBuilder &builder, Location loc, Combine kind,
                        Registers values) {
  while (values.size() > 1) {
    Registers next;
    for (size_t i = 0; i + 1 < values.size(); i += 2)
      next.push_back(combineTwo(builder, loc, kind, values[i], values[i + 1]));
    if (values.size() % 2)
      next.push_back(values.back());
    values = next;
  }
  return values[0];
}

/// Over the lanes whose elements differ along `axis`; all of them get it.
Value Expander::combineLanes(Combine kind, const Layout &layout, unsigned axis,
                             Value value) {
  PTX ptx(builder, loc);
  for (auto [bit, basis] : llvm::enumerate(layout.laneBases()))
    if (basis[axis])
      value = combineTwo(builder, loc, kind, value,
                         ptx.shuffleXor(value, 1u << bit));
  return value;
}

/// What each warp has of a vector, in the order of warps. All lanes of a warp
/// write the same, and so do warps that hold the same elements.
Value Expander::combineWarps(Combine kind, const Layout &layout, Value value) {
  unsigned warps = layout.numWarps();
  if (warps == 1)
    return value;
  constexpr int64_t wordBytes = 4;
  Value area = exchangeArea(warps * wordBytes);
  meet();
  builder.create<LLVM::StoreOp>(loc, value, wordPlace(area, warpOf(layout)));
  meet();
  Registers parts;
  for (unsigned warp = 0; warp < warps; ++warp)
    parts.push_back(builder.create<LLVM::LoadOp>(
        loc, value.getType(), advance(area, warp * wordBytes)));
  return combineAll(builder, loc, kind, parts);
}

/// What each warp has of each element of a vector, where `from`, of which it is
/// a slice, deals the axis that was reduced to warps: in the order of warps, so
/// that all have the same sums.
Registers Expander::combineWarps(Combine kind, const Layout &from,
                                 const Layout &vector, Registers values) {
  constexpr int64_t wordBytes = 4;
  int64_t length = vector.shape()[0];
  unsigned warps = from.numWarps();
  Value area = exchangeArea(warps * length * wordBytes);
  Value own = wordPlace(area, builder.create<arith::MulIOp>(
                                  loc, warpOf(from), constant32(length)));
  SmallVector<Value> numbers = elementNumbers(vector);
  meet();
  for (auto [value, number] : llvm::zip_equal(values, numbers))
    builder.create<LLVM::StoreOp>(loc, value, wordPlace(own, number));
  meet();
  for (auto [value, number] : llvm::zip_equal(values, numbers)) {
    Registers parts;
    Value place = wordPlace(area, number);
    for (unsigned warp = 0; warp < warps; ++warp)
      parts.push_back(builder.create<LLVM::LoadOp>(
          loc, value.getType(), advance(place, warp * length * wordBytes)));
    value = combineAll(builder, loc, kind, parts);
  }
  return values;
}

/// A vector to a number that all threads have.
LogicalResult Expander::reduceToNumber(ReduceOp op) {
  Layout from = *Layout::of(op.getInput().getType());
  const Registers &input = registers(op.getInput());
  Registers parts;
  for (auto [offset, number] : registersByOffset(from))
    parts.push_back(input[number]);
  Value value = combineAll(builder, loc, op.getCombine(), parts);
  value = combineLanes(op.getCombine(), from, 0, value);
  tiles[op.getResult()] = {combineWarps(op.getCombine(), from, value)};
  return success();
}

LogicalResult Expander::expandExtract(tensor::ExtractOp op) {
  if (op.getTensor().getType().getRank())
    return op.emitOpError("has no lowering to the GPU for ")
           << op.getTensor().getType();
  scalars.map(op.getResult(), registers(op.getTensor())[0]);
  return success();
}

LogicalResult Expander::expandReduce(ReduceOp op) {
  Type element = op.getType().getElementType();
  if (!element.isF32() && !element.isInteger(32))
    return op.emitOpError("expected f32 or i32, found ") << element;
  if (!op.getType().getRank())
    return reduceToNumber(op);
  Layout from = *Layout::of(op.getInput().getType());
  std::optional<Layout> to = Layout::of(op.getType());
  unsigned axis = op.getAxis();
  if (!to || !(*to == from.slice(axis)))
    return op.emitOpError("expected a result in the slice of the input's "
                          "layout");
  auto numbers = registersByOffset(*to);
  SmallVector<Registers> parts(to->numRegisters());
  const Registers &input = registers(op.getInput());
  for (unsigned r = 0; r < from.numRegisters(); ++r)
    parts[sourceRegister(numbers, from, r, axis)].push_back(input[r]);

  Registers result;
  for (const Registers &part : parts)
    result.push_back(
        combineLanes(op.getCombine(), from, axis,
                     combineAll(builder, loc, op.getCombine(), part)));
  if (from.getWarps()[axis] > 1)
    result = combineWarps(op.getCombine(), from, *to, result);
  tiles[op.getResult()] = result;
  return success();
}

//===----------------------------------------------------------------------===//
// Moving
//===----------------------------------------------------------------------===//

/// Any lane of a warp that holds an element, and its register there.
static std::map<Coords, std::pair<unsigned, unsigned>>
holders(const Layout &layout) {
  std::map<Coords, std::pair<unsigned, unsigned>> places;
  for (unsigned l = 0; l < Layout::lanes; ++l)
    for (unsigned r = 0; r < layout.numRegisters(); ++r)
      places.try_emplace(layout.element(r, l, 0), std::make_pair(l, r));
  return places;
}

/// Each register of the result is put together from shuffles: for each register
/// that some lane needs, one shuffle, whose source lanes are looked up in a
/// table that the lane number selects from.
LogicalResult Expander::expandConvertLayout(ConvertLayoutOp op) {
  std::optional<Layout> from = Layout::of(op.getInput().getType());
  Layout to = *Layout::of(op.getType());
  Type element = op.getType().getElementType();
  if (!from || from->numWarps() > 1 || to.numWarps() > 1)
    return moveThroughShared(op);
  if (!element.isF32() && !element.isInteger(32))
    return op.emitOpError("expected f32 or i32, found ") << element;
  auto places = holders(*from);
  const Registers &input = registers(op.getInput());
  PTX ptx(builder, loc);
  Registers result;
  for (unsigned r = 0; r < to.numRegisters(); ++r) {
    std::map<unsigned, SmallVector<std::pair<unsigned, unsigned>>> wanted;
    for (unsigned l = 0; l < Layout::lanes; ++l) {
      auto [lane, number] = places.at(to.element(r, l, 0));
      wanted[number].push_back({l, lane});
    }
    Value value;
    for (auto &[number, lanes] : wanted) {
      Value source = constant32(0), needed;
      for (auto [l, sourceLane] : lanes) {
        Value here = builder.create<arith::CmpIOp>(
            loc, arith::CmpIPredicate::eq, lane(), constant32(l));
        source = builder.create<arith::SelectOp>(
            loc, here, constant32(sourceLane), source);
        needed =
            needed ? builder.create<arith::OrIOp>(loc, needed, here) : here;
      }
      Value moved = ptx.shuffleFrom(input[number], source);
      value = value ? builder.create<arith::SelectOp>(loc, needed, moved, value)
                    : moved;
    }
    result.push_back(value);
  }
  tiles[op.getResult()] = result;
  return success();
}

/// Each word is a matrix of 8 x 8, and its transpose takes the place across.
LogicalResult Expander::expandTranspose(TransposeOp op) {
  Layout from = *Layout::of(op.getInput().getType());
  Layout to = *Layout::of(op.getType());
  if (!isPacked(op.getType().getElementType()) || from.numWarps() > 1 ||
      to.numWarps() > 1)
    return op.emitOpError("expected 16-bit elements that each warp has all of");
  auto numbers = registersByOffset(from);
  Registers input = registers(op.getInput());
  PTX ptx(builder, loc);
  Registers result;
  for (unsigned r = 0; r < to.numRegisters(); r += 2) {
    Coords at = to.offset(r);
    Value word = input[numbers.at(Coords{at[1], at[0]}) / 2];
    result.push_back(ptx.transposeMatrix(word));
  }
  tiles[op.getResult()] = result;
  return success();
}
