// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSA.h - The hsa dialect ----------------------------------*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_HSA_IR_HSA_H
#define RAMIFY_DIALECTS_HSA_IR_HSA_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/HSA/IR/HSADialect.h.inc"
#include "dialects/HSA/IR/HSAEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/HSA/IR/HSAAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/HSA/IR/HSATypes.h.inc"

namespace ramify::hsa {

/// The axes of a named tensor, or null for any other type.
AxesAttr getAxes(mlir::Type type);

/// Whether `type` is a ranked tensor whose encoding names its axes.
bool isNamedTensor(mlir::Type type);

/// An axis with its size.
using SizedAxis = std::pair<Axis, int64_t>;

/// The axes of a named tensor with their sizes; empty for any other type.
llvm::SmallVector<SizedAxis> getSizedAxes(mlir::Type type);

/// The axes that an array shows in a program, in the order of memory.
llvm::SmallVector<SizedAxis> getSizedAxes(ArrayType type);

/// Those of `axes` that are not in `dropped`.
llvm::SmallVector<SizedAxis> dropAxes(llvm::SmallVector<SizedAxis> axes,
                                      AxesAttr dropped);

/// The tensor with these axes, put into canonical order; the element type
/// itself where there are none.
mlir::Type getNamedType(llvm::SmallVector<SizedAxis> axes, mlir::Type element);

/// Axes as operations write them: `pos, head`.
mlir::ParseResult parseOver(mlir::OpAsmParser &parser, AxesAttr &over);
void printOver(mlir::OpAsmPrinter &printer, mlir::Operation *op, AxesAttr over);

} // namespace ramify::hsa

#define GET_OP_CLASSES
#include "dialects/HSA/IR/HSAOps.h.inc"

#endif // RAMIFY_DIALECTS_HSA_IR_HSA_H
