// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile='stream-rows=32 stream-chunks=64' --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --hsa-to-tile='stream-rows=32 stream-chunks=64 registers=255' --canonicalize --cse | FileCheck %s --check-prefix=THREADS

// Gradients of what streams were read from: each program adds up its own rows,
// and adds a tile of chunks to memory as it walks over it.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!lm = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!bias = !hsa.array<f32, [chunk = ?, head = 4], of "kv", batch>
!gate = !hsa.array<f32, [head = 4]>
!x = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
!l = tensor<?x16xf32, #hsa.axes<chunk, dim>>
!each = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!shared = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!rows = tensor<1x4xf32, #hsa.axes<pos, head>>
!picks = !hsa.indices<"kv", i32, heads = kv, slots = 3>
!slots = tensor<1x3xi32, #hsa.axes<pos, slot>>
!values = tensor<1x3xf32, #hsa.axes<pos, slot>>

// Heads that do not meet have programs of their own here, too: what they add to
// the same landmarks meets in memory. One walk gives both gradients. Rows behind
// the last query add nothing, and neither do chunks behind the last.
// CHECK-LABEL: tile.kernel @products
// CHECK-SAME:    %result1: memref<?x?x?x16xf32
// CHECK:         %[[INSIDE:.*]] = arith.cmpi slt, %{{.*}} : tensor<32xi32>
// CHECK:         %[[X:.*]] = tile.gather %q[
// CHECK:         %[[DQ:.*]] = scf.for {{.*}} -> (tensor<32x16xf32>)
// CHECK:           %[[LIVE:.*]] = arith.cmpi slt, %[[IDS:.*]], %{{.*}} : tensor<64xi32>
// CHECK:           %[[L:.*]] = tile.gather %lm[%{{.*}}, %[[IDS]], %{{.*}}] where %[[LIVE]]
// CHECK:           %[[DS:.*]] = tile.dot %[[X]], transposed %[[L]]
// CHECK:           tile.dot %{{.*}}, %[[L]], %{{.*}} -> tensor<32x16xf32>
// CHECK:           %[[MINE:.*]] = arith.select %{{.*}}, %[[DS]], %{{.*}} : tensor<32x64xi1>
// CHECK:           %[[TURNED:.*]] = tile.transpose %[[MINE]] : tensor<32x64xf32> -> tensor<64x32xf32>
// CHECK:           %[[DL:.*]] = tile.dot %[[TURNED]], %[[X]]
// CHECK:           tile.reduce_into sum %[[DL]] into %result1[%{{.*}}, %[[IDS]], %{{.*}}] where %[[LIVE]] order free
// CHECK:         tile.scatter %[[DQ]] into %result0
// CHECK-LABEL: tile.plan @products_plan
// CHECK:         tile.result
// CHECK:         %[[SUMS:.*]] = tile.result
// CHECK:         tile.memset %[[SUMS]] to 0
// CHECK:         tile.launch @products grid(%{{.*}}, %[[HQ:.*]], %{{.*}}) (
hsa.program @products(%q: !query, %lm: !lm) -> (!x, !hsa.sums<!lm>) attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !x
  %l = hsa.stream %lm : !lm -> !l
  %ds = hsa.dot %x, %l over dim : !x, !l -> !each
  %dq = hsa.dot %ds, %l over chunk : !each, !l -> !x
  %dl = hsa.dot %ds, %x over pos, head : !each, !x -> !l
  %none = hsa.zeros : !hsa.sums<!lm>
  %sums = hsa.add %dl into %none : !l, !hsa.sums<!lm>
  hsa.return %dq, %sums : !x, !hsa.sums<!lm>
}

// Heads that meet before are taken in one by one, and the landmarks' rows go to
// memory once for all of them.
// CHECK-LABEL: tile.kernel @heads_meet
// CHECK:         scf.for
// CHECK:           %[[S:.*]] = scf.for {{.*}} -> (tensor<32x64xf32>)
// CHECK:           %[[DL:.*]] = scf.for {{.*}} -> (tensor<64x16xf32>)
// CHECK:             %[[X:.*]] = tile.gather %q[
// CHECK:             tile.dot %{{.*}}, %[[X]]
// CHECK:           tile.reduce_into sum %[[DL]] into %result0
hsa.program @heads_meet(%q: !query, %lm: !lm) -> !hsa.sums<!lm> attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !x
  %l = hsa.stream %lm : !lm -> !l
  %s = hsa.dot %x, %l over dim : !x, !l -> !each
  %t = hsa.fold sum %s over head : !each -> !shared
  %ds = hsa.broadcast %t : !shared to !each
  %dl = hsa.dot %ds, %x over pos, head : !each, !x -> !l
  %none = hsa.zeros : !hsa.sums<!lm>
  %sums = hsa.add %dl into %none : !l, !hsa.sums<!lm>
  hsa.return %sums : !hsa.sums<!lm>
}

