// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ElementwiseToGPU.cpp - Arithmetic, element by element --------------===//

#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numbers>

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// One element
//===----------------------------------------------------------------------===//

std::pair<Value, int64_t> ramify::splitConstant(Value x) {
  if (auto add = x.getDefiningOp<arith::AddIOp>())
    if (auto constant = add.getRhs().getDefiningOp<arith::ConstantIntOp>())
      return {add.getLhs(), constant.value()};
  return {x, 0};
}

/// Keeps constants outermost: (a + 1) + b is (a + b) + 1. Rows of a tile then
/// differ by constants, which addresses and comparisons profit from.
Value Expander::addIntegers(Value a, Value b) {
  auto [left, c] = splitConstant(a);
  auto [right, d] = splitConstant(b);
  if (!a.getType().isInteger(32))
    return builder.create<arith::AddIOp>(loc, a, b);
  Value &sum = sums[{left.getAsOpaquePointer(), right.getAsOpaquePointer()}];
  if (!sum)
    sum = builder.create<arith::AddIOp>(loc, left, right);
  return add32(sum, constant32(c + d));
}

static Value constantF32(OpBuilder &builder, Location loc, double value) {
  return builder.create<arith::ConstantOp>(
      loc, builder.getF32FloatAttr(static_cast<float>(value)));
}

/// Functions of f32. The approximate instructions are good to about 2 ulp; what
/// is composed of them is good to a few, absolute where it cancels.
Value Expander::computeMath(Operation *op, ValueRange operands) {
  PTX ptx(builder, loc);
  Value x = operands[0];
  auto constant = [&](double value) {
    return constantF32(builder, loc, value);
  };
  auto mul = [&](Value a, Value b) -> Value {
    return builder.create<arith::MulFOp>(loc, a, b);
  };
  auto add = [&](Value a, Value b) -> Value {
    return builder.create<arith::AddFOp>(loc, a, b);
  };
  auto exp = [&](Value a) {
    return ptx.exp2(mul(a, constant(std::numbers::log2e)));
  };
  auto log = [&](Value a) {
    return mul(ptx.log2(a), constant(std::numbers::ln2));
  };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](math::Exp2Op) { return ptx.exp2(x); })
      .Case([&](math::ExpOp) { return exp(x); })
      .Case([&](math::Log2Op) { return ptx.log2(x); })
      .Case([&](math::LogOp) { return log(x); })
      .Case([&](math::Log1pOp) { return log(add(x, constant(1))); })
      .Case([&](math::SqrtOp) { return ptx.sqrt(x); })
      .Case([&](math::RsqrtOp) { return ptx.rsqrt(x); })
      .Case(
          [&](math::PowFOp) { return ptx.exp2(mul(operands[1], ptx.log2(x))); })
      .Case([&](math::TanhOp) {
        // 1 - 2 / (exp(2 x) + 1), which is right at both infinities.
        Value e = ptx.exp2(mul(x, constant(2 * std::numbers::log2e)));
        Value share = ptx.divide(constant(2), add(e, constant(1)));
        return Value(builder.create<arith::SubFOp>(loc, constant(1), share));
      })
      .Case([&](math::AbsFOp) -> Value {
        return builder.create<LLVM::FAbsOp>(loc, x);
      })
      .Case([&](math::FloorOp) -> Value {
        return builder.create<LLVM::FFloorOp>(loc, x);
      })
      .Case([&](math::CeilOp) -> Value {
        return builder.create<LLVM::FCeilOp>(loc, x);
      })
      .Case([&](math::FmaOp) -> Value {
        return builder.create<LLVM::FMAOp>(loc, x, operands[1], operands[2]);
      })
      .Default([](Operation *) { return Value(); });
}

/// bf16 is the upper half of an f32. (LLVM's conversion is an instruction that
/// only sm_90 has.)
static Value extendBF16(OpBuilder &builder, Location loc, Value x) {
  Type i16 = builder.getI16Type(), i32 = builder.getI32Type();
  Value bits = builder.create<LLVM::BitcastOp>(loc, i16, x);
  bits = builder.create<LLVM::ZExtOp>(loc, i32, bits);
  Value sixteen = builder.create<arith::ConstantIntOp>(loc, 16, 32);
  bits = builder.create<LLVM::ShlOp>(loc, bits, sixteen);
  return builder.create<LLVM::BitcastOp>(loc, builder.getF32Type(), bits);
}

Value Expander::computeElement(Operation *op, ValueRange operands,
                               Type result) {
  if (isa<arith::AddIOp>(op))
    return addIntegers(operands[0], operands[1]);
  bool isF32 = result.isF32();
  if (isa<arith::DivFOp>(op) && isF32)
    return PTX(builder, loc).divide(operands[0], operands[1]);
  if (isa<arith::ExtFOp>(op) && operands[0].getType().isBF16() && isF32)
    return extendBF16(builder, loc, operands[0]);
  if (isa<math::MathDialect>(op->getDialect()))
    return isF32 ? computeMath(op, operands) : Value();
  if (!isa<arith::ArithDialect>(op->getDialect()))
    return {};
  OperationState state(loc, op->getName(), operands, result, op->getAttrs());
  return builder.create(state)->getResult(0);
}

//===----------------------------------------------------------------------===//
// All elements
//===----------------------------------------------------------------------===//

static std::optional<MMAKind> packKind(Type element) {
  if (element.isBF16())
    return MMAKind::BF16;
  if (element.isF16())
    return MMAKind::F16;
  return std::nullopt;
}

/// Two f32 at a time become one word.
static Registers truncate(PTX &ptx, MMAKind kind, const Registers &input) {
  Registers words;
  for (size_t i = 0; i < input.size(); i += 2)
    words.push_back(
        ptx.pack(kind, input[i], input[std::min(i + 1, input.size() - 1)]));
  return words;
}

LogicalResult Expander::expandElementwise(Operation *op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Layout layout = *Layout::of(type);
  unsigned count = layout.numRegisters();
  Type element = type.getElementType();
  PTX ptx(builder, loc);

  SmallVector<Registers> operands;
  for (Value operand : op->getOperands()) {
    auto tensor = dyn_cast<RankedTensorType>(operand.getType());
    if (!tensor) {
      operands.push_back(Registers(count, scalar(operand)));
      continue;
    }
    if (Layout::of(tensor) != layout)
      return op->emitOpError("expected operands in the result's layout");
    Registers input = registers(operand);
    if (isPacked(tensor.getElementType()))
      input = unpackWords(input, tensor.getElementType(), count);
    operands.push_back(input);
  }
  if (isa<arith::TruncFOp>(op) && packKind(element) &&
      operands[0][0].getType().isF32()) {
    tiles[op->getResult(0)] = truncate(ptx, *packKind(element), operands[0]);
    return success();
  }
  Registers result;
  sums.clear();
  for (unsigned r = 0; r < count; ++r) {
    SmallVector<Value> inputs;
    for (const Registers &operand : operands)
      inputs.push_back(operand[r]);
    // Registers with the same operands (a splat, say) are computed once.
    auto same = llvm::find_if(llvm::seq(0u, r), [&](unsigned other) {
      return llvm::all_of(operands, [&](const Registers &operand) {
        return operand[other] == operand[r];
      });
    });
    if (same != llvm::seq(0u, r).end()) {
      result.push_back(result[*same]);
      continue;
    }
    Value value = computeElement(op, inputs, element);
    if (!value)
      return op->emitOpError("has no lowering to the GPU");
    result.push_back(value);
  }
  tiles[op->getResult(0)] =
      isPacked(element) ? packElements(result, element) : result;
  return success();
}
