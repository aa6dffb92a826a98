// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AssignLayouts.cpp - From portable to placed tiles ------------------===//

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "dialects/Tile/Transforms/HomeLayouts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify::tile;

int64_t ramify::tile::getAlignment(KernelOp kernel, Value array) {
  auto own = kernel->getAttrOfType<IntegerAttr>(kAlignmentAttrName);
  int64_t alignment = own ? std::min<int64_t>(16, own.getInt()) : 16;
  auto argument = dyn_cast<BlockArgument>(array);
  if (!argument || argument.getOwner() != &kernel.getBody().front())
    return alignment;
  auto given = kernel.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(),
                                                    kAlignmentAttrName);
  return given ? std::min<int64_t>(alignment, given.getInt()) : alignment;
}

namespace {

RankedTensorType tensorType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

class Assignment {
public:
  Assignment(KernelOp kernel, int64_t rowWarps)
      : kernel(kernel), homes(kernel, rowWarps), builder(kernel.getContext()) {}

  void run();

private:
  void placeRegions();
  Value get(Value value, const Layout &layout);
  Value make(Value value, const Layout &layout);
  Value cloneWith(Operation *op, const Layout &layout, ValueRange operands);
  Value cloneFlexible(Operation *op, const Layout &layout);
  Value placeDot(DotOp op);
  Value placeReduce(ReduceOp op);
  Value placeTranspose(TransposeOp op);
  Value placeOrder(Operation *op, unsigned result);
  void placeTally(TallyOp op);
  void placeAsItIs(Operation *op, const Layout &layout);
  template <typename Op> void placeWrite(Op op);
  void placeStore(StoreSharedOp op);
  void placeNumber(ReduceOp op);
  void placeCopy(CopyAsyncOp op);
  void placeYields(Operation *op);
  SmallVector<Value> getAll(ValueRange values, const Layout &layout);

  KernelOp kernel;
  HomeLayouts homes;
  OpBuilder builder;
  llvm::DenseMap<std::pair<Value, Attribute>, Value> placed;
  llvm::DenseMap<Operation *, Operation *> ordered; ///< placed anew
};

} // namespace

//===----------------------------------------------------------------------===//
// Placing
//===----------------------------------------------------------------------===//

/// Gives the arguments and results of loops and branches their layouts.
void Assignment::placeRegions() {
  SmallVector<std::pair<Value, RankedTensorType>> types;
  auto note = [&](Value value, Value other) {
    if (RankedTensorType type = tensorType(value)) {
      Layout layout = homes.homeOrFallback(value);
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
  if (!isa<DotOp, ReduceOp, TransposeOp, ScanOp, RankOp, TallyOp, SortOp,
           TopKOp, FetchAddOp>(op))
    return cloneFlexible(op, layout);
  Layout own = *homes.home(value);
  if (!(own == layout))
    return get(value, own);
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](DotOp dot) { return placeDot(dot); })
      .Case([&](ReduceOp reduce) { return placeReduce(reduce); })
      .Case([&](TransposeOp transpose) { return placeTranspose(transpose); })
      .Default([&](Operation *) {
        if (tensorType(value).getRank() == 2)
          return placeOrder(op, cast<OpResult>(value).getResultNumber());
        if (auto tally = dyn_cast<TallyOp>(op))
          placeTally(tally);
        else
          placeAsItIs(op, layout);
        return placed.lookup({value, layout.toAttr(builder.getContext())});
      });
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
        operands.push_back(get(operand, homes.accumulator(type)));
        continue;
      }
      Value scores = cast<TopKOp>(op).getScores();
      operands.push_back(
          get(operand, homes.accumulator(tensorType(scores)).slice(0)));
    }
    builder.setInsertionPointAfter(op);
    Operation *clone = builder.clone(*op);
    clone->setOperands(operands);
    for (Value value : clone->getResults())
      value.setType(
          homes.accumulator(tensorType(value)).encode(tensorType(value)));
    ordered[op] = clone;
  }
  return ordered[op]->getResult(result);
}

/// In one layout, operands and all results.
void Assignment::placeAsItIs(Operation *op, const Layout &layout) {
  SmallVector<Value> operands = getAll(op->getOperands(), layout);
  builder.setInsertionPointAfter(op);
  Operation *clone = builder.clone(*op);
  clone->setOperands(operands);
  LayoutAttr attr = layout.toAttr(builder.getContext());
  for (auto [result, made] :
       llvm::zip_equal(op->getResults(), clone->getResults())) {
    made.setType(layout.encode(tensorType(made)));
    placed[{result, attr}] = made;
  }
}

