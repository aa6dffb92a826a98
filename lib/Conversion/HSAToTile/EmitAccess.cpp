// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitAccess.cpp - Reading parameters, positions ---------------------===//

#include "BodyEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// Queries, chunks, weights
//===----------------------------------------------------------------------===//

LogicalResult BodyEmitter::emitOp(hsa::LoadOp op) {
  if (isa<hsa::WeightsType, hsa::IndicesType>(op.getSource().getType()))
    return op.emitOpError("of a whole selection row has no lowering here");
  if (isa<hsa::ArrayType>(op.getSource().getType())) {
    FailureOr<Value> value = emitArray(op, op.getSource(), /*part=*/0);
    if (failed(value))
      return failure();
    set(op, {*value});
    return success();
  }
  set(op,
      {b.create<tile::GatherOp>(
          shape.getTile(op.getType()), get(op.getSource()),
          ValueRange{rows.batch, getRow(op.getSource().getType()), rows.head},
          rows.inside)});
  return success();
}

/// The row of a query, or of an array with the axis pos, in memory: that of the
/// position or of its block.
Value BodyEmitter::getRow(Type role) {
  return !shape.hasOnePosition() && program.isOfBlocks(role) ? rows.block
                                                             : rows.query;
}

/// The head of a parameter in memory; a vector where each row has its own.
Value BodyEmitter::getHead(hsa::Heads heads) const {
  return heads == hsa::Heads::One     ? b.index(0)
         : heads == hsa::Heads::Query ? rows.head
                                      : rows.keyHead;
}

/// One row for each visited chunk, or one for each row's head.
void BodyEmitter::emitLandmark(hsa::ChunkOp op, hsa::LandmarksType role) {
  auto type = cast<RankedTensorType>(shape.getTile(op.getType()));
  Value columns = b.iota(type.getShape().back()), mask;
  if (shape.isPadded(role.getDim()))
    mask = b.compare(arith::CmpIPredicate::slt, columns, b.i32(role.getDim()));
  Tiles tiles;
  for (Value number : chunk->numbers) {
    SmallVector<Value> indices = {rows.batch, b.toIndex(number),
                                  getHead(role.getHeads())};
    if (type.getRank() == 2) {
      tiles.push_back(b.create<tile::GatherOp>(type, get(op.getSource()),
                                               indices, rows.inside));
      continue;
    }
    indices.push_back(columns);
    tiles.push_back(
        b.create<tile::LookupOp>(type, get(op.getSource()), indices, mask));
  }
  set(op, tiles);
}

/// Whether all that becomes of the rows of a chunk are scores which are masked
/// themselves, as a softmax does it. Else the rows are zero where a key is not
/// valid: factors of 0 do not take infinity away.
static bool areOnlyScored(Value rows) {
  llvm::SetVector<Value> made;
  made.insert(rows);
  for (size_t next = 0; next < made.size(); ++next)
    for (OpOperand &use : made[next].getUses()) {
      Operation *user = use.getOwner();
      auto dot = dyn_cast<hsa::DotOp>(user);
      bool isScored = hasAxis(use.get().getType(), Axis::Pos);
      if (isScored && isa<hsa::YieldOp, hsa::SoftmaxOp, hsa::MaskOp>(user))
        continue;
      bool isElementwise = OpTrait::hasElementwiseMappableTraits(user);
      if (!(dot ? !dot.getOver().contains(Axis::Key) : isElementwise))
        return false;
      made.insert(user->getResult(0));
    }
  return true;
}

LogicalResult BodyEmitter::emitOp(hsa::ChunkOp op) {
  if (auto role = dyn_cast<hsa::LandmarksType>(op.getSource().getType())) {
    emitLandmark(op, role);
    return success();
  }
  bool array = isa<hsa::ArrayType>(op.getSource().getType());
  // Gradients have no registers left for these masks where they are counted.
  bool isFull =
      shape.countsRegisters() &&
      llvm::any_of(program.getResultTypes(), llvm::IsaPred<hsa::SumsType>);
  bool isMasked = chunk->reached && !isFull && !areOnlyScored(op.getResult());
  Tiles tiles;
  unsigned count =
      isGathered() ? chunk->numbers.size() : countParts(op.getType());
  for (unsigned part = 0; part < count; ++part) {
    if (array) {
      FailureOr<Value> value = emitArray(op, op.getSource(), part);
      if (failed(value))
        return failure();
      tiles.push_back(*value);
      continue;
    }
    Value keys = chunk->keys[part], mask = chunk->live[part];
    if (isMasked)
      mask = chunk->reached(b, keys, mask);
    tiles.push_back(b.create<tile::GatherOp>(
        shape.getTile(op.getType()), get(op.getSource()),
        ValueRange{rows.batch, keys, rows.keyHead}, mask));
  }
  set(op, tiles);
  return success();
}

