// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- EmitOrder.cpp - Scans, sorts, counts, running lists of the best ----===//
//
// Rows stand in lanes, so each row is scanned, sorted or inserted into in a
// lane of its own, by the same instructions for all: nothing moves across
// lanes.
//
//   scan   one vector is carried over the columns
//   sort   a network of comparators, min and max of two columns (Batcher's
//          odd-even merge sort); equal keys are told apart by their place
//   topk   a candidate column is inserted into the list from its end: each
//          place takes the candidate, its upper neighbour, or stays
//   tally  a vector is counted element by element
//
// Most candidates beat the k-th best of no row: one comparison sees that.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

static RankedTensorType typeOf(Value tile) {
  return cast<RankedTensorType>(tile.getType());
}

/// Where the result stands that replaces `old`, which is there when `op`
/// begins.
Value KernelEmitter::replace(Value result, Value old, Operation *op,
                             SmallVector<Value> &taken) {
  Value place = placeFor(result, old, op, taken);
  if (tiles.lookup(old) != place)
    evaluateInto(old, place);
  taken.push_back(place);
  return place;
}

/// Says that the results of an op are now where they were computed.
void KernelEmitter::settle(ValueRange results, ArrayRef<Value> places) {
  for (auto [result, place] : llvm::zip_equal(results, places)) {
    tiles[result] = place;
    occupant[place] = result;
  }
}

