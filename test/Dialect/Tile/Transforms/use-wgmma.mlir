// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline="builtin.module(tile.kernel(tile-stage-through-shared,tile-stage-transposes),canonicalize,tile-assign-layouts,canonicalize,cse,tile.kernel(tile-use-wgmma,tile-insert-barriers))" --split-input-file %s | FileCheck %s

!A = memref<?x64xbf16, strided<[?, 1]>>

// What is in shared memory is read there, as it lies or across; what is made in
// registers is multiplied from them. The last two products are under way together:
// the one that is needed first was started last, so its wait is for both.
// CHECK-LABEL: tile.kernel @gradient
// CHECK-SAME:  tile.warps = 4
// CHECK-DAG: %[[Q:.*]] = tile.alloc_shared : memref<1x64x64xbf16
// CHECK:     tile.barrier
// CHECK:     %[[ST:.*]] = tile.wgmma %{{.*}}[%{{.*}}], transposed %{{.*}}[%{{.*}}], %{{.*}} : memref
// CHECK:     %[[S:.*]] = tile.wgmma_wait 0 %[[ST]]
// CHECK:     %[[P:.*]] = arith.truncf %[[S]]
// CHECK:     tile.store_shared %[[P]] into %[[PM:.*]][%{{.*}}]
// CHECK:     tile.barrier
// CHECK:     %[[G:.*]] = tile.wgmma transposed %[[PM]][%{{.*}}], %{{.*}}[%{{.*}}], %{{.*}}
// CHECK:     %[[O:.*]] = tile.wgmma %[[P]], %{{.*}}[%{{.*}}], %{{.*}} : tensor<64x64xbf16
// CHECK:     %[[OW:.*]] = tile.wgmma_wait 0 %[[O]]
// CHECK:     tile.scatter %[[OW]]
// CHECK:     %[[GW:.*]] = tile.wgmma_wait 0 %[[G]]
// CHECK:     tile.scatter %[[GW]]
// CHECK-NOT: tile.dot
tile.kernel @gradient(%q: !A, %k: !A, %o: memref<?x64xf32, strided<[?, 1]>>, %g: memref<?x64xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %b = tile.gather %k[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %p = arith.truncf %s : tensor<64x64xf32> to tensor<64x64xbf16>
  %pt = tile.transpose %p : tensor<64x64xbf16> -> tensor<64x64xbf16>
  %gk = tile.dot %pt, %a, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %or = tile.dot %p, %b, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.scatter %or into %o[%i] : (tensor<64x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
  tile.scatter %gk into %g[%i] : (tensor<64x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>

// A buffer is not written while a product may read it: the barrier comes behind
// the wait.
// CHECK-LABEL: tile.kernel @overwritten
// CHECK:     scf.for
// CHECK:       tile.barrier
// CHECK:       tile.store_shared
// CHECK:       tile.barrier
// CHECK:       %[[T:.*]] = tile.wgmma transposed
// CHECK:       %[[S:.*]] = tile.wgmma_wait 0 %[[T]]
// CHECK:       scf.yield %[[S]]
tile.kernel @overwritten(%q: !A, %o: memref<?x64xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %sum = scf.for %j = %c0 to %c8 step %c1 iter_args(%x = %zero) -> (tensor<64x64xf32>) {
    %p = arith.truncf %x : tensor<64x64xf32> to tensor<64x64xbf16>
    %pt = tile.transpose %p : tensor<64x64xbf16> -> tensor<64x64xbf16>
    %y = tile.dot %pt, %a, %x : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
    scf.yield %y : tensor<64x64xf32>
  }
  tile.scatter %sum into %o[%i] : (tensor<64x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x64xf32, strided<[?, 1]>>

// 128 rows are two warpgroups'. A product of 64 rows among them is none for
// these: all warps share its columns.
// CHECK-LABEL: tile.kernel @two_warpgroups
// CHECK-SAME:  tile.warps = 8
// CHECK:     %[[T:.*]] = tile.wgmma %{{.*}}[%{{.*}}], transposed %{{.*}}[%{{.*}}], %{{.*}} : memref<1x128x64xbf16, {{.*}}>, memref<1x64x64xbf16, {{.*}}>, tensor<128x64xf32
// CHECK:     %[[S:.*]] = tile.wgmma_wait 0 %[[T]]
// CHECK:     %[[P:.*]] = arith.truncf %[[S]]
// CHECK:     tile.wgmma %[[P]], %{{.*}}[%{{.*}}], %{{.*}} : tensor<128x64xbf16
// CHECK:     tile.dot {{.*}} -> tensor<64x64xf32
tile.kernel @two_warpgroups(%q: !A, %k: !A, %o: !O, %g: !O) {
  %zero = arith.constant dense<0.0> : tensor<128x64xf32>
  %few = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<128xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!A, tensor<128xi32>) -> tensor<128x64xbf16>
  %b = tile.gather %k[%j] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<128x64xbf16>, tensor<64x64xbf16>, tensor<128x64xf32> -> tensor<128x64xf32>
  %p = arith.truncf %s : tensor<128x64xf32> to tensor<128x64xbf16>
  %or = tile.dot %p, %b, %zero : tensor<128x64xbf16>, tensor<64x64xbf16>, tensor<128x64xf32> -> tensor<128x64xf32>
  %pt = tile.transpose %p : tensor<128x64xbf16> -> tensor<64x128xbf16>
  %gk = tile.dot %pt, %a, %few : tensor<64x128xbf16>, tensor<128x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.scatter %or into %o[%i] : (tensor<128x64xf32>, !O, tensor<128xi32>) -> ()
  tile.scatter %gk into %g[%j] : (tensor<64x64xf32>, !O, tensor<64xi32>) -> ()
}

// -----

!A = memref<?x64xf32, strided<[?, 1]>>
!B = memref<?x32xbf16, strided<[?, 1]>>

// f32 is split, which happens in registers; rows of 64 bytes have another
// swizzle; one warp is no warpgroup.
// CHECK-LABEL: tile.kernel @f32
// CHECK-NOT: wgmma
// CHECK-LABEL: tile.kernel @narrow
// CHECK-NOT: wgmma
// CHECK-LABEL: tile.kernel @warp
// CHECK-NOT: wgmma
tile.kernel @f32(%q: !A, %o: memref<?x64xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.dot %a, transposed %a, %zero : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.scatter %s into %o[%i] : (tensor<64x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
}

tile.kernel @narrow(%q: !B, %o: memref<?x64xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!B, tensor<64xi32>) -> tensor<64x32xbf16>
  %s = tile.dot %a, transposed %a, %zero : tensor<64x32xbf16>, tensor<64x32xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.scatter %s into %o[%i] : (tensor<64x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
}

tile.kernel @warp(%q: memref<?x64xbf16, strided<[?, 1]>>, %o: memref<?x64xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %i = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (memref<?x64xbf16, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x64xbf16>
  %b = tile.gather %q[%j] : (memref<?x64xbf16, strided<[?, 1]>>, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  tile.scatter %s into %o[%i] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x64xf32, strided<[?, 1]>>

// What is needed first was started first: the other goes on.
// CHECK-LABEL: tile.kernel @in_order
// CHECK:     %[[S:.*]] = tile.wgmma %{{.*}}, transposed
// CHECK:     %[[T:.*]] = tile.wgmma %{{.*}}, transposed
// CHECK:     %[[SW:.*]] = tile.wgmma_wait 1 %[[S]]
// CHECK:     tile.scatter %[[SW]]
// CHECK:     %[[TW:.*]] = tile.wgmma_wait 0 %[[T]]
// CHECK:     tile.scatter %[[TW]]
tile.kernel @in_order(%q: !A, %k: !A, %o: !O, %g: !O) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %b = tile.gather %k[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %t = tile.dot %b, transposed %a, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.scatter %s into %o[%i] : (tensor<64x64xf32>, !O, tensor<64xi32>) -> ()
  tile.scatter %t into %g[%i] : (tensor<64x64xf32>, !O, tensor<64xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x64xf32, strided<[?, 1]>>

// No product is under way across a branch, though its result is needed behind it.
// CHECK-LABEL: tile.kernel @before_a_branch
// CHECK:     %[[S:.*]] = tile.wgmma %{{.*}}, transposed
// CHECK:     %[[SW:.*]] = tile.wgmma_wait 0 %[[S]]
// CHECK-NEXT: scf.if
// CHECK:     tile.scatter %[[SW]]
tile.kernel @before_a_branch(%q: !A, %k: !A, %o: !O, %n: i32) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %none = arith.constant 0 : i32
  %some = arith.cmpi sgt, %n, %none : i32
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %b = tile.gather %k[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  scf.if %some {
    tile.scatter %zero into %o[%i] : (tensor<64x64xf32>, !O, tensor<64xi32>) -> ()
  }
  tile.scatter %s into %o[%i] : (tensor<64x64xf32>, !O, tensor<64xi32>) -> ()
}