/// The weight of one slot; 0 where it is empty, whatever memory holds there.
Value BodyEmitter::emitWeight(hsa::AtOp op, unsigned part) {
  hsa::Heads heads =
      cast<hsa::WeightsType>(op.getSource().getType()).getHeads();
  Value weights = get(op.getSource()), slot = chunk->slots[part];
  Value present = chunk->getPresent(part), weight;
  Value head = heads == hsa::Heads::One     ? b.index(0)
               : heads == hsa::Heads::Query ? rows.firstHead
                                            : rows.keyHead;
  if (isa<RankedTensorType>(rows.block.getType())) {
    Type element = cast<MemRefType>(weights.getType()).getElementType();
    if (heads == hsa::Heads::Query)
      head = rows.head;
    return b.create<tile::LookupOp>(
        RankedTensorType::get({shape.rows}, element), weights,
        ValueRange{rows.batch, rows.block, head, slot}, rows.inside);
  }
  if (heads == hsa::Heads::Query && shape.heads > 1) {
    weight = b.create<tile::LookupOp>(
        shape.getTile(op.getType()), weights,
        ValueRange{rows.batch, rows.block, rows.head, slot}, rows.inside);
    if (!present)
      return weight;
    return b.choose(b.splat(present, {shape.rows}), weight,
                    b.full(weight.getType(), 0));
  }
  weight = b.create<memref::LoadOp>(
      weights, ValueRange{rows.batch, rows.block, head, slot});
  if (present)
    weight = b.choose(present, weight, b.full(weight.getType(), 0));
  return heads == hsa::Heads::Query ? b.splat(weight, {shape.rows}) : weight;
}

LogicalResult BodyEmitter::emitOp(hsa::AtOp op) {
  if (!isa<hsa::WeightsType>(op.getSource().getType()))
    return op.emitOpError("of a tensor has no lowering here");
  Tiles tiles;
  for (unsigned part = 0; part < chunk->slots.size(); ++part)
    tiles.push_back(emitWeight(op, part));
  set(op, tiles);
  return success();
}

//===----------------------------------------------------------------------===//
// Other arrays
//===----------------------------------------------------------------------===//

FailureOr<Value> BodyEmitter::emitArray(Operation *op, Value source,
                                        unsigned part) {
  auto type = cast<hsa::ArrayType>(source.getType());
  auto tileType =
      dyn_cast<RankedTensorType>(shape.getTile(op->getResult(0).getType()));
  SmallVector<Value> indices;
  if (type.getBatch())
    indices.push_back(rows.batch);
  Value mask;
  int64_t dim = 0;
  for (auto [axis, size] : hsa::getSizedAxes(type)) {
    if (dim)
      return op->emitOpError("reads an array whose dim axis is not the last");
    if (axis == Axis::Pos || axis == Axis::Head) {
      indices.push_back(axis == Axis::Pos ? getRow(type) : rows.head);
      mask = rows.inside;
    } else if (axis == Axis::Chunk) {
      indices.push_back(b.toIndex(chunk->numbers[part]));
    } else if (axis == Axis::Key) {
      indices.push_back(chunk->keys[part]);
      mask = chunk->live[part];
    } else {
      dim = size;
    }
  }
  Value memory = get(source);
  if (tileType && tileType.getRank() == 2) {
    if (!dim)
      return op->emitOpError("reads an array that has a key axis beside pos or "
                             "head");
    return b.create<tile::GatherOp>(tileType, memory, indices, mask)
        .getResult();
  }
  if (dim) {
    Value columns = b.iota(tileType.getDimSize(0));
    if (shape.isPadded(dim))
      mask = b.compare(arith::CmpIPredicate::slt, columns, b.i32(dim));
    indices.push_back(columns);
  }
  if (llvm::any_of(indices, [](Value index) {
        return isa<RankedTensorType>(index.getType());
      }))
    return b.create<tile::LookupOp>(tileType, memory, indices, mask)
        .getResult();
  Value scalar = b.create<memref::LoadOp>(memory, indices);
  return tileType ? b.splat(scalar, tileType.getShape()) : scalar;
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

LogicalResult BodyEmitter::emitOp(hsa::QueryPositionsOp op) {
  set(op, {b.splat(rows.time, {shape.rows})});
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::BlockPositionOp op) {
  set(op, {rows.blockTime});
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::KeyPositionsOp op) {
  set(op, chunk->keys);
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::ChunkEndOp op) {
  set(op, {chunk->end});
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::ChunkIndexOp op) {
  set(op, chunk->numbers);
  return success();
}
