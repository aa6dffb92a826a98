// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q" -canonicalize -cse | FileCheck %s
// RUN: ramify-opt %s -hsa-differentiate="wrt=q" -canonicalize -cse -hsa-split-launches -canonicalize | FileCheck %s --check-prefix=SPLIT
// RUN: ramify-opt %s -hsa-differentiate="wrt=q" -canonicalize -cse -hsa-split-launches -hsa-to-tile | FileCheck %s --check-prefix=TILE
//
// A value of slots that the function computes, read at a slot: each visit adds
// to its own element of sums, which the block reads back when all have. Cut into
// programs, the sums of the visits come as weights.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys  = !hsa.chunks<"kv", f32, key = 8, dim = 16>
!picks = !hsa.indices<"kv", i32, heads = kv>
!slots = tensor<1x3xf32, #hsa.axes<pos, slot>>
!row   = tensor<1x4xf32, #hsa.axes<pos, head>>
!pos   = tensor<1xf32, #hsa.axes<pos>>

// CHECK-LABEL: hsa.program @f_backward(
// CHECK: %[[NONE:.*]] = hsa.zeros : !hsa.sums<!hsa.weights<"picks", f32, heads = kv, slots = 3>>
// CHECK: %[[DP:.*]] = hsa.reduce (%{{.*}}, %{{.*}}) in %{{.*}} into (sum %[[NONE]] :
// CHECK:   hsa.yield %{{.*}} : f32
// CHECK: %[[ROW:.*]] = hsa.load %[[DP]] : !hsa.sums<!hsa.weights<"picks", f32, heads = kv, slots = 3>> -> tensor<3xf32, #slot>
// CHECK: hsa.broadcast %[[ROW]] : tensor<3xf32, #slot> to tensor<1x3xf32, #pos_slot>

// SPLIT-LABEL: hsa.program @f_backward_0(
// SPLIT-SAME:  -> !hsa.sums<!hsa.weights<"picks", f32, heads = kv, slots = 3>>
// SPLIT:         hsa.reduce
// SPLIT-LABEL: hsa.program @f_backward_1(
// SPLIT-SAME:    %[[DP:[a-z0-9]*]]: !hsa.weights<"picks", f32, heads = kv, slots = 3>)
// SPLIT:         hsa.load %[[DP]]

// TILE-LABEL: tile.plan @f_backward_plan
// TILE:       %[[SUMS:.*]] = tile.workspace {{.*}} : memref<?x?x?x3xf32
// TILE:       tile.memset %[[SUMS]]
// TILE:       tile.launch @f_backward_0
hsa.program @f(%q: !query, %k: !keys, %picks: !picks) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  %each = hsa.fold sum %x over dim : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>> -> !row
  %sum = hsa.fold sum %each over head : !row -> !pos
  %same = hsa.broadcast %sum : !pos to !slots
  %p = math.exp %same : !slots
  %zero = hsa.identity sum : !row
  %d = hsa.selected %picks : !picks -> !hsa.domain<"kv", "picks">
  %y = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks"> into (sum %zero : !row) {
    %own = hsa.at %p[%slot : !hsa.slot<"picks">] : !slots -> !pos
    %owns = hsa.broadcast %own : !pos to !row
    hsa.yield %owns : !row
  }
  hsa.return %y : !row
}
