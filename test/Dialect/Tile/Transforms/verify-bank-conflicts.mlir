// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline='builtin.module(tile-assign-layouts,tile.kernel(tile-verify-bank-conflicts))' --split-input-file --verify-diagnostics %s

!A = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x16xf32, strided<[?, 1]>>
!S = memref<1x16x64xbf16, #tile.shared<swizzle = 0, pad = 0>>

// Rows of 128 bytes one below the other: eight rows of one matrix in four banks.
tile.kernel @matrices(%q: !A, %out: !O) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %ring = tile.alloc_shared : !S
  %r = tile.iota : tensor<16xi32>
  tile.copy_async %q[%r] into %ring[%c0] : (!A, tensor<16xi32>, !S, index) -> ()
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  // expected-error @+1 {{reads [0, 0] with 7 bank conflicts}}
  %b = tile.load_shared %ring[%c0] : !S -> tensor<16x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x64xbf16>, tensor<16x64xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %out[%r] : (tensor<16x16xf32>, !O, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x16xf32, strided<[?, 1]>>
!S = memref<1x16x16xf32, #tile.shared<swizzle = 64, pad = 0>>

// Values of f32 are read by word: four rows, two of which share banks.
tile.kernel @words(%q: !A, %out: !A) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %ring = tile.alloc_shared : !S
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x16xf32>
  %p = tile.dot %a, transposed %a, %zero : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  // expected-error @+1 {{reads [0, 0] with 1 bank conflicts}}
  %b = tile.load_shared %ring[%c0] : !S -> tensor<16x16xf32>
  %s = tile.dot %p, %b, %zero : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %out[%r] : (tensor<16x16xf32>, !A, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x16xf32, strided<[?, 1]>>
!S = memref<1x16x16xf32, #tile.shared<swizzle = 0, pad = 16>>

// Rows of 64 bytes and 16 of padding: what is written at once are rows four
// apart, and what is read has no conflict either.
tile.kernel @padded(%q: !A, %out: !A) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %ring = tile.alloc_shared : !S
  %r = tile.iota : tensor<16xi32>
  tile.copy_async %q[%r] into %ring[%c0] : (!A, tensor<16xi32>, !S, index) -> ()
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x16xf32>
  %p = tile.dot %a, transposed %a, %zero : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %b = tile.load_shared %ring[%c0] : !S -> tensor<16x16xf32>
  %s = tile.dot %p, %b, %zero : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %out[%r] : (tensor<16x16xf32>, !A, tensor<16xi32>) -> ()
}
