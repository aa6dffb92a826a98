// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitTiles.cpp - Tiles in memory ------------------------------------===//

#include "KernelEmitter.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

static int64_t columnsOf(Value tile) {
  return cast<RankedTensorType>(tile.getType()).getDimSize(1);
}

static bool isMatrix(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2;
}

//===----------------------------------------------------------------------===//
// Which lazy tiles are stored
//===----------------------------------------------------------------------===//

/// Whether evaluating the op alone takes more than a few instructions.
static bool isDear(Operation *op) {
  return isa<arith::DivFOp>(op) ||
         (isa<math::MathDialect>(op->getDialect()) && !isa<math::AbsFOp>(op));
}

/// `cheap` has the values that are known not to be: each is looked at once.
static bool isDear(Value value, llvm::DenseSet<Value> &cheap) {
  Operation *op = lazyDefinition(value);
  if (!op || !isMatrix(value) || cheap.contains(value))
    return false;
  if (isDear(op) || llvm::any_of(op->getOperands(), [&](Value operand) {
        return isDear(operand, cheap);
      }))
    return true;
  cheap.insert(value);
  return false;
}

/// Collects the ops whose loops evaluate `value`; `seen` has the values whose
/// users were collected.
static void findConsumers(Value value, llvm::SetVector<Operation *> &consumers,
                          llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second)
    return;
  for (Operation *user : value.getUsers()) {
    Operation *lazy = isa<scf::YieldOp>(user) ? user->getParentOp() : user;
    if (!isLazy(lazy))
      consumers.insert(user);
    else
      for (Value result : lazy->getResults())
        findConsumers(result, consumers, seen);
  }
}

void KernelEmitter::planStores(tile::KernelOp kernel) {
  llvm::DenseSet<Value> cheap;
  kernel.walk([&](Operation *op) {
    if (!isLazy(op) || isa<scf::IfOp>(op))
      return;
    Value value = op->getResult(0);
    if (value.hasOneUse() || !isDear(value, cheap))
      return;
    llvm::SetVector<Operation *> consumers;
    llvm::DenseSet<Value> seen;
    findConsumers(value, consumers, seen);
    if (consumers.size() > 1)
      keep.insert(value);
  });
}

//===----------------------------------------------------------------------===//
// Columns in memory
//===----------------------------------------------------------------------===//

int64_t KernelEmitter::lanesOf(Value tile) {
  return paddedRows(cast<RankedTensorType>(tile.getType()).getDimSize(0),
                    shape);
}

/// How a column is held in registers, and in memory, where i1 takes a byte.
Type KernelEmitter::columnType(Value tile) {
  return VectorType::get({lanesOf(tile)},
                         computeType(getElementTypeOrSelf(tile)));
}

Type KernelEmitter::vectorType(Value vector) { return columnType(vector); }

static Type memoryElement(Type element) {
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8)
                              : element;
}

Value KernelEmitter::allocateTile(Value tile) {
  Type element = computeType(getElementTypeOrSelf(tile));
  return allocate(memoryElement(element), columnsOf(tile) * lanesOf(tile));
}

Value KernelEmitter::columnAddress(Value tile, Value place, Value index) {
  Type element = computeType(getElementTypeOrSelf(tile));
  Value offset = b.create<arith::MulIOp>(index, i64(lanesOf(tile)));
  return address(memoryElement(element), place, offset);
}

int64_t KernelEmitter::columnAlignment(Value tile, int64_t count) {
  Type element = memoryElement(computeType(getElementTypeOrSelf(tile)));
  return alignmentOf(lanesOf(tile) * count,
                     element.getIntOrFloatBitWidth() / 8);
}

Value KernelEmitter::loadColumns(Value tile, Value place, Value index,
                                 int64_t count) {
  Type element = computeType(getElementTypeOrSelf(tile));
  auto type = VectorType::get({lanesOf(tile) * count}, element);
  Type memory = type.cloneWith({}, memoryElement(element));
  Value loaded = loadVector(memory, columnAddress(tile, place, index),
                            columnAlignment(tile, count));
  return memory == type ? loaded : b.create<arith::TruncIOp>(type, loaded);
}

void KernelEmitter::storeColumns(Value tile, Value place, Value index,
                                 Value value) {
  auto type = cast<VectorType>(value.getType());
  Type memory = type.cloneWith({}, memoryElement(type.getElementType()));
  if (memory != type)
    value = b.create<arith::ExtUIOp>(memory, value);
  storeVector(value, columnAddress(tile, place, index),
              columnAlignment(tile, type.getDimSize(0) / lanesOf(tile)));
}

