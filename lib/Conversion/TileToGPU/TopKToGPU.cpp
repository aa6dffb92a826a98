// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TopKToGPU.cpp - Running lists of the best --------------------------===//
//
// The list of a row is spread over its quad like the candidates (see
// OrderToGPU.cpp): lane q has the places 2 q and 2 q + 1 of every eight. As
// long as some candidate of the warp beats the last of its row's list, each
// quad finds its best candidate, moves what stands behind it by one place and
// puts it there:
//
//   while any lane's candidate beats the last of its list {
//     pick = best of the quad's candidates           two steps of shuffles
//     list[j] = pick beats list[j - 1] ? list[j - 1] one shuffle for every
//     eight
//             : pick beats list[j]     ? pick : list[j]
//     the pick is no candidate any more
//   }
//
// The best go first, so no pick is pushed out again: a tile takes at most k
// turns, and most tiles of a long walk one or two.
//
//===----------------------------------------------------------------------===//

#include "QuadTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static constexpr int64_t kQuad = 4;

//===----------------------------------------------------------------------===//
// One pick of a row
//===----------------------------------------------------------------------===//

/// Whether x stands before y in a list of the best.
Value QuadEmitter::standsBefore(const Pick &x, const Pick &y) {
  Value above = before(x.score, y.score, /*orEqual=*/false);
  Value equal =
      b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, x.score, y.score);
  Value later = before(x.id, y.id, /*orEqual=*/false);
  return b.create<arith::OrIOp>(above, b.create<arith::AndIOp>(equal, later));
}

Pick QuadEmitter::better(const Pick &x, const Pick &y) {
  Value is = standsBefore(x, y);
  return {choose(is, x.score, y.score), choose(is, x.id, y.id)};
}

/// The best candidate of a row, in all lanes of its quad, or nothing.
Pick QuadEmitter::bestOfRow(ArrayRef<unsigned> columns, const Registers &scores,
                            const Registers &ids, const Pick &last) {
  Pick none{lowest(b.getF32Type()), lowest(b.getI32Type())};
  SmallVector<Pick> picks;
  for (auto [element, number] : llvm::enumerate(columns))
    picks.push_back({scores[number], ids[element]});
  while (picks.size() > 1) {
    SmallVector<Pick> half;
    for (size_t i = 0; i + 1 < picks.size(); i += 2)
      half.push_back(better(picks[i], picks[i + 1]));
    if (picks.size() % 2)
      half.push_back(picks.back());
    picks = half;
  }
  // A NaN stands before nothing, and nothing before it.
  Pick best = better(picks[0], none);
  PTX ptx(b, b.getLoc());
  for (unsigned mask : {1u, 2u})
    best = better(
        {ptx.shuffleXor(best.score, mask), ptx.shuffleXor(best.id, mask)},
        best);
  Value counts =
      b.create<arith::AndIOp>(before(best.score, none.score, /*orEqual=*/false),
                              standsBefore(best, last));
  return {choose(counts, best.score, none.score),
          choose(counts, best.id, none.id)};
}

/// What stands before this lane's element number `element`: the last of all
/// lanes, moved by one. `top` stands before the first.
Registers QuadEmitter::shifted(ArrayRef<unsigned> columns,
                               const Registers &values, Value top) {
  Value source = b.create<arith::OrIOp>(
      first, b.create<arith::AndIOp>(b.create<arith::SubIOp>(place, i32(1)),
                                     i32(kQuad - 1)));
  Value isFirst = equals(place, i32(0));
  Registers result;
  Value above = top;
  for (size_t block = 0; block < columns.size(); block += 2) {
    Value moved = fromLane(values[columns[block + 1]], source);
    result.push_back(choose(isFirst, above, moved));
    result.push_back(values[columns[block]]);
    above = moved;
  }
  return result;
}

