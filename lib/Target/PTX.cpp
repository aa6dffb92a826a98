// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PTX.cpp - Instructions of one thread or warp -----------------------===//

#include "ramify/Target/PTX.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;

//===----------------------------------------------------------------------===//
// How instructions are written
//===----------------------------------------------------------------------===//

/// The results of an operation that has one result, a literal struct of
/// several, or none.
static PTX::Values unpack(OpBuilder &builder, Location loc, Operation *op,
                          size_t count) {
  if (count == 0)
    return {};
  if (count == 1)
    return {op->getResult(0)};
  PTX::Values values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(builder.create<LLVM::ExtractValueOp>(
        loc, op->getResult(0), ArrayRef<int64_t>(static_cast<int64_t>(i))));
  return values;
}

static SmallVector<Type, 1> packed(MLIRContext *context, TypeRange results) {
  if (results.size() <= 1)
    return SmallVector<Type, 1>(results);
  SmallVector<Type> members(results);
  return {LLVM::LLVMStructType::getLiteral(context, members)};
}

PTX::Values PTX::intrinsic(StringRef name, TypeRange results,
                           ArrayRef<mlir::Value> operands) {
  auto call = builder.create<LLVM::CallIntrinsicOp>(
      loc, packed(builder.getContext(), results), builder.getStringAttr(name),
      mlir::ValueRange(operands), LLVM::FastmathFlagsAttr());
  return unpack(builder, loc, call, results.size());
}

PTX::Values PTX::assembly(StringRef text, StringRef constraints,
                          TypeRange results, ArrayRef<mlir::Value> operands,
                          bool sideEffects) {
  // A clobber of memory keeps LLVM from moving accesses over the instruction.
  std::string all = constraints.str();
  if (sideEffects)
    all += all.empty() ? "~{memory}" : ",~{memory}";
  auto op = builder.create<LLVM::InlineAsmOp>(
      loc, packed(builder.getContext(), results), mlir::ValueRange(operands),
      text, all, sideEffects, /*is_align_stack=*/false, LLVM::AsmDialectAttr(),
      ArrayAttr());
  return unpack(builder, loc, op, results.size());
}

mlir::Value PTX::i32(int32_t value) {
  return builder.create<LLVM::ConstantOp>(loc, builder.getI32Type(), value);
}

mlir::Value PTX::i64(int64_t value) {
  return builder.create<LLVM::ConstantOp>(loc, builder.getI64Type(), value);
}

mlir::Value PTX::cast(mlir::Value pointer, unsigned addressSpace) {
  auto type = LLVM::LLVMPointerType::get(builder.getContext(), addressSpace);
  if (pointer.getType() == type)
    return pointer;
  return builder.create<LLVM::AddrSpaceCastOp>(loc, type, pointer);
}

mlir::Value PTX::unary(StringRef name, mlir::Value x) {
  return intrinsic(name, builder.getF32Type(), x)[0];
}

mlir::Value PTX::special(StringRef name) {
  return intrinsic(("llvm.nvvm.read.ptx.sreg." + name).str(),
                   builder.getI32Type(), {})[0];
}

//===----------------------------------------------------------------------===//
// Matrix instructions of one warp
//===----------------------------------------------------------------------===//

