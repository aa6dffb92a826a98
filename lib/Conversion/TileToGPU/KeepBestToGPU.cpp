// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KeepBestToGPU.cpp - The best in shared memory ----------------------===//
//
// A quad has a row of the candidates and the row's lists, which lie in shared
// memory in no order. All its lanes know the last of the list:
//
//   while any lane's candidate beats the last of its list {
//     pick = best of the quad's candidates           two steps of shuffles
//     list[place of the last] = pick                 one lane writes
//     the pick is no candidate any more
//     last = last of the list                        a quarter for each lane,
//   }                                                two steps of shuffles
//
// Only the warp has these rows, so its lanes wait for no others.
//
//===----------------------------------------------------------------------===//

#include "QuadTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <numeric>

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

static constexpr int64_t kWordBytes = 4;
/// Of eight columns a lane has two neighbours; so many blocks are looked at in
/// a turn.
static constexpr int64_t kBlock = 8, kBlocksAtOnce = 4;

Value Expander::listRow(Value list, const Layout &layout, int64_t offset) {
  SharedTile tile = sharedTile(list, Value());
  return advance(
      advance(tile.base, laneOffset(tile.layout, laneCoordinate(layout, 0),
                                    constant32(0))),
      offset * tile.layout.pitch());
}

namespace {
/// The last of a list: what stands behind all others, and where it is.
struct Last {
  Pick pick;
  Value column;
};

/// One row of a quad.
struct ListRow {
  SmallVector<unsigned> columns; ///< registers of the candidates
  SmallVector<Value> lists;      ///< where the row begins in each list
  SmallVector<Type> elements;
  int64_t length;
};

/// The loop over picks: what it carries is the candidates' scores, then the
/// last of each row.
class KeepBestLoop {
public:
  KeepBestLoop(ArrayRef<ListRow> rows, ArrayRef<Registers> carried,
               const Registers &ids, QuadEmitter &quads,
               ImplicitLocOpBuilder &b)
      : rows(rows), carried(carried), ids(ids), quads(quads), b(b) {}

  SmallVector<Last> run(const Registers &scores, ArrayRef<Last> first);

private:
  Value mul(Value value, int64_t times) {
    return b.create<arith::MulIOp>(value, quads.i32(times));
  }
  Value advance(Value pointer, Value bytes) {
    return b.create<LLVM::GEPOp>(pointer.getType(), b.getI8Type(), pointer,
                                 bytes);
  }
  void write(const ListRow &row, const Last &last, const Pick &pick);
  Last behind(const Last &x, const Last &y, bool byColumn);
  Last findLast(const ListRow &row);
  void lookAt(const ListRow &row, Value start, int64_t blocks, Last &last);
  Registers pack(const Registers &scores, ArrayRef<Last> last) const;
  void unpack(ValueRange flat, Registers &scores, SmallVector<Last> &last);
  void takeIn(ArrayRef<Pick> picks, Registers &scores, SmallVector<Last> &last);

  ArrayRef<ListRow> rows;
  ArrayRef<Registers> carried;
  const Registers &ids;
  QuadEmitter &quads;
  ImplicitLocOpBuilder &b;
};
} // namespace

//===----------------------------------------------------------------------===//
// The last of a list
//===----------------------------------------------------------------------===//

/// What stands behind the other. Empty places stand behind each other: of them
/// all lanes take that of the lower column.
Last KeepBestLoop::behind(const Last &x, const Last &y, bool byColumn) {
  Value isY = quads.standsBefore(x.pick, y.pick);
  if (byColumn) {
    Value isX = quads.standsBefore(y.pick, x.pick);
    Value lower =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, y.column, x.column);
    isY = quads.choose(isX, isY, quads.choose(lower, lower, isY));
  }
  return {{quads.choose(isY, y.pick.score, x.pick.score),
           quads.choose(isY, y.pick.id, x.pick.id)},
          quads.choose(isY, y.column, x.column)};
}