/// Bins and what stands before them in the order of the warps, the counts over
/// all threads.
void Assignment::placeTally(TallyOp op) {
  Value bins = get(op.getBins(), homes.tallied(tensorType(op.getBins())));
  builder.setInsertionPointAfter(op);
  Operation *clone = builder.clone(*op);
  clone->setOperands(bins);
  for (auto [result, made] :
       llvm::zip_equal(op->getResults(), clone->getResults())) {
    Layout layout = *homes.home(result);
    made.setType(layout.encode(tensorType(made)));
    placed[{result, layout.toAttr(builder.getContext())}] = made;
  }
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
  Layout accumulator = homes.accumulator(tensorType(op.getResult()));
  int64_t rows = lhs.getDimSize(0), inner = lhs.getDimSize(1);
  int64_t dealt = homes.warpsFor(rows);
  Layout left = mmaAccumulator(rows, inner, dealt);
  Layout right =
      mmaRhs16(rhs.getDimSize(0), rhs.getDimSize(1), op.getTransposed());
  if (lhs.getElementType().isF32()) {
    // An accumulator is an operand of tf32 in a permuted order of contraction;
    // what is only loaded can just as well be loaded in the usual order.
    bool permuted = homes.home(op.getLhs()).has_value();
    if (!permuted)
      left = mmaLhsTF32(rows, inner, dealt);
    right = mmaRhsTF32(rhs.getDimSize(0), rhs.getDimSize(1), op.getTransposed(),
                       permuted);
  }
  if (int64_t dealt = accumulator.getWarps()[1]; dealt > 1)
    right = right.dealt(1, dealt);
  SmallVector<Value> operands = {get(op.getLhs(), left),
                                 get(op.getRhs(), right),
                                 get(op.getAcc(), accumulator)};
  return cloneWith(op, accumulator, operands);
}

Value Assignment::placeReduce(ReduceOp op) {
  Layout input = homes.homeOrFallback(op.getInput());
  return cloneWith(op, input.slice(op.getAxis()), get(op.getInput(), input));
}

/// What is left of these moves inside warps.
Value Assignment::placeTranspose(TransposeOp op) {
  Layout input = homes.accumulator(tensorType(op.getInput()));
  return cloneWith(op, homes.accumulator(op.getType()),
                   get(op.getInput(), input));
}

/// Scatters and reductions: the value decides.
template <typename Op> void Assignment::placeWrite(Op op) {
  Layout layout = homes.homeOrFallback(op.getValue());
  Layout rows = layout.rank() == 2 ? layout.slice(1) : layout;
  op.getValueMutable().assign(get(op.getValue(), layout));
  op.getIndicesMutable().assign(getAll(op.getIndices(), rows));
  if (op.getMask())
    op.getMaskMutable().assign(get(op.getMask(), rows));
}

void Assignment::placeStore(StoreSharedOp op) {
  op.getValueMutable().assign(
      get(op.getValue(), homes.homeOrFallback(op.getValue())));
}

/// All threads have the number that a vector is reduced to: it has no layout.
void Assignment::placeNumber(ReduceOp op) {
  op.getInputMutable().assign(
      get(op.getInput(), homes.homeOrFallback(op.getInput())));
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
  int64_t alignment = getAlignment(kernel, op.getSource());
  int64_t unit =
      std::max<int64_t>(1, 8 * alignment / buffer.getElementTypeBitWidth());
  int64_t rows = buffer.getDimSize(1), columns = buffer.getDimSize(2);
  // cp.async has at least four bytes.
  Layout layout = unit * buffer.getElementTypeBitWidth() >= 32
                      ? placeUnits(buffer, unit, homes.numWarps())
                      : rowsInLanes(rows, columns, homes.numWarps());
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

/// What has no layout is refused by name, before anything is placed: rows are
/// ordered in quads, which hold eight columns.
static LogicalResult refuseUnplaced(KernelOp kernel) {
  WalkResult result = kernel.walk([](Operation *op) -> WalkResult {
    if (!isa<ScanOp, SortOp, TopKOp>(op))
      return WalkResult::advance();
    SmallVector<Type> types(op->getOperandTypes());
    llvm::append_range(types, op->getResultTypes());
    for (Type type : types) {
      auto tile = dyn_cast<RankedTensorType>(type);
      if (tile && tile.getShape().back() % 8 &&
          (tile.getRank() == 2 || isa<TopKOp>(op)))
        return op->emitOpError("has no lowering to the GPU for ") << tile;
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void Assignment::run() {
  kernel->setAttr(kWarpsAttrName, builder.getI32IntegerAttr(homes.numWarps()));
  placeRegions();
  SmallVector<Operation *> original;
  kernel.getBody().walk<WalkOrder::PreOrder>(
      [&](Operation *op) { original.push_back(op); });
  for (Operation *op : original)
    llvm::TypeSwitch<Operation *>(op)
        .Case<ScatterOp, ReduceIntoOp>([&](auto write) { placeWrite(write); })
        .Case([&](FetchAddOp fetch) {
          get(fetch.getBefore(), homes.homeOrFallback(fetch.getBefore()));
        })
        .Case([&](StoreSharedOp store) { placeStore(store); })
        .Case([&](CopyAsyncOp copy) { placeCopy(copy); })
        .Case([&](ReduceOp reduce) {
          if (!reduce.getType().getRank())
            placeNumber(reduce);
        })
        .Case<scf::ForOp, scf::YieldOp>(
            [&](Operation *op) { placeYields(op); });
  // What is left without a layout has been made anew where it was wanted.
  for (Operation *op : llvm::reverse(original))
    if (op->use_empty() && op->getNumResults() &&
        llvm::all_of(op->getResults(), [](Value result) {
          return tensorType(result) && !Layout::of(result.getType());
        }))
      op->erase();
}

static LogicalResult assignLayouts(KernelOp kernel) {
  if (failed(refuseUnplaced(kernel)))
    return failure();
  FailureOr<int64_t> rowWarps = chooseWarps(kernel);
  if (failed(rowWarps))
    return failure();
  Assignment(kernel, *rowWarps).run();
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
      if (failed(assignLayouts(kernel)))
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
