// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Accesses.cpp - How a thread accesses rows of an array --------------===//

#include "Accesses.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

Presence ramify::presence(const Layout &layout, int64_t offset, int64_t width,
                          int64_t columns) {
  if (ShapedType::isDynamic(columns))
    return Presence::Some;
  int64_t laneMost =
      (layout.getWarps()[1] - 1) * layout.atomShape()[1]; // and the last warp
  for (const Coords &basis : layout.laneBases())
    laneMost += basis[1];
  if (offset + laneMost + width <= columns)
    return Presence::All;
  return offset >= columns ? Presence::None : Presence::Some;
}

Type ramify::accessType(OpBuilder &builder, Type element, unsigned width) {
  if (isPacked(element) && width > 1) {
    width /= 2;
    element = builder.getI32Type();
  }
  return width == 1 ? element : VectorType::get(width, element);
}

Registers ramify::split(OpBuilder &builder, Location loc, Value value) {
  auto vector = dyn_cast<VectorType>(value.getType());
  if (!vector)
    return {value};
  Registers parts;
  for (int64_t i = 0; i < vector.getNumElements(); ++i) {
    Value index = builder.create<arith::ConstantIntOp>(loc, i, 32);
    parts.push_back(builder.create<LLVM::ExtractElementOp>(loc, value, index));
  }
  return parts;
}

Value ramify::join(OpBuilder &builder, Location loc, ArrayRef<Value> parts,
                   Type type) {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return parts[0];
  Value value = builder.create<LLVM::UndefOp>(loc, type);
  for (auto [i, part] : llvm::enumerate(parts)) {
    Value index = builder.create<arith::ConstantIntOp>(loc, i, 32);
    value = builder.create<LLVM::InsertElementOp>(loc, value, part, index);
  }
  return value;
}

SmallVector<SmallVector<unsigned>> ramify::accessesByRow(const Layout &layout,
                                                         const Layout &rows,
                                                         unsigned width) {
  auto numbers = registersByOffset(rows);
  SmallVector<SmallVector<unsigned>> accesses(rows.numRegisters());
  for (unsigned r = 0; r < layout.numRegisters(); r += width)
    accesses[numbers.at(Coords{layout.offset(r)[0]})].push_back(r);
  return accesses;
}
