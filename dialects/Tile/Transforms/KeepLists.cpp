// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KeepLists.cpp - Lists of the best in shared memory -----------------===//

#include "dialects/Tile/Transforms/KeepLists.h"

#include "dialects/Tile/IR/Layout.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/SharedBuffers.h"
#include "dialects/Tile/Transforms/StageThroughShared.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

#include <limits>

using namespace mlir;
using namespace ramify::tile;

/// Registers of a thread that lists may take: less if they are long, since all
/// places move at each pick. Where a warp has 16 rows two lists of 32 places
/// take 32.
static constexpr int64_t kMostRegisters = 40, kMostOfLong = 28;
/// Places of a list that is not long.
static constexpr int64_t kShort = 16;

//===----------------------------------------------------------------------===//
// Which lists
//===----------------------------------------------------------------------===//

static bool listsTakeManyRegisters(TopKOp op) {
  int64_t registers = 0;
  for (Value list : op.getResults())
    registers += Layout::of(list.getType())->numRegisters();
  int64_t places = cast<RankedTensorType>(op.getBest().getType()).getDimSize(1);
  return registers > (places > kShort ? kMostOfLong : kMostRegisters);
}

/// Whether the lists begin empty before a loop and nobody but the next turn
/// looks at them in it.
static bool isWalk(TopKOp op) {
  auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
  Layout scores = *Layout::of(op.getScores().getType());
  auto warps = op->getParentOfType<KernelOp>()->getAttrOfType<IntegerAttr>(
      kWarpsAttrName);
  // Each warp has rows to itself.
  if (!loop || !warps || scores.numWarps() != warps.getInt() ||
      scores.getWarps()[1] != 1)
    return false;
  SmallVector<Value> lists{op.getBest(), op.getWhich()};
  llvm::append_range(lists, op.getHeld());
  for (auto [list, result] : llvm::zip_equal(lists, op.getResults())) {
    auto argument = dyn_cast<BlockArgument>(list);
    if (!argument || argument.getOwner() != loop.getBody() ||
        !argument.hasOneUse() || !result.hasOneUse())
      return false;
    OpOperand &yielded = *loop.getTiedLoopYieldedValue(argument);
    if (yielded.get() != result ||
        !matchPattern(loop.getTiedLoopInit(argument)->get(), m_Constant()))
      return false;
  }
  return true;
}

/// A list whose rows lie in the banks as those of a product's result do not
/// meet in them (SharedBuffers.cpp has the same for transposes).
static MemRefType getListType(RankedTensorType list) {
  constexpr int64_t allBanks = 128, step = 32;
  int64_t rowBytes = list.getDimSize(1) * list.getElementTypeBitWidth() / 8;
  int64_t pad = llvm::alignTo(rowBytes, allBanks) + step - rowBytes;
  if (pad >= allBanks)
    pad -= allBanks;
  auto space = SharedAttr::get(list.getContext(), /*swizzle=*/0, pad);
  return MemRefType::get({1, list.getDimSize(0), list.getDimSize(1)},
                         list.getElementType(), AffineMap(), space);
}

static int64_t countListBytes(TopKOp op) {
  int64_t bytes = 0;
  for (Value list : op.getResults())
    bytes += llvm::alignTo(
        getAllocatedBytes(getListType(cast<RankedTensorType>(list.getType()))),
        kSharedAlignment);
  return bytes;
}

//===----------------------------------------------------------------------===//
// What becomes of them
//===----------------------------------------------------------------------===//

namespace {
/// The uses of lists behind their walk, up to what sorts them.
struct Uses {
  SortOp sort; ///< the one that all uses end in; null if there is none
  bool isByColumn = false; ///< something looks at where an element stands
};
} // namespace

static bool isSplat(Value value) { return matchPattern(value, m_Constant()); }

/// Follows the lists through elementwise operations. There is no sort if
/// something else uses them.
static Uses findUses(ValueRange lists) {
  Uses uses;
  llvm::SetVector<Value> made(lists.begin(), lists.end());
  for (size_t next = 0; next < made.size(); ++next)
    for (Operation *user : made[next].getUsers()) {
      if (auto sort = dyn_cast<SortOp>(user);
          sort && (!uses.sort || uses.sort == sort))
        uses.sort = sort;
      else if (user->hasTrait<OpTrait::Elementwise>() &&
               user->getNumResults() == 1)
        made.insert(user->getResult(0));
      else
        return {};
    }
  if (!uses.sort || uses.sort->getNumOperands() != lists.size())
    return {};
  for (Value value : made.getArrayRef().drop_front(lists.size()))
    for (Value operand : value.getDefiningOp()->getOperands())
      uses.isByColumn |= !made.contains(operand) && !isSplat(operand);
  return uses;
}

