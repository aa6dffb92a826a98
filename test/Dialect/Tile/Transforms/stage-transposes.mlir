// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline="builtin.module(tile.kernel(tile-stage-through-shared,tile-stage-transposes))" --split-input-file %s | FileCheck %s

!A = memref<?x64xbf16, strided<[?, 1]>>

// 64 rows are dealt to four warps: what they transpose goes through shared
// memory. Q^T, which lies there already as a right operand, is read across.
// CHECK-LABEL: tile.kernel @between_warps
// CHECK-DAG: %[[P:.*]] = tile.alloc_shared : memref<1x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
// CHECK-DAG: %[[Q:.*]] = tile.alloc_shared : memref<1x64x64xbf16
// CHECK:     tile.copy_async {{.*}} into %[[Q]]
// CHECK:     %[[PB:.*]] = arith.truncf
// CHECK:     tile.store_shared %[[PB]] into %[[P]][%{{.*}}]
// CHECK:     %[[PT:.*]] = tile.load_shared transposed %[[P]][%{{.*}}]
// CHECK:     tile.dot %[[PT]],
// CHECK:     %[[QT:.*]] = tile.load_shared transposed %[[Q]][%{{.*}}]
// CHECK:     tile.dot %[[QT]],
tile.kernel @between_warps(%q: !A, %out: !A) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %a, transposed %a, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %p = arith.truncf %s : tensor<64x64xf32> to tensor<64x64xbf16>
  %pt = tile.transpose %p : tensor<64x64xbf16> -> tensor<64x64xbf16>
  %x = tile.dot %pt, %a, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %at = tile.transpose %a : tensor<64x64xbf16> -> tensor<64x64xbf16>
  %y = tile.dot %at, %a, %x : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %o = arith.truncf %y : tensor<64x64xf32> to tensor<64x64xbf16>
  tile.scatter %o into %out[%i] : (tensor<64x64xbf16>, !A, tensor<64xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>

// Both tiles are written before the first is read, which takes one barrier; what
// the sums of a loop are added to can wait.
// CHECK-LABEL: tile.kernel @together
// CHECK:     scf.for
// CHECK:       tile.store_shared
// CHECK:       math.exp2
// CHECK:       tile.store_shared
// CHECK-NEXT:  tile.load_shared transposed
// CHECK-NEXT:  tile.dot
// CHECK:       tile.load_shared transposed
// CHECK:       tile.dot
tile.kernel @together(%q: !A, %out: !A) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant 8 : index
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %sums:2 = scf.for %j = %c0 to %n step %c1 iter_args(%x = %zero, %y = %zero) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
    %s = tile.dot %a, transposed %a, %x : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
    %p = arith.truncf %s : tensor<64x64xf32> to tensor<64x64xbf16>
    %pt = tile.transpose %p : tensor<64x64xbf16> -> tensor<64x64xbf16>
    %dx = tile.dot %pt, %a, %x : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
    %e = math.exp2 %s : tensor<64x64xf32>
    %r = arith.truncf %e : tensor<64x64xf32> to tensor<64x64xbf16>
    %rt = tile.transpose %r : tensor<64x64xbf16> -> tensor<64x64xbf16>
    %dy = tile.dot %rt, %a, %y : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
    scf.yield %dx, %dy : tensor<64x64xf32>, tensor<64x64xf32>
  }
  %sum = arith.addf %sums#0, %sums#1 : tensor<64x64xf32>
  %o = arith.truncf %sum : tensor<64x64xf32> to tensor<64x64xbf16>
  tile.scatter %o into %out[%i] : (tensor<64x64xbf16>, !A, tensor<64xi32>) -> ()
}

// -----

// 16 rows of queries are one warp's; a right operand needs no transpose.
// CHECK-LABEL: tile.kernel @in_a_warp
// CHECK-NOT: shared
// CHECK:     tile.dot %{{.*}}, transposed %{{.*}}, %{{.*}} : tensor<16x64xbf16>, tensor<16x64xbf16>
// CHECK:     tile.transpose
tile.kernel @in_a_warp(%a: tensor<16x64xbf16>, %b: tensor<16x64xbf16>, %out: memref<?x16xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %i = tile.iota : tensor<16xi32>
  %bt = tile.transpose %b : tensor<16x64xbf16> -> tensor<64x16xbf16>
  %s = tile.dot %a, %bt, %zero : tensor<16x64xbf16>, tensor<64x16xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
  %p = arith.truncf %s : tensor<16x16xf32> to tensor<16x16xbf16>
  %pt = tile.transpose %p : tensor<16x16xbf16> -> tensor<16x16xbf16>
  %t = tile.dot %pt, %p, %s : tensor<16x16xbf16>, tensor<16x16xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %t into %out[%i] : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// Rows of f32 are padded, so that neither way has bank conflicts.
// CHECK-LABEL: tile.kernel @f32
// CHECK: tile.alloc_shared : memref<1x16x64xf32, #tile.shared<swizzle = 0, pad = 32>>
// CHECK: tile.store_shared
// CHECK: tile.load_shared transposed
tile.kernel @f32(%p: tensor<16x64xf32>, %b: tensor<16x16xf32>, %out: memref<?x16xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<64x16xf32>
  %i = tile.iota : tensor<64xi32>
  %pt = tile.transpose %p : tensor<16x64xf32> -> tensor<64x16xf32>
  %t = tile.dot %pt, %b, %zero : tensor<64x16xf32>, tensor<16x16xf32>, tensor<64x16xf32> -> tensor<64x16xf32>
  tile.scatter %t into %out[%i] : (tensor<64x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
}
