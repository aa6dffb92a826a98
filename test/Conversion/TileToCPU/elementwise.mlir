// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --split-input-file --tile-to-cpu %s | FileCheck %s

// Elementwise ops are evaluated in the loop of the reduction that consumes them,
// a column at a time, four columns a turn. What goes along rows is a vector, what
// goes along columns a scalar in all lanes.

// CHECK-LABEL: llvm.func @sum_of_products(
// CHECK:         %[[ROWS:.+]] = llvm.load %{{.*}} -> vector<16xf32>
// CHECK:         scf.for {{.*}} iter_args(%[[S0:.+]] = %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK:           %[[COLUMN:.+]] = llvm.load {{.*}} : !llvm.ptr -> f32
// CHECK:           %[[SPLAT:.+]] = vector.broadcast %[[COLUMN]] : f32 to vector<16xf32>
// CHECK:           %[[PRODUCT:.+]] = arith.mulf %[[ROWS]], %[[SPLAT]] fastmath<contract> : vector<16xf32>
// CHECK:           arith.addf %[[S0]], %[[PRODUCT]]
// CHECK-COUNT-3:   arith.mulf %[[ROWS]]
// CHECK:           scf.yield

// The partial sums are added in pairs.
// CHECK-COUNT-3: arith.addf {{.*}} : vector<16xf32>
tile.kernel @sum_of_products(%x: memref<?xf32, strided<[1]>>, %y: memref<?xf32, strided<[1]>>) {
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.lookup %x[%r] : (memref<?xf32, strided<[1]>>, tensor<16xi32>) -> tensor<16xf32>
  %b = tile.lookup %x[%j] : (memref<?xf32, strided<[1]>>, tensor<64xi32>) -> tensor<64xf32>
  %aa = tile.broadcast %a along 1 : tensor<16xf32> -> tensor<16x64xf32>
  %bb = tile.broadcast %b along 0 : tensor<64xf32> -> tensor<16x64xf32>
  %p = arith.mulf %aa, %bb : tensor<16x64xf32>
  %s = tile.reduce sum %p along 1 : tensor<16x64xf32> -> tensor<16xf32>
  tile.scatter %s into %y[%r] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}

// -----

// Four rows fill a quarter of a register: four columns share one, and the sum
// of a vector of columns is folded in the end.

// CHECK-LABEL: llvm.func @four_rows(
// CHECK:         scf.for
// CHECK:           vector.shuffle %{{.*}}, %{{.*}} [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3] : vector<4xf32>, vector<4xf32>
// CHECK:           vector.shuffle %{{.*}}, %{{.*}} [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3] : vector<4xf32>, vector<4xf32>
// CHECK:           arith.mulf {{.*}} : vector<16xf32>
// CHECK:         %[[LOW:.+]] = vector.shuffle %[[SUM:.+]], %[[SUM]] [0, 1, 2, 3, 4, 5, 6, 7]
// CHECK:         %[[HIGH:.+]] = vector.shuffle %[[SUM]], %[[SUM]] [8, 9, 10, 11, 12, 13, 14, 15]
// CHECK:         arith.addf %[[LOW]], %[[HIGH]] {{.*}} : vector<8xf32>
// CHECK:         arith.addf {{.*}} : vector<4xf32>
tile.kernel @four_rows(%x: memref<?xf32, strided<[1]>>, %y: memref<?xf32, strided<[1]>>) {
  %r = tile.iota : tensor<4xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.lookup %x[%r] : (memref<?xf32, strided<[1]>>, tensor<4xi32>) -> tensor<4xf32>
  %b = tile.lookup %x[%j] : (memref<?xf32, strided<[1]>>, tensor<64xi32>) -> tensor<64xf32>
  %aa = tile.broadcast %a along 1 : tensor<4xf32> -> tensor<4x64xf32>
  %bb = tile.broadcast %b along 0 : tensor<64xf32> -> tensor<4x64xf32>
  %p = arith.mulf %aa, %bb : tensor<4x64xf32>
  %s = tile.reduce sum %p along 1 : tensor<4x64xf32> -> tensor<4xf32>
  tile.scatter %s into %y[%r] : (tensor<4xf32>, memref<?xf32, strided<[1]>>, tensor<4xi32>) -> ()
}

// -----

// An exponential that two loops want is stored by the first and loaded by the
// second; the cheap product before it is not.

// CHECK-LABEL: llvm.func @stored_once(
// CHECK:         scf.for
// CHECK:           %[[E:.+]] = math.exp2
// CHECK:           llvm.store %[[E]], {{.*}} : vector<16xf32>
// CHECK:         scf.for
// CHECK-NOT:       math.exp2
// CHECK:           llvm.load {{.*}} -> vector<16xf32>
// CHECK:       llvm.func @stored_once_packed
tile.kernel @stored_once(%x: memref<?x8xf32, strided<[?, 1]>>, %y: memref<?x8xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %t = tile.gather %x[%r] : (memref<?x8xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x8xf32>
  %d = arith.mulf %t, %t : tensor<16x8xf32>
  %e = math.exp2 %d : tensor<16x8xf32>
  %s = tile.reduce sum %e along 1 : tensor<16x8xf32> -> tensor<16xf32>
  %ss = tile.broadcast %s along 1 : tensor<16xf32> -> tensor<16x8xf32>
  %o = arith.divf %e, %ss : tensor<16x8xf32>
  tile.scatter %o into %y[%r] : (tensor<16x8xf32>, memref<?x8xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}
