// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-split-launches --canonicalize | FileCheck %s
// RUN: ramify-opt %s --hsa-split-launches --canonicalize --hsa-to-tile --canonicalize --cse | FileCheck %s --check-prefix=TILE

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 64, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
!each = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!scores = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!slots = tensor<1x8xi32, #hsa.axes<pos, slot>>
!values = tensor<1x8xf32, #hsa.axes<pos, slot>>

// Selecting is one program, with the keys only for their number; attending is
// another, for which the picks are indices and their scores weights.
// CHECK-LABEL: hsa.program @f_0(
// CHECK-SAME:    %q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 64, dim = 16>,
// CHECK-SAME:    %landmarks: !hsa.landmarks<{{.*}}>)
// CHECK:         %[[SLOTS:.*]] = hsa.topk
// CHECK:         %[[X:.*]] = hsa.take
// CHECK:         hsa.return %[[SLOTS]], %[[X]]
// CHECK-LABEL: hsa.program @f_1(
// CHECK-SAME:    %q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 64, dim = 16>,
// CHECK-SAME:    %picks: !hsa.indices<"kv", i32, heads = kv, slots = 8>,
// CHECK-SAME:    %slots0: !hsa.weights<"picks", f32, heads = kv, slots = 8>)
// CHECK:         %[[D:.*]] = hsa.selected %picks : {{.*}} -> !hsa.domain<"kv", "picks">
// CHECK:         hsa.reduce (%[[SLOT:.*]], %{{.*}}) in %[[D]]
// CHECK:           hsa.at %slots0[%[[SLOT]] : !hsa.slot<"picks">] : {{.*}} -> f32
// CHECK-LABEL: hsa.program @f(
// CHECK:         %[[A:.*]]:2 = hsa.launch @f_0(%q, %k, %landmarks)
// CHECK-NEXT:    %[[O:.*]] = hsa.launch @f_1(%q, %k, %[[A]]#0, %[[A]]#1)
// CHECK-NEXT:    hsa.return %[[O]], %[[A]]#0

// One plan: what is returned is a result, the rest a workspace, and results stand
// in the order of the function's. Both programs run for a window of sequences and
// queries, of which they see views, and know where it begins.
// TILE-LABEL: tile.kernel @f_0
// TILE-LABEL: tile.kernel @f_1
// TILE-LABEL: tile.plan @f_plan
// TILE-SAME:    {ramify.default = ["N", "L"], ramify.name = "q_start", ramify.role = "q_start"}
// TILE:         %[[OUT:.*]] = tile.result {{.*}} : memref<?x?x?x16xf32
// TILE:         %[[PICKS:.*]] = tile.result {{.*}} : memref<?x?x?x8xi32
// TILE:         tile.plan_for
// TILE:           tile.plan_for
// TILE:             %[[QB:.*]] = tile.view %q axis 0
// TILE-NEXT:        %[[Q:.*]] = tile.view %[[QB]] axis 1 from %[[FIRST:.*]] size
// TILE-NEXT:        %[[K:.*]] = tile.view %k axis 0
// TILE-NEXT:        %[[L:.*]] = tile.view %landmarks axis 0
// TILE:             %[[FIRST32:.*]] = arith.index_cast %[[FIRST]]
// TILE:             %[[START:.*]] = arith.addi %q_start, %[[FIRST32]]
// TILE:             %[[PB:.*]] = tile.view %[[PICKS]] axis 0
// TILE:             %[[P:.*]] = tile.view %[[PB]] axis 1
// TILE:             %[[W:.*]] = tile.workspace {{.*}} : memref<?x?x?x8xf32
// TILE:             tile.plan_do {
// TILE-NEXT:          tile.launch @f_0 grid({{.*}}) (%[[Q]], %[[K]], %[[L]], %[[START]], %[[P]], %[[W]])
// TILE:             %[[OB:.*]] = tile.view %[[OUT]] axis 0
// TILE:             %[[O:.*]] = tile.view %[[OB]] axis 1
// TILE:             tile.plan_do {
// TILE-NEXT:          tile.launch @f_1 grid({{.*}}) (%[[Q]], %[[K]], %[[P]], %[[W]], %[[O]])
// TILE-NOT:   tile.plan
hsa.program @f(%q: !query, %k: !keys, %landmarks: !landmarks) -> (!q, !slots) attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %landmarks : !landmarks -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %d = hsa.dot %x, %l over dim : !q, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> !each
  %s = hsa.fold sum %d over head : !each -> !scores
  %end = hsa.chunk_info end in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %ends = hsa.broadcast %end : tensor<?xi32, #hsa.axes<chunk>> to tensor<1x?xi32, #hsa.axes<pos, chunk>>
  %t = hsa.query_positions : tensor<1xi32, #hsa.axes<pos>>
  %ts = hsa.broadcast %t : tensor<1xi32, #hsa.axes<pos>> to tensor<1x?xi32, #hsa.axes<pos, chunk>>
  %visible = arith.cmpi sle, %ends, %ts : tensor<1x?xi32, #hsa.axes<pos, chunk>>
  %inf = arith.constant 0xFF800000 : f32
  %never = hsa.broadcast %inf : f32 to !scores
  %m = arith.select %visible, %s, %never : tensor<1x?xi1, #hsa.axes<pos, chunk>>, !scores
  %slots = hsa.topk %m k 8 order nearest : !scores -> !slots
  %w = hsa.take %m at %slots : !scores, !slots -> !values
  %zero = hsa.identity sum : !q
  %domain = hsa.selected %slots in "kv" as "picks" : !slots -> !hsa.domain<"kv", "picks">
  %o = hsa.reduce (%slot, %c) in %domain : !hsa.domain<"kv", "picks"> into (sum %zero : !q) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<64x16xf32, #hsa.axes<key, dim>>
    %e = hsa.dot %x, %kc over dim : !q, tensor<64x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x64xf32, #hsa.axes<pos, head, key>>
    %p = hsa.softmax %e over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x4x64xf32, #hsa.axes<pos, head, key>>
    %v = hsa.dot %p, %kc over key in %c : !hsa.chunk_id<"kv">
        : tensor<1x4x64xf32, #hsa.axes<pos, head, key>>, tensor<64x16xf32, #hsa.axes<key, dim>> -> !q
    %one = hsa.at %w[%slot : !hsa.slot<"picks">] : !values -> tensor<1xf32, #hsa.axes<pos>>
    %ones = hsa.broadcast %one : tensor<1xf32, #hsa.axes<pos>> to !q
    %y = arith.mulf %ones, %v : !q
    hsa.yield %y : !q
  }
  hsa.return %o, %slots : !q, !slots
}
