// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,k,bias,gate,scale,weights" -canonicalize -cse -loop-invariant-code-motion | FileCheck %s
//
// Where gradients of parameters end: visits add to sums of what belongs to
// chunks or slots; what is read outside of them adds once for each query block;
// the query's own is a value.

#query  = #hsa.axes<pos, head, dim>
!query  = !hsa.query<bf16, pos = 1, head = 4, dim = 16>
!keys   = !hsa.chunks<"kv", bf16, key = 8, dim = 16>
!wrows  = tensor<1x4x16xf32, #query>
!rows   = tensor<1x4x16xbf16, #query>
!row    = tensor<1x4xf32, #hsa.axes<pos, head>>
!chunk  = tensor<8x16xbf16, #hsa.axes<key, dim>>
!score  = tensor<1x4x8xf32, #hsa.axes<pos, head, key>>
!bias = !hsa.array<f32, [key = 8], of "kv">
!gate = !hsa.array<f32, [pos = 1, head = 4], batch>
!number = !hsa.array<f32, []>
!weights = !hsa.weights<"picks", f32, heads = query>
!picks = !hsa.indices<"kv", i32, heads = kv>

// CHECK-LABEL: hsa.program @parameters_backward
// CHECK-SAME: -> (tensor<1x4x16xf32, #pos_head_dim>, !hsa.sums<!hsa.chunks<{{.*}}>>, !hsa.sums<!hsa.array<f32, [key = 8], of "kv">>, !hsa.sums<!hsa.array<f32, [pos = 1, head = 4], batch>>, !hsa.sums<!hsa.array<f32, []>>, !hsa.sums<!hsa.weights<"picks", f32, heads = query>>)
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[DO:.*]] = arith.extf %[[DY]]
// CHECK: %[[OUT:.*]] = hsa.load %saved_0
// CHECK: %[[GATE:.*]] = hsa.load %gate
// CHECK: %[[SCALE:.*]] = hsa.load %scale
// CHECK: %[[SCALES:.*]] = hsa.broadcast %[[SCALE]]
// CHECK: %[[DIRECT:.*]] = arith.mulf %[[DO]],
// CHECK: %[[DE:.*]] = hsa.fold sum %{{.*}} over dim
// CHECK: %[[DA:.*]] = arith.mulf %[[DE]], %[[GATE]]
// CHECK: %[[DEOUT:.*]] = arith.mulf %[[DE]], %[[OUT]]
// CHECK: %[[DGATE:.*]] = arith.mulf %[[SCALES]], %[[DEOUT]]
// CHECK: %[[DSCALE:.*]] = arith.mulf %[[DA]], %[[OUT]]
// CHECK: %[[R:.*]]:4 = hsa.reduce (%[[SLOT:.*]], %[[C:.*]]) in
// CHECK: %[[K:.*]] = hsa.chunk %k
// CHECK: %[[W:.*]] = hsa.at %weights[%[[SLOT]]
// CHECK: %[[DW:.*]] = arith.mulf %{{.*}}, %{{.*}} : tensor<4xf32, #head>
// CHECK: %[[DS:.*]] = hsa.mask %{{.*}} in %[[C]]
// CHECK: %[[DBIAS:.*]] = hsa.fold sum %[[DS]] over pos, head : {{.*}} -> tensor<8xf32, #key>
// CHECK: %[[DQ:.*]] = hsa.dot %[[DS]], %[[K]] over key in %[[C]]
// CHECK: %[[DK:.*]] = hsa.dot %[[DS]], %{{.*}} over pos, head : {{.*}} -> tensor<8x16xf32, #key_dim>
// CHECK: hsa.yield %[[DQ]], %[[DW]], %[[DBIAS]], %[[DK]]
// CHECK: %[[BOTH:.*]] = arith.addf %[[DIRECT]], %[[R]]#0
// CHECK: %[[GATES:.*]] = hsa.add %[[DGATE]] into
// CHECK: %[[NUMBER:.*]] = hsa.add %[[DSCALE]] into
// CHECK: hsa.return %[[BOTH]], %[[R]]#3, %[[R]]#2, %[[GATES]], %[[NUMBER]], %[[R]]#1
hsa.program @parameters(%q: !query, %k: !keys, %bias: !bias, %gate: !gate, %scale: !number, %weights: !weights, %picks: !picks) -> !wrows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %g = hsa.load %gate : !gate -> !row
  %n = hsa.load %scale : !number -> f32
  %zero = hsa.identity sum : !row
  %d = hsa.selected %picks : !picks -> !hsa.domain<"kv", "picks">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks"> into (sum %zero : !row) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %b = hsa.chunk %bias[%c : !hsa.chunk_id<"kv">] : !bias -> tensor<8xf32, #hsa.axes<key>>
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    %bs = hsa.broadcast %b : tensor<8xf32, #hsa.axes<key>> to !score
    %t = arith.addf %s, %bs : !score
    %m = hsa.fold sum %t over key in %c : !hsa.chunk_id<"kv"> : !score -> !row
    %w = hsa.at %weights[%slot : !hsa.slot<"picks">] : !weights -> tensor<4xf32, #hsa.axes<head>>
    %ws = hsa.broadcast %w : tensor<4xf32, #hsa.axes<head>> to !row
    %y = arith.mulf %m, %ws : !row
    hsa.yield %y : !row
  }
  %ns = hsa.broadcast %n : f32 to !row
  %a = arith.mulf %o, %ns : !row
  %e = arith.mulf %a, %g : !row
  %wide = arith.extf %x : !rows to !wrows
  %es = hsa.broadcast %e : !row to !wrows
  %r = arith.mulf %wide, %es : !wrows
  hsa.return %r : !wrows
}