Value KernelEmitter::anyLane(Value mask) {
  return b.create<vector::ReductionOp>(vector::CombiningKind::OR, mask);
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

void KernelEmitter::emitScan(tile::ScanOp op) {
  if (typeOf(op.getInput()).getRank() == 2 && op.getAxis() == 1)
    scanColumns(op);
  else
    scanElements(op);
}

/// The index of step `i` of a walk over `count`.
Value KernelEmitter::stepIndex(Value i, int64_t count, bool reverse) {
  return reverse ? b.create<arith::SubIOp>(i64(count - 1), i).getResult() : i;
}

void KernelEmitter::scanColumns(tile::ScanOp op) {
  Value tile = op.getInput();
  Value place = allocateTile(op.getResult());
  auto type = cast<VectorType>(columnType(tile));
  TypedAttr start = DenseElementsAttr::get(
      type, Attribute(identity(op.getCombine(), type.getElementType())));
  int64_t count = typeOf(tile).getDimSize(1);
  forEachColumn(tile, {1, 1}, b.create<arith::ConstantOp>(start).getResult(),
                [&](int64_t, Value step, SmallVector<Value> &values) {
                  Value index = stepIndex(step, count, op.getReverse());
                  Value next = combine(op.getCombine(), values[0],
                                       columns(tile, index, 1));
                  storeColumns(op.getResult(), place, index,
                               op.getExclusive() ? values[0] : next);
                  values[0] = next;
                });
  settle(op.getResult(), place);
}

/// Element by element in memory: a vector, or each column of a tile.
void KernelEmitter::scanElements(tile::ScanOp op) {
  RankedTensorType type = typeOf(op.getInput());
  int64_t count = type.getDimSize(0);
  Type element = computeType(type.getElementType());
  bool isVector = type.getRank() == 1;
  Value place =
      isVector ? spill(vectorOf(op.getInput())) : allocateTile(op.getResult());
  auto scan = [&](Value first) {
    TypedAttr start = identity(op.getCombine(), element);
    loop(count, 1, b.create<arith::ConstantOp>(start).getResult(),
         [&](Value step, ValueRange values) -> SmallVector<Value> {
           Value at =
               address(element, first, stepIndex(step, count, op.getReverse()));
           Value next =
               combine(op.getCombine(), values[0], loadVector(element, at, 0));
           storeVector(op.getExclusive() ? values[0] : next, at, 0);
           return {next};
         });
  };
  if (!isVector) {
    evaluateInto(op.getInput(), place);
    loop(type.getDimSize(1), 1, {}, [&](Value index, ValueRange) {
      scan(columnAddress(op.getResult(), place, index));
      return SmallVector<Value>();
    });
    return settle(op.getResult(), place);
  }
  scan(place);
  elements[op.getResult()] = place;
  vectors[op.getResult()] = loadVector(vectorType(op.getResult()), place,
                                       element.getIntOrFloatBitWidth() / 8);
}

//===----------------------------------------------------------------------===//
// Sort
//===----------------------------------------------------------------------===//

/// The comparators (i, i + distance) of Batcher's odd-even merge sort of
/// `count` columns, round by round: those of one round touch no column twice.
struct SortRound {
  int64_t block, distance, count;
  bool holds(int64_t i) const {
    int64_t offset = distance % block;
    return i >= offset && (i - offset) % (2 * distance) < distance &&
           i + distance < count &&
           i / (2 * block) == (i + distance) / (2 * block);
  }
};

static SmallVector<SortRound> sortRounds(int64_t count) {
  SmallVector<SortRound> rounds;
  for (int64_t block = 1; block < count; block *= 2)
    for (int64_t distance = block; distance >= 1; distance /= 2)
      rounds.push_back({block, distance, count});
  return rounds;
}

/// Puts columns i and j = i + distance of all tiles in order.
void KernelEmitter::compareColumns(const Sorting &sorting, Value i, Value j) {
  SmallVector<std::pair<Value, Value>> pairs;
  for (auto [tile, place] : llvm::zip_equal(sorting.tiles, sorting.places))
    pairs.emplace_back(loadColumns(tile, place, i, 1),
                       loadColumns(tile, place, j, 1));
  Value places = sorting.order;
  auto type = VectorType::get({lanesOf(sorting.tiles[0])}, b.getI32Type());
  auto orderAt = [&](Value index) {
    return address(b.getI32Type(), places,
                   b.create<arith::MulIOp>(index, i64(type.getDimSize(0))));
  };
  Value orderI = loadVector(type, orderAt(i), 4);
  Value orderJ = loadVector(type, orderAt(j), 4);
  auto [keyI, keyJ] = pairs[0];
  if (sorting.descending)
    std::swap(keyI, keyJ);
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(keyI));
  Value above =
      isFloat ? b.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, keyI, keyJ)
                    .getResult()
              : b.create<arith::CmpIOp>(arith::CmpIPredicate::sgt, keyI, keyJ);
  Value equal =
      isFloat ? b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, keyI, keyJ)
                    .getResult()
              : b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, keyI, keyJ);
  Value later =
      b.create<arith::CmpIOp>(arith::CmpIPredicate::sgt, orderI, orderJ);
  Value swap =
      b.create<arith::OrIOp>(above, b.create<arith::AndIOp>(equal, later));
  auto choose = [&](Value yes, Value no) {
    return b.create<arith::SelectOp>(swap, yes, no);
  };
  for (auto [pair, tile, place] :
       llvm::zip_equal(pairs, sorting.tiles, sorting.places)) {
    storeColumns(tile, place, i, choose(pair.second, pair.first));
    storeColumns(tile, place, j, choose(pair.first, pair.second));
  }
  storeVector(choose(orderJ, orderI), orderAt(i), 4);
  storeVector(choose(orderI, orderJ), orderAt(j), 4);
}

/// Few comparators are written one after the other; more are found in a loop.
void KernelEmitter::sortColumns(const Sorting &sorting, int64_t count) {
  constexpr int64_t kUnrolled = 16;
  for (const SortRound &round : sortRounds(count)) {
    if (count <= kUnrolled) {
      for (int64_t i = 0; i < count; ++i)
        if (round.holds(i))
          compareColumns(sorting, i64(i), i64(i + round.distance));
      continue;
    }
    int64_t offset = round.distance % round.block;
    int64_t first = offset, period = 2 * round.distance;
    loop(llvm::divideCeil(count - first, period), 1, {},
         [&](Value turn, ValueRange) {
           Value start = b.create<arith::AddIOp>(
               b.create<arith::MulIOp>(turn, i64(period)), i64(first));
           loop(round.distance, 1, {}, [&](Value inner, ValueRange) {
             Value i = b.create<arith::AddIOp>(start, inner);
             Value j = b.create<arith::AddIOp>(i, i64(round.distance));
             auto block = [&](Value index) {
               return b.create<arith::DivUIOp>(index, i64(2 * round.block));
             };
             Value inside = b.create<arith::CmpIOp>(arith::CmpIPredicate::ult,
                                                    j, i64(count));
             Value same = b.create<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                                  block(i), block(j));
             auto branch = b.create<scf::IfOp>(
                 b.create<arith::AndIOp>(inside, same), /*withElse=*/false);
             OpBuilder::InsertionGuard guard(b);
             b.setInsertionPoint(branch.thenBlock()->getTerminator());
             compareColumns(sorting, i, j);
             return SmallVector<Value>();
           });
           return SmallVector<Value>();
         });
  }
}

