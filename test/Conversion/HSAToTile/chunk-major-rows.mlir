// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major" -canonicalize -cse | FileCheck %s
//
// What is computed of rows before chunks are visited is computed once for all
// visits of a window, and rounded as products would round it; the visits load
// it, and not what it is made from.

// CHECK-LABEL: tile.kernel @f_visits(
// CHECK-SAME:    %row0: memref<?x?x?x16xbf16
// CHECK-SAME:    %row1: memref<?x?x?xf32
// CHECK-NOT:     tile.gather %gate
// CHECK:         %[[ROWS:.*]] = tile.gather %row0[%{{.*}}, %[[LOCAL:.*]], %[[HEAD:.*]]] where %[[INSIDE:.*]] :
// CHECK:         %[[LARGEST:.*]] = tile.lookup %row1[%{{.*}}, %[[LOCAL]], %[[HEAD]]] where %[[INSIDE]] :
// CHECK-NOT:     tile.gather %gate
// CHECK:         tile.dot %[[ROWS]], transposed
// CHECK-NOT:     tile.gather %gate

// CHECK-LABEL: tile.kernel @f_rows(
// CHECK:         %[[Q:.*]] = tile.gather %q
// CHECK:         %[[G:.*]] = tile.gather %gate
// CHECK:         %[[PRODUCT:.*]] = arith.mulf
// CHECK-DAG:     %[[ROUNDED:.*]] = arith.truncf %[[PRODUCT]]
// CHECK-DAG:     %[[MOST:.*]] = tile.reduce  max %[[PRODUCT]] along 1
// CHECK-DAG:     tile.scatter %[[ROUNDED]] into %row0
// CHECK-DAG:     tile.scatter %[[MOST]] into %row1

// CHECK-LABEL: tile.plan @f_plan(
// CHECK-DAG:     %[[ROW0:.*]] = tile.workspace {{.*}} : memref<?x?x?x16xbf16
// CHECK-DAG:     %[[ROW1:.*]] = tile.workspace {{.*}} : memref<?x?x?xf32
// CHECK:             tile.launch @f_rows{{.*}}(%{{.*}}, %[[ROW0]], %[[ROW1]],
// CHECK:             tile.launch @f_visits{{.*}}, %[[ROW0]], %[[ROW1]],

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
!query = !hsa.query<bf16, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", bf16, key = 16, dim = 16>
!narrow = tensor<1x4x16xbf16, #query>
!rows = tensor<1x4x16xf32, #query>
!row = tensor<1x4xf32, #hsa.axes<pos, head>>
!scores = tensor<1x4x16xf32, #scores>

hsa.program @f(%q: !query, %k: !keys, %gate: !query, %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !narrow
  %g = hsa.load %gate : !query -> !narrow
  %wide = arith.extf %x : !narrow to !rows
  %gates = arith.extf %g : !narrow to !rows
  %product = arith.mulf %wide, %gates : !rows
  %largest = hsa.fold max %product over dim : !rows -> !row
  %most = hsa.broadcast %largest : !row to !scores
  %zero = hsa.identity sum : !row
  %picks = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !row) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xbf16, #hsa.axes<key, dim>>
    %s = hsa.dot %product, %kc over dim : !rows, tensor<16x16xbf16, #hsa.axes<key, dim>> -> !scores
    %less = arith.subf %s, %most : !scores
    %e = hsa.fold sum %less over key in %c : !hsa.chunk_id<"kv"> : !scores -> !row
    hsa.yield %e : !row
  }
  hsa.return %out : !row
}
