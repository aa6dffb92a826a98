// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HomeLayouts.cpp - Where layouts start ------------------------------===//

#include "dialects/Tile/Transforms/HomeLayouts.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;
using namespace ramify::tile;

static constexpr int64_t kRowsPerWarp = 16;
/// Of columns that warps share.
static constexpr int64_t kColumnsPerPiece = 8;
/// Column repetitions of a vector's pretended tile; a slice drops them.
static constexpr int64_t kAnyColumns = 8;
/// More warps than that wait for each other longer than they help.
static constexpr int64_t kMostVectorWarps = 8;

static RankedTensorType tensorType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

bool ramify::tile::isElementwise(Operation *op) {
  return op->hasTrait<OpTrait::Elementwise>() && op->getNumResults() == 1;
}

//===----------------------------------------------------------------------===//
// Warps
//===----------------------------------------------------------------------===//

/// True if no tile of rank 2 is made anywhere, in registers or shared memory.
static bool hasOnlyVectors(KernelOp kernel) {
  WalkResult result = kernel.walk([](Operation *op) {
    bool found = llvm::any_of(op->getResultTypes(), [](Type type) {
      auto tile = dyn_cast<RankedTensorType>(type);
      return tile && tile.getRank() == 2;
    });
    return found || isa<AllocSharedOp>(op) ? WalkResult::interrupt()
                                           : WalkResult::advance();
  });
  return !result.wasInterrupted();
}

static int64_t warpsOfVectors(KernelOp kernel) {
  int64_t longest = 1;
  kernel.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (auto vector = dyn_cast<RankedTensorType>(type);
          vector && vector.getRank())
        longest = std::max(longest, vector.getDimSize(0));
  });
  int64_t warps = 1;
  while (warps < kMostVectorWarps && 2 * warps * Layout::lanes <= longest)
    warps *= 2;
  return warps;
}

static int64_t rowsWritten(KernelOp kernel) {
  int64_t rows = 0;
  kernel.walk([&](Operation *op) {
    Value value;
    if (auto scatter = dyn_cast<ScatterOp>(op))
      value = scatter.getValue();
    else if (auto reduce = dyn_cast<ReduceIntoOp>(op))
      value = reduce.getValue();
    if (value)
      rows = std::max(rows, tensorType(value).getDimSize(0));
  });
  return rows;
}

/// The rows of a kernel's products.
struct ProductRows {
  explicit ProductRows(KernelOp kernel) {
    kernel.walk([&](DotOp dot) {
      int64_t rows = tensorType(dot.getResult()).getDimSize(0);
      common = std::gcd(common, rows); // gcd(0, x) is x
      most = std::max(most, rows);
    });
  }
  bool isFew(Value value) const {
    RankedTensorType type = tensorType(value);
    return type && type.getRank() == 2 && type.getDimSize(0) < most;
  }

  int64_t common = 0, most = 0; ///< zero if there are no products
};

/// Whether warps can share the columns of products that have fewer rows than
/// others: if these are only summed up, reduced and written. Transposing or
/// multiplying them would move tiles between warps.
static bool sharesColumnsOfFewRows(KernelOp kernel, const ProductRows &rows) {
  if (rows.common == rows.most || rows.most % kRowsPerWarp)
    return false;
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    if (isa<ScanOp, SortOp, TopKOp, TransposeOp>(op))
      return failure(llvm::any_of(
          op->getOperands(), [&](Value value) { return rows.isFew(value); }));
    auto dot = dyn_cast<DotOp>(op);
    if (!dot)
      return success();
    Operation *left = dot.getLhs().getDefiningOp();
    Operation *right = dot.getRhs().getDefiningOp();
    if (rows.isFew(dot.getLhs()) &&
        !isa_and_nonnull<TransposeOp, LoadSharedOp>(left))
      return failure();
    if (rows.isFew(dot.getRhs()) && !isa_and_nonnull<LoadSharedOp>(right))
      return failure();
    return failure(
        rows.isFew(dot.getResult()) &&
        (dot.getTransposed() || isa_and_nonnull<TransposeOp>(right)));
  });
  return !result.wasInterrupted();
}

FailureOr<int64_t> ramify::tile::chooseWarps(KernelOp kernel) {
  if (auto attr = kernel->getAttrOfType<IntegerAttr>(kWarpsAttrName))
    return attr.getInt();
  ProductRows products(kernel);
  bool sharesColumns = sharesColumnsOfFewRows(kernel, products);
  int64_t rows = sharesColumns ? products.most : products.common;
  bool moves = sharesColumns;
  kernel.walk([&](TransposeOp) { moves = true; });
  if (!rows && hasOnlyVectors(kernel))
    return warpsOfVectors(kernel);
  if (!rows)
    rows = rowsWritten(kernel);
  if (rows % kRowsPerWarp)
    return kernel.emitOpError("expected a multiple of ")
           << kRowsPerWarp << " rows in products, found " << rows;
  int64_t warps = std::max<int64_t>(1, rows / kRowsPerWarp);
  // Columns of shared memory are dealt to warps by the bits of their number.
  return moves ? warps & -warps : warps;
}

/// A tile of sums that one warp would have too much of.
static bool isWide(Value value) {
  RankedTensorType type = tensorType(value);
  return type && type.getRank() == 2 && type.getElementType().isF32() &&
         type.getDimSize(0) == kRowsPerWarp &&
         type.getDimSize(1) > kWideColumns;
}

