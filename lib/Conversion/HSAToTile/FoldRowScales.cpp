// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- FoldRowScales.cpp - Products straight into their accumulator -------===//
//
// A weighted sum of products is accumulated by the product itself, and what
// scales its rows moves to the smaller side, beside the scales that are there:
//
//     %p  = arith.mulf %e, broadcast(%r)
//     %o  = tile.dot %p, %v, 0
//     %ow = arith.mulf broadcast(%w), %o
//     %a' = arith.addf %a, %ow
// becomes
//     %t  = arith.mulf %r, %w
//     %p  = arith.mulf %e, broadcast(%t)
//     %a' = tile.dot %p, %v, %a
//
// This saves a multiplication and an addition for each element of the result,
// and its registers. A bf16 operand is rounded as well after the scale as
// before it; f16 has no exponents for that, so there only the addition is
// folded.
//
// Where the product is accumulated by a loop of its own (a chunk in passes over
// its keys), that loop starts from what its result is added to:
//
//     %o  = scf.for iter_args(%i = 0) {
//       yield tile.dot %p, %v, %i
//     }
//     %a' = %a + broadcast(%w) %o
// becomes
//     %a' = scf.for iter_args(%i = %a) {
//       %x = tile.dot %p, %v, 0
//       yield %i + broadcast(%w) %x
//     }
//
//===----------------------------------------------------------------------===//

#include "RowScales.h"

#include "ramify/Conversion/HSAToTile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace ramify;

namespace ramify {
#define GEN_PASS_DEF_FOLDROWSCALES
#include "lib/Conversion/HSAToTile/Passes.h.inc"
} // namespace ramify

/// lhs with its rows scaled, or null where that would lose accuracy. A scale
/// that is there already is multiplied with the new one.
static Value scaleRows(OpBuilder &b, Location loc, Value lhs, Value scale) {
  auto type = cast<RankedTensorType>(lhs.getType());
  Value wide = lhs;
  if (!type.getElementType().isF32()) {
    auto narrow = lhs.getDefiningOp<arith::TruncFOp>();
    if (!narrow || !type.getElementType().isBF16())
      return nullptr;
    wide = narrow.getIn();
  }
  Value factor = toRowVector(b, loc, scale, type.getDimSize(0));
  auto [rest, own] = splitRowScale(wide);
  if (rest) {
    wide = rest;
    own = toRowVector(b, loc, own, type.getDimSize(0));
    factor = b.create<arith::MulFOp>(loc, own, factor);
  }
  Value repeated =
      b.create<tile::BroadcastOp>(loc, wide.getType(), factor, /*axis=*/1);
  Value scaled = b.create<arith::MulFOp>(loc, wide, repeated);
  return wide.getType() == type ? scaled
                                : b.create<arith::TruncFOp>(loc, type, scaled);
}

namespace {
struct FoldIntoProduct : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op,
                                PatternRewriter &rewriter) const override {
    return success(succeeded(fold(op, op.getRhs(), op.getLhs(), rewriter)) ||
                   succeeded(fold(op, op.getLhs(), op.getRhs(), rewriter)));
  }

private:
  /// Folds acc + [scale *] dot, where nothing else needs the product.
  static LogicalResult fold(arith::AddFOp op, Value term, Value acc,
                            PatternRewriter &rewriter) {
    auto [rest, scale] = splitRowScale(term);
    Value product = rest ? rest : term;
    auto dot = product.getDefiningOp<tile::DotOp>();
    if (!dot || !dot->hasOneUse() || (rest && !term.hasOneUse()))
      return failure();
    Location loc = op.getLoc();
    Value lhs = dot.getLhs();
    if (rest)
      lhs = scaleRows(rewriter, loc, lhs, scale);
    if (!lhs)
      return failure();
    // What the product itself starts from is added first, scaled likewise; a
    // chain of products folds from its end to its beginning.
    if (!matchPattern(dot.getAcc(), m_AnyZeroFloat())) {
      Value start = dot.getAcc();
      if (rest) {
        Value repeated = rewriter.create<tile::BroadcastOp>(
            loc, start.getType(),
            toRowVector(rewriter, loc, scale, dot.getType().getDimSize(0)), 1);
        start = rewriter.create<arith::MulFOp>(loc, start, repeated);
      }
      acc = rewriter.create<arith::AddFOp>(loc, acc, start);
    }
    rewriter.replaceOpWithNewOp<tile::DotOp>(
        op, op.getType(), lhs, dot.getTransposed(), dot.getRhs(), acc);
    return success();
  }
};

