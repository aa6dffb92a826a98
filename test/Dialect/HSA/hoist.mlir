// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -loop-invariant-code-motion | FileCheck %s
//
// A reduction is a loop to upstream passes: what is the same at each visit is
// computed once before it.

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>

// CHECK-LABEL: @hoist
// CHECK: hsa.broadcast
// CHECK: hsa.reduce
// CHECK-NEXT: hsa.at
// CHECK: return
func.func @hoist(%scale: f32, %x: !rows, %d: !hsa.domain<"kv", "picks">,
                 %w: !hsa.weights<"picks", f32, heads = kv>) -> !rows {
  %0 = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks"> into (sum %x : !rows) {
    %1 = hsa.broadcast %scale : f32 to !rows
    %2 = hsa.at %w[%slot : !hsa.slot<"picks">] : !hsa.weights<"picks", f32, heads = kv> -> f32
    %3 = hsa.broadcast %2 : f32 to !rows
    %4 = arith.mulf %1, %3 : !rows
    hsa.yield %4 : !rows
  }
  return %0 : !rows
}
