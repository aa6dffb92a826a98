// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline="builtin.module(tile.kernel(tile-use-wgmma,tile-insert-barriers))" %s | FileCheck %s

// What is placed already, written by hand: waits and writes to shared memory.

#acc = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [4, 1], repeat = [1, 8]>
#rhs = #tile.layout<reg = [[1, 0], [8, 0]], lane = [[2, 0], [4, 0], [0, 1], [0, 2], [0, 4]], warps = [1, 1], repeat = [4, 8]>
!S = memref<1x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// The result is needed behind a store into what the product reads: it is waited
// for before, and so do the other threads.
// CHECK-LABEL: tile.kernel @stored_over
// CHECK:     %[[T:.*]] = tile.wgmma
// CHECK-NEXT: %[[U:.*]] = tile.wgmma_wait 0 %[[T]]
// CHECK-NEXT: tile.barrier
// CHECK-NEXT: tile.store_shared
// CHECK:     arith.addf %[[U]], %[[U]]
tile.kernel @stored_over(%p: tensor<64x64xbf16, #acc>) attributes {tile.warps = 4 : i32} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32, #acc>
  %a = tile.alloc_shared : !S
  %b = tile.load_shared %a[%c0] : !S -> tensor<64x64xbf16, #rhs>
  %s = tile.dot %p, %b, %zero : tensor<64x64xbf16, #acc>, tensor<64x64xbf16, #rhs>, tensor<64x64xf32, #acc> -> tensor<64x64xf32, #acc>
  tile.store_shared %p into %a[%c0] : tensor<64x64xbf16, #acc>, !S
  %t = arith.addf %s, %s : tensor<64x64xf32, #acc>
}

// What was read before a store is no longer there: that product stays one of
// registers.
// CHECK-LABEL: tile.kernel @read_earlier
// CHECK-NOT: tile.wgmma
// CHECK:     tile.dot
tile.kernel @read_earlier(%p: tensor<64x64xbf16, #acc>) attributes {tile.warps = 4 : i32} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32, #acc>
  %a = tile.alloc_shared : !S
  %b = tile.load_shared %a[%c0] : !S -> tensor<64x64xbf16, #rhs>
  tile.store_shared %p into %a[%c0] : tensor<64x64xbf16, #acc>, !S
  %s = tile.dot %p, %b, %zero : tensor<64x64xbf16, #acc>, tensor<64x64xbf16, #rhs>, tensor<64x64xf32, #acc> -> tensor<64x64xf32, #acc>
  %t = arith.addf %s, %s : tensor<64x64xf32, #acc>
}
