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

// CHECK: hsa.program @nothing() attributes {group = 1 : i64} {
// CHECK-NEXT: hsa.return
hsa.program @nothing() attributes {group = 1 : i64} {
  hsa.return
}
