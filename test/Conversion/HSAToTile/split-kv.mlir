// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=split_kv" --canonicalize --cse --loop-invariant-code-motion | FileCheck %s

// Slices of a query block are neighbours in the grid. Each has its share of the
// slots, and of the chunks of a range; what a slice does not need is not there.
// CHECK-LABEL: tile.kernel @f_slices(
// CHECK-SAME:    %[[PART0:part0]]: memref<?x?x?x?x16xf32
// CHECK-DAG:     %[[COUNT:.*]] = memref.dim %[[PART0]], %c3
// CHECK:         %[[X:.*]] = tile.program_id x
// CHECK:         %[[SLICE:.*]] = arith.remui %[[X]], %[[COUNT]]
// CHECK:         %[[BLOCK:.*]] = arith.divui %[[X]], %[[COUNT]]
// CHECK-NOT:     tile.lookup %more
// CHECK:         %[[SLOTS:.*]] = memref.dim %indices, %c3
// CHECK:         %[[VISITS:.*]] = arith.maxsi %[[SLOTS]], %c0
// CHECK:         %[[LESS:.*]] = arith.subi %[[COUNT]], %c1
// CHECK:         %[[MOST:.*]] = arith.addi %[[VISITS]], %[[LESS]]
// CHECK:         %[[SHARE:.*]] = arith.divui %[[MOST]], %[[COUNT]]
// CHECK:         %[[FIRST:.*]] = arith.muli %[[SLICE]], %[[SHARE]]
// CHECK:         %[[BEHIND:.*]] = arith.addi %[[FIRST]], %[[SHARE]]
// CHECK:         %[[END:.*]] = arith.minsi %[[BEHIND]], %[[SLOTS]]
// CHECK:         %[[SUM:.*]] = scf.for %[[SLOT:[a-z0-9]+]] = %[[FIRST]] to %[[END]]
// CHECK:           memref.load %indices[%{{.*}}, %{{.*}}, %{{.*}}, %[[SLOT]]]
// CHECK:         tile.scatter %[[SUM]] into %part0[%{{.*}}, %{{.*}}, %{{.*}}, %[[SLICE]]]
// CHECK:         %[[STATE:.*]]:3 = scf.for
// CHECK:           tile.gather %k
// CHECK:         tile.scatter %[[STATE]]#0 into %part1[
// CHECK:         tile.scatter %[[STATE]]#1 into %part2[
// CHECK:         tile.scatter %[[STATE]]#2 into %part3[

// The second launch is the program with slices in place of visits, in order.
// CHECK-LABEL: tile.kernel @f_rest(
// CHECK-NOT:     tile.dot
// CHECK:         scf.for %[[S:[a-z0-9]+]] = %c0 to %{{.*}} step %c1 iter_args(%[[ACC:.*]] = %{{.*}})
// CHECK:           %[[PART:.*]] = tile.gather %part0[{{.*}}, %[[S]]]
// CHECK:           arith.addf %[[ACC]], %[[PART]]
// CHECK:         scf.for
// CHECK:           tile.lookup %part1
// CHECK:           tile.lookup %part2
// CHECK:           tile.gather %part3
// CHECK:         tile.lookup %more
// CHECK:         tile.scatter %{{.*}} into %result0

// As many slices as give each SM some programs, no more than there are visits:
// the slots, or the five chunks that a window of 64 keys meets.
// CHECK-LABEL: tile.plan @f_plan(
// CHECK:         %[[K:.*]] = memref.dim %indices, %c3
// CHECK:         %[[CHUNKS:.*]] = arith.minui %{{.*}}, %c5
// CHECK:         %[[MOST:.*]] = arith.maxui %[[K]], %[[CHUNKS]]
// CHECK:         tile.sms
// CHECK:         %[[ROOM:.*]] = arith.divui
// CHECK:         %[[LIMITED:.*]] = arith.minui %[[ROOM]], %[[MOST]]
// CHECK:         %[[SLICES:.*]] = arith.maxui %[[LIMITED]], %c1
// CHECK:         tile.workspace shape(%{{.*}}, %{{.*}}, %{{.*}}, %[[SLICES]], %c16)
// CHECK:         tile.plan_for
// CHECK:           tile.plan_for
// CHECK:             %[[PROGRAMS:.*]] = arith.muli %[[X:.*]], %[[SLICES]]
// CHECK:             tile.launch @f_slices grid(%[[PROGRAMS]],
// CHECK:             tile.launch @f_rest grid(%[[X]],

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query = !hsa.query<bf16, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", bf16, key = 16, dim = 16>
!more = !hsa.array<f32, [head = 4]>
!picks = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x4x16xf32, #query>
!state = !hsa.softmax_state<!rows>

hsa.program @f(%q: !query, %k: !keys, %indices: !picks, %more: !more) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> tensor<1x4x16xbf16, #query>
  %zero = hsa.identity sum : !rows
  %picked = hsa.selected %indices : !picks -> !hsa.domain<"kv", "indices">
  %sum = hsa.reduce (%slot, %c) in %picked : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xbf16, #chunk>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x16xbf16, #query>, tensor<16x16xbf16, #chunk> -> tensor<1x4x16xf32, #scores>
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x4x16xf32, #scores>, tensor<16x16xbf16, #chunk> -> !rows
    hsa.yield %o : !rows
  }
  %w = arith.constant 64 : i32
  %window = hsa.window %k last %w : !keys -> !hsa.domain<"kv">
  %empty = hsa.online_softmax : !state
  %state = hsa.reduce (%c) in %window : !hsa.domain<"kv"> into (softmax %empty : !state) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xbf16, #chunk>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x16xbf16, #query>, tensor<16x16xbf16, #chunk> -> tensor<1x4x16xf32, #scores>
    hsa.yield %s, %kc : tensor<1x4x16xf32, #scores>, tensor<16x16xbf16, #chunk>
  }
  %value = hsa.value %state : !state -> !rows
  %m = hsa.load %more : !more -> tensor<4xf32, #hsa.axes<head>>
  %ms = hsa.broadcast %m : tensor<4xf32, #hsa.axes<head>> to !rows
  %both = arith.addf %sum, %value : !rows
  %out = arith.mulf %both, %ms : !rows
  hsa.return %out : !rows
}
