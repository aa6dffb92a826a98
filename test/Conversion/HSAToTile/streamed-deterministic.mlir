// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile='deterministic=true' -split-input-file | FileCheck %s

!lm = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!l = tensor<?x16xf32, #hsa.axes<chunk, dim>>

// All programs of a sequence and key head add to the same chunks: a turn has as
// many as there are copies, each adds to its own, and one launch adds the copies.
// CHECK-LABEL: tile.kernel @shared(
// CHECK-SAME: %[[COPIES:copies_of_[0-9]+]]: memref<?x?x?x?x16xf32
// CHECK: %[[MINE:.*]] = tile.program_id x
// CHECK: arith.addi %{{.*}}, %first_program
// CHECK: tile.reduce_into sum {{.*}} into %[[COPIES]][%[[MINE]], {{.*}} order owner
// CHECK-LABEL: tile.kernel @shared_copies(
// CHECK: %[[BEFORE:.*]] = tile.gather %result[
// CHECK: scf.for %[[N:.*]] = {{.*}} iter_args(%[[SUM:.*]] = %[[BEFORE]])
// CHECK: %[[COPY:.*]] = tile.gather %sums[%[[N]],
// CHECK: arith.addf %[[SUM]], %[[COPY]]
// CHECK: tile.scatter {{.*}} into %result[
// CHECK-LABEL: tile.plan @shared_plan(
// CHECK: %[[ROOM:.*]] = tile.workspace shape(%[[J:[0-9]+]], {{.*}}) zero
// CHECK: %[[TURNS:.*]] = arith.ceildivui %[[ALL:.*]], %[[J]]
// CHECK: tile.plan_for %[[TURN:.*]] below %[[TURNS]] {
// CHECK: %[[BEGIN:.*]] = arith.muli %[[TURN]], %[[J]]
// CHECK: %[[REST:.*]] = arith.subi %[[ALL]], %[[BEGIN]]
// CHECK: %[[X:.*]] = arith.minui %[[J]], %[[REST]]
// CHECK: tile.launch @shared grid(%[[X]],
// CHECK: }
// CHECK: tile.launch @shared_copies grid({{.*}}) (%[[ROOM]], {{.*}})
hsa.program @shared(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %lm: !lm) -> !hsa.sums<!lm> attributes {group = 4 : i64} {
  %l = hsa.stream %lm : !lm -> !l
  %none = hsa.zeros : !hsa.sums<!lm>
  %sums = hsa.add %l into %none : !l, !hsa.sums<!lm>
  hsa.return %sums : !hsa.sums<!lm>
}

// -----

!own = !hsa.array<f32, [pos = 1, head = 4], batch>
!lm = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!rows = tensor<1x4xf32, #hsa.axes<pos, head>>

// A query's own element has one program that adds to it.
// CHECK-LABEL: tile.kernel @own(
// CHECK-NOT: order free
// CHECK: tile.reduce_into sum {{.*}} order owner
// CHECK-NOT: order free
hsa.program @own(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %lm: !lm, %own: !own) -> !hsa.sums<!own> attributes {group = 4 : i64} {
  %i = hsa.chunk_info index in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %f = arith.sitofp %i : tensor<?xi32, #hsa.axes<chunk>> to tensor<?xf32, #hsa.axes<chunk>>
  %s = hsa.broadcast %f : tensor<?xf32, #hsa.axes<chunk>> to tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
  %z = hsa.fold sum %s over chunk : tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>> -> !rows
  %none = hsa.zeros : !hsa.sums<!own>
  %sums = hsa.add %z into %none : !rows, !hsa.sums<!own>
  hsa.return %sums : !hsa.sums<!own>
}

// -----

!own = !hsa.array<f32, [pos = 1], batch>
!lm = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>

// The heads of a query share it, and each key head is a program of its own: all
// along y may meet, none along z.
// CHECK-LABEL: tile.kernel @heads(
// CHECK: arith.divui %{{.*}}, %programs_x
// CHECK: arith.remui %{{.*}}, %programs_x
// CHECK: arith.remui %{{.*}}, %programs_y
// CHECK-NOT: order free
// CHECK: order owner
// CHECK-LABEL: tile.plan @heads_plan(
// CHECK: tile.launch @heads grid(%{{.*}}, %c1{{[^,]*}}, %{{.*}})
hsa.program @heads(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %lm: !lm, %own: !own) -> !hsa.sums<!own> attributes {group = 4 : i64} {
  %i = hsa.chunk_info index in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %f = arith.sitofp %i : tensor<?xi32, #hsa.axes<chunk>> to tensor<?xf32, #hsa.axes<chunk>>
  %s = hsa.broadcast %f : tensor<?xf32, #hsa.axes<chunk>> to tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
  %z = hsa.fold sum %s over chunk : tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>> -> tensor<1x4xf32, #hsa.axes<pos, head>>
  %none = hsa.zeros : !hsa.sums<!own>
  %sums = hsa.add %z into %none : tensor<1x4xf32, #hsa.axes<pos, head>>, !hsa.sums<!own>
  hsa.return %sums : !hsa.sums<!own>
}