// A number for each chunk and head, and one for each head behind the walk.
// CHECK-LABEL: tile.kernel @numbers
// CHECK:         %[[Z:.*]] = scf.for {{.*}} -> (tensor<32xf32>)
// CHECK:           %[[SUM:.*]] = tile.reduce sum %{{.*}} along 0 : tensor<32x64xf32> -> tensor<64xf32>
// CHECK:           tile.reduce_into sum %[[SUM]] into %result0[
// CHECK:         tile.reduce sum %{{.*}} along 0 : tensor<32xf32> -> tensor<f32>
// CHECK:         tile.reduce_into sum %{{.*}} into %result1[
// Where threads hold the rows, what is one number for each row meets in memory.
// THREADS-LABEL: tile.kernel @numbers
// THREADS:           %[[SUM:.*]] = tile.reduce sum %{{.*}} along 0 : tensor<32x64xf32> -> tensor<64xf32>
// THREADS:           tile.reduce_into sum %[[SUM]] into %result0[
// THREADS-NOT:     tile.reduce sum %{{.*}} along 0
// THREADS:         tile.reduce_into sum %{{.*}} into %result1[{{.*}} (tensor<32xf32>
hsa.program @numbers(%q: !query, %lm: !lm, %bias: !bias, %gate: !gate) -> (!hsa.sums<!bias>, !hsa.sums<!gate>) attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !x
  %l = hsa.stream %lm : !lm -> !l
  %ds = hsa.dot %x, %l over dim : !x, !l -> !each
  %none = hsa.zeros : !hsa.sums<!bias>
  %db = hsa.add %ds into %none : !each, !hsa.sums<!bias>
  %z = hsa.fold sum %ds over chunk : !each -> !rows
  %nothing = hsa.zeros : !hsa.sums<!gate>
  %dg = hsa.add %z into %nothing : !rows, !hsa.sums<!gate>
  hsa.return %db, %dg : !hsa.sums<!bias>, !hsa.sums<!gate>
}

// Values at slots as a stream: slot by slot, where the tile has its chunk.
// CHECK-LABEL: tile.kernel @put
// CHECK:         %[[SLOTS:.*]] = tile.gather %picks[
// CHECK:         scf.for
// CHECK:           scf.for %[[K:.*]] = %{{.*}} to %c3
// CHECK:             %[[SLOT:.*]] = tile.reduce max %{{.*}} along 1 : tensor<32x8xi32> -> tensor<32xi32>
// CHECK:             %[[ROWS:.*]] = tile.broadcast %[[SLOT]] along 1
// CHECK:             %[[HIT:.*]] = arith.cmpi eq, %[[ROWS]], %{{.*}} : tensor<32x64xi32>
// CHECK:             arith.select %[[HIT]]
hsa.program @put(%q: !query, %lm: !lm, %picks: !picks, %w: !hsa.weights<"picks", f32, heads = kv, slots = 3>)
    -> !hsa.sums<!lm> attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !x
  %p = hsa.load %picks : !picks -> tensor<3xi32, #hsa.axes<slot>>
  %ps = hsa.broadcast %p : tensor<3xi32, #hsa.axes<slot>> to !slots
  %v = hsa.load %w : !hsa.weights<"picks", f32, heads = kv, slots = 3> -> tensor<3xf32, #hsa.axes<slot>>
  %vs = hsa.broadcast %v : tensor<3xf32, #hsa.axes<slot>> to !values
  %t = hsa.put %vs at %ps : !values, !slots -> !shared
  %ds = hsa.broadcast %t : !shared to !each
  %dl = hsa.dot %ds, %x over pos, head : !each, !x -> !l
  %none = hsa.zeros : !hsa.sums<!lm>
  %sums = hsa.add %dl into %none : !l, !hsa.sums<!lm>
  hsa.return %sums : !hsa.sums<!lm>
}

// Long rows of chunks are added up beside those of queries: fewer at a time.
// THREADS-LABEL: tile.kernel @long_rows
// THREADS:         tile.reduce_into {{.*}} : (tensor<16x256xf32>
hsa.program @long_rows(%q: !hsa.query<f32, pos = 1, head = 4, dim = 256>, %lm: !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 256>)
    -> !hsa.sums<!hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 256>> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 256> -> tensor<1x4x256xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.stream %lm : !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 256> -> tensor<?x256xf32, #hsa.axes<chunk, dim>>
  %ds = hsa.dot %x, %l over dim : tensor<1x4x256xf32, #hsa.axes<pos, head, dim>>, tensor<?x256xf32, #hsa.axes<chunk, dim>> -> !each
  %dl = hsa.dot %ds, %x over pos, head : !each, tensor<1x4x256xf32, #hsa.axes<pos, head, dim>> -> tensor<?x256xf32, #hsa.axes<chunk, dim>>
  %none = hsa.zeros : !hsa.sums<!hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 256>>
  %sums = hsa.add %dl into %none : tensor<?x256xf32, #hsa.axes<chunk, dim>>, !hsa.sums<!hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 256>>
  hsa.return %sums : !hsa.sums<!hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 256>>
}
