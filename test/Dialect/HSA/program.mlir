// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// A program keeps the names of its parameters, its group and its attributes.

#rows = #hsa.axes<pos, head>

// CHECK: hsa.program @two(%q: !hsa.query<f32, pos = 2, head = 4, dim = 64>, %scale: f32, %n: i32)
// CHECK-SAME: -> (tensor<2x4xf32, #pos_head>, tensor<2x4xf32, #pos_head>)
// CHECK-SAME: attributes {group = 8 : i64, note = "kept"} {
// CHECK: %[[S:.*]] = hsa.broadcast %scale
// CHECK: hsa.return %[[S]], %[[S]] : tensor<2x4xf32, #pos_head>, tensor<2x4xf32, #pos_head>
hsa.program @two(%q: !hsa.query<f32, pos = 2, head = 4, dim = 64>, %scale: f32, %n: i32)
    -> (tensor<2x4xf32, #rows>, tensor<2x4xf32, #rows>)
    attributes {group = 8 : i64, note = "kept"} {
  %s = hsa.broadcast %scale : f32 to tensor<2x4xf32, #rows>
  hsa.return %s, %s : tensor<2x4xf32, #rows>, tensor<2x4xf32, #rows>
}

// Each query is a block of 32; a row of %r, and the result, are of a block.
// CHECK: hsa.program @blocks(%q: !hsa.query<f32, pos = 32, head = 4, dim = 64>, %r: !hsa.query<f32, pos = 1, head = 4, dim = 64>)
// CHECK-SAME: -> tensor<1x4x64xf32, #pos_head_dim> attributes {block = 32 : i64, group = 4 : i64} {
// CHECK: hsa.load %r : {{.*}} -> tensor<1x4x64xf32, #pos_head_dim>
hsa.program @blocks(%q: !hsa.query<f32, pos = 32, head = 4, dim = 64>, %r: !hsa.query<f32, pos = 1, head = 4, dim = 64>)
    -> tensor<1x4x64xf32, #hsa.axes<pos, head, dim>> attributes {block = 32 : i64, group = 4 : i64} {
  %x = hsa.load %r : !hsa.query<f32, pos = 1, head = 4, dim = 64> -> tensor<1x4x64xf32, #hsa.axes<pos, head, dim>>
  hsa.return %x : tensor<1x4x64xf32, #hsa.axes<pos, head, dim>>
}

// Sums that an earlier program began are a parameter, and go on.
// CHECK: hsa.program @more(%bias: !hsa.array<f32, [head = 4]>, %begun: !hsa.sums<!hsa.array<f32, [head = 4]>>, %x: f32)
// CHECK-SAME: -> !hsa.sums<!hsa.array<f32, [head = 4]>> attributes {group = 4 : i64} {
// CHECK: hsa.add %{{.*}} into %begun
hsa.program @more(%bias: !hsa.array<f32, [head = 4]>, %begun: !hsa.sums<!hsa.array<f32, [head = 4]>>, %x: f32)
    -> !hsa.sums<!hsa.array<f32, [head = 4]>> attributes {group = 4 : i64} {
  %0 = hsa.broadcast %x : f32 to tensor<1x4xf32, #rows>
  %1 = hsa.add %0 into %begun : tensor<1x4xf32, #rows>, !hsa.sums<!hsa.array<f32, [head = 4]>>
  hsa.return %1 : !hsa.sums<!hsa.array<f32, [head = 4]>>
}

// CHECK: hsa.program @nothing() attributes {group = 1 : i64} {
// CHECK-NEXT: hsa.return
hsa.program @nothing() attributes {group = 1 : i64} {
  hsa.return
}
