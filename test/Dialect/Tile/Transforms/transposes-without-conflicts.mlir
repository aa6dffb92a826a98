// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline="builtin.module(tile.kernel(tile-stage-through-shared,tile-stage-transposes),tile-assign-layouts,tile.kernel(tile-insert-barriers,tile-verify-bank-conflicts))" %s | FileCheck %s

!H = memref<?x64xbf16, strided<[?, 1]>>
!F = memref<?x64xf32, strided<[?, 1]>>

// A tile that four warps store by rows and read by columns has no bank
// conflicts either way, and a barrier between.
// CHECK-LABEL: tile.kernel @gradient64
// CHECK:      tile.store_shared
// CHECK-NEXT: tile.barrier
// CHECK:      tile.load_shared transposed
tile.kernel @gradient64(%a: !H, %b: !H, %out: !F) {
  %scale = arith.constant dense<0.125> : tensor<64x64xf32>
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %at = tile.gather %a[%i] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  %bt = tile.gather %b[%i] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %at, transposed %bt, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %p = arith.mulf %s, %scale : tensor<64x64xf32>
  %pb = arith.truncf %p : tensor<64x64xf32> to tensor<64x64xbf16>
  %pt = tile.transpose %pb : tensor<64x64xbf16> -> tensor<64x64xbf16>
  %g = tile.dot %pt, %at, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.reduce_into sum %g into %out[%i] order free : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}
