// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChooseResidency.cpp - How many programs an SM should hold ----------===//

#include "ramify/Conversion/ChooseResidency.h"

#include "dialects/Tile/IR/Layout.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/SharedReads.h"
#include "ramify/Conversion/KernelABI.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

/// Addresses, counters and statistics of rows.
static constexpr int64_t kOthers = 48;
/// The large and small parts of factors of f32.
static constexpr int64_t kSplitting = 64;
/// The scores of 64 keys for 16 rows.
static constexpr int64_t kFewScores = 32;
/// Products that are made beside the accumulators that they are added to.
static constexpr int64_t kPartialSums = 32;

namespace {
/// Registers that a thread needs, roughly.
class RegisterEstimate {
public:
  explicit RegisterEstimate(KernelOp kernel) {
    kernel.walk([&](DotOp dot) { add(dot); });
    kernel.walk([&](WgmmaOp product) { add(product); });
    kernel.walk([&](TopKOp topk) { add(topk); });
    kernel.walk([&](ReduceOp reduce) { add(reduce); });
    kernel.walk([&](StoreSharedOp store) { add(store); });
    kernel.walk([&](KeepBestOp keep) { add(keep); });
    kernel.walk([&](scf::ForOp loop) { add(loop); });
  }
  /// None if there are no products.
  std::optional<int64_t> get() const;
  /// Whether few registers are enough for a tile of scores and what is made of
  /// it, beside which no sums stand.
  bool isLight() const {
    return !always && passes.empty() && outputs && scores <= kFewScores;
  }

private:
  void add(DotOp dot);
  void add(WgmmaOp product);
  void add(TopKOp topk);
  void add(ReduceOp reduce);
  void add(StoreSharedOp store);
  void add(KeepBestOp keep);
  void add(scf::ForOp loop);
  int64_t &getCounter(Operation *product, bool transposed, Value acc);
  void count(Value value, int64_t times, int64_t &registers);

  int64_t always = 0;
  /// Scores, and products of them that are written out: not at the same time.
  int64_t scores = 0, outputs = 0;
  /// Loops in a loop, the passes over a chunk, follow each other.
  llvm::DenseMap<Operation *, int64_t> passes;
  llvm::DenseSet<Value> counted;
  bool isF32 = false, isSeparate = false;
};
} // namespace

void RegisterEstimate::count(Value value, int64_t times, int64_t &registers) {
  auto type = cast<RankedTensorType>(value.getType());
  std::optional<Layout> layout = Layout::of(type);
  if (layout && counted.insert(value).second)
    registers +=
        times * layout->numRegisters() * type.getElementTypeBitWidth() / 32;
}

static bool isZero(Value value) {
  return value.getDefiningOp<arith::ConstantOp>();
}

/// Whether a product, scaled or not, becomes part of a sum in registers.
static bool isAddedUp(Value product) {
  return llvm::any_of(product.getUsers(), [](Operation *user) {
    return isa<arith::AddFOp>(user) || (isa<arith::MulFOp, WgmmaWaitOp>(user) &&
                                        isAddedUp(user->getResult(0)));
  });
}

int64_t &RegisterEstimate::getCounter(Operation *product, bool transposed,
                                      Value acc) {
  auto loop = product->getParentOfType<scf::ForOp>();
  if (loop && loop->getParentOfType<scf::ForOp>())
    return passes[loop];
  if (transposed)
    return scores;
  bool isOutput = isZero(acc) && !isAddedUp(product->getResult(0));
  return isOutput ? outputs : always;
}

void RegisterEstimate::add(DotOp dot) {
  isF32 |=
      cast<RankedTensorType>(dot.getLhs().getType()).getElementType().isF32();
  count(dot.getResult(), 1, getCounter(dot, dot.getTransposed(), dot.getAcc()));
  if (dot.getLhs().getDefiningOp<GatherOp>())
    count(dot.getLhs(), isF32 ? 2 : 1, always);
  // A sum from zero inside a loop is added to another.
  isSeparate |= !dot.getTransposed() && isZero(dot.getAcc());
}

/// No fragments stand in registers.
void RegisterEstimate::add(WgmmaOp product) {
  count(product.getResult(), 1,
        getCounter(product, product.getTransposed(), product.getAcc()));
}

/// Lists stand beside what moves in them, candidates beside their numbers.
void RegisterEstimate::add(TopKOp topk) {
  for (Value list : topk.getResults())
    count(list, 2, always);
  count(topk.getIds(), 1, always);
  for (Value value : topk.getCarried())
    count(value, 1, always);
}

/// What is reduced across warps stands beside the two that it was computed of.
void RegisterEstimate::add(ReduceOp reduce) {
  std::optional<Layout> layout = Layout::of(reduce.getInput().getType());
  if (layout && layout->rank() == 2 && layout->getWarps()[reduce.getAxis()] > 1)
    count(reduce.getInput(), 3, scores);
}

