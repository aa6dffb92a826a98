// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Mathematics over named axes; elementwise arithmetic is upstream.

!query = tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>
!scores = tensor<1x16x32xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<32x64xbf16, #hsa.axes<key, dim>>
!out = tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>

// CHECK-LABEL: @broadcast
func.func @broadcast(%scale: f32, %bias: tensor<16xf32, #hsa.axes<head>>) -> (!scores, !scores) {
  // CHECK: hsa.broadcast %{{.*}} : f32 to tensor<1x16x32xf32, #pos_head_key>
  %0 = hsa.broadcast %scale : f32 to !scores
  // CHECK: hsa.broadcast %{{.*}} : tensor<16xf32, #head> to tensor<1x16x32xf32, #pos_head_key>
  %1 = hsa.broadcast %bias : tensor<16xf32, #hsa.axes<head>> to !scores
  return %0, %1 : !scores, !scores
}

// CHECK-LABEL: @dot
func.func @dot(%q: !query, %k: !chunk, %p: !scores, %c: !hsa.chunk_id<"kv">) {
  // CHECK: hsa.dot %{{.*}}, %{{.*}} over dim : tensor<1x16x64xbf16, #pos_head_dim>, tensor<32x64xbf16, #key_dim> -> tensor<1x16x32xf32, #pos_head_key>
  %0 = hsa.dot %q, %k over dim : !query, !chunk -> !scores
  // CHECK: hsa.dot %{{.*}}, %{{.*}} over key in %{{.*}} : !hsa.chunk_id<"kv"> : tensor<1x16x32xf32, #pos_head_key>, tensor<32x64xbf16, #key_dim> -> tensor<1x16x64xf32, #pos_head_dim>
  %1 = hsa.dot %p, %k over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !out
  return
}

// CHECK-LABEL: @softmax
func.func @softmax(%s: !scores, %c: !hsa.chunk_id<"kv">) {
  // CHECK: hsa.softmax %{{.*}} over key in %{{.*}} : !hsa.chunk_id<"kv"> off_by 1.000000e+00 : tensor<1x16x32xf32, #pos_head_key>
  %0 = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 1.0 : !scores
  // CHECK: hsa.softmax %{{.*}} over head off_by 0.000000e+00 : tensor<1x16x32xf32, #pos_head_key>
  %1 = hsa.softmax %s over head off_by 0.0 : !scores
  return
}

// CHECK-LABEL: @fold
func.func @fold(%s: !scores, %x: tensor<16xf32, #hsa.axes<head>>, %c: !hsa.chunk_id<"kv">) {
  // CHECK: hsa.fold max %{{.*}} over key in %{{.*}} : !hsa.chunk_id<"kv"> : tensor<1x16x32xf32, #pos_head_key> -> tensor<1x16xf32, #pos_head>
  %0 = hsa.fold max %s over key in %c : !hsa.chunk_id<"kv">
      : !scores -> tensor<1x16xf32, #hsa.axes<pos, head>>
  // CHECK: hsa.fold sum %{{.*}} over head : tensor<16xf32, #head> -> f32
  %1 = hsa.fold sum %x over head : tensor<16xf32, #hsa.axes<head>> -> f32
  return
}

// Upstream arithmetic takes named tensors as they are.
// CHECK-LABEL: @elementwise
func.func @elementwise(%s: !scores, %zero: !scores) -> !scores {
  // CHECK: arith.cmpf olt, {{.*}} : tensor<1x16x32xf32, #pos_head_key>
  %0 = arith.cmpf olt, %s, %zero : !scores
  // CHECK: math.exp {{.*}} : tensor<1x16x32xf32, #pos_head_key>
  %1 = math.exp %s : !scores
  // CHECK: arith.select {{.*}} : tensor<1x16x32xi1, #pos_head_key>, tensor<1x16x32xf32, #pos_head_key>
  %2 = arith.select %0, %1, %s : tensor<1x16x32xi1, #hsa.axes<pos, head, key>>, !scores
  return %2 : !scores
}
