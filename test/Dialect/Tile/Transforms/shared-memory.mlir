// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-stage-through-shared{stages=2}),canonicalize,cse)' | FileCheck %s
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-stage-through-shared{shared-bytes=10000}),canonicalize,cse)' | FileCheck %s --check-prefix=LITTLE

!A = memref<?x64xbf16, strided<[?, 1]>>

// Two loops, one after the other, use the same rings of two
// stages. What comes before the second must be read by all.
// CHECK-LABEL: tile.kernel @two_loops
// CHECK: %[[V:.*]] = tile.alloc_shared : memref<2x64x64xbf16
// CHECK: %[[K:.*]] = tile.alloc_shared : memref<2x64x64xbf16
// CHECK-NOT: tile.alloc_shared
// CHECK: scf.for
// CHECK: tile.load_shared %[[K]]
// CHECK: tile.load_shared %[[V]]
// CHECK: tile.barrier
// CHECK: tile.copy_async
// CHECK: scf.for
// CHECK: tile.load_shared %[[K]]
// CHECK: tile.load_shared %[[V]]
//
// With less memory than one stage takes, keys make room for values.
// LITTLE-LABEL: tile.kernel @two_loops
// LITTLE: %[[KV:.*]] = tile.alloc_shared : memref<1x64x64xbf16
// LITTLE-NOT: tile.alloc_shared
// LITTLE: scf.for
// LITTLE: tile.barrier
// LITTLE: tile.copy_async %{{.*}} into %[[KV]]
// LITTLE: tile.wait_group 0
// LITTLE: tile.dot
// LITTLE: tile.barrier
// LITTLE: tile.copy_async %{{.*}} into %[[KV]]
// LITTLE: tile.wait_group 0
// LITTLE: tile.dot
tile.kernel @two_loops(%k: !A, %v: !A, %n: index, %out: !A) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : i32
  %q = arith.constant dense<1.0> : tensor<16x64xbf16>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %rows = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    %c = arith.index_cast %i : index to i32
    %x0 = arith.muli %c, %c64 : i32
    %x0s = tensor.splat %x0 : tensor<64xi32>
    %key = arith.addi %x0s, %j : tensor<64xi32>
    %kt = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
    %s = tile.dot %q, transposed %kt, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    %p = arith.truncf %s : tensor<16x64xf32> to tensor<16x64xbf16>
    %vt = tile.gather %v[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
    %r = tile.dot %p, %vt, %acc : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %r : tensor<16x64xf32>
  }
  %o2 = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %o) -> (tensor<16x64xf32>) {
    %c = arith.index_cast %i : index to i32
    %cs = tensor.splat %c : tensor<64xi32>
    %key = arith.addi %cs, %j : tensor<64xi32>
    %kt = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
    %s = tile.dot %q, transposed %kt, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    %p = arith.truncf %s : tensor<16x64xf32> to tensor<16x64xbf16>
    %vt = tile.gather %v[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
    %r = tile.dot %p, %vt, %acc : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %r : tensor<16x64xf32>
  }
  %ob = arith.truncf %o2 : tensor<16x64xf32> to tensor<16x64xbf16>
  tile.scatter %ob into %out[%rows] : (tensor<16x64xbf16>, !A, tensor<16xi32>) -> ()
}
