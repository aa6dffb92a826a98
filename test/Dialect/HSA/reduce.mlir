// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Accumulators, and reductions over chunks into them.

!out = tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
!rows = tensor<1x16xf32, #hsa.axes<pos, head>>
!scores = tensor<1x16x32xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<32x64xbf16, #hsa.axes<key, dim>>
!state = !hsa.softmax_state<!out>

// CHECK-LABEL: @accumulators
func.func @accumulators(%logit: !rows, %value: tensor<64xf32, #hsa.axes<dim>>) {
  // CHECK: hsa.identity max : tensor<1x16xf32, #pos_head>
  %0 = hsa.identity max : !rows
  // CHECK: %[[EMPTY:.*]] = hsa.online_softmax : !hsa.softmax_state<tensor<1x16x64xf32, #pos_head_dim>>
  %1 = hsa.online_softmax : !state
  // CHECK: %[[ONE:.*]] = hsa.push %{{.*}}, %{{.*}} into %[[EMPTY]] : tensor<1x16xf32, #pos_head>, tensor<64xf32, #dim>, !hsa.softmax_state<tensor<1x16x64xf32, #pos_head_dim>>
  %2 = hsa.push %logit, %value into %1 : !rows, tensor<64xf32, #hsa.axes<dim>>, !state
  // CHECK: hsa.value %[[ONE]] : !hsa.softmax_state<tensor<1x16x64xf32, #pos_head_dim>> -> tensor<1x16x64xf32, #pos_head_dim>
  %3 = hsa.value %2 : !state -> !out
  // CHECK: hsa.lse %[[ONE]] : !hsa.softmax_state<tensor<1x16x64xf32, #pos_head_dim>> -> tensor<1x16xf32, #pos_head>
  %4 = hsa.lse %2 : !state -> !rows
  return
}

// CHECK-LABEL: @slots
func.func @slots(%d: !hsa.domain<"kv", "picks">, %zero: !out, %least: !rows,
                 %w: !hsa.weights<"picks", f32, heads = kv>) {
  // CHECK: hsa.reduce (%[[SLOT:.*]], %[[C:.*]]) in %{{.*}} : !hsa.domain<"kv", "picks"> into (sum %{{.*}} : tensor<1x16x64xf32, #pos_head_dim>, max %{{.*}} : tensor<1x16xf32, #pos_head>) attributes {note = "kept"} {
  // CHECK: hsa.at %{{.*}}[%[[SLOT]] :
  // CHECK: hsa.yield %{{.*}}, %{{.*}} : tensor<1x16x64xf32, #pos_head_dim>, tensor<1x16xf32, #pos_head>
  %0:2 = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks">
      into (sum %zero : !out, max %least : !rows) attributes {note = "kept"} {
    %1 = hsa.at %w[%slot : !hsa.slot<"picks">] : !hsa.weights<"picks", f32, heads = kv> -> f32
    %2 = hsa.broadcast %1 : f32 to !out
    %3 = hsa.broadcast %1 : f32 to !rows
    hsa.yield %2, %3 : !out, !rows
  }
  return
}

// CHECK-LABEL: @merge
func.func @merge(%d: !hsa.domain<"kv">, %s: !state, %scores: !scores, %v: !chunk) {
  // CHECK: hsa.reduce (%{{.*}}) in %{{.*}} : !hsa.domain<"kv"> into (softmax %{{.*}} : !hsa.softmax_state<tensor<1x16x64xf32, #pos_head_dim>>) {
  // CHECK: hsa.yield %{{.*}}, %{{.*}} : tensor<1x16x32xf32, #pos_head_key>, tensor<32x64xbf16, #key_dim>
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %s : !state) {
    hsa.yield %scores, %v : !scores, !chunk
  }
  return
}

// CHECK-LABEL: @push
func.func @push(%d: !hsa.domain<"kv">, %s: !state, %logit: !rows, %value: !out) {
  // CHECK: hsa.yield %{{.*}}, %{{.*}} : tensor<1x16xf32, #pos_head>, tensor<1x16x64xf32, #pos_head_dim>
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %s : !state) {
    hsa.yield %logit, %value : !rows, !out
  }
  return
}
