// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ArrayAccess.h - What kernels do with their arrays --------*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_TILE_IR_ARRAYACCESS_H
#define RAMIFY_DIALECTS_TILE_IR_ARRAYACCESS_H

#include "mlir/IR/Value.h"

namespace ramify::tile {

/// True if no use of `array` can write to it. Arguments of a kernel do not
/// overlap unless they are only read, so what is read from such an argument is
/// the same at any time.
bool isOnlyRead(mlir::Value array);

/// True if `op` has no effect but to read arguments of its kernel that are only
/// read, so that it may be moved and repeated where its operands are valid.
bool isReadOfConstantArray(mlir::Operation *op);

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_IR_ARRAYACCESS_H