/// `blocks` of eight columns from `start`, a number of a column.
void KeepBestLoop::lookAt(const ListRow &row, Value start, int64_t blocks,
                          Last &last) {
  Value column = b.create<arith::AddIOp>(start, mul(quads.getPlace(), 2));
  Value bytes = mul(column, kWordBytes);
  auto load = [&](unsigned list, int64_t at) -> Value {
    Value place = b.create<LLVM::GEPOp>(
        row.lists[list].getType(), b.getI8Type(),
        advance(row.lists[list], bytes),
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(at * kWordBytes)});
    return b.create<LLVM::LoadOp>(VectorType::get(2, row.elements[list]), place,
                                  2 * kWordBytes);
  };
  for (int64_t block = 0; block < blocks; ++block) {
    Value scores = load(0, block * kBlock), which = load(1, block * kBlock);
    for (int64_t half : {0, 1}) {
      Value number = quads.i32(half);
      Last one{
          {b.create<LLVM::ExtractElementOp>(scores, number),
           b.create<LLVM::ExtractElementOp>(which, number)},
          b.create<arith::AddIOp>(column, quads.i32(block * kBlock + half))};
      last = behind(last, one, /*byColumn=*/false);
    }
  }
}

Last KeepBestLoop::findLast(const ListRow &row) {
  int64_t blocks = row.length / kBlock;
  int64_t atOnce = std::gcd(blocks, kBlocksAtOnce);
  // Before everything.
  SmallVector<Value> start{quads.highest(b.getF32Type()),
                           quads.highest(b.getI32Type()), quads.i32(0)};
  auto loop =
      b.create<scf::ForOp>(quads.i32(0), quads.i32(row.length),
                           quads.i32(atOnce * kBlock), ValueRange(start));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    ValueRange before = loop.getRegionIterArgs();
    Last last{{before[0], before[1]}, before[2]};
    lookAt(row, loop.getInductionVar(), atOnce, last);
    b.create<scf::YieldOp>(
        ValueRange{last.pick.score, last.pick.id, last.column});
  }
  Last last{{loop.getResult(0), loop.getResult(1)}, loop.getResult(2)};
  PTX ptx(b, b.getLoc());
  for (unsigned mask : {1u, 2u}) {
    Last other{{ptx.shuffleXor(last.pick.score, mask),
                ptx.shuffleXor(last.pick.id, mask)},
               ptx.shuffleXor(last.column, mask)};
    last = behind(last, other, /*byColumn=*/true);
  }
  return last;
}

//===----------------------------------------------------------------------===//
// Picks
//===----------------------------------------------------------------------===//

