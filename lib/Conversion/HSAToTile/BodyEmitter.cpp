// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- BodyEmitter.cpp - Dispatch, elementwise operations, broadcasts -----===//

#include "BodyEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>
#include <numbers>

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// The table of operations
//===----------------------------------------------------------------------===//

LogicalResult BodyEmitter::emit(Operation *op) {
  b.setLoc(op->getLoc());
  for (Type type : op->getResultTypes())
    if (!shape.getTile(type))
      return op->emitOpError()
             << "makes " << type
             << ", which has too many axes for a tile: one "
                "of key and dim may stand beside pos and head";
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case<hsa::LoadOp, hsa::ChunkOp, hsa::AtOp, hsa::QueryPositionsOp,
            hsa::BlockPositionOp, hsa::KeyPositionsOp, hsa::ChunkIndexOp,
            hsa::ChunkEndOp, hsa::BroadcastOp, hsa::IdentityOp, hsa::DotOp,
            hsa::FoldOp, hsa::SoftmaxOp, hsa::OnlineSoftmaxOp, hsa::PushOp,
            hsa::ValueOp, hsa::LseOp, hsa::AddOp, hsa::DetachOp, hsa::MaskOp,
            hsa::SameOp>([&](auto typed) { return emitOp(typed); })
      .Case<hsa::SelectedOp, hsa::WindowOp, hsa::OwnOp, hsa::FirstOp,
            hsa::EveryOp, hsa::ZerosOp>([](auto) { return success(); })
      .Case([&](arith::ConstantOp constant) { return emitConstant(constant); })
      .Case([&](math::ExpOp exp) { return emitExp(exp); })
      .Case([&](math::AbsIOp abs) { return emitAbs(abs); })
      .Case([&](arith::FloorDivSIOp div) { return emitFloorDiv(div); })
      .Default([&](Operation *other) { return emitElementwise(other); });
}

unsigned BodyEmitter::countParts(Type type, ValueRange operands) const {
  int64_t keys = getSize(type, Axis::Key);
  if (keys)
    return isGathered() ? chunk->keys.size() : shape.getTilesAtOnce(keys);
  size_t count = 1;
  for (Value operand : operands)
    count = std::max(count, values.lookup(operand).size());
  return count;
}

//===----------------------------------------------------------------------===//
// Elementwise operations
//===----------------------------------------------------------------------===//

LogicalResult BodyEmitter::emitElementwise(Operation *op) {
  if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
    return op->emitOpError("is not an operation that a schedule can lower");
  Tiles tiles;
  unsigned count = countParts(op->getResult(0).getType(), op->getOperands());
  for (unsigned part = 0; part < count; ++part) {
    Tiles own;
    for (Value operand : op->getOperands())
      own.push_back(takePart(getTiles(operand), part));
    tiles.push_back(emitCopy(op, own));
  }
  set(op->getResult(0), tiles);
  return success();
}

/// The same operation on tiles. Where an operand is a number of each row, so is
/// the result, or it is repeated to the result's shape.
Value BodyEmitter::emitCopy(Operation *op, Tiles operands) {
  Type type = shape.getTile(op->getResult(0).getType());
  auto isTile = [](Value value) {
    return isa<RankedTensorType>(value.getType());
  };
  auto tile = dyn_cast<RankedTensorType>(type);
  for (auto [operand, given] : llvm::zip(operands, op->getOperands())) {
    if (!isTile(operand) || isa<RankedTensorType>(given.getType()))
      continue;
    if (tile)
      operand = b.repeat(operand, 1, tile);
    else
      type = RankedTensorType::get({shape.rows}, type);
    if (!tile)
      break;
  }
  if (!tile && isa<RankedTensorType>(type))
    for (Value &operand : operands)
      operand = b.splat(operand, {shape.rows});
  Operation *copy = b.clone(*op);
  copy->setOperands(operands);
  copy->getResult(0).setType(type);
  return copy->getResult(0);
}

LogicalResult BodyEmitter::emitConstant(arith::ConstantOp op) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements) {
    set(op, {b.clone(*op)->getResult(0)});
    return success();
  }
  if (!elements.isSplat())
    return op.emitOpError("is not the same everywhere");
  auto type = cast<RankedTensorType>(shape.getTile(op.getType()));
  Value tile = b.create<arith::ConstantOp>(
      DenseElementsAttr::get(type, elements.getSplatValue<Attribute>()));
  set(op, Tiles(countParts(op.getType()), tile));
  return success();
}

