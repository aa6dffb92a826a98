// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AddressSlice.h - Addresses of another iteration ----------*- C++ -*-===//
//
// What a gather reads is decided by a slice of its loop's body: an index that
// is loaded for the iteration, arithmetic that makes rows and a mask from it,
// conditions around it. To start the copy of an iteration that is still to
// come, that slice is computed for its induction value.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_ADDRESSSLICE_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_ADDRESSSLICE_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace ramify::tile {

using Slice = llvm::SetVector<mlir::Operation *>;

/// Adds to `slice`, operands first, the operations that compute `value` from
/// values that `isKnown`. False if one of them may not be repeated or moved, or
/// if the argument of a block is needed that is not known.
bool collectSlice(mlir::Value value,
                  llvm::function_ref<bool(mlir::Value)> isKnown, Slice &slice);

/// The same for a value of the body of `loop`, from what is known for each
/// iteration: values from outside, and the induction value.
bool collectSlice(mlir::Value value, mlir::scf::ForOp loop, Slice &slice);

/// The conditions of the scf.if around `op` inside `loop`, outermost first;
/// nothing if there is anything else between, or an else branch.
std::optional<llvm::SmallVector<mlir::Value>>
conditionsAround(mlir::Operation *op, mlir::scf::ForOp loop);

/// Computes values of a loop's body for one iteration.
class IterationCloner {
public:
  /// For the iteration with the induction value `iteration`, which runs only
  /// if `exists` (null: it does).
  IterationCloner(mlir::OpBuilder &builder, mlir::scf::ForOp loop,
                  mlir::Value iteration, mlir::Value exists)
      : builder(builder), loop(loop), exists(exists) {
    mapping.map(loop.getInductionVar(), iteration);
  }

  /// `value` in that iteration; clones what is needed.
  mlir::Value get(mlir::Value value);
  /// Says what `value` is there.
  void set(mlir::Value value, mlir::Value there) { mapping.map(value, there); }

  /// Whether the iteration exists and runs through `conditions`; null if it
  /// surely does.
  mlir::Value isReached(llvm::ArrayRef<mlir::Value> conditions);

  /// The result of a load of the body, which is done only where it is reached;
  /// zero elsewhere.
  mlir::Value load(mlir::memref::LoadOp op);

  /// A cloner for a nested region, so that clones do not leave it.
  IterationCloner nested() const { return *this; }

private:
  mlir::OpBuilder &builder;
  mlir::scf::ForOp loop;
  mlir::Value exists;
  mlir::IRMapping mapping;
};

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_ADDRESSSLICE_H
