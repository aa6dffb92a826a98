// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SumHeadsFirst.cpp - Products of sums over heads --------------------===//
//
// The scores of a selection are often added up over the heads that share its
// landmarks. The heads are added up first, and one product is left of as many
// as there are heads:
//
//     sum (dot(q, l) over dim) over head  ->  dot(sum q over head, l) over dim
//     sum (s * x) over head               ->  s * sum x over head
//
// where l and s are the same for all heads. 16-bit elements are widened first,
// so nothing is rounded that was not. Only of infinite elements is the sum
// another one: of terms that cancel, inf - inf, the product of the sum is no
// NaN. This is for targets that multiply rows one by one; a matrix instruction
// of 16 rows costs the same for one of them.
//
//===----------------------------------------------------------------------===//

#include "dialects/HSA/IR/HSA.h"
#include "dialects/HSA/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace ramify::hsa;

namespace ramify::hsa {
#define GEN_PASS_DEF_SUMHEADSFIRST
#include "dialects/HSA/Transforms/Passes.h.inc"
} // namespace ramify::hsa

/// How many heads a value has, 0 where it is the same for all.
static int64_t getHeads(Value value) {
  for (auto [axis, size] : getSizedAxes(value.getType()))
    if (axis == Axis::Head)
      return size;
  return 0;
}

/// What `sum` adds up, if that is more than one head and has no other use.
static Operation *getSummedHeads(FoldOp sum) {
  bool isOnlyHeads = sum.getOver().getAxes() == ArrayRef{Axis::Head};
  Operation *summed = sum.getInput().getDefiningOp();
  if (sum.getMonoid() != Monoid::Sum || !isOnlyHeads || !summed ||
      !summed->hasOneUse() || getHeads(sum.getInput()) < 2)
    return nullptr;
  return summed;
}

/// `value` in f32.
static Value widen(Location loc, Value value, PatternRewriter &rewriter) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType().isF32())
    return value;
  return rewriter.create<arith::ExtFOp>(loc, type.clone(rewriter.getF32Type()),
                                        value);
}

/// The heads of `value`, of f32, added up.
static Value sumHeads(FoldOp sum, Value value, PatternRewriter &rewriter) {
  SmallVector<SizedAxis> axes =
      dropAxes(getSizedAxes(value.getType()), sum.getOver());
  return rewriter.create<FoldOp>(
      sum.getLoc(), getNamedType(axes, rewriter.getF32Type()), sum.getMonoid(),
      value, sum.getOver(), /*chunk=*/Value());
}

namespace {

/// sum (dot(q, l)) -> dot(sum q, l)
struct SumBeforeDot : OpRewritePattern<FoldOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FoldOp sum,
                                PatternRewriter &rewriter) const override {
    auto dot = dyn_cast_or_null<DotOp>(getSummedHeads(sum));
    if (!dot)
      return failure();
    Value lhs = dot.getLhs(), rhs = dot.getRhs();
    Value &many = getHeads(lhs) ? lhs : rhs;
    Value &shared = getHeads(lhs) ? rhs : lhs;
    // A side that would be rounded to the other's 16 bits stays as it is.
    if (getHeads(shared) ||
        getElementTypeOrSelf(lhs) != getElementTypeOrSelf(rhs))
      return failure();
    many = sumHeads(sum, widen(dot.getLoc(), many, rewriter), rewriter);
    shared = widen(dot.getLoc(), shared, rewriter);
    rewriter.replaceOpWithNewOp<DotOp>(sum, sum.getType(), lhs, rhs,
                                       dot.getOver(), dot.getChunk());
    return success();
  }
};

/// sum (s * x) -> s * sum x
struct SumBeforeScale : OpRewritePattern<FoldOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FoldOp sum,
                                PatternRewriter &rewriter) const override {
    auto scaled = dyn_cast_or_null<arith::MulFOp>(getSummedHeads(sum));
    if (!scaled)
      return failure();
    Value lhs = scaled.getLhs(), rhs = scaled.getRhs();
    for (auto [value, factor] : {std::pair(lhs, rhs), std::pair(rhs, lhs)}) {
      Value once = getFactor(sum, factor, rewriter);
      if (!once)
        continue;
      rewriter.replaceOpWithNewOp<arith::MulFOp>(
          sum, sumHeads(sum, value, rewriter), once);
      return success();
    }
    return failure();
  }

private:
  /// A factor that is the same for all heads, in the type of the sum; null for
  /// any other.
  static Value getFactor(FoldOp sum, Value factor, PatternRewriter &rewriter) {
    auto type = dyn_cast<RankedTensorType>(sum.getType());
    SplatElementsAttr splat;
    if (type && matchPattern(factor, m_Constant(&splat)))
      return rewriter.create<arith::ConstantOp>(sum.getLoc(),
                                                splat.resizeSplat(type));
    auto spread = factor.getDefiningOp<BroadcastOp>();
    if (!type || !spread || getHeads(spread.getInput()))
      return nullptr;
    return rewriter.create<BroadcastOp>(sum.getLoc(), type, spread.getInput());
  }
};

struct SumHeadsFirstPass
    : ramify::hsa::impl::SumHeadsFirstBase<SumHeadsFirstPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SumBeforeDot, SumBeforeScale>(&getContext());
    if (failed(
            applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
