// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// What gradients are written with: sums over all query blocks, masks, products
// and folds over several axes.

!query = tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>
!scores = tensor<1x16x32xf32, #hsa.axes<pos, head, key>>
!rows = tensor<1x16xf32, #hsa.axes<pos, head>>
!part = tensor<32x64xf32, #hsa.axes<key, dim>>
!keys = !hsa.chunks<"kv", bf16, key = 32, dim = 64>
!weights = !hsa.weights<"indices", f32, heads = kv>
!perhead = !hsa.weights<"indices", f32, heads = query>
!bias = !hsa.array<f32, [chunk = ?, head = 16], of "kv">

// CHECK-LABEL: @several_axes
func.func @several_axes(%p: !scores, %do: !query, %c: !hsa.chunk_id<"kv">) {
  // CHECK: hsa.dot %{{.*}}, %{{.*}} over pos, head : tensor<1x16x32xf32, #pos_head_key>, tensor<1x16x64xbf16, #pos_head_dim> -> tensor<32x64xf32, #key_dim>
  %0 = hsa.dot %p, %do over pos, head : !scores, !query -> !part
  // CHECK: hsa.dot %{{.*}}, %{{.*}} over pos, head, key in %{{.*}} : !hsa.chunk_id<"kv"> : tensor<1x16x32xf32, #pos_head_key>, tensor<1x16x32xf32, #pos_head_key> -> f32
  %1 = hsa.dot %p, %p over pos, head, key in %c : !hsa.chunk_id<"kv"> : !scores, !scores -> f32
  // CHECK: hsa.fold sum %{{.*}} over pos, head : tensor<1x16x32xf32, #pos_head_key> -> tensor<32xf32, #key>
  %2 = hsa.fold sum %p over pos, head : !scores -> tensor<32xf32, #hsa.axes<key>>
  return
}

// CHECK-LABEL: @masks
func.func @masks(%p: !scores, %c: !hsa.chunk_id<"kv">) -> (!scores, !scores) {
  // CHECK: hsa.mask %{{.*}} in %{{.*}} : !hsa.chunk_id<"kv"> : tensor<1x16x32xf32, #pos_head_key>
  %0 = hsa.mask %p in %c : !hsa.chunk_id<"kv"> : !scores
  // CHECK: hsa.detach %{{.*}} : tensor<1x16x32xf32, #pos_head_key>
  %1 = hsa.detach %p : !scores
  return %0, %1 : !scores, !scores
}

// CHECK-LABEL: hsa.program @sums
// CHECK-SAME: -> (!hsa.sums<!hsa.chunks<"kv", bf16, key = 32, dim = 64>>, !hsa.sums<!hsa.weights<"indices", f32, heads = kv>>,
hsa.program @sums(%k: !keys, %indices: !hsa.indices<"kv", i32, heads = kv>, %w: !weights, %v: !perhead, %b: !bias,
                  %gate: !hsa.array<f32, [head = 16]>)
    -> (!hsa.sums<!keys>, !hsa.sums<!weights>, !hsa.sums<!perhead>, !hsa.sums<!bias>,
        !hsa.sums<!hsa.array<f32, [head = 16]>>)
    attributes {group = 16 : i64} {
  %part = arith.constant dense<1.0> : !part
  %one = arith.constant 1.0 : f32
  %heads = arith.constant dense<1.0> : tensor<16xf32, #hsa.axes<head>>
  %rows = arith.constant dense<1.0> : !rows
  // CHECK: %[[K:.*]] = hsa.zeros : !hsa.sums<!hsa.chunks<"kv", bf16, key = 32, dim = 64>>
  %dk = hsa.zeros : !hsa.sums<!keys>
  %dw = hsa.zeros : !hsa.sums<!weights>
  %dv = hsa.zeros : !hsa.sums<!perhead>
  %db = hsa.zeros : !hsa.sums<!bias>
  %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  // CHECK: hsa.reduce (%{{.*}}, %{{.*}}) in %{{.*}} into (sum %[[K]] : !hsa.sums<!hsa.chunks<"kv", bf16, key = 32, dim = 64>>, sum
  %r:4 = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices">
      into (sum %dk : !hsa.sums<!keys>, sum %dw : !hsa.sums<!weights>, sum %dv : !hsa.sums<!perhead>,
            sum %db : !hsa.sums<!bias>) {
    // CHECK: hsa.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<32x64xf32, #key_dim>, f32, tensor<16xf32, #head>, tensor<16xf32, #head>
    hsa.yield %part, %one, %heads, %heads
        : !part, f32, tensor<16xf32, #hsa.axes<head>>, tensor<16xf32, #hsa.axes<head>>
  }
  %none = hsa.zeros : !hsa.sums<!hsa.array<f32, [head = 16]>>
  // CHECK: hsa.add %{{.*}} into %{{.*}} : tensor<1x16xf32, #pos_head>, !hsa.sums<!hsa.array<f32, [head = 16]>>
  %dg = hsa.add %rows into %none : !rows, !hsa.sums<!hsa.array<f32, [head = 16]>>
  hsa.return %r#0, %r#1, %r#2, %r#3, %dg
      : !hsa.sums<!keys>, !hsa.sums<!weights>, !hsa.sums<!perhead>, !hsa.sums<!bias>,
        !hsa.sums<!hsa.array<f32, [head = 16]>>
}

// An accumulator may be a scalar.
// CHECK-LABEL: hsa.program @scalar
hsa.program @scalar(%k: !keys, %x: !hsa.array<f32, []>) -> !hsa.sums<!hsa.array<f32, []>> attributes {group = 1 : i64} {
  // CHECK: hsa.identity sum : f32
  %zero = hsa.identity sum : f32
  %one = arith.constant 1.0 : f32
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  // CHECK: into (sum %{{.*}} : f32)
  %r = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : f32) {
    hsa.yield %one : f32
  }
  %none = hsa.zeros : !hsa.sums<!hsa.array<f32, []>>
  // CHECK: hsa.add %{{.*}} into %{{.*}} : f32, !hsa.sums<!hsa.array<f32, []>>
  %dx = hsa.add %r into %none : f32, !hsa.sums<!hsa.array<f32, []>>
  hsa.return %dx : !hsa.sums<!hsa.array<f32, []>>
}

// CHECK-LABEL: @sums_of_streams
func.func @sums_of_streams(%dl: tensor<?x64xf32, #hsa.axes<chunk, dim>>, %ds: tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>>,
                           %lm: !hsa.sums<!hsa.landmarks<"kv", bf16, heads = kv, key = 32, dim = 64>>, %b: !hsa.sums<!bias>) {
  // CHECK: hsa.add %{{.*}} into %{{.*}} : tensor<?x64xf32, #chunk_dim>, !hsa.sums<!hsa.landmarks<"kv", bf16, heads = kv, key = 32, dim = 64>>
  %0 = hsa.add %dl into %lm : tensor<?x64xf32, #hsa.axes<chunk, dim>>, !hsa.sums<!hsa.landmarks<"kv", bf16, heads = kv, key = 32, dim = 64>>
  // CHECK: hsa.add %{{.*}} into %{{.*}} : tensor<1x16x?xf32, #pos_head_chunk>, !hsa.sums<!hsa.array<f32, [chunk = ?, head = 16], of "kv">>
  %1 = hsa.add %ds into %b : tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>>, !hsa.sums<!bias>
  return
}
