// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --split-input-file --tile-to-cpu %s | FileCheck %s

// A branch between tiles that only takes arithmetic is a selection, column by
// column, in the loop that needs it.

// CHECK-LABEL: llvm.func @selection(
// CHECK-NOT:     scf.if
// CHECK:         scf.for {{.*}} iter_args
// CHECK:           arith.select %{{.*}}, %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK:           arith.maximumf
// CHECK:       llvm.func @selection_packed
tile.kernel @selection(%x: memref<?x8xf32, strided<[?, 1]>>, %n: i32, %y: memref<?xf32, strided<[1]>>) {
  %r = tile.iota : tensor<16xi32>
  %zero = arith.constant 0 : i32
  %none = arith.constant dense<0xFF800000> : tensor<16x8xf32>
  %t = tile.gather %x[%r] : (memref<?x8xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x8xf32>
  %is = arith.cmpi eq, %n, %zero : i32
  %s = scf.if %is -> (tensor<16x8xf32>) {
    scf.yield %none : tensor<16x8xf32>
  } else {
    scf.yield %t : tensor<16x8xf32>
  }
  %m = tile.reduce max %s along 1 : tensor<16x8xf32> -> tensor<16xf32>
  tile.scatter %m into %y[%r] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}

// -----

// A loop-carried tile has one place: the product in the branch adds to it where
// it stands, and the branch that changes nothing does nothing. Vectors and
// scalars are carried as values.

// CHECK-LABEL: llvm.func @in_place(
// CHECK:         scf.for
// CHECK:         scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>)
// CHECK:           %[[NEXT:.+]] = scf.if {{.*}} -> (vector<16xf32>) {
// CHECK:             %[[PLACE:.+]] = llvm.getelementptr %[[ACC:[0-9]+]][
// CHECK:             llvm.load %[[PLACE]] {{.*}} -> vector<16xf32>
// CHECK:             vector.fma
// CHECK:             llvm.store %{{.*}}, %[[PLACE]]
// CHECK:           } else {
// CHECK-NEXT:        scf.yield
// CHECK-NEXT:      }
// CHECK-NEXT:      scf.yield %[[NEXT]]
// CHECK:         scf.for
// CHECK:           llvm.getelementptr %[[ACC]][
tile.kernel @in_place(%x: memref<?x16xf32, strided<[?, 1]>>, %n: index, %y: memref<?x16xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %zeros = arith.constant dense<0.0> : tensor<16xf32>
  %t = tile.gather %x[%r] : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xf32>
  %o:2 = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero, %l = %zeros) -> (tensor<16x16xf32>, tensor<16xf32>) {
    %odd = arith.cmpi ult, %i, %c5 : index
    %next:2 = scf.if %odd -> (tensor<16x16xf32>, tensor<16xf32>) {
      %sum = tile.dot %t, %t, %acc : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
      %twice = arith.addf %l, %l : tensor<16xf32>
      scf.yield %sum, %twice : tensor<16x16xf32>, tensor<16xf32>
    } else {
      scf.yield %acc, %l : tensor<16x16xf32>, tensor<16xf32>
    }
    scf.yield %next#0, %next#1 : tensor<16x16xf32>, tensor<16xf32>
  }
  tile.scatter %o#0 into %y[%r] : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}
