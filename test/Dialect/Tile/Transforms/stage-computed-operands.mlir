// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --pass-pipeline="builtin.module(tile.kernel(tile-stage-through-shared,tile-stage-computed-operands))" | FileCheck %s
// RUN: ramify-opt %s --pass-pipeline="builtin.module(tile.kernel(tile-stage-through-shared,tile-stage-computed-operands{shared-bytes=16384}))" | FileCheck %s --check-prefix=FULL

!A = memref<?x128xf32, strided<[?, 1]>>
!O = memref<?x16xf32, strided<[?, 1]>>

// What is computed of the keys is stored once for all four warps, and so are the
// 64 registers that a loop would keep of what is computed of the queries.
// CHECK-LABEL: tile.kernel @computed(
// CHECK-DAG:     %[[KEYS:.*]] = tile.alloc_shared : memref<1x16x128xf32
// CHECK-DAG:     %[[QUERIES:.*]] = tile.alloc_shared : memref<1x64x128xf32
// CHECK:         %[[X:.*]] = arith.mulf {{.*}} : tensor<64x128xf32>
// CHECK-NEXT:    %{{.*}} = arith.constant 0 : index
// CHECK-NEXT:    tile.store_shared %[[X]] into %[[QUERIES]]
// CHECK:         scf.for
// CHECK:           %[[Y:.*]] = arith.mulf {{.*}} : tensor<16x128xf32>
// CHECK:           tile.store_shared %[[Y]] into %[[KEYS]]
// CHECK-DAG:       %[[A:.*]] = tile.load_shared %[[QUERIES]]
// CHECK-DAG:       %[[B:.*]] = tile.load_shared %[[KEYS]]
// CHECK:           tile.dot %[[A]], transposed %[[B]]
// Where there is no room, each warp computes all of it.
// FULL-LABEL: tile.kernel @computed(
// FULL-NOT:     tile.store_shared
// FULL:         tile.end
tile.kernel @computed(%q: !A, %k: !A, %n: index, %out: !O) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<64x16xf32>
  %i = tile.iota : tensor<64xi32>
  %j = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%i] : (!A, tensor<64xi32>) -> tensor<64x128xf32>
  %x = arith.mulf %a, %a : tensor<64x128xf32>
  %o = scf.for %at = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<64x16xf32>) {
    %b = tile.gather %k[%j] : (!A, tensor<16xi32>) -> tensor<16x128xf32>
    %y = arith.mulf %b, %b : tensor<16x128xf32>
    %s = tile.dot %x, transposed %y, %acc : tensor<64x128xf32>, tensor<16x128xf32>, tensor<64x16xf32> -> tensor<64x16xf32>
    scf.yield %s : tensor<64x16xf32>
  }
  tile.scatter %o into %out[%i] : (tensor<64x16xf32>, !O, tensor<64xi32>) -> ()
  tile.end
}

// Programs of 16 rows may have a single warp, which keeps what it computes.
// CHECK-LABEL: tile.kernel @one_warp(
// CHECK-NOT:     tile.store_shared
// CHECK:         tile.end
tile.kernel @one_warp(%q: !A, %k: !A, %out: !O) {
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %i = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%i] : (!A, tensor<16xi32>) -> tensor<16x128xf32>
  %b = tile.gather %k[%i] : (!A, tensor<16xi32>) -> tensor<16x128xf32>
  %y = arith.mulf %b, %b : tensor<16x128xf32>
  %s = tile.dot %a, transposed %y, %zero : tensor<16x128xf32>, tensor<16x128xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %out[%i] : (tensor<16x16xf32>, !O, tensor<16xi32>) -> ()
  tile.end
}