/// As many columns in a vector as fill a register, and four registers a turn.
KernelEmitter::Step KernelEmitter::stepOf(Value tile) {
  int64_t count = columnsOf(tile), lanes = lanesOf(tile);
  int64_t columns = std::max<int64_t>(1, shape.lanes / lanes);
  while (count % columns != 0)
    columns /= 2;
  int64_t unroll = std::clamp<int64_t>(4 * shape.lanes / lanes, 1, 4);
  while (count % (columns * unroll) != 0)
    unroll /= 2;
  return {columns, unroll};
}

/// body(u, index, values) for each vector of columns, which is the u-th of its
/// turn and begins at column `index`.
SmallVector<Value> KernelEmitter::forEachColumn(
    Value tile, Step step, ValueRange carried,
    llvm::function_ref<void(int64_t, Value, SmallVector<Value> &)> body) {
  auto results = loop(
      columnsOf(tile), step.columns * step.unroll, carried,
      [&](Value first, ValueRange arguments) {
        SmallVector<Value> values(arguments);
        for (int64_t u = 0; u < step.unroll; ++u) {
          Value index =
              u ? b.create<arith::AddIOp>(first, i64(u * step.columns)) : first;
          body(u, index, values);
        }
        return values;
      });
  // What the loop has stored on the way is in memory from now on.
  for (auto &[value, place] : storing)
    tiles[value] = place;
  storing.clear();
  return results;
}

void KernelEmitter::evaluateInto(Value tile, Value place) {
  Step step = stepOf(tile);
  forEachColumn(tile, step, {}, [&](int64_t, Value index, auto &) {
    storeColumns(tile, place, index, columns(tile, index, step.columns));
  });
}

Value KernelEmitter::materialize(Value tile) {
  if (Value place = tiles.lookup(tile))
    return place;
  Value place = allocateTile(tile);
  evaluateInto(tile, place);
  if (tile.getParentBlock() == currentBlock)
    tiles[tile] = place;
  return place;
}

/// Has what evaluating rows of `tile` reads as rows, before a loop does so.
/// `seen` has the tiles that were asked for.
void KernelEmitter::prepareRows(Value tile, llvm::DenseSet<Value> &seen) {
  if (!seen.insert(tile).second)
    return;
  Operation *op = lazyDefinition(tile);
  if (!op)
    return (void)rowsOf(tile);
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (isMatrix(operand))
        prepareRows(operand, seen);
  });
}

/// The tile as rows of f32, for the right-hand side of a product.
RowView KernelEmitter::rowsOf(Value tile) {
  if (rows.contains(tile))
    return rows.lookup(tile);
  auto type = cast<RankedTensorType>(tile.getType());
  int64_t height = type.getDimSize(0), width = type.getDimSize(1);
  RowView view{allocate(b.getF32Type(), height * width), i64(width)};
  auto rowAddress = [&](Value row) {
    return address(b.getF32Type(), view.pointer,
                   b.create<arith::MulIOp>(row, view.stride));
  };
  if (lazyDefinition(tile) && !tiles.contains(tile)) {
    llvm::DenseSet<Value> seen;
    prepareRows(tile, seen);
    loop(height, 1, {}, [&](Value row, ValueRange) -> SmallVector<Value> {
      Scope scope{Form::Row, row, width};
      storeVector(evaluate(tile, scope), rowAddress(row), 4);
      return {};
    });
  } else {
    Value place = tiles.lookup(tile);
    loop(height, 1, {}, [&](Value row, ValueRange) -> SmallVector<Value> {
      loop(width, 1, {}, [&](Value col, ValueRange) -> SmallVector<Value> {
        Value from = columnAddress(tile, place, col);
        Value one =
            loadVector(b.getF32Type(), address(b.getF32Type(), from, row), 0);
        storeVector(one, address(b.getF32Type(), rowAddress(row), col), 0);
        return {};
      });
      return {};
    });
  }
  if (tile.getParentBlock() == currentBlock)
    rows[tile] = view;
  return view;
}

/// The elements of a vector in memory.
Value KernelEmitter::elementsOf(Value vector) {
  if (Value place = elements.lookup(vector))
    return place;
  return spill(vectors.lookup(vector));
}

Value KernelEmitter::spill(Value vector) {
  auto type = cast<VectorType>(vector.getType());
  Type element = memoryElement(type.getElementType());
  Type memory = type.cloneWith({}, element);
  Value place = allocate(element, type.getDimSize(0));
  if (memory != type)
    vector = b.create<arith::ExtUIOp>(memory, vector);
  storeVector(vector, place, element.getIntOrFloatBitWidth() / 8);
  return place;
}
