// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=inverse_index" --canonicalize --cse --loop-invariant-code-motion | FileCheck %s

// The queries of each chunk, as a plan of its own.

// The first pass takes the indices in their order, the others what the one before
// has left. A block's picks are counted by a digit of their chunk, in order: each
// learns how many came before it.
// CHECK-LABEL: tile.kernel @f_indices_rank(
// CHECK:         %[[FIRST:.*]] = arith.cmpi eq, %pass, %c0_i32
// CHECK:         %[[MOVED:.*]] = tile.lookup %moved
// CHECK:         %[[ENTRY:.*]] = arith.select %{{.*}}, %{{.*}}, %[[MOVED]]
// CHECK:         arith.shrui %[[ENTRY]]
// CHECK:         %[[C:.*]] = tile.lookup %indices[%[[B:.*]], %{{.*}}, %[[H:.*]], %{{.*}}] where %[[INSIDE:.*]] :
// CHECK:         %[[CHUNK:.*]] = arith.cmpi ult, %[[C]]
// CHECK:         %[[VALID:.*]] = arith.andi %[[INSIDE]], %[[CHUNK]]
// CHECK:         %[[SHIFT:.*]] = arith.muli %pass, %c10_i32
// CHECK:         %[[SHIFTS:.*]] = tensor.splat %[[SHIFT]]
// CHECK:         %[[HIGH:.*]] = arith.shrui %[[C]], %[[SHIFTS]]
// CHECK:         %[[DIGIT:.*]] = arith.andi %[[HIGH]]
// CHECK:         %[[BIN:.*]] = arith.select %[[VALID]], %[[DIGIT]]
// CHECK:         %[[BEFORE:.*]], %[[COUNTS:.*]] = tile.tally %[[BIN]] : tensor<512xi32>, tensor<1024xi32>
// CHECK:         tile.scatter %[[BEFORE]] into %ranks[%[[B]], %{{.*}}, %[[H]], %{{.*}}] where %[[VALID]]
// CHECK:         tile.scatter %[[COUNTS]] into %table

// Sixteen rows of the table at a time are read before any is written.
// CHECK-LABEL: tile.kernel @f_indices_columns(
// CHECK:         %[[ALL:.*]] = scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (tensor<32xi32>)
// CHECK:           %[[ROW:.*]] = tile.lookup %table
// CHECK-COUNT-15:  tile.lookup %table
// CHECK:           tile.scatter %[[SUM]] into %table
// CHECK:           %[[NEXT:.*]] = arith.addi %[[SUM]], %[[ROW]]
// CHECK:           tile.scatter %[[NEXT]] into %table
// CHECK:         tile.scatter %[[ALL]] into %totals

// Smaller digits, earlier blocks, the same block. With one pass the digit is the
// chunk, and the pick that opens an item writes it down.
// CHECK-LABEL: tile.kernel @f_indices_place(
// CHECK:         %[[FIRSTS:.*]] = tile.scratch : memref<1024xi32>
// CHECK:         %[[DIGIT:.*]] = arith.andi
// CHECK:         %[[RANK:.*]] = tile.lookup %ranks
// CHECK:         %[[EARLIER:.*]] = tile.lookup %table
// CHECK:         %[[N:.*]] = tile.lookup %totals
// CHECK:         %[[SUM:.*]] = tile.scan sum exclusive %[[N]] along 0
// CHECK:         tile.scatter %[[SUM]] into %[[FIRSTS]]
// CHECK:         %[[START:.*]] = tile.lookup %[[FIRSTS]][
// CHECK:         %[[ORDINAL:.*]] = arith.addi %[[EARLIER]], %[[RANK]]
// CHECK:         %[[PLACE:.*]] = arith.addi %[[START]], %[[ORDINAL]]
// CHECK:         tile.scatter %[[ENTRY:.*]] into %entries[%{{.*}}, %{{.*}}, %{{.*}}, %[[PLACE]]]
// CHECK:         tile.scatter %[[ENTRY]] into %moved
// CHECK:         tile.scatter %{{.*}} into %counts
// CHECK:         %[[ONE:.*]] = arith.cmpi eq, %passes, %c1_i32
// CHECK:         scf.if %[[ONE]]
// CHECK:           arith.divui %[[ORDINAL]]
// CHECK-COUNT-4:   tile.scatter %{{.*}} into %items

// A head is an entry of another chunk than the one before.
// CHECK-LABEL: tile.kernel @f_indices_heads(
// CHECK:         %[[C:.*]] = tile.lookup %indices
// CHECK:         %[[P:.*]] = tile.lookup %indices
// CHECK:         %[[SAME:.*]] = arith.cmpi eq, %[[C]], %[[P]]
// CHECK:         tile.reduce max
// CHECK:         memref.store %{{.*}}, %runs
// CHECK:         tile.reduce min
// CHECK:         memref.store %{{.*}}, %runs

// Every 64th entry from a head on opens an item.
// CHECK-LABEL: tile.kernel @f_indices_opens(
// CHECK:         scf.for
// CHECK:           tile.lookup %runs
// CHECK:           arith.maxsi
// CHECK:         %[[OWN:.*]] = tile.scan max
// CHECK:         %[[FIRST:.*]] = arith.maxsi %[[OWN]]
// CHECK:         %[[DISTANCE:.*]] = arith.subi %{{.*}}, %[[FIRST]]
// CHECK:         arith.remui %[[DISTANCE]]
// CHECK:         tile.reduce sum
// CHECK:         memref.store %{{.*}}, %runs

// A chunk ends at the next head.
// CHECK-LABEL: tile.kernel @f_indices_items(
// CHECK:         tile.scan sum exclusive
// CHECK:         scf.for
// CHECK:           arith.minsi
// CHECK:         tile.scan min exclusive reverse
// CHECK-COUNT-4: tile.scatter %{{.*}} into %items
// CHECK:         tile.scatter %{{.*}} into %counts

// What others import are the results, of all windows. A pass for ten bits of the
// number of chunks; for one pass the last three have no programs. Spans of windows
// share the workspaces.
// CHECK-LABEL: tile.plan @f_plan(
// CHECK-DAG:     %[[MORE:.*]] = arith.divui %[[LAST:.*]], %c1024 :
// CHECK-DAG:     %[[ALL:.*]] = arith.divui %[[LAST]], %c1048576 :
// CHECK:         %[[PASSES:.*]] = arith.addi
// CHECK-COUNT-3: tile.result
// CHECK-COUNT-5: tile.workspace
// CHECK:         tile.plan_for %[[SPAN:.*]] below
// CHECK:           tile.plan_for %[[PASS:.*]] below
// CHECK:             tile.launch @f_indices_rank
// CHECK:             tile.launch @f_indices_columns
// CHECK:             tile.launch @f_indices_place
// CHECK:           tile.launch @f_indices_heads grid(%[[PIECES:.*]], %{{.*}}, %{{.*}}) (
// CHECK-NEXT:      tile.launch @f_indices_opens grid(%[[PIECES]],
// CHECK-NEXT:      tile.launch @f_indices_items grid(%[[PIECES]],
// CHECK-NOT:       tile.launch
// CHECK:         tile.end

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
