// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VerifyBankConflicts.cpp - Shared accesses, bank by bank ------------===//

#include "dialects/Tile/Transforms/VerifyBankConflicts.h"

#include "dialects/Tile/IR/Layout.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/SharedReads.h"

using namespace mlir;
using namespace ramify::tile;

static LogicalResult report(Operation *op, StringRef what, const Coords &at,
                            unsigned conflicts) {
  if (!conflicts)
    return success();
  return op->emitOpError(what) << " [" << at[0] << ", " << at[1] << "] with "
                               << conflicts << " bank conflicts";
}

static LogicalResult verifyCopy(CopyAsyncOp op, int64_t alignment) {
  if (!op.getLayout())
    return op.emitOpError("expected a layout");
  Layout layout(*op.getLayout());
  SharedLayout shared(cast<MemRefType>(op.getTarget().getType()));
  auto source = cast<MemRefType>(op.getSource().getType());
  int64_t bytes = source.getElementTypeBitWidth() / 8;
  unsigned unit = accessWidth(layout, source, alignment);
  if (unit * bytes < 4)
    return success();
  for (unsigned w = 0; w < layout.numWarps(); ++w)
    for (unsigned r = 0; r < layout.numRegisters(); r += unit)
      if (failed(report(op, "writes", layout.element(r, 0, w),
                        registerConflicts(layout, r, w, shared, bytes, unit))))
        return failure();
  return success();
}

static LogicalResult verifyLoad(LoadSharedOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  std::optional<Layout> layout = Layout::of(type);
  if (!layout)
    return op.emitOpError("expected a result with a layout");
  if (op.getTransposed())
    layout = layout->transposed();
  SharedLayout shared(cast<MemRefType>(op.getSource().getType()));
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  // Pairs of 16-bit elements are one word if they are neighbours in a row.
  unsigned step = bytes == 2 ? 2 : 1;
  bool matrices = ldmatrixForm(*layout, type.getElementType()).has_value();
  unsigned pieces = matrices || layout->offset(step - 1)[0] ? 1 : step;
  if (readsPairs(op))
    step = pieces = 2;
  for (unsigned w = 0; w < layout->numWarps(); ++w)
    for (unsigned r = 0; r < layout->numRegisters(); r += step) {
      Coords at = layout->element(r, 0, w);
      unsigned conflicts =
          matrices ? ldmatrixConflicts(shared, at[0], at[1] * bytes)
                   : registerConflicts(*layout, r, w, shared, bytes, pieces);
      if (failed(report(op, "reads", at, conflicts)))
        return failure();
    }
  return success();
}

/// Two neighbours in a row at once, as words or, the same to the banks, as rows
/// of stmatrix.
static LogicalResult verifyStore(StoreSharedOp op) {
  constexpr unsigned atOnce = 2;
  std::optional<Layout> layout = Layout::of(op.getValue().getType());
  if (!layout)
    return op.emitOpError("expected a value with a layout");
  auto buffer = cast<MemRefType>(op.getTarget().getType());
  SharedLayout shared(buffer);
  int64_t bytes = buffer.getElementTypeBitWidth() / 8;
  for (unsigned w = 0; w < layout->numWarps(); ++w)
    for (unsigned r = 0; r < layout->numRegisters(); r += atOnce)
      if (failed(
              report(op, "writes", layout->element(r, 0, w),
                     registerConflicts(*layout, r, w, shared, bytes, atOnce))))
        return failure();
  return success();
}

static LogicalResult verifyKernel(KernelOp kernel) {
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    if (auto copy = dyn_cast<CopyAsyncOp>(op))
      return verifyCopy(copy, getAlignment(kernel, copy.getSource()));
    if (auto load = dyn_cast<LoadSharedOp>(op))
      return verifyLoad(load);
    if (auto store = dyn_cast<StoreSharedOp>(op))
      return verifyStore(store);
    return success();
  });
  return failure(result.wasInterrupted());
}

namespace {
struct VerifyBankConflictsPass
    : PassWrapper<VerifyBankConflictsPass, OperationPass<KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(VerifyBankConflictsPass)

  StringRef getArgument() const final { return "tile-verify-bank-conflicts"; }
  StringRef getDescription() const final {
    return "Fail on accesses to shared memory whose lanes wait for each other";
  }
  void runOnOperation() final {
    if (failed(verifyKernel(getOperation())))
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};
} // namespace

std::unique_ptr<Pass> ramify::tile::createVerifyBankConflictsPass() {
  return std::make_unique<VerifyBankConflictsPass>();
}

void ramify::tile::registerVerifyBankConflictsPass() {
  registerPass([] { return createVerifyBankConflictsPass(); });
}