LogicalResult KernelEmitter::emitSort(tile::SortOp op) {
  RankedTensorType type = typeOf(op.getInputs().front());
  if (type.getRank() != 2)
    return op.emitOpError("of a vector has no lowering to the CPU");
  Sorting sorting;
  sorting.descending = op.getDescending();
  SmallVector<Value> taken;
  // Inputs that are computed from others are complete before these are sorted.
  for (Value input : op.getInputs())
    materialize(input);
  for (auto [result, input] :
       llvm::zip_equal(op.getOutputs(), op.getInputs())) {
    sorting.places.push_back(replace(result, input, op, taken));
    sorting.tiles.push_back(result);
  }
  int64_t count = type.getDimSize(1), lanes = lanesOf(sorting.tiles[0]);
  sorting.order = allocate(b.getI32Type(), count * lanes);
  loop(count, 1, {}, [&](Value index, ValueRange) {
    Value number = b.create<arith::TruncIOp>(b.getI32Type(), index);
    storeVector(splat(number, lanes),
                address(b.getI32Type(), sorting.order,
                        b.create<arith::MulIOp>(index, i64(lanes))),
                4);
    return SmallVector<Value>();
  });
  sortColumns(sorting, count);
  settle(op.getOutputs(), sorting.places);
  return success();
}

//===----------------------------------------------------------------------===//
// The best so far
//===----------------------------------------------------------------------===//

/// Whether a candidate stands before what a place holds.
Value KernelEmitter::standsBefore(const Candidate &candidate, Value score,
                                  Value id) {
  Value above = b.create<arith::CmpFOp>(arith::CmpFPredicate::OGT,
                                        candidate.columns[0], score);
  Value equal = b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ,
                                        candidate.columns[0], score);
  Value later = b.create<arith::CmpIOp>(arith::CmpIPredicate::sgt,
                                        candidate.columns[1], id);
  return b.create<arith::OrIOp>(above, b.create<arith::AndIOp>(equal, later));
}

/// Inserts one candidate of each row into the row's list, from its end on. The
/// place k takes what was at k - 1 if the candidate stands before that.
void KernelEmitter::insertCandidate(const Candidate &candidate) {
  int64_t count = typeOf(candidate.lists[0]).getDimSize(1);
  auto load = [&](Value k) {
    SmallVector<Value> held;
    for (auto [list, place] :
         llvm::zip_equal(candidate.lists, candidate.places))
      held.push_back(loadColumns(list, place, k, 1));
    return held;
  };
  auto store = [&](Value k, Value moves, ValueRange yes, ValueRange no) {
    for (auto [list, place, a, c] :
         llvm::zip_equal(candidate.lists, candidate.places, yes, no))
      storeColumns(list, place, k, b.create<arith::SelectOp>(moves, a, c));
  };
  SmallVector<Value> state = load(i64(count - 1));
  state.push_back(standsBefore(candidate, state[0], state[1]));
  state = loop(count - 1, 1, state, [&](Value step, ValueRange carried) {
    Value k = b.create<arith::SubIOp>(i64(count - 1), step);
    SmallVector<Value> held(carried.drop_back());
    SmallVector<Value> above = load(b.create<arith::SubIOp>(k, i64(1)));
    Value passes = standsBefore(candidate, above[0], above[1]);
    // Here the candidate, or what was above it, or what is there.
    SmallVector<Value> taken;
    for (auto [mine, old] : llvm::zip_equal(candidate.columns, above))
      taken.push_back(b.create<arith::SelectOp>(passes, old, mine));
    store(k, carried.back(), taken, held);
    above.push_back(passes);
    return above;
  });
  store(i64(0), state.back(), candidate.columns, ValueRange(state).drop_back());
}