PTX::Values PTX::mma(MMAKind kind, ArrayRef<mlir::Value> a,
                     ArrayRef<mlir::Value> b, ArrayRef<mlir::Value> c) {
  assert(a.size() == 2 * b.size() && c.size() == 4 && "m16n8 fragments");
  bool wide = a.size() == 4;
  StringRef name;
  switch (kind) {
  case MMAKind::BF16:
    name = wide ? "llvm.nvvm.mma.m16n8k16.row.col.bf16"
                : "llvm.nvvm.mma.m16n8k8.row.col.bf16";
    break;
  case MMAKind::F16:
    name = wide ? "llvm.nvvm.mma.m16n8k16.row.col.f32.f32"
                : "llvm.nvvm.mma.m16n8k8.row.col.f32.f32";
    break;
  case MMAKind::TF32:
    name = wide ? "llvm.nvvm.mma.m16n8k8.row.col.tf32"
                : "llvm.nvvm.mma.m16n8k4.row.col.tf32";
    break;
  }
  Values operands(a);
  operands.append(b.begin(), b.end());
  if (kind == MMAKind::F16) {
    auto half2 = VectorType::get(2, builder.getF16Type());
    for (mlir::Value &value : operands)
      value = builder.create<LLVM::BitcastOp>(loc, half2, value);
  }
  operands.append(c.begin(), c.end());
  SmallVector<Type> results(4, builder.getF32Type());
  return intrinsic(name, results, operands);
}

PTX::Values PTX::ldmatrix(mlir::Value shared, unsigned count, bool transposed) {
  std::string name = "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" +
                     std::to_string(count) + (transposed ? ".trans" : "") +
                     ".b16";
  SmallVector<Type> results(count, builder.getI32Type());
  return intrinsic(name, results, shared);
}

void PTX::stmatrix(mlir::Value shared, ArrayRef<mlir::Value> registers,
                   bool transposed) {
  std::string list, constraints = "r";
  for (size_t i = 0; i < registers.size(); ++i) {
    list += (i ? ", $" : "$") + std::to_string(i + 1);
    constraints += ",r";
  }
  Values operands = {shared};
  operands.append(registers.begin(), registers.end());
  assembly("stmatrix.sync.aligned.m8n8.x" + std::to_string(registers.size()) +
               (transposed ? ".trans" : "") + ".shared.b16 [$0], {" + list +
               "};",
           constraints, {}, operands, true);
}

