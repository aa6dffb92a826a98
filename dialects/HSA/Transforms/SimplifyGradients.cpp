// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SimplifyGradients.cpp - Products that others imply -----------------===//

#include "SimplifyGradients.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ramify::hsa;

//===----------------------------------------------------------------------===//
// Factors
//===----------------------------------------------------------------------===//

namespace {
/// factor * rest, where the factor has fewer axes and is repeated.
struct Scaled {
  Value factor, rest;
  explicit operator bool() const { return bool(factor); }
};
} // namespace

/// What a broadcast repeats, or null.
static Value getRepeated(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  return broadcast ? broadcast.getInput() : Value();
}

static Scaled splitFactor(Value product) {
  auto mul = product.getDefiningOp<arith::MulFOp>();
  if (!mul)
    return {};
  if (Value factor = getRepeated(mul.getLhs()))
    return {factor, mul.getRhs()};
  if (Value factor = getRepeated(mul.getRhs()))
    return {factor, mul.getLhs()};
  return {};
}

static bool hasAnyOf(Type type, ArrayRef<Axis> axes) {
  AxesAttr own = getAxes(type);
  return own &&
         llvm::any_of(axes, [&](Axis axis) { return own.contains(axis); });
}

static bool hasAllAxesOf(Type type, Type other) {
  AxesAttr own = getAxes(type);
  return llvm::all_of(getSizedAxes(other), [&](SizedAxis sized) {
    return own && own.contains(sized.first);
  });
}

static Value repeat(OpBuilder &b, Location loc, Value x, Type type) {
  return x.getType() == type ? x : b.create<BroadcastOp>(loc, type, x);
}

static Value scale(OpBuilder &b, Location loc, Value factor, Value x) {
  return b.create<arith::MulFOp>(loc, repeat(b, loc, factor, x.getType()), x);
}

/// Behind roundings and widenings.
static Value skipCasts(Value value) {
  while (isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

/// Whether a value is as it is in memory.
static bool isRead(Value value) {
  return isa_and_nonnull<LoadOp, ChunkOp>(skipCasts(value).getDefiningOp());
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

/// What was widened and is rounded again.
struct RoundingOfWidening : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    auto wide = op.getIn().getDefiningOp<arith::ExtFOp>();
    if (!wide || wide.getIn().getType() != op.getType())
      return failure();
    rewriter.replaceOp(op, wide.getIn());
    return success();
  }
};

/// x * (w * y) to w * (x * y).
struct FactorsFirst : OpRewritePattern<arith::MulFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::MulFOp op,
                                PatternRewriter &rewriter) const override {
    for (auto [x, product] : {std::pair(op.getLhs(), op.getRhs()),
                              std::pair(op.getRhs(), op.getLhs())}) {
      Scaled scaled = splitFactor(product);
      if (!scaled || !isNamedTensor(op.getType()) || getRepeated(x))
        continue;
      Value inner = rewriter.create<arith::MulFOp>(op.getLoc(), x, scaled.rest);
      rewriter.replaceOp(op,
                         scale(rewriter, op.getLoc(), scaled.factor, inner));
      return success();
    }
    return failure();
  }
};

/// w * x - w * y, where y may be repeated, to w * (x - y).
struct FactorOutOfDifference : OpRewritePattern<arith::SubFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::SubFOp op,
                                PatternRewriter &rewriter) const override {
    Scaled left = splitFactor(op.getLhs());
    Value narrow = getRepeated(op.getRhs());
    Scaled right = splitFactor(narrow ? narrow : op.getRhs());
    if (!left || !right || left.factor != right.factor)
      return failure();
    Value rest = repeat(rewriter, op.getLoc(), right.rest, op.getType());
    Value inner = rewriter.create<arith::SubFOp>(op.getLoc(), left.rest, rest);
    rewriter.replaceOp(op, scale(rewriter, op.getLoc(), left.factor, inner));
    return success();
  }
};

