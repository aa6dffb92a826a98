// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SimplifyGradients.h - Products that others imply ---------*- C++ -*-===//
//
// What adjoints give one by one repeats work that a person would not: the
// gradient of a slot's weight w in o = w * dot(p, v) asks for dot(p, v) again,
// and dP = dot(w * dO, v) is not the dot(dO, v) that the weight needs. These
// rewrites move factors of rows out of the way, so that equal products become
// one (CSE), and never divide:
//
//     dot(p, w * dO) over pos, head     ->  dot(w * p, dO)
//     dot(w * dO, v) over dim           ->  w * dot(dO, v)
//     sum (dot(p, v) over key) * dO     ->  sum (p * dot(dO, v)) over key
//       over dim, ...
//     x * (w * y)                       ->  w * (x * y)
//     sum (w * x) over key              ->  w * sum x
//     w * x - w * y                     ->  w * (x - y)
//
// where w is repeated along the axes that are summed, and p is no parameter's
// value. A reduction that sums over rows what its visits yield sums it once,
// behind the reduction.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_HSA_TRANSFORMS_SIMPLIFYGRADIENTS_H
#define RAMIFY_LIB_HSA_TRANSFORMS_SIMPLIFYGRADIENTS_H

#include "dialects/HSA/IR/HSA.h"

#include "mlir/IR/PatternMatch.h"

namespace ramify::hsa {

void populateSimplifyGradientsPatterns(mlir::RewritePatternSet &patterns);

} // namespace ramify::hsa

#endif // RAMIFY_LIB_HSA_TRANSFORMS_SIMPLIFYGRADIENTS_H
