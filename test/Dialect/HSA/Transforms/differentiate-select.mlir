// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=r,landmarks mode=forward" -canonicalize -cse | FileCheck %s --check-prefix=FORWARD
// RUN: ramify-opt %s -hsa-differentiate="wrt=r,landmarks" -canonicalize -cse | FileCheck %s
// RUN: ramify-opt %s -hsa-differentiate="wrt=r,landmarks" -canonicalize -cse -hsa-split-launches | FileCheck %s --check-prefix=SPLIT
//
// Picks are constants; the gradient of what was taken at them visits the saved
// picks, and is cut where slots become visits.

#chunk = #hsa.axes<chunk>
#chunk_dim = #hsa.axes<chunk, dim>
#pos = #hsa.axes<pos>
#pos_chunk = #hsa.axes<pos, chunk>
#pos_head_chunk = #hsa.axes<pos, head, chunk>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_slot = #hsa.axes<pos, slot>

// FORWARD: hsa.program @select
// FORWARD-SAME: hsa.saved = array<i64: 1, 2>
// FORWARD: %[[SLOTS:.*]] = hsa.topk
// FORWARD: %[[TAKEN:.*]] = hsa.take {{.*}} at %[[SLOTS]]
// FORWARD: hsa.return %{{.*}}, %[[SLOTS]], %[[TAKEN]]

// CHECK-LABEL: hsa.program @select_backward(
// CHECK-SAME: %d_0: !hsa.weights<"saved_0", f32, heads = kv, slots = 3>, %saved_0: !hsa.indices<"kv", i32, heads = kv, slots = 3>, %saved_1: !hsa.weights<"saved_0", f32, heads = kv, slots = 3>)
// CHECK-NOT: hsa.topk
// CHECK: hsa.scan sum exclusive reverse %{{.*}} over slot
// CHECK: %[[DT:.*]] = arith.select
// CHECK: %[[DLM:.*]] = hsa.zeros : !hsa.sums<!hsa.landmarks<
// CHECK: %[[PICKS:.*]] = hsa.selected %saved_0
// CHECK: hsa.reduce (%[[SLOT:.*]], %[[C:.*]]) in %[[PICKS]] {{.*}} into (sum %{{.*}} : tensor<1x2x16xf32, #pos_head_dim>, sum %[[DLM]] :
// CHECK: hsa.chunk_end %[[C]]
// CHECK: hsa.chunk %landmarks[%[[C]] : !hsa.chunk_id<"kv">]
// CHECK: hsa.at %[[DT]][%[[SLOT]] : !hsa.slot<"saved_0">]
// CHECK: %[[ROW:.*]] = hsa.dot {{.*}} over pos, head : {{.*}} -> tensor<16xf32, #dim>
// CHECK: hsa.yield %{{.*}}, %[[ROW]] : tensor<1x2x16xf32, #pos_head_dim>, tensor<16xf32, #dim>

// SPLIT-LABEL: hsa.program @select_backward_0(
// SPLIT: hsa.scan
// SPLIT-LABEL: hsa.program @select_backward_1(
// SPLIT: hsa.at %slots0[
// SPLIT: hsa.program @select_backward(
// SPLIT: %[[DT:.*]] = hsa.launch @select_backward_0
// SPLIT: hsa.launch @select_backward_1(%{{.*}}, %[[DT]])
hsa.program @select(%r: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 8, dim = 16>, %scale: f32) -> (tensor<1x3xf32, #pos_slot>, tensor<1x3xi32, #pos_slot>) attributes {group = 2 : i64} {
  %cst_0 = arith.constant dense<1.000000e+00> : tensor<1x3xf32, #pos_slot>
  %cst_1 = arith.constant 0xFF800000 : f32
  %0 = hsa.load %r : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
  %1 = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = kv, key = 8, dim = 16> -> tensor<?x16xf32, #chunk_dim>
  %2 = hsa.dot %0, %1 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<?x16xf32, #chunk_dim> -> tensor<1x2x?xf32, #pos_head_chunk>
  %3 = hsa.broadcast %scale : f32 to tensor<1x2x?xf32, #pos_head_chunk>
  %4 = arith.mulf %2, %3 : tensor<1x2x?xf32, #pos_head_chunk>
  %5 = hsa.fold sum %4 over head : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x?xf32, #pos_chunk>
  %6 = hsa.query_positions : tensor<1xi32, #pos>
  %11 = hsa.chunk_info end in "kv" : tensor<?xi32, #chunk>
  %12 = hsa.broadcast %11 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
  %13 = hsa.broadcast %6 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
  %14 = arith.cmpi sle, %12, %13 : tensor<1x?xi32, #pos_chunk>
  %25 = hsa.broadcast %cst_1 : f32 to tensor<1x?xf32, #pos_chunk>
  %26 = arith.select %14, %5, %25 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
  %27 = hsa.topk %26 k 3 order nearest : tensor<1x?xf32, #pos_chunk> -> tensor<1x3xi32, #pos_slot>
  %28 = hsa.take %26 at %27 : tensor<1x?xf32, #pos_chunk>, tensor<1x3xi32, #pos_slot> -> tensor<1x3xf32, #pos_slot>
  %30 = math.exp %28 : tensor<1x3xf32, #pos_slot>
  %40 = hsa.scan sum exclusive %30 over slot : tensor<1x3xf32, #pos_slot>
  hsa.return %40, %27 : tensor<1x3xf32, #pos_slot>, tensor<1x3xi32, #pos_slot>
}