/// The factor of a side that is otherwise as in memory, or the same in each
/// visit, leaves the product.
struct FactorOutOfDot : OpRewritePattern<DotOp> {
  using OpRewritePattern::OpRewritePattern;

  static bool isGiven(DotOp op, Value value) {
    Region *visit = op->getParentRegion();
    return isRead(value) || !visit->isAncestor(value.getParentRegion());
  }

  /// The side without its factor, in its element type.
  static Value strip(PatternRewriter &rewriter, DotOp op, Value side,
                     Scaled scaled) {
    Type element = getElementTypeOrSelf(side);
    Value rest = scaled.rest;
    if (getElementTypeOrSelf(rest) == element)
      return rest;
    return rewriter.create<arith::TruncFOp>(op.getLoc(), side.getType(), rest);
  }

  LogicalResult matchAndRewrite(DotOp op,
                                PatternRewriter &rewriter) const override {
    for (unsigned index : {0, 1}) {
      Value side = op->getOperand(index), other = op->getOperand(1 - index);
      auto narrow = side.getDefiningOp<arith::TruncFOp>();
      Scaled scaled = splitFactor(narrow ? narrow.getIn() : side);
      if (!scaled || !isGiven(op, scaled.rest))
        continue;
      Type factor = scaled.factor.getType();
      bool overRows = hasAnyOf(side.getType(), {Axis::Pos, Axis::Head}) &&
                      llvm::any_of(op.getOver().getAxes(), [](Axis axis) {
                        return axis == Axis::Pos || axis == Axis::Head;
                      });
      bool toOther = overRows && !isGiven(op, other) &&
                     hasAllAxesOf(other.getType(), factor) &&
                     getElementTypeOrSelf(other).isF32();
      if (!toOther && hasAnyOf(factor, op.getOver().getAxes()))
        continue;
      Value rest = strip(rewriter, op, side, scaled);
      if (toOther)
        other = scale(rewriter, op.getLoc(), scaled.factor, other);
      Value lhs = index ? other : rest, rhs = index ? rest : other;
      Value dot =
          rewriter.create<DotOp>(op.getLoc(), op.getResult().getType(), lhs,
                                 rhs, op.getOverAttr(), op.getChunk());
      if (!toOther)
        dot = scale(rewriter, op.getLoc(), scaled.factor, dot);
      rewriter.replaceOp(op, dot);
      return success();
    }
    return failure();
  }
};

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

static Value createSum(OpBuilder &b, Location loc, Value x, ArrayRef<Axis> over,
                       Value chunk) {
  if (over.empty())
    return x;
  auto axes = AxesAttr::get(b.getContext(), over);
  Type type = getNamedType(dropAxes(getSizedAxes(x.getType()), axes),
                           getElementTypeOrSelf(x.getType()));
  return b.create<FoldOp>(loc, type, Monoid::Sum, x, axes,
                          axes.contains(Axis::Key) ? chunk : Value());
}

/// sum (w * x) to w * sum x, for a factor without the axes that are summed.
struct FactorOutOfSum : OpRewritePattern<FoldOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(FoldOp op,
                                PatternRewriter &rewriter) const override {
    Scaled scaled = splitFactor(op.getInput());
    if (op.getMonoid() != Monoid::Sum || !scaled ||
        hasAnyOf(scaled.factor.getType(), op.getOver().getAxes()))
      return failure();
    Value sum = createSum(rewriter, op.getLoc(), scaled.rest,
                          op.getOver().getAxes(), op.getChunk());
    rewriter.replaceOp(op, scale(rewriter, op.getLoc(), scaled.factor, sum));
    return success();
  }
};

