// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PTXHopper.cpp - mbarrier, TMA and wgmma ----------------------------===//

#include "ramify/Target/PTX.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ramify;

/// "$first, $first+1, ..." for `count` operands.
static std::string operandList(unsigned first, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i)
    list += (i ? ", $" : "$") + std::to_string(first + i);
  return list;
}

static std::string repeat(StringRef constraint, size_t count) {
  return llvm::join(SmallVector<StringRef>(count, constraint), ",");
}

//===----------------------------------------------------------------------===//
// mbarrier
//===----------------------------------------------------------------------===//

void PTX::mbarrierInit(mlir::Value barrier, mlir::Value count) {
  assembly("mbarrier.init.shared::cta.b64 [$0], $1;", "r,r", {},
           {barrier, count}, true);
}

void PTX::mbarrierInitFence() {
  assembly("fence.mbarrier_init.release.cluster;", "", {}, {}, true);
}

void PTX::mbarrierArrive(mlir::Value barrier) {
  assembly("mbarrier.arrive.shared::cta.b64 _, [$0];", "r", {}, barrier, true);
}

void PTX::mbarrierArriveExpect(mlir::Value barrier, mlir::Value bytes) {
  assembly("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "r,r", {},
           {barrier, bytes}, true);
}

void PTX::mbarrierWait(mlir::Value barrier, mlir::Value parity) {
  // The labels are local to the braces, so the text may be inlined repeatedly.
  assembly("{\n.reg .pred done;\nAGAIN:\n"
           "mbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1;\n"
           "@!done bra AGAIN;\n}",
           "r,r", {}, {barrier, parity}, true);
}

void PTX::fenceAsyncShared() {
  assembly("fence.proxy.async.shared::cta;", "", {}, {}, true);
}

//===----------------------------------------------------------------------===//
// TMA
//===----------------------------------------------------------------------===//

void PTX::tmaLoad(mlir::Value shared, mlir::Value map,
                  ArrayRef<mlir::Value> coordinates, mlir::Value barrier) {
  size_t rank = coordinates.size();
  Values operands = {shared, map, barrier};
  operands.append(coordinates.begin(), coordinates.end());
  assembly("cp.async.bulk.tensor." + std::to_string(rank) +
               "d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], "
               "[$1, {" +
               operandList(3, rank) + "}], [$2];",
           "r,l,r," + repeat("r", rank), {}, operands, true);
}

/// The text of a store or reduction from shared memory $1 to the map $0.
static std::string tmaOut(StringRef instruction, StringRef operation,
                          size_t rank) {
  return (instruction + ".async.bulk.tensor." + std::to_string(rank) +
          "d.global.shared::cta" + operation + ".bulk_group [$0, {" +
          operandList(2, rank) + "}], [$1];")
      .str();
}

void PTX::tmaStore(mlir::Value map, ArrayRef<mlir::Value> coordinates,
                   mlir::Value shared) {
  Values operands = {map, shared};
  operands.append(coordinates.begin(), coordinates.end());
  assembly(tmaOut("cp", "", coordinates.size()),
           "l,r," + repeat("r", coordinates.size()), {}, operands, true);
}

void PTX::tmaReduceAdd(mlir::Value map, ArrayRef<mlir::Value> coordinates,
                       mlir::Value shared) {
  Values operands = {map, shared};
  operands.append(coordinates.begin(), coordinates.end());
  assembly(tmaOut("cp.reduce", ".add", coordinates.size()),
           "l,r," + repeat("r", coordinates.size()), {}, operands, true);
}

void PTX::tmaCommit() {
  assembly("cp.async.bulk.commit_group;", "", {}, {}, true);
}

void PTX::tmaWait(unsigned pending, bool read) {
  assembly(std::string("cp.async.bulk.wait_group") + (read ? ".read " : " ") +
               std::to_string(pending) + ";",
           "", {}, {}, true);
}