mlir::Value PTX::transposeMatrix(mlir::Value word) {
  return assembly("movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;", "=r,r",
                  builder.getI32Type(), word, true)[0];
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

void PTX::cpAsync(mlir::Value shared, mlir::Value global, unsigned bytes,
                  mlir::Value sourceBytes) {
  // As assembly: LLVM's intrinsics want both addresses of one width.
  std::string text = std::string("cp.async.") + (bytes == 16 ? "cg" : "ca") +
                     ".shared.global [$0], [$1], " + std::to_string(bytes);
  Values operands = {shared, cast(global, 1)};
  if (sourceBytes) {
    text += ", $2";
    operands.push_back(sourceBytes);
  }
  assembly(text + ";", sourceBytes ? "r,l,r" : "r,l", {}, operands, true);
}

void PTX::cpAsyncCommit() {
  intrinsic("llvm.nvvm.cp.async.commit.group", {}, {});
}

void PTX::cpAsyncWait(unsigned pending) {
  intrinsic("llvm.nvvm.cp.async.wait.group", {},
            i32(static_cast<int32_t>(pending)));
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

mlir::Value PTX::threadId() { return special("tid.x"); }

mlir::Value PTX::blockId(unsigned axis) {
  static constexpr const char *names[] = {"ctaid.x", "ctaid.y", "ctaid.z"};
  return special(names[axis]);
}

mlir::Value PTX::laneId() {
  return builder.create<LLVM::AndOp>(loc, threadId(), i32(31));
}

mlir::Value PTX::warpId() {
  mlir::Value warp = builder.create<LLVM::LShrOp>(loc, threadId(), i32(5));
  return shuffleFrom(warp, i32(0));
}

mlir::Value PTX::elect() {
  mlir::Value one = assembly("{\n.reg .pred p;\nelect.sync _|p, -1;\n"
                             "selp.u32 $0, 1, 0, p;\n}",
                             "=r", builder.getI32Type(), {}, true)[0];
  return builder.create<LLVM::ICmpOp>(loc, LLVM::ICmpPredicate::ne, one,
                                      i32(0));
}

void PTX::barrier() { intrinsic("llvm.nvvm.barrier0", {}, {}); }

void PTX::barrier(unsigned id, unsigned threads) {
  assembly("bar.sync " + std::to_string(id) + ", " + std::to_string(threads) +
               ";",
           "", {}, {}, true);
}

void PTX::syncWarp() { intrinsic("llvm.nvvm.bar.warp.sync", {}, i32(-1)); }

static const char *shuffleSuffix(mlir::Value value) {
  return value.getType().isF32() ? "f32" : "i32";
}

mlir::Value PTX::shuffleXor(mlir::Value value, unsigned mask) {
  return intrinsic(
      std::string("llvm.nvvm.shfl.sync.bfly.") + shuffleSuffix(value),
      value.getType(),
      {i32(-1), value, i32(static_cast<int32_t>(mask)), i32(31)})[0];
}

mlir::Value PTX::shuffleFrom(mlir::Value value, mlir::Value source) {
  return intrinsic(std::string("llvm.nvvm.shfl.sync.idx.") +
                       shuffleSuffix(value),
                   value.getType(), {i32(-1), value, source, i32(31)})[0];
}

mlir::Value PTX::anyLane(mlir::Value condition) {
  return intrinsic("llvm.nvvm.vote.any.sync", builder.getI1Type(),
                   {i32(-1), condition})[0];
}

mlir::Value PTX::ballot(mlir::Value condition) {
  return intrinsic("llvm.nvvm.vote.ballot.sync", builder.getI32Type(),
                   {i32(-1), condition})[0];
}

mlir::Value PTX::opaque(mlir::Value value) {
  return builder
      .create<LLVM::InlineAsmOp>(
          loc, builder.getI32Type(), value, "mov.b32 $0, $1;", "=r,r",
          /*has_side_effects=*/true,
          /*is_align_stack=*/false, LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Arithmetic and conversions
//===----------------------------------------------------------------------===//

mlir::Value PTX::exp2(mlir::Value x) {
  return unary("llvm.nvvm.ex2.approx.ftz.f", x);
}
mlir::Value PTX::log2(mlir::Value x) {
  return unary("llvm.nvvm.lg2.approx.ftz.f", x);
}
mlir::Value PTX::reciprocal(mlir::Value x) {
  return unary("llvm.nvvm.rcp.approx.ftz.f", x);
}
mlir::Value PTX::rsqrt(mlir::Value x) {
  return unary("llvm.nvvm.rsqrt.approx.ftz.f", x);
}
mlir::Value PTX::sqrt(mlir::Value x) {
  return unary("llvm.nvvm.sqrt.approx.ftz.f", x);
}

mlir::Value PTX::divide(mlir::Value x, mlir::Value y) {
  return assembly("div.full.ftz.f32 $0, $1, $2;", "=f,f,f",
                  builder.getF32Type(), {x, y}, false)[0];
}

mlir::Value PTX::tanh(mlir::Value x) {
  return assembly("tanh.approx.f32 $0, $1;", "=f,f", builder.getF32Type(), x,
                  false)[0];
}

mlir::Value PTX::pack(MMAKind kind, mlir::Value low, mlir::Value high) {
  assert(kind != MMAKind::TF32 && "packs 16-bit elements");
  bool bf16 = kind == MMAKind::BF16;
  Type element = bf16 ? Type(builder.getBF16Type()) : builder.getF16Type();
  mlir::Value pair =
      intrinsic(bf16 ? "llvm.nvvm.ff2bf16x2.rn" : "llvm.nvvm.ff2f16x2.rn",
                VectorType::get(2, element), {high, low})[0];
  return builder.create<LLVM::BitcastOp>(loc, builder.getI32Type(), pair);
}

mlir::Value PTX::toTF32(mlir::Value x) {
  return intrinsic("llvm.nvvm.f2tf32.rna", builder.getI32Type(), x)[0];
}
