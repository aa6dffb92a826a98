// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- BodyEmitter.h - The body of a program on tiles -----------*- C++ -*-===//
//
// Emits the operations of an hsa program, one by one, as operations on tiles.
// What is shared by the schedules is here; a schedule says which rows a program
// of the grid holds (`Rows`) and which chunk it visits (`Chunk`).
//
// A value without a key axis is one tile. A value with one is a tile for each
// part of the chunk (`Tiles`), most often a single one; a reduction over keys
// combines the parts. Where a chunk is visited in passes (KeyPasses.h) the
// value is the one tile that the pass is at.
//
// In a tile of several query blocks a number of each block, a weight say, is a
// vector over rows although its type has no axes.
//
// Short chunks are gathered: several are visited at once, each a tile. Then a
// part is a chunk, a reduction over keys goes along each part by itself, and a
// value that depends on the chunk has a part for each, with a key axis or
// without:
//
//     %s = dot %q, %k over dim      s0, s1, s2, s3      a tile of scores each
//     %p = softmax %s over key      p0, p1, p2, p3      four softmaxes
//     %w = at %weights[%slot]       w0, w1, w2, w3      scalars
//     yield %w * dot %p, %v         acc + w0 p0 v0 + w1 p1 v1 + ...
//
// A slot without a chunk has no live keys there, weight 0, and what it yields
// counts for nothing.
//
// Exponentials are taken to base 2. `scaled` gives log2(e) * x and lets the
// factor disappear into a multiplication or constant of x where there is one,
// so that exp(scale * s) costs one multiplication.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_BODYEMITTER_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_BODYEMITTER_H

#include "Parameters.h"
#include "TileBuilder.h"
#include "TileShape.h"

#include "llvm/ADT/DenseMap.h"

namespace ramify {

/// One tile, or one for each part of a chunk. A softmax state is three: the
/// maximum (to base 2), the sum and the weighted values.
using Tiles = llvm::SmallVector<mlir::Value, 2>;

/// The query rows that a program of the grid holds.
struct Rows {
  mlir::Value batch;     ///< index
  mlir::Value block;     ///< the row of the selection tensors: an index, or an
                         ///< i32 vector in a tile of several query blocks
  mlir::Value firstHead; ///< index: the first query head
  mlir::Value keyHead;   ///< index: the key/value head
  mlir::Value query;     ///< place in the query array: an index that all rows
                         ///< share, or an i32 vector
  mlir::Value head;      ///< query head of each row, an i32 vector
  mlir::Value inside;    ///< which rows stand for a query; null if all do
  mlir::Value stored;    ///< which rows have results: also those of padding
  mlir::Value padding; ///< which rows `q_positions` leaves out: a vector, or an
                       ///< i1 for all rows; null if there cannot be any
  /// Where the queries stand among the keys: an i32 that all rows share or a
  /// vector, and its bounds over the program's rows. Null if nobody asks.
  mlir::Value time, firstTime, lastTime;
  /// Where the first query of the block stands, padding or not; an i32, or a
  /// vector in a tile of several query blocks. Null if nobody asks.
  mlir::Value blockTime;
  /// The number of the query that stands for each row's block where a value is
  /// one for the block, an i32 or a vector; null: the first. It is right where
  /// `mask` holds.
  std::function<mlir::Value(mlir::Value mask)> leader;
};

/// The visit of one chunk, or of one tile of it; or of several chunks, each of
/// which is a tile.
struct Chunk {
  Tiles slots;   ///< index, of each chunk, or an i32 vector in a tile of
                 ///< several query blocks; none in a domain without slots
  Tiles numbers; ///< i32: the number of each chunk in the partition
  Tiles present; ///< i1: whether each is a chunk at all; none or null: it is
  mlir::Value first; ///< i32: the first key of the first chunk
  mlir::Value end;   ///< i32: behind its last key
  Tiles keys;        ///< the positions of each tile's keys
  Tiles live;        ///< which of them are keys of the chunk
  /// Whether some key is not valid for some row; null if each tile has keys
  /// that are none (masks are then always needed).
  mlir::Value partial;
  /// The valid keys of a tile, of its `keys` and `live`: a vector over keys, or
  /// a tile of rows by keys.
  std::function<mlir::Value(TileBuilder &, mlir::Value, mlir::Value)> valid;
  /// As `valid`, but a vector over keys: those that are valid for some row.
  /// Null if all that are live are.
  std::function<mlir::Value(TileBuilder &, mlir::Value, mlir::Value)> reached;
  /// What was read of keys that are not valid for a row may be infinite or NaN
  /// there: it is masked, never multiplied by zero.
  bool hasUnseen = false;
  /// Which rows have a chunk of these in their domain; null if all have.
  std::function<mlir::Value(TileBuilder &, unsigned)> visited;

