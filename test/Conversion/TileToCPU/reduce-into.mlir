// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --split-input-file --tile-to-cpu -verify-diagnostics %s | FileCheck %s

// Rows to which other programs may add are added as vectors, under a lock that
// the row's address chooses, where the row is not masked.

// CHECK:       llvm.mlir.global internal @row_locks(dense<0> : tensor<1024xi32>)
// CHECK-LABEL: llvm.func @free(
// CHECK:         scf.for
// CHECK:           scf.if
// CHECK:             %[[ROW:.*]] = llvm.ptrtoint %[[TO:.*]] :
// CHECK:             %[[TABLE:.*]] = llvm.mlir.addressof @row_locks
// CHECK:             %[[LOCK:.*]] = llvm.getelementptr {{.*}}%[[TABLE]]
// CHECK:             scf.while
// CHECK:               %[[BEFORE:.*]] = llvm.atomicrmw xchg %[[LOCK]], %{{.*}} acquire
// CHECK:               %[[AGAIN:.*]] = arith.cmpi ne, %[[BEFORE]]
// CHECK:               scf.condition(%[[AGAIN]])
// CHECK:             scf.for
// CHECK:               %[[PLACE:.*]] = llvm.getelementptr %[[TO]][
// CHECK:               %[[OLD:.*]] = llvm.load %[[PLACE]] {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
// CHECK:               %[[SUM:.*]] = arith.addf %[[OLD]], %{{.*}} : vector<16xf32>
// CHECK:               llvm.store %[[SUM]], %[[PLACE]] {alignment = 4 : i64} : vector<16xf32>
// CHECK:             scf.for
// CHECK:               arith.addf {{.*}} : f32
// CHECK:             llvm.store %{{.*}}, %[[LOCK]] atomic release
tile.kernel @free(%x: memref<?x40xf32, strided<[?, 1]>>, %y: memref<?x40xf32, strided<[?, 1]>>, %n: i32) {
  %i = tile.iota : tensor<8xi32>
  %end = tensor.splat %n : tensor<8xi32>
  %m = arith.cmpi slt, %i, %end : tensor<8xi32>
  %t = tile.gather %x[%i] where %m : (memref<?x40xf32, strided<[?, 1]>>, tensor<8xi32>, tensor<8xi1>) -> tensor<8x40xf32>
  tile.reduce_into sum %t into %y[%i] where %m order free
      : (tensor<8x40xf32>, memref<?x40xf32, strided<[?, 1]>>, tensor<8xi32>, tensor<8xi1>) -> ()
}

// -----

// Elements are added atomically, one by one; so are rows of an array to which
// elements are added, too.

// CHECK-LABEL: llvm.func @elements(
// CHECK-NOT:     row_locks
// CHECK:         llvm.atomicrmw fadd %{{.*}}, %{{.*}} monotonic : !llvm.ptr, f32
// CHECK:         llvm.atomicrmw fadd %{{.*}}, %{{.*}} monotonic : !llvm.ptr, f32
tile.kernel @elements(%x: memref<?x16xf32, strided<[?, 1]>>, %y: memref<?x16xf32, strided<[?, 1]>>, %z: memref<?xf32, strided<[1]>>) {
  %i = tile.iota : tensor<8xi32>
  %t = tile.gather %x[%i] : (memref<?x16xf32, strided<[?, 1]>>, tensor<8xi32>) -> tensor<8x16xf32>
  %v = tile.lookup %z[%i] : (memref<?xf32, strided<[1]>>, tensor<8xi32>) -> tensor<8xf32>
  tile.reduce_into sum %t into %y[%i] order free
      : (tensor<8x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<8xi32>) -> ()
  tile.reduce_into sum %v into %y[%i, %i] order free
      : (tensor<8xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<8xi32>, tensor<8xi32>) -> ()
}

// -----

// An owner is alone.

// CHECK-LABEL: llvm.func @owner(
// CHECK-NOT:     atomicrmw
// CHECK:         arith.addf
// CHECK-NOT:     atomicrmw
// CHECK:         llvm.store
tile.kernel @owner(%x: memref<?xf32, strided<[1]>>, %y: memref<?xf32, strided<[1]>>) {
  %i = tile.iota : tensor<8xi32>
  %t = tile.lookup %x[%i] : (memref<?xf32, strided<[1]>>, tensor<8xi32>) -> tensor<8xf32>
  tile.reduce_into sum %t into %y[%i] order owner
      : (tensor<8xf32>, memref<?xf32, strided<[1]>>, tensor<8xi32>) -> ()
}

// -----

tile.kernel @narrow(%x: memref<?xbf16, strided<[1]>>, %y: memref<?xbf16, strided<[1]>>) {
  %i = tile.iota : tensor<8xi32>
  %t = tile.lookup %x[%i] : (memref<?xbf16, strided<[1]>>, tensor<8xi32>) -> tensor<8xbf16>
  // expected-error @below {{adds to 'bf16' in the order free, which has no lowering to the CPU}}
  tile.reduce_into sum %t into %y[%i] order free
      : (tensor<8xbf16>, memref<?xbf16, strided<[1]>>, tensor<8xi32>) -> ()
}

// -----

// The rows of a tile are the columns of the transposed one, which are vectors.

// CHECK-LABEL: llvm.func @transposed(
// CHECK:         scf.for
// CHECK:           %[[ROW:.*]] = llvm.load {{.*}} -> vector<16xf32>
// CHECK:           llvm.store %[[ROW]], {{.*}} : vector<16xf32>
tile.kernel @transposed(%x: memref<?x16xf32, strided<[?, 1]>>, %y: memref<?x8xf32, strided<[?, 1]>>) {
  %i = tile.iota : tensor<8xi32>
  %j = tile.iota : tensor<16xi32>
  %t = tile.gather %x[%i] : (memref<?x16xf32, strided<[?, 1]>>, tensor<8xi32>) -> tensor<8x16xf32>
  %u = tile.transpose %t : tensor<8x16xf32> -> tensor<16x8xf32>
  tile.scatter %u into %y[%j] : (tensor<16x8xf32>, memref<?x8xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}
