// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Activity.h - What depends on what a gradient is taken by -*- C++ -*-===//

#ifndef RAMIFY_LIB_HSA_TRANSFORMS_ACTIVITY_H
#define RAMIFY_LIB_HSA_TRANSFORMS_ACTIVITY_H

#include "dialects/HSA/IR/HSA.h"

#include "llvm/ADT/DenseSet.h"

namespace ramify::hsa {

/// The floats and softmax states of a program that depend on some parameters.
/// Integers and conditions carry no gradient, and nothing passes hsa.detach.
class Activity {
public:
  Activity(ProgramOp program, llvm::ArrayRef<mlir::BlockArgument> wrt);

  bool contains(mlir::Value value) const { return active.contains(value); }
  /// Of what an adjoint computes again.
  void add(mlir::Value value) { active.insert(value); }

private:
  void visit(mlir::Block &block);
  void visit(ReduceOp op);

  llvm::DenseSet<mlir::Value> active;
};

} // namespace ramify::hsa

#endif // RAMIFY_LIB_HSA_TRANSFORMS_ACTIVITY_H
