// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=inverse_index" --canonicalize --cse --loop-invariant-code-motion | FileCheck %s

// The queries of each chunk, as a plan of its own.

// A block's picks are counted in order; each learns how many came before it.
// CHECK-LABEL: tile.kernel @f_indices_rank(
// CHECK:         %[[INSIDE:.*]] = arith.andi
// CHECK:         %[[C:.*]] = tile.lookup %indices[%[[B:.*]], %{{.*}}, %[[H:.*]], %{{.*}}] where %[[INSIDE]]
// CHECK:         %[[CHUNK:.*]] = arith.cmpi ult, %[[C]]
// CHECK:         %[[VALID:.*]] = arith.andi %[[INSIDE]], %[[CHUNK]]
// CHECK:         %[[BIN:.*]] = arith.select %[[VALID]], %[[C]]
// CHECK:         %[[BEFORE:.*]], %[[COUNTS:.*]] = tile.tally %[[BIN]] : tensor<512xi32>, tensor<1024xi32>
// CHECK:         tile.scatter %[[BEFORE]] into %unsorted[%[[B]], %{{.*}}, %[[H]], %{{.*}}] where %[[VALID]]
// CHECK:         tile.scatter %[[COUNTS]] into %table

// Sixteen rows of the table at a time are read before any is written.
// CHECK-LABEL: tile.kernel @f_indices_columns(
// CHECK:         %[[ALL:.*]] = scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (tensor<32xi32>)
// CHECK:           %[[FIRST:.*]] = tile.lookup %table
// CHECK-COUNT-15:  tile.lookup %table
// CHECK:           tile.scatter %[[SUM]] into %table
// CHECK:           %[[NEXT:.*]] = arith.addi %[[SUM]], %[[FIRST]]
// CHECK:           tile.scatter %[[NEXT]] into %table
// CHECK:         tile.scatter %[[ALL]] into %totals

// The pick that opens an item writes down its chunk. One of the programs writes
// where chunks begin.
// CHECK-LABEL: tile.kernel @f_indices_place(
// CHECK:         %[[C:.*]] = tile.lookup %indices
// CHECK:         %[[RANK:.*]] = tile.lookup %unsorted
// CHECK:         %[[EARLIER:.*]] = tile.lookup %table
// CHECK:         %[[N:.*]] = tile.lookup %totals
// CHECK:         %[[SUM:.*]] = tile.scan sum exclusive %[[N]] along 0
// CHECK:         tile.scatter %[[SUM]] into %[[FIRSTS:.*]][
// CHECK:         scf.if
// CHECK:           tile.scatter %{{.*}} into %starts
// CHECK:           tile.scatter %{{.*}} into %item_starts
// CHECK:         %[[TICKET:.*]] = arith.addi %[[EARLIER]], %[[RANK]]
// CHECK:         %[[START:.*]] = tile.lookup %[[FIRSTS]][%[[C]]]
// CHECK:         %[[PLACE:.*]] = arith.addi %[[START]], %[[TICKET]]
// CHECK:         tile.scatter %{{.*}} into %entries[%{{.*}}, %{{.*}}, %{{.*}}, %[[PLACE]]]
// CHECK:         %[[REST:.*]] = arith.remui %[[TICKET]]
// CHECK:         %[[OPENS:.*]] = arith.cmpi eq, %[[REST]]
// CHECK:         tile.scatter %[[C]] into %item_chunks

// More chunks: each pick takes a ticket from its chunk's counter.
// CHECK-LABEL: tile.kernel @f_indices_count(
// CHECK:         %[[TICKET:.*]] = tile.fetch_add %{{.*}} into %counters[%[[B:.*]], %[[W:.*]], %[[H:.*]], %{{.*}}] where %[[VALID:.*]] :
// CHECK:         tile.scatter %[[TICKET]] into %entries[%[[B]], %{{.*}}, %[[H]], %{{.*}}] where %[[VALID]]

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

// CHECK-LABEL: tile.kernel @f_indices_fetch(
// CHECK:         %[[TICKET:.*]] = tile.lookup %entries
// CHECK:         %[[START:.*]] = tile.lookup %starts
// CHECK:         %[[PLACE:.*]] = arith.addi %[[START]], %[[TICKET]]
// CHECK:         tile.scatter %{{.*}} into %unsorted[%{{.*}}, %{{.*}}, %{{.*}}, %[[PLACE]]]

// An entry's rank is how many of its chunk are smaller.
// CHECK-LABEL: tile.kernel @f_indices_sort(
// CHECK:         scf.if
// CHECK:           %[[ENTRY:.*]] = tile.lookup %unsorted
// CHECK:           %[[RANK:.*]] = scf.for %[[I:[a-z0-9]+]] = {{.*}} iter_args(%[[SMALLER:.*]] = %{{.*}}) -> (tensor<64xi32>)
// CHECK:             %[[OTHER:.*]] = memref.load %unsorted[%{{.*}}, %{{.*}}, %{{.*}}, %[[I]]]
// CHECK:             arith.cmpi sgt, %[[ENTRY]]
// CHECK:           tile.scatter %[[ENTRY]] into %entries

// What others import are the results. One of two ways has programs: up to 1024
// chunks the first.
// CHECK-LABEL: tile.plan @f_plan(
// CHECK:         %[[OVER:.*]] = arith.divui %{{.*}}, %c1024
// CHECK:         %[[MANY:.*]] = arith.minui %[[OVER]], %c1
// CHECK:         %[[FEW:.*]] = arith.subi %c1, %[[MANY]]
// CHECK:         %[[BLOCKS:.*]] = arith.muli %{{.*}}, %[[FEW]]
// CHECK-COUNT-4: tile.result
// CHECK-COUNT-4: tile.workspace
// CHECK:         tile.launch @f_indices_rank grid(%[[BLOCKS]],
// CHECK:         tile.launch @f_indices_columns
// CHECK:         tile.launch @f_indices_place
// CHECK-NEXT:    tile.memset
// CHECK:         tile.launch @f_indices_count
// CHECK:         tile.launch @f_indices_scan
// CHECK:         tile.launch @f_indices_fetch
// CHECK:         tile.launch @f_indices_sort
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
