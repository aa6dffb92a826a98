// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile-assign-layouts,tile.kernel(tile-choose-residency{target=sm_80}))' | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile-assign-layouts,tile.kernel(tile-choose-residency{target=sm_86}))' | FileCheck %s --check-prefixes=CHECK,SM86
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile-assign-layouts,tile.kernel(tile-choose-residency{target=sm_90a}))' | FileCheck %s --check-prefixes=CHECK,SM90
// RUN: not ramify-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-choose-residency{target=sm_1}))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN

!A = memref<?x64xbf16, strided<[?, 1]>>
!Ring = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
!Large = memref<2x256x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// UNKNOWN: error: there is no target "sm_1"

// By shared memory: 16 KiB and the KiB that the system takes go 9 times into the
// 164 KiB of sm_80's SM, 5 times into the 100 of sm_86's, 13 times into 228.
// CHECK-LABEL: tile.kernel @shared(
// SM80:          tile.min_ctas = 9 : i32
// SM86:          tile.min_ctas = 5 : i32
// SM90:          tile.min_ctas = 13 : i32
tile.kernel @shared(%q: !A, %k: !A, %out: !A) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %ring = tile.alloc_shared : !Ring
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  %b = tile.load_shared %ring[%c0] : !Ring -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  %s16 = arith.truncf %s : tensor<16x64xf32> to tensor<16x64xbf16>
  tile.scatter %s16 into %out[%r] : (tensor<16x64xbf16>, !A, tensor<16xi32>) -> ()
}

// By registers: 128 for the sums, 16 for the left operand and 48 others, a
// quarter more: 240. A quarter of an SM has registers for two such warps.
// CHECK-LABEL: tile.kernel @registers(
// SM80:          tile.min_ctas = 8 : i32
// SM86:          tile.min_ctas = 8 : i32
// SM90:          tile.min_ctas = 8 : i32
tile.kernel @registers(%q: !A, %k: memref<?x256xbf16, strided<[?, 1]>>, %out: memref<?x256xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<16x256xf32>
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  %b = tile.gather %k[%j] : (memref<?x256xbf16, strided<[?, 1]>>, tensor<64xi32>) -> tensor<64x256xbf16>
  %s = tile.dot %a, %b, %zero : tensor<16x64xbf16>, tensor<64x256xbf16>, tensor<16x256xf32> -> tensor<16x256xf32>
  tile.scatter %s into %out[%r] : (tensor<16x256xf32>, memref<?x256xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// What says how many it wants keeps that.
// CHECK-LABEL: tile.kernel @asks(
// CHECK:         tile.min_ctas = 3 : i32
tile.kernel @asks(%q: !A, %out: memref<?x64xf32, strided<[?, 1]>>) attributes {tile.min_ctas = 3 : i32} {
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  %b = tile.gather %q[%j] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  tile.scatter %s into %out[%r] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// Without products there is nothing to estimate from.
// CHECK-LABEL: tile.kernel @copy(
// CHECK-NOT:     tile.min_ctas
tile.kernel @copy(%q: !A, %out: !A) {
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  tile.scatter %a into %out[%r] : (tensor<16x64xbf16>, !A, tensor<16xi32>) -> ()
}

// Where all products are scores that a loop makes, ptxas is told nothing.
// CHECK-LABEL: tile.kernel @walk(
// CHECK:         tile.min_ctas = 0 : i32
tile.kernel @walk(%q: !A, %k: !A, %n: index, %out: memref<?xf32, strided<[1]>>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %least = arith.constant dense<0xFF800000> : tensor<16xf32>
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  %best = scf.for %i = %c0 to %n step %c64 iter_args(%high = %least) -> (tensor<16xf32>) {
    %i32 = arith.index_cast %i : index to i32
    %start = tensor.splat %i32 : tensor<64xi32>
    %key = arith.addi %start, %j : tensor<64xi32>
    %b = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
    %s = tile.dot %a, transposed %b, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    %most = tile.reduce max %s along 1 : tensor<16x64xf32> -> tensor<16xf32>
    %next = arith.maximumf %high, %most : tensor<16xf32>
    scf.yield %next : tensor<16xf32>
  }
  tile.scatter %best into %out[%r] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}
