// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major otherwise=query_major" | FileCheck %s

// What one schedule refuses goes by the other, and nothing of the first is left:
// the index of the chunks was written before the second reduction was met.
// CHECK-NOT:   @chained_indices
// CHECK-NOT:   _visits
// CHECK:       tile.kernel @chained(
// CHECK:       tile.plan @chained_plan
// CHECK-SAME:  tile.steps = "chained\09query_major

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @chained(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %first = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  %second = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %first, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  hsa.return %second : !rows
}
