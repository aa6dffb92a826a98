// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --canonicalize --cse --split-input-file %s | FileCheck %s

!A = memref<?x?x64xbf16, strided<[?, ?, 1]>>
!O = memref<?x?x64xf32, strided<[?, ?, 1]>>

// A product: lhs and result have the accumulator's layout, the rhs that of B,
// and row indices the slice that belongs to whatever they index.
// CHECK-DAG: #[[$ACC:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 8]>
// CHECK-DAG: #[[$ROWS:.*]] = #tile.layout<reg = [], lane = {{\[}}[0], [0], [1], [2], [4]], warps = [1], repeat = [2]>
// CHECK-DAG: #[[$B:.*]] = #tile.layout<reg = {{\[}}[0, 1]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [8, 8]>
// CHECK-DAG: #[[$BROWS:.*]] = #tile.layout<reg = [], lane = {{\[}}[0], [0], [1], [2], [4]], warps = [1], repeat = [8]>
// CHECK-LABEL: tile.kernel @product
// CHECK-SAME: tile.warps = 1
tile.kernel @product(%q: !A, %k: !A, %out: !O) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  // CHECK-DAG: %[[R:.*]] = tile.iota : tensor<16xi32, #[[$ROWS]]>
  // CHECK-DAG: %[[J:.*]] = tile.iota : tensor<64xi32, #[[$BROWS]]>
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  // CHECK-DAG: tile.gather {{.*}} -> tensor<16x64xbf16, #[[$ACC]]>
  // CHECK-DAG: tile.gather {{.*}} -> tensor<64x64xbf16, #[[$B]]>
  %a = tile.gather %q[%c0, %r] : (!A, index, tensor<16xi32>) -> tensor<16x64xbf16>
  %b = tile.gather %k[%c0, %j] : (!A, index, tensor<64xi32>) -> tensor<64x64xbf16>
  // CHECK: tile.dot {{.*}} -> tensor<16x64xf32, #[[$ACC]]>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  // CHECK: tile.scatter %{{.*}} into %{{.*}}[%{{.*}}, %[[R]]]
  tile.scatter %s into %out[%c0, %r] : (tensor<16x64xf32>, !O, index, tensor<16xi32>) -> ()
}

// -----

!O = memref<?x?x64xf32, strided<[?, ?, 1]>>

// One vector wanted along rows and along columns is made twice; a maximum over
// columns, which is costly, is made once and is at home in the slice.
// CHECK-DAG: #[[$ACC:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [4, 1], repeat = [1, 8]>
// CHECK-DAG: #[[$ROWS:.*]] = #tile.layout<reg = {{\[}}[8]], lane = {{\[}}[0], [0], [1], [2], [4]], warps = [4], repeat = [1]>
// CHECK-DAG: #[[$COLS:.*]] = #tile.layout<reg = {{\[}}[1]], lane = {{\[}}[2], [4], [0], [0], [0]], warps = [1], repeat = [8]>
// CHECK-LABEL: tile.kernel @rows_and_columns
// CHECK-SAME: tile.warps = 4
tile.kernel @rows_and_columns(%out: !O) {
  %c0 = arith.constant 0 : index
  // CHECK-DAG: tile.iota : tensor<64xi32, #[[$ROWS]]>
  // CHECK-DAG: tile.iota : tensor<64xi32, #[[$COLS]]>
  %i = tile.iota : tensor<64xi32>
  %f = arith.sitofp %i : tensor<64xi32> to tensor<64xf32>
  // CHECK: tile.broadcast %{{.*}} along 0 : tensor<64xf32, #[[$COLS]]> -> tensor<64x64xf32, #[[$ACC]]>
  %columns = tile.broadcast %f along 0 : tensor<64xf32> -> tensor<64x64xf32>
  // CHECK: tile.reduce max %{{.*}} along 1 : tensor<64x64xf32, #[[$ACC]]> -> tensor<64xf32, #[[$ROWS]]>
  // CHECK-NOT: convert_layout
  %most = tile.reduce max %columns along 1 : tensor<64x64xf32> -> tensor<64xf32>
  %sum = arith.addf %most, %f : tensor<64xf32>
  %b = tile.broadcast %sum along 1 : tensor<64xf32> -> tensor<64x64xf32>
  tile.scatter %b into %out[%c0, %i] : (tensor<64x64xf32>, !O, index, tensor<64xi32>) -> ()
}

// -----

!F = memref<?x64xf32, strided<[?, 1]>>

