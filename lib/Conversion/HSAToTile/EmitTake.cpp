// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitTake.cpp - Streams at slots ------------------------------------===//
//
// Picks of a walk bring along what streams are there (StreamReductions.h). At
// other slots, which are loaded or were made by another program, a stream is
// evaluated slot by slot, with one chunk for each row:
//
//     %t = hsa.take (dot %q, %l) at %slots
//
//     %t = scf.for %k = 0 to K iter_args(%t = -inf) {
//       %id = column %k of %slots                              M
//       %l = tile.gather %landmarks[b, %id, h] where %id >= 0  M x D
//       %s = tile.reduce sum %q * %l along 1                   M
//       %t with the column %k replaced by %s
//     }
//
//===----------------------------------------------------------------------===//

#include "StreamEmitter.h"
#include "StreamPasses.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using Predicate = arith::CmpIPredicate;

/// What an empty slot has, in a tile or vector of `type`.
static Value getNothing(TileBuilder &b, Type type) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(type));
  return isFloat ? b.negInf(type) : b.full(type, 0);
}

FailureOr<Value> StreamEmitter::emitOp(hsa::TakeOp op, StreamHead head) {
  if (!findTopK(op.getSlots()))
    return evaluateAtSlots(op, head);
  Value values = taken.at({op.getOperation(), head.key()});
  if (op.getSlots().getDefiningOp<hsa::TopKOp>())
    return values;
  // Some of the picks were dropped.
  Result slots = get(op.getSlots(), head);
  if (failed(slots))
    return failure();
  Value there =
      b.compare(Predicate::sge, *slots, b.full((*slots).getType(), 0));
  return b.choose(there, values, getNothing(b, values.getType()));
}

FailureOr<Value> StreamEmitter::evaluateAtSlots(hsa::TakeOp op,
                                                StreamHead head) {
  Result slots = get(op.getSlots(), head);
  if (failed(slots) || failed(prepare(op.getStream(), Axis::Chunk)))
    return failure();
  auto ids = cast<RankedTensorType>((*slots).getType());
  auto type = cast<RankedTensorType>(getTile(op.getType()));
  int64_t count = getSize(op.getType(), Axis::Slot);
  auto loop = b.create<scf::ForOp>(b.index(0), b.index(count), b.index(1),
                                   ValueRange{getNothing(b, type)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value here = b.repeat(b.compare(Predicate::eq, b.iota(ids.getDimSize(1)),
                                  b.toI32(loop.getInductionVar())),
                        0, ids);
  ChunkTile own;
  own.isOfRows = true;
  own.ids =
      b.reduce(tile::Combine::Max, b.choose(here, *slots, b.full(ids, -1)), 1);
  own.live = b.both(b.compare(Predicate::sge, own.ids, b.i32(0)),
                    b.compare(Predicate::slt, own.ids, size.chunks));
  ChunkTile *outer = std::exchange(tile, &own);
  enter();
  Result value = get(op.getStream(), head);
  leave();
  tile = outer;
  if (failed(value))
    return failure();
  // A stream may be the same for all chunks.
  auto column = RankedTensorType::get({shape.rows}, type.getElementType());
  Value there =
      b.choose(own.live, b.repeat(*value, 0, column), getNothing(b, column));
  b.create<scf::YieldOp>(
      b.choose(here, b.repeat(there, 1, type), loop.getRegionIterArg(0)));
  return loop.getResult(0);
}
