// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,k,v,weights" -canonicalize -cse -loop-invariant-code-motion | FileCheck %s
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,k,v,weights mode=forward" | FileCheck %s --check-prefix=FORWARD
//
// The gradient of hierarchical sparse attention: five products, no division.

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query  = !hsa.query<bf16, pos = 1, head = 16, dim = 64>
!keys   = !hsa.chunks<"kv", bf16, key = 32, dim = 64>
!rows   = tensor<1x16x64xf32, #query>
!score  = tensor<1x16x32xf32, #scores>
!chunk  = tensor<32x64xbf16, #chunk>

// FORWARD: hsa.program @hsa
// FORWARD-SAME: hsa.saved = array<i64>

// CHECK: hsa.program @hsa_backward(%q: {{.*}}, %d_0: !hsa.query<bf16, pos = 1, head = 16, dim = 64>)
// CHECK-SAME: -> (tensor<1x16x64xf32, #pos_head_dim>, !hsa.sums<!hsa.chunks<{{.*}}>>, !hsa.sums<!hsa.chunks<{{.*}}>>, !hsa.sums<!hsa.weights<{{.*}}>>)
hsa.program @hsa(%q: !query, %k: !keys, %v: !keys, %weights: !hsa.weights<"indices", f32, heads = kv>,
    %indices: !hsa.indices<"kv", i32, heads = kv>, %scale: f32) -> !rows attributes {group = 16 : i64} {
  // CHECK-DAG: %[[DO:.*]] = hsa.load %d_0
  // CHECK-DAG: %[[Q:.*]] = hsa.load %q
  %x = hsa.load %q : !query -> tensor<1x16x64xbf16, #query>
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  // CHECK: %[[R:.*]]:4 = hsa.reduce (%[[SLOT:.*]], %[[C:.*]]) in
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    // CHECK: %[[K:.*]] = hsa.chunk %k
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    // CHECK: %[[DOTS:.*]] = hsa.dot %[[Q]], %[[K]] over dim
    %dots = hsa.dot %x, %kc over dim : tensor<1x16x64xbf16, #query>, !chunk -> !score
    %scales = hsa.broadcast %scale : f32 to !score
    %s = arith.mulf %dots, %scales : !score
    // CHECK: %[[P:.*]] = hsa.softmax
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : !score
    // CHECK: %[[V:.*]] = hsa.chunk %v
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %o = hsa.dot %p, %vc over key in %c : !hsa.chunk_id<"kv"> : !score, !chunk -> !rows
    // CHECK: %[[W:.*]] = hsa.at %weights
    %w = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
    %ws = hsa.broadcast %w : f32 to !rows
    %weighted = arith.mulf %ws, %o : !rows
    // dP = dO V^T serves the weight and the scores.
    // CHECK: %[[DP:.*]] = hsa.dot %[[DO]], %[[V]] over dim
    // CHECK: %[[PDP:.*]] = arith.mulf %[[P]], %[[DP]]
    // CHECK: %[[E:.*]] = hsa.fold sum %[[PDP]] over key
    // CHECK: %[[DW:.*]] = hsa.fold sum %[[E]] over pos, head
    // CHECK: %[[WS:.*]] = hsa.broadcast %[[W]]
    // CHECK: %[[WP:.*]] = arith.mulf %[[WS]], %[[P]]
    // CHECK: %[[DV:.*]] = hsa.dot %[[DO]], %[[WP]] over pos, head
    // CHECK: %[[CENTRED:.*]] = arith.subf %[[DP]],
    // CHECK: arith.mulf %[[P]], %[[CENTRED]]
    // CHECK: arith.mulf %[[WS]],
    // CHECK-NEXT: %[[DS:.*]] = arith.mulf
    // CHECK-NEXT: %[[DQ:.*]] = hsa.dot %[[DS]], %[[K]] over key in %[[C]]
    // CHECK-NEXT: %[[DK:.*]] = hsa.dot %[[DS]], %[[Q]] over pos, head
    // CHECK-NOT: hsa.dot
    // CHECK: hsa.yield %[[DQ]], %[[DW]], %[[DV]], %[[DK]]
    hsa.yield %weighted : !rows
  }
  // CHECK-NOT: divf
  // CHECK: hsa.return %[[R]]#0, %[[R]]#3, %[[R]]#2, %[[R]]#1
  hsa.return %out : !rows
}