  bool isGathered() const { return numbers.size() > 1; }
  mlir::Value getPresent(unsigned part) const {
    return present.empty() ? mlir::Value() : present[part];
  }
};

/// Where a program adds to the sums of the chunk that it visits.
struct ChunkPlace {
  mlir::Value batch;  ///< index
  mlir::Value number; ///< i32: of the chunk
  Tiles keys;         ///< the positions of each tile's keys
};

/// Arrays to which a program adds instead where it has a later part of the
/// chunk's entries (ItemParts.h).
struct ChunkParts {
  llvm::DenseMap<mlir::Value, mlir::Value> arrays; ///< of sums in memory
  mlir::Value isPart;   ///< i1: the program has a later part
  mlir::Value sequence; ///< index: that of the launch
  mlir::Value number;   ///< i32: of the part
  mlir::Value key;      ///< i32: from a key's position to that in the array
};

/// The part of a value; all parts of a value that has only one are alike.
inline mlir::Value takePart(const Tiles &tiles, unsigned part) {
  return tiles[tiles.size() > 1 ? part : 0];
}

class BodyEmitter {
public:
  BodyEmitter(TileBuilder &b, hsa::ProgramOp program, const TileShape &shape)
      : b(b), program(program), shape(shape) {}

  /// Emits one operation; errors are reported on it.
  mlir::LogicalResult emit(mlir::Operation *op);

  // Values that are there already.
  bool has(mlir::Value value) const { return values.contains(value); }
  mlir::Value get(mlir::Value value) const { return values.lookup(value)[0]; }
  Tiles getTiles(mlir::Value value) const { return values.lookup(value); }
  void set(mlir::Value value, Tiles tiles) { values[value] = std::move(tiles); }
  /// Sets what an earlier launch has left in memory.
  void setLoaded(mlir::Value value, mlir::Value tile) {
    set(value, {tile});
    loaded.insert(value);
  }

  /// What has been done of an accumulation before.
  enum class Done { Nothing, KeyedSums, KeyedSumsAndMerges };
  /// The accumulators of `op` after the visit whose body has been emitted, from
  /// those before it.
  mlir::FailureOr<Tiles> emitAccumulation(hsa::ReduceOp op,
                                          mlir::ValueRange before,
                                          Done done = Done::Nothing);
  /// Whether the accumulator takes scores with keys; merges those into `state`.
  static bool isMerge(hsa::ReduceOp op, unsigned index);
  mlir::LogicalResult emitMerge(hsa::ReduceOp op, unsigned index,
                                mlir::MutableArrayRef<mlir::Value> state);
  /// Adds what a visit yields for sums over all blocks, each in memory.
  mlir::LogicalResult emitSums(hsa::ReduceOp op, unsigned index);
  /// Whether these are sums of what each key has, and the operation of the body
  /// that makes it; null if it is made before.
  static bool isKeyedSum(hsa::ReduceOp op, unsigned index);
  static mlir::Operation *getSummand(hsa::ReduceOp op, unsigned index);
  /// Adds what `inner` has just made to keyed sums, so that it is not kept
  /// beside what follows.
  mlir::LogicalResult emitKeyedSums(hsa::ReduceOp op, mlir::Operation *inner);
  /// Says where sums are in memory, and those that they are made from.
  void setSums(mlir::Value sums, mlir::Value memory);
  mlir::Value getSums(mlir::Value sums) const {
    return this->sums.lookup(sums);
  }
  /// Whether visits of the same chunk may add to `sums`, a result of `op`, in
  /// tiles of their own, which begin as `getCarried` and go to memory once.
  bool canCarry(hsa::ReduceOp op, unsigned index) const;
  Tiles getCarried(hsa::ReduceOp op, unsigned index);
  void setCarried(mlir::Value sums, Tiles tiles) {
    carried[sums] = std::move(tiles);
  }
  Tiles takeCarried(mlir::Value sums);
  /// Adds tiles of the visited chunk to sums; `once` if the program does so no
  /// more than once.
  void addChunks(mlir::Value memory, const Tiles &tiles, bool once = false);
  /// Whether a sum over rows is left to memory: its value still has the rows.
  bool leavesRows(hsa::FoldOp op) const {
    hsa::AxesAttr over = op.getOver();
    return op.getMonoid() == hsa::Monoid::Sum &&
           (over.contains(hsa::Axis::Pos) || over.contains(hsa::Axis::Head)) &&
           getRowSum(op, op.getInput().getType(), over) == RowSum::Mixed;
  }
  /// How many tiles an accumulator is, and all of an operation's as one list.
  static unsigned countStates(mlir::Type type);

