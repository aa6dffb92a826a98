// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VisitOps.cpp - What a visit computes once, and what for rows -------===//

#include "VisitOps.h"

using namespace mlir;
using namespace ramify;

LogicalResult VisitOps::need(Operation *inner) {
  for (Value operand : inner->getOperands()) {
    Operation *definition = operand.getDefiningOp();
    if (!definition || definition->getParentOp() == op ||
        needed.contains(definition))
      continue;
    if (rowValues.contains(operand)) {
      loaded.insert(operand);
      varying.insert(operand);
      continue;
    }
    if (isa<hsa::ReduceOp>(definition))
      return op.emitOpError(
          "depends on the result of another reduction, which chunk_major does "
          "not have yet when it visits the chunks");
    if (failed(need(definition)))
      return failure();
    needed.insert(definition);
  }
  return success();
}

/// Weights and positions differ from row to row even where their type has no
/// such axis.
void VisitOps::sortOut(Operation *inner) {
  bool varies =
      isa<hsa::AtOp, hsa::QueryPositionsOp, hsa::BlockPositionOp>(inner) ||
      llvm::any_of(inner->getOperands(),
                   [&](Value value) { return varying.contains(value); }) ||
      llvm::any_of(inner->getResultTypes(), hasRows);
  if (varies)
    varying.insert(inner->result_begin(), inner->result_end());
  (varies ? ofRows : shared).push_back(inner);
}

LogicalResult VisitOps::collect() {
  Block &body = op.getBody().front();
  for (Operation &inner : body)
    if (failed(need(&inner)))
      return failure();
  for (Operation &outer : *op->getBlock())
    if (needed.contains(&outer))
      sortOut(&outer);
  for (Operation &inner : body.without_terminator())
    sortOut(&inner);
  return checkSums();
}

/// A tile adds once for all of its query blocks.
LogicalResult VisitOps::checkSums() {
  for (unsigned index = 0; index < op.getNumResults(); ++index)
    if (isa<hsa::SumsType>(op.getResult(index).getType()) &&
        !varying.contains(op.getYielded(index)[0]))
      return op.emitOpError()
             << "adds the same for each query block that visits a chunk, which "
                "chunk_major does not count: query_major does";
  return success();
}