/// True if there are wide products of f32, and no wide tile is reduced along
/// its columns, transposed or multiplied further: that would move elements
/// between warps.
bool HomeLayouts::wantsColumnWarps(KernelOp kernel) {
  bool wanted = false;
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    if (auto reduce = dyn_cast<ReduceOp>(op))
      return failure(reduce.getAxis() == 1 && isWide(reduce.getInput()));
    if (isa<StoreSharedOp, TransposeOp, ScanOp, SortOp>(op))
      return failure(isWide(op->getOperand(0)));
    auto dot = dyn_cast<DotOp>(op);
    if (!dot)
      return success();
    bool wide = isWide(dot.getResult());
    bool isF32 = tensorType(dot.getLhs()).getElementType().isF32();
    wanted |= wide && isF32;
    return failure((wide && (!isF32 || dot.getTransposed())) ||
                   (isWide(dot.getLhs()) && home(dot.getLhs())));
  });
  return wanted && !result.wasInterrupted();
}

HomeLayouts::HomeLayouts(KernelOp kernel, int64_t rowWarps)
    : warps(rowWarps), onlyVectors(hasOnlyVectors(kernel)) {
  ProductRows products(kernel);
  if (sharesColumnsOfFewRows(kernel, products))
    mostRows = products.most;
  if (warps == 1 && wantsColumnWarps(kernel))
    columnWarps = kColumnWarps;
  rowCounts.insert(warps * kRowsPerWarp);
  kernel.walk([&](DotOp op) {
    rowCounts.insert(tensorType(op.getResult()).getDimSize(0));
  });
}

int64_t HomeLayouts::warpsFor(int64_t rows) const {
  if (rows % kRowsPerWarp || rows < mostRows)
    return 1;
  return std::gcd(rows / kRowsPerWarp, warps);
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

Layout HomeLayouts::accumulator(RankedTensorType type) const {
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  Layout layout = mmaAccumulator(rows, columns, warpsFor(rows));
  if (rows < mostRows)
    return layout.dealt(1, std::gcd(columns / kColumnsPerPiece, warps));
  if (columnWarps > 1 && rows == kRowsPerWarp && columns > kWideColumns)
    return layout.dealt(1, columnWarps);
  return layout;
}

Layout HomeLayouts::overThreads(RankedTensorType type) const {
  return vectorOverThreads(type.getDimSize(0), numWarps());
}

/// In order, so that what a warp counts stands before what the next one does.
/// (The lowering refuses a vector that has no such layout.)
Layout HomeLayouts::tallied(RankedTensorType type) const {
  std::optional<Layout> layout = vectorByWarps(type.getDimSize(0), numWarps());
  return layout ? *layout : overThreads(type);
}

Layout HomeLayouts::fallback(RankedTensorType type) const {
  if (type.getRank() == 2)
    return accumulator(type);
  if (onlyVectors)
    return overThreads(type);
  int64_t length = type.getDimSize(0);
  if (rowCounts.contains(length))
    return mmaAccumulator(length, kAnyColumns, warpsFor(length)).slice(1);
  return mmaAccumulator(kRowsPerWarp, length, 1).slice(0);
}

std::optional<Layout> HomeLayouts::home(Value value) {
  RankedTensorType type = tensorType(value);
  if (!type)
    return std::nullopt;
  if (std::optional<Layout> known = Layout::of(type))
    return known;
  if (!visiting.insert(value.getAsOpaquePointer()).second)
    return std::nullopt;
  auto leave = llvm::make_scope_exit(
      [&] { visiting.erase(value.getAsOpaquePointer()); });
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return home(loop.getTiedLoopYieldedValue(argument)->get());
  }
  return homeOfResult(cast<OpResult>(value));
}

std::optional<Layout> HomeLayouts::homeOfResult(OpResult value) {
  RankedTensorType type = tensorType(value);
  unsigned number = value.getResultNumber();
  return llvm::TypeSwitch<Operation *, std::optional<Layout>>(value.getOwner())
      .Case<DotOp, TransposeOp>([&](Operation *) { return accumulator(type); })
      .Case([&](ReduceOp op) {
        return homeOrFallback(op.getInput()).slice(op.getAxis());
      })
      .Case<ScanOp, RankOp, SortOp, TopKOp, FetchAddOp>([&](Operation *) {
        return type.getRank() == 1 ? overThreads(type) : accumulator(type);
      })
      .Case([&](TallyOp op) {
        return value == op.getBefore() ? tallied(type) : overThreads(type);
      })
      .Case([&](scf::ForOp op) { return home(op.getYieldedValues()[number]); })
      .Case([&](scf::IfOp op) {
        auto found = home(op.thenYield()->getOperand(number));
        return found ? found : home(op.elseYield()->getOperand(number));
      })
      .Default([&](Operation *op) -> std::optional<Layout> {
        if (isElementwise(op))
          for (Value operand : op->getOperands())
            if (std::optional<Layout> found = home(operand))
              return found;
        return std::nullopt;
      });
}

Layout HomeLayouts::homeOrFallback(Value value) {
  std::optional<Layout> found = home(value);
  return found ? *found : fallback(tensorType(value));
}
