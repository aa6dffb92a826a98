// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --canonicalize --cse --tile-verify-stage=stage=placed --split-input-file %s | FileCheck %s

!A = memref<?x32xf32, strided<[?, 1]>>
!V = memref<?x256xf32, strided<[?, 1]>>

// The sums of f32 products that have 256 columns are dealt to two warps, eight
// columns to each in turn, and so are the columns of the values; scores both
// warps have. Rows of sums have one layout in both.
// CHECK-DAG: #[[$SUMS:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 2], repeat = [1, 16]>
// CHECK-DAG: #[[$SCORES:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
// CHECK-DAG: #[[$VALUES:.*]] = #tile.layout<reg = {{\[}}[1, 0]], lane = {{\[}}[2, 0], [4, 0], [0, 1], [0, 2], [0, 4]], warps = [1, 2], repeat = [2, 16]>
// CHECK-DAG: #[[$ROWS:.*]] = #tile.layout<reg = [], lane = {{\[}}[0], [0], [1], [2], [4]], warps = [1], repeat = [2]>
// CHECK-LABEL: tile.kernel @wide(
// CHECK-SAME:    tile.warps = 2
// CHECK:         %[[S:.*]] = tile.dot {{.*}} transposed {{.*}} -> tensor<16x16xf32, #[[$SCORES]]>
// CHECK:         tile.dot %[[S]], %{{.*}} : tensor<16x16xf32, #[[$SCORES]]>, tensor<16x256xf32, #[[$VALUES]]>, {{.*}} -> tensor<16x256xf32, #[[$SUMS]]>
// CHECK:         tile.broadcast %{{.*}} along 1 : tensor<16xf32, #[[$ROWS]]> -> tensor<16x256xf32, #[[$SUMS]]>
tile.kernel @wide(%q: !A, %k: !A, %v: !V, %out: !V) {
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %none = arith.constant dense<0.0> : tensor<16x256xf32>
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x32xf32>
  %b = tile.gather %k[%r] : (!A, tensor<16xi32>) -> tensor<16x32xf32>
  %c = tile.gather %v[%r] : (!V, tensor<16xi32>) -> tensor<16x256xf32>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x32xf32>, tensor<16x32xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %o = tile.dot %s, %c, %none : tensor<16x16xf32>, tensor<16x256xf32>, tensor<16x256xf32> -> tensor<16x256xf32>
  %m = tile.reduce max %s along 1 : tensor<16x16xf32> -> tensor<16xf32>
  %mb = tile.broadcast %m along 1 : tensor<16xf32> -> tensor<16x256xf32>
  %x = arith.mulf %o, %mb : tensor<16x256xf32>
  tile.scatter %x into %out[%r] : (tensor<16x256xf32>, !V, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x32xf32, strided<[?, 1]>>
!V = memref<?x256xf32, strided<[?, 1]>>

// A sum over the columns would have to cross warps: one warp has them all.
// CHECK-LABEL: tile.kernel @reduced(
// CHECK-SAME:    tile.warps = 1
tile.kernel @reduced(%q: !A, %v: !V, %out: memref<?xf32, strided<[1]>>) {
  %none = arith.constant dense<0.0> : tensor<16x256xf32>
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<32xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x32xf32>
  %b = tile.gather %v[%j] : (!V, tensor<32xi32>) -> tensor<32x256xf32>
  %o = tile.dot %a, %b, %none : tensor<16x32xf32>, tensor<32x256xf32>, tensor<16x256xf32> -> tensor<16x256xf32>
  %l = tile.reduce sum %o along 1 : tensor<16x256xf32> -> tensor<16xf32>
  tile.scatter %l into %out[%r] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x32xbf16, strided<[?, 1]>>
!V = memref<?x256xbf16, strided<[?, 1]>>
!O = memref<?x256xf32, strided<[?, 1]>>

// Products of 16-bit elements need no split factors, and have the room.
// CHECK-LABEL: tile.kernel @narrow_elements(
// CHECK-SAME:    tile.warps = 1
tile.kernel @narrow_elements(%q: !A, %v: !V, %out: !O) {
  %none = arith.constant dense<0.0> : tensor<16x256xf32>
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<32xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x32xbf16>
  %b = tile.gather %v[%j] : (!V, tensor<32xi32>) -> tensor<32x256xbf16>
  %o = tile.dot %a, %b, %none : tensor<16x32xbf16>, tensor<32x256xbf16>, tensor<16x256xf32> -> tensor<16x256xf32>
  tile.scatter %o into %out[%r] : (tensor<16x256xf32>, !O, tensor<16xi32>) -> ()
}
