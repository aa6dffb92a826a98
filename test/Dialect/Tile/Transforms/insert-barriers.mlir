// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline="builtin.module(tile.kernel(tile-insert-barriers))" --split-input-file %s | FileCheck %s

!S = memref<1x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// What is stored is read after a barrier, and stored again after another, which
// comes round the loop. Both operands are read behind the barrier, next to
// their product.
// CHECK-LABEL: tile.kernel @loop
// CHECK:      scf.for
// CHECK-NEXT:   tile.barrier
// CHECK-NEXT:   tile.store_shared
// CHECK-NEXT:   tile.barrier
// CHECK-DAG:    tile.load_shared %
// CHECK-DAG:    tile.load_shared transposed %
// CHECK-NEXT:   tile.dot
// CHECK-NOT:    tile.barrier
// CHECK:      tile.end
tile.kernel @loop(%p: tensor<64x64xbf16>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.alloc_shared : !S
  %b = tile.alloc_shared : !S
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<64x64xf32>) {
    %y = tile.load_shared %b[%c0] : !S -> tensor<64x64xbf16>
    tile.store_shared %p into %a[%c0] : tensor<64x64xbf16>, !S
    %x = tile.load_shared transposed %a[%c0] : !S -> tensor<64x64xbf16>
    %s = tile.dot %x, %y, %acc : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
    scf.yield %s : tensor<64x64xf32>
  }
}

// -----

!C = memref<?xi32, strided<[1]>>

// Additions commute with each other, not with a read; reads do with reads. A
// branch leaves what either side has done.
// CHECK-LABEL: tile.kernel @arrays
// CHECK:      tile.reduce_into
// CHECK-NEXT: tile.reduce_into
// CHECK-NEXT: tile.barrier
// CHECK-NEXT: tile.lookup
// CHECK-NEXT: tile.lookup
// CHECK-NEXT: scf.if
// CHECK-NEXT:   tile.barrier
// CHECK-NEXT:   tile.scatter
// CHECK-NEXT: }
// CHECK-NEXT: tile.barrier
// CHECK-NEXT: memref.load
// CHECK-NEXT: memref.load
// CHECK-NEXT: tile.barrier
// CHECK-NEXT: memref.store
tile.kernel @arrays(%counts: !C, %other: !C, %x: tensor<64xi32>, %i: tensor<64xi32>, %some: i1, %none: i32) {
  %c0 = arith.constant 0 : index
  tile.reduce_into sum %x into %counts[%i] order free : (tensor<64xi32>, !C, tensor<64xi32>) -> ()
  tile.reduce_into sum %x into %counts[%i] order owner : (tensor<64xi32>, !C, tensor<64xi32>) -> ()
  %n = tile.lookup %counts[%i] : (!C, tensor<64xi32>) -> tensor<64xi32>
  %m = tile.lookup %other[%i] : (!C, tensor<64xi32>) -> tensor<64xi32>
  scf.if %some {
    tile.scatter %n into %counts[%i] : (tensor<64xi32>, !C, tensor<64xi32>) -> ()
  }
  %a = memref.load %counts[%c0] : !C
  %b = memref.load %other[%c0] : !C
  memref.store %none, %counts[%c0] : !C
}

// -----

!R = memref<?xf32, strided<[1]>>

// An owner's floats are read and written back, maybe by other threads than last
// time: also when a loop comes round.
// CHECK-LABEL: tile.kernel @owner
// CHECK-NEXT: tile.reduce_into sum %{{.*}} : (tensor<64xf32>
// CHECK-NEXT: tile.barrier
// CHECK-NEXT: tile.reduce_into sum %{{.*}} : (tensor<16xf32>
// CHECK-NEXT: scf.for
// CHECK-NEXT:   tile.barrier
// CHECK-NEXT:   tile.reduce_into sum %{{.*}} : (tensor<16xf32>
// CHECK-NOT:  tile.barrier
// CHECK:      tile.end
tile.kernel @owner(%sums: !R, %x: tensor<64xf32>, %i: tensor<64xi32>, %y: tensor<16xf32>, %j: tensor<16xi32>, %from: index, %to: index, %step: index) {
  tile.reduce_into sum %x into %sums[%i] order owner {run = 16 : i64} : (tensor<64xf32>, !R, tensor<64xi32>) -> ()
  tile.reduce_into sum %y into %sums[%j] order owner {run = 16 : i64} : (tensor<16xf32>, !R, tensor<16xi32>) -> ()
  scf.for %n = %from to %to step %step {
    tile.reduce_into sum %y into %sums[%j] order owner {run = 16 : i64} : (tensor<16xf32>, !R, tensor<16xi32>) -> ()
  }
}