void KernelEmitter::emitTopK(tile::TopKOp op) {
  SmallVector<Value> sources{op.getScores()}, olds{op.getBest(), op.getWhich()};
  llvm::append_range(sources, op.getCarried());
  llvm::append_range(olds, op.getHeld());
  for (Value source : sources)
    if (llvm::any_of(olds, [&](Value old) { return dependsOn(source, old); }))
      materialize(source);
  Candidate candidate;
  llvm::append_range(candidate.lists, op.getResults());
  SmallVector<Value> taken;
  for (Value source : sources)
    if (Value place = tiles.lookup(source))
      taken.push_back(place);
  for (auto [result, old] : llvm::zip_equal(op.getResults(), olds))
    candidate.places.push_back(replace(result, old, op, taken));

  int64_t count = typeOf(op.getBest()).getDimSize(1);
  int64_t lanes = lanesOf(op.getScores());
  Value never = splat(b.create<arith::ConstantOp>(b.getF32FloatAttr(
                          -std::numeric_limits<float>::infinity())),
                      lanes);
  forEachColumn(op.getScores(), {1, 1}, {}, [&](int64_t, Value index, auto &) {
    Scope scope{Form::Column, index, lanes};
    candidate.columns = {evaluate(op.getScores(), scope),
                         splat(element(op.getIds(), index), lanes)};
    for (Value value : op.getCarried())
      candidate.columns.push_back(evaluate(value, scope));
    Value score = candidate.columns[0];
    Value last =
        loadColumns(op.getNewBest(), candidate.places[0], i64(count - 1), 1);
    Value counts =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, score, never);
    Value reaches =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OGE, score, last);
    auto branch = b.create<scf::IfOp>(
        anyLane(b.create<arith::AndIOp>(counts, reaches)), /*withElse=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    // What does not count is told from an empty place by nothing but its id.
    Value none = splat(
        b.create<arith::ConstantIntOp>(std::numeric_limits<int32_t>::min(), 32),
        lanes);
    candidate.columns[1] =
        b.create<arith::SelectOp>(counts, candidate.columns[1], none);
    insertCandidate(candidate);
  });
  settle(op.getResults(), candidate.places);
}

//===----------------------------------------------------------------------===//
// Counts of bins
//===----------------------------------------------------------------------===//

/// One after the other. What has no bin is counted behind the last one.
void KernelEmitter::emitTally(tile::TallyOp op) {
  Type i32 = b.getI32Type();
  int64_t bins = typeOf(op.getCounts()).getDimSize(0);
  int64_t lanes = paddedRows(bins, shape),
          length = typeOf(op.getBins()).getDimSize(0);
  auto type = VectorType::get({lanes}, i32);
  Value own = elementsOf(op.getBins());
  Value counts = allocate(i32, lanes + 1);
  Value before = allocate(i32, paddedRows(length, shape));
  storeVector(b.create<arith::ConstantOp>(b.getZeroAttr(type)), counts, 4);
  Value limit = b.create<arith::ConstantIntOp>(bins, 32);
  Value none = b.create<arith::ConstantIntOp>(lanes, 32);
  Value zero = b.create<arith::ConstantIntOp>(0, 32);
  Value one = b.create<arith::ConstantIntOp>(1, 32);
  loop(length, 1, {}, [&](Value row, ValueRange) {
    Value bin = loadVector(i32, address(i32, own, row), 0);
    Value valid =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, bin, limit);
    Value slot = b.create<arith::SelectOp>(valid, bin, none);
    Value place =
        address(i32, counts, b.create<arith::ExtUIOp>(b.getI64Type(), slot));
    Value count = loadVector(i32, place, 0);
    storeVector(b.create<arith::AddIOp>(count, one), place, 0);
    storeVector(b.create<arith::SelectOp>(valid, count, zero),
                address(i32, before, row), 0);
    return SmallVector<Value>();
  });
  for (auto [result, place] :
       {std::pair(op.getBefore(), before), std::pair(op.getCounts(), counts)}) {
    elements[result] = place;
    vectors[result] = loadVector(vectorType(result), place, 4);
  }
}