LogicalResult BodyEmitter::emitExp(Operation *op) {
  Tiles tiles;
  for (Value x : emitScaled(op->getOperand(0)))
    tiles.push_back(b.exp2(x));
  set(op->getResult(0), tiles);
  return success();
}

LogicalResult BodyEmitter::emitAbs(Operation *op) {
  Tiles tiles;
  for (Value x : getTiles(op->getOperand(0)))
    tiles.push_back(b.max(x, b.sub(b.full(x.getType(), 0), x)));
  set(op->getResult(0), tiles);
  return success();
}

/// The quotient towards zero, less one where there is a remainder and the signs
/// differ.
Value ramify::emitFloorDiv(TileBuilder &b, Value x, Value y) {
  Value zero = b.full(x.getType(), 0), one = b.full(x.getType(), 1);
  Value quotient = b.create<arith::DivSIOp>(x, y);
  Value rest = b.sub(x, b.mul(quotient, y));
  Value signs = b.create<arith::XOrIOp>(x, y);
  Value below = b.both(b.compare(arith::CmpIPredicate::ne, rest, zero),
                       b.compare(arith::CmpIPredicate::slt, signs, zero));
  return b.choose(below, b.sub(quotient, one), quotient);
}

LogicalResult BodyEmitter::emitFloorDiv(Operation *op) {
  Tiles dividends = getTiles(op->getOperand(0));
  Tiles divisors = getTiles(op->getOperand(1)), tiles;
  size_t count = std::max(dividends.size(), divisors.size());
  for (size_t part = 0; part < count; ++part) {
    Value x = takePart(dividends, part), y = takePart(divisors, part);
    // One of them may be a number of each query block, in rows.
    if (x.getType() != y.getType())
      x = b.splat(x, {shape.rows}), y = b.splat(y, {shape.rows});
    tiles.push_back(ramify::emitFloorDiv(b, x, y));
  }
  set(op->getResult(0), tiles);
  return success();
}

//===----------------------------------------------------------------------===//
// Multiplication by log2(e)
//===----------------------------------------------------------------------===//

/// Whether the factor costs nothing where `value` is computed: in a constant,
/// in something small that is repeated, or in a multiplication by such.
bool BodyEmitter::isScaledForFree(Value value) const {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  return TypeSwitch<Operation *, bool>(op)
      .Case([](arith::ConstantOp) { return true; })
      .Case([](hsa::BroadcastOp broadcast) {
        return hsa::getSizedAxes(broadcast.getInput().getType()).size() <
               hsa::getSizedAxes(broadcast.getType()).size();
      })
      .Case([&](arith::MulFOp mul) {
        return isScaledForFree(mul.getLhs()) || isScaledForFree(mul.getRhs());
      })
      .Case<arith::AddFOp, arith::SubFOp>([&](auto sum) {
        return isScaledForFree(sum.getLhs()) && isScaledForFree(sum.getRhs());
      })
      .Case([&](arith::SelectOp select) {
        return isScaledForFree(select.getTrueValue()) &&
               isScaledForFree(select.getFalseValue());
      })
      .Default([](Operation *) { return false; });
}

Tiles BodyEmitter::emitScaled(Value value) {
  constexpr double log2e = std::numbers::log2e;
  Operation *op = value.getDefiningOp();
  Tiles tiles;
  if (!isScaledForFree(value)) {
    for (Value tile : getTiles(value))
      tiles.push_back(b.mulf(tile, b.full(tile.getType(), log2e)));
    return tiles;
  }
  APFloat number = APFloat(0.0f);
  if (matchPattern(value, m_ConstantFloat(&number))) {
    for (Value tile : getTiles(value))
      tiles.push_back(b.full(tile.getType(), number.convertToFloat() * log2e));
    return tiles;
  }
  if (auto broadcast = dyn_cast<hsa::BroadcastOp>(op)) {
    Value input = broadcast.getInput();
    Tiles inner = emitScaled(input);
    unsigned count = countParts(broadcast.getType(), input);
    for (unsigned part = 0; part < count; ++part)
      tiles.push_back(emitBroadcast(takePart(inner, part), input.getType(),
                                    broadcast.getType()));
    return tiles;
  }
  // A product takes the factor on one side; a sum and a choice on both.
  SmallVector<Tiles, 3> operands;
  bool product = isa<arith::MulFOp>(op);
  bool taken = false;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    bool scale = product ? !taken && isScaledForFree(operand)
                         : !(isa<arith::SelectOp>(op) && index == 0);
    operands.push_back(scale ? emitScaled(operand) : getTiles(operand));
    taken |= scale;
  }
  unsigned count = countParts(value.getType(), op->getOperands());
  for (unsigned part = 0; part < count; ++part) {
    Tiles own;
    for (Tiles &parts : operands)
      own.push_back(takePart(parts, part));
    tiles.push_back(emitCopy(op, own));
  }
  return tiles;
}

