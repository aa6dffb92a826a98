// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ScatterToGPU.cpp - Tiles into arrays -------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

void Expander::scatterElements(ScatterOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Layout layout = *Layout::of(type);
  Type element = type.getElementType();
  Registers pointers = rowPointers(arrays[op.getTarget()], op.getIndices(),
                                   layout.numRegisters(), bytesOf(element));
  Registers values = registers(op.getValue());
  if (isPacked(element))
    values = unpackWords(values, element, layout.numRegisters());
  for (unsigned r = 0; r < layout.numRegisters(); ++r)
    whereTrue(op.getMask() ? registers(op.getMask())[r] : Value(), {}, [&] {
      builder.create<LLVM::StoreOp>(loc, values[r], pointers[r],
                                    bytesOf(element));
      return Registers();
    });
}

LogicalResult Expander::expandScatter(ScatterOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  if (type.getRank() == 1) {
    scatterElements(op);
    return success();
  }
  auto memory = cast<MemRefType>(op.getTarget().getType());
  const ArrayDescriptor &array = arrays[op.getTarget()];
  Layout layout = *Layout::of(type), rows = layout.slice(1);
  Type element = type.getElementType();
  unsigned width = accessWidth(layout, memory, alignment(op.getTarget()));
  Type access = accessType(builder, element, width);
  Registers values = registers(op.getValue());
  unsigned each = width;
  if (isPacked(element)) {
    if (width == 1)
      values = unpackWords(values, element, layout.numRegisters());
    else
      each = width / 2;
  }
  Registers pointers = rowPointers(array, op.getIndices(), rows.numRegisters(),
                                   bytesOf(element));
  auto storeAccess = [&](Value first, unsigned r) {
    int64_t column = layout.offset(r)[1];
    Value value = join(builder, loc,
                       ArrayRef(values).slice(r / width * each, each), access);
    builder.create<LLVM::StoreOp>(loc, value,
                                  advance(first, column * bytesOf(element)),
                                  width * bytesOf(element));
    return Registers();
  };
  auto storeRow = [&](Value pointer, ArrayRef<unsigned> accesses) {
    Value first = advance(pointer, mul64(toI64(laneCoordinate(layout, 1)),
                                         constant64(bytesOf(element))));
    for (unsigned r : accesses) {
      int64_t column = layout.offset(r)[1];
      Presence there =
          presence(layout, column, width, memory.getShape().back());
      if (there == Presence::None)
        continue;
      whereTrue(there == Presence::Some ? columnExists(layout, column, array)
                                        : Value(),
                {}, [&] { return storeAccess(first, r); });
    }
    return Registers();
  };
  for (auto [row, accesses] :
       llvm::enumerate(accessesByRow(layout, rows, width)))
    whereTrue(op.getMask() ? registers(op.getMask())[row] : Value(), {},
              [&, row = row, &accesses = accesses] {
                return storeRow(pointers[row], accesses);
              });
  return success();
}
