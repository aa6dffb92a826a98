// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --verify-diagnostics --pass-pipeline='builtin.module(tile-assign-layouts)'

// Layouts are known for what the query-major schedule uses.
tile.kernel @scan(%out: memref<?xi32, strided<[1]>>) {
  %i = tile.iota : tensor<16xi32>
  // expected-error @below {{has no lowering to the GPU for 'tensor<16xi32>'}}
  %s = tile.scan sum %i along 0 : tensor<16xi32>
  tile.scatter %s into %out[%i] : (tensor<16xi32>, memref<?xi32, strided<[1]>>, tensor<16xi32>) -> ()
}
