// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Accesses.h - How a thread accesses rows of an array ------*- C++ -*-===//
//
// A tile's row in one thread is a list of registers; what lies side by side in
// the array is accessed at once.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_TILETOGPU_ACCESSES_H
#define RAMIFY_LIB_CONVERSION_TILETOGPU_ACCESSES_H

#include "Expander.h"

namespace ramify {

inline int64_t bytesOf(mlir::Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

/// Which threads have a column.
enum class Presence { All, None, Some };
Presence presence(const tile::Layout &layout, int64_t offset, int64_t width,
                  int64_t columns);

/// The type in which `width` elements are accessed at once: words if packed.
mlir::Type accessType(mlir::OpBuilder &builder, mlir::Type element,
                      unsigned width);

/// The elements of `value`, if it is a vector, and back.
Registers split(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::Value value);
mlir::Value join(mlir::OpBuilder &builder, mlir::Location loc,
                 llvm::ArrayRef<mlir::Value> parts, mlir::Type type);

/// For each register of `rows`, the first registers of its accesses.
llvm::SmallVector<llvm::SmallVector<unsigned>>
accessesByRow(const tile::Layout &layout, const tile::Layout &rows,
              unsigned width);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_TILETOGPU_ACCESSES_H