//===----------------------------------------------------------------------===//
// Broadcasts and identities
//===----------------------------------------------------------------------===//

/// Which of rows (0), key (1) and dim (2) a type has, in order.
static SmallVector<int, 3> getFootprint(Type type) {
  SmallVector<int, 3> footprint;
  if (hasRows(type))
    footprint.push_back(0);
  if (hasAxis(type, Axis::Key))
    footprint.push_back(1);
  if (hasAxis(type, Axis::Dim))
    footprint.push_back(2);
  return footprint;
}

Value BodyEmitter::emitBroadcast(Value tile, Type from, Type to) {
  auto type = cast<RankedTensorType>(shape.getTile(to));
  SmallVector<int, 3> narrow = getFootprint(from), wide = getFootprint(to);
  if (narrow.empty() && isa<RankedTensorType>(tile.getType()))
    return b.repeat(tile, 1, type);
  if (narrow.empty())
    return b.splat(tile, type.getShape());
  if (narrow.size() == wide.size())
    return tile;
  return b.repeat(tile, narrow[0] == wide[0] ? 1 : 0, type);
}

LogicalResult BodyEmitter::emitOp(hsa::BroadcastOp op) {
  Tiles inner = getTiles(op.getInput()), tiles;
  if (!isa<RankedTensorType>(op.getInput().getType()) &&
      isa<RankedTensorType>(inner[0].getType()) && !hasRows(op.getType()))
    return op.emitOpError("repeats a number of each query block to ")
           << op.getType()
           << ", which has no pos or head axis; this schedule has several "
              "query blocks in a tile";
  unsigned count = countParts(op.getType(), op.getInput());
  for (unsigned part = 0; part < count; ++part)
    tiles.push_back(emitBroadcast(takePart(inner, part),
                                  op.getInput().getType(), op.getType()));
  set(op, tiles);
  return success();
}

double ramify::getNeutral(hsa::Monoid monoid) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  switch (monoid) {
  case hsa::Monoid::Max:
    return -inf;
  case hsa::Monoid::Min:
    return inf;
  default:
    return 0;
  }
}

tile::Combine ramify::getCombine(hsa::Monoid monoid) {
  switch (monoid) {
  case hsa::Monoid::Max:
    return tile::Combine::Max;
  case hsa::Monoid::Min:
    return tile::Combine::Min;
  default:
    return tile::Combine::Sum;
  }
}

Value ramify::emitCombine(TileBuilder &b, hsa::Monoid monoid, Value lhs,
                          Value rhs) {
  switch (monoid) {
  case hsa::Monoid::Max:
    return b.create<arith::MaximumFOp>(lhs, rhs);
  case hsa::Monoid::Min:
    return b.create<arith::MinimumFOp>(lhs, rhs);
  default:
    return b.addf(lhs, rhs);
  }
}

LogicalResult BodyEmitter::emitOp(hsa::IdentityOp op) {
  set(op, {b.full(shape.getTile(op.getType()), getNeutral(op.getMonoid()))});
  return success();
}

//===----------------------------------------------------------------------===//
// Valid keys
//===----------------------------------------------------------------------===//