/// sum over dim and others of dot(p, v) over key * g to the sum over the others
/// of the sum over key of p * dot(g, v).
struct SumOfProductWithDot : OpRewritePattern<FoldOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(FoldOp op,
                                PatternRewriter &rewriter) const override {
    auto product = op.getInput().getDefiningOp<arith::MulFOp>();
    if (op.getMonoid() != Monoid::Sum || !product ||
        !op.getOver().contains(Axis::Dim))
      return failure();
    for (auto [one, g] : {std::pair(product.getLhs(), product.getRhs()),
                          std::pair(product.getRhs(), product.getLhs())}) {
      auto dot = one.getDefiningOp<DotOp>();
      if (!dot || dot.getOver().getAxes() != ArrayRef{Axis::Key})
        continue;
      Value p = dot.getLhs(), v = dot.getRhs();
      if (hasAnyOf(p.getType(), {Axis::Dim}))
        std::swap(p, v);
      if (hasAnyOf(p.getType(), {Axis::Dim}) ||
          hasAnyOf(v.getType(), {Axis::Pos, Axis::Head}) ||
          !getElementTypeOrSelf(p).isF32())
        continue;
      rewriter.replaceOp(op, rewrite(rewriter, op, dot, p, v, g));
      return success();
    }
    return failure();
  }

  static Value rewrite(PatternRewriter &rewriter, FoldOp op, DotOp dot, Value p,
                       Value v, Value g) {
    Location loc = op.getLoc();
    auto overDim = AxesAttr::get(op.getContext(), {Axis::Dim});
    Value gain = rewriter.create<DotOp>(loc, p.getType(), g, v, overDim,
                                        /*chunk=*/Value());
    Value sum =
        createSum(rewriter, loc, rewriter.create<arith::MulFOp>(loc, p, gain),
                  {Axis::Key}, dot.getChunk());
    SmallVector<Axis> others;
    for (Axis axis : op.getOver().getAxes())
      if (axis != Axis::Dim)
        others.push_back(axis);
    return createSum(rewriter, loc, sum, others, Value());
  }
};

/// Replaces a sum by one over the axes `rest` of the sums over `first`, in the
/// chunk that the sum has.
static void sumInTurn(PatternRewriter &rewriter, FoldOp op,
                      ArrayRef<Axis> first, ArrayRef<Axis> rest) {
  Value sums =
      createSum(rewriter, op.getLoc(), op.getInput(), first, op.getChunk());
  rewriter.replaceOp(op, createSum(rewriter, op.getLoc(), sums, rest, Value()));
}

/// A sum over keys and rows to a sum over rows of the sums over keys.
struct SumOverKeysFirst : OpRewritePattern<FoldOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(FoldOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Axis> columns, rows;
    for (Axis axis : op.getOver().getAxes())
      (axis == Axis::Pos || axis == Axis::Head ? rows : columns)
          .push_back(axis);
    if (op.getMonoid() != Monoid::Sum || !op.getChunk() || rows.empty())
      return failure();
    sumInTurn(rewriter, op, columns, rows);
    return success();
  }
};

/// A sum over chunks and others to a sum over the others of the sum over
/// chunks: what is left of a stream has a row for each query.
struct SumOverChunksFirst : OpRewritePattern<FoldOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(FoldOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Axis> others;
    for (Axis axis : op.getOver().getAxes())
      if (axis != Axis::Chunk)
        others.push_back(axis);
    if (op.getMonoid() != Monoid::Sum || others.empty() ||
        !op.getOver().contains(Axis::Chunk))
      return failure();
    sumInTurn(rewriter, op, {Axis::Chunk}, others);
    return success();
  }
};

