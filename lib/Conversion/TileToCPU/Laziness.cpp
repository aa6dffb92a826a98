// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Laziness.cpp - Which ops are evaluated where they are consumed -----===//

#include "KernelEmitter.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

int64_t cpu::paddedRows(int64_t rows, const CPUVectorShape &shape) {
  for (int64_t lanes = 2; lanes < shape.lanes; lanes *= 2)
    if (rows <= lanes)
      return lanes;
  return llvm::alignTo(rows, shape.lanes);
}

int64_t cpu::alignmentOf(int64_t count, int64_t bytes) {
  return std::min<int64_t>(64, (count & -count) * bytes);
}

Type cpu::computeType(Type element) {
  if (element.isIndex())
    return IntegerType::get(element.getContext(), 64);
  if (isa<FloatType>(element))
    return Float32Type::get(element.getContext());
  return element;
}

static bool isScalarSpeculatable(Operation *op) {
  return op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
         isSpeculatable(op) &&
         llvm::none_of(op->getResultTypes(),
                       [](Type type) { return isa<TensorType>(type); });
}

/// A branch between tiles that costs nothing but arithmetic is a selection.
static bool isSelection(scf::IfOp op) {
  if (op.getNumResults() == 0 || op.getElseRegion().empty() ||
      !llvm::all_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>))
    return false;
  for (Region *region : {&op.getThenRegion(), &op.getElseRegion()})
    for (Operation &inner : region->front().without_terminator())
      if (!isLazy(&inner) && !isScalarSpeculatable(&inner))
        return false;
  return true;
}

bool cpu::isLazy(Operation *op) {
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return isSelection(branch);
  if (op->getNumResults() != 1)
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || type.getRank() == 0)
    return false;
  return isa<arith::ConstantOp, tensor::SplatOp, tile::BroadcastOp,
             tile::IotaOp>(op) ||
         OpTrait::hasElementwiseMappableTraits(op);
}

Operation *cpu::lazyDefinition(Value value) {
  Operation *op = value.getDefiningOp();
  return op && isLazy(op) ? op : nullptr;
}

/// Whether `user` runs after `op`, or in it if it is a loop.
static bool runsAfter(Operation *user, Operation *op) {
  for (Operation *place = op; place; place = place->getParentOp()) {
    Block *block = place->getBlock();
    Operation *other = block ? block->findAncestorOpInBlock(*user) : nullptr;
    if (other == place)
      return isa<scf::ForOp>(place) && place != user;
    if (other)
      return place->isBeforeInBlock(other);
  }
  return false;
}

/// The yields of a lazy branch stand for its results.
static ValueRange lazyResults(Operation *user) {
  if (isa<scf::YieldOp>(user) && isLazy(user->getParentOp()))
    return user->getParentOp()->getResults();
  if (isLazy(user))
    return user->getResults();
  return {};
}

/// `seen` has what was found not to be: values are often made of one another in
/// several ways.
static bool isReadLater(Value value, Operation *op,
                        llvm::DenseSet<Value> &seen) {
  if (!seen.insert(value).second)
    return false;
  for (Operation *user : value.getUsers()) {
    ValueRange results = lazyResults(user);
    if (results.empty()) {
      if (user != op && runsAfter(user, op))
        return true;
      continue;
    }
    for (Value result : results)
      if (isReadLater(result, op, seen))
        return true;
  }
  return false;
}

bool cpu::isReadAfter(Value value, Operation *op) {
  for (Operation *parent = op->getParentOp(); parent;
       parent = parent->getParentOp())
    if (isa<scf::ForOp>(parent) &&
        !parent->isAncestor(value.getParentBlock()->getParentOp()))
      return true;
  llvm::DenseSet<Value> seen;
  return isReadLater(value, op, seen);
}

/// `seen` has what was found not to depend on it.
static bool dependsOn(Value value, Value source, llvm::DenseSet<Value> &seen) {
  if (value == source)
    return true;
  Operation *op = lazyDefinition(value);
  if (!op || !seen.insert(value).second)
    return false;
  bool found = false;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      found = found || dependsOn(operand, source, seen);
  });
  return found;
}

bool cpu::dependsOn(Value value, Value source) {
  llvm::DenseSet<Value> seen;
  return ::dependsOn(value, source, seen);
}
