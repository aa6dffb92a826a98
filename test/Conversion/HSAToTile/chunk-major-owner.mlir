// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major deterministic" -canonicalize -cse | FileCheck %s
//
// Sums in the same order each time. A program takes so many entries of a list
// from a multiple of that number on; the first one adds to the chunk's own
// sums, the others write parts.

// CHECK-LABEL: tile.kernel @f_visits(
// CHECK-SAME:    %parts_of_result1: memref<?x?x?x16xf32
// CHECK-SAME:    %most_entries: i32
// CHECK:         %[[C:.*]] = memref.load %items
// CHECK:         %[[BEGIN:.*]] = memref.load %items
// CHECK:         %[[FIRST:.*]] = memref.load %items
// CHECK:         %[[BEHIND:.*]] = memref.load %items
// CHECK:         %[[DISTANCE:.*]] = arith.subi %[[BEGIN]], %[[FIRST]]
// CHECK:         %[[REST:.*]] = arith.remui %[[DISTANCE]], %most_entries
// CHECK:         %[[OWNS:.*]] = arith.cmpi eq, %[[REST]], %c0_i32
// CHECK:         %[[NEXT:.*]] = arith.addi %[[BEGIN]], %most_entries
// CHECK:         %[[END:.*]] = arith.minsi %[[NEXT]], %[[BEHIND]]
// CHECK:         scf.if %[[OWNS]]
// CHECK:           %[[ISPART:.*]] = arith.cmpi ne, %[[BEGIN]], %[[FIRST]]
// CHECK:           arith.divui %[[BEGIN]], %most_entries
// CHECK:           %[[STOP:.*]] = arith.index_cast %[[END]]
// CHECK:           %[[DK:.*]] = scf.for %{{.*}} = %{{.*}} to %[[STOP]]
// CHECK:             tile.reduce_into  sum {{.*}} into %result2[{{.*}} order  owner
// CHECK:           scf.if %[[ISPART]] {
// CHECK:             tile.scatter %[[DK]] into %parts_of_result1
// CHECK:           } else {
// CHECK:             tile.reduce_into  sum %[[DK]] into %result1[{{.*}} order  owner

// One more launch adds the parts of lists that have some, four at once, in
// their order. Sums of weights need none: an entry has its own.
// CHECK-LABEL: tile.kernel @f_items(
// CHECK-NOT:     %parts_of_result2
// CHECK:         %[[LENGTH:.*]] = arith.subi
// CHECK:         arith.cmpi sgt, %[[LENGTH]], %most_entries
// CHECK:         scf.if
// CHECK:           %[[OWN:.*]] = tile.lookup %result1
// CHECK:           %[[ALL:.*]] = scf.for {{.*}} step %c4 iter_args(%[[SUM:.*]] = %[[OWN]])
// CHECK:             %[[P0:.*]] = tile.lookup %parts_of_result1
// CHECK:             %[[P1:.*]] = tile.lookup %parts_of_result1
// CHECK:             %[[P2:.*]] = tile.lookup %parts_of_result1
// CHECK:             %[[P3:.*]] = tile.lookup %parts_of_result1
// CHECK:             %[[S0:.*]] = arith.addf %[[SUM]], %[[P0]]
// CHECK:             %[[S1:.*]] = arith.addf %[[S0]], %[[P1]]
// CHECK:             %[[S2:.*]] = arith.addf %[[S1]], %[[P2]]
// CHECK:             %[[S3:.*]] = arith.addf %[[S2]], %[[P3]]
// CHECK:             scf.yield %[[S3]]
// CHECK:           tile.scatter %[[ALL]] into %result1

// As many entries as leave the parts 24 MiB, but no fewer than 2048 rows have.
// CHECK-LABEL: tile.plan @f_plan(
// CHECK:         %[[ROOM:.*]] = arith.divui %c25165824
// CHECK:         %[[LEAST:.*]] = arith.maxui %{{.*}}, %c512
// CHECK:         %[[PARTS:.*]] = arith.divui %{{.*}}, %[[LEAST]]
// CHECK:         %[[KEYS:.*]] = arith.muli %[[PARTS]], %c16
// CHECK:         tile.workspace shape(%{{.*}}, %[[KEYS]], %{{.*}}, %c16) : memref<?x?x?x16xf32
// CHECK:         %[[MOST:.*]] = arith.index_cast %[[LEAST]]
// CHECK:             tile.launch @f_visits {{.*}} %[[MOST]],
// CHECK-NEXT:        tile.launch @f_items {{.*}} %[[MOST]],

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query = !hsa.query<bf16, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", bf16, key = 16, dim = 16>
!weights = !hsa.weights<"indices", f32, heads = kv>
!rows = tensor<1x4x16xf32, #query>
!scores = tensor<1x4x16xf32, #scores>

hsa.program @f(%q: !query, %k: !keys, %weights: !weights, %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> (!rows, !hsa.sums<!keys>, !hsa.sums<!weights>) attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> tensor<1x4x16xbf16, #query>
  %zero = hsa.identity sum : !rows
  %keys = hsa.zeros : !hsa.sums<!keys>
  %ws = hsa.zeros : !hsa.sums<!weights>
  %picks = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %out:3 = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices">
      into (sum %zero : !rows, sum %keys : !hsa.sums<!keys>, sum %ws : !hsa.sums<!weights>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xbf16, #chunk>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x16xbf16, #query>, tensor<16x16xbf16, #chunk> -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, tensor<16x16xbf16, #chunk> -> !rows
    %dk = hsa.dot %s, %x over pos, head : !scores, tensor<1x4x16xbf16, #query> -> tensor<16x16xf32, #chunk>
    %e = hsa.fold sum %s over key in %c : !hsa.chunk_id<"kv"> : !scores -> tensor<1x4xf32, #hsa.axes<pos, head>>
    %dw = hsa.fold sum %e over pos, head : tensor<1x4xf32, #hsa.axes<pos, head>> -> f32
    hsa.yield %o, %dk, %dw : !rows, tensor<16x16xf32, #chunk>, f32
  }
  hsa.return %out#0, %out#1, %out#2 : !rows, !hsa.sums<!keys>, !hsa.sums<!weights>
}
