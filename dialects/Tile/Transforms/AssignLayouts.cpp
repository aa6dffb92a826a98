// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AssignLayouts.cpp - From portable to placed tiles ------------------===//

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "dialects/Tile/IR/Layout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify::tile;

namespace {

constexpr int64_t kRowsPerWarp = 16;
/// Column repetitions of a vector's pretended tile; a slice drops them.
constexpr int64_t kAnyColumns = 8;

RankedTensorType tensorType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

/// Costs little to make again, in another layout, from operands in that layout.
bool isElementwise(Operation *op) {
  return op->hasTrait<OpTrait::Elementwise>() && op->getNumResults() == 1;
}

class Assignment {
public:
  explicit Assignment(KernelOp kernel)
      : kernel(kernel), builder(kernel.getContext()) {}

  LogicalResult run();

private:
  // Where layouts start.
  LogicalResult chooseWarps();
  bool isWide(Value value);
  bool wantsColumnWarps();
  Layout accumulator(RankedTensorType type);
  Layout fallback(RankedTensorType type);
  std::optional<Layout> home(Value value);
  Layout homeOrFallback(Value value);

  // Placing.
  void placeRegions();
  Value get(Value value, const Layout &layout);
  Value make(Value value, const Layout &layout);
  Value cloneWith(Operation *op, const Layout &layout, ValueRange operands);
  Value cloneFlexible(Operation *op, const Layout &layout);
  Value placeDot(DotOp op);
  Value placeReduce(ReduceOp op);
  Value placeOrder(Operation *op, unsigned result);
  void placeScatter(ScatterOp op);
  void placeCopy(CopyAsyncOp op);
  void placeYields(Operation *op);
  SmallVector<Value> getAll(ValueRange values, const Layout &layout);

  KernelOp kernel;
  OpBuilder builder;
  int64_t warps = 0;       ///< that rows are dealt to
  int64_t columnWarps = 1; ///< that columns of wide tiles are dealt to
  llvm::DenseMap<std::pair<Value, Attribute>, Value> placed;
  llvm::DenseMap<Operation *, Operation *> ordered; ///< placed anew
  llvm::SmallPtrSet<void *, 8> visiting;
};

} // namespace

//===----------------------------------------------------------------------===//
// Where layouts start
//===----------------------------------------------------------------------===//

/// Rows of the products decide; without products, rows of what is written.
LogicalResult Assignment::chooseWarps() {
  int64_t rows = 0;
  Operation *conflict = nullptr;
  kernel.walk([&](DotOp op) {
    int64_t found = tensorType(op.getResult()).getDimSize(0);
    if (rows && rows != found)
      conflict = op;
    rows = found;
  });
  if (!rows)
    kernel.walk([&](ScatterOp op) {
      rows = std::max(rows, tensorType(op.getValue()).getDimSize(0));
    });
  if (conflict)
    return conflict->emitOpError("expected ")
           << rows << " rows as in the kernel's other products";
  if (rows % kRowsPerWarp)
    return kernel.emitOpError("expected a multiple of ")
           << kRowsPerWarp << " query rows, found " << rows;
  warps = std::max<int64_t>(1, rows / kRowsPerWarp);
  if (warps == 1 && wantsColumnWarps())
    columnWarps = kColumnWarps;
  kernel->setAttr(kWarpsAttrName,
                  builder.getI32IntegerAttr(warps * columnWarps));
  return success();
}

/// A tile of sums that one warp would have too much of.
bool Assignment::isWide(Value value) {
  RankedTensorType type = tensorType(value);
  return type && type.getRank() == 2 && type.getElementType().isF32() &&
         type.getDimSize(0) == kRowsPerWarp &&
         type.getDimSize(1) > kWideColumns;
}

