// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,k,sink" -canonicalize -cse -loop-invariant-code-motion | FileCheck %s
// RUN: ramify-opt %s -hsa-differentiate="wrt=q mode=forward" | FileCheck %s --check-prefix=FORWARD
//
// A joint softmax: its value and lse are saved, each visit is computed again
// from them. A learned sink is pushed, so it needs no visit.

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
!query  = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys   = !hsa.chunks<"kv", f32, key = 8, dim = 16>
!sink   = !hsa.array<f32, [head = 4]>
!rows   = tensor<1x4x16xf32, #query>
!row    = tensor<1x4xf32, #hsa.axes<pos, head>>
!score  = tensor<1x4x8xf32, #scores>
!chunk  = tensor<8x16xf32, #hsa.axes<key, dim>>
!state  = !hsa.softmax_state<!rows>

// The value is a result already, the lse becomes one.
// FORWARD: hsa.program @joint({{.*}}) -> (tensor<1x4x16xf32, #pos_head_dim>, tensor<1x4xf32, #pos_head>)
// FORWARD-SAME: hsa.saved = array<i64: 0, 1>

// CHECK: hsa.program @joint_backward(
// CHECK-SAME: %d_0: !hsa.query<f32, pos = 1, head = 4, dim = 16>
// CHECK-SAME: %saved_0: !hsa.query<f32, pos = 1, head = 4, dim = 16>
// CHECK-SAME: %saved_1: !hsa.array<f32, [pos = 1, head = 4], batch>)
hsa.program @joint(%q: !query, %k: !keys, %sink: !sink, %last: i32) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %bias = hsa.load %sink : !sink -> tensor<4xf32, #hsa.axes<head>>
  %logit = hsa.broadcast %bias : tensor<4xf32, #hsa.axes<head>> to !row
  %none = arith.constant dense<0.0> : tensor<16xf32, #hsa.axes<dim>>
  %empty = hsa.online_softmax : !state
  %d = hsa.window %k last %last : !keys -> !hsa.domain<"kv">
  // CHECK-DAG: %[[O:.*]] = hsa.load %saved_0
  // CHECK-DAG: %[[LSE:.*]] = hsa.load %saved_1
  // CHECK-DAG: %[[DO:.*]] = hsa.load %d_0
  // CHECK-DAG: %[[DELTA:.*]] = hsa.dot %[[DO]], %[[O]] over dim
  %state = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %empty : !state) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    hsa.yield %s, %kc : !score, !chunk
  }
  %all = hsa.push %logit, %none into %state : !row, tensor<16xf32, #hsa.axes<dim>>, !state
  // The sink: its share, times minus delta.
  // CHECK: %[[SHARE:.*]] = math.exp
  // CHECK: %[[DSINK:.*]] = arith.mulf %[[SHARE]]
  // CHECK: %[[R:.*]]:2 = hsa.reduce (%[[C:.*]]) in
  // CHECK: %[[EXP:.*]] = math.exp
  // CHECK: %[[P:.*]] = hsa.mask %[[EXP]] in %[[C]]
  // CHECK: %[[DP:.*]] = hsa.dot %[[DO]], %{{.*}} over dim
  // CHECK: %[[DV:.*]] = hsa.dot %[[P]], %[[DO]] over pos, head
  // CHECK: %[[CENTRED:.*]] = arith.subf %[[DP]],
  // CHECK: %[[DS:.*]] = arith.mulf %[[P]], %[[CENTRED]]
  // CHECK: %[[DQ:.*]] = hsa.dot %[[DS]], %{{.*}} over key in %[[C]]
  // CHECK: %[[DK:.*]] = hsa.dot %[[DS]], %{{.*}} over pos, head
  // CHECK: %[[BOTH:.*]] = arith.addf %[[DV]], %[[DK]]
  // CHECK: hsa.yield %[[DQ]], %[[BOTH]]
  %o = hsa.value %all : !state -> !rows
  // CHECK: %[[SUMS:.*]] = hsa.add %[[DSINK]] into
  // CHECK: hsa.return %[[R]]#0, %[[R]]#1, %[[SUMS]]
  hsa.return %o : !rows
}
