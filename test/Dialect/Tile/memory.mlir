// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Reading and writing arrays.

!keys = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!weights = memref<?x?x8xf32, strided<[?, ?, 1]>>

// Indices are numbers, or a number for each row.
// CHECK-LABEL: @gather
func.func @gather(%k: !keys, %b: index, %rows: tensor<32xi32>, %valid: tensor<32xi1>) {
  // CHECK: tile.gather %arg0[%arg1, %arg2, %arg1] where %arg3 : (memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, index, tensor<32xi32>, index, tensor<32xi1>) -> tensor<32x64xbf16>
  %0 = tile.gather %k[%b, %rows, %b] where %valid : (!keys, index, tensor<32xi32>, index, tensor<32xi1>) -> tensor<32x64xbf16>
  // CHECK: tile.gather %arg0[%arg1, %arg1, %arg1] : (memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, index, index, index) -> tensor<1x80xbf16>
  %1 = tile.gather %k[%b, %b, %b] : (!keys, index, index, index) -> tensor<1x80xbf16>
  return
}

// An array that is one row.
// CHECK-LABEL: @gather_row
func.func @gather_row(%x: memref<64xf32>) {
  // CHECK: tile.gather %arg0[] : (memref<64xf32>) -> tensor<16x64xf32>
  %0 = tile.gather %x[] : (memref<64xf32>) -> tensor<16x64xf32>
  return
}

// CHECK-LABEL: @lookup
func.func @lookup(%w: !weights, %b: index, %rows: tensor<16xi32>, %inside: tensor<16xi1>) {
  // CHECK: tile.lookup %arg0[%arg1, %arg2, %arg1] where %arg3 : (memref<?x?x8xf32, strided<[?, ?, 1]>>, index, tensor<16xi32>, index, tensor<16xi1>) -> tensor<16xf32>
  %0 = tile.lookup %w[%b, %rows, %b] where %inside : (!weights, index, tensor<16xi32>, index, tensor<16xi1>) -> tensor<16xf32>
  // CHECK: tile.lookup %arg0[%arg1, %arg2, %arg2] : (memref<?x?x8xf32, strided<[?, ?, 1]>>, index, tensor<16xi32>, tensor<16xi32>) -> tensor<16xf32>
  %1 = tile.lookup %w[%b, %rows, %rows] : (!weights, index, tensor<16xi32>, tensor<16xi32>) -> tensor<16xf32>
  return
}

// A tile row by row; a vector element by element.
// CHECK-LABEL: @scatter
func.func @scatter(%k: !keys, %w: !weights, %b: index, %rows: tensor<16xi32>, %inside: tensor<16xi1>, %tile: tensor<16x64xbf16>,
                   %vector: tensor<16xf32>) {
  // CHECK: tile.scatter %arg5 into %arg0[%arg2, %arg3, %arg2] where %arg4 : (tensor<16x64xbf16>, memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, index, tensor<16xi32>, index, tensor<16xi1>) -> ()
  tile.scatter %tile into %k[%b, %rows, %b] where %inside
      : (tensor<16x64xbf16>, !keys, index, tensor<16xi32>, index, tensor<16xi1>) -> ()
  // CHECK: tile.scatter %arg6 into %arg1[%arg2, %arg2, %arg3] : (tensor<16xf32>, memref<?x?x8xf32, strided<[?, ?, 1]>>, index, index, tensor<16xi32>) -> ()
  tile.scatter %vector into %w[%b, %b, %rows] : (tensor<16xf32>, !weights, index, index, tensor<16xi32>) -> ()
  return
}
