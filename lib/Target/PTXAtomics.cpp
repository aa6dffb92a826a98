// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PTXAtomics.cpp - Additions to memory -------------------------------===//

#include "ramify/Target/PTX.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;

PTX::Place PTX::place(mlir::Value pointer) {
  auto type = cast<LLVM::LLVMPointerType>(pointer.getType());
  if (type.getAddressSpace() == 3)
    return {pointer, "shared", "r"};
  return {cast(pointer, 1), "global", "l"};
}

/// Inline assembly has 16-bit registers for integers only.
static mlir::Value asBits(OpBuilder &builder, Location loc, mlir::Value value) {
  if (value.getType().isBF16() || value.getType().isF16())
    return builder.create<LLVM::BitcastOp>(loc, builder.getI16Type(), value);
  return value;
}

void PTX::reduceAdd(mlir::Value pointer, ArrayRef<mlir::Value> values,
                    Type element) {
  bool half = element.isBF16() || element.isF16();
  bool pair = half && values[0].getType().isInteger(32);
  std::string type = element.isF32()         ? "f32"
                     : element.isBF16()      ? "bf16"
                     : element.isF16()       ? "f16"
                     : element.isInteger(64) ? "u64"
                                             : "u32";
  std::string letter = element.isF32()         ? "f"
                       : element.isInteger(64) ? "l"
                       : half && !pair         ? "h"
                                               : "r";
  auto [address, space, constraints] = place(pointer);
  Values operands = {address};
  std::string list;
  for (auto [i, value] : llvm::enumerate(values)) {
    operands.push_back(asBits(builder, loc, value));
    constraints += "," + letter;
    list += (i ? ", $" : "$") + std::to_string(i + 1);
  }
  std::string vector;
  if (values.size() > 1) {
    vector = ".v" + std::to_string(values.size());
    list = "{" + list + "}";
  }
  assembly("red." + space + ".add" + (half ? ".noftz" : "") + vector + "." +
               type + (pair ? "x2" : "") + " [$0], " + list + ";",
           constraints, {}, operands, true);
}

void PTX::reduceExtreme(mlir::Value pointer, mlir::Value value, bool greater) {
  auto [address, space, constraint] = place(pointer);
  assembly("red." + space + (greater ? ".max" : ".min") + ".s32 [$0], $1;",
           constraint + ",r", {}, {address, value}, true);
}

void PTX::addBF16(mlir::Value pointer, mlir::Value value, bool pair) {
  auto [address, space, constraint] = place(pointer);
  // The sum is the fused x * 1 + y, which every target with bf16 has.
  std::string bits = pair ? "b32" : "b16", type = pair ? "bf16x2" : "bf16";
  std::string one = pair ? "0x3F803F80" : "0x3F80";
  std::string text =
      "{\n.reg .pred again;\n.reg ." + bits + " old, seen, sum, one;\nmov." +
      bits + " one, " + one + ";\nld." + space + "." + bits +
      " seen, [$0];\nAGAIN:\nfma.rn." + type + " sum, seen, one, $1;\natom." +
      space + ".cas." + bits + " old, [$0], seen, sum;\nsetp.ne." +
      (pair ? "b32" : "s16") + " again, old, seen;\nmov." + bits +
      " seen, old;\n@again bra AGAIN;\n}";
  assembly(text, constraint + (pair ? ",r" : ",h"), {},
           {address, asBits(builder, loc, value)}, true);
}

mlir::Value PTX::fetchAdd(mlir::Value pointer, mlir::Value value) {
  auto [address, space, constraint] = place(pointer);
  return assembly("atom." + space + ".add.u32 $0, [$1], $2;",
                  "=r," + constraint + ",r", builder.getI32Type(),
                  {address, value}, true)[0];
}

void PTX::signal(mlir::Value pointer) {
  assembly("red.release.gpu.global.add.u32 [$0], 1;", "l", {}, cast(pointer, 1),
           true);
}

void PTX::await(mlir::Value pointer, mlir::Value count) {
  assembly("{\n.reg .pred early;\n.reg .b32 found;\nAGAIN:\n"
           "ld.acquire.gpu.global.b32 found, [$0];\n"
           "setp.lt.s32 early, found, $1;\n@early bra AGAIN;\n}",
           "l,r", {}, {cast(pointer, 1), count}, true);
}
