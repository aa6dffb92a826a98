// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- MergeRowScales.cpp - Rows are scaled as late and seldom as can be --===//
//
// Gradients are products of many factors, several of which a whole row has:
// the weight, 1 / l, the scale. A scale moves towards the users of a tile,
// where it meets others as a vector, or leaves a sum of the row:
//
//     %p  = %e * broadcast(%r)
//     %pw = %p * broadcast(%w)             %pw = %e * broadcast(%r * %w)
//     %d  = reduce sum (%p * %x)     ->    %d  = %r * reduce sum (%e * %x)
//     %g  = (%p * %y) * broadcast(%w)      %g  = (%e * %y) * broadcast(%r * %w)
//
// This is done only where every user of the scaled tile takes it up, so that
// one multiplication of the tile is saved and none is added (two scales may
// leave the range of f32 where each with the tile did not); and not in tiles of
// 16 rows, a single warp's: with wide sums it has no registers for the vectors.
//
//===----------------------------------------------------------------------===//

#include "RowScales.h"

#include "ramify/Conversion/HSAToTile.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace ramify;

namespace ramify {
#define GEN_PASS_DEF_MERGEROWSCALES
#include "lib/Conversion/HSAToTile/Passes.h.inc"
} // namespace ramify

static constexpr int64_t kRowsOfWarp = 16;

static bool isRowSum(Operation *op) {
  auto reduce = dyn_cast<tile::ReduceOp>(op);
  return reduce && reduce.getCombine() == tile::Combine::Sum &&
         reduce.getAxis() == 1;
}

/// The other factor of `product`, which has `tile` as one.
static Value getOtherFactor(arith::MulFOp product, Value tile) {
  return product.getLhs() == tile ? product.getRhs() : product.getLhs();
}

/// Whether each user of `tile` can have a scale of its rows instead.
static bool allTakeScale(Value tile) {
  if (tile.use_empty())
    return false;
  return llvm::all_of(tile.getUsers(), [&](Operation *user) {
    if (isRowSum(user))
      return true;
    auto product = dyn_cast<arith::MulFOp>(user);
    if (!product || product.getLhs() == product.getRhs())
      return false;
    return getRowScale(getOtherFactor(product, tile)) ||
           allTakeScale(product.getResult());
  });
}

namespace {
/// Lets the users of a scaled tile have its scale.
struct HandScaleOn : OpRewritePattern<arith::MulFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::MulFOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type || type.getRank() != 2 || !type.getElementType().isF32() ||
        type.getDimSize(0) <= kRowsOfWarp)
      return failure();
    auto [rest, scale] = splitRowScale(op.getResult());
    if (!rest || getRowScale(rest) || !allTakeScale(op.getResult()))
      return failure();
    rewriter.setInsertionPointAfter(op);
    Value vector =
        toRowVector(rewriter, op.getLoc(), scale, type.getDimSize(0));
    handOn(rewriter, op.getResult(), rest, vector);
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Makes the users of `tile` those of `rest`, which has no `scale` yet.
  static void handOn(PatternRewriter &rewriter, Value tile, Value rest,
                     Value scale) {
    auto type = cast<RankedTensorType>(tile.getType());
    // A product of the tile with another user's has it as a factor again.
    while (!tile.use_empty()) {
      Operation *user = *tile.getUsers().begin();
      Location loc = user->getLoc();
      rewriter.setInsertionPoint(user);
      if (isRowSum(user)) {
        auto sum = cast<tile::ReduceOp>(user);
        Value unscaled = rewriter.create<tile::ReduceOp>(
            loc, sum.getType(), sum.getCombine(), rest, sum.getAxis());
        rewriter.replaceOpWithNewOp<arith::MulFOp>(user, unscaled, scale);
        continue;
      }
      auto product = cast<arith::MulFOp>(user);
      Value other = getOtherFactor(product, tile);
      if (Value own = getRowScale(other)) {
        own = toRowVector(rewriter, loc, own, type.getDimSize(0));
        Value both = rewriter.create<arith::MulFOp>(loc, scale, own);
        Value repeated =
            rewriter.create<tile::BroadcastOp>(loc, type, both, /*axis=*/1);
        rewriter.replaceOpWithNewOp<arith::MulFOp>(user, rest, repeated);
        continue;
      }
      Value unscaled = rewriter.create<arith::MulFOp>(loc, rest, other);
      handOn(rewriter, product.getResult(), unscaled, scale);
      rewriter.eraseOp(product);
    }
  }
};

class MergeRowScalesPass
    : public ramify::impl::MergeRowScalesBase<MergeRowScalesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<HandScaleOn>(&getContext());
    if (failed(
            applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
