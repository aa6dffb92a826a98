// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SumCopies.cpp - Sums that several programs add to ------------------===//

#include "SumCopies.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace ramify;

/// Bytes that the copies of a plan may take, beside what the steps of a
/// function hand on (QueryWindows.h); and those of a kernel that is launched
/// for a window at a time, beside what the window takes, too
/// (ChunkMajorPlan.cpp): less than the 256 MiB of the contract.
static constexpr int64_t kCopyBytes = int64_t(128) << 20;
static constexpr int64_t kCopyBytesOfWindows = int64_t(8) << 20;

//===----------------------------------------------------------------------===//
// Which programs may meet
//===----------------------------------------------------------------------===//

namespace {
/// An index floor(id * times / over) + constant + shift, where id is a number
/// of the program.
struct Place {
  int64_t times = 1, over = 1, constant = 0;
  Value shift; ///< the same for all programs of a launch; null if there is none
  bool isShifted() const { return constant || shift; }
};
} // namespace

/// Whether all programs of a launch have the same value.
static bool isUniform(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return isa<tile::KernelOp>(argument.getOwner()->getParentOp());
  if (value.getDefiningOp<arith::IndexCastOp>())
    return isUniform(value.getDefiningOp()->getOperand(0));
  return matchPattern(value, m_Constant());
}

/// The greatest value of a counter that begins with 0.
static std::optional<int64_t> findLast(Value counter) {
  auto argument = dyn_cast<BlockArgument>(counter);
  auto loop = argument
                  ? dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp())
                  : nullptr;
  APInt low, high;
  if (!loop || loop.getInductionVar() != counter ||
      !matchPattern(loop.getLowerBound(), m_ConstantInt(&low)) ||
      !matchPattern(loop.getUpperBound(), m_ConstantInt(&high)) ||
      !low.isZero())
    return std::nullopt;
  return high.getSExtValue() - 1;
}

static std::optional<Place> findPlace(Value index, tile::GridAxis axis) {
  Operation *op = index.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto id = dyn_cast<tile::ProgramIdOp>(op))
    return id.getAxis() == axis ? std::optional(Place()) : std::nullopt;
  if (isa<arith::IndexCastOp>(op))
    return findPlace(op->getOperand(0), axis);
  if (op->getNumOperands() != 2)
    return std::nullopt;
  Value lhs = op->getOperand(0), rhs = op->getOperand(1);
  if (isa<arith::AddIOp>(op) && !findPlace(lhs, axis))
    std::swap(lhs, rhs);
  std::optional<Place> place = findPlace(lhs, axis);
  if (!place)
    return std::nullopt;
  APInt number;
  bool isNumber = matchPattern(rhs, m_ConstantInt(&number));
  if (isa<arith::AddIOp>(op)) {
    if (isNumber)
      place->constant += number.getSExtValue();
    else if (std::optional<int64_t> last = findLast(rhs))
      place->constant += *last;
    else if (!place->shift && isUniform(rhs))
      place->shift = rhs;
    else
      return std::nullopt;
    return place;
  }
  if (!isNumber || place->isShifted() || !number.isStrictlyPositive())
    return std::nullopt;
  if (isa<arith::MulIOp>(op) && place->over == 1) {
    place->times *= number.getSExtValue();
    return place;
  }
  if (isa<arith::DivUIOp>(op)) {
    place->over *= number.getSExtValue();
    return place;
  }
  return std::nullopt;
}

/// How many consecutive programs along `axis` have one of the places, of which
/// the first of a run is the same for all; 0 if any may.
static int64_t countSharers(ArrayRef<std::optional<Place>> places) {
  int64_t most = 0;
  for (const std::optional<Place> &place : places) {
    if (!place || place->shift != places[0]->shift ||
        place->times != places[0]->times || place->over != places[0]->over)
      return 0;
    int64_t times = place->times, over = place->over;
    // Programs that have several places must not reach into those of the next.
    if (place->constant < 0 || place->constant >= std::max<int64_t>(times, 1))
      return 0;
    if (times % over && over % times)
      return 0;
    if (place->constant && over > 1)
      return 0;
    most = std::max<int64_t>(over / times, 1);
  }
  return most;
}

static size_t maxIndices(ArrayRef<tile::ReduceIntoOp> adds) {
  size_t most = 0;
  for (tile::ReduceIntoOp add : adds)
    most = std::max<size_t>(most, add.getIndices().size());
  return most;
}

