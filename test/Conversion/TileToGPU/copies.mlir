// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --convert-tile-to-gpu --canonicalize --cse --split-input-file %s | FileCheck %s

!A = memref<?x64xbf16, strided<[?, 1]>>
!S = memref<2x16x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// 16 rows of 128 bytes by one warp: four copies of 16 bytes a thread. Rows that
// the mask leaves out have a size of 0, which writes zeros.
// CHECK:       llvm.mlir.global external @ramify_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// CHECK-LABEL: llvm.func @aligned(
// CHECK-SAME:  tile.shared_bytes = 4096 : i32
// CHECK:         %[[SIZE:.*]] = llvm.select %{{.*}}, %{{.*}}, %{{.*}} : i1, i32
// CHECK:         cp.async.cg.shared.global{{.*}} 16, $2;
// CHECK-COUNT-3: cp.async.cg.shared.global{{.*}} 16, $2;
// CHECK-NOT:     cp.async.cg
// CHECK:         cp.async.commit.group
// CHECK:         cp.async.wait.group
// CHECK:         llvm.nvvm.bar.warp.sync
tile.kernel @aligned(%k: !A, %n: i32, %stage: index) {
  %ring = tile.alloc_shared : !S
  %j = tile.iota : tensor<16xi32>
  %ns = tensor.splat %n : tensor<16xi32>
  %live = arith.cmpi slt, %j, %ns : tensor<16xi32>
  tile.copy_async %k[%j] where %live into %ring[%stage] : (!A, tensor<16xi32>, tensor<16xi1>, !S, index) -> ()
  tile.commit_group
  tile.wait_group 0
  tile.barrier
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!S = memref<1x16x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// With four warps a thread has one copy, and the barrier is the CTA's.
// CHECK-LABEL: llvm.func @warps(
// CHECK-SAME:  nvvm.maxntid = array<i32: 128>
// CHECK-COUNT-1: cp.async.cg.shared.global{{.*}} 16
// CHECK-NOT:     cp.async.cg
// CHECK:         llvm.nvvm.barrier0
tile.kernel @warps(%k: !A, %out: memref<?x64xbf16, strided<[?, 1]>>) {
  %c0 = arith.constant 0 : index
  %ring = tile.alloc_shared : !S
  %j = tile.iota : tensor<16xi32>
  tile.copy_async %k[%j] into %ring[%c0] : (!A, tensor<16xi32>, !S, index) -> ()
  tile.barrier
  %zero = arith.constant dense<0.0> : tensor<64x64xbf16>
  %r = tile.iota : tensor<64xi32>
  tile.scatter %zero into %out[%r] : (tensor<64x64xbf16>, !A, tensor<64xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!S = memref<1x16x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// Rows aligned to 8 bytes: pieces of 8, by the form that goes through L1.
// CHECK-LABEL: llvm.func @eight(
// CHECK-COUNT-8: cp.async.ca.shared.global{{.*}} 8
// CHECK-NOT:     cp.async.ca
tile.kernel @eight(%k: !A) attributes {tile.alignment = 8 : i64} {
  %c0 = arith.constant 0 : index
  %ring = tile.alloc_shared : !S
  %j = tile.iota : tensor<16xi32>
  tile.copy_async %k[%j] into %ring[%c0] : (!A, tensor<16xi32>, !S, index) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!S = memref<1x16x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// Rows aligned to their elements only: loads and stores, in a loop.
// CHECK-LABEL: llvm.func @unaligned(
// CHECK-NOT:     cp.async
// CHECK:         llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr<1> -> bf16
// CHECK:         llvm.store %{{.*}}, %{{.*}} {alignment = 2 : i64} : bf16, !llvm.ptr<3>
tile.kernel @unaligned(%k: !A) attributes {tile.alignment = 2 : i64} {
  %c0 = arith.constant 0 : index
  %ring = tile.alloc_shared : !S
  %j = tile.iota : tensor<16xi32>
  tile.copy_async %k[%j] into %ring[%c0] : (!A, tensor<16xi32>, !S, index) -> ()
}