/// What is computed for all warps and read as it is; lists count by themselves.
void RegisterEstimate::add(StoreSharedOp store) {
  if (isList(store.getTarget()))
    return;
  for (Operation *user : store.getTarget().getUsers())
    if (auto load = dyn_cast<LoadSharedOp>(user); load && load.getTransposed())
      return;
  count(store.getValue(), 1, scores);
}

/// Lists are read in the end, one beside what is made of another.
void RegisterEstimate::add(KeepBestOp keep) {
  auto list = cast<MemRefType>(keep.getBest().getType());
  always += 2 * list.getDimSize(2) / 2;
  count(keep.getIds(), 1, always);
  for (Value value : keep.getCarried())
    count(value, 1, always);
}

/// The largest or smallest scores of all heads stand beside those of one.
void RegisterEstimate::add(scf::ForOp loop) {
  if (!loop->getParentOfType<scf::ForOp>())
    return;
  for (auto [argument, yielded] :
       llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues())) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    Operation *made = yielded.getDefiningOp();
    if (type && type.getRank() == 2 &&
        isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp,
                        arith::MinNumFOp>(made))
      count(argument, 1, passes[loop]);
  }
}

std::optional<int64_t> RegisterEstimate::get() const {
  int64_t most = 0;
  for (auto [loop, own] : passes)
    most = std::max(most, own);
  int64_t tiles = always + most +
                  (isLight() ? std::max(scores, outputs) : scores + outputs);
  if (!tiles)
    return std::nullopt;
  return tiles + kOthers + (isF32 ? kSplitting : 0) +
         (isSeparate && !isLight() ? kPartialSums : 0);
}

static int64_t countSharedBytes(KernelOp kernel) {
  int64_t bytes = 0;
  kernel.walk([&](Operation *op) {
    if (auto alloc = dyn_cast<AllocSharedOp>(op))
      bytes += getAllocatedBytes(cast<MemRefType>(alloc.getType()));
    else if (isa<AllocMBarriersOp>(op))
      bytes += kSharedAlignment;
  });
  return bytes;
}

/// Whether all products are scores of chunks, made by mma of 16 bits: nothing
/// stands beside them but short lists. ptxas, told of programs, hoists there
/// until it spills; told nothing, it takes no more than three of 64 rows have.
static bool isWalk(KernelOp kernel) {
  bool hasScores = false;
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    auto dot = dyn_cast<DotOp>(op);
    if (!dot)
      return failure(isa<WgmmaOp, KeepBestOp>(op));
    hasScores |= dot->getParentOfType<scf::ForOp>() != nullptr;
    Type element = getElementTypeOrSelf(dot.getLhs().getType());
    return failure(!dot.getTransposed() || element.isF32());
  });
  return hasScores && !result.wasInterrupted();
}

static void chooseResidency(KernelOp kernel, const GPUTarget &target) {
  if (kernel->hasAttr(kMinCTAsAttrName))
    return;
  Builder b(kernel.getContext());
  if (isWalk(kernel))
    return kernel->setAttr(kMinCTAsAttrName, b.getI32IntegerAttr(kAnyCTAs));
  RegisterEstimate estimate(kernel);
  std::optional<int64_t> registers = estimate.get();
  if (!registers)
    return;
  auto warps = kernel->getAttrOfType<IntegerAttr>(kWarpsAttrName);
  int threads = kWarpSize * (warps ? warps.getInt() : 1);
  // A quarter more, for the arithmetic that the estimate knows nothing of; less
  // where no sums stand beside what it makes.
  int64_t eighths = estimate.isLight() ? 9 : 10;
  int wanted = std::min<int64_t>(*registers * eighths / 8, kRegistersPerThread);
  int resident =
      residentCTAs(target, threads, wanted, countSharedBytes(kernel));
  kernel->setAttr(kMinCTAsAttrName, b.getI32IntegerAttr(std::max(resident, 1)));
}

namespace {
struct ChooseResidencyPass
    : PassWrapper<ChooseResidencyPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ChooseResidencyPass)

  ChooseResidencyPass() = default;
  ChooseResidencyPass(const ChooseResidencyPass &other) : PassWrapper(other) {}
  explicit ChooseResidencyPass(const GPUTarget &gpu) {
    target = std::string(gpu.name);
  }

  StringRef getArgument() const override { return "tile-choose-residency"; }
  StringRef getDescription() const override {
    return "Say how many programs an SM of the target should hold at once";
  }
  void runOnOperation() override {
    const GPUTarget *known = findTarget(target.getValue());
    if (!known) {
      getOperation().emitError("there is no target \"") << target << "\"";
      return signalPassFailure();
    }
    chooseResidency(getOperation(), *known);
  }

  Option<std::string> target{*this, "target",
                             llvm::cl::desc("GPU architecture, e.g. sm_90a"),
                             llvm::cl::init("sm_80")};
};
} // namespace

std::unique_ptr<Pass>
ramify::createChooseResidencyPass(const GPUTarget &target) {
  return std::make_unique<ChooseResidencyPass>(target);
}

void ramify::registerChooseResidencyPass() {
  PassRegistration<ChooseResidencyPass>();
}