static int64_t countSharers(ArrayRef<tile::ReduceIntoOp> adds,
                            tile::GridAxis axis) {
  int64_t fewest = 0;
  for (size_t at = 0; at < maxIndices(adds); ++at) {
    SmallVector<std::optional<Place>> places;
    for (tile::ReduceIntoOp add : adds) {
      ValueRange indices = add.getIndices();
      places.push_back(at < indices.size() ? findPlace(indices[at], axis)
                                           : std::nullopt);
    }
    int64_t sharers = countSharers(places);
    if (sharers && (!fewest || sharers < fewest))
      fewest = sharers;
  }
  return fewest;
}

//===----------------------------------------------------------------------===//
// The kernels
//===----------------------------------------------------------------------===//

/// With a first axis for the copies.
static MemRefType getCopiesType(MemRefType type) {
  SmallVector<int64_t> shape{ShapedType::kDynamic}, strides;
  llvm::append_range(shape, type.getShape());
  strides.assign(type.getRank(), ShapedType::kDynamic);
  strides.push_back(1);
  auto layout = StridedLayoutAttr::get(type.getContext(), 0, strides);
  return MemRefType::get(shape, type.getElementType(), layout);
}

namespace {
/// A kernel whose sums get copies.
class CopyingKernel {
public:
  explicit CopyingKernel(tile::KernelOp kernel);
  bool empty() const { return adds.empty(); }
  /// Lets the kernel add to copies.
  void rewrite();

  tile::KernelOp kernel;
  /// What it adds to, an argument, where several programs may.
  llvm::MapVector<Value, SmallVector<tile::ReduceIntoOp>> adds;
  /// Consecutive programs along y that may meet, 0 for all; along z all or one.
  int64_t ofHeads = 1;
  bool ofSequences = false;

private:
  void replaceNumbers(ValueRange numbers);
};
} // namespace

CopyingKernel::CopyingKernel(tile::KernelOp kernel) : kernel(kernel) {
  kernel.walk([&](tile::ReduceIntoOp op) {
    if (op.getOrder() == tile::Order::Slots)
      adds[op.getTarget()].push_back(op);
  });
  for (auto &[target, own] : adds) {
    int64_t sharers = countSharers(own, tile::GridAxis::Y);
    bool fits = sharers && ofHeads &&
                (sharers % ofHeads == 0 || ofHeads % sharers == 0);
    ofHeads = fits ? std::max(ofHeads, sharers) : 0;
    ofSequences |= countSharers(own, tile::GridAxis::Z) != 1;
  }
}

/// A program is number `first` + x of those that may meet, of which there are
/// `width` along x, and `heads` along y.
void CopyingKernel::replaceNumbers(ValueRange numbers) {
  SmallVector<tile::ProgramIdOp> ids;
  kernel.walk([&](tile::ProgramIdOp id) { ids.push_back(id); });
  TileBuilder b(kernel.getLoc(), kernel.getContext());
  b.setInsertionPointToStart(&kernel.getBody().front());
  auto getId = [&](tile::GridAxis axis) {
    return b.toI32(b.create<tile::ProgramIdOp>(axis));
  };
  Value x = b.add(getId(tile::GridAxis::X), numbers[0]);
  Value y = getId(tile::GridAxis::Y), z = getId(tile::GridAxis::Z);
  if (ofHeads != 1 || ofSequences) {
    Value heads = ofHeads ? b.i32(ofHeads) : numbers[2];
    Value behind = b.create<arith::DivUIOp>(x, numbers[1]);
    x = b.create<arith::RemUIOp>(x, numbers[1]);
    Value head = b.create<arith::RemUIOp>(behind, heads);
    y = ofHeads ? b.add(b.mul(y, heads), head) : head;
    if (ofSequences)
      z = b.create<arith::DivUIOp>(behind, heads);
  }
  // Not negative, so that what is divided later is known to be short.
  Value all[] = {x, y, z};
  for (Value &number : all)
    number = b.create<arith::IndexCastUIOp>(b.getIndexType(), number);
  for (tile::ProgramIdOp id : ids) {
    id.replaceAllUsesWith(all[static_cast<unsigned>(id.getAxis())]);
    id.erase();
  }
}

