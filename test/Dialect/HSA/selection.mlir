// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Streams over chunks, picks, and slots as values.

!landmarks = !hsa.landmarks<"kv", bf16, heads = kv, key = 64, dim = 32>
!stream = tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>>
!scores = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!slots = tensor<1x8xi32, #hsa.axes<pos, slot>>
!values = tensor<1x8xf32, #hsa.axes<pos, slot>>

// CHECK-LABEL: @roles(!hsa.landmarks<"kv", bf16, heads = query, key = 64, dim = 128>,
// CHECK-SAME: !hsa.indices<"kv", i64, heads = one, slots = 4>,
// CHECK-SAME: !hsa.weights<"picks", f16, heads = query, slots = 4>)
func.func private @roles(!hsa.landmarks<"kv", bf16, heads = query, key = 64, dim = 128>,
                         !hsa.indices<"kv", i64, heads = one, slots = 4>,
                         !hsa.weights<"picks", f16, heads = query, slots = 4>)

// CHECK-LABEL: @stream
func.func @stream(%lm: !landmarks, %own: !hsa.landmarks<"kv", f32, heads = query, key = 64, dim = 32>,
                  %bias: !hsa.array<f32, [chunk = ?, head = 16], of "kv">) {
  // CHECK: hsa.stream %{{.*}} : !hsa.landmarks<"kv", bf16, heads = kv, key = 64, dim = 32> -> tensor<?x32xbf16, #chunk_dim>
  %0 = hsa.stream %lm : !landmarks -> tensor<?x32xbf16, #hsa.axes<chunk, dim>>
  // CHECK: hsa.stream {{.*}} -> tensor<16x?x32xf32, #head_chunk_dim>
  %1 = hsa.stream %own : !hsa.landmarks<"kv", f32, heads = query, key = 64, dim = 32>
      -> tensor<16x?x32xf32, #hsa.axes<head, chunk, dim>>
  // CHECK: hsa.stream {{.*}} : !hsa.array<f32, [chunk = ?, head = 16], of "kv"> -> tensor<16x?xf32, #head_chunk>
  %2 = hsa.stream %bias : !hsa.array<f32, [chunk = ?, head = 16], of "kv">
      -> tensor<16x?xf32, #hsa.axes<head, chunk>>
  return
}

// CHECK-LABEL: @chunk_info
func.func @chunk_info() {
  // CHECK: hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
  %0 = hsa.chunk_info start in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  // CHECK: hsa.chunk_info end in "kv" : tensor<?xi32, #chunk>
  %1 = hsa.chunk_info end in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  // CHECK: hsa.chunk_info length in "kv" : tensor<?xi32, #chunk>
  %2 = hsa.chunk_info length in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  // CHECK: hsa.chunk_info index in "kv" : tensor<?xi32, #chunk>
  %3 = hsa.chunk_info index in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  return
}

// CHECK-LABEL: @picks
func.func @picks(%s: !scores, %each: !stream, %index: tensor<?xi32, #hsa.axes<chunk>>) {
  // CHECK: %[[SLOTS:.*]] = hsa.topk %{{.*}} k 8 order nearest : tensor<1x?xf32, #pos_chunk> -> tensor<1x8xi32, #pos_slot>
  %0 = hsa.topk %s k 8 order nearest : !scores -> !slots
  // CHECK: hsa.topk %{{.*}} k 128 order score : tensor<1x16x?xf32, #pos_head_chunk> -> tensor<1x16x128xi32, #pos_head_slot>
  %1 = hsa.topk %each k 128 order score : !stream -> tensor<1x16x128xi32, #hsa.axes<pos, head, slot>>
  // CHECK: hsa.topk %{{.*}} k 1 order ascending
  %2 = hsa.topk %s k 1 order ascending : !scores -> tensor<1x1xi32, #hsa.axes<pos, slot>>
  // CHECK: hsa.take %{{.*}} at %[[SLOTS]] : tensor<1x?xf32, #pos_chunk>, tensor<1x8xi32, #pos_slot> -> tensor<1x8xf32, #pos_slot>
  %3 = hsa.take %s at %0 : !scores, !slots -> !values
  // Picks that all heads share, each head's own scores.
  // CHECK: hsa.take {{.*}} -> tensor<1x16x8xf32, #pos_head_slot>
  %4 = hsa.take %each at %0 : !stream, !slots -> tensor<1x16x8xf32, #hsa.axes<pos, head, slot>>
  // CHECK: hsa.take {{.*}} : tensor<?xi32, #chunk>, tensor<1x8xi32, #pos_slot> -> tensor<1x8xi32, #pos_slot>
  %5 = hsa.take %index at %0 : tensor<?xi32, #hsa.axes<chunk>>, !slots -> !slots
  // CHECK: hsa.put %{{.*}} at %[[SLOTS]] : tensor<1x16x8xf32, #pos_head_slot>, tensor<1x8xi32, #pos_slot> -> tensor<1x16x?xf32, #pos_head_chunk>
  %6 = hsa.put %4 at %0 : tensor<1x16x8xf32, #hsa.axes<pos, head, slot>>, !slots -> !stream
  return
}

