// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitGradients.cpp - Sums over all blocks, masks --------------------===//
//
// `!hsa.sums` are arrays in memory that begin with zeros and to which all
// programs add, in any order. What a visit or a block adds is a tile, a vector
// or a scalar; rows that stand for the same element meet there. Where the order
// is to be the same each time, a program adds to what it owns; where it has a
// later part of a chunk's entries that is a part of its own (ItemParts.h), and
// what several programs add to gets copies (SumCopies.h).
//
//===----------------------------------------------------------------------===//

#include "BodyEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Where sums are
//===----------------------------------------------------------------------===//

void BodyEmitter::setSums(Value sums, Value memory) {
  while (sums.getDefiningOp() && !sums.getDefiningOp<hsa::ZerosOp>()) {
    this->sums[sums] = memory;
    if (auto add = sums.getDefiningOp<hsa::AddOp>()) {
      sums = add.getSums();
      continue;
    }
    auto reduce = sums.getDefiningOp<hsa::ReduceOp>();
    sums = reduce.getAccumulators()[cast<OpResult>(sums).getResultNumber()];
  }
}

//===----------------------------------------------------------------------===//
// Adding
//===----------------------------------------------------------------------===//

static Value both(TileBuilder &b, Value mask, Value other) {
  return mask ? b.both(mask, other) : other;
}

tile::Order BodyEmitter::getOrder(Value memory) const {
  if (!deterministic)
    return tile::Order::Free;
  return shared.contains(memory) ? tile::Order::Slots : tile::Order::Owner;
}

void BodyEmitter::addInto(Value memory, Value value, ValueRange indices,
                          Value mask, int64_t run, bool distinct) {
  Type element = cast<MemRefType>(memory.getType()).getElementType();
  if (getElementTypeOrSelf(value) != element)
    value =
        b.create<arith::TruncFOp>(withElement(value.getType(), element), value);
  b.create<tile::ReduceIntoOp>(tile::Combine::Sum, value, memory, indices, mask,
                               getOrder(memory), deterministic ? run : 0,
                               distinct);
}

