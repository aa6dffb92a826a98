// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="stream-rows=32 rows-multiple=1 cols-multiple=1" --canonicalize --cse | FileCheck %s

// At slots that no walk picked, a stream is evaluated slot by slot, with one chunk
// for each row: its landmark, its product with the row's query, its place.
// CHECK-LABEL: tile.kernel @given
// CHECK-DAG:     %[[Q:.*]] = tile.gather %r[{{.*}}] {{.*}} -> tensor<32x16xf32>
// CHECK-DAG:     %[[SLOTS:.*]] = tile.gather %old[{{.*}}] {{.*}} -> tensor<32x6xi32>
// CHECK:         scf.for %[[K:.*]] = %c0 to %c6 step %c1 iter_args(%[[T:.*]] = %{{.*}}) -> (tensor<32x6xf32>)
// CHECK:           %[[HERE:.*]] = tile.broadcast {{.*}} along 0 : tensor<6xi1> -> tensor<32x6xi1>
// CHECK:           %[[OWN:.*]] = arith.select %[[HERE]], %[[SLOTS]], %{{.*}} : tensor<32x6xi1>, tensor<32x6xi32>
// CHECK:           %[[IDS:.*]] = tile.reduce max %[[OWN]] along 1 : tensor<32x6xi32> -> tensor<32xi32>
// CHECK:           %[[LIVE:.*]] = arith.andi {{.*}} : tensor<32xi1>
// CHECK:           %[[L:.*]] = tile.gather %landmarks[%{{.*}}, %[[IDS]], %{{.*}}] where %[[LIVE]] {{.*}} -> tensor<32x16xf32>
// CHECK:           %[[P:.*]] = arith.mulf %[[Q]], %[[L]] : tensor<32x16xf32>
// CHECK:           %[[S:.*]] = tile.reduce sum %[[P]] along 1 : tensor<32x16xf32> -> tensor<32xf32>
// CHECK:           %[[START:.*]] = arith.muli %[[IDS]], {{.*}} : tensor<32xi32>
// CHECK:           arith.addf %[[S]], %{{.*}} : tensor<32xf32>
// CHECK:           %[[X:.*]] = arith.select %[[LIVE]], {{.*}} : tensor<32xi1>, tensor<32xf32>
// CHECK:           %[[XS:.*]] = tile.broadcast %[[X]] along 1 : tensor<32xf32> -> tensor<32x6xf32>
// CHECK:           %[[NEXT:.*]] = arith.select %[[HERE]], %[[XS]], %[[T]] : tensor<32x6xi1>, tensor<32x6xf32>
// CHECK:           scf.yield %[[NEXT]]
hsa.program @given(%r: !hsa.query<f32, pos = 1, head = 1, dim = 16>,
                   %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>,
                   %old: !hsa.indices<"kv", i32, heads = kv, slots = 6>)
    -> tensor<1x1x6xf32, #hsa.axes<pos, head, slot>> attributes {group = 1 : i64} {
  %q = hsa.load %r : !hsa.query<f32, pos = 1, head = 1, dim = 16> -> tensor<1x1x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16> -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %d = hsa.dot %q, %l over dim : tensor<1x1x16xf32, #hsa.axes<pos, head, dim>>, tensor<?x16xf32, #hsa.axes<chunk, dim>>
      -> tensor<1x1x?xf32, #hsa.axes<pos, head, chunk>>
  %i = hsa.chunk_info start in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %f = arith.sitofp %i : tensor<?xi32, #hsa.axes<chunk>> to tensor<?xf32, #hsa.axes<chunk>>
  %fs = hsa.broadcast %f : tensor<?xf32, #hsa.axes<chunk>> to tensor<1x1x?xf32, #hsa.axes<pos, head, chunk>>
  %s = arith.addf %d, %fs : tensor<1x1x?xf32, #hsa.axes<pos, head, chunk>>
  %slots = hsa.load %old : !hsa.indices<"kv", i32, heads = kv, slots = 6> -> tensor<6xi32, #hsa.axes<slot>>
  %each = hsa.broadcast %slots : tensor<6xi32, #hsa.axes<slot>> to tensor<1x1x6xi32, #hsa.axes<pos, head, slot>>
  %x = hsa.take %s at %each : tensor<1x1x?xf32, #hsa.axes<pos, head, chunk>>, tensor<1x1x6xi32, #hsa.axes<pos, head, slot>>
      -> tensor<1x1x6xf32, #hsa.axes<pos, head, slot>>
  hsa.return %x : tensor<1x1x6xf32, #hsa.axes<pos, head, slot>>
}