  // A softmax over keys in two passes: the maximum and the sum of all tiles,
  // then each tile with them.
  Tiles getEmptyStatistics(hsa::SoftmaxOp op);
  mlir::FailureOr<Tiles> emitStatistics(hsa::SoftmaxOp op,
                                        mlir::ValueRange before);
  mlir::LogicalResult emitWithStatistics(hsa::SoftmaxOp op,
                                         mlir::ValueRange statistics);

  /// log2(e) * value.
  Tiles emitScaled(mlir::Value value);

  /// Replaces what the chunk's invalid keys hold by `neutral`, in tiles of the
  /// named type `named`.
  mlir::FailureOr<Tiles> maskKeys(mlir::Operation *op, Tiles tiles,
                                  mlir::Type named, double neutral);
  /// `tile`, the part of `value` by keys and dim, with zeros where there is no
  /// key: memory gives zeros there, but what is computed of them may be any
  /// number.
  mlir::Value maskDead(mlir::Value value, mlir::Value tile, unsigned part);
  /// Whether masking would change nothing: the value is zero there already.
  bool isZeroAtInvalidKeys(mlir::Value value) const;

  /// Of the rows where `mask` holds, those that stand for their blocks.
  mlir::Value areLeaders(mlir::Value mask) const;

  TileBuilder &b;
  hsa::ProgramOp program;
  const TileShape &shape;
  Rows rows;
  Chunk *chunk = nullptr; ///< the visit whose body is emitted
  /// Sums over all blocks are added always in the same order: those that the
  /// program owns, with `ownsChunk` also those of the visited chunk, at once,
  /// and others in the order of slots.
  bool deterministic = false, ownsChunk = false;
  ChunkParts parts; ///< of an owner

private:
  // BodyEmitter.cpp
  mlir::LogicalResult emitElementwise(mlir::Operation *op);
  mlir::Value emitCopy(mlir::Operation *op, Tiles operands);
  mlir::LogicalResult emitConstant(mlir::arith::ConstantOp op);
  mlir::LogicalResult emitExp(mlir::Operation *op);
  mlir::LogicalResult emitAbs(mlir::Operation *op);
  mlir::LogicalResult emitFloorDiv(mlir::Operation *op);
  mlir::LogicalResult emitOp(hsa::BroadcastOp op);
  mlir::LogicalResult emitOp(hsa::IdentityOp op);
  bool isGathered() const { return chunk && chunk->isGathered(); }
  /// The parts of a value of `type`, made from `operands`.
  unsigned countParts(mlir::Type type, mlir::ValueRange operands = {}) const;
  mlir::Value emitBroadcast(mlir::Value tile, mlir::Type from, mlir::Type to);
  bool isScaledForFree(mlir::Value value) const;

