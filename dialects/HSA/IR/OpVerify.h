// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OpVerify.h - Checks that several operations share --------*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_HSA_IR_OPVERIFY_H
#define RAMIFY_DIALECTS_HSA_IR_OPVERIFY_H

#include "dialects/HSA/IR/HSA.h"

namespace ramify::hsa {

/// Fails with "<what> is <found>, but <expected> was expected" where the two
/// types differ.
mlir::LogicalResult verifyType(mlir::Operation *op, llvm::StringRef what,
                               mlir::Type found, mlir::Type expected);

/// Fails unless `type` is a tensor over exactly `axes` of `element`, of any
/// size.
mlir::LogicalResult verifyOver(mlir::Operation *op, llvm::StringRef what,
                               mlir::Type type, llvm::ArrayRef<Axis> axes,
                               mlir::Type element);

/// Fails unless the elements of a tensor or scalar are f32.
mlir::LogicalResult verifyF32(mlir::Operation *op, mlir::Type type);

/// Fails unless `type` has each axis of `over`, at least one, and a chunk is
/// named if and only if `key` is among them.
mlir::LogicalResult verifyAlong(mlir::Operation *op, mlir::Type type,
                                llvm::ArrayRef<Axis> over, mlir::Value chunk);

/// Fails for the softmax monoid, which has no meaning outside of a reduction.
mlir::LogicalResult verifyPlainMonoid(mlir::Operation *op, Monoid monoid);

/// Fails unless `logit` and `value` can be pushed into `state`.
mlir::LogicalResult verifyPush(mlir::Operation *op, mlir::Type logit,
                               mlir::Type value, SoftmaxStateType state);

} // namespace ramify::hsa

#endif // RAMIFY_DIALECTS_HSA_IR_OPVERIFY_H
