// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --split-input-file --tile-to-cpu %s | FileCheck %s
// RUN: ramify-opt --split-input-file --tile-to-cpu="lanes=8 registers=16" %s | FileCheck %s --check-prefix=AVX2

// Scores: 16 keys at a time are summed over the dims in registers. The keys are
// read as scalars from the array itself, whose rows are a stride apart.

// CHECK-LABEL: llvm.func @scores(
// CHECK-SAME:    %[[K:[^ ]+]]: !llvm.ptr, %{{[^ ]+}}: i64, %{{[^ ]+}}: i64, %[[STRIDE:[^ ]+]]: i64
// CHECK:         %[[START:.+]] = llvm.getelementptr %[[K]][
// CHECK:         scf.for %[[KEY:.+]] = {{.*}} step %[[PANEL:.+]] :
// CHECK:           %[[OFFSET:.+]] = arith.muli %{{.*}}, %[[STRIDE]]
// CHECK:           %[[ROW:.+]] = llvm.getelementptr %[[START]][%[[OFFSET]]]
// CHECK:           scf.for %[[D:.+]] = {{.*}} iter_args(%[[SUM:[^ ]+]] = {{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK:             %[[Q:.+]] = llvm.load {{.*}} {alignment = 64 : i64} : !llvm.ptr -> vector<16xf32>
// CHECK:             %[[AT:.+]] = llvm.getelementptr %[[ROW]][%[[D]]]
// CHECK:             %[[ONE:.+]] = llvm.load %[[AT]] {{.*}} -> f32
// CHECK:             %[[ALL:.+]] = vector.broadcast %[[ONE]] : f32 to vector<16xf32>
// CHECK:             vector.fma %[[ALL]], %[[Q]], %[[SUM]]

// A register of 8 lanes: 16 rows are two, so 12 registers sum 6 keys; 4 divides 64.
// AVX2-LABEL: llvm.func @scores(
// AVX2:         scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>) : i64 {
tile.kernel @scores(%k: memref<?x64xf32, strided<[?, 1]>>, %y: memref<?x64xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %x = tile.iota : tensor<64xi32>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %q = tile.gather %y[%r] : (memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x64xf32>
  %kt = tile.gather %k[%x] : (memref<?x64xf32, strided<[?, 1]>>, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.dot %q, transposed %kt, %zero : tensor<16x64xf32>, tensor<64x64xf32>, tensor<16x64xf32> -> tensor<16x64xf32>
  tile.scatter %s into %y[%r] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// Eight rows fill half a register: it holds them for two dims, which come from
// memory in one load, and are added in the end, the sums of two keys at a time.

// CHECK-LABEL: llvm.func @eight_rows(
// CHECK:           scf.for {{.*}} iter_args
// CHECK:             %[[TWO:.+]] = llvm.load {{.*}} : !llvm.ptr -> vector<16xf32>
// CHECK:             %[[Q:.+]] = vector.shuffle %[[TWO]], %[[TWO]] [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15]
// CHECK:             %[[PAIR:.+]] = llvm.load {{.*}} : !llvm.ptr -> vector<2xf32>
// CHECK:             %[[ALL:.+]] = vector.shuffle %[[PAIR]], %[[PAIR]] [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
// CHECK:             vector.fma %[[ALL]], %[[Q]]
// CHECK:           %[[EVEN:.+]] = vector.shuffle %{{.*}}, %{{.*}} [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// CHECK:           %[[ODD:.+]] = vector.shuffle %{{.*}}, %{{.*}} [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31]
// CHECK:           arith.addf %[[EVEN]], %[[ODD]]
tile.kernel @eight_rows(%k: memref<?x64xf32, strided<[?, 1]>>, %y: memref<?x64xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<8xi32>
  %x = tile.iota : tensor<64xi32>
  %zero = arith.constant dense<0.0> : tensor<8x64xf32>
  %q = tile.gather %y[%r] : (memref<?x64xf32, strided<[?, 1]>>, tensor<8xi32>) -> tensor<8x64xf32>
  %kt = tile.gather %k[%x] : (memref<?x64xf32, strided<[?, 1]>>, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.dot %q, transposed %kt, %zero : tensor<8x64xf32>, tensor<64x64xf32>, tensor<8x64xf32> -> tensor<8x64xf32>
  tile.scatter %s into %y[%r] : (tensor<8x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<8xi32>) -> ()
}

// -----

// A product does not want its operand rounded to 16 bits.

// CHECK-LABEL: llvm.func @exact_operand(
// CHECK-NOT:     arith.shrui
// CHECK:         vector.fma
// CHECK:       llvm.func @exact_operand_packed
tile.kernel @exact_operand(%v: memref<?x16xbf16, strided<[?, 1]>>, %y: memref<?x16xf32, strided<[?, 1]>>) {
  %r = tile.iota : tensor<16xi32>
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %p = tile.gather %y[%r] : (memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xf32>
  %b = arith.truncf %p : tensor<16x16xf32> to tensor<16x16xbf16>
  %vt = tile.gather %v[%r] : (memref<?x16xbf16, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x16xbf16>
  %s = tile.dot %b, %vt, %zero : tensor<16x16xbf16>, tensor<16x16xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %y[%r] : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}
