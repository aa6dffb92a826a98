// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SavedValues.h - What a gradient may find saved -----------*- C++ -*-===//
//
// A gradient computes the program again but for what the forward program can
// save: what reductions leave behind for each row, and of a selection its picks
// and what was taken at them.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_HSA_TRANSFORMS_SAVEDVALUES_H
#define RAMIFY_LIB_HSA_TRANSFORMS_SAVEDVALUES_H

#include "dialects/HSA/IR/HSA.h"

namespace ramify::hsa {

/// Whether a program can return a value of that type, besides slots.
bool isResultType(mlir::Type type);

/// Whether a type is over slots; they are picks, or belong to them.
bool isOfSlots(mlir::Type type);

/// The one selection that the program takes values at or visits, or a selection
/// that it returns if there is no such; null if there is none.
mlir::FailureOr<mlir::Value> findSlots(ProgramOp program);

/// Gives each state that is read one reader of each kind: the adjoint of a
/// softmax needs its value and its lse.
void completeReaders(ProgramOp program);

/// What can be saved: the picks, which come first, what was taken at them, and
/// what reductions leave behind. A maximum is not among it: the adjoint
/// compares with it, bit for bit.
llvm::SmallVector<mlir::Value> findCandidates(ProgramOp program,
                                              mlir::Value slots);

} // namespace ramify::hsa

#endif // RAMIFY_LIB_HSA_TRANSFORMS_SAVEDVALUES_H
