// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,landmarks mode=forward" -canonicalize -cse | FileCheck %s --check-prefix=FORWARD
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,landmarks" -canonicalize -cse | FileCheck %s
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,landmarks" -canonicalize -cse -hsa-split-launches -hsa-to-tile | FileCheck %s --check-prefix=TILE
//
// A function that selects and attends under one softmax: the picks are saved,
// and the gradient visits them without selecting again. Of the softmax, which
// is read twice, value and lse are saved once. Landmarks decide what is picked
// and so have a gradient of zeros, which is returned with what visits add.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys  = !hsa.chunks<"kv", f32, key = 8, dim = 16>
!lms   = !hsa.landmarks<"kv", f32, heads = kv, key = 8, dim = 16>
!rows  = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!row   = tensor<1x2xf32, #hsa.axes<pos, head>>
!s     = tensor<1x2x8xf32, #hsa.axes<pos, head, key>>
!slots = tensor<1x3xi32, #hsa.axes<pos, slot>>

// FORWARD: hsa.program @attend
// FORWARD-SAME: hsa.saved = array<i64: 3, 0, 4>
// FORWARD: %[[SLOTS:.*]] = hsa.topk
// FORWARD: %[[VALUE:.*]] = hsa.value
// FORWARD: %[[LSE:.*]] = hsa.lse
// FORWARD: hsa.return %[[VALUE]], %{{.*}}, %{{.*}}, %[[SLOTS]], %[[LSE]]

// CHECK-LABEL: hsa.program @attend_backward(
// CHECK-SAME: %saved_0: !hsa.indices<"kv", i32, heads = kv, slots = 3>, %saved_1: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %saved_2: !hsa.array<f32, [pos = 1, head = 2], batch>) ->
// CHECK-NOT: hsa.topk
// CHECK-NOT: hsa.stream
// CHECK: %[[PICKS:.*]] = hsa.selected %saved_0 : {{.*}} -> !hsa.domain<"kv", "saved_0">
// CHECK: hsa.reduce (%{{.*}}, %[[C:.*]]) in %[[PICKS]] : !hsa.domain<"kv", "saved_0">
// CHECK: hsa.chunk %k[%[[C]]
// CHECK: %[[NONE:.*]] = hsa.zeros : !hsa.sums<!hsa.landmarks<
// CHECK: hsa.return %{{.*}}, %[[NONE]]

// TILE: tile.plan @attend_backward_plan
// TILE-COUNT-1: tile.launch
// TILE-NOT: tile.launch
hsa.program @attend(%q: !query, %k: !keys, %landmarks: !lms) -> (!rows, !row, !row) attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %l = hsa.stream %landmarks : !lms -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %each = hsa.dot %x, %l over dim : !rows, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> tensor<1x2x?xf32, #hsa.axes<pos, head, chunk>>
  %sum = hsa.fold sum %each over head : tensor<1x2x?xf32, #hsa.axes<pos, head, chunk>> -> tensor<1x?xf32, #hsa.axes<pos, chunk>>
  %slots = hsa.topk %sum k 3 order nearest : tensor<1x?xf32, #hsa.axes<pos, chunk>> -> !slots
  %d = hsa.selected %slots in "kv" as "picks" : !slots -> !hsa.domain<"kv", "picks">
  %none = hsa.online_softmax : !hsa.softmax_state<!rows>
  %all = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks"> into (softmax %none : !hsa.softmax_state<!rows>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<8x16xf32, #hsa.axes<key, dim>>
    %s = hsa.dot %x, %kc over dim : !rows, tensor<8x16xf32, #hsa.axes<key, dim>> -> !s
    hsa.yield %s, %kc : !s, tensor<8x16xf32, #hsa.axes<key, dim>>
  }
  %value = hsa.value %all : !hsa.softmax_state<!rows> -> !rows
  %lse = hsa.lse %all : !hsa.softmax_state<!rows> -> !row
  %again = hsa.lse %all : !hsa.softmax_state<!rows> -> !row
  %twice = arith.addf %lse, %again : !row
  %square = arith.mulf %lse, %again : !row
  hsa.return %value, %twice, %square : !rows, !row, !row
}