//===----------------------------------------------------------------------===//
// The rewrite
//===----------------------------------------------------------------------===//

namespace {
class ListKeeper {
public:
  explicit ListKeeper(TopKOp topk)
      : topk(topk), loop(cast<scf::ForOp>(topk->getParentOp())), builder(topk),
        loc(topk.getLoc()) {}

  void run();

private:
  void allocate();
  SmallVector<Value> findLists();
  void replaceLoop();
  void sort(ArrayRef<Value> lists, bool descending, int64_t keys);
  void replaceSort(SortOp op, ValueRange found);
  void replaceByLoads(Value list, Value buffer);

  TopKOp topk;
  scf::ForOp loop;
  OpBuilder builder;
  Location loc;
  Value zero;
  SmallVector<Value> buffers; ///< best, which, held
  SmallVector<Value> found;   ///< the results of the loop that are lists
};
} // namespace

void ListKeeper::allocate() {
  auto kernel = topk->getParentOfType<KernelOp>();
  for (Value list : topk.getResults()) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&kernel.getBody().front());
    buffers.push_back(builder.create<AllocSharedOp>(
        loc, getListType(cast<RankedTensorType>(list.getType()))));
  }
  builder.setInsertionPoint(loop);
  zero = builder.create<arith::ConstantIndexOp>(loc, 0);
}

/// A row for each of the scores', in the threads that hold them.
static Value makeRows(OpBuilder &builder, TopKOp topk, TypedAttr value) {
  auto scores = cast<RankedTensorType>(topk.getScores().getType());
  Layout rows = Layout::of(scores)->slice(1);
  RankedTensorType type = rows.encode(
      RankedTensorType::get({scores.getDimSize(0)}, value.getType()));
  return builder.create<arith::ConstantOp>(
      topk.getLoc(), DenseElementsAttr::get(type, Attribute(value)));
}

/// The same loop with the last of each row in the place of the lists.
void ListKeeper::replaceLoop() {
  SmallVector<Value> lists{topk.getBest(), topk.getWhich()};
  llvm::append_range(lists, topk.getHeld());
  llvm::SmallDenseSet<unsigned> dropped;
  for (auto [list, buffer] : llvm::zip_equal(lists, buffers)) {
    auto argument = cast<BlockArgument>(list);
    builder.create<StoreSharedOp>(loc, loop.getTiedLoopInit(argument)->get(),
                                  buffer, zero);
    found.push_back(loop.getTiedLoopResult(argument));
    dropped.insert(cast<OpResult>(found.back()).getResultNumber());
  }
  builder.create<BarrierOp>(loc); // here, rather than in each turn of the loop
  SmallVector<Value> inits;
  for (auto [number, init] : llvm::enumerate(loop.getInitArgs()))
    if (!dropped.contains(number))
      inits.push_back(init);
  unsigned kept = inits.size();
  inits.push_back(makeRows(
      builder, topk,
      builder.getF32FloatAttr(-std::numeric_limits<float>::infinity())));
  inits.push_back(makeRows(builder, topk, builder.getI32IntegerAttr(-1)));
  inits.push_back(makeRows(builder, topk, builder.getI32IntegerAttr(0)));
  auto fresh =
      builder.create<scf::ForOp>(loop.getLoc(), loop.getLowerBound(),
                                 loop.getUpperBound(), loop.getStep(), inits);
  Block *body = fresh.getBody();
  body->getOperations().splice(body->end(), loop.getBody()->getOperations());
  loop.getInductionVar().replaceAllUsesWith(fresh.getInductionVar());
  auto yield = cast<scf::YieldOp>(body->getTerminator());
  SmallVector<Value> yielded;
  unsigned next = 0;
  for (auto [number, argument] : llvm::enumerate(loop.getRegionIterArgs())) {
    if (dropped.contains(number))
      continue;
    argument.replaceAllUsesWith(fresh.getRegionIterArg(next));
    loop.getResult(number).replaceAllUsesWith(fresh.getResult(next++));
    yielded.push_back(yield.getOperand(number));
  }
  builder.setInsertionPoint(topk);
  ValueRange last = fresh.getRegionIterArgs().drop_front(kept);
  auto keep = builder.create<KeepBestOp>(
      loc, last.getTypes(), topk.getScores(), topk.getIds(), topk.getCarried(),
      buffers[0], buffers[1], ValueRange(buffers).drop_front(2), last[0],
      last[1], last[2]);
  llvm::append_range(yielded, keep.getResults());
  builder.setInsertionPoint(yield);
  builder.create<scf::YieldOp>(yield.getLoc(), yielded);
  yield.erase();
  topk->dropAllUses();
  topk.erase();
  builder.setInsertionPointAfter(fresh);
}

