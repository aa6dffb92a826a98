// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --tile-fold-row-scales --canonicalize --cse | FileCheck %s

// Attention over selected chunks, the whole of it.

// One program for each query block, key/value head and sequence.
// CHECK-LABEL: tile.kernel @hsa(
// CHECK-SAME:    %q: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>> {ramify.name = "q"}
// CHECK-SAME:    %weights: memref<?x?x?x?xf32, strided<[?, ?, ?, 1]>>
// CHECK-SAME:    %scale: f32
// CHECK-SAME:    %result0: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
// CHECK-DAG:     %[[BLOCK:.*]] = tile.program_id x
// CHECK-DAG:     %[[HEAD:.*]] = tile.program_id y
// CHECK-DAG:     %[[BATCH:.*]] = tile.program_id z
// CHECK:         %[[QT:.*]] = tile.gather %q[%[[BATCH]], %[[BLOCK]], %[[HEADS:.*]]] : {{.*}} -> tensor<16x64xbf16>
// CHECK:         %[[C:.*]] = arith.divui {{.*}} : i32
// CHECK:         scf.for %[[SLOT:[a-z0-9]+]] = {{.*}} iter_args(%[[ACC:.*]] = {{.*}})

// An index outside [0, C) is skipped, -1 too.
// CHECK:           %[[I:.*]] = memref.load %indices[%[[BATCH]], %[[BLOCK]], %[[HEAD]], %[[SLOT]]]
// CHECK:           %[[VALID:.*]] = arith.cmpi ult, %[[I]], %[[C]] : i32
// CHECK:           scf.if %[[VALID]]
// CHECK:             %[[KEYS:.*]] = arith.addi {{.*}} overflow<nsw> : tensor<64xi32>
// CHECK:             %[[LIVE:.*]] = arith.cmpi slt, %[[KEYS]]
// CHECK:             %[[PARTIAL:.*]] = arith.cmpi sgt
// CHECK:             %[[KT:.*]] = tile.gather %k[%[[BATCH]], %[[KEYS]], %[[HEAD]]] where %[[LIVE]]
// CHECK:             %[[S:.*]] = tile.dot %[[QT]], transposed %[[KT]]

// The scale and log2(e) are one factor, for the whole tile.
// CHECK:             %[[FACTOR:.*]] = arith.mulf %scale, %{{.*}} : f32
// CHECK:             %[[FACTORS:.*]] = tensor.splat %[[FACTOR]]
// CHECK:             %[[S2:.*]] = arith.mulf %[[S]], %[[FACTORS]]

// Only the last chunk can have keys past the end.
// CHECK:             %[[MASKED:.*]] = scf.if %[[PARTIAL]]
// CHECK:               arith.select
// CHECK:             else
// CHECK-NEXT:          scf.yield %[[S2]]
// CHECK:             %[[M:.*]] = tile.reduce max %[[MASKED]] along 1
// CHECK:             %[[P:.*]] = math.exp2
// CHECK:             %[[L:.*]] = tile.reduce sum %[[P]] along 1
// CHECK:             arith.divf {{.*}}, %[[L]] : tensor<16xf32>

// Weight and 1 / l scale the rows of P, and the product accumulates in place.
// CHECK:             memref.load %weights[%[[BATCH]], %[[BLOCK]], %[[HEAD]], %[[SLOT]]]
// CHECK:             %[[R:.*]] = arith.mulf {{.*}} : tensor<16xf32>
// CHECK:             %[[RB:.*]] = tile.broadcast %[[R]] along 1
// CHECK:             %[[PW:.*]] = arith.mulf %[[P]], %[[RB]]
// CHECK:             %[[PB:.*]] = arith.truncf %[[PW]]
// CHECK:             %[[NEXT:.*]] = tile.dot %[[PB]], %{{.*}}, %[[ACC]]
// CHECK-NEXT:        scf.yield %[[NEXT]]
// CHECK:           else
// CHECK-NEXT:        scf.yield %[[ACC]]
// CHECK:         tile.scatter %{{.*}} into %result0[%[[BATCH]], %[[BLOCK]], %[[HEADS]]]

// CHECK-LABEL: tile.plan @hsa_plan(
// CHECK-SAME:    {ramify.dims = ["B", "L", "HQ", "64"], ramify.name = "q"}
// CHECK-SAME:    {ramify.dims = ["B", "N", "H", "64"], ramify.name = "k"}
// CHECK-SAME:    {ramify.dims = ["B", "rows", "H", "K"], ramify.name = "indices"}
// CHECK-SAME:    f32 {ramify.name = "scale"}
// CHECK:         %[[B:.*]] = memref.dim %q, %c0
// CHECK:         %[[L:.*]] = memref.dim %q, %c1
// CHECK:         %[[HQ:.*]] = memref.dim %q, %c2
// CHECK:         %[[RESULT:.*]] = tile.result shape(%[[B]], %[[L]], %[[HQ]], %c64)
// CHECK:         %[[H:.*]] = arith.divui %[[HQ]], %c16
// CHECK:         tile.launch @hsa grid(%[[L]], %[[H]], %[[B]]) ({{.*}}, %[[RESULT]])

#q = #hsa.axes<pos, head, dim>
#s  = #hsa.axes<pos, head, key>
hsa.program @hsa(
    %q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>,
    %k: !hsa.chunks<"kv", bf16, key = 64, dim = 64>,
    %v: !hsa.chunks<"kv", bf16, key = 64, dim = 64>,
    %weights: !hsa.weights<"indices", f32, heads = kv>,
    %indices: !hsa.indices<"kv", i32, heads = kv>,
    %scale: f32) -> (tensor<1x16x64xf32, #q>) attributes {group = 16} {
  %qt  = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64> -> tensor<1x16x64xbf16, #q>
  %out = hsa.identity sum : tensor<1x16x64xf32, #q>
  %d   = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %o   = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices"> into (sum %out : tensor<1x16x64xf32, #q>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 64, dim = 64> -> tensor<64x64xbf16, #hsa.axes<key, dim>>
    %s0 = hsa.dot %qt, %kc over dim : tensor<1x16x64xbf16, #q>, tensor<64x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x64xf32, #s>
    %b  = hsa.broadcast %scale : f32 to tensor<1x16x64xf32, #s>
    %s  = arith.mulf %s0, %b : tensor<1x16x64xf32, #s>
    %p  = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x16x64xf32, #s>
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 64, dim = 64> -> tensor<64x64xbf16, #hsa.axes<key, dim>>
    %o1 = hsa.dot %p, %vc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x16x64xf32, #s>, tensor<64x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x64xf32, #q>
    %w  = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
    %wb = hsa.broadcast %w : f32 to tensor<1x16x64xf32, #q>
    %o2 = arith.mulf %wb, %o1 : tensor<1x16x64xf32, #q>
    hsa.yield %o2 : tensor<1x16x64xf32, #q>
  }
  hsa.return %o : tensor<1x16x64xf32, #q>
}
