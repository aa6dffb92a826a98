// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Differentiate.h - Reverse-mode gradients of programs -----*- C++ -*-===//
//
// Replaces a program by the program of its gradient with respect to some of its
// parameters (mode backward), or by itself with further results that the
// gradient needs (mode forward). It stands first in the pipeline: gradients of
// what the user wrote are simplified with everything else, and hsa.detach is
// still there.
//
//     hsa.program @f(%q, %k, ...) -> rows {
//       %x = hsa.load %q
//       %o = hsa.reduce (%slot, %c) in %d into (sum %zero) {
//         %kc = hsa.chunk %k[%c]
//         %s = hsa.dot %x, %kc over dim
//         ... hsa.yield %y
//       }
//       hsa.return %o
//     }
//
// becomes, by %k,
//
//     hsa.program @f_backward(%q, %k, ..., %d_0) -> !hsa.sums<chunks> {
//       %x = hsa.load %q
//       %do = hsa.load %d_0                     // the gradient of result 0
//       %dk = hsa.reduce (%slot, %c) in %d into (sum %zeros) {
//         %kc = hsa.chunk %k[%c]                // the visit, computed again
//         %s = hsa.dot %x, %kc over dim
//         ...                                   // its adjoint, backwards
//         %part = hsa.dot %ds, %x over pos, head
//         hsa.yield %part
//       }
//       hsa.return %dk
//     }
//
// A visit is computed again: nothing of the size of scores is saved. What a
// reduction leaves behind for a row (a sum that something nonlinear reads, the
// value and lse of a joint softmax, a log-sum-exp of a stream) is saved, as a
// result of the forward program where it is none already: the attribute
// `hsa.saved` lists, in both programs, the number among the forward program's
// results of each `saved_<j>` parameter. Parameters of the gradient are those
// of the program, `d_<i>` for each result and `saved_<j>`.
//
// What all of a stream has a part in sends its gradient back along the stream,
// which is computed again and never stored either: the gradient walks over it.
//
// What operations do to gradients is in Adjoints*.cpp, a function for each;
// ReduceAdjoint.cpp has the reduction. SimplifyGradients.cpp then takes away
// products that others imply.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_HSA_TRANSFORMS_DIFFERENTIATE_H
#define RAMIFY_DIALECTS_HSA_TRANSFORMS_DIFFERENTIATE_H

#include "dialects/HSA/Transforms/Passes.h"

namespace ramify::hsa {

/// The attribute of a differentiated program that lists what is saved.
inline constexpr llvm::StringLiteral kSavedAttrName = "hsa.saved";

} // namespace ramify::hsa

#endif // RAMIFY_DIALECTS_HSA_TRANSFORMS_DIFFERENTIATE_H
