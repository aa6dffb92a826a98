// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InsertBarriers.cpp - Threads that wait for each other --------------===//

#include "dialects/Tile/Transforms/InsertBarriers.h"

#include "dialects/Tile/IR/Tile.h"
#include "dialects/Tile/Transforms/SharedReads.h"

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

/// A product reads an operand piece by piece if nothing stands between: each
/// gets a read of its own, behind the waits for the other operand.
static void readWhereUsed(LoadSharedOp load) {
  for (OpOperand &use : llvm::make_early_inc_range(load->getUses())) {
    Operation *dot = use.getOwner();
    if (!isa<DotOp>(dot) || !canReadLater(load, dot))
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

enum Access : unsigned {
  None = 0,
  Read = 1,
  Write = 2,
  Add = 4,
  Fetch = 8,
  Own = 16 ///< reads and writes of a warp's own rows
};

/// What has been done to each array since the last barrier.
class Pending {
public:
  bool conflicts(Value array, unsigned access) const {
    unsigned before = accesses.lookup(array);
    unsigned both = before | access;
    return before && both != Read && both != Add && both != Fetch &&
           both != Own;
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

/// The arrays that `op` accesses, and how.
using Accesses = SmallVector<std::pair<Value, unsigned>, 2>;
static Accesses accessesOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, Accesses>(op)
      .Case<GatherOp, LookupOp, CopyAsyncOp, LoadSharedOp>(
          [](auto op) -> Accesses { return {{op.getSource(), Read}}; })
      .Case([](memref::LoadOp op) -> Accesses {
        return {{op.getMemRef(), Read}};
      })
      .Case<ScatterOp, StoreSharedOp>(
          [](auto op) -> Accesses { return {{op.getTarget(), Write}}; })
      .Case([](memref::StoreOp op) -> Accesses {
        return {{op.getMemRef(), Write}};
      })
      .Case([](FetchAddOp op) -> Accesses { return {{op.getTarget(), Fetch}}; })
      .Case([](ReduceIntoOp op) -> Accesses {
        // An owner's floats are read and written back.
        bool commutes = op.getOrder() == Order::Free ||
                        op.getValue().getType().getElementType().isInteger();
        return {{op.getTarget(), commutes ? Add : Write}};
      })
      .Case([](KeepBestOp op) -> Accesses {
        Accesses lists = {{op.getBest(), Own}, {op.getWhich(), Own}};
        for (Value list : op.getHeld())
          lists.push_back({list, Own});
        return lists;
      })
      .Case([](SortListsOp op) -> Accesses {
        Accesses lists;
        for (Value list : op.getLists())
          lists.push_back({list, Own});
        return lists;
      })
      .Case([](WgmmaOp op) -> Accesses {
        Accesses reads = {{op.getRhs(), Read}};
        if (op.getLhsStage())
          reads.push_back({op.getLhs(), Read});
        return reads;
      })
      // Until then a product may still read.
      .Case([](WgmmaWaitOp op) -> Accesses {
        auto product = op.getInput().getDefiningOp<WgmmaOp>();
        return product ? accessesOf(product) : Accesses();
      })
      .Default([](Operation *) { return Accesses(); });
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
    } else {
      Accesses accesses = accessesOf(&op);
      for (auto &[array, access] : accesses)
        array = rootOf(array);
      if (llvm::any_of(accesses, [&](auto &each) {
            return pending.conflicts(each.first, each.second);
          }))
        insertBarrier(&op, pending);
      for (auto &[array, access] : accesses)
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
