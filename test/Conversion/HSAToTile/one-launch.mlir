// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --hsa-split-launches --canonicalize --hsa-to-tile=one-launch --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --split-input-file --hsa-split-launches --canonicalize --hsa-to-tile=one-launch --tile-verify-stage=stage=portable -o /dev/null
// RUN: ramify-opt %s --split-input-file --hsa-split-launches --canonicalize --hsa-to-tile="one-launch schedule=union" | FileCheck %s --check-prefix=UNION
// RUN: ramify-opt %s --split-input-file --hsa-split-launches --canonicalize --hsa-to-tile="one-launch max-rows=16" | FileCheck %s --check-prefix=ROWS
// RUN: ramify-opt %s --split-input-file --hsa-split-launches --canonicalize --hsa-to-tile="one-launch rows-multiple=1 cols-multiple=1 stream-rows=32" --canonicalize | FileCheck %s --check-prefix=CPU

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 64, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
!each = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!scores = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!slots = tensor<1x6xi32, #hsa.axes<pos, slot>>

// Both steps are one kernel. The first row of a tile over the stream is a query
// block, and there is a program for each. Slots are written, the program's
// threads meet, and slots are read.
// CHECK-LABEL: tile.kernel @f(
// CHECK-SAME:    %[[PICKS:picks]]: memref<?x?x?x6xi32, strided<[?, ?, ?, 1]>> {ramify.name = "picks", tile.alignment = 8 : i64}
// CHECK-DAG:     %[[ONE:.*]] = arith.constant dense<1> : tensor<16xi32>
// CHECK:         %[[X:.*]] = tile.program_id x
// CHECK:         %[[N:.*]] = tile.iota : tensor<16xi32>
// CHECK:         %[[FIRST:.*]] = arith.cmpi slt, %[[N]], %[[ONE]]
// CHECK:         tile.topk
// CHECK:         tile.scatter %{{.*}} into %[[PICKS]]
// CHECK-NEXT:    tile.barrier
// CHECK:         scf.for
// CHECK:           memref.load %[[PICKS]][%{{.*}}, %[[X]], %{{.*}}, %{{.*}}]
// CHECK:         tile.scatter %{{.*}} into %result0
// CHECK-NOT:   tile.kernel
// CHECK-LABEL: tile.plan @f_plan
// CHECK-SAME:    attributes {tile.launches = "one", tile.steps = "f_0\09streamed\091 query walks over the chunks once, 64 at a time\0Af_1\09query_major\09chunks of 64 keys one by one"}
// CHECK-DAG:     %[[L:.*]] = memref.dim %q, %c1
// CHECK-DAG:     %[[OUT:.*]] = tile.result {{.*}} : memref<?x?x?x16xf32
// CHECK-DAG:     %[[W:.*]] = tile.workspace {{.*}} : memref<?x?x?x6xi32
// CHECK:         tile.launch @f grid(%[[L]], %{{.*}}, %{{.*}}) (%q, %k, %landmarks, %q_start, %[[W]], %[[OUT]])
// CHECK-NOT:     tile.launch
// CHECK:         tile.end

// A step by another schedule has another grid.
// UNION: tile.plan @f_plan
// UNION-SAME: tile.launches = "several\09f_1 goes by union"
// UNION: tile.launch @f_0 {{.*}}
// UNION: tile.launch @f_1 {{.*}}

// On the CPU a tile has one row.
// CPU-LABEL: tile.kernel @f(
// CPU:         tile.dot {{.*}} -> tensor<1x64xf32>
// CPU:         tile.barrier
// CPU:         tile.dot {{.*}} -> tensor<4x64xf32>

