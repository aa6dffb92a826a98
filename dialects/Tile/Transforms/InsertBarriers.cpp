// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InsertBarriers.cpp - Threads that wait for each other --------------===//

#include "dialects/Tile/Transforms/InsertBarriers.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// Reads where they are used
//===----------------------------------------------------------------------===//

static bool writesTo(Operation *op, Value buffer) {
  if (auto copy = dyn_cast<CopyAsyncOp>(op))
    return copy.getTarget() == buffer;
  if (auto store = dyn_cast<StoreSharedOp>(op))
    return store.getTarget() == buffer;
  return op->getNumRegions() != 0;
}

/// The product in the block of `load` before which `use` may be read just as
/// well; null if there is none.
static Operation *findProduct(LoadSharedOp load, OpOperand &use) {
  Operation *dot = use.getOwner();
  if (!isa<DotOp>(dot) || dot->getBlock() != load->getBlock())
    return nullptr;
  for (Operation *op = load->getNextNode(); op != dot; op = op->getNextNode())
    if (writesTo(op, load.getSource()))
      return nullptr;
  return dot;
}

/// A product reads an operand piece by piece if nothing stands between: each
/// gets a read of its own, behind the waits for the other operand.
static void readWhereUsed(LoadSharedOp load) {
  for (OpOperand &use : llvm::make_early_inc_range(load->getUses())) {
    Operation *dot = findProduct(load, use);
    if (!dot)
      continue;
    OpBuilder builder(dot);
    use.set(builder.clone(*load)->getResult(0));
  }
  if (load->use_empty())
    load.erase();
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

namespace {

enum Access : unsigned { None = 0, Read = 1, Write = 2, Add = 4, Fetch = 8 };

/// What has been done to each array since the last barrier.
class Pending {
public:
  bool conflicts(Value array, unsigned access) const {
    unsigned before = accesses.lookup(array);
    unsigned both = before | access;
    return before && both != Read && both != Add && both != Fetch;
  }
  void add(Value array, unsigned access) { accesses[array] |= access; }
  void clear() { accesses.clear(); }
  void join(const Pending &other) {
    for (auto [array, access] : other.accesses)
      accesses[array] |= access;
  }

private:
  llvm::DenseMap<Value, unsigned> accesses;
};

} // namespace

/// The array that `op` accesses, and how.
static std::pair<Value, unsigned> accessOf(Operation *op) {
  using Result = std::pair<Value, unsigned>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<GatherOp, LookupOp, CopyAsyncOp, LoadSharedOp>(
          [](auto op) -> Result { return {op.getSource(), Read}; })
      .Case([](memref::LoadOp op) -> Result { return {op.getMemRef(), Read}; })
      .Case<ScatterOp, StoreSharedOp>(
          [](auto op) -> Result { return {op.getTarget(), Write}; })
      .Case(
          [](memref::StoreOp op) -> Result { return {op.getMemRef(), Write}; })
      .Case([](FetchAddOp op) -> Result { return {op.getTarget(), Fetch}; })
      .Case([](ReduceIntoOp op) -> Result {
        // An owner's floats are read and written back.
        bool commutes = op.getOrder() == Order::Free ||
                        op.getValue().getType().getElementType().isInteger();
        return {op.getTarget(), commutes ? Add : Write};
      })
      .Default([](Operation *) -> Result { return {Value(), None}; });
}

/// Before `op` and the reads of the same product's other operand.
static void insertBarrier(Operation *op, Pending &pending) {
  pending.clear();
  while (auto load = dyn_cast_or_null<LoadSharedOp>(op->getPrevNode())) {
    op = load;
    pending.add(load.getSource(), Read);
  }
  OpBuilder(op).create<BarrierOp>(op->getLoc());
}

/// The array itself, where `array` is a view of it.
static Value rootOf(Value array) {
  while (auto view = array.getDefiningOp<memref::ExpandShapeOp>())
    array = view.getSrc();
  return array;
}

static void process(Block &block, Pending &pending);

/// A loop comes back to its beginning with what its end has left.
static void processLoop(Block &body, Pending &pending) {
  Pending first = pending;
  process(body, first);
  first.join(pending);
  process(body, first);
  pending.join(first);
}

static void processBranches(scf::IfOp op, Pending &pending) {
  Pending after = op.getElseRegion().empty() ? pending : Pending();
  for (Region &region : op->getRegions()) {
    if (region.empty())
      continue;
    Pending inside = pending;
    process(region.front(), inside);
    after.join(inside);
  }
  pending = after;
}

static void process(Block &block, Pending &pending) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (isa<BarrierOp, SignalOp, AwaitOp>(op)) {
      pending.clear();
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      processLoop(*loop.getBody(), pending);
    } else if (auto drain = dyn_cast<DrainOp>(op)) {
      // All meet when a unit is taken, also when there is none left.
      pending.clear();
      process(drain.getBody().front(), pending);
      pending.clear();
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      processBranches(branch, pending);
    } else if (auto [found, access] = accessOf(&op); found) {
      Value array = rootOf(found);
      if (pending.conflicts(array, access))
        insertBarrier(&op, pending);
      pending.add(array, access);
    }
  }
}

namespace {
struct InsertBarriersPass
    : PassWrapper<InsertBarriersPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(InsertBarriersPass)

  StringRef getArgument() const final { return "tile-insert-barriers"; }
  StringRef getDescription() const final {
    return "Put barriers between accesses of different threads";
  }
  void runOnOperation() final {
    SmallVector<LoadSharedOp> loads;
    getOperation().walk([&](LoadSharedOp load) { loads.push_back(load); });
    for (LoadSharedOp load : loads)
      readWhereUsed(load);
    Pending pending;
    process(getOperation().getBody().front(), pending);
  }
};
} // namespace

std::unique_ptr<Pass> ramify::tile::createInsertBarriersPass() {
  return std::make_unique<InsertBarriersPass>();
}

void ramify::tile::registerInsertBarriersPass() {
  registerPass([] { return createInsertBarriersPass(); });
}
