// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major deterministic chunk-rows=16" --canonicalize --cse --loop-invariant-code-motion | FileCheck %s

// A program of the first launch has entries of one chunk: four query blocks of
// four heads are the rows of a tile. The chunk's keys are read before the loop.
// CHECK-LABEL: tile.kernel @f_visits(
// CHECK:         %[[COUNT:.*]] = memref.load %counts
// CHECK:         scf.if
// CHECK:           %[[CHUNK:.*]] = memref.load %items
// CHECK:           %[[K:.*]] = tile.gather %k
// CHECK:           scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c4
// CHECK:             %[[OWN:.*]] = arith.cmpi slt
// CHECK:             %[[ENTRY:.*]] = tile.lookup %entries[{{.*}}] where %[[OWN]]
// CHECK:             %[[LOCAL:.*]] = arith.shrui %[[ENTRY]]
// CHECK:             %[[SLOT:.*]] = arith.andi %[[ENTRY]]
// CHECK:             %[[ROW:.*]] = arith.addi %[[LOCAL]]
// CHECK:             %[[Q:.*]] = tile.gather %q[%[[B:.*]], %[[ROW]], %[[HEAD:.*]]] where %[[OWN]]
// CHECK:             tile.dot %[[Q]], transposed %[[K]]

// A weight of each query block is a vector over rows.
// CHECK:             %[[W:.*]] = tile.lookup %weights[%[[B]], %[[ROW]], %{{.*}}, %[[SLOT]]] where %[[OWN]] : {{.*}} -> tensor<16xf32>
// CHECK:             tile.broadcast %[[W]] along 1
// CHECK:             tile.scatter %{{.*}} into %part0[%{{.*}}, %[[LOCAL]], %[[HEAD]], %[[SLOT]]] where %[[OWN]]

// The second launch is the program with parts in place of visits, in the order
// of the slots.
// CHECK-LABEL: tile.kernel @f_rest(
// CHECK-NOT:     tile.dot
// CHECK:         scf.for %[[S:[a-z0-9]+]] = {{.*}} iter_args(%[[ACC:.*]] = %{{.*}})
// CHECK:           memref.load %indices[%{{.*}}, %{{.*}}, %{{.*}}, %[[S]]]
// CHECK:           scf.if
// CHECK:             %[[PART:.*]] = tile.gather %part0[{{.*}}, %[[S]]]
// CHECK:             %[[WIDE:.*]] = arith.extf %[[PART]]
// CHECK:             arith.addf %[[ACC]], %[[WIDE]]
// CHECK:         tile.scatter %{{.*}} into %result0

// Span by span, window by window, as many sequences as there is room for.
// CHECK-LABEL: tile.plan @f_plan(
// CHECK:         tile.plan_for
// CHECK:           tile.plan_for
// CHECK:             tile.launch @f_indices_rank
// CHECK:             tile.launch @f_indices_place
// CHECK:           tile.launch @f_indices_items
// CHECK:           tile.plan_for
// CHECK:             tile.plan_for
// CHECK:               tile.launch @f_visits
// CHECK:               tile.launch @f_rest

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
