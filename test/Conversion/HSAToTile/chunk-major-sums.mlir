// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major" -tile-fold-row-scales -canonicalize -cse | FileCheck %s
//
// Sums over all queries. Those of the chunk that a program owns are carried
// through its visits and added to memory once; those of a query block are added
// by the rows of its entry; a row's own sum is a total without slots.

// CHECK-LABEL: tile.kernel @f_visits(
// CHECK-SAME:    %part0: memref<?x?x?x?x16xf32
// CHECK-SAME:    %result1: memref<?x?x?x16xf32
// CHECK-SAME:    %result2: memref<?x?x?x?xf32
// CHECK:         %[[K:.*]] = tile.gather %k
// CHECK:         %[[DK:.*]] = scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (tensor<16x16xf32>)
// CHECK:           %[[ENTRY:.*]] = tile.lookup %entries
// CHECK:           %[[LOCAL:.*]] = arith.shrui %[[ENTRY]]
// CHECK:           %[[SLOT:.*]] = arith.andi %[[ENTRY]]
// CHECK:           %[[ROW:.*]] = arith.addi %[[LOCAL]]
// CHECK:           %[[Q:.*]] = tile.gather %q[
// CHECK:           %[[S:.*]] = tile.dot %[[Q]], transposed %[[K]]

// All rows meet in the sum of the chunk, which the product begins with.
// CHECK:           %[[T:.*]] = tile.transpose %{{.*}} -> tensor<16x64xbf16>
// CHECK:           %[[NEXT:.*]] = tile.dot %[[T]], %{{.*}}, %[[SUM]]

// CHECK:           %[[E:.*]] = tile.reduce  sum %{{.*}} along 1
// CHECK:           tile.reduce_into  sum %[[E]] into %result2[%{{.*}}, %[[ROW]], %{{.*}}, %[[SLOT]]] where %{{.*}} order  free
// CHECK:           tile.reduce_into  sum %{{.*}} into %part0[%{{.*}}, %[[LOCAL]], %{{.*}}, %c0] where %{{.*}} order  free
// CHECK:           scf.yield %[[NEXT]]
// CHECK:         tile.reduce_into  sum %[[DK]] into %result1[{{.*}}] where {{.*}} order  free

// CHECK-LABEL: tile.kernel @f_rest(
// CHECK-NOT:     scf.for
// CHECK:         %[[TOTAL:.*]] = tile.gather %part0[{{.*}}, %c0]
// CHECK:         %[[SUM0:.*]] = arith.addf %[[TOTAL]]
// CHECK:         %[[ROUNDED:.*]] = arith.truncf %[[SUM0]]
// CHECK:         tile.scatter %[[ROUNDED]] into %result0

// CHECK-LABEL: tile.plan @f_plan(
// CHECK:         %[[WEIGHTS:.*]] = tile.result {{.*}} : memref<?x?x?x?xf32
// CHECK:         tile.memset %[[WEIGHTS]] to 0
// CHECK:         %[[TOTALS:.*]] = tile.workspace {{.*}} : memref<?x?x?x?x16xf32
// CHECK:             tile.memset %[[TOTALS]] to 0
// CHECK:             tile.launch @f_visits
// CHECK:             tile.launch @f_rest
// CHECK:         tile.launch @f_round1

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