/// Puts the pick and what it carries into the lists of its row.
void QuadEmitter::insert(ArrayRef<unsigned> columns, const Pick &pick,
                         ValueRange carried, MutableArrayRef<Registers> lists) {
  SmallVector<Registers> above;
  for (auto [index, list] : llvm::enumerate(lists)) {
    Type type = list[0].getType();
    Value top = index < 2 ? highest(type) : lowest(type);
    above.push_back(shifted(columns, list, top));
  }
  SmallVector<Value> own{pick.score, pick.id};
  llvm::append_range(own, carried);
  for (auto [element, number] : llvm::enumerate(columns)) {
    Value moves = standsBefore(pick, {above[0][element], above[1][element]});
    Value enters = standsBefore(pick, {lists[0][number], lists[1][number]});
    for (auto [index, list] : llvm::enumerate(lists)) {
      Value stays = choose(enters, own[index], list[number]);
      list[number] = choose(moves, above[index][element], stays);
    }
  }
}

/// What candidate `id` carries: one lane of the quad knows.
Value QuadEmitter::carriedBy(ArrayRef<unsigned> columns,
                             const Registers &values, const Registers &ids,
                             Value id) {
  Type type = values[0].getType();
  Value found = i32(0);
  for (auto [element, number] : llvm::enumerate(columns)) {
    Value bits = values[number];
    if (!bits.getType().isInteger(32))
      bits = b.create<arith::BitcastOp>(b.getI32Type(), bits);
    found = choose(equals(ids[element], id), bits, found);
  }
  PTX ptx(b, b.getLoc());
  for (unsigned mask : {1u, 2u})
    found = b.create<arith::OrIOp>(found, ptx.shuffleXor(found, mask));
  if (type.isInteger(32))
    return found;
  return b.create<arith::BitcastOp>(type, found);
}

//===----------------------------------------------------------------------===//
// All picks of a tile
//===----------------------------------------------------------------------===//

namespace {
/// The loop over picks: what it carries is the candidates' scores, then the
/// lists, all registers one after the other.
class TopKLoop {
public:
  TopKLoop(TopKOp op, const QuadTile &scores, const QuadTile &lists,
           QuadEmitter &quads, ImplicitLocOpBuilder &b)
      : op(op), scores(scores), lists(lists), quads(quads), b(b) {}

  SmallVector<Registers> run(const Registers &candidates, const Registers &ids,
                             ArrayRef<Registers> carried,
                             ArrayRef<Registers> start);

private:
  void unpack(ValueRange flat);
  Registers pack() const;
  SmallVector<Pick> findPicks();
  void insertPicks(ArrayRef<Pick> picks);

  TopKOp op;
  const QuadTile &scores, &lists;
  QuadEmitter &quads;
  ImplicitLocOpBuilder &b;
  Registers candidates, ids;
  ArrayRef<Registers> carried;
  SmallVector<Registers> held;
};
} // namespace

void TopKLoop::unpack(ValueRange flat) {
  auto take = [&](Registers &registers) {
    auto front = flat.take_front(registers.size());
    registers.assign(front.begin(), front.end());
    flat = flat.drop_front(registers.size());
  };
  take(candidates);
  for (Registers &list : held)
    take(list);
}

Registers TopKLoop::pack() const {
  Registers flat(candidates);
  for (const Registers &list : held)
    llvm::append_range(flat, list);
  return flat;
}

SmallVector<Pick> TopKLoop::findPicks() {
  SmallVector<Pick> picks;
  for (auto [columns, places] : llvm::zip_equal(scores.rows, lists.rows)) {
    Value end = quads.laneOfQuad(kQuad - 1);
    Pick last{quads.fromLane(held[0][places.back()], end),
              quads.fromLane(held[1][places.back()], end)};
    picks.push_back(quads.bestOfRow(columns, candidates, ids, last));
  }
  return picks;
}

