// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile=schedule=query_major --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --hsa-to-tile=schedule=chunk_major --canonicalize --cse | FileCheck %s --check-prefix=CHUNKS

!query = !hsa.query<f32, pos = 4, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!q = tensor<4x2x16xf32, #hsa.axes<pos, head, dim>>
!kv = tensor<16x16xf32, #hsa.axes<key, dim>>
!s = tensor<4x2x16xf32, #hsa.axes<pos, head, key>>
!key = tensor<16xi32, #hsa.axes<key>>

// A block stands where its first query does, also where that is a padding row.
// CHECK-LABEL: tile.kernel @near
// CHECK:         %[[BLOCK:.*]] = tile.program_id x
// CHECK:         %[[NUMBER:.*]] = arith.index_cast %[[BLOCK]] : index to i32
// CHECK:         %[[FIRST:.*]] = arith.muli %[[NUMBER]], %c4_i32 overflow<nsw> : i32
// CHECK:         %[[AT:.*]] = arith.index_cast %[[FIRST]] : i32 to index
// CHECK:         %[[PLACE:.*]] = memref.load %q_positions[%[[AT]]]
// CHECK:         arith.subi %{{.*}}, %[[PLACE]] : i32

// Of several blocks in a tile it is a number of each row.
// CHUNKS-LABEL: tile.kernel @near_visits
// CHUNKS:         %[[FIRST:.*]] = arith.muli %{{.*}} overflow<nsw> : tensor<64xi32>
// CHUNKS:         %[[PLACES:.*]] = tile.lookup %q_positions[%[[FIRST]]]
// CHUNKS:         arith.subi %{{.*}}, %[[PLACES]] : tensor<64xi32>
hsa.program @near(%q: !query, %k: !keys, %indices: !indices, %q_positions: !hsa.q_positions) -> !q attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !q
  %t = hsa.block_position : i32
  %init = hsa.identity sum : !q
  %domain = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %o = hsa.reduce (%slot, %c) in %domain : !hsa.domain<"kv", "indices"> into (sum %init : !q) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !kv
    %s = hsa.dot %x, %kc over dim : !q, !kv -> !s
    %v = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !s, !kv -> !q
    %i = hsa.chunk_index %c : !hsa.chunk_id<"kv">
    %far = arith.subi %i, %t : i32
    %w = arith.sitofp %far : i32 to f32
    %ws = hsa.broadcast %w : f32 to !q
    %part = arith.mulf %ws, %v : !q
    hsa.yield %part : !q
  }
  hsa.return %o : !q
}
