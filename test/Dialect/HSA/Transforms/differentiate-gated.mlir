// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,k,v,weights" -canonicalize -cse -loop-invariant-code-motion | FileCheck %s
//
// A function of the sum: the gradient of the sum is computed before the visits,
// in which there are still five products, and the weight is no part of them.

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query  = !hsa.query<bf16, pos = 1, head = 16, dim = 64>
!keys   = !hsa.chunks<"kv", bf16, key = 32, dim = 64>
!rows   = tensor<1x16x64xf32, #query>
!score  = tensor<1x16x32xf32, #scores>
!chunk  = tensor<32x64xbf16, #chunk>

// CHECK: hsa.program @gated_backward
hsa.program @gated(%q: !query, %k: !keys, %v: !keys, %weights: !hsa.weights<"indices", f32, heads = kv>,
    %indices: !hsa.indices<"kv", i32, heads = kv>, %g: !query) -> !rows attributes {group = 16 : i64} {
  // CHECK-DAG: %[[D:.*]] = hsa.load %d_0
  // CHECK-DAG: %[[WIDE_D:.*]] = arith.extf %[[D]]
  // CHECK-DAG: %[[G:.*]] = hsa.load %g
  // CHECK-DAG: %[[GATES:.*]] = arith.extf %[[G]]
  // CHECK-DAG: %[[DO:.*]] = arith.mulf %[[WIDE_D]], %[[GATES]]
  // CHECK-DAG: %[[ROUNDED:.*]] = arith.truncf %[[DO]]
  %x = hsa.load %q : !query -> tensor<1x16x64xbf16, #query>
  %narrow = hsa.load %g : !query -> tensor<1x16x64xbf16, #query>
  %gates = arith.extf %narrow : tensor<1x16x64xbf16, #query> to !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  // CHECK: hsa.reduce
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    // CHECK: %[[DOTS:.*]] = hsa.dot
    // CHECK: %[[P:.*]] = hsa.softmax %[[DOTS]]
    // CHECK: %[[V:.*]] = hsa.chunk %v
    // CHECK: %[[W:.*]] = hsa.at %weights
    // CHECK: %[[GAIN:.*]] = hsa.dot %[[DO]], %[[V]] over dim
    // CHECK: arith.mulf {{.*}}%[[GAIN]]
    // CHECK: %[[WS:.*]] = hsa.broadcast %[[W]]
    // CHECK: %[[WP:.*]] = arith.mulf %[[WS]], %[[P]]
    // CHECK: hsa.dot %[[ROUNDED]], %[[WP]] over pos, head
    // CHECK-COUNT-2: hsa.dot
    // CHECK-NOT: hsa.dot
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : tensor<1x16x64xbf16, #query>, !chunk -> !score
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : !score
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %o = hsa.dot %p, %vc over key in %c : !hsa.chunk_id<"kv"> : !score, !chunk -> !rows
    %w = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
    %ws = hsa.broadcast %w : f32 to !rows
    %y = arith.mulf %ws, %o : !rows
    hsa.yield %y : !rows
  }
  %gated = arith.mulf %out, %gates : !rows
  hsa.return %gated : !rows
}