/// True if there are wide products of f32, and no wide tile is reduced along
/// its columns or multiplied further: that would move elements between warps.
bool Assignment::wantsColumnWarps() {
  bool wanted = false;
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    if (auto reduce = dyn_cast<ReduceOp>(op))
      return failure(reduce.getAxis() == 1 && isWide(reduce.getInput()));
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

Layout Assignment::accumulator(RankedTensorType type) {
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  Layout layout =
      mmaAccumulator(rows, columns, rows == warps * kRowsPerWarp ? warps : 1);
  if (columnWarps > 1 && rows == kRowsPerWarp && columns > kWideColumns)
    return layout.dealt(1, columnWarps);
  return layout;
}

/// For values that nothing ties to an instruction.
Layout Assignment::fallback(RankedTensorType type) {
  if (type.getRank() == 2)
    return accumulator(type);
  int64_t length = type.getDimSize(0);
  if (length == warps * kRowsPerWarp)
    return mmaAccumulator(length, kAnyColumns, warps).slice(1);
  return mmaAccumulator(kRowsPerWarp, length, 1).slice(0);
}

/// The layout in which `value` is made without a movement, if something decides
/// it.
std::optional<Layout> Assignment::home(Value value) {
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
  Operation *op = value.getDefiningOp();
  unsigned number = cast<OpResult>(value).getResultNumber();
  if (isa<DotOp, ScanOp, SortOp, TopKOp>(op))
    return accumulator(type);
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return homeOrFallback(reduce.getInput()).slice(reduce.getAxis());
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return home(loop.getYieldedValues()[number]);
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    if (std::optional<Layout> found =
            home(branch.thenYield()->getOperand(number)))
      return found;
    return home(branch.elseYield()->getOperand(number));
  }
  if (isElementwise(op))
    for (Value operand : op->getOperands())
      if (std::optional<Layout> found = home(operand))
        return found;
  return std::nullopt;
}

Layout Assignment::homeOrFallback(Value value) {
  std::optional<Layout> found = home(value);
  return found ? *found : fallback(tensorType(value));
}

//===----------------------------------------------------------------------===//
// Placing
//===----------------------------------------------------------------------===//

/// Gives the arguments and results of loops and branches their layouts.
void Assignment::placeRegions() {
  SmallVector<std::pair<Value, RankedTensorType>> types;
  auto note = [&](Value value, Value other) {
    if (RankedTensorType type = tensorType(value)) {
      Layout layout = homeOrFallback(value);
      types.push_back({value, layout.encode(type)});
      if (other)
        types.push_back({other, layout.encode(type)});
    }
  };
  kernel.walk([&](Operation *op) {
    if (auto loop = dyn_cast<scf::ForOp>(op))
      for (auto [result, argument] :
           llvm::zip_equal(loop.getResults(), loop.getRegionIterArgs()))
        note(result, argument);
    if (auto branch = dyn_cast<scf::IfOp>(op))
      for (Value result : branch.getResults())
        note(result, Value());
  });
  for (auto [value, type] : types)
    value.setType(type);
}

SmallVector<Value> Assignment::getAll(ValueRange values, const Layout &layout) {
  SmallVector<Value> result;
  for (Value value : values)
    result.push_back(tensorType(value) ? get(value, layout) : value);
  return result;
}

/// `value` in the given layout.
Value Assignment::get(Value value, const Layout &layout) {
  LayoutAttr attr = layout.toAttr(builder.getContext());
  if (tensorType(value).getEncoding() == attr)
    return value;
  auto [entry, isNew] = placed.try_emplace({value, attr});
  if (!isNew)
    return entry->second;
  OpBuilder::InsertionGuard guard(builder);
  Value made = make(value, layout);
  if (Layout::of(made.getType()) != layout) {
    builder.setInsertionPointAfterValue(made);
    made = builder.create<ConvertLayoutOp>(
        value.getLoc(), layout.encode(tensorType(value)), made);
  }
  return placed[{value, attr}] = made;
}

/// Makes `value`, in that layout if that is cheap, else in its home.
Value Assignment::make(Value value, const Layout &layout) {
  if (Layout::of(value.getType()))
    return value;
  Operation *op = value.getDefiningOp();
  if (isa<DotOp, ReduceOp, ScanOp, SortOp, TopKOp>(op)) {
    Layout own = *home(value);
    if (!(own == layout))
      return get(value, own);
    if (isa<ScanOp, SortOp, TopKOp>(op))
      return placeOrder(op, cast<OpResult>(value).getResultNumber());
    return isa<DotOp>(op) ? placeDot(cast<DotOp>(op))
                          : placeReduce(cast<ReduceOp>(op));
  }
  return cloneFlexible(op, layout);
}

