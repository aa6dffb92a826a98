// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file --hsa-split-launches --canonicalize | FileCheck %s
// RUN: ramify-opt %s -split-input-file --hsa-split-launches --canonicalize --hsa-to-tile --canonicalize --cse | FileCheck %s --check-prefix=TILE

!query = !hsa.query<f32, pos = 32, head = 4, dim = 16>
!row = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 64, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!q = tensor<32x4x16xf32, #hsa.axes<pos, head, dim>>
!r = tensor<4x16xf32, #hsa.axes<head, dim>>
!stream = tensor<?x16xf32, #hsa.axes<chunk, dim>>
!each = tensor<4x?xf32, #hsa.axes<head, chunk>>
!scores = tensor<?xf32, #hsa.axes<chunk>>
!places = tensor<?xi32, #hsa.axes<chunk>>
!slots = tensor<8xi32, #hsa.axes<slot>>
!values = tensor<8xf32, #hsa.axes<slot>>

// What the 32 positions share, the selection, is a program of queries that are
// blocks: everything that differs between blocks has pos = 1 there. Attending is
// one of all positions.
// CHECK-LABEL: hsa.program @f_0(
// CHECK-SAME:    %q: !hsa.query<f32, pos = 32, {{.*}}%r: !hsa.query<f32, pos = 1,
// CHECK-SAME:    -> (tensor<1x8xi32, #pos_slot>, tensor<1x8xf32, #pos_slot>)
// CHECK-SAME:    block = 32
// CHECK:         hsa.load %r : {{.*}} -> tensor<1x4x16xf32, #pos_head_dim>
// CHECK:         hsa.dot {{.*}} -> tensor<1x4x?xf32, #pos_head_chunk>
// CHECK:         hsa.query_positions : tensor<1xi32, #pos>
// CHECK:         hsa.topk {{.*}} -> tensor<1x8xi32, #pos_slot>
// CHECK-LABEL: hsa.program @f_1(
// CHECK-NOT:     block
// CHECK:         hsa.at %slots0[{{.*}}] : {{.*}} -> f32
// CHECK-LABEL: hsa.program @f(
// CHECK:         hsa.launch @f_0(%q, %k, %r, %landmarks)

// A block stands where its first position does, and there are ceil(L / 32).
// TILE-LABEL: tile.kernel @f_0
// TILE:         %[[L:.*]] = memref.dim %q
// TILE:         %[[MORE:.*]] = arith.addi %[[L]], %c31
// TILE:         %[[ROWS:.*]] = arith.divui %[[MORE]], %c32
// TILE:         arith.muli {{.*}} : tensor<64xi32>
// TILE:         tile.gather %r[
// TILE-LABEL: tile.plan @f_plan
// TILE-SAME:    {ramify.dims = ["B", "rows", "HQ", "16"], ramify.name = "r"}
hsa.program @f(%q: !query, %k: !keys, %r: !row, %landmarks: !landmarks) -> !q attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  %y = hsa.load %r : !row -> !r
  %l = hsa.stream %landmarks : !landmarks -> !stream
  %d = hsa.dot %y, %l over dim : !r, !stream -> !each
  %s = hsa.fold sum %d over head : !each -> !scores
  %t = hsa.block_position : i32
  %end = hsa.chunk_info end in "kv" : !places
  %here = hsa.broadcast %t : i32 to !places
  %visible = arith.cmpi sle, %end, %here : !places
  %nothing = arith.constant 0xFF800000 : f32
  %none = hsa.broadcast %nothing : f32 to !scores
  %seen = arith.select %visible, %s, %none : tensor<?xi1, #hsa.axes<chunk>>, !scores
  %slots = hsa.topk %seen k 8 order nearest : !scores -> !slots
  %w = hsa.take %seen at %slots : !scores, !slots -> !values
  %init = hsa.identity sum : !q
  %domain = hsa.selected %slots in "kv" as "picks" : !slots -> !hsa.domain<"kv", "picks">
  %o = hsa.reduce (%slot, %c) in %domain : !hsa.domain<"kv", "picks"> into (sum %init : !q) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<64x16xf32, #hsa.axes<key, dim>>
    %p = hsa.dot %x, %kc over dim : !q, tensor<64x16xf32, #hsa.axes<key, dim>> -> tensor<32x4x64xf32, #hsa.axes<pos, head, key>>
    %v = hsa.dot %p, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<32x4x64xf32, #hsa.axes<pos, head, key>>, tensor<64x16xf32, #hsa.axes<key, dim>> -> !q
    %ws = hsa.at %w[%slot : !hsa.slot<"picks">] : !values -> f32
    %we = hsa.broadcast %ws : f32 to !q
    %part = arith.mulf %we, %v : !q
    hsa.yield %part : !q
  }
  hsa.return %o : !q
}

// -----

!query = !hsa.query<f32, pos = 32, head = 4, dim = 16>
!row = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>

// A sum over all blocks is one over pos, of the product itself.
// CHECK-LABEL: hsa.program @sums(
// CHECK-SAME:    block = 32
// CHECK:         hsa.dot {{.*}} over pos, head : {{.*}} -> tensor<?x16xf32, #chunk_dim>
// CHECK-NEXT:    hsa.add
hsa.program @sums(%q: !query, %r: !row, %landmarks: !landmarks) -> !hsa.sums<!landmarks> attributes {group = 4 : i64} {
  %y = hsa.load %r : !row -> tensor<4x16xf32, #hsa.axes<head, dim>>
  %l = hsa.stream %landmarks : !landmarks -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %d = hsa.dot %y, %l over dim : tensor<4x16xf32, #hsa.axes<head, dim>>, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> tensor<4x?xf32, #hsa.axes<head, chunk>>
  %dl = hsa.dot %d, %y over head : tensor<4x?xf32, #hsa.axes<head, chunk>>, tensor<4x16xf32, #hsa.axes<head, dim>> -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %zeros = hsa.zeros : !hsa.sums<!landmarks>
  %sums = hsa.add %dl into %zeros : tensor<?x16xf32, #hsa.axes<chunk, dim>>, !hsa.sums<!landmarks>
  hsa.return %sums : !hsa.sums<!landmarks>
}
