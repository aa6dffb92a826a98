// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitUnseen.cpp - Keys that were read, and some rows do not see -----===//
//
// A program that owns a chunk reads it before it knows its queries, and then
// multiplies it with rows of which some do not see all of its keys. There the
// left side of a product over keys is zero, which is enough unless the key
// holds infinity or NaN. Tiles of rows that see all keys cost nothing, and
// others a look at the chunk:
//
//     %broken = scf.if %partial { some element times 0 is NaN } else { false }
//     %product = scf.if %broken { key by key, to the rows that see it }
//                else { tile.dot }
//
//===----------------------------------------------------------------------===//

#include "BodyEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace ramify;

/// `tile` in f32.
static Value widen(TileBuilder &b, Value tile) {
  Type wide = withElement(tile.getType(), b.getF32Type());
  return tile.getType() == wide ? tile : b.create<arith::ExtFOp>(wide, tile);
}

/// Whether a tile holds infinity or NaN, which times zero is NaN.
static Value isBroken(TileBuilder &b, Value tile) {
  tile = widen(b, tile);
  Value zeros = b.mulf(tile, b.full(tile.getType(), 0));
  Value sum = b.reduce(tile::Combine::Sum, zeros, 1);
  sum = b.reduce(tile::Combine::Sum, sum, 0);
  sum = b.create<tensor::ExtractOp>(sum, ValueRange());
  return b.create<arith::CmpFOp>(arith::CmpFPredicate::UNO, sum, sum);
}

/// What `yes` or `no` makes, of the type `type`.
static Value branch(TileBuilder &b, Type type, Value condition,
                    llvm::function_ref<Value()> yes,
                    llvm::function_ref<Value()> no) {
  auto choice = b.create<scf::IfOp>(type, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  b.create<scf::YieldOp>(yes());
  b.setInsertionPointToStart(choice.elseBlock());
  b.create<scf::YieldOp>(no());
  return choice.getResult(0);
}

/// The tiles of `value`, of which `op` adds rows, zero where a row does not see
/// a key.
FailureOr<Tiles> BodyEmitter::maskUnseen(Operation *op, Value value) {
  Type type = value.getType();
  if (!chunk || !chunk->hasUnseen || !hasAxis(type, hsa::Axis::Key) ||
      !hasRows(type) || isZeroAtInvalidKeys(value))
    return getTiles(value);
  return maskKeys(op, getTiles(value), type, 0);
}

/// start + lhs rhs, key by key: to each row what the keys give that it sees.
Value BodyEmitter::addSeenProducts(Value lhs, Value rhs, Value start,
                                   unsigned part) {
  lhs = widen(b, lhs), rhs = widen(b, rhs);
  Type type = start.getType(), left = lhs.getType();
  int64_t keys = cast<RankedTensorType>(rhs.getType()).getDimSize(0);
  Value seen = chunk->valid(b, chunk->keys[part], chunk->live[part]);
  seen = b.choose(b.repeat(seen, 0, left), b.full(left, 1), b.full(left, 0));
  auto loop = b.create<scf::ForOp>(b.index(0), b.index(keys), b.index(1),
                                   ValueRange{start});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value number = b.splat(b.toI32(loop.getInductionVar()), {keys});
  Value own = b.compare(arith::CmpIPredicate::eq, b.iota(keys), number);
  auto take = [&](Value tile, int64_t axis) {
    Type all = tile.getType();
    Value only = b.choose(b.repeat(own, 1 - axis, all), tile, b.full(all, 0));
    return b.reduce(tile::Combine::Sum, only, axis);
  };
  Value product =
      b.mulf(b.repeat(take(lhs, 1), 1, type), b.repeat(take(rhs, 0), 0, type));
  Value sees = b.invert(b.equals(take(seen, 1), 0));
  product = b.choose(b.repeat(sees, 1, type), product, b.full(type, 0));
  b.create<scf::YieldOp>(b.addf(loop.getRegionIterArg(0), product));
  return loop.getResult(0);
}

Value BodyEmitter::emitSeenProduct(Value lhs, Value rhs, Value start,
                                   unsigned part) {
  Value broken;
  if (chunk->partial)
    broken = branch(
        b, b.getI1Type(), chunk->partial, [&] { return isBroken(b, rhs); },
        [&]() -> Value { return b.create<arith::ConstantIntOp>(0, 1); });
  else
    broken = isBroken(b, rhs);
  return branch(
      b, start.getType(), broken,
      [&] { return addSeenProducts(lhs, rhs, start, part); },
      [&]() -> Value {
        return b.create<tile::DotOp>(start.getType(), lhs,
                                     /*transposed=*/false, rhs, start);
      });
}
