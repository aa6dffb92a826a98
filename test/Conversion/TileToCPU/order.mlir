// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows in lanes: lists of the best, sorts and scans work column by column.
// RUN: ramify-opt %s -tile-to-cpu | FileCheck %s

!A = memref<?x4xf32, strided<[?, 1]>>
!B = memref<?x2xf32, strided<[?, 1]>>
!I = memref<?x2xi32, strided<[?, 1]>>

// A candidate that no row wants costs one comparison.
// CHECK-LABEL: llvm.func @topk(
// CHECK:       %[[COUNTS:.*]] = arith.cmpf ogt, %[[SCORE:.*]], %{{.*}} : vector<16xf32>
// CHECK:       %[[REACHES:.*]] = arith.cmpf oge, %[[SCORE]], %{{.*}} : vector<16xf32>
// CHECK:       %[[WANTED:.*]] = arith.andi %[[COUNTS]], %[[REACHES]]
// CHECK:       %[[ANY:.*]] = vector.reduction <or>, %[[WANTED]] : vector<16xi1> into i1
// CHECK:       scf.if %[[ANY]] {
// CHECK:         arith.select {{.*}} : vector<16xi1>, vector<16xf32>
tile.kernel @topk(%a: !A, %b: !B, %w: !I) {
  %r = tile.iota : tensor<16xi32>
  %id = tile.iota : tensor<4xi32>
  %best = arith.constant dense<0xFF800000> : tensor<16x2xf32>
  %which = arith.constant dense<-1> : tensor<16x2xi32>
  %s = tile.gather %a[%r] : (!A, tensor<16xi32>) -> tensor<16x4xf32>
  %x:2 = tile.topk %s, %id into %best, %which : tensor<16x4xf32>, tensor<4xi32>, tensor<16x2xf32>, tensor<16x2xi32>
  tile.scatter %x#0 into %b[%r] : (tensor<16x2xf32>, !B, tensor<16xi32>) -> ()
  tile.scatter %x#1 into %w[%r] : (tensor<16x2xi32>, !I, tensor<16xi32>) -> ()
}

// Two columns are one comparator, which tells equal keys apart by their place.
// CHECK-LABEL: llvm.func @sort(
// CHECK:       %[[ABOVE:.*]] = arith.cmpi sgt, %[[FIRST:.*]], %[[SECOND:.*]] : vector<16xi32>
// CHECK:       %[[EQUAL:.*]] = arith.cmpi eq, %[[FIRST]], %[[SECOND]] : vector<16xi32>
// CHECK:       %[[LATER:.*]] = arith.cmpi sgt, {{.*}} : vector<16xi32>
// CHECK:       %[[TIE:.*]] = arith.andi %[[EQUAL]], %[[LATER]]
// CHECK:       %[[SWAP:.*]] = arith.ori %[[ABOVE]], %[[TIE]]
// CHECK-COUNT-2: arith.select %[[SWAP]], {{.*}} : vector<16xi1>, vector<16xi32>
tile.kernel @sort(%w: !I) {
  %r = tile.iota : tensor<16xi32>
  %s = tile.gather %w[%r] : (!I, tensor<16xi32>) -> tensor<16x2xi32>
  %x = tile.sort %s : (tensor<16x2xi32>) -> tensor<16x2xi32>
  tile.scatter %x into %w[%r] : (tensor<16x2xi32>, !I, tensor<16xi32>) -> ()
}

// CHECK-LABEL: llvm.func @scan(
// CHECK:       scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (vector<16xf32>)
// CHECK:         %[[NEXT:.*]] = arith.addf %[[SUM]], %{{.*}} fastmath<contract> : vector<16xf32>
// CHECK:         llvm.store %[[NEXT]]
// CHECK:         scf.yield %[[NEXT]]
tile.kernel @scan(%a: !A) {
  %r = tile.iota : tensor<16xi32>
  %s = tile.gather %a[%r] : (!A, tensor<16xi32>) -> tensor<16x4xf32>
  %x = tile.scan sum %s along 1 : tensor<16x4xf32>
  tile.scatter %x into %a[%r] : (tensor<16x4xf32>, !A, tensor<16xi32>) -> ()
}
