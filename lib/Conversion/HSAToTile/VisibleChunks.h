// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VisibleChunks.h - How far a walk over chunks must go -----*- C++ -*-===//
//
// Most selections look only at chunks that lie behind the query:
//
//     s = where(end <= t, s, -inf)
//
// A chunk that begins behind the last query of a program is then seen by none,
// and neither is any after it. A score is limited if it is -inf wherever start
// > t; so are what is added to it or multiplied, under the rules below.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_VISIBLECHUNKS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_VISIBLECHUNKS_H

#include "dialects/HSA/IR/HSA.h"

namespace ramify {

/// Whether `stream` is `neutral` at each chunk that starts behind the query.
bool isLimitedByPosition(mlir::Value stream, double neutral);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_VISIBLECHUNKS_H