Value Assignment::cloneWith(Operation *op, const Layout &layout,
                            ValueRange operands) {
  builder.setInsertionPointAfter(op);
  Operation *clone = builder.clone(*op);
  clone->setOperands(operands);
  Value result = clone->getResult(0);
  result.setType(layout.encode(tensorType(result)));
  if (auto constant = dyn_cast<arith::ConstantOp>(clone)) {
    auto dense = cast<DenseElementsAttr>(constant.getValue());
    constant.setValueAttr(DenseElementsAttr::get(
        tensorType(result), dense.getSplatValue<Attribute>()));
  }
  return result;
}

Value Assignment::cloneFlexible(Operation *op, const Layout &layout) {
  if (isa<GatherOp>(op)) {
    return cloneWith(op, layout, getAll(op->getOperands(), layout.slice(1)));
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    Layout slice = layout.slice(broadcast.getAxis());
    return cloneWith(op, layout, get(broadcast.getInput(), slice));
  }
  return cloneWith(op, layout, getAll(op->getOperands(), layout));
}

Value Assignment::placeDot(DotOp op) {
  RankedTensorType lhs = tensorType(op.getLhs()), rhs = tensorType(op.getRhs());
  Layout accumulator = this->accumulator(tensorType(op.getResult()));
  int64_t rows = lhs.getDimSize(0), inner = lhs.getDimSize(1);
  Layout left = mmaAccumulator(rows, inner, warps);
  Layout right =
      mmaRhs16(rhs.getDimSize(0), rhs.getDimSize(1), op.getTransposed());
  if (lhs.getElementType().isF32()) {
    // An accumulator is an operand of tf32 in a permuted order of contraction;
    // what is only loaded can just as well be loaded in the usual order.
    bool permuted = home(op.getLhs()).has_value();
    if (!permuted)
      left = mmaLhsTF32(rows, inner, warps);
    right = mmaRhsTF32(rhs.getDimSize(0), rhs.getDimSize(1), op.getTransposed(),
                       permuted);
    if (accumulator.getWarps()[1] > 1)
      right = right.dealt(1, columnWarps);
  }
  SmallVector<Value> operands = {get(op.getLhs(), left),
                                 get(op.getRhs(), right),
                                 get(op.getAcc(), accumulator)};
  return cloneWith(op, accumulator, operands);
}

Value Assignment::placeReduce(ReduceOp op) {
  Layout input = homeOrFallback(op.getInput());
  return cloneWith(op, input.slice(op.getAxis()), get(op.getInput(), input));
}

/// Order along rows: everything is held as accumulators are, and the ids of
/// columns as their slice. All results are placed at once.
Value Assignment::placeOrder(Operation *op, unsigned result) {
  auto [entry, isNew] = ordered.try_emplace(op);
  if (isNew) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      RankedTensorType type = tensorType(operand);
      if (type.getRank() == 2) {
        operands.push_back(get(operand, accumulator(type)));
        continue;
      }
      Value scores = cast<TopKOp>(op).getScores();
      operands.push_back(
          get(operand, accumulator(tensorType(scores)).slice(0)));
    }
    builder.setInsertionPointAfter(op);
    Operation *clone = builder.clone(*op);
    clone->setOperands(operands);
    for (Value value : clone->getResults())
      value.setType(accumulator(tensorType(value)).encode(tensorType(value)));
    ordered[op] = clone;
  }
  return ordered[op]->getResult(result);
}

void Assignment::placeScatter(ScatterOp op) {
  Layout layout = homeOrFallback(op.getValue());
  Layout rows = layout.rank() == 2 ? layout.slice(1) : layout;
  op.getValueMutable().assign(get(op.getValue(), layout));
  op.getIndicesMutable().assign(getAll(op.getIndices(), rows));
  if (op.getMask())
    op.getMaskMutable().assign(get(op.getMask(), rows));
}

/// Pieces of `unit` elements of rows, in the first order that puts what is
/// written at once into different banks.
static Layout placeUnits(MemRefType buffer, int64_t unit, int64_t warps) {
  constexpr int64_t bytesAtOnce = 128;
  int64_t rows = buffer.getDimSize(1), columns = buffer.getDimSize(2);
  int64_t bytes = buffer.getElementTypeBitWidth() / 8;
  SharedLayout shared(buffer);
  auto order = [&](int64_t nextRow) {
    return blockedRows(rows, columns, unit, warps, bytesAtOnce / (unit * bytes),
                       nextRow);
  };
  for (int64_t nextRow : {1, 2, 4}) {
    Layout layout = order(nextRow);
    if (!registerConflicts(layout, 0, 0, shared, bytes, unit))
      return layout;
  }
  return order(1);
}

