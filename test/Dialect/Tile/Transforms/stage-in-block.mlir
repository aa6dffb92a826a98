// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --pass-pipeline='builtin.module(tile.kernel(tile-stage-through-shared),canonicalize,cse)' | FileCheck %s

!A = memref<?x64xf32, strided<[?, 1]>>

// Outside of loops all copies start where the first can, and each product waits
// for what it reads.
// CHECK-LABEL: tile.kernel @straight
tile.kernel @straight(%k: !A, %v: !A, %out: !A) {
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %rows = tile.iota : tensor<16xi32>
  %q = tile.gather %k[%rows] : (!A, tensor<16xi32>) -> tensor<16x64xf32>
  %key = tile.iota : tensor<64xi32>
  // CHECK: tile.gather
  // CHECK: tile.barrier
  // CHECK: tile.copy_async
  // CHECK: tile.commit_group
  // CHECK: tile.copy_async
  // CHECK: tile.commit_group
  // CHECK: tile.wait_group 1
  // CHECK: tile.barrier
  // CHECK: tile.load_shared
  // CHECK: tile.dot
  %kt = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.dot %q, transposed %kt, %zero : tensor<16x64xf32>, tensor<64x64xf32>, tensor<16x64xf32> -> tensor<16x64xf32>
  // CHECK: tile.wait_group 0
  // CHECK: tile.barrier
  // CHECK: tile.load_shared
  // CHECK: tile.dot
  %vt = tile.gather %v[%key] : (!A, tensor<64xi32>) -> tensor<64x64xf32>
  %o = tile.dot %s, %vt, %zero : tensor<16x64xf32>, tensor<64x64xf32>, tensor<16x64xf32> -> tensor<16x64xf32>
  tile.scatter %o into %out[%rows] : (tensor<16x64xf32>, !A, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>

// Rows that depend on what the loop carries cannot be known an iteration ahead.
// CHECK-LABEL: tile.kernel @chase
tile.kernel @chase(%k: !A, %n: index, %out: !A) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant dense<1> : tensor<64xi32>
  %q = arith.constant dense<1.0> : tensor<16x64xbf16>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %rows = tile.iota : tensor<16xi32>
  %start = tile.iota : tensor<64xi32>
  // CHECK: scf.for
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero, %key = %start) -> (tensor<16x64xf32>, tensor<64xi32>) {
    // CHECK: tile.barrier
    // CHECK-NEXT: tile.copy_async
    // CHECK-NEXT: tile.commit_group
    // CHECK-NEXT: tile.wait_group 0
    // CHECK-NEXT: tile.barrier
    // CHECK-NEXT: tile.load_shared
    %kt = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
    %s = tile.dot %q, transposed %kt, %acc : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    %next = arith.addi %key, %one : tensor<64xi32>
    scf.yield %s, %next : tensor<16x64xf32>, tensor<64xi32>
  }
  %ob = arith.truncf %r#0 : tensor<16x64xf32> to tensor<16x64xbf16>
  tile.scatter %ob into %out[%rows] : (tensor<16x64xbf16>, !A, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!I = memref<?xi32, strided<[1]>>

// An index array that the kernel writes is not read ahead.
// CHECK-LABEL: tile.kernel @written
tile.kernel @written(%k: !A, %indices: !I, %n: index, %out: !A) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %q = arith.constant dense<1.0> : tensor<16x64xbf16>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %rows = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  // CHECK: scf.for
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    // CHECK: memref.load
    // CHECK: memref.store
    // CHECK: tile.copy_async
    // CHECK: tile.wait_group 0
    %c = memref.load %indices[%i] : !I
    memref.store %c, %indices[%c0] : !I
    %cs = tensor.splat %c : tensor<64xi32>
    %key = arith.addi %cs, %j : tensor<64xi32>
    %kt = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
    %s = tile.dot %q, transposed %kt, %acc : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %s : tensor<16x64xf32>
  }
  %ob = arith.truncf %o : tensor<16x64xf32> to tensor<16x64xbf16>
  tile.scatter %ob into %out[%rows] : (tensor<16x64xbf16>, !A, tensor<16xi32>) -> ()
}
