// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=inverse_index" --canonicalize --cse --loop-invariant-code-motion | FileCheck %s

// The queries of each chunk, as a plan of its own.

// Each pick takes a ticket from its chunk's counter.
// CHECK-LABEL: tile.kernel @f_indices_count(
// CHECK:         %[[INSIDE:.*]] = arith.andi
// CHECK:         %[[C:.*]] = tile.lookup %indices[%[[B:.*]], %{{.*}}, %[[H:.*]], %{{.*}}] where %[[INSIDE]]
// CHECK:         %[[CHUNK:.*]] = arith.cmpi ult, %[[C]]
// CHECK:         %[[VALID:.*]] = arith.andi %[[INSIDE]], %[[CHUNK]]
// CHECK:         %[[TICKET:.*]] = tile.fetch_add %{{.*}} into %counters[%[[B]], %[[W:.*]], %[[H]], %{{.*}}] where %[[VALID]]
// CHECK:         tile.scatter %[[TICKET]] into %entries[%[[B]], %[[W]], %[[H]], %{{.*}}] where %[[VALID]]

// Counters become first places; sums are carried from block to block.
// CHECK-LABEL: tile.kernel @f_indices_scan(
// CHECK:         %[[CARRY:.*]] = tile.scratch : memref<2xi32>
// CHECK:         scf.for
// CHECK:           %[[N:.*]] = tile.lookup %counters
// CHECK:           %[[SUM:.*]] = tile.scan sum %[[N]] along 0
// CHECK:           memref.load %[[CARRY]]
// CHECK:           %[[BEHIND:.*]] = arith.addi %[[SUM]]
// CHECK:           %[[START:.*]] = arith.subi %[[BEHIND]], %[[N]]
// CHECK:           tile.scatter %[[START]] into %starts
// CHECK:           tile.scatter %[[BEHIND]] into %[[CARRY]]
// CHECK:           tile.scatter %{{.*}} into %item_starts

// The ticket that opens an item writes down its chunk.
// CHECK-LABEL: tile.kernel @f_indices_place(
// CHECK:         %[[C:.*]] = tile.lookup %indices
// CHECK:         %[[TICKET:.*]] = tile.lookup %entries
// CHECK:         %[[START:.*]] = tile.lookup %starts
// CHECK:         %[[PLACE:.*]] = arith.addi %[[START]], %[[TICKET]]
// CHECK:         tile.scatter %{{.*}} into %unsorted[%{{.*}}, %{{.*}}, %{{.*}}, %[[PLACE]]]
// CHECK:         %[[REST:.*]] = arith.remui %[[TICKET]]
// CHECK:         %[[OPENS:.*]] = arith.cmpi eq, %[[REST]]
// CHECK:         tile.scatter %[[C]] into %item_chunks

// An entry's rank is how many of its chunk are smaller.
// CHECK-LABEL: tile.kernel @f_indices_sort(
// CHECK:         scf.if
// CHECK:           %[[ENTRY:.*]] = tile.lookup %unsorted
// CHECK:           %[[RANK:.*]] = scf.for %[[I:[a-z0-9]+]] = {{.*}} iter_args(%[[SMALLER:.*]] = %{{.*}}) -> (tensor<64xi32>)
// CHECK:             %[[OTHER:.*]] = memref.load %unsorted[%{{.*}}, %{{.*}}, %{{.*}}, %[[I]]]
// CHECK:             arith.cmpi sgt, %[[ENTRY]]
// CHECK:           tile.scatter %[[ENTRY]] into %entries

// What others import are the results; only the unsorted list is not.
// CHECK-LABEL: tile.plan @f_plan(
// CHECK-COUNT-4: tile.result
// CHECK:         %[[UNSORTED:.*]] = tile.workspace
// CHECK:         %[[COUNTERS:.*]] = tile.workspace
// CHECK:         tile.memset %[[COUNTERS]] to 0
// CHECK-NEXT:    tile.memset %[[STARTS:.*]] to 0
// CHECK-NEXT:    tile.launch @f_indices_count
// CHECK-NEXT:    tile.launch @f_indices_scan
// CHECK-NEXT:    tile.launch @f_indices_place
// CHECK-NEXT:    tile.launch @f_indices_sort
// CHECK-NEXT:    tile.end

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query = !hsa.query<bf16, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", bf16, key = 16, dim = 16>
!rows = tensor<1x4x16xf32, #query>

hsa.program @f(%q: !query, %k: !keys, %weights: !hsa.weights<"indices", f32, heads = kv>,
               %indices: !hsa.indices<"kv", i32, heads = kv>) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> tensor<1x4x16xbf16, #query>
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xbf16, #chunk>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x16xbf16, #query>, tensor<16x16xbf16, #chunk> -> tensor<1x4x16xf32, #scores>
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x4x16xf32, #scores>, tensor<16x16xbf16, #chunk> -> !rows
    %w = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
    %ws = hsa.broadcast %w : f32 to !rows
    %p = arith.mulf %ws, %o : !rows
    hsa.yield %p : !rows
  }
  hsa.return %out : !rows
}
