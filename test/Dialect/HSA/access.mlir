// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// What a program reads: its own part of an array, a chunk, a weight, positions.

// CHECK-LABEL: @load
func.func @load(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>,
                %bias: !hsa.array<f32, [head = 16, pos = 1]>, %one: !hsa.array<f16, []>) {
  // CHECK: hsa.load %{{.*}} : !hsa.query<bf16, pos = 1, head = 16, dim = 64> -> tensor<1x16x64xbf16, #pos_head_dim>
  %0 = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64>
      -> tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>
  // CHECK: hsa.load %{{.*}} : !hsa.array<f32, [head = 16, pos = 1]> -> tensor<1x16xf32, #pos_head>
  %1 = hsa.load %bias : !hsa.array<f32, [head = 16, pos = 1]>
      -> tensor<1x16xf32, #hsa.axes<pos, head>>
  // CHECK: hsa.load %{{.*}} : !hsa.array<f16, []> -> f16
  %2 = hsa.load %one : !hsa.array<f16, []> -> f16
  return
}

// CHECK-LABEL: @chunk
func.func @chunk(%c: !hsa.chunk_id<"kv">, %k: !hsa.chunks<"kv", bf16, key = 64, dim = 32>,
                 %bias: !hsa.array<f32, [chunk = ?, head = 16], of "kv">,
                 %size: !hsa.array<f32, [chunk = ?], of "kv">) {
  // CHECK: hsa.chunk %{{.*}}[%{{.*}} : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 64, dim = 32> -> tensor<64x32xbf16, #key_dim>
  %0 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 64, dim = 32>
      -> tensor<64x32xbf16, #hsa.axes<key, dim>>
  // CHECK: hsa.chunk {{.*}} : !hsa.array<f32, [chunk = ?, head = 16], of "kv"> -> tensor<16xf32, #head>
  %1 = hsa.chunk %bias[%c : !hsa.chunk_id<"kv">]
      : !hsa.array<f32, [chunk = ?, head = 16], of "kv"> -> tensor<16xf32, #hsa.axes<head>>
  // CHECK: hsa.chunk {{.*}} : !hsa.array<f32, [chunk = ?], of "kv"> -> f32
  %2 = hsa.chunk %size[%c : !hsa.chunk_id<"kv">] : !hsa.array<f32, [chunk = ?], of "kv"> -> f32
  return
}

// CHECK-LABEL: @at
func.func @at(%slot: !hsa.slot<"picks">, %w: !hsa.weights<"picks", f32, heads = kv>,
              %v: !hsa.weights<"picks", bf16, heads = query>) {
  // CHECK: hsa.at %{{.*}}[%{{.*}} : !hsa.slot<"picks">] : !hsa.weights<"picks", f32, heads = kv> -> f32
  %0 = hsa.at %w[%slot : !hsa.slot<"picks">] : !hsa.weights<"picks", f32, heads = kv> -> f32
  // CHECK: hsa.at {{.*}} : !hsa.weights<"picks", bf16, heads = query> -> tensor<16xbf16, #head>
  %1 = hsa.at %v[%slot : !hsa.slot<"picks">] : !hsa.weights<"picks", bf16, heads = query>
      -> tensor<16xbf16, #hsa.axes<head>>
  return
}

// CHECK-LABEL: @positions
func.func @positions(%c: !hsa.chunk_id<"kv">) {
  // CHECK: hsa.query_positions : tensor<1xi32, #pos>
  %0 = hsa.query_positions : tensor<1xi32, #hsa.axes<pos>>
  // CHECK: hsa.block_position : i32
  %block = hsa.block_position : i32
  // CHECK: hsa.key_positions %{{.*}} : !hsa.chunk_id<"kv"> -> tensor<64xi32, #key>
  %1 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<64xi32, #hsa.axes<key>>
  // CHECK: hsa.chunk_index %{{.*}} : !hsa.chunk_id<"kv">
  %2 = hsa.chunk_index %c : !hsa.chunk_id<"kv">
  // CHECK: hsa.chunk_end %{{.*}} : !hsa.chunk_id<"kv">
  %end = hsa.chunk_end %c : !hsa.chunk_id<"kv">
  return
}