void PTX::tmaPrefetchMap(mlir::Value map) {
  assembly("prefetch.tensormap [$0];", "l", {}, map, true);
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

mlir::Value PTX::wgmmaDescriptor(mlir::Value shared, unsigned leadingBytes,
                                 unsigned strideBytes) {
  // Bits 0-13 address, 16-29 leading offset, 32-45 stride, all in units of 16
  // bytes; bits 62-63 the swizzle, 1 for 128 bytes.
  mlir::Value address =
      builder.create<LLVM::PtrToIntOp>(loc, builder.getI32Type(), shared);
  address = builder.create<LLVM::LShrOp>(loc, address, i32(4));
  address = builder.create<LLVM::AndOp>(loc, address, i32(0x3FFF));
  address = builder.create<LLVM::ZExtOp>(loc, builder.getI64Type(), address);
  uint64_t fixed = static_cast<uint64_t>(leadingBytes >> 4) << 16 |
                   static_cast<uint64_t>(strideBytes >> 4) << 32 | 1ull << 62;
  return builder.create<LLVM::OrOp>(loc, address,
                                    i64(static_cast<int64_t>(fixed)));
}

static StringRef elementName(MMAKind kind) {
  switch (kind) {
  case MMAKind::BF16:
    return "bf16";
  case MMAKind::F16:
    return "f16";
  case MMAKind::TF32:
    return "tf32";
  }
  llvm_unreachable("unknown kind");
}

PTX::Values PTX::wgmma(MMAKind kind, ArrayRef<mlir::Value> acc,
                       ArrayRef<mlir::Value> a, mlir::Value b,
                       mlir::Value accumulate, WGMMAMajor majorA,
                       WGMMAMajor majorB) {
  size_t count = acc.size();
  bool inRegisters = a.size() == 4;
  // Operands: results, a, b, accumulate; the tied inputs come last.
  unsigned firstA = count, b0 = firstA + a.size(), flag = b0 + 1;
  StringRef element = elementName(kind);
  std::string list = operandList(firstA, a.size());
  std::string text =
      ("{\n.reg .pred p;\nsetp.ne.b32 p, $" + Twine(flag) +
       ", 0;\nwgmma.mma_async.sync.aligned.m64n" + Twine(2 * count) + "k" +
       (kind == MMAKind::TF32 ? "8" : "16") + ".f32." + element + "." +
       element + " {" + operandList(0, count) + "}, " +
       (inRegisters ? "{" + list + "}" : list) + ", $" + Twine(b0) +
       ", p, 1, 1")
          .str();
  if (kind != MMAKind::TF32) {
    if (!inRegisters)
      text += majorA == WGMMAMajor::MN ? ", 1" : ", 0";
    text += majorB == WGMMAMajor::MN ? ", 1" : ", 0";
  }
  text += ";\n}";
  std::string constraints =
      repeat("=f", count) + "," + (inRegisters ? "r,r,r,r" : "l") + ",l,r";
  for (size_t i = 0; i < count; ++i)
    constraints += "," + std::to_string(i);
  Values operands(a);
  operands.append({b, accumulate});
  operands.append(acc.begin(), acc.end());
  SmallVector<Type> results(count, builder.getF32Type());
  return assembly(text, constraints, results, operands, true);
}

void PTX::wgmmaFence() {
  assembly("wgmma.fence.sync.aligned;", "", {}, {}, true);
}

void PTX::wgmmaCommit() {
  assembly("wgmma.commit_group.sync.aligned;", "", {}, {}, true);
}

PTX::Values PTX::wgmmaWait(unsigned pending, ArrayRef<mlir::Value> acc) {
  std::string constraints = repeat("=f", acc.size());
  for (size_t i = 0; i < acc.size(); ++i)
    constraints += "," + std::to_string(i);
  SmallVector<Type> results(acc.size(), builder.getF32Type());
  return assembly("wgmma.wait_group.sync.aligned " + std::to_string(pending) +
                      ";",
                  constraints, results, acc, true);
}

void PTX::setMaxRegisters(unsigned count, bool increase) {
  assembly(std::string("setmaxnreg.") + (increase ? "inc" : "dec") +
               ".sync.aligned.u32 " + std::to_string(count) + ";",
           "", {}, {}, true);
}