// ROWS: tile.launches = "one"
hsa.program @f(%q: !query, %k: !keys, %landmarks: !landmarks) -> !q attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %landmarks : !landmarks -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %d = hsa.dot %x, %l over dim : !q, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> !each
  %s = hsa.fold sum %d over head : !each -> !scores
  %end = hsa.chunk_info end in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %ends = hsa.broadcast %end : tensor<?xi32, #hsa.axes<chunk>> to tensor<1x?xi32, #hsa.axes<pos, chunk>>
  %t = hsa.query_positions : tensor<1xi32, #hsa.axes<pos>>
  %ts = hsa.broadcast %t : tensor<1xi32, #hsa.axes<pos>> to tensor<1x?xi32, #hsa.axes<pos, chunk>>
  %visible = arith.cmpi sle, %ends, %ts : tensor<1x?xi32, #hsa.axes<pos, chunk>>
  %inf = arith.constant 0xFF800000 : f32
  %never = hsa.broadcast %inf : f32 to !scores
  %m = arith.select %visible, %s, %never : tensor<1x?xi1, #hsa.axes<pos, chunk>>, !scores
  %slots = hsa.topk %m k 6 order nearest : !scores -> !slots
  %zero = hsa.identity sum : !q
  %domain = hsa.selected %slots in "kv" as "picks" : !slots -> !hsa.domain<"kv", "picks">
  %o = hsa.reduce (%slot, %c) in %domain : !hsa.domain<"kv", "picks"> into (sum %zero : !q) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<64x16xf32, #hsa.axes<key, dim>>
    %e = hsa.dot %x, %kc over dim : !q, tensor<64x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x64xf32, #hsa.axes<pos, head, key>>
    %p = hsa.softmax %e over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x4x64xf32, #hsa.axes<pos, head, key>>
    %v = hsa.dot %p, %kc over key in %c : !hsa.chunk_id<"kv">
        : tensor<1x4x64xf32, #hsa.axes<pos, head, key>>, tensor<64x16xf32, #hsa.axes<key, dim>> -> !q
    hsa.yield %v : !q
  }
  hsa.return %o : !q
}

// -----

!query = !hsa.query<f32, pos = 1, head = 20, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 64, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!q = tensor<1x20x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!slots = tensor<1x8xi32, #hsa.axes<pos, slot>>

// Warps share the rows of all tiles: those over the stream are as many as those
// of the visits. Rows that are cut over programs would each need the slots.
// CHECK-LABEL: tile.kernel @wide(
// CHECK:         tile.dot {{.*}} -> tensor<32x64xf32>
// CHECK:         tile.barrier
// CHECK:         tile.dot {{.*}} -> tensor<32x64xf32>
// ROWS: tile.plan @wide_plan
// ROWS-SAME: tile.launches = "several\09the 20 heads of a query block are the rows of 2 programs"
// UNION: tile.plan @wide_plan
// CPU-LABEL: tile.kernel @wide(
hsa.program @wide(%q: !query, %k: !keys, %landmarks: !landmarks) -> !q attributes {group = 20 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %landmarks : !landmarks -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %d = hsa.dot %x, %l over dim : !q, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> tensor<1x20x?xf32, #hsa.axes<pos, head, chunk>>
  %s = hsa.fold sum %d over head : tensor<1x20x?xf32, #hsa.axes<pos, head, chunk>> -> !scores
  %slots = hsa.topk %s k 8 order nearest : !scores -> !slots
  %zero = hsa.identity sum : !q
  %domain = hsa.selected %slots in "kv" as "picks" : !slots -> !hsa.domain<"kv", "picks">
  %o = hsa.reduce (%slot, %c) in %domain : !hsa.domain<"kv", "picks"> into (sum %zero : !q) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<64x16xf32, #hsa.axes<key, dim>>
    %e = hsa.dot %x, %kc over dim : !q, tensor<64x16xf32, #hsa.axes<key, dim>> -> tensor<1x20x64xf32, #hsa.axes<pos, head, key>>
    %p = hsa.softmax %e over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x20x64xf32, #hsa.axes<pos, head, key>>
    %v = hsa.dot %p, %kc over key in %c : !hsa.chunk_id<"kv">
        : tensor<1x20x64xf32, #hsa.axes<pos, head, key>>, tensor<64x16xf32, #hsa.axes<key, dim>> -> !q
    hsa.yield %v : !q
  }
  hsa.return %o : !q
}
