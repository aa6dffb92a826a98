// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -canonicalize -split-input-file | FileCheck %s

!rows = tensor<2x4xf32, #hsa.axes<pos, head>>

// CHECK-LABEL: @broadcast_to_the_same
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @broadcast_to_the_same(%x: !rows) -> !rows {
  %0 = hsa.broadcast %x : !rows to !rows
  return %0 : !rows
}

// -----

// CHECK-LABEL: @broadcast_of_constant
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<2.000000e+00> : tensor<2x4xf32, #pos_head>
// CHECK-NEXT: return %[[C]]
func.func @broadcast_of_constant() -> tensor<2x4xf32, #hsa.axes<pos, head>> {
  %two = arith.constant 2.0 : f32
  %0 = hsa.broadcast %two : f32 to tensor<2x4xf32, #hsa.axes<pos, head>>
  return %0 : tensor<2x4xf32, #hsa.axes<pos, head>>
}

// -----

// CHECK-LABEL: @broadcast_of_splat
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<3> : tensor<2x4xi32, #pos_head>
// CHECK-NEXT: return %[[C]]
func.func @broadcast_of_splat() -> tensor<2x4xi32, #hsa.axes<pos, head>> {
  %three = arith.constant dense<3> : tensor<4xi32, #hsa.axes<head>>
  %0 = hsa.broadcast %three : tensor<4xi32, #hsa.axes<head>> to tensor<2x4xi32, #hsa.axes<pos, head>>
  return %0 : tensor<2x4xi32, #hsa.axes<pos, head>>
}

// -----

// CHECK-LABEL: @broadcast_of_broadcast
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK-NEXT: %[[B:.*]] = hsa.broadcast %[[X]] : f32 to tensor<2x4xf32, #pos_head>
// CHECK-NEXT: return %[[B]]
func.func @broadcast_of_broadcast(%x: f32) -> tensor<2x4xf32, #hsa.axes<pos, head>> {
  %0 = hsa.broadcast %x : f32 to tensor<4xf32, #hsa.axes<head>>
  %1 = hsa.broadcast %0 : tensor<4xf32, #hsa.axes<head>> to tensor<2x4xf32, #hsa.axes<pos, head>>
  return %1 : tensor<2x4xf32, #hsa.axes<pos, head>>
}

// -----

// A product of 16-bit operands accumulates in f32 anyway.
// CHECK-LABEL: @dot_of_widened
// CHECK-SAME: (%[[Q:.*]]: tensor<4x8xbf16, #head_dim>, %[[K:.*]]: tensor<8x8xbf16, #key_dim>)
// CHECK-NEXT: hsa.dot %[[Q]], %[[K]] over dim : tensor<4x8xbf16, #head_dim>, tensor<8x8xbf16, #key_dim>
func.func @dot_of_widened(%q: tensor<4x8xbf16, #hsa.axes<head, dim>>, %k: tensor<8x8xbf16, #hsa.axes<key, dim>>)
    -> tensor<4x8xf32, #hsa.axes<head, key>> {
  %0 = arith.extf %q : tensor<4x8xbf16, #hsa.axes<head, dim>> to tensor<4x8xf32, #hsa.axes<head, dim>>
  %1 = arith.extf %k : tensor<8x8xbf16, #hsa.axes<key, dim>> to tensor<8x8xf32, #hsa.axes<key, dim>>
  %2 = hsa.dot %0, %1 over dim : tensor<4x8xf32, #hsa.axes<head, dim>>, tensor<8x8xf32, #hsa.axes<key, dim>>
      -> tensor<4x8xf32, #hsa.axes<head, key>>
  return %2 : tensor<4x8xf32, #hsa.axes<head, key>>
}

// -----

// The same beside a side that is narrow already.
// CHECK-LABEL: @dot_of_widened_and_narrow
// CHECK-SAME: (%[[Q:.*]]: tensor<4x8xf16, #head_dim>, %[[K:.*]]: tensor<8x8xf16, #key_dim>)
// CHECK-NEXT: hsa.dot %[[Q]], %[[K]] over dim
func.func @dot_of_widened_and_narrow(%q: tensor<4x8xf16, #hsa.axes<head, dim>>, %k: tensor<8x8xf16, #hsa.axes<key, dim>>)
    -> tensor<4x8xf32, #hsa.axes<head, key>> {
  %0 = arith.extf %q : tensor<4x8xf16, #hsa.axes<head, dim>> to tensor<4x8xf32, #hsa.axes<head, dim>>
  %1 = hsa.dot %0, %k over dim : tensor<4x8xf32, #hsa.axes<head, dim>>, tensor<8x8xf16, #hsa.axes<key, dim>>
      -> tensor<4x8xf32, #hsa.axes<head, key>>
  return %1 : tensor<4x8xf32, #hsa.axes<head, key>>
}

// -----

