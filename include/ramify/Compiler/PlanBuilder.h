// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PlanBuilder.h - From tile.plan to the runtime's plan -----*- C++ -*-===//
//
// A tile.plan is IR that only describes: sizes, results, workspaces, launches
// and loops of them. This turns it into the data that the runtime interprets.
//
//     %L = memref.dim %q, %c1          result result0 bf16 [B, L, HQ, 64]
//     %H = arith.divui %HQ, %c16  ->   launch "hsa" grid (L, floordiv(HQ, 16),
//     B) tile.launch @hsa grid(...)         (q, k, ..., result0)
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_COMPILER_PLANBUILDER_H
#define RAMIFY_COMPILER_PLANBUILDER_H

#include "dialects/Tile/IR/Tile.h"
#include "runtime/Plan.h"

#include "mlir/IR/BuiltinOps.h"

namespace ramify {

struct PlanOptions {
  runtime::Backend backend = runtime::Backend::Cpu;
  /// Bytes that arrays whose rows are gathered ask for; 0 for none.
  int64_t alignment = 0;
  /// The last query stands at the last key, N - L + L - 1: `q_start` is no
  /// argument of the plan but computed.
  bool defaultQStart = false;
};

/// The plan without code.
mlir::FailureOr<runtime::Plan> buildPlan(tile::PlanOp op,
                                         const PlanOptions &options);

/// Fills in what the lowering of the kernels has decided: threads of a block
/// and bytes of shared memory, attributes of the llvm.funcs in `module`.
void setLaunchSizes(runtime::Plan &plan, mlir::ModuleOp module);

} // namespace ramify

#endif // RAMIFY_COMPILER_PLANBUILDER_H
