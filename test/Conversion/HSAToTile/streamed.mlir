// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile='stream-rows=32 stream-chunks=64' --canonicalize --cse | FileCheck %s

// Programs over streams: rows are query blocks, a loop walks over tiles of chunks,
// and nothing of the length of a stream is stored.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
!rows = tensor<?x16xf32, #hsa.axes<chunk, dim>>
!each = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!scores = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!slots = tensor<1x8xi32, #hsa.axes<pos, slot>>
!values = tensor<1x8xf32, #hsa.axes<pos, slot>>

// The heads meet in a sum: they are taken in one by one, into one accumulator.
// Chunks behind the last query of a program are not visited. The scores at the
// slots are those of the list; sorting moves them along.
// CHECK-LABEL: tile.kernel @select
// CHECK-SAME:    %landmarks: memref<?x?x?x16xf32
// CHECK-SAME:    %result0: memref<?x?x?x8xf32
// CHECK-SAME:    %result1: memref<?x?x?x8xi32
// CHECK-DAG:     %[[NEVER:.*]] = arith.constant dense<0xFF800000> : tensor<32x8xf32>
// CHECK-DAG:     %[[NONE:.*]] = arith.constant dense<-1> : tensor<32x8xi32>
// CHECK-DAG:     %[[C64:.*]] = arith.constant 64 : index
// CHECK:         %[[BEHIND:.*]] = arith.divui %{{.*}}, %c64_i32
// CHECK:         %[[VISIBLE:.*]] = arith.minsi %[[BEHIND]], %{{.*}}
// CHECK:         %[[END:.*]] = arith.index_cast %[[VISIBLE]]
// CHECK:         %[[BEST:.*]]:2 = scf.for %{{.*}} = %{{.*}} to %[[END]] step %[[C64]] iter_args(%{{.*}} = %[[NEVER]], %{{.*}} = %[[NONE]])
// CHECK:           %[[L:.*]] = tile.gather %landmarks[
// CHECK:           %[[SUM:.*]] = scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}) -> (tensor<32x64xf32>)
// CHECK:             %[[Q:.*]] = tile.gather %r[
// CHECK:             tile.dot %[[Q]], transposed %[[L]], %[[ACC]]
// CHECK:           tile.topk
// CHECK:         %[[SORTED:.*]]:2 = tile.sort descending %[[BEST]]#1, %[[BEST]]#0
// CHECK:         tile.scatter %[[SORTED]]#1 into %result0
// CHECK:         tile.scatter %[[SORTED]]#0 into %result1
// CHECK-LABEL: tile.plan @select_plan
// CHECK-SAME:    {ramify.dims = ["B", "C", "H", "16"], ramify.name = "landmarks"}
// CHECK-SAME:    {ramify.default = ["C * 64", "L"], ramify.name = "q_start", ramify.role = "q_start"}
hsa.program @select(%r: !query, %landmarks: !landmarks) -> (!values, !slots) attributes {group = 4 : i64} {
  %q = hsa.load %r : !query -> !q
  %l = hsa.stream %landmarks : !landmarks -> !rows
  %d = hsa.dot %q, %l over dim : !q, !rows -> !each
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
  %x = hsa.take %m at %slots : !scores, !slots -> !values
  hsa.return %x, %slots : !values, !slots
}

// Scores that are compared with their own log-sum-exp are evaluated twice: two
// walks. Heads that do not meet have programs of their own. What is asked for at
// the slots is carried along.
// CHECK-LABEL: tile.kernel @twice
// CHECK:         %[[Z:.*]]:2 = scf.for {{.*}} -> (tensor<32xf32>, tensor<32xf32>)
// CHECK:           tile.dot
// CHECK:         math.log %[[Z]]#1
// CHECK:         scf.for {{.*}} -> (tensor<32x8xf32>, tensor<32x8xi32>, tensor<32x8xf32>)
// CHECK:           %[[S:.*]] = tile.dot
// CHECK:           tile.topk %{{.*}}, %{{.*}} carrying %[[S]]
// CHECK-LABEL: tile.plan @twice_plan
// CHECK:         tile.launch @twice grid(%{{.*}}, %[[HQ:.*]], %{{.*}}) (
hsa.program @twice(%r: !query, %landmarks: !landmarks)
    -> (tensor<1x4x8xf32, #hsa.axes<pos, head, slot>>, tensor<1x4x8xi32, #hsa.axes<pos, head, slot>>)
    attributes {group = 4 : i64} {
  %q = hsa.load %r : !query -> !q
  %l = hsa.stream %landmarks : !landmarks -> !rows
  %s = hsa.dot %q, %l over dim : !q, !rows -> !each
  %z = hsa.logsumexp %s over chunk : !each -> tensor<1x4xf32, #hsa.axes<pos, head>>
  %zs = hsa.broadcast %z : tensor<1x4xf32, #hsa.axes<pos, head>> to !each
  %n = arith.subf %s, %zs : !each
  %slots = hsa.topk %n k 8 order score : !each -> tensor<1x4x8xi32, #hsa.axes<pos, head, slot>>
  %x = hsa.take %s at %slots : !each, tensor<1x4x8xi32, #hsa.axes<pos, head, slot>>
      -> tensor<1x4x8xf32, #hsa.axes<pos, head, slot>>
  hsa.return %x, %slots : tensor<1x4x8xf32, #hsa.axes<pos, head, slot>>, tensor<1x4x8xi32, #hsa.axes<pos, head, slot>>
}