void Assignment::placeCopy(CopyAsyncOp op) {
  auto buffer = cast<MemRefType>(op.getTarget().getType());
  int64_t alignment = 16;
  if (auto attr = kernel->getAttrOfType<IntegerAttr>(kAlignmentAttrName))
    alignment = std::min<int64_t>(alignment, attr.getInt());
  int64_t unit =
      std::max<int64_t>(1, 8 * alignment / buffer.getElementTypeBitWidth());
  int64_t rows = buffer.getDimSize(1), columns = buffer.getDimSize(2);
  int64_t all = warps * columnWarps;
  // cp.async has at least four bytes.
  Layout layout = unit * buffer.getElementTypeBitWidth() >= 32
                      ? placeUnits(buffer, unit, all)
                      : rowsInLanes(rows, columns, all);
  op.setLayoutAttr(layout.toAttr(builder.getContext()));
  op.getIndicesMutable().assign(getAll(op.getIndices(), layout.slice(1)));
  if (op.getMask())
    op.getMaskMutable().assign(get(op.getMask(), layout.slice(1)));
}

/// The operands that become results or arguments of a region.
void Assignment::placeYields(Operation *op) {
  auto place = [&](OpOperand &operand, Type target) {
    if (std::optional<Layout> layout = Layout::of(target))
      operand.set(get(operand.get(), *layout));
  };
  if (auto loop = dyn_cast<scf::ForOp>(op))
    for (auto [operand, result] :
         llvm::zip_equal(loop.getInitArgsMutable(), loop.getResults()))
      place(operand, result.getType());
  if (auto yield = dyn_cast<scf::YieldOp>(op))
    for (auto [operand, result] : llvm::zip_equal(
             yield->getOpOperands(), yield->getParentOp()->getResults()))
      place(operand, result.getType());
}

/// Operations of schedules that do not come to the GPU yet are refused by name,
/// before anything is placed.
static LogicalResult refuseUnplaced(KernelOp kernel) {
  WalkResult result = kernel.walk([](Operation *op) -> WalkResult {
    if (isa<TransposeOp, RankOp, ReduceIntoOp, FetchAddOp, ScratchOp, DrainOp,
            SignalOp, AwaitOp>(op))
      return op->emitOpError("has no lowering to the GPU");
    // Rows are ordered in quads, which hold eight columns.
    SmallVector<Value> values(op->getOperands());
    llvm::append_range(values, op->getResults());
    if (isa<ScanOp, SortOp, TopKOp>(op))
      for (Value value : values)
        if (RankedTensorType type = tensorType(value);
            type.getDimSize(type.getRank() - 1) % 8 ||
            (type.getRank() == 1 && !isa<TopKOp>(op)))
          return op->emitOpError("has no lowering to the GPU for ") << type;
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult Assignment::run() {
  if (failed(refuseUnplaced(kernel)) || failed(chooseWarps()))
    return failure();
  placeRegions();
  SmallVector<Operation *> original;
  kernel.getBody().walk<WalkOrder::PreOrder>(
      [&](Operation *op) { original.push_back(op); });
  for (Operation *op : original)
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](ScatterOp scatter) { placeScatter(scatter); })
        .Case([&](CopyAsyncOp copy) { placeCopy(copy); })
        .Case<scf::ForOp, scf::YieldOp>(
            [&](Operation *op) { placeYields(op); });
  // What is left without a layout has been made anew where it was wanted.
  for (Operation *op : llvm::reverse(original))
    if (op->use_empty() && op->getNumResults() > 0 &&
        op->getNumRegions() == 0 && tensorType(op->getResult(0)) &&
        !Layout::of(op->getResult(0).getType()))
      op->erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct AssignLayoutsPass
    : PassWrapper<AssignLayoutsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(AssignLayoutsPass)

  StringRef getArgument() const final { return "tile-assign-layouts"; }
  StringRef getDescription() const final {
    return "say for every tile which thread holds which element";
  }
  void runOnOperation() final {
    for (auto kernel : getOperation().getOps<KernelOp>())
      if (failed(Assignment(kernel).run()))
        return signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> ramify::tile::createAssignLayoutsPass() {
  return std::make_unique<AssignLayoutsPass>();
}

void ramify::tile::registerAssignLayoutsPass() {
  registerPass([] { return createAssignLayoutsPass(); });
}