/// Rows with columns, of which several may be for the same element. Then those
/// that surely differ are added together: the heads of one query, else single
/// rows.
void BodyEmitter::addRows(Value memory, Value tile, ValueRange indices,
                          Value mask) {
  bool hasHeads = llvm::is_contained(indices, rows.head);
  bool surelyDiffer = hasHeads && shape.hasOnePosition() && shape.entries == 1;
  if (!deterministic || surelyDiffer)
    return addInto(memory, tile, indices, mask);
  int64_t together = hasHeads ? shape.heads : 1;
  Value group = b.div(b.iota(shape.rows), together);
  auto loop = b.create<scf::ForOp>(
      b.index(0), b.index(llvm::divideCeil(shape.rows, together)), b.index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value own = b.compare(Predicate::eq, group,
                        b.splat(b.toI32(loop.getInductionVar()), {shape.rows}));
  addInto(memory, tile, indices, both(b, mask, own), /*run=*/0,
          /*distinct=*/true);
}

/// A scalar is a vector of which one element is added.
void BodyEmitter::addScalar(Value memory, Value value, ValueRange indices) {
  Value vector = b.splat(value, {shape.rows});
  Value first = b.compare(Predicate::eq, b.iota(shape.rows), b.i32(0));
  addInto(memory, vector, indices, first);
}

ChunkPlace BodyEmitter::getChunkPlace() const {
  if (!chunk)
    return {rows.batch, Value(), {}};
  return {rows.batch, chunk->numbers[0], chunk->keys};
}

ChunkPlace BodyEmitter::getPartPlace() const {
  ChunkPlace place = {parts.sequence, parts.number, chunk->keys};
  for (Value &keys : place.keys)
    keys = b.add(keys, parts.key);
  return place;
}

/// Calls `add` for the array of the sums, or for that of the parts.
void BodyEmitter::addOfChunk(Value memory, PlaceIndices getIndices,
                             llvm::function_ref<void(Value, ValueRange)> add) {
  Value array = parts.arrays.lookup(memory);
  if (!array)
    return add(memory, getIndices(getChunkPlace()));
  auto branch = b.create<scf::IfOp>(parts.isPart, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  add(array, getIndices(getPartPlace()));
  b.setInsertionPointToStart(branch.elseBlock());
  add(memory, getIndices(getChunkPlace()));
}

/// The rows of which one stands for each element of a value over `type`.
Value BodyEmitter::getOnce(Type type) {
  Value mask = rows.inside;
  if (!hasAxis(type, Axis::Head) && shape.heads > 1)
    mask = both(b, mask,
                b.compare(Predicate::eq, rows.head, b.toI32(rows.firstHead)));
  if (!hasAxis(type, Axis::Pos) && shape.positions > 1)
    mask = areLeaders(mask);
  return mask;
}

Value BodyEmitter::areLeaders(Value mask) const {
  Value leader;
  if (rows.leader) {
    leader = rows.leader(mask);
  } else {
    bool isVector = isa<RankedTensorType>(rows.block.getType());
    Value block = isVector ? rows.block : b.toI32(rows.block);
    leader = b.mul(block, b.i32(shape.positions));
  }
  return both(b, mask, b.compare(Predicate::eq, rows.query, leader));
}

/// What the value is before a sum over rows that was left to memory.
static std::pair<Value, Type> skipRowSums(const BodyEmitter &emitter,
                                          Value value) {
  Type type = value.getType();
  if (auto fold = value.getDefiningOp<hsa::FoldOp>())
    if (emitter.leavesRows(fold))
      return skipRowSums(emitter, fold.getInput());
  return {value, type};
}

/// The rows of an entry share its weight, or have one each; 0 if neither.
int64_t BodyEmitter::getWeightRun(hsa::Heads heads) const {
  if (heads == hsa::Heads::Query)
    return shape.positions == 1 ? 1 : 0;
  int64_t ofEntry = shape.positions * shape.heads;
  int64_t run = shape.entries > 1 ? ofEntry : shape.rows;
  return shape.rows % run == 0 ? run : 0;
}

LogicalResult BodyEmitter::addWeights(hsa::WeightsType role, Value memory,
                                      Value value) {
  auto [part, type] = skipRowSums(*this, value);
  hsa::Heads heads = role.getHeads();
  Value head = heads == hsa::Heads::One     ? b.index(0)
               : heads == hsa::Heads::Query ? rows.head
                                            : rows.keyHead;
  SmallVector<Value> indices = {rows.batch, rows.block, head, chunk->slots[0]};
  Value tile = get(part);
  // A number is the sum of the program's rows, if these are of one block.
  if (isa<RankedTensorType>(tile.getType()) || shape.entries > 1)
    addInto(memory, b.splat(tile, {shape.rows}), indices, getOnce(type),
            getWeightRun(heads));
  else
    addScalar(memory, tile, indices);
  return success();
}

/// At the visited chunk's row: one for all rows of the tile, or one for each
/// query head.
LogicalResult BodyEmitter::addLandmarks(Operation *op, hsa::LandmarksType role,
                                        Value memory, Value value) {
  auto [source, type] = skipRowSums(*this, value);
  Value tile = get(source);
  auto getIndices = [&](const ChunkPlace &place) -> SmallVector<Value> {
    return {place.batch, b.toIndex(place.number), getHead(role.getHeads())};
  };
  bool isTile = cast<RankedTensorType>(tile.getType()).getRank() == 2;
  if (role.getHeads() != hsa::Heads::Query && isTile) {
    tile = b.reduce(tile::Combine::Sum, maskOnce(tile, type), 0);
    type = hsa::getNamedType({{Axis::Dim, role.getDim()}}, b.getF32Type());
  }
  return addPart(op, memory, tile, type, getIndices, 0);
}

/// What is added once is all that a part has.
void BodyEmitter::addChunks(Value memory, const Tiles &tiles, bool once) {
  for (unsigned part = 0; part < tiles.size(); ++part)
    addOfChunk(
        memory,
        [&](const ChunkPlace &place) -> SmallVector<Value> {
          return {place.batch, place.keys[part], rows.keyHead};
        },
        [&](Value array, ValueRange indices) {
          if (once && array != memory)
            b.create<tile::ScatterOp>(tiles[part], array, indices,
                                      chunk->live[part]);
          else
            addInto(array, tiles[part], indices, chunk->live[part]);
        });
}

//===----------------------------------------------------------------------===//
// Sums of one chunk, in registers
//===----------------------------------------------------------------------===//

bool BodyEmitter::canCarry(hsa::ReduceOp op, unsigned index) const {
  auto sums = dyn_cast<hsa::SumsType>(op.getResult(index).getType());
  return sums && isa<hsa::ChunksType>(sums.getRole()) &&
         this->sums.contains(op.getResult(index));
}

Tiles BodyEmitter::getCarried(hsa::ReduceOp op, unsigned index) {
  Type type = op.getYielded(index)[0].getType();
  Type tile = withElement(shape.getTile(type), b.getF32Type());
  return Tiles(countParts(type), b.full(tile, 0));
}

Tiles BodyEmitter::takeCarried(Value sums) {
  Tiles tiles = carried.lookup(sums);
  carried.erase(sums);
  return tiles;
}

/// A product that nothing else reads starts from the sum instead of from zero.
static Value addProduct(TileBuilder &b, Value sum, Value tile) {
  auto dot = tile.getDefiningOp<tile::DotOp>();
  if (!dot || !dot->use_empty() ||
      !matchPattern(dot.getAcc(), m_AnyZeroFloat()))
    return b.addf(sum, tile);
  dot.getAccMutable().assign(sum);
  return tile;
}

void BodyEmitter::addToCarried(Value sums, Value value) {
  Tiles &tiles = carried[sums];
  bool isOwn = value.hasOneUse();
  for (auto [part, tile] : llvm::enumerate(getTiles(value)))
    tiles[part] =
        isOwn ? addProduct(b, tiles[part], tile) : b.addf(tiles[part], tile);
}

//===----------------------------------------------------------------------===//
// Sums of arrays
//===----------------------------------------------------------------------===//

/// The index of each axis of `role` but a last one over dim, for one part.
SmallVector<Value> BodyEmitter::getArrayIndices(hsa::ArrayType role,
                                                const ChunkPlace &place,
                                                unsigned part) {
  SmallVector<Value> indices;
  if (role.getBatch())
    indices.push_back(place.batch);
  for (Axis axis : role.getAxes()) {
    if (axis == Axis::Pos)
      indices.push_back(rows.query);
    else if (axis == Axis::Head)
      indices.push_back(rows.head);
    else if (axis == Axis::Chunk)
      indices.push_back(b.toIndex(place.number));
    else if (axis == Axis::Key)
      indices.push_back(place.keys[part]);
  }
  return indices;
}

LogicalResult BodyEmitter::addArray(Operation *op, hsa::ArrayType role,
                                    Value memory, Value value) {
  auto [source, type] = skipRowSums(*this, value);
  bool rowsInRole = llvm::is_contained(role.getAxes(), Axis::Pos) ||
                    llvm::is_contained(role.getAxes(), Axis::Head);
  bool dimInRole = llvm::is_contained(role.getAxes(), Axis::Dim);
  for (auto [part, tile] : llvm::enumerate(getTiles(source))) {
    auto getIndices = [&, part = part](const ChunkPlace &place) {
      return getArrayIndices(role, place, part);
    };
    if (hasAxis(type, Axis::Dim) && !dimInRole) {
      tile = b.reduce(tile::Combine::Sum, maskDim(source, tile, 0),
                      hasRows(type) ? 1 : 0);
      type = hsa::getNamedType(
          hsa::dropAxes(hsa::getSizedAxes(type),
                        hsa::AxesAttr::get(b.getContext(), {Axis::Dim})),
          b.getF32Type());
    }
    if (hasRows(type) && !rowsInRole && dimInRole) {
      tile = b.reduce(tile::Combine::Sum, maskOnce(tile, type), 0);
      type =
          hsa::getNamedType({hsa::getSizedAxes(type).back()}, b.getF32Type());
    }
    if (failed(addPart(op, memory, tile, type, getIndices, part)))
      return failure();
  }
  return success();
}

/// Adds one tile, vector or scalar of the named type `type`.
LogicalResult BodyEmitter::addPart(Operation *op, Value memory, Value tile,
                                   Type type, PlaceIndices getIndices,
                                   unsigned part) {
  auto tileType = dyn_cast<RankedTensorType>(tile.getType());
  if (!tileType) {
    addOfChunk(memory, getIndices, [&](Value array, ValueRange indices) {
      addScalar(array, tile, indices);
    });
    return success();
  }
  bool keyed = hasAxis(type, Axis::Key);
  if (keyed && hasRows(type))
    return op->emitOpError("adds to an array that has a key axis beside pos or "
                           "head");
  Value mask = keyed ? chunk->live[part] : Value();
  bool isOfBlock = !hsa::isNamedTensor(type); // a number of each, in rows
  if (hasRows(type) || isOfBlock)
    mask = getOnce(type);
  int64_t dim = getSize(type, Axis::Dim);
  Value columns;
  if (dim && tileType.getRank() == 1) {
    columns = b.iota(tileType.getDimSize(0));
    if (shape.isPadded(dim))
      mask = b.compare(Predicate::slt, columns, b.i32(dim));
  }
  addOfChunk(memory, getIndices, [&](Value array, ValueRange indices) {
    SmallVector<Value> all(indices);
    if (columns)
      all.push_back(columns);
    if (hasRows(type) && tileType.getRank() == 2)
      addRows(array, tile, all, mask);
    else
      addInto(array, tile, all, mask);
  });
  return success();
}

/// `neutral` in rows that `getOnce` leaves out.
Value BodyEmitter::maskOnce(Value tile, Type type, double neutral) {
  Value mask = getOnce(type);
  if (!mask)
    return tile;
  auto tileType = cast<RankedTensorType>(tile.getType());
  return b.choose(b.repeat(mask, 1, tileType), tile, b.full(tileType, neutral));
}

/// Whether sums of `role` are of what a query block has for itself, or of the
/// chunk that the program owns.
static bool isOwned(const BodyEmitter &emitter, Type role) {
  auto belongs = [&](ArrayRef<Axis> axes, Axis axis) {
    return llvm::is_contained(axes, axis);
  };
  if (auto array = dyn_cast<hsa::ArrayType>(role)) {
    ArrayRef<Axis> axes = array.getAxes();
    if (belongs(axes, Axis::Pos)) // else key heads or sequences share it
      return emitter.shape.rowBlocks == 1 && !emitter.ownsChunk &&
             belongs(axes, Axis::Head) && array.getBatch();
    return emitter.ownsChunk &&
           (belongs(axes, Axis::Chunk) || belongs(axes, Axis::Key));
  }
  if (auto landmarks = dyn_cast<hsa::LandmarksType>(role))
    return emitter.ownsChunk && landmarks.getHeads() == hsa::Heads::KV;
  if (isa<hsa::ChunksType>(role))
    return emitter.ownsChunk;
  hsa::Heads heads = cast<hsa::WeightsType>(role).getHeads();
  if (heads == hsa::Heads::One)
    return false;
  return emitter.ownsChunk || heads == hsa::Heads::Query ||
         (emitter.shape.rowBlocks == 1 &&
          emitter.shape.heads == emitter.shape.group);
}

LogicalResult BodyEmitter::addToSums(Operation *op, Value result, Value value) {
  Value memory = sums.lookup(result);
  if (!memory)
    return success(); // nobody reads them
  Type role = cast<hsa::SumsType>(result.getType()).getRole();
  if (!isOwned(*this, role))
    shared.insert(memory);
  if (auto weights = dyn_cast<hsa::WeightsType>(role))
    return addWeights(weights, memory, value);
  if (isa<hsa::ChunksType>(role)) {
    if (carried.contains(result))
      addToCarried(result, value);
    else
      addChunks(memory, getTiles(value));
    return success();
  }
  if (auto landmarks = dyn_cast<hsa::LandmarksType>(role))
    return addLandmarks(op, landmarks, memory, value);
  return addArray(op, cast<hsa::ArrayType>(role), memory, value);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

LogicalResult BodyEmitter::emitOp(hsa::AddOp op) {
  return addToSums(op, op.getResult(), op.getValue());
}

LogicalResult BodyEmitter::emitOp(hsa::DetachOp op) {
  set(op.getResult(), getTiles(op.getInput()));
  return success();
}

LogicalResult BodyEmitter::emitOp(hsa::MaskOp op) {
  Type type = op.getInput().getType();
  Tiles tiles = getTiles(op.getInput());
  if (hasAxis(type, Axis::Key)) {
    FailureOr<Tiles> masked = maskKeys(op, tiles, type, 0);
    if (failed(masked))
      return failure();
    tiles = *masked;
  } else if (hasRows(type)) {
    tiles.resize(chunk->numbers.size(), tiles[0]);
    for (auto [part, tile] : llvm::enumerate(tiles))
      tile = maskRows(part, tile, 0);
  }
  set(op.getResult(), tiles);
  return success();
}