  // EmitAccess.cpp
  mlir::LogicalResult emitOp(hsa::LoadOp op);
  mlir::LogicalResult emitOp(hsa::ChunkOp op);
  mlir::LogicalResult emitOp(hsa::AtOp op);
  mlir::Value emitWeight(hsa::AtOp op, unsigned part);
  mlir::LogicalResult emitOp(hsa::QueryPositionsOp op);
  mlir::LogicalResult emitOp(hsa::BlockPositionOp op);
  mlir::LogicalResult emitOp(hsa::KeyPositionsOp op);
  mlir::LogicalResult emitOp(hsa::ChunkIndexOp op);
  mlir::LogicalResult emitOp(hsa::ChunkEndOp op);
  void emitLandmark(hsa::ChunkOp op, hsa::LandmarksType role);
  mlir::FailureOr<mlir::Value> emitArray(mlir::Operation *op,
                                         mlir::Value source, unsigned part);

  // EmitReductions.cpp
  mlir::LogicalResult emitOp(hsa::DotOp op);
  mlir::LogicalResult emitOp(hsa::FoldOp op);
  mlir::LogicalResult emitMatrixProduct(hsa::DotOp op, mlir::Value left,
                                        mlir::Value right);
  mlir::LogicalResult emitSumOfProducts(hsa::DotOp op);
  mlir::FailureOr<int64_t> getTileAxis(mlir::Operation *op, mlir::Type type,
                                       hsa::Axis over);
  /// Whether `value` comes straight from memory, so that its padding is zero.
  bool isRead(mlir::Value value) const;
  mlir::Value maskDim(mlir::Value value, mlir::Value tile, double neutral);

  // EmitUnseen.cpp
  mlir::FailureOr<Tiles> maskUnseen(mlir::Operation *op, mlir::Value value);
  mlir::Value emitSeenProduct(mlir::Value lhs, mlir::Value rhs,
                              mlir::Value start, unsigned part);
  mlir::Value addSeenProducts(mlir::Value lhs, mlir::Value rhs,
                              mlir::Value start, unsigned part);

  // EmitRows.cpp
  mlir::LogicalResult emitOp(hsa::SameOp op);
  /// Which of a type's rows `op` sums over: of none that are several, of all,
  /// of all heads of what the positions share, or of some that are not told
  /// apart in a tile.
  enum class RowSum { None, All, Heads, Mixed };
  RowSum getRowSum(mlir::Operation *op, mlir::Type type,
                   hsa::AxesAttr over) const;
  mlir::LogicalResult checkRowSum(mlir::Operation *op, mlir::Type type,
                                  hsa::AxesAttr over);
  mlir::Value maskInside(mlir::Value tile, double neutral);
  mlir::Value foldRows(mlir::Operation *op, hsa::Monoid monoid,
                       mlir::Value tile, mlir::Type type, hsa::AxesAttr over);
  mlir::LogicalResult foldTiles(mlir::Operation *op, hsa::Monoid monoid,
                                Tiles tiles, mlir::Type type,
                                hsa::AxesAttr over);
  mlir::LogicalResult emitProductOfRows(hsa::DotOp op, bool &done);