void CopyingKernel::rewrite() {
  Builder b(kernel.getContext());
  auto add = [&](StringRef name, Type type, NamedAttrList attributes) -> Value {
    attributes.set("ramify.name", b.getStringAttr(name));
    unsigned number = kernel.getNumArguments();
    kernel.insertArgument(number, type,
                          attributes.getDictionary(b.getContext()),
                          kernel.getLoc());
    return kernel.getArgument(number);
  };
  SmallVector<Value> copies;
  for (auto &[target, own] : adds) {
    unsigned number = cast<BlockArgument>(target).getArgNumber();
    copies.push_back(add("copies_of_" + std::to_string(number),
                         getCopiesType(cast<MemRefType>(target.getType())),
                         NamedAttrList(kernel.getArgAttrDict(number))));
  }
  SmallVector<Value> numbers;
  for (StringRef name : {"first_program", "programs_x", "programs_y"})
    numbers.push_back(add(name, b.getI32Type(), {}));
  replaceNumbers(numbers);
  OpBuilder builder(kernel.getContext());
  builder.setInsertionPointToStart(&kernel.getBody().front());
  Value copy =
      builder.create<tile::ProgramIdOp>(kernel.getLoc(), tile::GridAxis::X);
  for (auto [number, entry] : llvm::enumerate(adds))
    for (tile::ReduceIntoOp op : entry.second) {
      op.getTargetMutable().assign(copies[number]);
      SmallVector<Value> indices{copy};
      llvm::append_range(indices, op.getIndices());
      op.getIndicesMutable().assign(indices);
      op.setOrder(tile::Order::Owner);
    }
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

namespace {
class SumCopies {
public:
  SumCopies(tile::PlanOp plan, const TileLimits &limits)
      : plan(plan), limits(limits), b(plan.getLoc(), plan.getContext()) {}
  void create();

private:
  void createOf(CopyingKernel &kernel, ArrayRef<tile::LaunchOp> launches);
  Value findBound(Value value, Block *scope);
  Value chooseCount(const CopyingKernel &kernel,
                    ArrayRef<tile::LaunchOp> launches, ValueRange targets);
  /// Of the programs of a launch that may meet.
  SmallVector<Value> getSizes(const CopyingKernel &kernel,
                              tile::LaunchOp launch) const;
  void launchInTurns(const CopyingKernel &kernel, tile::LaunchOp launch,
                     ValueRange copies, Value count);
  void addCopies(const CopyingKernel &kernel, ValueRange copies,
                 ValueRange targets);

  tile::PlanOp plan;
  const TileLimits &limits;
  TileBuilder b;
  llvm::MapVector<Operation *, SmallVector<tile::LaunchOp>> launches;
  int64_t kernels = 0; ///< with copies
};
} // namespace

/// The block in which workspaces for the launch live as long as its program's.
static Block *findScope(tile::LaunchOp launch) {
  Operation *op = launch->getParentOp();
  while (!isa<tile::PlanOp, tile::PlanDoOp>(op))
    op = op->getParentOp();
  return &op->getRegion(0).front();
}

/// A number known in `scope` that `value` does not exceed; null if none is
/// found.
Value SumCopies::findBound(Value value, Block *scope) {
  Operation *op = value.getDefiningOp();
  if (value.getParentRegion()->isAncestor(scope->getParent()))
    return value;
  if (!op)
    return {};
  auto ofOperand = [&](unsigned number) {
    return findBound(op->getOperand(number), scope);
  };
  if (isa<arith::MinUIOp, arith::MinSIOp>(op)) {
    Value bound = ofOperand(0);
    return bound ? bound : ofOperand(1);
  }
  if (isa<arith::SubIOp, arith::DivUIOp, arith::CeilDivUIOp>(op))
    return ofOperand(0);
  if (isa<arith::MulIOp, arith::AddIOp>(op)) {
    Value lhs = ofOperand(0), rhs = ofOperand(1);
    if (!lhs || !rhs)
      return {};
    OperationState state(b.getLoc(), op->getName(), {lhs, rhs},
                         {b.getIndexType()});
    return b.create(state)->getResult(0);
  }
  if (matchPattern(value, m_Constant()))
    return b.clone(*op)->getResult(0);
  return {};
}

/// As many copies as make the device busy and have room.
Value SumCopies::chooseCount(const CopyingKernel &kernel,
                             ArrayRef<tile::LaunchOp> launches,
                             ValueRange targets) {
  tile::LaunchOp launch = launches.front();
  Value bytes = b.index(0);
  for (Value target : targets) {
    Value own = b.index(sizeof(float));
    int64_t rank = cast<MemRefType>(target.getType()).getRank();
    for (int64_t axis = 0; axis < rank; ++axis)
      own = b.mul(own, b.create<memref::DimOp>(target, b.index(axis)));
    bytes = b.add(bytes, own);
  }
  bool isOfWindows = isa<tile::PlanForOp>(launch->getParentOp());
  int64_t room = (isOfWindows ? kCopyBytesOfWindows : kCopyBytes) / kernels;
  Value count = b.create<arith::DivUIOp>(
      b.index(room), b.create<arith::MaxUIOp>(bytes, b.index(1)));
  count = b.create<arith::MinUIOp>(
      count, b.mul(b.create<tile::SmsOp>(), b.index(limits.programsPerSM)));
  // Launches of one kernel have one grid.
  Value bound = b.index(1);
  for (Value size : getSizes(kernel, launch)) {
    Value own = bound ? findBound(size, findScope(launch)) : Value();
    bound = own ? b.mul(bound, own) : Value();
  }
  if (bound)
    count = b.create<arith::MinUIOp>(count, bound);
  return b.create<arith::MaxUIOp>(count, b.index(1));
}

SmallVector<Value> SumCopies::getSizes(const CopyingKernel &kernel,
                                       tile::LaunchOp launch) const {
  SmallVector<Value> sizes{launch.getX()};
  if (kernel.ofHeads != 1)
    sizes.push_back(kernel.ofHeads ? TileBuilder(b).index(kernel.ofHeads)
                                   : launch.getY());
  if (kernel.ofSequences)
    sizes.push_back(launch.getZ());
  return sizes;
}

void SumCopies::launchInTurns(const CopyingKernel &kernel,
                              tile::LaunchOp launch, ValueRange copies,
                              Value count) {
  b.setInsertionPoint(launch);
  Value x = launch.getX(), y = launch.getY(), z = launch.getZ();
  Value all = x;
  if (kernel.ofHeads != 1)
    all = b.mul(all, kernel.ofHeads ? b.index(kernel.ofHeads) : y);
  if (kernel.ofSequences)
    all = b.mul(all, z);
  Value outerY = kernel.ofHeads == 0   ? b.index(1)
                 : kernel.ofHeads == 1 ? y
                                       : b.div(y, kernel.ofHeads);
  Value outerZ = kernel.ofSequences ? b.index(1) : z;
  Value turns = b.create<arith::CeilDivUIOp>(all, count);
  createPlanLoop(b, turns, [&](Value turn) {
    Value first = b.mul(turn, count);
    Value programs = b.create<arith::MinUIOp>(count, b.sub(all, first));
    SmallVector<Value> operands(launch.getInputs());
    llvm::append_range(operands, copies);
    for (Value number : {first, x, y})
      operands.push_back(b.toI32(number));
    b.create<tile::LaunchOp>(launch.getKernel(), programs, outerY, outerZ,
                             operands);
  });
  launch.erase();
}

void SumCopies::addCopies(const CopyingKernel &kernel, ValueRange copies,
                          ValueRange targets) {
  tile::KernelOp op = kernel.kernel;
  for (auto [number, target] : llvm::enumerate(targets)) {
    std::string name = (op.getSymName() + "_copies" +
                        Twine(number ? std::to_string(number) : ""))
                           .str();
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(plan);
      createCopySums(b, name, copies[number].getType(), target.getType());
    }
    b.create<tile::LaunchOp>(name, getConversionGrid(b, target), b.index(1),
                             b.index(1), ValueRange{copies[number], target});
  }
}

