// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s

#c = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 8]>
!A = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!S = memref<2x16x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// A ring of two stages, its copy, and a tile read back from it.
// CHECK: #layout = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 8]>
// CHECK-LABEL: tile.kernel @ring
tile.kernel @ring(%k: !A) {
  %c0 = arith.constant 0 : index
  // CHECK: %[[RING:.*]] = tile.alloc_shared : memref<2x16x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
  %ring = tile.alloc_shared : !S
  %i = tile.iota : tensor<16xi32>
  // CHECK: tile.copy_async %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] into %[[RING]][%{{.*}}] :
  tile.copy_async %k[%c0, %i, %c0] into %ring[%c0]
      : (!A, index, tensor<16xi32>, index, !S, index) -> ()
  // CHECK: tile.commit_group
  // CHECK: tile.wait_group 0
  // CHECK: tile.barrier
  tile.commit_group
  tile.wait_group 0
  tile.barrier
  // CHECK: tile.load_shared %[[RING]][%{{.*}}] : memref<{{.*}}> -> tensor<16x64xbf16>
  %t = tile.load_shared %ring[%c0] : !S -> tensor<16x64xbf16>
  // CHECK: tile.convert_layout %{{.*}} -> tensor<16x64xbf16, #layout>
  %u = tile.convert_layout %t : tensor<16x64xbf16> -> tensor<16x64xbf16, #c>
  // CHECK: tile.store_shared %{{.*}} into %[[RING]][%{{.*}}] : tensor<16x64xbf16, #layout>, memref
  tile.store_shared %u into %ring[%c0] : tensor<16x64xbf16, #c>, !S
  // CHECK: tile.load_shared transposed %[[RING]][%{{.*}}] : memref<{{.*}}> -> tensor<64x16xbf16>
  %v = tile.load_shared transposed %ring[%c0] : !S -> tensor<64x16xbf16>
}
