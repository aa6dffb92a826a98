// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major" -canonicalize -cse | FileCheck %s
//
// Gradients of the keys of a window. A chunk's program has a range of rows, no
// list of them: from the first query that sees the chunk, in pieces of 64. Only
// tiles at the ends of a window need a mask.

// CHECK-LABEL: tile.kernel @f_visits(
// CHECK-SAME:    %window_rows: i32 {{.*}}, %pieces: i32
// CHECK-NOT:     %entries
// CHECK-SAME:    %part0: memref<?x?x?x?x16xf32

// What item x is.
// CHECK:         %[[CHUNK:.*]] = arith.divui %[[X:.*]], %pieces
// CHECK:         %[[PIECE:.*]] = arith.subi %[[X]], %{{.*}}
// CHECK:         %[[OFFSET:.*]] = arith.muli %[[PIECE]], %c64_i32
// CHECK:         %[[BEGIN:.*]] = arith.addi %{{.*}}, %[[OFFSET]]
// CHECK:         %[[SOME:.*]] = arith.cmpi slt, %[[BEGIN]], %[[END:.*]]
// CHECK:         scf.if %[[SOME]]
// CHECK:           %[[K:.*]] = tile.gather %k
// CHECK:           scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (tensor<16x16xf32>)
// CHECK-NOT:         tile.lookup
// CHECK:             %[[NEEDS:.*]] = arith.ori
// CHECK:             %[[PARTIAL:.*]] = arith.ori %{{.*}}, %[[NEEDS]]
// CHECK:             %[[Q:.*]] = tile.gather %q[
// CHECK:             tile.dot %[[Q]], transposed %[[K]]
// CHECK:             scf.if %[[PARTIAL]]
// CHECK:               arith.cmpi sgt
// CHECK:               arith.cmpi sle
// CHECK:               arith.select
// CHECK:             tile.reduce_into  sum %{{.*}} into %part0
// CHECK:           tile.reduce_into  sum %{{.*}} into %result1

// CHECK-LABEL: tile.plan @f_plan(
// CHECK-NOT:     @f_{{.*}}rank
// CHECK:         tile.launch @f_visits
// CHECK:         tile.launch @f_rest

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query = !hsa.query<bf16, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", bf16, key = 16, dim = 16>
!rows = tensor<1x4x16xf32, #query>
!scores = tensor<1x4x16xf32, #scores>

hsa.program @f(%q: !query, %k: !keys, %last: i32) -> (!rows, !hsa.sums<!keys>)
    attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> tensor<1x4x16xbf16, #query>
  %zero = hsa.identity sum : !rows
  %keys = hsa.zeros : !hsa.sums<!keys>
  %d = hsa.window %k last %last : !keys -> !hsa.domain<"kv">
  %dq, %dk = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : !rows, sum %keys : !hsa.sums<!keys>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xbf16, #chunk>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x16xbf16, #query>, tensor<16x16xbf16, #chunk> -> !scores
    %m = hsa.mask %s in %c : !hsa.chunk_id<"kv"> : !scores
    %q1 = hsa.dot %m, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, tensor<16x16xbf16, #chunk> -> !rows
    %k1 = hsa.dot %m, %x over pos, head : !scores, tensor<1x4x16xbf16, #query> -> tensor<16x16xf32, #chunk>
    hsa.yield %q1, %k1 : !rows, tensor<16x16xf32, #chunk>
  }
  hsa.return %dq, %dk : !rows, !hsa.sums<!keys>
}
