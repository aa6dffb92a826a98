// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline='builtin.module(tile.kernel(tile-verify-bank-conflicts))' --verify-diagnostics %s

#byRows = #tile.layout<reg = [[0, 1], [0, 2], [0, 4]], lane = [[1, 0], [2, 0], [4, 0], [8, 0], [0, 8]], warps = [1, 1], repeat = [1, 4]>
#rows = #tile.layout<reg = [], lane = [[1], [2], [4], [8], [0]], warps = [1], repeat = [1]>
!A = memref<?x64xbf16, strided<[?, 1]>>
!S = memref<1x16x64xbf16, #tile.shared<swizzle = 0, pad = 0>>

// Eight lanes write 16 bytes each to eight rows that all begin in bank 0.
tile.kernel @copies(%q: !A) attributes {tile.warps = 1 : i32} {
  %c0 = arith.constant 0 : index
  %ring = tile.alloc_shared : !S
  %r = tile.iota : tensor<16xi32, #rows>
  // expected-error @+1 {{writes [0, 0] with 7 bank conflicts}}
  tile.copy_async %q[%r] into %ring[%c0] {layout = #byRows} : (!A, tensor<16xi32, #rows>, !S, index) -> ()
}
