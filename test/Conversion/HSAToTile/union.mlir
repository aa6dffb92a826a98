// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=union chunk-rows=16" --canonicalize --cse --loop-invariant-code-motion | FileCheck %s

// Four query blocks of four heads are a group. A pick in each lane: the slots of
// its own block with its chunk before it are counted, and the first pick of the
// group with as many before it leads.
// CHECK-LABEL: tile.kernel @f_unions(
// CHECK:         %[[BLOCK:.*]] = arith.divui %{{.*}} : tensor<512xi32>
// CHECK:         %[[SLOT:.*]] = arith.remui %{{.*}} : tensor<512xi32>
// CHECK:         %[[GROUP:.*]] = arith.divui %[[BLOCK]]
// CHECK:         %[[OWN:.*]] = arith.remui %[[BLOCK]]
// CHECK:         %[[C:.*]] = tile.lookup %indices
// CHECK:         %[[EARLIER:.*]] = scf.for {{.*}} -> (tensor<512xi32>)
// CHECK:           tile.lookup %indices
// CHECK:         %[[LEADER:.*]] = scf.for %{{.*}} = %c0 to %c4
// CHECK:           scf.for
// CHECK:             %[[HELD:.*]] = tile.lookup %indices
// CHECK:             arith.cmpi eq, %[[HELD]], %[[C]]
// CHECK:             arith.cmpi eq, %{{.*}}, %[[EARLIER]]
// CHECK:         %[[LEADS:.*]] = arith.cmpi eq, %[[LEADER]],
// CHECK:         tile.scatter %{{.*}} into %chunks[%{{.*}}, %[[GROUP]],
// CHECK:         tile.scatter %[[SLOT]] into %slots[%{{.*}}, %[[GROUP]],

// The rows of the four blocks visit the chunks of the leaders. Those that have a
// slot there take part, and the others keep what they have.
// CHECK-LABEL: tile.kernel @f(
// CHECK:         %[[OF:.*]] = arith.divui %{{.*}} : tensor<16xi32>
// CHECK:         %[[QUERY:.*]] = arith.addi %[[OF]]
// CHECK:         %[[INSIDE:.*]] = arith.cmpi slt, %{{.*}} : tensor<16xi32>
// CHECK:         %[[Q:.*]] = tile.gather %q
// CHECK:         %[[VISITS:.*]] = memref.dim %chunks0, %c3
// CHECK:         scf.for %[[N:[a-z0-9]+]] = %c0 to %[[VISITS]] step %c1 iter_args(%[[ACC:[a-z0-9]+]] = %{{.*}})
// CHECK:           %[[CHUNK:.*]] = memref.load %chunks0[%{{.*}}, %{{.*}}, %{{.*}}, %[[N]]]
// CHECK:           %[[IS:.*]] = arith.cmpi sge, %[[CHUNK]], %c0
// CHECK:           scf.if %[[IS]]
// CHECK:             %[[SLOTS:.*]] = tile.lookup %slots0
// CHECK:             %[[SOME:.*]] = arith.cmpi sge, %[[SLOTS]]
// CHECK:             %[[HAS:.*]] = arith.andi %[[SOME]], %[[INSIDE]]
// CHECK:             %[[K:.*]] = tile.gather %k
// CHECK:             tile.dot %[[Q]], transposed %[[K]]
// CHECK:             tile.lookup %weights[%{{.*}}, %{{.*}}, %{{.*}}, %[[SLOTS]]] where %[[HAS]]
// CHECK:             %[[SUM:.*]] = arith.addf %[[ACC]]
// CHECK:             %[[ROWS:.*]] = tile.broadcast %[[HAS]] along 1
// CHECK:             arith.select %[[ROWS]], %[[SUM]], %[[ACC]]
// CHECK:         tile.scatter %{{.*}} into %result0

// CHECK-LABEL: tile.plan @f_plan(
// CHECK:         tile.plan_for
// CHECK:           tile.plan_for
// CHECK:             tile.memset %{{.*}} to 255
// CHECK:             tile.launch @f_unions
// CHECK:             tile.launch @f grid(

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
