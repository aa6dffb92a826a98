// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-split-launches --canonicalize | FileCheck %s
// RUN: ramify-opt %s --hsa-split-launches --canonicalize --hsa-to-tile --canonicalize --cse | FileCheck %s --check-prefix=TILE

!query = !hsa.query<bf16, pos = 1, head = 4, dim = 16>
!landmarks = !hsa.landmarks<"kv", bf16, heads = kv, key = 64, dim = 16>
!picks = !hsa.indices<"kv", i32, heads = kv>
!sums = !hsa.sums<!landmarks>
!q = tensor<1x4x16xbf16, #hsa.axes<pos, head, dim>>
!rows = tensor<1x4xf32, #hsa.axes<pos, head>>

// Landmarks are read as a stream and at visited chunks: the visits go on with the
// sums of the walk, which stay in f32 until then.
// CHECK-LABEL: hsa.program @twice_0(
// CHECK-SAME:    -> !hsa.sums<!hsa.landmarks<"kv", bf16,
// CHECK-LABEL: hsa.program @twice_1(
// CHECK-SAME:    %rows0: !hsa.sums<!hsa.landmarks<"kv", bf16,
// CHECK:         hsa.reduce {{.*}} into (sum %rows0 :
// CHECK-LABEL: hsa.program @twice(
// CHECK:         %[[WALK:.*]] = hsa.launch @twice_0(
// CHECK:         %[[ALL:.*]] = hsa.launch @twice_1({{.*}}, %[[WALK]])
// CHECK:         hsa.return %[[ALL]]

// TILE-LABEL: tile.plan @twice_plan
// TILE:         %[[RESULT:.*]] = tile.result {{.*}} : memref<?x?x?x16xbf16
// TILE:         %[[SUMS:.*]] = tile.workspace {{.*}} : memref<?x?x?x16xf32
// TILE:         tile.memset %[[SUMS]]
// TILE-NOT:     tile.memset
// TILE:         tile.plan_for
// TILE:           tile.plan_for
// TILE:             %[[VIEW:.*]] = tile.view %[[SUMS]] axis 0
// TILE:             tile.launch @twice_0{{.*}}%[[VIEW]])
// TILE:             tile.launch @twice_1{{.*}}%[[VIEW]])
// TILE:           }
// TILE-NEXT:    }
// TILE:         tile.launch @twice_1_round0{{.*}}(%[[SUMS]], %[[RESULT]])
hsa.program @twice(%q: !query, %landmarks: !landmarks, %picks: !picks) -> !sums attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %landmarks : !landmarks -> tensor<?x16xbf16, #hsa.axes<chunk, dim>>
  %d = hsa.dot %x, %l over dim : !q, tensor<?x16xbf16, #hsa.axes<chunk, dim>> -> tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
  %n = arith.truncf %d : tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>> to tensor<1x4x?xbf16, #hsa.axes<pos, head, chunk>>
  %dl = hsa.dot %n, %x over pos, head : tensor<1x4x?xbf16, #hsa.axes<pos, head, chunk>>, !q -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %zeros = hsa.zeros : !sums
  %walk = hsa.add %dl into %zeros : tensor<?x16xf32, #hsa.axes<chunk, dim>>, !sums
  %domain = hsa.selected %picks : !picks -> !hsa.domain<"kv", "picks">
  %all = hsa.reduce (%slot, %c) in %domain : !hsa.domain<"kv", "picks"> into (sum %walk : !sums) {
    %lc = hsa.chunk %landmarks[%c : !hsa.chunk_id<"kv">] : !landmarks -> tensor<16xbf16, #hsa.axes<dim>>
    %s = hsa.dot %x, %lc over dim : !q, tensor<16xbf16, #hsa.axes<dim>> -> !rows
    %w = arith.extf %x : !q to tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
    %part = hsa.dot %s, %w over pos, head : !rows, tensor<1x4x16xf32, #hsa.axes<pos, head, dim>> -> tensor<16xf32, #hsa.axes<dim>>
    hsa.yield %part : tensor<16xf32, #hsa.axes<dim>>
  }
  hsa.return %all : !sums
}
