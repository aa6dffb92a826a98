// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-to-tile -canonicalize -cse -split-input-file | FileCheck %s
//
// Sums over all blocks are arrays that begin with zeros and to which every
// program adds. Keys become rows of a product by a transpose.

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
!query  = !hsa.query<f32, pos = 1, head = 16, dim = 64>
!keys   = !hsa.chunks<"kv", f32, key = 32, dim = 64>
!picks  = !hsa.indices<"kv", i32, heads = kv>
!weight = !hsa.weights<"indices", f32, heads = kv>
!rows   = tensor<1x16x64xf32, #query>
!score  = tensor<1x16x32xf32, #scores>
!chunk  = tensor<32x64xf32, #hsa.axes<key, dim>>

// CHECK-LABEL: tile.kernel @sums(
// CHECK-SAME: %result0: memref<?x?x?x64xf32
// CHECK-SAME: %result1: memref<?x?x?x?xf32
hsa.program @sums(%q: !query, %k: !keys, %weights: !weight, %indices: !picks)
    -> (!hsa.sums<!keys>, !hsa.sums<!weight>) attributes {group = 16 : i64} {
  %x = hsa.load %q : !query -> !rows
  %dk = hsa.zeros : !hsa.sums<!keys>
  %dw = hsa.zeros : !hsa.sums<!weight>
  %picked = hsa.selected %indices : !picks -> !hsa.domain<"kv", "indices">
  // CHECK: scf.for
  // CHECK: scf.if
  %r:2 = hsa.reduce (%slot, %c) in %picked : !hsa.domain<"kv", "indices">
      into (sum %dk : !hsa.sums<!keys>, sum %dw : !hsa.sums<!weight>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    // CHECK: %[[S:.*]] = tile.dot
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    // CHECK: %[[T:.*]] = tile.transpose %[[S]] : tensor<16x32xf32> -> tensor<32x16xf32>
    // CHECK: %[[PART:.*]] = tile.dot %[[T]], {{.*}} : tensor<32x16xf32>, tensor<16x64xf32>, tensor<32x64xf32> -> tensor<32x64xf32>
    // CHECK: tile.reduce_into  sum %[[PART]] into %result0[{{.*}}] where {{.*}} order  free
    %part = hsa.dot %s, %x over pos, head : !score, !rows -> !chunk
    // CHECK: %[[ROWS:.*]] = tile.reduce  sum {{.*}} along 1 : tensor<16x32xf32> -> tensor<16xf32>
    // CHECK: %[[ALL:.*]] = tile.reduce  sum %[[ROWS]] along 0 : tensor<16xf32> -> tensor<f32>
    // CHECK: %[[ONE:.*]] = tensor.extract %[[ALL]][] : tensor<f32>
    %one = hsa.fold sum %s over pos, head, key in %c : !hsa.chunk_id<"kv"> : !score -> f32
    // CHECK: %[[SPLAT:.*]] = tensor.splat %[[ONE]]
    // CHECK: tile.reduce_into  sum %[[SPLAT]] into %result1[{{.*}}] where {{.*}} order  free
    hsa.yield %part, %one : !chunk, f32
  }
  // CHECK: tile.plan
  // CHECK: %[[DK:.*]] = tile.result
  // CHECK: tile.memset %[[DK]] to 0
  // CHECK: %[[DW:.*]] = tile.result
  // CHECK: tile.memset %[[DW]] to 0
  // CHECK: tile.launch @sums
  hsa.return %r#0, %r#1 : !hsa.sums<!keys>, !hsa.sums<!weight>
}

// -----

// Of 16-bit parameters the sums are a workspace, which a last launch rounds.

!query  = !hsa.query<bf16, pos = 1, head = 16, dim = 64>
!bias   = !hsa.array<bf16, [head = 16, dim = 64]>
!rows   = tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>

// CHECK-LABEL: tile.kernel @rounded(
hsa.program @rounded(%q: !query, %b: !bias) -> !hsa.sums<!bias> attributes {group = 16 : i64} {
  %x = hsa.load %q : !query -> tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>
  %wide = arith.extf %x : tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>> to !rows
  %zero = hsa.zeros : !hsa.sums<!bias>
  // CHECK: tile.reduce_into  sum {{.*}} into %result0[%{{.*}}] order  free
  %sums = hsa.add %wide into %zero : !rows, !hsa.sums<!bias>
  // CHECK: tile.kernel @rounded_round0(
  // CHECK: tile.gather %sums
  // CHECK: arith.truncf
  // CHECK: tile.scatter {{.*}} into %result
  // CHECK: tile.plan
  // CHECK: %[[RESULT:.*]] = tile.result {{.*}} : memref<?x64xbf16
  // CHECK: %[[SUMS:.*]] = tile.workspace {{.*}} zero : memref<?x64xf32
  // CHECK: tile.launch @rounded
  // CHECK: tile.launch @rounded_round0 {{.*}}(%[[SUMS]], %[[RESULT]])
  hsa.return %sums : !hsa.sums<!bias>
}

