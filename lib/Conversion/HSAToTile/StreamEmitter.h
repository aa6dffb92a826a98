// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamEmitter.h - Streams over chunks on tiles -----------*- C++ -*-===//
//
// Emits the operations of a program whose query blocks walk over chunks. The
// rows of a tile are M consecutive query blocks of one position each, its
// columns are chunks, slots or a dim axis. A value with a head axis is a tile
// for each head of the program, made when somebody asks for that head:
//
//     tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>>  ->  16 x tensor<MxCxf32>
//     tensor<1x8xi32, #hsa.axes<pos, slot>>            ->  tensor<Mx8xi32>
//     tensor<?x64xbf16, #hsa.axes<chunk, dim>>         ->  tensor<Cx64xbf16>
//
// Values are made on demand, where they are first wanted: a stream in the loop
// over tiles of chunks, as often as a loop wants it, so nothing of the length
// of the stream is stored. `Frame`s remember what was made in the loop that is
// being written and in those around it.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMEMITTER_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMEMITTER_H

#include "BodyEmitter.h"
#include "StreamShape.h"

#include <map>

namespace ramify {

/// One head of a program's: a number that is known, or the counter of a loop.
struct StreamHead {
  int64_t number = 0;
  mlir::Value counter = nullptr; ///< index; null where the number is known

  int64_t key() const { return counter ? -1 : number; }
};

/// The chunks that a loop is at: the columns of a tile, or one for each row.
struct ChunkTile {
  mlir::Value ids;       ///< i32 vector
  mlir::Value live;      ///< which of them exist
  bool isOfRows = false; ///< a chunk for each row: the axis chunk is no column
};

/// What a softmax over chunks takes out of its exponents, to base 2, and
/// multiplies with.
struct SoftmaxStatistics {
  mlir::Value reference, inverse;
};

class StreamEmitter {
public:
  StreamEmitter(BodyEmitter &body, const StreamShape &shape)
      : b(body.b), body(body), shape(shape), frames(1) {}

  /// The tile of `value` for `head`.
  mlir::FailureOr<mlir::Value> get(mlir::Value value, StreamHead head);
  /// Whether all reductions of streams that `value` is made of are known.
  bool isKnown(mlir::Value value, StreamHead head) const;
  /// Says what a value is that was made elsewhere.
  void set(mlir::Value value, StreamHead head, mlir::Value tile);

  /// The scalar or tile that stands for one head of a value of `type`; null if
  /// it has too many axes.
  mlir::Type getTile(mlir::Type type) const;

  /// Makes what `value` needs from outside of the loop over chunks, or over
  /// heads, that will ask for it.
  mlir::LogicalResult prepare(mlir::Value value, hsa::Axis loop);

  /// The heads of which a value of `type` has a tile each.
  llvm::SmallVector<StreamHead> headsOf(mlir::Type type) const;

  /// Adds a value to sums over all query blocks: its part of the tile of chunks
  /// that a loop is at, or of the program.
  mlir::LogicalResult emitAdd(hsa::AddOp op);

  /// Forgets rows over dim that are not results of walks: they are read again
  /// rather than kept while a walk needs the registers.
  void forgetRows();
  /// The same of queries that are read for each head where they are used.
  void forgetRowsOfHeads();

  /// Repeats a tile of `from` into the shape of `to`.
  mlir::Value emitBroadcast(mlir::Value tile, mlir::Type from, mlir::Type to);

  /// `neutral` in the columns behind `count`.
  mlir::Value maskColumns(mlir::Value tile, int64_t count, double neutral);
  /// `neutral` where there is no chunk.
  mlir::Value maskChunks(mlir::Value tile, double neutral);

  /// The sum of the rows of a tile, or of the elements of a vector.
  mlir::Value sumDown(mlir::Value tile);

  void enter() { frames.emplace_back(); }
  void leave() { frames.pop_back(); }

  TileBuilder &b;
  BodyEmitter &body;
  const StreamShape &shape;
  ChunkTile *tile = nullptr;
  PartitionSize size;    ///< of the partition that is walked over
  int64_t chunkSize = 0; ///< keys of a chunk
  /// Of each softmax over chunks and head.
  std::map<std::pair<mlir::Operation *, int64_t>, SoftmaxStatistics> statistics;
  /// What came with the picks for each take and head, without regard to slots
  /// that were dropped since.
  std::map<std::pair<mlir::Operation *, int64_t>, mlir::Value> taken;

private:
  using Result = mlir::FailureOr<mlir::Value>;
  using Key = std::pair<mlir::Value, int64_t>;
  using Frame = llvm::DenseMap<Key, mlir::Value>;

  // StreamEmitter.cpp
  Result emit(mlir::Operation *op, StreamHead head);
  Result emitElementwise(mlir::Operation *op, StreamHead head);
  Result emitOp(hsa::BroadcastOp op, StreamHead head);
  Result emitOp(hsa::SameOp op, StreamHead head);
  mlir::Value headIndex(StreamHead head);
  // Where values are made of one another in several ways, each is looked at
  // once.
  bool isKnown(mlir::Value value, StreamHead head,
               llvm::DenseSet<Key> &known) const;
  mlir::LogicalResult prepare(mlir::Value value, hsa::Axis loop,
                              llvm::DenseSet<mlir::Value> &seen);
  llvm::SmallVector<int, 2> getFootprint(mlir::Type type) const;