void KeepBestLoop::write(const ListRow &row, const Last &last,
                         const Pick &pick) {
  SmallVector<Value> values{pick.score, pick.id};
  for (const Registers &one : carried)
    values.push_back(quads.carriedBy(row.columns, one, ids, pick.id));
  Value found = quads.before(pick.score, quads.lowest(b.getF32Type()),
                             /*orEqual=*/false);
  Value isFirst = quads.equals(quads.getPlace(), quads.i32(0));
  auto branch = b.create<scf::IfOp>(b.create<arith::AndIOp>(found, isFirst),
                                    /*withElse=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value bytes = mul(last.column, kWordBytes);
  for (auto [list, value] : llvm::zip_equal(row.lists, values))
    b.create<LLVM::StoreOp>(value, advance(list, bytes), kWordBytes);
}

void KeepBestLoop::takeIn(ArrayRef<Pick> picks, Registers &scores,
                          SmallVector<Last> &last) {
  Value none = quads.lowest(b.getF32Type());
  for (auto [row, pick, own] : llvm::zip_equal(rows, picks, last)) {
    write(row, own, pick);
    for (auto [element, number] : llvm::enumerate(row.columns))
      scores[number] = quads.choose(quads.equals(ids[element], pick.id), none,
                                    scores[number]);
  }
  PTX ptx(b, b.getLoc());
  ptx.syncWarp();
  for (auto [row, own] : llvm::zip_equal(rows, last))
    own = findLast(row);
  ptx.syncWarp();
}

//===----------------------------------------------------------------------===//
// All picks of a tile
//===----------------------------------------------------------------------===//

Registers KeepBestLoop::pack(const Registers &scores,
                             ArrayRef<Last> last) const {
  Registers flat(scores);
  for (const Last &one : last)
    flat.append({one.pick.score, one.pick.id, one.column});
  return flat;
}

void KeepBestLoop::unpack(ValueRange flat, Registers &scores,
                          SmallVector<Last> &last) {
  auto front = flat.take_front(scores.size());
  scores.assign(front.begin(), front.end());
  flat = flat.drop_front(scores.size());
  for (Last &one : last) {
    one = {{flat[0], flat[1]}, flat[2]};
    flat = flat.drop_front(3);
  }
}

SmallVector<Last> KeepBestLoop::run(const Registers &candidates,
                                    ArrayRef<Last> first) {
  Registers scores = candidates;
  SmallVector<Last> last(first);
  Registers before = pack(scores, last);
  SmallVector<Type> types = llvm::to_vector(ValueRange(before).getTypes());
  size_t stateSize = types.size();
  for (size_t row = 0; row < rows.size(); ++row)
    types.append({b.getF32Type(), b.getI32Type()});
  auto loop = b.create<scf::WhileOp>(types, before);
  SmallVector<Location> stateLocs(stateSize, b.getLoc());
  SmallVector<Location> allLocs(types.size(), b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  Block *condition = b.createBlock(
      &loop.getBefore(), {}, ArrayRef(types).take_front(stateSize), stateLocs);
  unpack(condition->getArguments(), scores, last);
  Registers forwarded = pack(scores, last);
  Value any;
  for (auto [row, own] : llvm::zip_equal(rows, last)) {
    Pick pick = quads.bestOfRow(row.columns, scores, ids, own.pick);
    forwarded.append({pick.score, pick.id});
    Value found = quads.before(pick.score, quads.lowest(b.getF32Type()),
                               /*orEqual=*/false);
    any = any ? b.create<arith::OrIOp>(any, found).getResult() : found;
  }
  b.create<scf::ConditionOp>(PTX(b, b.getLoc()).anyLane(any), forwarded);
  Block *body = b.createBlock(&loop.getAfter(), {}, types, allLocs);
  unpack(body->getArguments().take_front(stateSize), scores, last);
  SmallVector<Pick> picks;
  for (size_t row = 0; row < rows.size(); ++row)
    picks.push_back({body->getArgument(stateSize + 2 * row),
                     body->getArgument(stateSize + 2 * row + 1)});
  takeIn(picks, scores, last);
  b.create<scf::YieldOp>(pack(scores, last));
  unpack(loop.getResults().take_front(stateSize), scores, last);
  return last;
}

LogicalResult Expander::expandKeepBest(KeepBestOp op) {
  auto scores = QuadTile::of(op.getScores().getType());
  if (!scores)
    return op.emitOpError("expected candidates in quads");
  Layout layout = *Layout::of(op.getScores().getType());
  auto numbers = registersByOffset(*Layout::of(op.getWorst().getType()));
  SmallVector<Value> lists{op.getBest(), op.getWhich()};
  llvm::append_range(lists, op.getHeld());
  SmallVector<ListRow> rows;
  SmallVector<Last> last;
  SmallVector<unsigned> places; ///< of each row, in vectors
  for (ArrayRef<unsigned> columns : scores->rows) {
    int64_t offset = layout.offset(columns[0])[0];
    ListRow &row = rows.emplace_back();
    row.columns.assign(columns.begin(), columns.end());
    for (Value list : lists) {
      auto type = cast<MemRefType>(list.getType());
      row.lists.push_back(listRow(list, layout, offset));
      row.elements.push_back(type.getElementType());
      row.length = type.getDimSize(2);
    }
    places.push_back(numbers.at(Coords{offset}));
    last.push_back({{registers(op.getWorst())[places.back()],
                     registers(op.getWorstId())[places.back()]},
                    registers(op.getPlace())[places.back()]});
  }
  SmallVector<Registers> carried;
  for (Value value : op.getCarried())
    carried.push_back(registers(value));
  Registers ids = idsOfRow(op.getScores(), op.getIds(), scores->rows[0]);
  ImplicitLocOpBuilder b(loc, builder);
  QuadEmitter quads(b, lane());
  last = KeepBestLoop(rows, carried, ids, quads, b)
             .run(registers(op.getScores()), last);
  Registers worst(places.size()), worstId(places.size()), place(places.size());
  for (auto [number, one] : llvm::zip_equal(places, last)) {
    worst[number] = one.pick.score;
    worstId[number] = one.pick.id;
    place[number] = one.column;
  }
  tiles[op.getNewWorst()] = worst;
  tiles[op.getNewWorstId()] = worstId;
  tiles[op.getNewPlace()] = place;
  return success();
}
