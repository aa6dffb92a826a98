// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VisitRegisters.cpp - What a visit with gradients holds -------------===//

#include "VisitRegisters.h"

#include "TileShape.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace ramify;
using hsa::Axis;

static constexpr int64_t kLanes = 32, kWarpRows = 16;
/// Of columns that warps share.
static constexpr int64_t kPieceColumns = 8;

bool ramify::isProductOfRows(hsa::DotOp op) {
  Type result = op.getType();
  return hasAxis(result, Axis::Key) && hasAxis(result, Axis::Dim) &&
         !hasRows(result) && hasRows(op.getLhs().getType()) &&
         hasRows(op.getRhs().getType());
}

bool ramify::hasProductsOfRows(hsa::ProgramOp program) {
  WalkResult result = program.walk(
      [](hsa::DotOp op) -> WalkResult { return failure(isProductOfRows(op)); });
  return result.wasInterrupted();
}

namespace {
/// The body of a reduction, walked in order.
class Visit {
public:
  Visit(hsa::ReduceOp op, int64_t keys, int64_t rows, int64_t warps,
        ProductsOfRows products)
      : op(op), keys(keys), rows(rows), warps(warps), products(products) {}
  int64_t countMost();

private:
  int64_t getRegisters(Value value) const;
  /// Whether `inner` is the last that reads the value.
  bool isLast(Operation &inner, Value value) const;

  hsa::ReduceOp op;
  int64_t keys, rows, warps;
  ProductsOfRows products;
};
} // namespace

/// Whether only products with 16-bit operands read the value.
static bool isRounded(Value value) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    return isa<hsa::DotOp>(user) &&
           llvm::any_of(user->getOperandTypes(), [](Type type) {
             return getElementTypeOrSelf(type).getIntOrFloatBitWidth() == 16;
           });
  });
}

/// Whether rows, keys or a dim are new in a broadcast.
static bool isRepeated(Operation &inner) {
  auto broadcast = dyn_cast<hsa::BroadcastOp>(inner);
  if (!broadcast)
    return false;
  Type from = broadcast.getInput().getType(), to = broadcast.getType();
  return hasRows(from) != hasRows(to) ||
         hasAxis(from, Axis::Key) != hasAxis(to, Axis::Key) ||
         hasAxis(from, Axis::Dim) != hasAxis(to, Axis::Dim);
}

int64_t Visit::getRegisters(Value value) const {
  Type type = value.getType();
  Operation *inner = value.getDefiningOp();
  if (!inner || inner->getParentOp() != op || !hsa::isNamedTensor(type) ||
      isa<hsa::ChunkOp, arith::ConstantOp>(inner) || isRepeated(*inner))
    return 0;
  int64_t dim = getSize(type, Axis::Dim);
  bool keyed = hasAxis(type, Axis::Key);
  bool onlyYielded = llvm::all_of(value.getUsers(), [](Operation *user) {
    return isa<hsa::YieldOp>(user);
  });
  if (!keyed && (!dim || onlyYielded))
    return 0;
  auto dot = dyn_cast<hsa::DotOp>(inner);
  bool carried = products == ProductsOfRows::InRegisters && onlyYielded;
  if (carried && dot && isProductOfRows(dot))
    return 0;
  // A mask takes a register for each element, too.
  int64_t bits =
      std::max(getElementTypeOrSelf(type).getIntOrFloatBitWidth(), 32u);
  if (isRounded(value))
    bits = 16;
  int64_t elements = (hasRows(type) ? rows : 1) * (keyed ? keys : 1) *
                     std::max<int64_t>(dim, 1);
  return elements * bits / 32 / (kLanes * warps);
}

bool Visit::isLast(Operation &inner, Value value) const {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    return user == &inner || user->isBeforeInBlock(&inner);
  });
}

int64_t Visit::countMost() {
  int64_t live = 0, most = 0;
  for (Operation &inner : op.getBody().front().without_terminator()) {
    int64_t dying = 0;
    llvm::SmallDenseSet<Value> operands(inner.operand_begin(),
                                        inner.operand_end());
    for (Value operand : operands)
      if (isLast(inner, operand))
        dying += getRegisters(operand);
    int64_t made = getRegisters(inner.getResult(0));
    // An elementwise operation leaves its result where an operand was.
    bool inPlace = !isa<hsa::DotOp>(inner);
    int64_t shared = inPlace ? std::min(made, dying) : 0;
    most = std::max(most, live + made - shared);
    // What is added to sums of keys does not stay.
    bool stays = llvm::any_of(inner.getUsers(), [](Operation *user) {
      return !isa<hsa::YieldOp>(user);
    });
    live += (stays ? made : 0) - dying;
  }
  return most;
}

int64_t ramify::countVisitRegisters(hsa::ProgramOp program, int64_t keys,
                                    int64_t rows, int64_t warps,
                                    ProductsOfRows products) {
  int64_t most = 0;
  program.walk([&](hsa::ReduceOp op) {
    most = std::max(most, Visit(op, keys, rows, warps, products).countMost());
  });
  return most;
}

int64_t ramify::countCommonWarps(int64_t rows, int64_t keys) {
  return std::max<int64_t>(std::gcd(rows, keys) / kWarpRows, 1);
}

int64_t ramify::countOwnerWarps(int64_t rows, int64_t keys, int64_t columns) {
  if (keys >= rows)
    return countCommonWarps(rows, keys);
  return std::gcd(std::max<int64_t>(rows / kWarpRows, 1),
                  llvm::divideCeil(columns, kPieceColumns));
}
