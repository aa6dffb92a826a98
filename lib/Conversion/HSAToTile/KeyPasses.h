// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KeyPasses.h - A chunk tile by tile -----------------------*- C++ -*-===//
//
// Where the scores of a whole chunk do not fit the registers its keys are
// visited one tile after the other, and as often as reductions over keys depend
// on each other. A softmax needs the maximum and the sum of all scores before
// its first result:
//
//     %s = dot %q, %k over dim              pass 0   for each tile:
//     %p = softmax %s over key                         %s; (m, l) with %s
//     %o = dot %p, %v over key              pass 1   for each tile:
//     yield %w * %o                                    %s again; %p from %s, m,
//     l
//                                                      %o + %p %v
//                                           behind   acc + %w * %o
//
// A reduction over keys belongs to the first pass before which everything it
// depends on is known. What has a key axis is computed in each pass that needs
// it; what has none is computed once, between the passes. Scores that are
// merged into a running softmax need no second look: that is one pass.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_KEYPASSES_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_KEYPASSES_H

#include "BodyEmitter.h"

namespace ramify {

/// Emits the body of `op` for `chunk`, of `keys` keys; returns the accumulators
/// after it.
mlir::FailureOr<Tiles> emitInPasses(BodyEmitter &emitter, hsa::ReduceOp op,
                                    int64_t keys, Chunk &chunk,
                                    mlir::ValueRange before);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_KEYPASSES_H
