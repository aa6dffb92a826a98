// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AccumulatorOps.cpp - Empty accumulators, the running softmax -------===//

#include "dialects/HSA/IR/OpVerify.h"

using namespace mlir;
using namespace ramify::hsa;

LogicalResult IdentityOp::verify() {
  return failure(failed(verifyPlainMonoid(*this, getMonoid())) ||
                 failed(verifyF32(*this, getType())));
}

LogicalResult PushOp::verify() {
  return verifyPush(*this, getLogit().getType(), getValue().getType(),
                    getState().getType());
}

LogicalResult ValueOp::verify() {
  return verifyType(*this, "result", getType(),
                    getState().getType().getValue());
}

/// The value of an empty softmax is 0.
OpFoldResult ValueOp::fold(FoldAdaptor) {
  if (!getState().getDefiningOp<OnlineSoftmaxOp>())
    return {};
  return DenseElementsAttr::get(getType(), APFloat(0.0f));
}

LogicalResult LseOp::verify() {
  return verifyType(*this, "result", getType(),
                    getState().getType().getRowType());
}

/// The lse of an empty softmax is -inf.
OpFoldResult LseOp::fold(FoldAdaptor) {
  if (!getState().getDefiningOp<OnlineSoftmaxOp>())
    return {};
  return DenseElementsAttr::get(
      getType(), APFloat::getInf(APFloat::IEEEsingle(), /*Negative=*/true));
}