void SumCopies::createOf(CopyingKernel &kernel,
                         ArrayRef<tile::LaunchOp> launches) {
  SmallVector<Value> targets, copies;
  tile::LaunchOp first = launches.front();
  Block *scope = findScope(first);
  auto getStep = [&](tile::LaunchOp launch) {
    return scope->findAncestorOpInBlock(*launch);
  };
  for (auto &[target, own] : kernel.adds)
    targets.push_back(
        first.getInputs()[cast<BlockArgument>(target).getArgNumber()]);
  b.setLoc(first.getLoc());
  b.setInsertionPoint(getStep(first));
  Value count = chooseCount(kernel, launches, targets);
  for (Value target : targets) {
    auto type = cast<MemRefType>(target.getType());
    SmallVector<Value> sizes{count};
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      sizes.push_back(b.create<memref::DimOp>(target, b.index(axis)));
    copies.push_back(b.create<tile::WorkspaceOp>(getCopiesType(type), sizes,
                                                 /*zero=*/true));
  }
  Operation *last = getStep(launches.back());
  b.setInsertionPointAfter(last);
  addCopies(kernel, copies, targets);
  for (tile::LaunchOp launch : launches)
    launchInTurns(kernel, launch, copies, count);
  kernel.rewrite();
}

void SumCopies::create() {
  plan.walk([&](tile::LaunchOp launch) {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(
        plan, launch.getKernelAttr());
    launches[kernel].push_back(launch);
  });
  std::vector<std::pair<CopyingKernel, ArrayRef<tile::LaunchOp>>> found;
  for (auto &[kernel, own] : launches)
    if (CopyingKernel copying(cast<tile::KernelOp>(kernel)); !copying.empty())
      found.emplace_back(std::move(copying), own);
  kernels = found.size();
  for (auto &[kernel, own] : found)
    createOf(kernel, own);
}

void ramify::createSumCopies(tile::PlanOp plan, const TileLimits &limits) {
  SumCopies(plan, limits).create();
}