  // EmitGradients.cpp
  mlir::LogicalResult emitOp(hsa::AddOp op);
  mlir::LogicalResult emitOp(hsa::DetachOp op);
  mlir::LogicalResult emitOp(hsa::MaskOp op);
  tile::Order getOrder(mlir::Value memory) const;
  void addInto(mlir::Value memory, mlir::Value value, mlir::ValueRange indices,
               mlir::Value mask, int64_t run = 0, bool distinct = false);
  void addRows(mlir::Value memory, mlir::Value tile, mlir::ValueRange indices,
               mlir::Value mask);
  int64_t getWeightRun(hsa::Heads heads) const;
  void addScalar(mlir::Value memory, mlir::Value value,
                 mlir::ValueRange indices);
  using PlaceIndices =
      llvm::function_ref<llvm::SmallVector<mlir::Value>(const ChunkPlace &)>;
  ChunkPlace getChunkPlace() const;
  ChunkPlace getPartPlace() const;
  void addOfChunk(mlir::Value memory, PlaceIndices getIndices,
                  llvm::function_ref<void(mlir::Value, mlir::ValueRange)> add);
  mlir::Value getHead(hsa::Heads heads) const;
  mlir::Value getRow(mlir::Type role);
  mlir::Value getOnce(mlir::Type type);
  mlir::Value maskOnce(mlir::Value tile, mlir::Type type, double neutral = 0);
  mlir::LogicalResult addWeights(hsa::WeightsType role, mlir::Value memory,
                                 mlir::Value value);
  void addToCarried(mlir::Value sums, mlir::Value value);
  mlir::LogicalResult addLandmarks(mlir::Operation *op, hsa::LandmarksType role,
                                   mlir::Value memory, mlir::Value value);
  mlir::LogicalResult addArray(mlir::Operation *op, hsa::ArrayType role,
                               mlir::Value memory, mlir::Value value);
  mlir::LogicalResult addPart(mlir::Operation *op, mlir::Value memory,
                              mlir::Value tile, mlir::Type type,
                              PlaceIndices getIndices, unsigned part);
  llvm::SmallVector<mlir::Value>
  getArrayIndices(hsa::ArrayType role, const ChunkPlace &place, unsigned part);
  mlir::LogicalResult addToSums(mlir::Operation *op, mlir::Value result,
                                mlir::Value value);

  // EmitSoftmax.cpp
  mlir::LogicalResult emitOp(hsa::SoftmaxOp op);
  mlir::FailureOr<Tiles> emitExponents(hsa::SoftmaxOp op);

  // EmitSoftmaxState.cpp
  /// Replaces rows that do not visit the chunk of the part by `neutral`.
  mlir::Value maskRows(unsigned part, mlir::Value tile, double neutral);
  void accumulate(hsa::ReduceOp op, unsigned index,
                  mlir::MutableArrayRef<mlir::Value> slots);
  mlir::LogicalResult emitOp(hsa::OnlineSoftmaxOp op);
  mlir::LogicalResult emitOp(hsa::PushOp op);
  mlir::LogicalResult emitOp(hsa::ValueOp op);
  mlir::LogicalResult emitOp(hsa::LseOp op);

  llvm::DenseMap<mlir::Value, Tiles> values;
  llvm::DenseSet<mlir::Value> loaded; ///< of these, besides parameters
  llvm::DenseMap<mlir::Value, mlir::Value> sums; ///< in memory
  llvm::DenseSet<mlir::Value> shared;         ///< of these, by several programs
  llvm::DenseMap<mlir::Value, Tiles> carried; ///< in registers
};

/// A running softmax with another one: maximum (to base 2), sum and values
/// each.
Tiles combineStates(TileBuilder &b, mlir::ValueRange lhs, mlir::ValueRange rhs);
/// Whether all that becomes of `value` is added to sums over all blocks; to
/// none of those that a block has for itself, if `ofAll`.
bool endsInSums(mlir::Value value, bool ofAll = false);
/// Gives two operands of a matrix product one type: the narrower.
void matchElements(TileBuilder &b, mlir::Value &lhs, mlir::Value &rhs);
/// Whether `value`, in the body of a reduction, is a finite number where the
/// chunk or the key is none, if what comes from outside the body is finite:
/// zero times it is zero. Where the keys that a row does not see are `unseen`
/// they have been read all the same.
bool isFiniteWithoutKeys(mlir::Value value, bool unseen = false);

/// The value of an empty reduction.
double getNeutral(hsa::Monoid monoid);
tile::Combine getCombine(hsa::Monoid monoid);
/// The quotient rounded down.
mlir::Value emitFloorDiv(TileBuilder &b, mlir::Value x, mlir::Value y);
/// Combines two tiles or scalars, of which a NaN makes the result one.
mlir::Value emitCombine(TileBuilder &b, hsa::Monoid monoid, mlir::Value lhs,
                        mlir::Value rhs);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_BODYEMITTER_H