/// acc + [scale *] what a loop sums from zero, inside another loop: both sums
/// would stand in registers beside each other.
struct FoldIntoLoop : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op,
                                PatternRewriter &rewriter) const override {
    return success(succeeded(fold(op, op.getRhs(), op.getLhs(), rewriter)) ||
                   succeeded(fold(op, op.getLhs(), op.getRhs(), rewriter)));
  }

private:
  static bool isKnownBefore(Value value, scf::ForOp loop) {
    Operation *def = value.getDefiningOp();
    if (!def)
      return value.getParentBlock()->getParentOp()->isProperAncestor(loop);
    Operation *here = def->getBlock()->findAncestorOpInBlock(*loop);
    return here && def->isBeforeInBlock(here);
  }

  /// What a turn of the loop adds to the sum `sum`; the product of a chain
  /// becomes one from zero. Null if it does something else.
  static Value takeTerm(PatternRewriter &rewriter, Value next, Value sum) {
    if (auto add = next.getDefiningOp<arith::AddFOp>()) {
      if (add.getLhs() == sum)
        return add.getRhs();
      return add.getRhs() == sum ? add.getLhs() : nullptr;
    }
    auto dot = next.getDefiningOp<tile::DotOp>();
    if (!dot || dot.getAcc() != sum)
      return nullptr;
    rewriter.setInsertionPoint(dot);
    Value zero = rewriter.create<arith::ConstantOp>(
        dot.getLoc(), rewriter.getZeroAttr(dot.getType()));
    return rewriter.create<tile::DotOp>(dot.getLoc(), dot.getType(),
                                        dot.getLhs(), dot.getTransposed(),
                                        dot.getRhs(), zero);
  }

  static LogicalResult fold(arith::AddFOp op, Value term, Value acc,
                            PatternRewriter &rewriter) {
    auto [rest, scale] = splitRowScale(term);
    auto result = dyn_cast<OpResult>(rest ? rest : term);
    auto loop = result ? dyn_cast<scf::ForOp>(result.getOwner()) : nullptr;
    if (!loop || !loop->getParentOfType<scf::ForOp>() || !result.hasOneUse() ||
        !term.hasOneUse() || !isKnownBefore(acc, loop) ||
        (scale && !isKnownBefore(scale, loop)))
      return failure();
    OpOperand &start = *loop.getTiedLoopInit(result);
    Value sum = loop.getTiedLoopRegionIterArg(result);
    OpOperand &yielded =
        *loop.getTiedLoopYieldedValue(cast<BlockArgument>(sum));
    if (!matchPattern(start.get(), m_AnyZeroFloat()) || !sum.hasOneUse() ||
        !yielded.get().hasOneUse())
      return failure();
    Value added = takeTerm(rewriter, yielded.get(), sum);
    if (!added)
      return failure();
    rewriter.setInsertionPoint(yielded.getOwner());
    Location loc = op.getLoc();
    if (scale) {
      auto type = cast<RankedTensorType>(op.getType());
      Value repeated = toRowVector(rewriter, loc, scale, type.getDimSize(0));
      if (type.getRank() == 2)
        repeated = rewriter.create<tile::BroadcastOp>(loc, type, repeated, 1);
      added = rewriter.create<arith::MulFOp>(loc, added, repeated);
    }
    Value next = rewriter.create<arith::AddFOp>(loc, sum, added);
    rewriter.modifyOpInPlace(yielded.getOwner(), [&] { yielded.set(next); });
    rewriter.modifyOpInPlace(loop, [&] { start.set(acc); });
    rewriter.replaceOp(op, result);
    return success();
  }
};

class FoldRowScalesPass
    : public ramify::impl::FoldRowScalesBase<FoldRowScalesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldIntoProduct, FoldIntoLoop>(&getContext());
    if (failed(
            applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
