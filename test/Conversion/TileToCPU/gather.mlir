// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --split-input-file --tile-to-cpu %s | FileCheck %s

// The rows of the right-hand side are read in place if all are there, else
// copied, with zeros for those that are not.

// CHECK-LABEL: llvm.func @masked_rows(
// CHECK:         %[[SCRATCH:.+]] = llvm.alloca %{{.*}} x f32
// CHECK:         %[[ALL:.+]] = vector.reduction <and>, %{{.*}} : vector<16xi1> into i1
// CHECK:         %[[VIEW:.+]]:2 = scf.if %[[ALL]] -> (!llvm.ptr, i64) {
// CHECK-NEXT:      scf.yield
// CHECK-NEXT:    } else {
// CHECK:           scf.for
// CHECK:             scf.if
// CHECK:               llvm.load {{.*}} -> vector<16xf32>
// CHECK:               llvm.store
// CHECK:             } else {
// CHECK:               llvm.store %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK:           scf.yield %{{.*}}, %{{.*}} : !llvm.ptr, i64
// CHECK:         llvm.getelementptr %[[VIEW]]#0
tile.kernel @masked_rows(%k: memref<?x16xf32, strided<[?, 1]>>, %n: i32, %y: memref<?x16xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %ns = tensor.splat %n : tensor<16xi32>
  %live = arith.cmpi slt, %r, %ns : tensor<16xi32>
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %q = tile.gather %y[%r] : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xf32>
  %kt = tile.gather %k[%r] where %live : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>, tensor<16xi1>) -> tensor<16x16xf32>
  %s = tile.dot %q, transposed %kt, %zero : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %y[%r] : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// bf16 is the upper half of f32.

// CHECK-LABEL: llvm.func @bf16_rows(
// CHECK:         %[[BITS:.+]] = llvm.load {{.*}} {alignment = 2 : i64} : !llvm.ptr -> vector<16xi16>
// CHECK:         %[[WIDE:.+]] = arith.extui %[[BITS]] : vector<16xi16> to vector<16xi32>
// CHECK:         %[[SIXTEEN:.+]] = arith.constant dense<16> : vector<16xi32>
// CHECK:         %[[SHIFTED:.+]] = arith.shli %[[WIDE]], %[[SIXTEEN]]
// CHECK:         %[[F32:.+]] = arith.bitcast %[[SHIFTED]] : vector<16xi32> to vector<16xf32>
// CHECK:         llvm.store %[[F32]]
tile.kernel @bf16_rows(%k: memref<?x16xbf16, strided<[?, 1]>>, %y: memref<?x16xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %one = arith.constant dense<1.0> : tensor<16x16xbf16>
  %kt = tile.gather %k[%r] : (memref<?x16xbf16, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xbf16>
  %s = tile.dot %one, %kt, %zero : tensor<16x16xbf16>, tensor<16x16xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %y[%r] : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// Queries are transposed: rows are read along the array, written across lanes.
// Lanes without a row are zero.

// CHECK-LABEL: llvm.func @queries(
// CHECK:         scf.for
// CHECK:         scf.for
// CHECK:           %[[FIRST:.+]] = llvm.getelementptr %[[TILE:[0-9]+]][
// CHECK:           llvm.store %{{.*}}, %[[FIRST]] {alignment = 64 : i64} : vector<16xf32>
// CHECK:         scf.for %[[ROW:.+]] = %{{.*}} to %{{.*}} step
// CHECK:           scf.for %[[COLUMN:.+]] = %
// CHECK:             %[[VALUE:.+]] = llvm.load {{.*}} -> f32
// CHECK:             %[[OFFSET:.+]] = arith.muli %[[COLUMN]], %{{.*}}
// CHECK:             %[[AT:.+]] = llvm.getelementptr %[[TILE]][%[[OFFSET]]]
// CHECK:             %[[LANE:.+]] = llvm.getelementptr %[[AT]][%[[ROW]]]
// CHECK:             llvm.store %[[VALUE]], %[[LANE]]
tile.kernel @queries(%q: memref<?x8xf32, strided<[?, 1]>>, %y: memref<?xf32, strided<[1]>>) {
  %r = tile.iota : tensor<12xi32>
  %t = tile.gather %q[%r] : (memref<?x8xf32, strided<[?, 1]>>, tensor<12xi32>) -> tensor<12x8xf32>
  %s = tile.reduce sum %t along 1 : tensor<12x8xf32> -> tensor<12xf32>
  tile.scatter %s into %y[%r] : (tensor<12xf32>, memref<?xf32, strided<[1]>>, tensor<12xi32>) -> ()
}