// -----

// Rows of four heads are padded to sixteen. Keys are summed in the program, before
// a sum over positions that is left to memory.

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
!query  = !hsa.query<f32, pos = 1, head = 4, dim = 64>
!keys   = !hsa.chunks<"kv", f32, key = 32, dim = 64>
!picks  = !hsa.indices<"kv", i32, heads = kv>
!weight = !hsa.weights<"indices", f32, heads = query>
!score  = tensor<1x4x32xf32, #scores>

// CHECK-LABEL: tile.kernel @weights_of_heads(
hsa.program @weights_of_heads(%q: !query, %k: !keys, %weights: !weight, %indices: !picks)
    -> !hsa.sums<!weight> attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> tensor<1x4x64xf32, #query>
  %dw = hsa.zeros : !hsa.sums<!weight>
  %picked = hsa.selected %indices : !picks -> !hsa.domain<"kv", "indices">
  %r = hsa.reduce (%slot, %c) in %picked : !hsa.domain<"kv", "indices">
      into (sum %dw : !hsa.sums<!weight>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<32x64xf32, #hsa.axes<key, dim>>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x64xf32, #query>, tensor<32x64xf32, #hsa.axes<key, dim>> -> !score
    // CHECK: %[[ROWS:.*]] = tile.reduce  sum {{.*}} along 1 : tensor<16x32xf32> -> tensor<16xf32>
    %rows = hsa.fold sum %s over key in %c : !hsa.chunk_id<"kv"> : !score -> tensor<1x4xf32, #hsa.axes<pos, head>>
    %heads = hsa.fold sum %rows over pos : tensor<1x4xf32, #hsa.axes<pos, head>> -> tensor<4xf32, #hsa.axes<head>>
    // CHECK: tile.reduce_into  sum %[[ROWS]] into %result0[{{.*}}] where {{.*}} order  free
    hsa.yield %heads : tensor<4xf32, #hsa.axes<head>>
  }
  hsa.return %r : !hsa.sums<!weight>
}

// -----

// A landmark is read, and added to, by one row of memory for the whole tile.

#query     = #hsa.axes<pos, head, dim>
#row       = #hsa.axes<dim>
!query     = !hsa.query<f32, pos = 1, head = 16, dim = 64>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 32, dim = 64>
!picks     = !hsa.indices<"kv", i32, heads = kv>

// CHECK-LABEL: tile.kernel @landmarks(
// CHECK-SAME: %result0: memref<?x?x?x64xf32
hsa.program @landmarks(%r: !query, %landmarks: !landmarks, %indices: !picks)
    -> !hsa.sums<!landmarks> attributes {group = 16 : i64} {
  %x = hsa.load %r : !query -> tensor<1x16x64xf32, #query>
  %zeros = hsa.zeros : !hsa.sums<!landmarks>
  %picked = hsa.selected %indices : !picks -> !hsa.domain<"kv", "indices">
  %d = hsa.reduce (%slot, %c) in %picked : !hsa.domain<"kv", "indices">
      into (sum %zeros : !hsa.sums<!landmarks>) {
    // CHECK: tile.lookup %landmarks[{{.*}}] : {{.*}} -> tensor<64xf32>
    %l = hsa.chunk %landmarks[%c : !hsa.chunk_id<"kv">] : !landmarks -> tensor<64xf32, #row>
    %s = hsa.dot %x, %l over dim
        : tensor<1x16x64xf32, #query>, tensor<64xf32, #row> -> tensor<1x16xf32, #hsa.axes<pos, head>>
    // CHECK: %[[ROW:.*]] = tile.reduce  sum {{.*}} along 0 : tensor<16x64xf32> -> tensor<64xf32>
    %part = hsa.dot %s, %x over pos, head
        : tensor<1x16xf32, #hsa.axes<pos, head>>, tensor<1x16x64xf32, #query> -> tensor<64xf32, #row>
    // CHECK: tile.reduce_into  sum %[[ROW]] into %result0[{{.*}}] order  free
    hsa.yield %part : tensor<64xf32, #row>
  }
  hsa.return %d : !hsa.sums<!landmarks>
}
