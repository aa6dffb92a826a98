// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Tiles in registers; elementwise arithmetic is upstream.

// CHECK-LABEL: @iota
func.func @iota() -> tensor<64xi32> {
  // CHECK: tile.iota : tensor<64xi32>
  %0 = tile.iota : tensor<64xi32>
  return %0 : tensor<64xi32>
}

// CHECK-LABEL: @broadcast
func.func @broadcast(%rows: tensor<16xf32>, %columns: tensor<64xi1>, %one: tensor<bf16>) {
  // CHECK: tile.broadcast %{{.*}} along 1 : tensor<16xf32> -> tensor<16x64xf32>
  %0 = tile.broadcast %rows along 1 : tensor<16xf32> -> tensor<16x64xf32>
  // CHECK: tile.broadcast %{{.*}} along 0 : tensor<64xi1> -> tensor<16x64xi1>
  %1 = tile.broadcast %columns along 0 : tensor<64xi1> -> tensor<16x64xi1>
  // CHECK: tile.broadcast %{{.*}} along 0 : tensor<bf16> -> tensor<4xbf16>
  %2 = tile.broadcast %one along 0 : tensor<bf16> -> tensor<4xbf16>
  return
}

// CHECK-LABEL: @reduce
func.func @reduce(%tile: tensor<16x64xf32>, %numbers: tensor<8xi32>) {
  // CHECK: tile.reduce sum %{{.*}} along 1 : tensor<16x64xf32> -> tensor<16xf32>
  %0 = tile.reduce sum %tile along 1 : tensor<16x64xf32> -> tensor<16xf32>
  // CHECK: tile.reduce max %{{.*}} along 0 : tensor<16x64xf32> -> tensor<64xf32>
  %1 = tile.reduce max %tile along 0 : tensor<16x64xf32> -> tensor<64xf32>
  // CHECK: tile.reduce min %{{.*}} along 0 : tensor<8xi32> -> tensor<i32>
  %2 = tile.reduce min %numbers along 0 : tensor<8xi32> -> tensor<i32>
  return
}

// CHECK-LABEL: @dot
func.func @dot(%q: tensor<16x64xbf16>, %k: tensor<32x64xbf16>, %v: tensor<64x80xbf16>, %s: tensor<16x32xf32>,
               %o: tensor<16x80xf32>) {
  // CHECK: tile.dot %{{.*}}, transposed %{{.*}}, %{{.*}} : tensor<16x64xbf16>, tensor<32x64xbf16>, tensor<16x32xf32> -> tensor<16x32xf32>
  %0 = tile.dot %q, transposed %k, %s
      : tensor<16x64xbf16>, tensor<32x64xbf16>, tensor<16x32xf32> -> tensor<16x32xf32>
  // CHECK: tile.dot %{{.*}}, %{{.*}}, %{{.*}} : tensor<16x64xbf16>, tensor<64x80xbf16>, tensor<16x80xf32> -> tensor<16x80xf32>
  %1 = tile.dot %q, %v, %o : tensor<16x64xbf16>, tensor<64x80xbf16>, tensor<16x80xf32> -> tensor<16x80xf32>
  return
}

// With layouts, as the placed stage has them, the same operations.
#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
#rhs = #tile.layout<reg = [[1, 0], [8, 0]], lane = [[2, 0], [4, 0], [0, 1], [0, 2], [0, 4]], warps = [1, 1], repeat = [1, 2]>

// CHECK-LABEL: @placed
func.func @placed(%s: tensor<16x16xf16, #tile>, %v: tensor<16x16xf16, #rhs>, %o: tensor<16x16xf32, #tile>) {
  // CHECK: tile.iota : tensor<16xi32, #layout
  %0 = tile.iota : tensor<16xi32, #rows>
  // CHECK: tile.broadcast %{{.*}} along 1 : tensor<16xi32, #layout{{[0-9]*}}> -> tensor<16x16xi32, #layout{{[0-9]*}}>
  %1 = tile.broadcast %0 along 1 : tensor<16xi32, #rows> -> tensor<16x16xi32, #tile>
  // CHECK: tile.dot %{{.*}}, %{{.*}}, %{{.*}} : tensor<16x16xf16, #layout{{[0-9]*}}>,
  %2 = tile.dot %s, %v, %o : tensor<16x16xf16, #tile>, tensor<16x16xf16, #rhs>, tensor<16x16xf32, #tile>
      -> tensor<16x16xf32, #tile>
  // CHECK: tile.reduce sum %{{.*}} along 1 : tensor<16x16xf32, #layout{{[0-9]*}}> -> tensor<16xf32, #layout{{[0-9]*}}>
  %3 = tile.reduce sum %2 along 1 : tensor<16x16xf32, #tile> -> tensor<16xf32, #rows>
  return
}
