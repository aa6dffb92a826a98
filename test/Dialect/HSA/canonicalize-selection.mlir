// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -canonicalize -split-input-file | FileCheck %s

// CHECK-LABEL: @scan_of_one_slot
// CHECK-SAME: (%[[X:.*]]: tensor<2x1xf32, #pos_slot>)
// CHECK-DAG: %[[NONE:.*]] = arith.constant dense<0.000000e+00> : tensor<2x1xf32, #pos_slot>
// CHECK: return %[[X]], %[[NONE]]
func.func @scan_of_one_slot(%x: tensor<2x1xf32, #hsa.axes<pos, slot>>)
    -> (tensor<2x1xf32, #hsa.axes<pos, slot>>, tensor<2x1xf32, #hsa.axes<pos, slot>>) {
  %0 = hsa.scan sum %x over slot : tensor<2x1xf32, #hsa.axes<pos, slot>>
  %1 = hsa.scan sum exclusive %x over slot : tensor<2x1xf32, #hsa.axes<pos, slot>>
  return %0, %1 : tensor<2x1xf32, #hsa.axes<pos, slot>>, tensor<2x1xf32, #hsa.axes<pos, slot>>
}

// -----

// CHECK-LABEL: @scan_of_zeros
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant dense<0.000000e+00>
// CHECK-NEXT: return %[[ZERO]]
func.func @scan_of_zeros() -> tensor<8xf32, #hsa.axes<slot>> {
  %zero = arith.constant dense<0.0> : tensor<8xf32, #hsa.axes<slot>>
  %0 = hsa.scan sum reverse %zero over slot : tensor<8xf32, #hsa.axes<slot>>
  return %0 : tensor<8xf32, #hsa.axes<slot>>
}

// -----

// The sum of ones is no splat.
// CHECK-LABEL: @scan_of_ones
// CHECK: hsa.scan
func.func @scan_of_ones() -> tensor<8xf32, #hsa.axes<slot>> {
  %one = arith.constant dense<1.0> : tensor<8xf32, #hsa.axes<slot>>
  %0 = hsa.scan sum %one over slot : tensor<8xf32, #hsa.axes<slot>>
  return %0 : tensor<8xf32, #hsa.axes<slot>>
}

// -----

// A row of weights that is read slot by slot is not loaded as a whole.
// CHECK-LABEL: @at_of_load
// CHECK-SAME: (%[[W:.*]]: !hsa.weights<"picks", f32, heads = kv, slots = 8>, %[[SLOT:.*]]: !hsa.slot<"picks">)
// CHECK-NOT: hsa.load
// CHECK: %[[X:.*]] = hsa.at %[[W]][%[[SLOT]] : !hsa.slot<"picks">] : !hsa.weights<"picks", f32, heads = kv, slots = 8> -> f32
// CHECK: return %[[X]]
func.func @at_of_load(%w: !hsa.weights<"picks", f32, heads = kv, slots = 8>, %slot: !hsa.slot<"picks">) -> f32 {
  %0 = hsa.load %w : !hsa.weights<"picks", f32, heads = kv, slots = 8> -> tensor<8xf32, #hsa.axes<slot>>
  %1 = hsa.at %0[%slot : !hsa.slot<"picks">] : tensor<8xf32, #hsa.axes<slot>> -> f32
  return %1 : f32
}

// -----

// By the slots of another selection it is.
// CHECK-LABEL: @at_of_load_by_other_slots
// CHECK: %[[ROW:.*]] = hsa.load
// CHECK: hsa.at %[[ROW]]
func.func @at_of_load_by_other_slots(%w: !hsa.weights<"picks", f32, heads = kv, slots = 8>, %slot: !hsa.slot<"others">) -> f32 {
  %0 = hsa.load %w : !hsa.weights<"picks", f32, heads = kv, slots = 8> -> tensor<8xf32, #hsa.axes<slot>>
  %1 = hsa.at %0[%slot : !hsa.slot<"others">] : tensor<8xf32, #hsa.axes<slot>> -> f32
  return %1 : f32
}

// -----

// CHECK-LABEL: @at_of_broadcast
// CHECK-SAME: (%[[X:.*]]: f32, %[[Y:.*]]: tensor<4xf32, #head>,
// CHECK-NEXT: %[[B:.*]] = hsa.broadcast %[[X]] : f32 to tensor<1xf32, #pos>
// CHECK-NEXT: return %[[B]], %[[Y]]
func.func @at_of_broadcast(%x: f32, %y: tensor<4xf32, #hsa.axes<head>>, %slot: !hsa.slot<"picks">)
    -> (tensor<1xf32, #hsa.axes<pos>>, tensor<4xf32, #hsa.axes<head>>) {
  %0 = hsa.broadcast %x : f32 to tensor<1x8xf32, #hsa.axes<pos, slot>>
  %1 = hsa.at %0[%slot : !hsa.slot<"picks">] : tensor<1x8xf32, #hsa.axes<pos, slot>> -> tensor<1xf32, #hsa.axes<pos>>
  %2 = hsa.broadcast %y : tensor<4xf32, #hsa.axes<head>> to tensor<4x8xf32, #hsa.axes<head, slot>>
  %3 = hsa.at %2[%slot : !hsa.slot<"picks">] : tensor<4x8xf32, #hsa.axes<head, slot>> -> tensor<4xf32, #hsa.axes<head>>
  return %1, %3 : tensor<1xf32, #hsa.axes<pos>>, tensor<4xf32, #hsa.axes<head>>
}