bool ramify::isFiniteWithoutKeys(Value value, bool unseen) {
  auto isFinite = [&](Value operand) {
    return isFiniteWithoutKeys(operand, unseen);
  };
  Operation *op = value.getDefiningOp();
  if (!op || !isa<hsa::ReduceOp>(op->getParentOp()))
    return true;
  return TypeSwitch<Operation *, bool>(op)
      .Case([](arith::ConstantOp constant) {
        APFloat number(0.0f);
        return !matchPattern(constant.getResult(), m_ConstantFloat(&number)) ||
               number.isFinite();
      })
      .Case<arith::SIToFPOp, hsa::AtOp>([](Operation *) { return true; })
      .Case([&](hsa::MaskOp mask) {
        Type type = mask.getType();
        return hasRows(type) || hasAxis(type, Axis::Key) ||
               isFinite(mask.getInput());
      })
      // Keys and values read as zero; arrays may be read where a chunk is not
      // visited by some rows.
      .Case([&](hsa::ChunkOp chunk) {
        return !unseen && isa<hsa::ChunksType>(chunk.getSource().getType());
      })
      .Case(
          [&](hsa::SoftmaxOp softmax) { return isFinite(softmax.getInput()); })
      .Case([&](hsa::FoldOp fold) {
        return fold.getMonoid() == hsa::Monoid::Sum &&
               isFinite(fold.getInput());
      })
      .Case<hsa::BroadcastOp, hsa::DotOp, hsa::DetachOp, arith::ExtFOp,
            arith::TruncFOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
            arith::NegFOp>([&](Operation *sum) {
        return llvm::all_of(sum->getOperands(), isFinite);
      })
      .Case([&](arith::SelectOp select) {
        return isFinite(select.getTrueValue()) &&
               isFinite(select.getFalseValue());
      })
      .Default([](Operation *) { return false; });
}

bool BodyEmitter::isZeroAtInvalidKeys(Value value) const {
  Operation *op = value.getDefiningOp();
  if (auto softmax = dyn_cast_or_null<hsa::SoftmaxOp>(op))
    return softmax.getOver() == Axis::Key;
  if (isa_and_nonnull<hsa::MaskOp>(op))
    return true;
  if (isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(op))
    return isZeroAtInvalidKeys(op->getOperand(0));
  if (isa_and_nonnull<arith::MulFOp>(op)) {
    Value lhs = op->getOperand(0), rhs = op->getOperand(1);
    bool unseen = chunk && chunk->hasUnseen;
    return (isZeroAtInvalidKeys(lhs) && isFiniteWithoutKeys(rhs, unseen)) ||
           (isZeroAtInvalidKeys(rhs) && isFiniteWithoutKeys(lhs, unseen));
  }
  if (auto select = dyn_cast_or_null<arith::SelectOp>(op))
    return isZeroAtInvalidKeys(select.getTrueValue()) &&
           isZeroAtInvalidKeys(select.getFalseValue());
  return matchPattern(value, m_AnyZeroFloat());
}

FailureOr<Tiles> BodyEmitter::maskKeys(Operation *op, Tiles tiles, Type named,
                                       double neutral) {
  bool failed = false;
  if (tiles.size() == 1) // the same for all chunks, which differ in their keys
    tiles.resize(countParts(named), tiles[0]);
  int64_t others = hasRows(named) ? 0 : 1; // the axis beside that of the keys
  auto choose = [&](TileBuilder &inner) {
    Tiles masked;
    for (auto [part, tile] : llvm::enumerate(tiles)) {
      auto type = cast<RankedTensorType>(tile.getType());
      Value valid = chunk->valid(inner, chunk->keys[part], chunk->live[part]);
      bool byRow = cast<RankedTensorType>(valid.getType()).getRank() == 2;
      failed |= byRow && !hasRows(named);
      if (failed)
        return tiles;
      masked.push_back(inner.choose(inner.repeat(valid, others, type), tile,
                                    inner.full(type, neutral)));
    }
    return masked;
  };
  Tiles result;
  if (!chunk->partial) {
    result = choose(b);
  } else {
    auto build = [&](bool masked) {
      return [&, masked](OpBuilder &inner, Location loc) {
        TileBuilder nested(loc, inner);
        inner.create<scf::YieldOp>(loc, masked ? choose(nested) : tiles);
      };
    };
    auto branch =
        b.create<scf::IfOp>(chunk->partial, build(true), build(false));
    llvm::append_range(result, branch.getResults());
  }
  if (failed)
    return op->emitOpError("reduces keys that are not valid for every position "
                           "of the query block alike, of a value without a "
                           "pos axis");
  return result;
}

Value BodyEmitter::maskDead(Value value, Value tile, unsigned part) {
  if (isFiniteWithoutKeys(value))
    return tile;
  Type type = tile.getType();
  return b.choose(b.repeat(chunk->live[part], 1, type), tile, b.full(type, 0));
}
