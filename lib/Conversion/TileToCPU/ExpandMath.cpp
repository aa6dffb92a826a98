// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ExpandMath.cpp - Functions become polynomials ----------------------===//
//
// LLVM makes calls of libm out of math on vectors, one for each lane. Here they
// become arithmetic, before the conversion to LLVM:
//
//   %y = math.exp2 %x : vector<16xf32>
// becomes
//   n = round(x) (by adding and taking away 1.5 * 2^23), f = x - n,
//   %y = 2^(n-1) * p(f)    with p a polynomial of degree 6 for 2 * 2^f
//
// exp2 and exp are right to about 1 ulp; results below 2^-126 are 0, exp2(-inf)
// is 0, exp2(inf) inf, and NaN stays NaN. The others (log, tanh, erf, sin ...)
// take MLIR's polynomials; sqrt, abs, rounding and fma are instructions.
//
//===----------------------------------------------------------------------===//

#include "ramify/Conversion/TileToCPU.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace ramify;

namespace {
/// Arithmetic on a scalar or vector of f32.
struct Arithmetic {
  ImplicitLocOpBuilder b;
  Type type;

  Type integers() const {
    auto vector = dyn_cast<VectorType>(type);
    Type i32 = IntegerType::get(type.getContext(), 32);
    return vector ? Type(vector.cloneWith({}, i32)) : i32;
  }
  Value fill(Type like, TypedAttr attr) {
    if (auto vector = dyn_cast<VectorType>(like))
      attr = DenseElementsAttr::get(vector, Attribute(attr));
    return b.create<arith::ConstantOp>(attr);
  }
  Value number(float value) { return fill(type, b.getF32FloatAttr(value)); }
  Value integer(int32_t value) {
    return fill(integers(), b.getI32IntegerAttr(value));
  }
  /// x where it is in [low, high] or NaN, else the nearer of both. The operands
  /// are in the order in which x86's min and max keep a NaN.
  Value clamp(Value x, float low, float high) {
    Value bound = number(low);
    Value below = b.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, bound, x);
    x = b.create<arith::SelectOp>(below, bound, x);
    bound = number(high);
    Value above = b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, bound, x);
    return b.create<arith::SelectOp>(above, bound, x);
  }
  Value horner(Value x, ArrayRef<float> coefficients) {
    Value sum = number(coefficients.front());
    for (float next : coefficients.drop_front())
      sum = b.create<math::FmaOp>(sum, x, number(next));
    return sum;
  }
  /// 2^(n - 1), where `shifted` is n + 1.5 * 2^23; 0 for n = -126.
  Value halfPower(Value shifted) {
    Value bits = b.create<arith::BitcastOp>(integers(), shifted);
    // The low bits of 1.5 * 2^23 are zero, the others are shifted out.
    Value exponent = b.create<arith::AddIOp>(bits, integer(126));
    return b.create<arith::BitcastOp>(
        type, b.create<arith::ShLIOp>(exponent, integer(23)));
  }
};

constexpr float kRound = 12582912.0f; // 1.5 * 2^23

/// 2^x = 2^(n-1) * (2 * 2^f), |f| <= 1/2: Cephes's exp2f.
struct ExpandExp2 : OpRewritePattern<math::Exp2Op> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::Exp2Op op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return failure();
    Arithmetic a{ImplicitLocOpBuilder(op.getLoc(), rewriter), op.getType()};
    Value x = a.clamp(op.getOperand(), -126.0f, 128.0f);
    Value shifted = a.b.create<arith::AddFOp>(x, a.number(kRound));
    Value n = a.b.create<arith::SubFOp>(shifted, a.number(kRound));
    Value f = a.b.create<arith::SubFOp>(x, n);
    Value p = a.horner(f, {2 * 1.535336188319500e-4f, 2 * 1.339887440266574e-3f,
                           2 * 9.618437357674640e-3f, 2 * 5.550332471162809e-2f,
                           2 * 2.402264791363012e-1f, 2 * 6.931472028550421e-1f,
                           2.0f});
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, p, a.halfPower(shifted));
    return success();
  }
};

/// e^x = 2^(n-1) * (2 * e^r) with n = round(x / ln 2), r = x - n ln 2: Cephes's
/// expf, ln 2 in two parts.
struct ExpandExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return failure();
    Arithmetic a{ImplicitLocOpBuilder(op.getLoc(), rewriter), op.getType()};
    Value x = a.clamp(op.getOperand(), -87.3365f, 88.7229f);
    Value shifted = a.b.create<math::FmaOp>(x, a.number(1.44269504088896341f),
                                            a.number(kRound));
    Value n = a.b.create<arith::SubFOp>(shifted, a.number(kRound));
    Value r = a.b.create<math::FmaOp>(n, a.number(-0.693359375f), x);
    r = a.b.create<math::FmaOp>(n, a.number(2.12194440e-4f), r);
    Value p =
        a.horner(r, {2 * 1.9875691500e-4f, 2 * 1.3981999507e-3f,
                     2 * 8.3334519073e-3f, 2 * 4.1665795894e-2f,
                     2 * 1.6666665459e-1f, 2 * 5.0000001201e-1f, 2.0f, 2.0f});
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, p, a.halfPower(shifted));
    return success();
  }
};

struct ExpandCPUMathPass : PassWrapper<ExpandCPUMathPass, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandCPUMathPass)

  StringRef getArgument() const final { return "expand-cpu-math"; }
  StringRef getDescription() const final {
    return "functions on floats become polynomials";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, math::MathDialect,
                    vector::VectorDialect>();
  }
  void runOnOperation() final {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExp2, ExpandExp>(&getContext(), /*benefit=*/2);
    populateMathPolynomialApproximationPatterns(patterns);
    if (failed(
            applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> ramify::createExpandCPUMathPass() {
  return std::make_unique<ExpandCPUMathPass>();
}
