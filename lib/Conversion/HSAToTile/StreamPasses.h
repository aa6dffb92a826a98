// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamPasses.h - Walks over chunks -----------------------*- C++ -*-===//
//
// Everything that a stream is reduced to (a fold, a log-sum-exp, a softmax's
// statistics, the best k with what they carry) is made by a walk over tiles of
// chunks. All reductions that can share a walk do; one whose stream uses the
// result of another belongs to a later pass:
//
//     %z = logsumexp %s over chunk          pass 0   for each tile: %s; (m, l)
//     %t = subf %s, %z                      behind   %z from m, l
//     %i = topk %t k 8                      pass 1   for each tile: %s again,
//     %x = take %t at %i                                 %t; the best 8
//
// The values of a stream at slots are carried along with the candidates, so
// they need no walk of their own.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMPASSES_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMPASSES_H

#include "StreamEmitter.h"

namespace ramify {

/// Emits all reductions of streams of the program; the emitter knows their
/// results afterwards. Where sums need several walks, `between` is called after
/// each of these. Returns how many walks there are.
mlir::FailureOr<unsigned>
emitStreamPasses(StreamEmitter &emitter, hsa::ProgramOp program,
                 llvm::function_ref<mlir::LogicalResult()> between);

/// How many sums with `dim` columns a thread has registers for in one walk over
/// tiles of so many chunks; one at least.
int64_t countSumsOfWalk(hsa::ProgramOp program, int64_t chunks, int64_t dim);

/// The topk whose picks `slots` are, all or a part of them, in its order; null
/// if there is none.
hsa::TopKOp findTopK(mlir::Value slots);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMPASSES_H