void ListKeeper::sort(ArrayRef<Value> lists, bool descending, int64_t keys) {
  builder.create<SortListsOp>(loc, descending, keys, lists);
}

void ListKeeper::replaceByLoads(Value list, Value buffer) {
  llvm::SmallDenseMap<Operation *, Value> loads;
  for (OpOperand &use : llvm::make_early_inc_range(list.getUses())) {
    Value &load = loads[use.getOwner()];
    if (!load) {
      OpBuilder before(use.getOwner());
      load = before.create<LoadSharedOp>(loc, list.getType(), buffer, zero,
                                         /*transposed=*/false);
    }
    use.set(load);
  }
}

/// In the lists themselves, with those of its inputs that differ from them.
void ListKeeper::replaceSort(SortOp op, ValueRange lists) {
  // Which list each input was made of.
  SmallVector<Value> ordered;
  for (Value input : op.getInputs()) {
    Value source = input;
    while (!llvm::is_contained(lists, source)) {
      Operation *made = source.getDefiningOp();
      for (Value operand : made->getOperands())
        if (!isSplat(operand) && operand.getType() == input.getType()) {
          source = operand;
          break;
        }
    }
    auto number = llvm::find(lists, source) - lists.begin();
    ordered.push_back(buffers[number]);
  }
  builder.setInsertionPoint(op);
  for (auto [input, buffer] : llvm::zip_equal(op.getInputs(), ordered))
    if (!llvm::is_contained(lists, input))
      builder.create<StoreSharedOp>(loc, input, buffer, zero);
  sort(ordered, op.getDescending(), /*keys=*/1);
  for (auto [output, buffer] : llvm::zip_equal(op.getOutputs(), ordered))
    replaceByLoads(output, buffer);
  op.erase();
}

void ListKeeper::run() {
  allocate();
  replaceLoop();
  Uses uses = findUses(found);
  if (!uses.sort || uses.isByColumn)
    sort(buffers, /*descending=*/true, /*keys=*/2);
  if (uses.sort)
    replaceSort(uses.sort, found);
  for (auto [list, buffer] : llvm::zip_equal(found, buffers))
    replaceByLoads(list, buffer);
  loop.erase();
}

static void keepLists(KernelOp kernel, int64_t sharedBytes) {
  SmallVector<TopKOp> wanted;
  kernel.walk([&](TopKOp op) {
    if (listsTakeManyRegisters(op) && isWalk(op))
      wanted.push_back(op);
  });
  for (TopKOp op : wanted)
    if (SharedBuffers::hasRoom(kernel, countListBytes(op), sharedBytes))
      ListKeeper(op).run();
}

namespace {
struct KeepListsPass : PassWrapper<KeepListsPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(KeepListsPass)

  KeepListsPass() = default;
  KeepListsPass(const KeepListsPass &other) : PassWrapper(other) {}
  explicit KeepListsPass(int64_t bytes) { sharedBytes = bytes; }

  StringRef getArgument() const override { return "tile-keep-lists"; }
  StringRef getDescription() const override {
    return "Leave long lists of the best in shared memory";
  }
  void runOnOperation() override { keepLists(getOperation(), sharedBytes); }

  Option<int64_t> sharedBytes{
      *this, "shared-bytes",
      llvm::cl::desc("Shared memory that a program may use"),
      llvm::cl::init(StagingOptions().sharedBytes)};
};
} // namespace

std::unique_ptr<Pass> ramify::tile::createKeepListsPass(int64_t sharedBytes) {
  return std::make_unique<KeepListsPass>(sharedBytes);
}

void ramify::tile::registerKeepListsPass() {
  PassRegistration<KeepListsPass>();
}
