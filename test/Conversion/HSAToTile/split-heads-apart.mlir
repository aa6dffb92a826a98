// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-split-launches=heads-apart --canonicalize | FileCheck %s
// RUN: ramify-opt %s --hsa-split-launches --canonicalize | FileCheck %s --check-prefix=TOGETHER
// RUN: ramify-opt %s --hsa-split-launches=heads-apart --canonicalize --hsa-to-tile="rows-multiple=1 cols-multiple=1" --canonicalize --cse | FileCheck %s --check-prefix=TILE
// RUN: ramify-opt %s --hsa-split-launches=heads-apart --canonicalize --hsa-to-tile="rows-multiple=1 cols-multiple=1 one-launch" --canonicalize --cse | FileCheck %s --check-prefix=ONE

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = query, key = 64, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
!lm = tensor<4x?x16xf32, #hsa.axes<head, chunk, dim>>
!each = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!scores = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!slots = tensor<1x8xi32, #hsa.axes<pos, slot>>
!values = tensor<1x4x8xf32, #hsa.axes<pos, head, slot>>

// The heads pick together; what each has at the picks is read by a program that
// knows the picks, and scores of no other chunk.
// CHECK-LABEL: hsa.program @f_0(
// CHECK:         %[[SLOTS:.*]] = hsa.topk
// CHECK-NOT:     hsa.take
// CHECK:         hsa.return %[[SLOTS]]
// CHECK-LABEL: hsa.program @f_1(
// CHECK-SAME:    %slots0: !hsa.indices<"kv", i32, heads = kv, slots = 8>)
// CHECK:         %[[PICKS:.*]] = hsa.load %slots0
// CHECK:         %[[AT:.*]] = hsa.broadcast %[[PICKS]] {{.*}} to tensor<1x8xi32
// CHECK:         %[[X:.*]] = hsa.take %{{.*}} at %[[AT]]
// CHECK:         hsa.softmax %[[X]] over slot
// CHECK-LABEL: hsa.program @f(
// CHECK:         %[[A:.*]] = hsa.launch @f_0(%q, %landmarks)
// CHECK:         hsa.launch @f_1(%q, %landmarks, %[[A]])

// TOGETHER-NOT: hsa.launch

// Each head has a program of the grid.
// TILE-LABEL: tile.kernel @f_1
// TILE-COUNT-1: tile.gather %landmarks
// TILE-NOT:     tile.gather %landmarks
// TILE-LABEL: tile.plan @f_plan
// TILE:         %[[HEADS:.*]] = memref.dim %q, %c2
// TILE:         tile.launch @f_1 grid(%{{.*}}, %[[HEADS]], %{{.*}})

// Or it has a turn in that of its query block.
// ONE-LABEL:  tile.kernel @f(
// ONE-DAG:      %[[Y:.*]] = tile.program_id y
// ONE:          %[[FIRST:.*]] = arith.muli %[[Y]], %c4
// ONE:          tile.barrier
// ONE:          scf.for %[[TURN:.*]] = %c0 to %c4 step %c1 {
// ONE:            %[[HEAD:.*]] = arith.addi %[[FIRST]], %[[TURN]]
// ONE:            tile.gather %landmarks[%{{.*}}, %{{.*}}, %[[HEAD]]]
// ONE:            tile.scatter
// ONE:          }
// ONE-NEXT:     tile.end
hsa.program @f(%q: !query, %landmarks: !landmarks) -> (!values, !slots) attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %landmarks : !landmarks -> !lm
  %s = hsa.dot %x, %l over dim : !q, !lm -> !each
  %m = hsa.fold max %s over head : !each -> !scores
  %slots = hsa.topk %m k 8 order nearest : !scores -> !slots
  %t = hsa.take %s at %slots : !each, !slots -> !values
  %w = hsa.softmax %t over slot off_by 0.0 : !values
  hsa.return %w, %slots : !values, !slots
}