// Beside an f32 side it stays: narrowing one would round the other.
// CHECK-LABEL: @dot_of_widened_and_wide
// CHECK: %[[WIDE:.*]] = arith.extf
// CHECK: hsa.dot %[[WIDE]],
func.func @dot_of_widened_and_wide(%q: tensor<4x8xbf16, #hsa.axes<head, dim>>, %k: tensor<8x8xf32, #hsa.axes<key, dim>>)
    -> tensor<4x8xf32, #hsa.axes<head, key>> {
  %0 = arith.extf %q : tensor<4x8xbf16, #hsa.axes<head, dim>> to tensor<4x8xf32, #hsa.axes<head, dim>>
  %1 = hsa.dot %0, %k over dim : tensor<4x8xf32, #hsa.axes<head, dim>>, tensor<8x8xf32, #hsa.axes<key, dim>>
      -> tensor<4x8xf32, #hsa.axes<head, key>>
  return %1 : tensor<4x8xf32, #hsa.axes<head, key>>
}

// -----

!value = tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>
!rows = tensor<1x2xf32, #hsa.axes<pos, head>>

// CHECK-LABEL: @empty_softmax
// CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<1x2x8xf32, #pos_head_dim>
// CHECK-DAG: %[[LEAST:.*]] = arith.constant dense<0xFF800000> : tensor<1x2xf32, #pos_head>
// CHECK: return %[[ZERO]], %[[LEAST]]
func.func @empty_softmax() -> (!value, !rows) {
  %0 = hsa.online_softmax : !hsa.softmax_state<!value>
  %1 = hsa.value %0 : !hsa.softmax_state<!value> -> !value
  %2 = hsa.lse %0 : !hsa.softmax_state<!value> -> !rows
  return %1, %2 : !value, !rows
}

// -----

!value = tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>
!rows = tensor<1x2xf32, #hsa.axes<pos, head>>

// Nothing reads the first and second result: what was yielded for them goes too.
// CHECK-LABEL: @unused_accumulators
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x2xf32, #pos_head>,
// CHECK: %[[R:.*]] = hsa.reduce (%{{.*}}) in %{{.*}} : !hsa.domain<"kv"> into (max %[[X]] : tensor<1x2xf32, #pos_head>) attributes {note = "kept"} {
// CHECK-NEXT: %[[Y:.*]] = arith.negf
// CHECK-NEXT: hsa.yield %[[Y]] : tensor<1x2xf32, #pos_head>
// CHECK: return %[[R]]
func.func @unused_accumulators(%x: !rows, %v: !value, %s: !hsa.softmax_state<!value>, %d: !hsa.domain<"kv">) -> !rows {
  %0:3 = hsa.reduce (%c) in %d : !hsa.domain<"kv">
      into (sum %x : !rows, softmax %s : !hsa.softmax_state<!value>, max %x : !rows)
      attributes {note = "kept"} {
    %1 = math.exp %x : !rows
    %2 = arith.negf %x : !rows
    hsa.yield %1, %1, %v, %2 : !rows, !rows, !value, !rows
  }
  return %0#2 : !rows
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>

// CHECK-LABEL: @unused_reduction
// CHECK-NEXT: return
func.func @unused_reduction(%x: !rows, %d: !hsa.domain<"kv">) {
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %x : !rows) {
    hsa.yield %x : !rows
  }
  return
}

// -----

// CHECK-LABEL: @detach
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK-NEXT: return %[[X]]
func.func @detach(%x: f32) -> f32 {
  %0 = hsa.detach %x : f32
  return %0 : f32
}

// -----

!scores = tensor<1x4x8xf32, #hsa.axes<pos, head, key>>

// What a softmax over the chunk's keys is a factor of is zero at the others.
// CHECK-LABEL: @mask_of_softmax
// CHECK-NEXT: hsa.softmax
// CHECK-NEXT: %[[M:.*]] = arith.mulf
// CHECK-NEXT: return %[[M]]
func.func @mask_of_softmax(%s: !scores, %x: !scores, %c: !hsa.chunk_id<"kv">) -> !scores {
  %0 = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : !scores
  %1 = arith.mulf %x, %0 : !scores
  %2 = hsa.mask %1 in %c : !hsa.chunk_id<"kv"> : !scores
  return %2 : !scores
}

// -----

!rows = tensor<1x4xf32, #hsa.axes<pos, head>>

// All rows visit the chunk of a slot; not so that of a window.
// CHECK-LABEL: @mask_of_rows
// CHECK: hsa.reduce
// CHECK-NEXT: hsa.yield
// CHECK: hsa.reduce
// CHECK-NEXT: hsa.mask
func.func @mask_of_rows(%x: !rows, %d: !hsa.domain<"kv", "indices">, %e: !hsa.domain<"kv">) -> (!rows, !rows) {
  %0 = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices"> into (sum %x : !rows) {
    %1 = hsa.mask %x in %c : !hsa.chunk_id<"kv"> : !rows
    hsa.yield %1 : !rows
  }
  %2 = hsa.reduce (%c) in %e : !hsa.domain<"kv"> into (sum %x : !rows) {
    %3 = hsa.mask %x in %c : !hsa.chunk_id<"kv"> : !rows
    hsa.yield %3 : !rows
  }
  return %0, %2 : !rows, !rows
}