/// dot (repeated x, y) to repeated dot (x, y), where neither y nor the sum has
/// the axes that x is repeated along.
struct RepeatBehindDot : OpRewritePattern<DotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DotOp op,
                                PatternRewriter &rewriter) const override {
    for (unsigned index : {0, 1}) {
      Value side = op->getOperand(index), other = op->getOperand(1 - index);
      auto narrow = side.getDefiningOp<arith::TruncFOp>();
      Value x = getRepeated(narrow ? narrow.getIn() : side);
      if (!x || !isNamedTensor(x.getType()) ||
          !hasAnyOf(side.getType(), {Axis::Chunk}) ||
          !hasAllAxesOf(x.getType(), op.getOver()))
        continue;
      SmallVector<SizedAxis> axes;
      for (SizedAxis own : getSizedAxes(op.getResult().getType()))
        if (hasAnyOf(x.getType(), {own.first}) ||
            hasAnyOf(other.getType(), {own.first}))
          axes.push_back(own);
      Type type = getNamedType(axes, getElementTypeOrSelf(op.getResult()));
      if (type == op.getResult().getType())
        continue;
      if (narrow)
        x = rewriter.create<arith::TruncFOp>(
            op.getLoc(),
            cast<RankedTensorType>(x.getType())
                .clone(getElementTypeOrSelf(side)),
            x);
      Value dot = rewriter.create<DotOp>(op.getLoc(), type, index ? other : x,
                                         index ? x : other, op.getOverAttr(),
                                         op.getChunk());
      rewriter.replaceOp(
          op, repeat(rewriter, op.getLoc(), dot, op.getResult().getType()));
      return success();
    }
    return failure();
  }

  static bool hasAllAxesOf(Type type, AxesAttr axes) {
    return llvm::all_of(axes.getAxes(),
                        [&](Axis axis) { return hasAnyOf(type, {axis}); });
  }
};

/// A sum over rows or dim of what each visit yields, once behind the reduction.
struct SumBehindReduce : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  static FoldOp getSum(ReduceOp op, unsigned index) {
    if (op.getMonoid(index) != Monoid::Sum ||
        !op.getAccumulators()[index].getDefiningOp<IdentityOp>())
      return {};
    auto sum = op.getYielded(index)[0].getDefiningOp<FoldOp>();
    if (!sum || sum.getMonoid() != Monoid::Sum ||
        hasAnyOf(sum.getInput().getType(),
                 {Axis::Key, Axis::Chunk, Axis::Slot}))
      return {};
    return sum;
  }

  LogicalResult matchAndRewrite(ReduceOp op,
                                PatternRewriter &rewriter) const override {
    auto has = [&](unsigned index) { return bool(getSum(op, index)); };
    auto indices = llvm::seq<unsigned>(0, op.getNumResults());
    auto found = llvm::find_if(indices, has);
    if (found == indices.end())
      return failure();
    unsigned index = *found;
    FoldOp sum = getSum(op, index);
    Value wide = sum.getInput();
    rewriter.setInsertionPoint(op);
    SmallVector<Value> inits(op.getAccumulators());
    inits[index] =
        rewriter.create<IdentityOp>(op.getLoc(), wide.getType(), Monoid::Sum);
    auto next =
        rewriter.create<ReduceOp>(op.getLoc(), ValueRange(inits).getTypes(),
                                  op.getDomain(), inits, op.getMonoidsAttr());
    unsigned place = op.getYielded(index).getBeginOperandIndex();
    Operation *yield = op.getBody().front().getTerminator();
    rewriter.modifyOpInPlace(yield, [&] { yield->setOperand(place, wide); });
    rewriter.inlineRegionBefore(op.getBody(), next.getBody(),
                                next.getBody().end());
    SmallVector<Value> results(next.getResults());
    results[index] = createSum(rewriter, op.getLoc(), results[index],
                               sum.getOver().getAxes(), Value());
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// hsa.add sums the axes that only the value has.
struct SumIntoAdd : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op,
                                PatternRewriter &rewriter) const override {
    auto sum = op.getValue().getDefiningOp<FoldOp>();
    if (!sum || sum.getMonoid() != Monoid::Sum || sum.getChunk() ||
        sum.getOver().contains(Axis::Chunk))
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { op.getValueMutable().assign(sum.getInput()); });
    return success();
  }
};

} // namespace

void ramify::hsa::populateSimplifyGradientsPatterns(
    RewritePatternSet &patterns) {
  patterns.add<RoundingOfWidening, FactorsFirst, FactorOutOfDifference,
               FactorOutOfDot, FactorOutOfSum, SumOfProductWithDot,
               SumOverKeysFirst, SumOverChunksFirst, RepeatBehindDot,
               SumBehindReduce, SumIntoAdd>(patterns.getContext());
}