// CHECK-LABEL: @mathematics
func.func @mathematics(%q: tensor<1x16x32xbf16, #hsa.axes<pos, head, dim>>,
                       %rows: tensor<?x32xbf16, #hsa.axes<chunk, dim>>, %x: !values,
                       %keys: tensor<1x16x64xf32, #hsa.axes<pos, head, key>>, %c: !hsa.chunk_id<"kv">) {
  // CHECK: hsa.dot %{{.*}}, %{{.*}} over dim : tensor<1x16x32xbf16, #pos_head_dim>, tensor<?x32xbf16, #chunk_dim> -> tensor<1x16x?xf32, #pos_head_chunk>
  %0 = hsa.dot %q, %rows over dim : tensor<1x16x32xbf16, #hsa.axes<pos, head, dim>>,
      tensor<?x32xbf16, #hsa.axes<chunk, dim>> -> !stream
  // CHECK: hsa.fold sum %{{.*}} over head : tensor<1x16x?xf32, #pos_head_chunk> -> tensor<1x?xf32, #pos_chunk>
  %1 = hsa.fold sum %0 over head : !stream -> !scores
  // CHECK: hsa.logsumexp %{{.*}} over chunk : tensor<1x16x?xf32, #pos_head_chunk> -> tensor<1x16xf32, #pos_head>
  %2 = hsa.logsumexp %0 over chunk : !stream -> tensor<1x16xf32, #hsa.axes<pos, head>>
  // CHECK: hsa.logsumexp %{{.*}} over key in %{{.*}} : !hsa.chunk_id<"kv"> : tensor<1x16x64xf32, #pos_head_key> -> tensor<1x16xf32, #pos_head>
  %3 = hsa.logsumexp %keys over key in %c : !hsa.chunk_id<"kv">
      : tensor<1x16x64xf32, #hsa.axes<pos, head, key>> -> tensor<1x16xf32, #hsa.axes<pos, head>>
  // CHECK: hsa.dot %{{.*}}, %{{.*}} over chunk : tensor<1x16x?xf32, #pos_head_chunk>, tensor<?x32xbf16, #chunk_dim> -> tensor<1x16x32xf32, #pos_head_dim>
  %12 = hsa.dot %0, %rows over chunk : !stream, tensor<?x32xbf16, #hsa.axes<chunk, dim>>
      -> tensor<1x16x32xf32, #hsa.axes<pos, head, dim>>
  // Another pass over the same stream.
  // CHECK: hsa.broadcast %{{.*}} : tensor<1x16xf32, #pos_head> to tensor<1x16x?xf32, #pos_head_chunk>
  %4 = hsa.broadcast %2 : tensor<1x16xf32, #hsa.axes<pos, head>> to !stream
  // CHECK: arith.subf {{.*}} : tensor<1x16x?xf32, #pos_head_chunk>
  %5 = arith.subf %0, %4 : !stream
  // CHECK: hsa.softmax %{{.*}} over slot off_by 0.000000e+00 : tensor<1x8xf32, #pos_slot>
  %6 = hsa.softmax %x over slot off_by 0.0 : !values
  // CHECK: hsa.fold max %{{.*}} over slot : tensor<1x8xf32, #pos_slot> -> tensor<1xf32, #pos>
  %7 = hsa.fold max %x over slot : !values -> tensor<1xf32, #hsa.axes<pos>>
  // CHECK: hsa.scan sum %{{.*}} over slot : tensor<1x8xf32, #pos_slot>
  %8 = hsa.scan sum %x over slot : !values
  // CHECK: hsa.scan sum exclusive %{{.*}} over slot : tensor<1x8xf32, #pos_slot>
  %9 = hsa.scan sum exclusive %x over slot : !values
  // CHECK: hsa.scan sum exclusive reverse %{{.*}} over slot : tensor<1x8xf32, #pos_slot>
  %10 = hsa.scan sum exclusive reverse %x over slot : !values
  // CHECK: hsa.scan sum reverse %{{.*}} over slot : tensor<1x8xf32, #pos_slot>
  %11 = hsa.scan sum reverse %x over slot : !values
  return
}

