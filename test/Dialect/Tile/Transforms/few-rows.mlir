// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline="builtin.module(tile.kernel(tile-stage-through-shared,tile-stage-transposes),tile-assign-layouts,canonicalize,cse,tile.kernel(tile-insert-barriers),tile-verify-stage{stage=placed})" --split-input-file %s | FileCheck %s

!A = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x64xf32, strided<[?, 1]>>

// 64 rows are dealt to four warps. These share the columns of the product with
// 16 rows, eight columns to each in turn: all of them read what was transposed,
// each its columns of the right operand.
// CHECK-DAG: #[[$SUMS:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 4], repeat = [1, 2]>
// CHECK-DAG: #[[$SCORES:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [4, 1], repeat = [1, 2]>
// CHECK-DAG: #[[$LEFT:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 8]>
// CHECK-DAG: #[[$RIGHT:.*]] = #tile.layout<reg = {{\[}}[1, 0], [8, 0]], lane = {{\[}}[2, 0], [4, 0], [0, 1], [0, 2], [0, 4]], warps = [1, 4], repeat = [4, 2]>
// CHECK-LABEL: tile.kernel @few(
// CHECK-SAME:    tile.warps = 4
// CHECK:         %[[S:.*]] = tile.dot {{.*}} -> tensor<64x16xf32, #[[$SCORES]]>
// CHECK:         tile.store_shared
// CHECK:         tile.barrier
// CHECK-DAG:     %[[PT:.*]] = tile.load_shared transposed {{.*}} -> tensor<16x64xbf16, #[[$LEFT]]>
// CHECK-DAG:     %[[Q:.*]] = tile.load_shared {{.*}} -> tensor<64x64xbf16, #[[$RIGHT]]>
// CHECK:         tile.dot %[[PT]], %[[Q]], {{.*}} -> tensor<16x64xf32, #[[$SUMS]]>
// CHECK:         tile.reduce_into {{.*}}tensor<16x64xf32, #[[$SUMS]]>
tile.kernel @few(%q: !A, %k: !A, %out: !O) {
  %zero = arith.constant dense<0.0> : tensor<64x16xf32>
  %none = arith.constant dense<0.0> : tensor<16x64xf32>
  %i = tile.iota : tensor<64xi32>
  %j = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %b = tile.gather %k[%j] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<64x64xbf16>, tensor<16x64xbf16>, tensor<64x16xf32> -> tensor<64x16xf32>
  %p = arith.truncf %s : tensor<64x16xf32> to tensor<64x16xbf16>
  %pt = tile.transpose %p : tensor<64x16xbf16> -> tensor<16x64xbf16>
  %x = tile.dot %pt, %a, %none : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  tile.reduce_into sum %x into %out[%j] order free : (tensor<16x64xf32>, !O, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x80xbf16, strided<[?, 1]>>
!O = memref<?x80xf32, strided<[?, 1]>>

// Ten times eight columns: two of the warps have them, the others the same.
// CHECK-DAG: #[[$SUMS:.*]] = #tile.layout<{{.*}}, warps = [1, 2], repeat = [1, 5]>
// CHECK-LABEL: tile.kernel @uneven(
// CHECK-SAME:    tile.warps = 4
// CHECK:         tile.dot {{.*}} -> tensor<16x80xf32, #[[$SUMS]]>
tile.kernel @uneven(%q: !A, %k: !A, %out: !O) {
  %zero = arith.constant dense<0.0> : tensor<64x16xf32>
  %none = arith.constant dense<0.0> : tensor<16x80xf32>
  %i = tile.iota : tensor<64xi32>
  %j = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x80xbf16>
  %b = tile.gather %k[%j] : (!A, tensor<16xi32>) -> tensor<16x80xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<64x80xbf16>, tensor<16x80xbf16>, tensor<64x16xf32> -> tensor<64x16xf32>
  %p = arith.truncf %s : tensor<64x16xf32> to tensor<64x16xbf16>
  %pt = tile.transpose %p : tensor<64x16xbf16> -> tensor<16x64xbf16>
  %x = tile.dot %pt, %a, %none : tensor<16x64xbf16>, tensor<64x80xbf16>, tensor<16x80xf32> -> tensor<16x80xf32>
  tile.reduce_into sum %x into %out[%j] order free : (tensor<16x80xf32>, !O, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x64xf32, strided<[?, 1]>>

// A sum over the columns crosses the warps that share them; all have it then.
// CHECK-DAG: #[[$SUMS:.*]] = #tile.layout<{{.*}}, warps = [1, 4], repeat = [1, 2]>
// CHECK-DAG: #[[$ROWS:.*]] = #tile.layout<{{.*}}, warps = [1], repeat = [2]>
// CHECK-LABEL: tile.kernel @reduced(
// CHECK-SAME:    tile.warps = 4
// CHECK:         tile.reduce sum {{.*}} along 1 : tensor<16x64xf32, #[[$SUMS]]> -> tensor<16xf32, #[[$ROWS]]>
tile.kernel @reduced(%q: !A, %k: !A, %out: memref<?xf32, strided<[1]>>) {
  %zero = arith.constant dense<0.0> : tensor<64x16xf32>
  %none = arith.constant dense<0.0> : tensor<16x64xf32>
  %i = tile.iota : tensor<64xi32>
  %j = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %b = tile.gather %k[%j] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<64x64xbf16>, tensor<16x64xbf16>, tensor<64x16xf32> -> tensor<64x16xf32>
  %p = arith.truncf %s : tensor<64x16xf32> to tensor<64x16xbf16>
  %pt = tile.transpose %p : tensor<64x16xbf16> -> tensor<16x64xbf16>
  %x = tile.dot %pt, %a, %none : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  %l = tile.reduce sum %x along 1 : tensor<16x64xf32> -> tensor<16xf32>
  tile.scatter %l into %out[%j] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!O = memref<?x64xf32, strided<[?, 1]>>

// So does a sum of the rows that are dealt to warps.
// CHECK-DAG: #[[$SCORES:.*]] = #tile.layout<{{.*}}, warps = [4, 1], repeat = [1, 2]>
// CHECK-LABEL: tile.kernel @summed(
// CHECK-SAME:    tile.warps = 4
// CHECK:         tile.reduce sum {{.*}} along 0 : tensor<64x16xf32, #[[$SCORES]]> -> tensor<16xf32
tile.kernel @summed(%q: !A, %k: !A, %out: !O, %bias: memref<?xf32, strided<[1]>>) {
  %zero = arith.constant dense<0.0> : tensor<64x16xf32>
  %none = arith.constant dense<0.0> : tensor<16x64xf32>
  %i = tile.iota : tensor<64xi32>
  %j = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
  %b = tile.gather %k[%j] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<64x64xbf16>, tensor<16x64xbf16>, tensor<64x16xf32> -> tensor<64x16xf32>
  %p = arith.truncf %s : tensor<64x16xf32> to tensor<64x16xbf16>
  %pt = tile.transpose %p : tensor<64x16xbf16> -> tensor<16x64xbf16>
  %x = tile.dot %pt, %a, %none : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  tile.reduce_into sum %x into %out[%j] order free : (tensor<16x64xf32>, !O, tensor<16xi32>) -> ()
  %l = tile.reduce sum %s along 0 : tensor<64x16xf32> -> tensor<16xf32>
  tile.scatter %l into %bias[%j] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}