// f32: what is only loaded is an A operand in the usual order; a result of
// arithmetic stays an accumulator, and B is permuted to suit it.
// CHECK-DAG: #[[$A:.*]] = #tile.layout<reg = {{\[}}[8, 0]], lane = {{\[}}[0, 1], [0, 2], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 16]>
// CHECK-DAG: #[[$ACC:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 8]>
// CHECK-DAG: #[[$PLAIN:.*]] = #tile.layout<reg = [], lane = {{\[}}[0, 1], [0, 2], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [8, 16]>
// CHECK-DAG: #[[$PERMUTED:.*]] = #tile.layout<reg = {{\[}}[1, 0]], lane = {{\[}}[2, 0], [4, 0], [0, 1], [0, 2], [0, 4]], warps = [1, 1], repeat = [8, 8]>
// CHECK-LABEL: tile.kernel @tf32
tile.kernel @tf32(%q: !F, %k: !F, %out: !F) {
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %r = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %a = tile.gather %q[%r] : (!F, tensor<16xi32>) -> tensor<16x64xf32>
  %b = tile.gather %k[%j] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  // CHECK: tile.dot {{.*}} : tensor<16x64xf32, #[[$A]]>, tensor<64x64xf32, #[[$PLAIN]]>, tensor<16x64xf32, #[[$ACC]]>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x64xf32>, tensor<64x64xf32>, tensor<16x64xf32> -> tensor<16x64xf32>
  %p = math.exp2 %s : tensor<16x64xf32>
  // CHECK: tile.dot {{.*}} : tensor<16x64xf32, #[[$ACC]]>, tensor<64x64xf32, #[[$PERMUTED]]>, tensor<16x64xf32, #[[$ACC]]>
  %o = tile.dot %p, %b, %zero : tensor<16x64xf32>, tensor<64x64xf32>, tensor<16x64xf32> -> tensor<16x64xf32>
  tile.scatter %o into %out[%r] : (tensor<16x64xf32>, !F, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x64xbf16, strided<[?, 1]>>
!S = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>

// A copy is dealt out in 16-byte pieces, and so are its rows.
// CHECK-DAG: #[[$COPY:.*]] = #tile.layout<reg = {{\[}}[0, 1], [0, 2], [0, 4]], lane = {{\[}}[0, 8], [0, 16], [0, 32], [1, 0], [2, 0]], warps = [1, 1], repeat = [16, 1]>
// CHECK-DAG: #[[$ROWS:.*]] = #tile.layout<reg = [], lane = {{\[}}[0], [0], [0], [1], [2]], warps = [1], repeat = [16]>
// CHECK-LABEL: tile.kernel @copy
tile.kernel @copy(%k: !A) {
  %c0 = arith.constant 0 : index
  %ring = tile.alloc_shared : !S
  // CHECK: %[[J:.*]] = tile.iota : tensor<64xi32, #[[$ROWS]]>
  %j = tile.iota : tensor<64xi32>
  // CHECK: tile.copy_async %{{.*}}[%[[J]]] into %{{.*}} {layout = #[[$COPY]]}
  tile.copy_async %k[%j] into %ring[%c0] : (!A, tensor<64xi32>, !S, index) -> ()
}

// -----

!A = memref<?x16xf32, strided<[?, 1]>>

// Loops and branches hand on what the product in them makes.
// CHECK: #[[$ACC:.*]] = #tile.layout<reg = {{\[}}[0, 1], [8, 0]], lane = {{\[}}[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
// CHECK-LABEL: tile.kernel @loop
tile.kernel @loop(%k: !A, %n: index, %some: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %r = tile.iota : tensor<16xi32>
  %b = tile.gather %k[%r] : (!A, tensor<16xi32>) -> tensor<16x16xf32>
  // CHECK: scf.for {{.*}} -> (tensor<16x16xf32, #[[$ACC]]>)
  %o = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x16xf32>) {
    // CHECK: scf.if %{{.*}} -> (tensor<16x16xf32, #[[$ACC]]>)
    %next = scf.if %some -> (tensor<16x16xf32>) {
      %s = tile.dot %b, %b, %acc : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
      scf.yield %s : tensor<16x16xf32>
    } else {
      scf.yield %acc : tensor<16x16xf32>
    }
    scf.yield %next : tensor<16x16xf32>
  }
  tile.scatter %o into %k[%r] : (tensor<16x16xf32>, !A, tensor<16xi32>) -> ()
}

// -----

!F = memref<?x64xf32, strided<[?, 1]>>
!R = memref<?xf32, strided<[1]>>

// A vector is reduced to a number where it is at home. The number, which all
// threads have, has no layout, and nothing is left without one that leads there.
// CHECK-DAG: #[[$ROWS:.*]] = #tile.layout<reg = [], lane = {{\[}}[0], [0], [1], [2], [4]], warps = [1], repeat = [2]>
// CHECK-LABEL: tile.kernel @number
// CHECK:     tile.gather {{.*}} -> tensor<16x64xf32, #
// CHECK:     %[[SUMS:.*]] = tile.reduce sum %{{.*}} along 1 : {{.*}} -> tensor<16xf32, #[[$ROWS]]>
// CHECK:     %[[ALL:.*]] = tile.reduce sum %[[SUMS]] along 0 : tensor<16xf32, #[[$ROWS]]> -> tensor<f32>
// CHECK:     %[[NUMBER:.*]] = tensor.extract %[[ALL]][] : tensor<f32>
// CHECK:     memref.store %[[NUMBER]]
// CHECK-NOT: tensor<16xf32>
tile.kernel @number(%x: !F, %out: !R) {
  %c0 = arith.constant 0 : index
  %i = tile.iota : tensor<16xi32>
  %a = tile.gather %x[%i] : (!F, tensor<16xi32>) -> tensor<16x64xf32>
  %e = math.exp %a : tensor<16x64xf32>
  %s = tile.reduce sum %e along 1 : tensor<16x64xf32> -> tensor<16xf32>
  %t = tile.reduce sum %s along 0 : tensor<16xf32> -> tensor<f32>
  %n = tensor.extract %t[] : tensor<f32>
  memref.store %n, %out[%c0] : !R
}