// A selection that the program computes, visited with weights that it computes.
// CHECK-LABEL: hsa.program @select_and_attend
hsa.program @select_and_attend(%lm: !landmarks, %w: !hsa.weights<"old", f32, heads = query, slots = 8>,
                               %old: !hsa.indices<"kv", i64, heads = kv, slots = 8>,
                               %q: !hsa.query<f32, pos = 1, head = 2, dim = 32>)
    -> (tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>, !slots, tensor<1x2x8xf32, #hsa.axes<pos, head, slot>>)
    attributes {group = 2 : i64} {
  // CHECK: hsa.load %w : !hsa.weights<"old", f32, heads = query, slots = 8> -> tensor<2x8xf32, #head_slot>
  %weights = hsa.load %w : !hsa.weights<"old", f32, heads = query, slots = 8>
      -> tensor<2x8xf32, #hsa.axes<head, slot>>
  // CHECK: hsa.load %old : !hsa.indices<"kv", i64, heads = kv, slots = 8> -> tensor<8xi32, #slot>
  %picks = hsa.load %old : !hsa.indices<"kv", i64, heads = kv, slots = 8> -> tensor<8xi32, #hsa.axes<slot>>
  %slots = hsa.broadcast %picks : tensor<8xi32, #hsa.axes<slot>> to !slots
  %each = hsa.broadcast %weights : tensor<2x8xf32, #hsa.axes<head, slot>>
      to tensor<1x2x8xf32, #hsa.axes<pos, head, slot>>
  %zero = hsa.identity sum : tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>
  // CHECK: %[[PICKS:.*]] = hsa.selected %{{.*}} in "kv" as "picks" : tensor<1x8xi32, #pos_slot> -> !hsa.domain<"kv", "picks">
  %d = hsa.selected %slots in "kv" as "picks" : !slots -> !hsa.domain<"kv", "picks">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks">
      into (sum %zero : tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>) {
    // CHECK: hsa.chunk %lm[%c : !hsa.chunk_id<"kv">] : !hsa.landmarks<"kv", bf16, heads = kv, key = 64, dim = 32> -> tensor<32xbf16, #dim>
    %row = hsa.chunk %lm[%c : !hsa.chunk_id<"kv">] : !landmarks -> tensor<32xbf16, #hsa.axes<dim>>
    %wide = arith.extf %row : tensor<32xbf16, #hsa.axes<dim>> to tensor<32xf32, #hsa.axes<dim>>
    // CHECK: hsa.at %{{.*}}[%slot : !hsa.slot<"picks">] : tensor<1x2x8xf32, #pos_head_slot> -> tensor<1x2xf32, #pos_head>
    %x = hsa.at %each[%slot : !hsa.slot<"picks">]
        : tensor<1x2x8xf32, #hsa.axes<pos, head, slot>> -> tensor<1x2xf32, #hsa.axes<pos, head>>
    // CHECK: hsa.at %{{.*}}[%slot : !hsa.slot<"picks">] : tensor<8xi32, #slot> -> i32
    %y = hsa.at %picks[%slot : !hsa.slot<"picks">] : tensor<8xi32, #hsa.axes<slot>> -> i32
    %a = hsa.broadcast %x : tensor<1x2xf32, #hsa.axes<pos, head>> to tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>
    %b = hsa.broadcast %wide : tensor<32xf32, #hsa.axes<dim>> to tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>
    %p = arith.mulf %a, %b : tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>
    hsa.yield %p : tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>
  }
  // CHECK: hsa.return %{{.*}} : tensor<1x2x32xf32, #pos_head_dim>, tensor<1x8xi32, #pos_slot>, tensor<1x2x8xf32, #pos_head_slot>
  hsa.return %o, %slots, %each : tensor<1x2x32xf32, #hsa.axes<pos, head, dim>>, !slots,
      tensor<1x2x8xf32, #hsa.axes<pos, head, slot>>
}
