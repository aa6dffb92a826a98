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
  %q = tile.gather %y[%r] : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xf32>
  %kt = tile.gather %k[%r] where %live : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>, tensor<16xi1>) -> tensor<16x16xf32>
  %s = tile.dot %q, transposed %kt, %q : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %y[%r] : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// A product with nothing to add to reads rows in place, too, if those that count
// are neighbours: its columns of the others are zero.

// CHECK-LABEL: llvm.func @bounded_rows(
// CHECK:         %[[BITS:.+]] = vector.bitcast %{{.*}} : vector<16xi1> to vector<1xi16>
// CHECK:         %[[ALL:.+]] = vector.extract %[[BITS]][0]
// CHECK:         %[[FIRST:.+]] = math.cttz %[[ALL]] : i16
// CHECK:         math.ctlz %[[ALL]] : i16
// CHECK:         math.ctpop %[[ALL]] : i16
// CHECK:         %[[VIEW:.+]]:4 = scf.if %{{.*}} -> (!llvm.ptr, i64, i64, i64) {
// CHECK-NEXT:      scf.yield
// CHECK:         scf.for %{{.*}} = %{{.*}} to %[[VIEW]]#2 step
// CHECK:           llvm.store %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK:         scf.for %{{.*}} = %[[VIEW]]#3 to
// CHECK:           llvm.store %{{.*}}, %{{.*}} : vector<16xf32>
tile.kernel @bounded_rows(%k: memref<?x16xf32, strided<[?, 1]>>, %n: i32, %y: memref<?x16xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %ns = tensor.splat %n : tensor<16xi32>
  %live = arith.cmpi slt, %r, %ns : tensor<16xi32>
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %q = tile.gather %y[%r] : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xf32>
  %kt = tile.gather %k[%r] where %live : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>, tensor<16xi1>) -> tensor<16x16xf32>
  %s = tile.dot %q, transposed %kt, %zero : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %y[%r] : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// A product over the rows goes from the first to the last that counts.

// CHECK-LABEL: llvm.func @summed_rows(
// CHECK:         %[[VIEW:.+]]:4 = scf.if %{{.*}} -> (!llvm.ptr, i64, i64, i64) {
// CHECK:         %[[LENGTH:.+]] = arith.subi %[[VIEW]]#3, %[[VIEW]]#2 : i64
// CHECK:         %[[REST:.+]] = arith.andi %[[LENGTH]], %{{.*}} : i64
// CHECK:         %[[BETWEEN:.+]] = arith.subi %[[VIEW]]#3, %[[REST]] : i64
// CHECK:         scf.for %{{.*}} = %[[VIEW]]#2 to %[[BETWEEN]] step
// CHECK:         scf.for %{{.*}} = %[[BETWEEN]] to %[[VIEW]]#3 step
tile.kernel @summed_rows(%v: memref<?x16xf32, strided<[?, 1]>>, %n: i32, %y: memref<?x16xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %ns = tensor.splat %n : tensor<16xi32>
  %live = arith.cmpi slt, %r, %ns : tensor<16xi32>
  %p = tile.gather %y[%r] : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xf32>
  %rows = tile.gather %v[%r] where %live : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>, tensor<16xi1>) -> tensor<16x16xf32>
  %s = tile.dot %p, %rows, %p : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
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

// Queries are transposed, 8 columns at a time, by interleaving rows. Lanes
// without a row read zeros.

// CHECK-LABEL: llvm.func @queries(
// CHECK:         %[[INSIDE:.+]] = arith.cmpi slt, %{{.*}}, %{{.*}} : i64
// CHECK:         arith.select %[[INSIDE]], %{{.*}}, %{{.*}} : !llvm.ptr
// CHECK-COUNT-4: llvm.load {{.*}} -> vector<8xf32>
// CHECK:         vector.shuffle %{{.*}}, %{{.*}} [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15] : vector<8xf32>, vector<8xf32>
// CHECK:         %[[BLOCK:.+]] = vector.shuffle {{.*}} : vector<16xf32>, vector<16xf32>
// CHECK:         %[[COLUMN:.+]] = vector.shuffle %[[BLOCK]], %[[BLOCK]] [0, 1, 2, 3]
// CHECK:         llvm.store %[[COLUMN]]
tile.kernel @queries(%q: memref<?x8xf32, strided<[?, 1]>>, %y: memref<?xf32, strided<[1]>>) {
  %r = tile.iota : tensor<3xi32>
  %t = tile.gather %q[%r] : (memref<?x8xf32, strided<[?, 1]>>, tensor<3xi32>) -> tensor<3x8xf32>
  %s = tile.reduce sum %t along 1 : tensor<3x8xf32> -> tensor<3xf32>
  tile.scatter %s into %y[%r] : (tensor<3xf32>, memref<?xf32, strided<[1]>>, tensor<3xi32>) -> ()
}

// -----

// And back: masked rows go to a spare one.

// CHECK-LABEL: llvm.func @results(
// CHECK:         %[[SPARE:.+]] = llvm.alloca %{{.*}} x bf16
// CHECK:         %[[ROW:.+]] = arith.select %{{.*}}, %{{.*}}, %[[SPARE]] : !llvm.ptr
// CHECK-COUNT-8: llvm.load {{.*}} -> vector<4xf32>
// CHECK:         %[[BLOCK:.+]] = vector.shuffle {{.*}} : vector<16xf32>, vector<16xf32>
// CHECK:         vector.shuffle %[[BLOCK]], %[[BLOCK]] [0, 1, 2, 3, 4, 5, 6, 7]
// CHECK:         %[[AT:.+]] = llvm.getelementptr %[[ROW]][
// CHECK:         %[[HALF:.+]] = arith.trunci {{.*}} : vector<8xi32> to vector<8xi16>
// CHECK:         llvm.store %[[HALF]], %[[AT]]
tile.kernel @results(%n: i32, %y: memref<?x8xbf16, strided<[?, 1]>>) {
  %r = tile.iota : tensor<4xi32>
  %ns = tensor.splat %n : tensor<4xi32>
  %live = arith.cmpi slt, %r, %ns : tensor<4xi32>
  %one = arith.constant dense<1.0> : tensor<4x8xbf16>
  tile.scatter %one into %y[%r] where %live : (tensor<4x8xbf16>, memref<?x8xbf16, strided<[?, 1]>>, tensor<4xi32>, tensor<4xi1>) -> ()
}
