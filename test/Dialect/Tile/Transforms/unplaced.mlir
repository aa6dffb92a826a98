// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --verify-diagnostics --pass-pipeline='builtin.module(tile-assign-layouts)'

// Rows are ordered in quads, which hold eight columns.
tile.kernel @scan(%x: memref<?x4xi32, strided<[?, 1]>>) {
  %i = tile.iota : tensor<16xi32>
  %a = tile.gather %x[%i] : (memref<?x4xi32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x4xi32>
  // expected-error @below {{has no lowering to the GPU for 'tensor<16x4xi32>'}}
  %s = tile.scan sum %a along 1 : tensor<16x4xi32>
  tile.scatter %s into %x[%i] : (tensor<16x4xi32>, memref<?x4xi32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}
