// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q" -canonicalize -cse -loop-invariant-code-motion | FileCheck %s
//
// Adjoints of softmax in a chunk, whatever n is, and of the lse of a joint one.

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
!query  = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys   = !hsa.chunks<"kv", f32, key = 8, dim = 16>
!rows   = tensor<1x4x16xf32, #query>
!row    = tensor<1x4xf32, #hsa.axes<pos, head>>
!score  = tensor<1x4x8xf32, #scores>
!chunk  = tensor<8x16xf32, #hsa.axes<key, dim>>
!state  = !hsa.softmax_state<!rows>

// ds = p (dp - sum p dp). What the keys get as values is another matter.
// CHECK-LABEL: hsa.program @softmax_1_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: hsa.reduce (%[[C:.*]]) in
// CHECK: %[[P:.*]] = hsa.softmax %{{.*}} over key in %[[C]] : !hsa.chunk_id<"kv"> off_by 1.000000e+00
// CHECK: %[[DP:.*]] = hsa.dot %{{.*}}, %{{.*}} over dim
// CHECK: %[[PDP:.*]] = arith.mulf %[[P]], %[[DP]]
// CHECK: %[[E:.*]] = hsa.fold sum %[[PDP]] over key in %[[C]]
// CHECK: %[[ES:.*]] = hsa.broadcast %[[E]]
// CHECK: %[[CENTRED:.*]] = arith.subf %[[DP]], %[[ES]]
// CHECK: %[[DS:.*]] = arith.mulf %[[P]], %[[CENTRED]]
// CHECK: hsa.dot %[[DS]], %{{.*}} over key in %[[C]]
hsa.program @softmax_1(%q: !query, %k: !keys) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 1.0 : !score
    %v = hsa.dot %p, %kc over key in %c : !hsa.chunk_id<"kv"> : !score, !chunk -> !rows
    hsa.yield %v : !rows
  }
  hsa.return %o : !rows
}

// ds = p dlse: delta is -dlse where the value is not read.
// CHECK-LABEL: hsa.program @lse_backward
// CHECK-SAME: %saved_0: !hsa.array<f32, [pos = 1, head = 4], batch>
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[LSE:.*]] = hsa.load %saved_0
// CHECK: %[[DELTA:.*]] = arith.subf %{{.*}}, %[[DY]]
// CHECK: %[[DELTAS:.*]] = hsa.broadcast %[[DELTA]]
// CHECK: %[[GAIN:.*]] = arith.subf %{{.*}}, %[[DELTAS]]
// CHECK: hsa.reduce (%[[C:.*]]) in
// CHECK: %[[SHARE:.*]] = math.exp
// CHECK: %[[P:.*]] = hsa.mask %[[SHARE]] in %[[C]]
// CHECK: %[[DS:.*]] = arith.mulf %[[P]], %[[GAIN]]
// CHECK: hsa.dot %[[DS]], %{{.*}} over key in %[[C]]
hsa.program @lse(%q: !query, %k: !keys) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %empty = hsa.online_softmax : !state
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %empty : !state) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    hsa.yield %s, %kc : !score, !chunk
  }
  %y = hsa.lse %o : !state -> !row
  hsa.return %y : !row
}
