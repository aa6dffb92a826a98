// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- UseWgmma.cpp - Products of a warpgroup -----------------------------===//

#include "dialects/Tile/Transforms/UseWgmma.h"

#include "dialects/Tile/IR/Layout.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/SharedReads.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace ramify::tile;

/// Of a warpgroup.
static constexpr int64_t kRows = 64, kWarps = 4;
static constexpr int64_t kMostColumns = 256;
static constexpr int64_t kSwizzle = 128, kStep = 16;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The read of `operand` if wgmma can read there itself: rows in blocks of 128
/// bytes with a swizzle of that size.
static LoadSharedOp getSharedOperand(Value operand, DotOp dot) {
  auto load = operand.getDefiningOp<LoadSharedOp>();
  if (!load || !canReadLater(load, dot))
    return nullptr;
  auto buffer = cast<MemRefType>(load.getSource().getType());
  auto shared = cast<SharedAttr>(buffer.getMemorySpace());
  int64_t rowBytes = buffer.getDimSize(2) * buffer.getElementTypeBitWidth() / 8;
  bool fits = shared.getSwizzle() == kSwizzle && !shared.getPad() &&
              rowBytes % kSwizzle == 0;
  return fits ? load : nullptr;
}

/// Whether all warps of the kernel hold `type` as wgmma does.
static bool hasLayoutOfWarpgroups(RankedTensorType type, int64_t warps) {
  return type.getDimSize(0) * kWarps == warps * kRows &&
         Layout::of(type) == wgmmaAccumulator(type.getDimSize(0), //
                                              type.getDimSize(1));
}

namespace {
/// A product that can be one of wgmma, and where its operands are.
struct Candidate {
  DotOp dot;
  LoadSharedOp lhs, rhs; ///< lhs null if it is in registers
};
} // namespace

static std::optional<Candidate> getCandidate(DotOp dot, int64_t warps) {
  RankedTensorType lhs = tensorType(dot.getLhs()), acc = dot.getType();
  int64_t columns = acc.getDimSize(1), depth = lhs.getDimSize(1);
  if (lhs.getElementTypeBitWidth() != 16 || columns % 8 ||
      columns > kMostColumns || depth % kStep ||
      !hasLayoutOfWarpgroups(acc, warps))
    return std::nullopt;
  Candidate candidate{dot, nullptr, getSharedOperand(dot.getRhs(), dot)};
  if (!candidate.rhs || candidate.rhs.getTransposed())
    return std::nullopt;
  candidate.lhs = getSharedOperand(dot.getLhs(), dot);
  if (!candidate.lhs && (dot.getLhs().getDefiningOp<LoadSharedOp>() ||
                         !hasLayoutOfWarpgroups(lhs, warps)))
    return std::nullopt;
  return candidate;
}

static WgmmaWaitOp replace(const Candidate &candidate) {
  DotOp dot = candidate.dot;
  LoadSharedOp lhs = candidate.lhs, rhs = candidate.rhs;
  OpBuilder builder(dot);
  Value left = dot.getLhs();
  if (lhs)
    left = lhs.getSource();
  Value stage = lhs ? lhs.getStage() : Value();
  auto started = builder.create<WgmmaOp>(dot.getLoc(), dot.getType(),
                                         lhs && lhs.getTransposed(), left,
                                         dot.getTransposed(), rhs.getSource(),
                                         rhs.getStage(), dot.getAcc(), stage);
  auto wait = builder.create<WgmmaWaitOp>(dot.getLoc(), /*pending=*/0,
                                          started.getResult());
  dot.getResult().replaceAllUsesWith(wait.getResult());
  dot.erase();
  for (LoadSharedOp load : {lhs, rhs})
    if (load && load->use_empty())
      load.erase();
  return wait;
}

/// The first operation behind `wait` that it must stand before: one that needs
/// the product, or lets others overwrite what it reads.
static Operation *findEnd(WgmmaWaitOp wait) {
  for (Operation *op = wait->getNextNode();; op = op->getNextNode()) {
    bool needs = llvm::any_of(wait->getUsers(), [&](Operation *user) {
      return op->isAncestor(user);
    });
    if (needs || op->hasTrait<OpTrait::IsTerminator>() ||
        isa<BarrierOp, StoreSharedOp, CopyAsyncOp>(op) || op->getNumRegions())
      return op;
  }
}

/// Lets the waits of a block stand as late as they can, each for the products
/// up to its own. What an earlier wait has waited for is not under way.
static void delayWaits(Block &block, ArrayRef<WgmmaWaitOp> waits) {
  for (WgmmaWaitOp wait : waits)
    wait->moveBefore(findEnd(wait));
  llvm::DenseMap<Operation *, int64_t> numbers;
  int64_t started = 0, finished = 0;
  for (Operation &op : block) {
    if (isa<WgmmaOp>(op))
      numbers[&op] = ++started;
    if (auto wait = dyn_cast<WgmmaWaitOp>(op)) {
      int64_t own = numbers.lookup(wait.getInput().getDefiningOp());
      finished = std::max(finished, own);
      wait.setPending(started - finished);
    }
  }
}

static void useWgmma(KernelOp kernel) {
  auto warps = kernel->getAttrOfType<IntegerAttr>(kWarpsAttrName);
  if (!warps || warps.getInt() % kWarps)
    return;
  SmallVector<Candidate> candidates;
  kernel.walk([&](DotOp dot) {
    if (std::optional<Candidate> candidate = getCandidate(dot, warps.getInt()))
      candidates.push_back(*candidate);
  });
  llvm::MapVector<Block *, SmallVector<WgmmaWaitOp>> waits;
  for (const Candidate &candidate : candidates)
    waits[candidate.dot->getBlock()].push_back(replace(candidate));
  for (auto &[block, own] : waits)
    delayWaits(*block, own);
}

namespace {
struct UseWgmmaPass : PassWrapper<UseWgmmaPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(UseWgmmaPass)

  StringRef getArgument() const final { return "tile-use-wgmma"; }
  StringRef getDescription() const final {
    return "Let warpgroups multiply what is in shared memory";
  }
  void runOnOperation() final { useWgmma(getOperation()); }
};
} // namespace

std::unique_ptr<Pass> ramify::tile::createUseWgmmaPass() {
  return std::make_unique<UseWgmmaPass>();
}

void ramify::tile::registerUseWgmmaPass() {
  registerPass([] { return createUseWgmmaPass(); });
}
