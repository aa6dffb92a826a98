// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-sum-heads-first -split-input-file | FileCheck %s

!q = tensor<1x4x8xf32, #hsa.axes<pos, head, dim>>
!l = tensor<?x8xf32, #hsa.axes<chunk, dim>>
!scores = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!sum = tensor<1x?xf32, #hsa.axes<pos, chunk>>

// CHECK-LABEL: @scores
// CHECK-SAME: (%[[Q:.*]]: tensor<1x4x8xf32, #pos_head_dim>, %[[L:.*]]: tensor<?x8xf32, #chunk_dim>, %[[SCALE:.*]]: f32)
// CHECK-DAG: %[[SUM:.*]] = hsa.fold sum %[[Q]] over head : tensor<1x4x8xf32, #pos_head_dim> -> tensor<1x8xf32, #pos_dim>
// CHECK-DAG: %[[DOT:.*]] = hsa.dot %[[SUM]], %[[L]] over dim : {{.*}} -> tensor<1x?xf32, #pos_chunk>
// CHECK-DAG: %[[ONCE:.*]] = hsa.broadcast %[[SCALE]] : f32 to tensor<1x?xf32, #pos_chunk>
// CHECK: %[[SCALED:.*]] = arith.mulf %[[DOT]], %[[ONCE]]
// CHECK: return %[[SCALED]]
func.func @scores(%q: !q, %l: !l, %scale: f32) -> !sum {
  %dot = hsa.dot %q, %l over dim : !q, !l -> !scores
  %scales = hsa.broadcast %scale : f32 to !scores
  %scaled = arith.mulf %dot, %scales : !scores
  %sum = hsa.fold sum %scaled over head : !scores -> !sum
  return %sum : !sum
}

// -----

// What had 16 bits is widened: the sum is not rounded.
// CHECK-LABEL: @narrow
// CHECK-SAME: (%[[L:.*]]: tensor<8x8xbf16, #key_dim>, %[[Q:.*]]: tensor<4x8xbf16, #head_dim>)
// CHECK-DAG: %[[WIDE:.*]] = arith.extf %[[Q]]
// CHECK-DAG: %[[SUM:.*]] = hsa.fold sum %[[WIDE]] over head : tensor<4x8xf32, #head_dim> -> tensor<8xf32, #dim>
// CHECK-DAG: %[[ROWS:.*]] = arith.extf %[[L]]
// CHECK: hsa.dot %[[ROWS]], %[[SUM]] over dim : tensor<8x8xf32, #key_dim>, tensor<8xf32, #dim> -> tensor<8xf32, #key>
func.func @narrow(%l: tensor<8x8xbf16, #hsa.axes<key, dim>>, %q: tensor<4x8xbf16, #hsa.axes<head, dim>>)
    -> tensor<8xf32, #hsa.axes<key>> {
  %dot = hsa.dot %l, %q over dim : tensor<8x8xbf16, #hsa.axes<key, dim>>, tensor<4x8xbf16, #hsa.axes<head, dim>>
      -> tensor<4x8xf32, #hsa.axes<head, key>>
  %sum = hsa.fold sum %dot over head : tensor<4x8xf32, #hsa.axes<head, key>> -> tensor<8xf32, #hsa.axes<key>>
  return %sum : tensor<8xf32, #hsa.axes<key>>
}

// -----

// A constant factor is one of all heads, too.
// CHECK-LABEL: @doubled
// CHECK: %[[TWO:.*]] = arith.constant dense<2.000000e+00> : tensor<8xf32, #key>
// CHECK: %[[SUM:.*]] = hsa.fold sum
// CHECK: arith.mulf %[[SUM]], %[[TWO]] : tensor<8xf32, #key>
func.func @doubled(%x: tensor<4x8xf32, #hsa.axes<head, key>>) -> tensor<8xf32, #hsa.axes<key>> {
  %two = arith.constant dense<2.0> : tensor<4x8xf32, #hsa.axes<head, key>>
  %doubled = arith.mulf %two, %x : tensor<4x8xf32, #hsa.axes<head, key>>
  %sum = hsa.fold sum %doubled over head : tensor<4x8xf32, #hsa.axes<head, key>> -> tensor<8xf32, #hsa.axes<key>>
  return %sum : tensor<8xf32, #hsa.axes<key>>
}

// -----

!q = tensor<4x8xf32, #hsa.axes<head, dim>>
!l = tensor<8x8xf32, #hsa.axes<key, dim>>
!scores = tensor<4x8xf32, #hsa.axes<head, key>>
!sum = tensor<8xf32, #hsa.axes<key>>

// Where a product of each head is needed anyway, where it is a maximum, or
// where each head has a factor of its own, nothing changes.
// CHECK-LABEL: @others
// CHECK: %[[DOT:.*]] = hsa.dot
// CHECK: hsa.fold sum %[[DOT]]
// CHECK: hsa.fold max %[[DOT]]
// CHECK: %[[SCALED:.*]] = arith.mulf
// CHECK: hsa.fold sum %[[SCALED]]
func.func @others(%q: !q, %l: !l, %scale: tensor<4xf32, #hsa.axes<head>>) -> (!sum, !sum, !sum) {
  %dot = hsa.dot %q, %l over dim : !q, !l -> !scores
  %sum = hsa.fold sum %dot over head : !scores -> !sum
  %max = hsa.fold max %dot over head : !scores -> !sum
  %scales = hsa.broadcast %scale : tensor<4xf32, #hsa.axes<head>> to !scores
  %scaled = arith.mulf %dot, %scales : !scores
  %own = hsa.fold sum %scaled over head : !scores -> !sum
  return %sum, %max, %own : !sum, !sum, !sum
}

// -----

// One head is its own sum: no product is saved.
// CHECK-LABEL: @one_head
// CHECK: %[[DOT:.*]] = hsa.dot
// CHECK: hsa.fold sum %[[DOT]]
func.func @one_head(%q: tensor<1x8xf32, #hsa.axes<head, dim>>, %l: tensor<8x8xf32, #hsa.axes<key, dim>>)
    -> tensor<8xf32, #hsa.axes<key>> {
  %dot = hsa.dot %q, %l over dim : tensor<1x8xf32, #hsa.axes<head, dim>>, tensor<8x8xf32, #hsa.axes<key, dim>>
      -> tensor<1x8xf32, #hsa.axes<head, key>>
  %sum = hsa.fold sum %dot over head : tensor<1x8xf32, #hsa.axes<head, key>> -> tensor<8xf32, #hsa.axes<key>>
  return %sum : tensor<8xf32, #hsa.axes<key>>
}