  // EmitStream.cpp
  Result emitOp(hsa::LoadOp op, StreamHead head);
  Result emitSelection(hsa::LoadOp op, StreamHead head);
  Result emitOp(hsa::StreamOp op, StreamHead head);
  /// A part of a query's or a landmark's dim axis: which array, which indices.
  struct Access {
    mlir::Value array;
    llvm::SmallVector<mlir::Value> indices;
    mlir::Value mask;
  };
  Access getAccess(hsa::LoadOp op, StreamHead head);
  Access getAccess(hsa::StreamOp op, StreamHead head);
  mlir::Value gatherPart(const Access &access, mlir::Value number,
                         int64_t rows);
  Result emitOp(hsa::ChunkInfoOp op);
  Result emitArray(mlir::Operation *op, mlir::Value source, StreamHead head);
  Result emitOp(hsa::DotOp op, StreamHead head);
  Result emitDot(hsa::DotOp op, StreamHead head, mlir::Value start);
  Result emitOp(hsa::FoldOp op, StreamHead head);
  using NextHead = llvm::function_ref<Result(StreamHead, mlir::Value before)>;
  Result forEachHead(mlir::ValueRange inputs, mlir::Value start, NextHead next);
  Result foldHeads(hsa::Monoid monoid, mlir::Value input);
  Result combineHead(hsa::Monoid monoid, mlir::Value input, StreamHead head,
                     mlir::Value before);
  bool isOfAnyHead(mlir::Value value) const;
  bool isMatrixProduct(hsa::DotOp op) const;
  Result emitDotInParts(hsa::DotOp op, StreamHead head, mlir::Value start);
  mlir::Value maskDim(mlir::Value value, mlir::Value tile, double neutral);
  mlir::Value getLandmarkRow(hsa::Heads heads, StreamHead head);

  // EmitStreamSums.cpp
  mlir::Value sumRows(mlir::Value tile);
  Result foldSeveral(hsa::FoldOp op, StreamHead head);
  Result emitProductOfRows(hsa::DotOp op, StreamHead head);
  Result addProductOfRows(hsa::DotOp op, StreamHead head, mlir::Value before);
  Result addSumOfProducts(hsa::DotOp op, StreamHead head, mlir::Value before);
  tile::Order getOrder(mlir::Type role) const;
  mlir::LogicalResult addTile(hsa::AddOp op, mlir::Value tile, StreamHead head,
                              bool hasRows, bool hasChunks);

  // EmitSlots.cpp
  Result emitOp(hsa::SoftmaxOp op, StreamHead head);
  Result emitOp(hsa::LogSumExpOp op, StreamHead head);
  Result emitOp(hsa::ScanOp op, StreamHead head);
  Result emitOp(hsa::PutOp op, StreamHead head);

  // EmitTake.cpp
  Result emitOp(hsa::TakeOp op, StreamHead head);
  Result evaluateAtSlots(hsa::TakeOp op, StreamHead head);

  llvm::SmallVector<Frame> frames;
};

/// Whether all that becomes of `value` is added to sums over all query blocks,
/// and nothing on the way has one of the axes `without`.
bool endsInStreamSums(mlir::Value value, llvm::ArrayRef<hsa::Axis> without);

/// Whether a value without a head axis is a sum over heads, so that the parts
/// of single heads add up to it.
bool isSumOfHeads(mlir::Value value);

/// Whether `value` comes straight from memory, streams too: it is zero where
/// there is no query or chunk.
bool isStreamRead(mlir::Value value);

/// The tile with elements of that type.
mlir::Value toElement(TileBuilder &b, mlir::Value tile, mlir::Type element);

/// The axis that an operation goes over; pos, which no stream is reduced over,
/// where it goes over several.
inline hsa::Axis getOneAxis(hsa::AxesAttr over) {
  return over.getAxes().size() == 1 ? over.getAxes()[0] : hsa::Axis::Pos;
}

/// How many dimensions the tile of a value has.
size_t getFootprintSize(mlir::Type type);

/// log2(e) * x, and ln(2) * x.
mlir::Value toBase2(TileBuilder &b, mlir::Value x);
mlir::Value fromBase2(TileBuilder &b, mlir::Value x);

/// Of the maximum to base 2 and the sum of 2^(x - maximum), both for each row.
SoftmaxStatistics getStatistics(TileBuilder &b, mlir::Value maximum,
                                mlir::Value sum, double n);
mlir::Value getLogSumExp(TileBuilder &b, mlir::Value maximum, mlir::Value sum);

/// `x`, or 0 where it is -inf: what can be taken out of exponents.
mlir::Value finiteOrZero(TileBuilder &b, mlir::Value x);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMEMITTER_H