void TopKLoop::insertPicks(ArrayRef<Pick> picks) {
  Value none = quads.lowest(b.getF32Type());
  for (auto [columns, places, pick] :
       llvm::zip_equal(scores.rows, lists.rows, picks)) {
    SmallVector<Value> along;
    for (const Registers &values : carried)
      along.push_back(quads.carriedBy(columns, values, ids, pick.id));
    quads.insert(places, pick, along, held);
    for (auto [element, number] : llvm::enumerate(columns))
      candidates[number] = quads.choose(quads.equals(ids[element], pick.id),
                                        none, candidates[number]);
  }
}

SmallVector<Registers> TopKLoop::run(const Registers &first,
                                     const Registers &columnIds,
                                     ArrayRef<Registers> values,
                                     ArrayRef<Registers> start) {
  candidates = first;
  ids = columnIds;
  carried = values;
  held.assign(start.begin(), start.end());
  Registers before = pack();
  SmallVector<Type> types = llvm::to_vector(ValueRange(before).getTypes());
  size_t stateSize = types.size();
  for (size_t row = 0; row < scores.rows.size(); ++row)
    types.append({b.getF32Type(), b.getI32Type()});
  auto loop = b.create<scf::WhileOp>(types, before);
  SmallVector<Location> stateLocs(stateSize, b.getLoc());
  SmallVector<Location> allLocs(types.size(), b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  Block *condition = b.createBlock(
      &loop.getBefore(), {}, ArrayRef(types).take_front(stateSize), stateLocs);
  unpack(condition->getArguments());
  SmallVector<Pick> picks = findPicks();
  Registers forwarded = pack();
  Value any;
  for (const Pick &pick : picks) {
    forwarded.append({pick.score, pick.id});
    Value found = quads.before(pick.score, quads.lowest(b.getF32Type()),
                               /*orEqual=*/false);
    any = any ? b.create<arith::OrIOp>(any, found).getResult() : found;
  }
  b.create<scf::ConditionOp>(PTX(b, b.getLoc()).anyLane(any), forwarded);
  Block *body = b.createBlock(&loop.getAfter(), {}, types, allLocs);
  unpack(body->getArguments().take_front(stateSize));
  for (auto [row, pick] : llvm::enumerate(picks))
    pick = {body->getArgument(stateSize + 2 * row),
            body->getArgument(stateSize + 2 * row + 1)};
  insertPicks(picks);
  b.create<scf::YieldOp>(pack());
  unpack(loop.getResults().take_front(stateSize));
  return held;
}

Registers Expander::idsOfRow(Value scores, Value ids,
                             ArrayRef<unsigned> columns) {
  Layout layout = *Layout::of(scores.getType());
  auto numbers = registersByOffset(*Layout::of(ids.getType()));
  const Registers &idOf = registers(ids);
  Registers result;
  for (unsigned number : columns)
    result.push_back(idOf[numbers.at(Coords{layout.offset(number)[1]})]);
  return result;
}

LogicalResult Expander::expandTopK(TopKOp op) {
  auto scores = QuadTile::of(op.getScores().getType());
  auto lists = QuadTile::of(op.getBest().getType());
  if (!scores || !lists || scores->rows.size() != lists->rows.size())
    return op.emitOpError("expected candidates and lists in quads");
  Registers ids = idsOfRow(op.getScores(), op.getIds(), scores->rows[0]);
  SmallVector<Registers> carried, start;
  for (Value value : op.getCarried())
    carried.push_back(registers(value));
  start = {registers(op.getBest()), registers(op.getWhich())};
  for (Value value : op.getHeld())
    start.push_back(registers(value));
  ImplicitLocOpBuilder b(loc, builder);
  QuadEmitter quads(b, lane());
  SmallVector<Registers> results =
      TopKLoop(op, *scores, *lists, quads, b)
          .run(registers(op.getScores()), ids, carried, start);
  for (auto [result, values] : llvm::zip_equal(op.getResults(), results))
    tiles[result] = values;
  return success();
}
