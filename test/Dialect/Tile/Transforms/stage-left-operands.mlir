// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --tile-stage-through-shared --tile-stage-left-operands --canonicalize --cse | FileCheck %s

!A = memref<?x256xbf16, strided<[?, 1]>>
!B = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x64xf32, strided<[?, 1]>>

// 256 columns of bf16 are 64 registers a thread: they stay in shared memory.
// The copy is committed before those of the keys, whose wait covers it.
// CHECK-LABEL: tile.kernel @wide(
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: memref<?x256xbf16
// CHECK:         %[[HELD:.*]] = tile.alloc_shared : memref<1x16x256xbf16, #tile.shared<swizzle = 128, pad = 0>>
// CHECK:         %[[RING:.*]] = tile.alloc_shared : memref<{{.*}}x64x256xbf16
// CHECK:         tile.copy_async %[[Q]][%{{.*}}] into %[[HELD]][%c0]
// CHECK-NEXT:    tile.commit_group
// CHECK-NOT:     tile.gather
// CHECK:         scf.for
// CHECK:           tile.wait_group
// CHECK-NEXT:      tile.barrier
// CHECK-NEXT:      %[[K:.*]] = tile.load_shared %[[RING]]
// CHECK-NEXT:      %[[A:.*]] = tile.load_shared %[[HELD]][%c0]
// CHECK-NEXT:      tile.dot %[[A]], transposed %[[K]]
tile.kernel @wide(%q: !A, %k: !A, %n: index, %out: !O) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x256xbf16>
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    %i32 = arith.index_cast %i : index to i32
    %start = tensor.splat %i32 : tensor<64xi32>
    %j = tile.iota : tensor<64xi32>
    %key = arith.addi %start, %j : tensor<64xi32>
    %b = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x256xbf16>
    %s = tile.dot %a, transposed %b, %acc : tensor<16x256xbf16>, tensor<64x256xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %s : tensor<16x64xf32>
  }
  tile.scatter %o into %out[%r] : (tensor<16x64xf32>, !O, tensor<16xi32>) -> ()
}

// 64 columns are 16 registers, which are better kept.
// CHECK-LABEL: tile.kernel @narrow(
// CHECK:         %[[A:.*]] = tile.gather %{{.*}} -> tensor<16x64xbf16>
// CHECK:         tile.dot %[[A]],
tile.kernel @narrow(%q: !B, %k: !B, %n: index, %out: !O) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!B, tensor<16xi32>) -> tensor<16x64xbf16>
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    %i32 = arith.index_cast %i : index to i32
    %start = tensor.splat %i32 : tensor<64xi32>
    %j = tile.iota : tensor<64xi32>
    %key = arith.addi %start, %j : tensor<64xi32>
    %b = tile.gather %k[%key] : (!B, tensor<64xi32>) -> tensor<64x64xbf16>
    %s = tile.dot %a, transposed %b, %acc : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %s : tensor<16x64xf32>
  }
  tile.scatter %o into %out[%r] : (tensor<16x64xf32>, !O, tensor<16xi32>) -> ()
}

// All copies of an earlier loop have arrived.
// CHECK-LABEL: tile.kernel @after_a_walk(
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: memref<?x256xbf16
// CHECK:         scf.for
// CHECK:           tile.wait_group 0
// CHECK:         tile.copy_async %[[Q]][%{{.*}}] into %[[HELD:.*]][%c0]
// CHECK-NEXT:    tile.commit_group
// CHECK-NOT:     tile.gather
// CHECK:         scf.for
// CHECK:           %[[A:.*]] = tile.load_shared %[[HELD]][%c0]
// CHECK-NEXT:      tile.dot %[[A]], transposed
tile.kernel @after_a_walk(%q: !A, %k: !A, %n: index, %out: !O) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %r = tile.iota : tensor<16xi32>
  %before = tile.alloc_shared : memref<1x16x256xbf16, #tile.shared<swizzle = 128, pad = 0>>
  scf.for %i = %c0 to %n step %c1 {
    tile.copy_async %k[%r] into %before[%c0] : (!A, tensor<16xi32>, memref<1x16x256xbf16, #tile.shared<swizzle = 128, pad = 0>>, index) -> ()
    tile.commit_group
    tile.wait_group 0
    tile.barrier
  }
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x256xbf16>
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    %i32 = arith.index_cast %i : index to i32
    %start = tensor.splat %i32 : tensor<64xi32>
    %j = tile.iota : tensor<64xi32>
    %key = arith.addi %start, %j : tensor<64xi32>
    %b = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x256xbf16>
    %s = tile.dot %a, transposed %b, %acc : tensor<16x256xbf16>, tensor<64x256xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %s : tensor<16x64xf32>
  }
  tile.scatter %o into %out[%r] : (tensor<16x64xf32>, !O, tensor<16xi32>) -> ()
}

// One of them may be under way still: a wait for it would count what is staged.
// CHECK-LABEL: tile.kernel @after_a_ring(
// CHECK:         tile.wait_group 1
// CHECK:         %[[A:.*]] = tile.gather %{{.*}} -> tensor<16x256xbf16>
// CHECK:         tile.dot %[[A]],
tile.kernel @after_a_ring(%q: !A, %k: !A, %n: index, %out: !O) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %r = tile.iota : tensor<16xi32>
  %before = tile.alloc_shared : memref<1x16x256xbf16, #tile.shared<swizzle = 128, pad = 0>>
  scf.for %i = %c0 to %n step %c1 {
    tile.copy_async %k[%r] into %before[%c0] : (!A, tensor<16xi32>, memref<1x16x256xbf16, #tile.shared<swizzle = 128, pad = 0>>, index) -> ()
    tile.commit_group
    tile.wait_group 1
    tile.barrier
  }
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x256xbf16>
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    %i32 = arith.index_cast %i : index to i32
    %start = tensor.splat %i32 : tensor<64xi32>
    %j = tile.iota : tensor<64xi32>
    %key = arith.addi %start, %j : tensor<64xi32>
    %b = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x256xbf16>
    %s = tile.dot %a, transposed %b, %acc : tensor<16x256xbf16>, tensor<64x256xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %s : tensor<16x64xf32>
  }
  tile.scatter %o into %out[%r] : (tensor<16x64xf32>, !O, tensor<16xi32>) -> ()
}
